// The controls above the panels, the title, and the help.

function title(patterns, hasKernel) {
  const { meta } = patterns;
  const joined = patterns.isJoined
    ? `, in cells of up to ${meta.block} tokens (mean of their rows, sum of their keys` +
      `${meta.mixed ? "; a cell may mix roles" : ""})`
    : "";
  const levels = hasKernel
    ? ". Drawn from 8-bit values; those of open heads come exactly from the kernel"
    : ". Values are rounded to 8 bits; each is given with its error";
  const several = (number, word) => `${number} ${word}${number === 1 ? "" : "s"}`;
  return make(
    "header",
    {},
    make("h2", {}, meta.states.join(" → "), make("span", { class: "of" }, meta.text)),
    make(
      "div",
      { class: "muted" },
      `${several(meta.layers.length, "layer")} × ${several(meta.heads.length, "head")}, ` +
        `${several(patterns.size, "token")}${joined}${meta.levels ? levels : ""}.`,
    ),
  );
}

// update(changes) is told what was chosen; id makes the names of inputs differ between viewers.
function controls(scene, id, update) {
  const { patterns, state } = scene;
  const { meta } = patterns;
  const parts = [];
  if (patterns.nStates > 1) {
    const options = [["0", "Before"], ["1", "After"], [DIFFERENCE, "Difference"]];
    parts.push(
      choice(id, "Show", "show", options, String(state.show), (value) =>
        update({ show: value === DIFFERENCE ? value : Number(value) }),
      ),
    );
  }
  const here = meta.sink;
  parts.push(
    choice(
      id,
      here === "in" ? "First token (sink)" : `First token (sink): ${here} in this pattern`,
      "sink",
      [["in", "In"], ["out", "Out"], ["renormalised", "Renormalised"]],
      here === "in" ? state.sink : here,
      (sink) => update({ sink }),
      here !== "in",
    ),
  );
  if (patterns.hasRoles) {
    parts.push(
      choice(
        id, "Keys", "keys", [["text", "As in the text"], ["role", "By role"]],
        state.grouped ? "role" : "text",
        (value) => update({ grouped: value === "role" }),
      ),
    );
    const select = make("select", { id: `${id}-order` });
    for (const [value, label] of scene.orders()) select.append(make("option", { value }, label));
    select.value = state.order;
    select.addEventListener("change", () => update({ order: select.value }));
    parts.push(
      make(
        "div",
        { class: "control" },
        make("label", { for: select.id, class: "legend" }, "Order of heads"),
        select,
      ),
    );
  }
  const legend = patterns.rolesHere
    .filter((role) => role !== "other")
    .map((role) => make("span", { class: "role" }, roleBadge(role), ` ${role}`));
  if (legend.length) parts.push(make("div", { class: "roles", "aria-label": "Roles" }, ...legend));
  return make("div", { class: "controls" }, ...parts);
}

function choice(id, legend, name, options, chosen, onChange, disabled = false) {
  const field = make("fieldset", { class: "control", disabled, "data-control": name });
  field.append(make("legend", {}, legend));
  const row = make("div", { class: "choice" });
  for (const [value, label] of options) {
    const input = make("input", {
      type: "radio", name: `${id}-${name}`, value, checked: value === chosen,
    });
    input.addEventListener("change", () => onChange(value));
    row.append(make("label", {}, input, make("span", {}, label)));
  }
  field.append(row);
  return field;
}

function help() {
  const keys = [
    ["Tab", "from part to part"],
    ["Arrow keys", "from head to head, from value to value"],
    ["Enter", "open the head; pick the row"],
    ["Space", "add the head, or take it away, to see a mean"],
    ["L, A", "open the whole layer, all heads"],
    ["Page Up, Page Down", "in the map: the head before, the next head"],
    ["Escape", "from the map back to the heads; there: all heads"],
  ];
  return make(
    "details",
    { class: "help" },
    make("summary", {}, "Mouse and keyboard"),
    make(
      "p",
      {},
      "Click a head to open it; with Ctrl, Command or Shift to add it; the name of a layer or " +
        "head to open a whole line. Click a row of the map or a token to see what it pays.",
    ),
    make(
      "dl",
      {},
      ...keys.flatMap(([key, what]) => [make("dt", {}, key), make("dd", {}, what)]),
    ),
  );
}
