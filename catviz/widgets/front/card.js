// A chart with all that stands around it: title, key, note, its numbers as a table, its tooltip.

const PLOTS = { lines: LinesPlot, dots: DotsPlot, map: MapPlot, text: TextPlot };
const GLIDE = 200; // milliseconds from one state to the next

class Card {
  constructor(name, kind, tip) {
    this.kind = kind;
    this.tip = tip;
    this.Plot = PLOTS[kind];
    this.plot = new this.Plot();
    this.title = make("figcaption", {});
    this.key = make("div", { class: "key" });
    this.note = make("p", { class: "note" });
    this.numbers = make("details", {}, make("summary", {}, "As a table"));
    this.element = make(
      "figure",
      { "data-chart": name, "data-kind": kind, role: "figure" },
      this.title, this.key, this.plot.element, this.note, this.numbers,
    );
    this.plot.element.addEventListener("pointermove", (event) => this.hover(event));
    this.plot.element.addEventListener("pointerleave", () => this.leave());
    this.numbers.addEventListener("toggle", () => this.fillNumbers());
  }

  get isWide() {
    return this.Plot.isWide;
  }

  // Where nothing has changed, nothing is drawn.
  show(chart, { frame, width, theme, isGliding }) {
    this.element.dataset.frame = frame ?? "";
    const isNew = chart !== this.chart;
    if (!isNew && width === this.width && theme === this.theme) return;
    const from = this.drawn;
    this.from = isNew && isGliding && from && areAlike(from, chart) ? from : null;
    this.started = performance.now();
    Object.assign(this, { chart, width, theme });
    this.title.textContent = chart.title;
    this.note.textContent = chart.note;
    this.note.hidden = !chart.note;
    this.key.replaceChildren(...this.Plot.key(chart, theme));
    this.element.setAttribute("aria-label", `${chart.title}. ${this.Plot.describe(chart)}`);
    this.fillNumbers();
    this.draw(this.started);
  }

  // Draws how it stands at a time; true while it is on its way.
  draw(now) {
    const share = this.from ? Math.min((now - this.started) / GLIDE, 1) : 1;
    const eased = share * (2 - share);
    this.drawn = share < 1 ? between(this.from, this.chart, Math.max(eased, 0)) : this.chart;
    this.plot.draw(this.drawn, this.width, this.theme);
    if (share === 1) this.from = null;
    this.element.toggleAttribute("data-gliding", share < 1);
    if (this.pointer) this.hover(this.pointer);
    return share < 1;
  }

  fillNumbers() {
    this.numbers.querySelector(".table")?.remove();
    if (!this.numbers.open) return;
    const { header, rows } = this.Plot.table(this.chart);
    this.numbers.append(table(this.chart.title, header, rows));
  }

  hover(event) {
    const lines = this.plot.hover(event);
    this.pointer = event;
    if (lines) this.tip.show(lines, event.clientX, event.clientY);
    else this.tip.hide();
  }

  remove() {
    if (this.pointer) this.leave();
    this.element.remove();
  }

  leave() {
    this.pointer = null;
    this.plot.leave();
    this.tip.hide();
  }
}
