// The list of a text's relations: each with its verdict and what is wrong with it.

const VERDICTS = {
  open: ["○", "no verdict yet"],
  accepted: ["✓", "accepted"],
  edited: ["✎", "edited"],
  rejected: ["✗", "rejected"],
  added: ["+", "added"],
};

// What stands for a relation now: its edit, where there is one.
const standing = (relation) => relation.edited ?? relation;

const phrase = (kind, text) => make("span", { class: `phrase ${kind}`, dir: "auto" }, text);

function relationItem(relation, at, isInFocus, onFocus) {
  const shown = standing(relation);
  const [sign, word] = VERDICTS[relation.verdict];
  const before = relation.edited
    ? [make("p", { class: "was" }, `was: ${relation.effect} ← ${causeNames(relation)}`)]
    : [];
  const item = make(
    "li",
    {
      class: `relation ${relation.verdict}`, "aria-current": isInFocus ? "true" : false,
      "data-relation": at,
    },
    make("span", { class: "verdict", title: word }, make("span", {}, sign), ` ${word}`),
    make(
      "div",
      { class: "pair" },
      phrase("of-effect", shown.effect),
      make("span", { class: "from" }, " because of "),
      ...shown.causes.flatMap(({ phrase: cause, fault }, n) => [
        n ? " " : "",
        phrase(fault ? "of-cause wrong" : "of-cause", cause),
      ]),
      ...(shown.causes.length ? [] : [make("span", { class: "muted" }, "no cause")]),
    ),
    ...before,
    ...shown.faults.map((text) => make("p", { class: "fault" }, text)),
  );
  item.addEventListener("click", () => onFocus(at));
  return item;
}

const causeNames = ({ causes }) => causes.map(({ phrase: cause }) => cause).join(" · ");

// A relation as the kernel knows it.
const plainRelation = ({ effect, causes }) => ({
  effect,
  causes: causes.map(({ phrase: cause }) => cause),
});
