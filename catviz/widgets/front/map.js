// An attention map, as the viewer draws it, with a colour bar.

const MOST_SIDE = 380;
const MOST_LABEL = 116; // pixels of a word on an axis

class MapPlot {
  constructor() {
    this.canvas = make("canvas", { "aria-hidden": "true" });
    this.bar = make("div", {});
    this.element = make("div", { class: "plot map" }, this.canvas, this.bar);
    this.drawing = new MapDrawing(this.canvas, {
      mostSide: MOST_SIDE, mostLabel: () => MOST_LABEL,
    });
  }

  static isWide = false;

  static rowOf = ({ row, words }) => row ?? words.length - 1;

  // The marked row: the whole map is too much to be read.
  static table(chart) {
    const { words, roles, values } = chart;
    const row = MapPlot.rowOf(chart);
    const start = row * words.length;
    return {
      header: ["looked at", "role", `by “${visible(words[row])}”`],
      rows: words
        .slice(0, row + 1)
        .map((word, at) => [visible(word), roles[at], formatValue(values[start + at])]),
    };
  }

  static describe(chart) {
    const { words, values } = chart;
    const row = MapPlot.rowOf(chart);
    if (row < 0) return "An attention map without a token.";
    const paid = [...values.subarray(row * words.length, (row + 1) * words.length).entries()];
    const most = paid.sort((a, b) => b[1] - a[1]).slice(0, 3);
    const told = most.map(([at, value]) => `“${visible(words[at])}” ${formatValue(value)}`);
    const of = `Attention map of ${words.length} tokens`;
    return `${of}. The row of “${visible(words[row])}” looks most at ${told.join(", ")}.`;
  }

  static key({ roles }, theme) {
    return keyOf([], lettered(roles), theme);
  }

  draw(chart, width, theme) {
    const size = chart.words.length;
    const values = new Float32Array(triangle(size));
    for (let row = 0; row < size; row++) {
      values.set(chart.values.subarray(row * size, row * size + row + 1), triangle(row));
    }
    const own = scaleOf([values], scaleMask(size), false);
    const highest = values.reduce((a, b) => Math.max(a, b), 0);
    const scale = chart.highest ? new Scale(chart.highest, highest, false) : own;
    const words = chart.words.map((word, at) => ({
      start: at, stop: at + 1, label: fit(visible(word), MOST_LABEL), role: chart.roles[at],
    }));
    const columns = [...words.keys()];
    const map = { size, values };
    const row = MapPlot.rowOf(chart);
    const groups = [{ start: 0 }];
    this.chart = chart;
    const view = { map, columns, groups, words, columnWords: words, scale, row, theme };
    this.drawing.draw(view, width);
    this.bar.replaceChildren(colourBar(scale, "attention", false));
  }

  hover(event) {
    const place = event.target === this.canvas && this.drawing.under(event);
    if (!place || place[1] === null) return null;
    const [row, key] = place;
    const { words, roles, values } = this.chart;
    const role = roles[key];
    return [
      `“${visible(words[row])}” looks at`,
      [`“${visible(words[key])}”${role === "other" ? "" : `, ${role}`}`, role],
      key > row
        ? "comes later: cannot be seen"
        : `attention ${formatValue(values[row * words.length + key])}`,
    ];
  }

  leave() {
    return null;
  }
}
