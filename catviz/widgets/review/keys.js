// The keys: what each does, and the buttons that say so. They work inside the widget only.

const ACTIONS = [
  { name: "previous", key: "ArrowLeft", shown: "←", text: "Previous text", group: "texts" },
  { name: "next", key: "ArrowRight", shown: "→", text: "Next text", group: "texts" },
  { name: "unreviewed", key: "u", text: "Next unreviewed", group: "texts" },
  { name: "up", key: "ArrowUp", shown: "↑", text: "Relation before", group: "relations" },
  { name: "down", key: "ArrowDown", shown: "↓", text: "Relation after", group: "relations" },
  { name: "accept", key: "a", text: "Accept", group: "verdicts" },
  { name: "edit", key: "e", text: "Edit", group: "verdicts" },
  { name: "reject", key: "r", text: "Reject", group: "verdicts" },
  { name: "takeBack", key: "z", text: "Take back", group: "verdicts" },
  { name: "add", key: "n", text: "New relation", group: "verdicts" },
  { name: "acceptAll", key: "A", shown: "⇧ A", text: "Accept the text", group: "whole" },
  { name: "leaveOut", key: "R", shown: "⇧ R", text: "Leave the text out", group: "whole" },
];

const GROUPS = {
  texts: "Texts", relations: "Relations", verdicts: "This relation", whole: "The whole text",
};

// Buttons in groups; `act` is called with an action's name.
function actionButtons(act) {
  const buttons = new Map();
  const groups = Object.entries(GROUPS).map(([group, label]) => {
    const own = ACTIONS.filter((action) => action.group === group).map((action) => {
      const key = make("kbd", { "aria-hidden": "true" }, action.shown ?? action.key.toUpperCase());
      const button = make(
        "button",
        {
          type: "button", "data-action": action.name,
          "aria-keyshortcuts": action.key === action.key.toLowerCase() || action.key.length > 1
            ? action.key
            : `Shift+${action.key}`,
        },
        make("span", {}, action.text),
        key,
      );
      button.addEventListener("click", () => act(action.name));
      buttons.set(action.name, button);
      return button;
    });
    return make("div", { class: `group ${group}`, role: "group", "aria-label": label }, ...own);
  });
  return { groups, buttons };
}

const isField = (element) => ["INPUT", "TEXTAREA"].includes(element.tagName);

// Calls `act` for a key of ours. JupyterLab, which listens further out, hears no plain key that
// was pressed here: in command mode it would cut the cell at an X. With Ctrl, Alt or Meta, and for
// Shift + Enter, a key is JupyterLab's own as everywhere; Tab moves the focus.
function listenToKeys(element, act) {
  element.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
    if (event.key === "Tab" || (event.key === "Enter" && event.shiftKey)) return;
    event.stopPropagation();
    const [target] = event.composedPath();
    if (isField(target)) return;
    const action = ACTIONS.find(({ key }) => key === event.key);
    if (!action) return;
    event.preventDefault();
    act(action.name);
  });
}
