// What training supervises: rows of tokens that look, columns of tokens looked at, causes filled.

const CELL = 13;
const MOST_COLUMNS = 60; // beyond, tokens that are neither cause nor effect are left out
const NAME_LETTERS = 14;

class TokenMap {
  constructor() {
    this.canvas = make("canvas", { role: "img" });
    this.note = make("p", { class: "muted" });
    this.box = make("div", { class: "cells", tabindex: 0 }, this.canvas);
    this.element = make(
      "details",
      { class: "tokens-map" },
      make("summary", {}, "Supervised tokens"),
      this.note,
      this.box,
    );
    this.tip = new Tip(this.element);
    this.element.addEventListener("toggle", () => this.draw());
    this.canvas.addEventListener("pointermove", (event) => this.hover(event));
    this.canvas.addEventListener("pointerleave", () => this.tip.hide());
  }

  show({ tokens, rows }, theme) {
    this.element.hidden = !tokens;
    Object.assign(this, { tokens, rows, theme });
    this.tip.hide();
    this.draw();
  }

  // The tokens that get a column: all, or those that are cause or effect.
  get columns() {
    const last = Math.max(...this.rows.map(([row]) => row));
    const all = Array.from({ length: last + 1 }, (_, at) => at);
    if (all.length <= MOST_COLUMNS) return all;
    const needed = new Set(this.rows.flatMap(([row, keys]) => [row, row + 1, ...keys]));
    return all.filter((at) => needed.has(at));
  }

  draw() {
    if (!this.element.open || !this.tokens) return;
    this.canvas.hidden = !this.rows.length;
    this.note.textContent = this.rows.length
      ? "Each row is a token that looks, and the next one, which it predicts. Filled: its causes."
      : "No row of this text is supervised.";
    if (!this.rows.length) return;
    const columns = this.columns;
    const hidden = Math.max(...columns) + 1 - columns.length;
    if (hidden) this.note.textContent += ` ${hidden} columns of other tokens are left out.`;
    const context = this.canvas.getContext("2d");
    const font = `11px ${FONT}`;
    context.font = font;
    const name = (at) => shorten(visible(this.tokens[at]), NAME_LETTERS);
    const wide = (text) => context.measureText(text).width;
    const labels = this.rows.map(([row]) => `${name(row)} → ${name(row + 1)}`);
    const left = Math.ceil(Math.max(...labels.map(wide))) + 8;
    const top = Math.ceil(Math.max(...columns.map((at) => wide(name(at))))) + 8;
    const drawn = prepare(
      this.canvas, left + columns.length * CELL + 2, top + this.rows.length * CELL + 2,
    );
    drawn.font = font;
    drawn.textBaseline = "middle";
    Object.assign(this, { left, top });
    this.drawCells(drawn, columns, labels, name);
    this.canvas.setAttribute("aria-label", this.told);
  }

  drawCells(drawn, columns, labels, name) {
    const { left, top, theme } = this;
    columns.forEach((key, x) => {
      drawn.save();
      drawn.translate(left + x * CELL + CELL / 2, top - 4);
      drawn.rotate(-Math.PI / 2);
      drawn.fillStyle = theme.ink;
      drawn.fillText(name(key), 0, 0);
      drawn.restore();
    });
    this.rows.forEach(([row, keys], y) => {
      drawn.fillStyle = theme.ink;
      drawn.textAlign = "right";
      drawn.fillText(labels[y], left - 5, top + y * CELL + CELL / 2);
      const causes = new Set(keys);
      columns.forEach((key, x) => {
        if (key > row) return;
        drawn.fillStyle = causes.has(key) ? ROLE_STYLES.causal.colour : theme.void;
        drawn.fillRect(left + x * CELL + 1, top + y * CELL + 1, CELL - 2, CELL - 2);
        if (!causes.has(key)) return;
        drawn.fillStyle = ROLE_STYLES.causal.onColour;
        drawn.fillRect(left + x * CELL + CELL / 2 - 1, top + y * CELL + CELL / 2 - 1, 2, 2);
      });
    });
  }

  get told() {
    const said = this.rows.map(([row, keys]) => {
      const causes = keys.map((key) => visible(this.tokens[key])).join(", ");
      return `${visible(this.tokens[row + 1])} from ${causes}`;
    });
    return `Supervised rows: ${said.join("; ")}.`;
  }

  hover(event) {
    const [x, y] = pointIn(this.canvas, event);
    const found = this.rows?.[Math.floor((y - this.top) / CELL)];
    const key = this.columns[Math.floor((x - this.left) / CELL)];
    if (!found || key === undefined || key > found[0]) return this.tip.hide();
    const [row, keys] = found;
    const what = keys.includes(key) ? "a cause of it" : "not a cause";
    const lines = [
      `“${visible(this.tokens[row])}” predicts “${visible(this.tokens[row + 1])}”`,
      `looking at “${visible(this.tokens[key])}”: ${what}`,
    ];
    return this.tip.show(lines, event.clientX, event.clientY);
  }
}
