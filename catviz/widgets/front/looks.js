// How lines and series look: a role as everywhere, the others by colour, dash and mark together,
// in the order of the static figures. And the key that says which is which.

const DASHES = ["", "9 3.2", "2.5 2.5", "10 3 2.5 3", "16 4.5"];
const ROLE_DASHES = { causal: "", spurious: "9 3", irrelevant: "2.2 2.2", other: "10 3.5 2 3.5" };
const MARK = 3.6; // half of a mark's width

// Marks around a point, as paths.
const MARKS = [
  (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (x, y, r) => `M${x - r} ${y - r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (x, y, r) => `M${x} ${y - 1.2 * r}l${1.15 * r} ${2.1 * r}h${-2.3 * r}z`,
  (x, y, r) => `M${x} ${y - 1.3 * r}L${x + 1.3 * r} ${y}L${x} ${y + 1.3 * r}L${x - 1.3 * r} ${y}z`,
  (x, y, r) => `M${x} ${y + 1.2 * r}l${1.15 * r} ${-2.1 * r}h${-2.3 * r}z`,
];

const roleLook = (role, theme) => ({
  role,
  colour: ROLE_STYLES[role].colour || theme.muted,
  dash: ROLE_DASHES[role],
  mark: MARKS[ROLES.indexOf(role)],
});

const seriesLook = (at, theme) => ({
  colour: theme.series[at % theme.series.length],
  dash: DASHES[at % DASHES.length],
  mark: MARKS[at % MARKS.length],
});

// One look a line; those without a role count up.
function looksOf(lines, theme) {
  let at = 0;
  return lines.map(({ role }) => (role ? roleLook(role, theme) : seriesLook(at++, theme)));
}

const markAt = (look, x, y, theme, r = MARK) =>
  draw("path", { d: look.mark(x, y, r), fill: look.colour, stroke: theme.background });

// A short piece of the line, with its mark.
function sample(look, { isLine, isMarked }, theme) {
  const parts = [];
  if (isLine) {
    parts.push(
      draw("line", {
        x1: 1, x2: 27, y1: 6, y2: 6, stroke: look.colour, "stroke-width": 2,
        "stroke-dasharray": look.dash,
      }),
    );
  }
  const width = isLine ? 28 : 12;
  if (isMarked) parts.push(markAt(look, width / 2, 6, theme));
  return draw("svg", { width, height: 12, "aria-hidden": "true" }, ...parts);
}

// entries: [{name, look, isLine, isMarked}]; roles: those that are told by their letter alone.
function keyOf(entries, roles, theme) {
  return [
    ...entries.map(({ name, look, ...how }) => {
      const entry = make("span", { class: "entry" }, sample(look, how, theme));
      if (look.role && ROLE_STYLES[look.role].letter) entry.append(roleBadge(look.role), " ");
      entry.append(name);
      return entry;
    }),
    ...roles.map((role) => make("span", { class: "entry" }, roleBadge(role), role)),
  ];
}

// The roles that have a letter, among those given.
const lettered = (roles) =>
  ROLES.filter((role) => ROLE_STYLES[role].letter && roles.includes(role));
