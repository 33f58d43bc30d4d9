// A chart of lines: densities, training curves, accuracy over alpha.

// In pixels.
const Y_NAME = 24; // above the plot, for the name of the y axis
const CURSOR = 17; // and for the cursor's label
const [LOWEST, HIGHEST] = [150, 250]; // of plots
const [BETWEEN_X, BETWEEN_Y] = [70, 33]; // ticks
const DODGE = 3; // between whiskers of lines that share their places
const INSET = 8; // of marks from the ends of the x axis
const OVER = 5; // by which marks at the edge may stand out

class LinesPlot {
  constructor() {
    this.element = draw("svg", { class: "plot", "aria-hidden": "true" });
  }

  static isWide = false;

  static table({ x_label, lines, ticks, percent }) {
    const format = percent ? formatPercent : formatNumber;
    const places = [...new Set(lines.flatMap(({ x }) => [...x]))].sort((a, b) => a - b);
    const header = [x_label];
    for (const { name, low } of lines) header.push(name, ...(low ? [`${name}, interval`] : []));
    const rows = places.map((place) => {
      const row = [placeName(place, ticks)];
      for (const { x, y, low, high } of lines) {
        const at = x.indexOf(place);
        row.push(at < 0 ? "" : format(y[at]));
        if (low) row.push(at < 0 ? "" : `${format(low[at])} to ${format(high[at])}`);
      }
      return row;
    });
    return { header, rows };
  }

  static describe({ x_label, y_label, lines, ticks, percent, cursor }) {
    const format = percent ? formatPercent : formatNumber;
    const told = lines.map(({ name, role, x, y, filled }) => {
      const label = role && role !== name ? `${name} (${role})` : name;
      if (!y.length) return `${label}: nothing yet`;
      if (!filled) return `${label} from ${format(y[0])} to ${format(y[y.length - 1])}`;
      return `${label} highest at ${placeName(x[peakOf(y)], ticks)}`;
    });
    const at = cursor ? ` Marked: ${cursor[1]}.` : "";
    return `Lines, ${y_label} over ${x_label}: ${told.join("; ")}.${at}`;
  }

  static key(chart, theme) {
    const looks = looksOf(chart.lines, theme);
    const entries = chart.lines.map(({ name, marked }, at) => ({
      name, look: looks[at], isLine: true, isMarked: marked,
    }));
    const isTold = entries.length === 1 && entries[0].name === chart.y_label;
    return keyOf(isTold ? [] : entries, [], theme);
  }

  draw(chart, width, theme) {
    const box = boxOf(chart, width);
    const { xs, ys, left, right, top, bottom } = box;
    const inset = chart.lines.some(({ marked }) => marked) ? INSET : 0;
    const x = scaleTo(xs, left + inset, right - inset);
    const y = scaleTo(ys, bottom, top);
    this.state = { ...box, chart, looks: looksOf(chart.lines, theme), x, y, theme };
    const [across, down] = [right - left + 2 * OVER, bottom - top + 2 * OVER];
    const clip = draw("svg", {
      x: left - OVER, y: top - OVER, width: across, height: down, overflow: "hidden",
      viewBox: `${left - OVER} ${top - OVER} ${across} ${down}`,
    });
    this.drawLines(clip);
    this.pointed = draw("g", {});
    this.element.setAttribute("width", width);
    this.element.setAttribute("height", bottom + X_AXIS);
    this.element.replaceChildren(
      write(fit(chart.y_label, width), { x: 0, y: 8, fill: theme.muted, class: "y-name" }),
      ...box.yTicks.flatMap(({ at, label }) => [
        draw("line", { x1: left, x2: right, y1: y(at), y2: y(at), stroke: theme.grid }),
        write(label, { x: left - 7, y: y(at), "text-anchor": "end", fill: theme.ink }),
      ]),
      xAxis({ ...box, ticks: box.xTicks, scale: x, width, label: chart.x_label, theme }),
      ...this.cursorParts(width),
      clip,
      ...this.letters(),
      this.pointed,
    );
    if (!chart.lines.some((line) => line.y.some(Number.isFinite))) this.sayEmpty();
  }

  sayEmpty() {
    const { left, right, top, bottom, theme } = this.state;
    const at = { x: (left + right) / 2, y: (top + bottom) / 2, "text-anchor": "middle" };
    const halo = { stroke: theme.background, "stroke-width": 6, "paint-order": "stroke" };
    this.element.append(write("nothing yet", { ...at, ...halo, fill: theme.muted }));
  }

  drawLines(into) {
    const { chart, looks, x, y, bottom, theme } = this.state;
    const whiskered = chart.lines.filter(({ low, marked }) => low && marked);
    const fills = [];
    const strokes = [];
    chart.lines.forEach((line, at) => {
      const look = looks[at];
      const turn = whiskered.indexOf(line);
      const shift = turn < 0 ? 0 : DODGE * (turn - (whiskered.length - 1) / 2);
      const px = Array.from(line.x, (value) => x(value) + shift);
      const py = Array.from(line.y, y);
      const runs = runsOf(line.y);
      if (line.filled) {
        const floor = Math.min(bottom, y(0));
        for (const run of runs) {
          const d = `M${px[run[0]]} ${floor}${path(run, px, py, "L")}L${px[run.at(-1)]} ${floor}z`;
          fills.push(draw("path", { d, fill: look.colour, "fill-opacity": 0.17 }));
        }
      }
      if (line.low && line.marked) strokes.push(...whiskers(line, px, y, look));
      else if (line.low) {
        for (const run of runsOf(line.low)) {
          const back = path([...run].reverse(), px, Array.from(line.low, y), "L");
          const d = `${path(run, px, Array.from(line.high, y))}${back}z`;
          fills.push(draw("path", { d, fill: look.colour, "fill-opacity": 0.15 }));
        }
      }
      strokes.push(
        draw("path", {
          d: runs.map((run) => path(run, px, py)).join(""), fill: "none", stroke: look.colour,
          "stroke-width": 2, "stroke-dasharray": look.dash, "stroke-linejoin": "round",
          class: "line", "data-line": line.name,
        }),
      );
      for (const run of runs) {
        const marked = line.marked ? run : run.length === 1 ? run : [];
        strokes.push(...marked.map((i) => markAt(look, px[i], py[i], theme)));
      }
    });
    into.append(...fills, ...strokes);
  }

  // The vertical line, and its label above the plot.
  cursorParts(width) {
    const { chart, x, top, bottom, theme } = this.state;
    if (!chart.cursor) return [];
    const [place, label] = chart.cursor;
    const at = x(place);
    const text = fit(label, width);
    const half = textWidth(text, true) / 2 + 1;
    return [
      draw("line", {
        x1: at, x2: at, y1: top - 4, y2: bottom, stroke: theme.ink, "stroke-width": 1.4,
        class: "cursor",
      }),
      write(text, {
        x: Math.min(Math.max(at, half), width - half), y: top - 12, "text-anchor": "middle",
        "font-weight": 700, fill: theme.ink, class: "cursor-label",
      }),
    ];
  }

  // Each role's letter: on the peak of a density, at the end of a line; never one on another.
  letters() {
    const { chart, x, y, left, right, top, bottom } = this.state;
    const places = [];
    for (const { role, filled, x: xs, y: ys } of chart.lines) {
      if (!role || !ROLE_STYLES[role].letter) continue;
      const at = filled ? peakOf(ys) : ys.findLastIndex(Number.isFinite);
      if (at < 0) continue;
      const [beside, above] = filled ? [0, LETTER_BOX / 2 + 2] : [LETTER_BOX / 2 + 5, 0];
      const height = Math.max(y(ys[at]) - above, top + LETTER_BOX / 2);
      const place = Math.min(Math.max(x(xs[at]), left), right);
      places.push({ role, x: place + beside, y: height });
    }
    places.sort((a, b) => a.y - b.y);
    keepApart(places, 1);
    for (const place of places) place.y = Math.min(place.y, bottom - LETTER_BOX / 2);
    keepApart(places.reverse(), -1);
    return places.map((place) => letterBox(place.role, place.x, place.y));
  }

  // What is to be said of the place under the pointer, with a line through it.
  hover(event) {
    const { chart, looks, x, y, xs, left, right, top, bottom, theme } = this.state;
    const [pointer, height] = pointIn(this.element, event);
    const inside = (value) => value >= xs[0] && value <= xs[1];
    const places = chart.lines.flatMap((line) => [...line.x]).filter(inside);
    if (pointer < left - 10 || pointer > right + 10 || height < top - 10 || !places.length) {
      return this.leave();
    }
    const far = (place) => Math.abs(x(place) - pointer);
    const place = places.reduce((best, one) => (far(one) < far(best) ? one : best));
    const format = chart.percent ? formatPercent : formatNumber;
    const found = [];
    const lines = [`${chart.x_label}: ${placeName(place, chart.ticks)}`];
    chart.lines.forEach((line, at) => {
      const i = line.x.indexOf(place);
      if (i < 0 || !Number.isFinite(line.y[i])) return;
      const interval = line.low ? ` (${format(line.low[i])} to ${format(line.high[i])})` : "";
      lines.push([`${line.name} ${format(line.y[i])}${interval}`, line.role]);
      const level = y(line.y[i]);
      if (level > top - OVER && level < bottom + OVER) {
        found.push(markAt(looks[at], x(place), level, theme, 3));
      }
    });
    this.pointed.replaceChildren(
      draw("line", {
        x1: x(place), x2: x(place), y1: top, y2: bottom, stroke: theme.muted,
        "stroke-dasharray": "3 3",
      }),
      ...found,
    );
    return lines;
  }

  leave() {
    this.pointed?.replaceChildren();
    return null;
  }
}

// Where the plot stands in its drawing, and what its axes hold.
function boxOf({ lines, ticks, cursor, percent, x_range, y_range }, width) {
  const top = Y_NAME + (cursor ? CURSOR : 0);
  const height = Math.min(Math.max(0.46 * width, LOWEST), HIGHEST);
  const heights = lines.flatMap(({ y, low, high }) => (low ? [y, low, high] : [y]));
  const isFilled = lines.some(({ filled }) => filled);
  const ys = rangeOf(heights, y_range, { fromZero: isFilled, pad: 0.05 });
  const given = ticks?.map(([at, label]) => ({ at, label }));
  const marks = [...(given ?? []).map(({ at }) => at), ...(cursor ? [cursor[0]] : [])];
  const xs = rangeOf([...lines.map(({ x }) => x), marks], x_range);
  const yTicks = roundTicks(...ys, height / BETWEEN_Y, percent);
  const left = Math.ceil(Math.max(12, ...yTicks.map(({ label }) => textWidth(label)))) + 9;
  const inside = ({ at }) => at >= xs[0] - 1e-9 && at <= xs[1] + 1e-9;
  const xTicks = (given ?? roundTicks(...xs, (width - left) / BETWEEN_X)).filter(inside);
  const hasEnds = lines.some(({ role, filled }) => role && role !== "other" && !filled);
  const last = textWidth(xTicks.at(-1)?.label ?? "") / 2 + 2;
  const right = width - Math.ceil(Math.max(hasEnds ? LETTER_BOX + 8 : 8, last));
  return { xs, ys, xTicks, yTicks, left, right, top, bottom: top + height };
}

// Moves each letter away from those before it that are in its way: 1 downwards, -1 upwards.
function keepApart(places, direction) {
  const apart = LETTER_BOX + 1;
  places.forEach((place, at) => {
    for (const other of places.slice(0, at)) {
      const isNear = Math.abs(place.x - other.x) < apart;
      const gap = direction * (place.y - other.y);
      if (isNear && gap < apart) place.y = other.y + direction * apart;
    }
  });
}

// A place on the x axis: the label of its tick, or a number.
function placeName(place, ticks) {
  const tick = ticks?.find(([at]) => Math.abs(at - place) < 1e-6 * Math.max(1, Math.abs(at)));
  return tick ? tick[1] : formatNumber(place);
}

// Where values are highest; -1 where there is none.
function peakOf(values) {
  let peak = -1;
  values.forEach((value, at) => {
    if (Number.isFinite(value) && !(value <= values[peak])) peak = at;
  });
  return peak;
}

// The places of values that follow one another without a gap.
function runsOf(values) {
  const runs = [];
  values.forEach((value, at) => {
    if (!Number.isFinite(value)) return;
    if (at > 0 && Number.isFinite(values[at - 1]) && runs.length) runs.at(-1).push(at);
    else runs.push([at]);
  });
  return runs;
}

const path = (run, px, py, first = "M") =>
  run.map((at, k) => `${k ? "L" : first}${px[at].toFixed(2)} ${py[at].toFixed(2)}`).join("");

function whiskers({ low, high }, px, y, { colour }) {
  return runsOf(low).flat().map((at) => {
    const [from, to] = [y(low[at]), y(high[at])];
    const d = `M${px[at]} ${from}V${to}M${px[at] - 3} ${from}h6M${px[at] - 3} ${to}h6`;
    return draw("path", { d, stroke: colour, "stroke-width": 1.2, fill: "none" });
  });
}
