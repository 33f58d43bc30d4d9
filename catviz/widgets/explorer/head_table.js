// The heads as a table. Its rows come ranked from the kernel; clicks are told as lists of names.

const toggled = (names, name) =>
  names.includes(name) ? names.filter((other) => other !== name) : [...names, name];

function shareBar(state, shares) {
  const parts = shares.map((share, at) => {
    const style = ROLE_STYLES[ROLES[at]];
    const percent = `${Math.round(100 * share)}%`;
    const part = make(
      "div",
      { class: "share", title: `${ROLES[at]} ${percent}` },
      make("span", { class: "letter" }, style.letter), // where there is room
      make("span", { class: "percent" }, ` ${percent}`),
    );
    part.style.width = `${100 * share}%`;
    part.style.background = style.colour;
    part.style.color = style.onColour || "var(--muted)";
    return part;
  });
  const told = shares.map((share, at) => `${ROLES[at]} ${Math.round(100 * share)}%`).join(", ");
  const bar = make("div", { class: "shares", role: "img", "aria-label": told }, ...parts);
  const name = state ? [make("span", { class: "state-name" }, state)] : [];
  return make("div", { class: "state" }, ...name, bar);
}

class HeadTable {
  constructor(root, model) {
    this.model = model;
    const shadow = root.shadowRoot ?? root.attachShadow({ mode: "open" });
    this.box = make("div", { class: "heads", tabindex: 0, role: "region", "aria-label": "Heads" });
    this.key = make("div", { class: "key" });
    shadow.replaceChildren(make("style", {}, CSS), this.key, this.box);
    this.paint = () => (root.dataset.theme = themeName());
    this.paint();
    this.unwatch = watchTheme(this.paint);
    this.draw = () => this.schedule();
    this.names = ["rows", "states", "score_name", "can_take", "taken", "opened"];
    for (const name of this.names) model.on(`change:${name}`, this.draw);
    this.build();
  }

  stop() {
    this.isStopped = true;
    this.unwatch();
    for (const name of this.names) this.model.off(`change:${name}`, this.draw);
  }

  // Any number of changes between two frames are one drawing.
  schedule() {
    if (this.isScheduled) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      if (!this.isStopped) this.build();
    });
  }

  tell(name, names) {
    this.model.set(name, names);
    this.model.save_changes();
  }

  build() {
    const { model } = this;
    const [rows, states, taken, opened] = ["rows", "states", "taken", "opened"].map((name) =>
      model.get(name),
    );
    const canTake = model.get("can_take");
    const scoreName = model.get("score_name");
    const seen = ROLES.filter((_, at) => rows.some((row) => row.shares[0][at] > 0));
    this.key.replaceChildren(
      ...seen
        .filter((role) => ROLE_STYLES[role].letter)
        .map((role) => make("span", {}, roleBadge(role), ` ${role}`)),
    );
    const header = [
      ...(canTake ? [["Take out", "narrow"]] : []),
      ["Head", "narrow"],
      ["What the row that predicts the answer reads", ""],
      ...(scoreName ? [[scoreName, "score"]] : []),
    ].map(([text, kind]) => make("th", { scope: "col", class: kind }, text));
    const focused = this.box.getRootNode().activeElement?.dataset?.at;
    const body = rows.map(({ name, score, shares }) => {
      const isOpen = opened.includes(name);
      const cells = [];
      if (canTake) {
        const box = make("input", {
          type: "checkbox", checked: taken.includes(name), "aria-label": `Take out ${name}`,
          "data-at": `take ${name}`,
        });
        box.addEventListener("change", () => this.tell("taken", toggled(model.get("taken"), name)));
        cells.push(make("td", { class: "narrow" }, box));
      }
      const button = make(
        "button",
        { type: "button", "aria-pressed": String(isOpen), "data-at": `open ${name}` },
        name,
      );
      button.addEventListener("click", () => {
        const alone = model.get("opened").join() === name;
        this.tell("opened", alone ? [] : [name]);
      });
      cells.push(
        make("td", { class: "narrow" }, button),
        make("td", {}, ...shares.map((each, at) => shareBar(states[at] ?? "", each))),
      );
      if (scoreName) cells.push(make("td", { class: "score" }, score));
      return make("tr", { class: isOpen ? "open" : "", "data-head": name }, ...cells);
    });
    this.box.replaceChildren(
      make("table", {}, make("thead", {}, make("tr", {}, ...header)), make("tbody", {}, ...body)),
    );
    if (focused) this.box.querySelector(`[data-at="${focused}"]`)?.focus();
  }
}

export default {
  render({ model, el }) {
    const root = make("div", { class: "catviz-heads" });
    el.append(root);
    const table = new HeadTable(root, model);
    return () => table.stop();
  },
};
