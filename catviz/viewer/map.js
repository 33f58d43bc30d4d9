// The large map: what the mouse and the keyboard do in it.

class LargeMap {
  constructor(callbacks) {
    this.callbacks = callbacks; // pick(row), hover(cell | null, event), escape(), step(heads)
    this.cursor = null; // [row, column], of the keyboard
    this.canvas = make("canvas", { tabindex: 0, role: "application", class: "map" });
    this.drawing = new MapDrawing(this.canvas, {
      mostSide: 600, mostLabel: (width) => (width < 520 ? 90 : 150),
    });
    this.canvas.addEventListener("pointermove", (event) => this.onMove(event));
    this.canvas.addEventListener("pointerleave", () => callbacks.hover(null));
    this.canvas.addEventListener("click", (event) => this.onClick(event));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    this.canvas.addEventListener("focus", () => callbacks.redraw());
    this.canvas.addEventListener("blur", () => {
      callbacks.hover(null);
      callbacks.redraw();
    });
  }

  // view: as MapDrawing's, with a title
  draw(view, width) {
    if (this.view && this.view.map.size !== view.map.size) this.cursor = null;
    this.view = view;
    const { map } = view;
    const all = this.drawing.draw(view, width);
    const { left, top, side } = this.drawing.layout;
    const unit = side / map.size;
    this.canvas.style.touchAction = "pan-y";
    if (this.cursor && this.canvas.matches(":focus-visible")) {
      const [row, column] = this.cursor;
      const [x, line] = [left + column * unit, top + row * unit];
      const size = Math.max(unit, 5);
      const middle = (unit - size) / 2;
      outline(all, x + middle - 1, line + middle - 1, size + 2, size + 2, "#ffffff", 3.5);
      outline(all, x + middle - 1, line + middle - 1, size + 2, size + 2, "#000000", 1.5);
    }
    this.canvas.setAttribute(
      "aria-label",
      `${view.title}. ${map.size} rows by ${map.size} columns. Arrow keys move from value to ` +
        "value, Enter picks the row, Page Up and Page Down change the head, Escape goes back.",
    );
  }

  onMove(event) {
    const cell = this.drawing.under(event);
    this.canvas.style.cursor = cell ? "pointer" : "default";
    this.callbacks.hover(cell && cell[1] !== null ? cell : null, event);
  }

  onClick(event) {
    const cell = this.drawing.under(event);
    if (!cell) return;
    this.cursor = [cell[0], cell[1] ?? 0];
    this.callbacks.pick(cell[0]);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const last = this.view.map.size - 1;
    const [row, column] = this.cursor ?? [this.view.row, 0];
    const clamp = (value) => Math.min(Math.max(value, 0), last);
    const moves = {
      ArrowUp: [row - 1, column],
      ArrowDown: [row + 1, column],
      ArrowLeft: [row, column - 1],
      ArrowRight: [row, column + 1],
      Home: [row, 0],
      End: [row, last],
    };
    if (moves[event.key]) {
      this.cursor = moves[event.key].map(clamp);
      const { left, top, side } = this.drawing.layout;
      const box = this.canvas.getBoundingClientRect();
      const unit = side / this.view.map.size;
      this.callbacks.hover(this.cursor, {
        clientX: box.left + left + (this.cursor[1] + 0.5) * unit,
        clientY: box.top + top + (this.cursor[0] + 0.5) * unit,
        isByKey: true,
      });
    } else if (event.key === "Enter" || event.key === " ") this.callbacks.pick(row);
    else if (event.key === "PageDown") this.callbacks.step(1);
    else if (event.key === "PageUp") this.callbacks.step(-1);
    else if (event.key === "Escape") this.callbacks.escape();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }
}
