// The text below the map: shaded by what the picked row pays, with shares by role, and as tables.

const MOST_TABLE_HEADS = 1000;

class Words {
  constructor(patterns, callbacks) {
    this.patterns = patterns;
    this.heading = make("div", { class: "row-heading" });
    this.text = make("div", { class: "tokens" });
    this.totals = make("div", { class: "totals" });
    this.tables = make("details", { class: "tables" }, make("summary", {}, "As tables"));
    this.tablesBody = make("div", {});
    this.tables.append(this.tablesBody);
    this.tables.addEventListener("toggle", () => this.fillTables());
    this.chips = tokenChips(
      patterns.tokens, patterns.roles, (token) => patterns.wordOf[token]?.start === token,
    );
    layChips(this.text, patterns.tokens, this.chips);
    const at = (event) => {
      const chip = event.target.closest?.(".token");
      return chip ? Number(chip.dataset.token) : null;
    };
    this.text.addEventListener("pointermove", (event) => callbacks.hover(at(event), event));
    this.text.addEventListener("pointerleave", () => callbacks.hover(null));
    this.text.addEventListener("click", (event) => {
      if (at(event) !== null) callbacks.pick(at(event));
    });
  }

  // view: {row, values: per token, of the picked row; isDifference, theme, totals, states}
  draw(view) {
    this.view = view;
    const { row, values, isDifference, theme } = view;
    // The first token would take all of the shade.
    const highest = Math.max(1e-9, ...Array.from(values.subarray(1, row + 1), Math.abs));
    this.chips.forEach((chip, at) => {
      const shade = !isDifference ? theme.shade : values[at] < 0 ? "214, 96, 77" : "67, 147, 195";
      shadeChip(chip, at <= row ? Math.abs(values[at]) / highest : 0, shade);
      chip.classList.toggle("later", at > row);
      chip.classList.toggle("picked", at === row);
    });
    if (this.row !== undefined && this.row !== row) this.reveal(this.chips[row]);
    this.row = row;
    this.drawTotals(view);
    if (this.tables.open) this.fillTables();
  }

  // Scrolls the text, never the page.
  reveal(chip) {
    const top = chip.offsetTop - this.text.offsetTop;
    const { scrollTop, clientHeight } = this.text;
    if (top < scrollTop || top + chip.offsetHeight > scrollTop + clientHeight) {
      this.text.scrollTop = top - clientHeight / 2;
    }
  }

  drawTotals({ totals, states, row, name, note }) {
    const { patterns } = this;
    const answers = patterns.meta.answerRows.includes(row) ? ", which predicts the answer" : "";
    this.heading.replaceChildren(
      make("strong", {}, `The row of “${name}”`),
      `${answers} (token ${row})`,
    );
    if (!patterns.hasRoles) {
      this.totals.replaceChildren();
      return;
    }
    const lines = patterns.rolesHere.map((role) => {
      const at = ROLES.indexOf(role);
      const style = ROLE_STYLES[role];
      const bars = totals.map((masses, state) => {
        const bar = make("span", { class: `mass mass-${role}` });
        bar.style.width = `${100 * Math.min(Math.max(masses[at], 0), 1)}%`;
        bar.style.background = style.colour || "";
        const label = states.length > 1 ? `${states[state]} ` : "";
        return make(
          "span",
          { class: "mass-line" },
          make("span", { class: "mass-track" }, bar),
          make("span", { class: "mass-value" }, `${label}${formatShare(masses[at])}`),
        );
      });
      const title = make("span", { class: "mass-role" }, role);
      if (style.letter) title.prepend(roleBadge(role), " ");
      const side = make("span", { class: "mass-bars" }, ...bars);
      return make("div", { class: "mass-row" }, title, side);
    });
    this.totals.replaceChildren(
      make("div", { class: "muted" }, `What it pays to the words of each role${note}`),
      ...lines,
    );
  }

  fillTables() {
    if (!this.tables.open || !this.view) return;
    const { row, name, valueOf, heads, states, masses, isJoined } = this.view;
    const { patterns } = this;
    const tokens = [...Array(row + 1).keys()].map((at) => [
      String(at), visible(patterns.tokens[at]), patterns.roles[at], ...valueOf(at),
    ]);
    const joined = isJoined ? "; neighbouring tokens share one value" : "";
    const parts = [
      table(`Row of “${name}”${joined}`, ["", "token", "role", ...states], tokens),
    ];
    if (patterns.hasRoles) {
      const shown = heads.slice(0, MOST_TABLE_HEADS);
      const more = heads.length > shown.length ? `, the first ${shown.length}` : "";
      const header = ["head"];
      for (const role of patterns.rolesHere) {
        for (const state of states) header.push(states.length > 1 ? `${role}, ${state}` : role);
      }
      const rows = shown.map((head) => [
        patterns.headName(head),
        ...patterns.rolesHere.flatMap((role) =>
          masses.map((all) => formatShare(all[head * ROLES.length + ROLES.indexOf(role)])),
        ),
      ]);
      parts.push(table(`What every head's row pays to each role${more}`, header, rows));
    }
    this.tablesBody.replaceChildren(...parts);
  }
}
