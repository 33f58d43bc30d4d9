// The fields in which a relation is edited: its effect, and its causes, one a line.

class Editor {
  // onSave(relation), onCancel(): what the buttons and the keys do.
  constructor(onSave, onCancel) {
    this.effect = make("input", { type: "text", class: "effect-field", dir: "auto" });
    this.causes = make("textarea", { rows: 4, class: "causes-field", dir: "auto" });
    this.wrong = make("p", { class: "fault", role: "alert", hidden: true });
    const key = (name) => make("kbd", { "aria-hidden": "true" }, name);
    const save = make("button", { type: "submit", class: "primary" }, "Save", key("Enter"));
    const cancel = make("button", { type: "button" }, "Cancel", key("Esc"));
    this.title = make("p", { class: "editor-title" });
    this.element = make(
      "form",
      { class: "editor", hidden: true },
      this.title,
      make("label", {}, make("span", {}, "Effect, as it stands in the text"), this.effect),
      make("label", {}, make("span", {}, "Causes before it, one a line (⇧ Enter)"), this.causes),
      this.wrong,
      make("div", { class: "group" }, save, cancel),
    );
    this.cancel = onCancel;
    cancel.addEventListener("click", onCancel);
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      onSave(this.relation);
    });
    this.element.addEventListener("keydown", (event) => this.hear(event, onSave));
  }

  hear(event, onSave) {
    if (event.key === "Escape") {
      this.cancel();
    } else if (event.key === "Enter" && event.target === this.causes) {
      event.stopPropagation(); // also with Shift, which would run the cell
      if (event.shiftKey) return;
      event.preventDefault();
      onSave(this.relation);
    }
  }

  get isOpen() {
    return !this.element.hidden;
  }

  get relation() {
    const lines = this.causes.value.split("\n").map((line) => line.trim());
    return { effect: this.effect.value.trim(), causes: lines.filter((line) => line) };
  }

  open({ effect, causes }, isNew) {
    this.isNew = isNew;
    this.title.textContent = isNew ? "A new relation" : "Edit the relation";
    this.effect.value = effect;
    this.causes.value = causes.join("\n");
    this.causes.rows = Math.min(Math.max(causes.length + 1, 3), 8);
    this.complain("");
    this.element.hidden = false;
    this.effect.focus();
  }

  close() {
    this.element.hidden = true;
  }

  complain(text) {
    this.wrong.textContent = text;
    this.wrong.hidden = !text;
  }
}
