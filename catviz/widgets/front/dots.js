// A chart of rows with dots on a common axis, zero marked: effects of factors, head scores.

const ROW = 20; // pixels of a row with one series
const LANE = 11; // what each further series adds
const BETWEEN_ROWS = 4;

class DotsPlot {
  constructor() {
    this.element = draw("svg", { class: "plot", "aria-hidden": "true" });
  }

  static isWide = false;

  static table({ rows, roles, series }) {
    const header = ["", "role"];
    for (const { name, low } of series) header.push(name, ...(low ? [`${name}, interval`] : []));
    return {
      header,
      rows: rows.map((name, row) => [
        name,
        roles[row],
        ...series.flatMap(({ values, low, high }) => [
          formatNumber(values[row]),
          ...(low ? [`${formatNumber(low[row])} to ${formatNumber(high[row])}`] : []),
        ]),
      ]),
    };
  }

  static describe({ x_label, rows, series }) {
    const told = rows.map((name, row) => {
      const values = series.map((one) => `${one.name} ${formatNumber(one.values[row])}`);
      return `${name}: ${values.join(", ")}`;
    });
    return `Dots, ${x_label}: ${told.join("; ")}.`;
  }

  static key({ series, roles }, theme) {
    const entries = series.map(({ name }, at) => ({
      name, look: seriesLook(at, theme), isLine: false, isMarked: true,
    }));
    return keyOf(entries, lettered(roles), theme);
  }

  draw(chart, width, theme) {
    const { rows, roles, series } = chart;
    const hasLetters = lettered(roles).length > 0;
    const badge = hasLetters ? LETTER_BOX + 6 : 0;
    const room = Math.max(60, 0.42 * width - badge);
    const names = rows.map((name) => fit(visible(name), room));
    const left = Math.ceil(Math.max(0, ...names.map((name) => textWidth(name)))) + badge + 9;
    const lane = ROW + LANE * Math.max(0, series.length - 1) + BETWEEN_ROWS;
    const top = 4;
    const bottom = top + lane * rows.length;
    const found = rangeOf(
      [[0], ...series.flatMap(({ values, low, high }) => (low ? [values, low, high] : [values]))],
      chart.x_range,
      { pad: 0.05 },
    );
    const ticks = roundTicks(...found, (width - left) / 70);
    const right = width - Math.ceil(Math.max(8, textWidth(ticks.at(-1)?.label ?? "") / 2 + 2));
    const x = scaleTo(found, left + OVER, right - OVER);
    this.state = { chart, lane, top, bottom, left, right, theme };
    this.band = draw("rect", { x: 0, width, height: lane, fill: theme.grid, opacity: 0 });
    const zero = [];
    if (found[0] <= 0 && found[1] >= 0) {
      const ends = { x1: x(0), x2: x(0), y1: top, y2: bottom };
      zero.push(draw("line", { ...ends, stroke: theme.muted, class: "zero" }));
    }
    this.element.setAttribute("width", width);
    this.element.setAttribute("height", bottom + X_AXIS);
    this.element.replaceChildren(
      this.band,
      ...ticks.map(({ at }) =>
        draw("line", { x1: x(at), x2: x(at), y1: top, y2: bottom, stroke: theme.grid }),
      ),
      ...zero,
      xAxis({ ticks, scale: x, left, right, bottom, width, label: chart.x_label, theme }),
      ...rows.flatMap((_, row) => this.row(row, names[row], x)),
    );
  }

  row(row, name, x) {
    const { chart, lane, top, left, right, theme } = this.state;
    const middle = top + (row + 0.5) * lane;
    const role = chart.roles[row];
    const end = left - 9 - (lettered(chart.roles).length ? LETTER_BOX + 6 : 0);
    const parts = [write(name, { x: end, y: middle, "text-anchor": "end", fill: theme.ink })];
    if (ROLE_STYLES[role].letter) parts.push(letterBox(role, end + 6 + LETTER_BOX / 2, middle));
    chart.series.forEach(({ name: series, values, low, high }, at) => {
      const look = seriesLook(at, theme);
      const y = middle + LANE * (at - (chart.series.length - 1) / 2);
      const inside = (place) => Math.min(Math.max(place, left - OVER), right + OVER);
      if (low && Number.isFinite(low[row]) && Number.isFinite(high[row])) {
        const ends = [low[row], high[row]].map(x);
        // An end beyond the axis has no cap.
        const caps = ends.filter((end) => inside(end) === end).map((end) => `M${end} ${y - 3}v6`);
        const d = `M${inside(ends[0])} ${y}H${inside(ends[1])}${caps.join("")}`;
        parts.push(draw("path", { d, stroke: look.colour, "stroke-width": 1.4, fill: "none" }));
      }
      const place = x(values[row]);
      if (!Number.isFinite(place) || inside(place) !== place) return;
      const mark = markAt(look, place, y, theme, 4);
      mark.dataset.dot = `${series}: ${chart.rows[row]}`;
      parts.push(mark);
    });
    return parts;
  }

  hover(event) {
    const { chart, lane, top } = this.state;
    const [, height] = pointIn(this.element, event);
    const row = Math.floor((height - top) / lane);
    if (row < 0 || row >= chart.rows.length) return this.leave();
    this.band.setAttribute("y", top + row * lane);
    this.band.setAttribute("opacity", 0.6);
    const role = chart.roles[row];
    return [
      [`${chart.rows[row]}${role === "other" ? "" : `, ${role}`}`, role],
      ...chart.series.map(({ name, values, low, high }) => {
        const interval = low ? ` (${formatNumber(low[row])} to ${formatNumber(high[row])})` : "";
        return `${name} ${formatNumber(values[row])}${interval}`;
      }),
    ];
  }

  leave() {
    this.band?.setAttribute("opacity", 0);
    return null;
  }
}
