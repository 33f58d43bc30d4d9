// Charts as they come from the kernel (see charts.py), and the one that lies between two.

const ARRAYS = ["x", "y", "low", "high", "values", "weights"];
const RANGES = ["x_range", "y_range"];

const partsOf = (chart) => [chart, ...(chart.lines ?? chart.series ?? [])];

// Puts the numbers that came beside the message where its JSON refers to them.
function decode(charts, buffers) {
  const floats = ({ buffer: at }) => {
    const { buffer, byteOffset = 0, byteLength } = buffers[at];
    const bytes = buffer ?? buffers[at]; // a view, or the memory itself
    return new Float32Array(bytes.slice(byteOffset, byteOffset + byteLength)); // aligned
  };
  for (const chart of Object.values(charts)) {
    for (const part of partsOf(chart)) {
      for (const name of ARRAYS) if (part[name]) part[name] = floats(part[name]);
    }
  }
  return charts;
}

// Whether two charts show the same things, so that their values may glide.
function areAlike(one, other) {
  const shape = (chart) =>
    JSON.stringify([
      chart.kind, chart.rows, chart.words, chart.tokens, chart.ticks,
      partsOf(chart).map((part) => [part.name, ...ARRAYS.map((name) => part[name]?.length)]),
    ]);
  return shape(one) === shape(other);
}

// `share` of the way from one chart to another that is alike.
function between(from, to, share) {
  const mix = (a, b) => (Number.isFinite(a) ? a + share * (b - a) : b);
  const mixed = (one, other) => {
    const found = { ...other };
    for (const name of ARRAYS) {
      if (other[name]) found[name] = other[name].map((value, at) => mix(one[name][at], value));
    }
    return found;
  };
  const found = mixed(from, to);
  for (const name of ["lines", "series"]) {
    if (to[name]) found[name] = to[name].map((part, at) => mixed(from[name][at], part));
  }
  for (const name of RANGES) {
    if (from[name] && to[name]) found[name] = to[name].map((end, at) => mix(from[name][at], end));
  }
  if (from.cursor && to.cursor) {
    found.cursor = [mix(from.cursor[0], to.cursor[0]), to.cursor[1]];
  }
  return found;
}

// What came: charts that stand in every frame, and frames.
class Frames {
  constructor() {
    this.clear();
  }

  clear() {
    this.shown = {};
    this.frames = [];
  }

  // Takes a message; false when an earlier one must have been missed.
  take(message, buffers) {
    if (message.kind === "clear") this.clear();
    else if (message.kind === "show") Object.assign(this.shown, decode(message.charts, buffers));
    else if (message.kind === "frame") {
      if (message.number > this.frames.length) return false;
      this.frames[message.number] = decode(message.charts, buffers);
    }
    return true;
  }

  get isEmpty() {
    return !this.frames.length && !Object.keys(this.shown).length;
  }

  // The number of the frame that a wish comes down to; null without frames.
  number(wanted) {
    if (!this.frames.length) return null;
    const last = this.frames.length - 1;
    return wanted < 0 ? last : Math.min(wanted, last);
  }

  // [name, chart] of all that is to be seen, those in `order` first.
  charts(wanted, order) {
    const all = { ...this.shown, ...this.frames[this.number(wanted)] };
    const names = new Set([...order.filter((name) => name in all), ...Object.keys(all)]);
    return [...names].map((name) => [name, all[name]]);
  }
}
