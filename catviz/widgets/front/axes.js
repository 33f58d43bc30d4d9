// Axes: round numbers, where values stand, ticks that do not run into one another.

const BETWEEN_TICKS = 8; // pixels between labels

// Round numbers from low to high, about so many: [{at, label}].
function roundTicks(low, high, number, isPercent = false) {
  const factor = isPercent ? 100 : 1;
  const rough = (factor * (high - low)) / Math.max(2, number);
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((round) => round * power).find((one) => one >= rough * 0.999);
  const digits = Math.max(0, -Math.floor(Math.log10(step) + 1e-9));
  const ticks = [];
  const first = Math.ceil((factor * low) / step - 1e-6);
  for (let k = first; k * step <= factor * high + 1e-6 * step; k++) {
    const isLong = Math.abs(k * step) >= 1e5 || digits > 4;
    const label = isLong ? formatNumber(k * step) : (k * step).toFixed(digits).replace("-", "−");
    ticks.push({ at: (k * step) / factor, label: isPercent ? `${label}%` : label });
  }
  return ticks;
}

// The ends of an axis that holds all values; given ends come first.
function rangeOf(arrays, given, { fromZero = false, pad = 0 } = {}) {
  if (given && given[1] > given[0]) return given;
  let [low, high] = [Infinity, -Infinity];
  for (const values of arrays) {
    for (const value of values) {
      if (!Number.isFinite(value)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) return [0, 1]; // nothing yet
  if (fromZero || (low > 0 && low < 0.4 * high)) low = Math.min(0, low);
  if (low === high) {
    const around = Math.abs(low) / 10;
    return low === 0 ? [0, 1] : [low - around, high + around];
  }
  const room = pad * (high - low);
  return [low === 0 ? 0 : low - room, high === 0 ? 0 : high + room];
}

// Values to pixels.
const scaleTo = ([low, high], start, stop) => (value) =>
  start + ((value - low) / (high - low)) * (stop - start);

// Of ticks with `x`, those whose labels have room, from the left.
function roomy(ticks) {
  let end = -Infinity;
  return ticks.filter(({ x, label }) => {
    const half = textWidth(label) / 2;
    if (x - half < end) return false;
    end = x + half + BETWEEN_TICKS;
    return true;
  });
}

// The horizontal axis below a plot: its line, ticks, labels, name.
function xAxis({ ticks, scale, left, right, bottom, width, label, theme }) {
  const placed = roomy(ticks.map((tick) => ({ ...tick, x: scale(tick.at) })));
  const name = fit(label, width);
  const half = textWidth(name) / 2;
  const middle = Math.min(Math.max((left + right) / 2, half), width - half);
  return draw(
    "g",
    { class: "x-axis" },
    draw("line", { x1: left, x2: right, y1: bottom, y2: bottom, stroke: theme.muted }),
    ...placed.flatMap((tick) => [
      draw("line", { x1: tick.x, x2: tick.x, y1: bottom, y2: bottom + 4, stroke: theme.muted }),
      write(tick.label, { x: tick.x, y: bottom + 13, "text-anchor": "middle", fill: theme.ink }),
    ]),
    write(name, { x: middle, y: bottom + 31, "text-anchor": "middle", fill: theme.muted }),
  );
}

const X_AXIS = 40; // pixels that it takes
