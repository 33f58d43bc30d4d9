// Colours: the same as the static figures', in the reader's or the notebook's theme.

const ROLES = ["causal", "spurious", "irrelevant", "other"];

// No role is told by its colour alone: each has a letter and a line style as well.
const ROLE_STYLES = {
  causal: { colour: "#0072B2", letter: "C", onColour: "#ffffff", line: "solid" },
  spurious: { colour: "#D55E00", letter: "S", onColour: "#000000", line: "dashed" },
  irrelevant: { colour: "#999999", letter: "I", onColour: "#000000", line: "dotted" },
  other: { colour: "", letter: "", onColour: "", line: "none" },
};

const THEMES = {
  light: {
    background: "#ffffff", ink: "#1f2328", muted: "#59636e", grid: "#e3e6ea", void: "#f1f2f4",
    focus: "#00568a", shade: "33, 145, 140",
    series: ["#1f2328", "#00795a", "#8e3a86", "#7a6400"],
  },
  dark: {
    background: "#14171a", ink: "#e6e8eb", muted: "#a3abb5", grid: "#2e343a", void: "#24292e",
    focus: "#6fb7e6", shade: "40, 160, 150",
    series: ["#e6e8eb", "#37c79c", "#dc92d3", "#d6c04e"],
  },
};

const VIRIDIS = [
  "#440154", "#481769", "#472a7a", "#433d84", "#3d4e8a", "#355e8d", "#2e6d8e", "#297b8e",
  "#23898e", "#1f978b", "#21a585", "#2eb37c", "#46c06f", "#65cb5e", "#89d548", "#b0dd2f",
  "#d8e219", "#fde725",
];
const RED_BLUE = [
  "#67001f", "#b2182b", "#d6604d", "#f4a582", "#fddbc7", "#f7f7f7", "#d1e5f0", "#92c5de",
  "#4393c3", "#2166ac", "#053061",
];

const hexToRgb = (hex) => [1, 3, 5].map((at) => parseInt(hex.slice(at, at + 2), 16));

// 256 colours, packed for the 32-bit view of ImageData (little-endian: alpha first).
function packedRamp(stops) {
  const rgb = stops.map(hexToRgb);
  return Uint32Array.from({ length: 256 }, (_, i) => {
    const at = (i / 255) * (rgb.length - 1);
    const low = Math.min(Math.floor(at), rgb.length - 2);
    const mix = (k) => Math.round(rgb[low][k] + (at - low) * (rgb[low + 1][k] - rgb[low][k]));
    return ((255 << 24) | (mix(2) << 16) | (mix(1) << 8) | mix(0)) >>> 0;
  });
}

const RAMPS = { plain: packedRamp(VIRIDIS), difference: packedRamp(RED_BLUE) };
const packed = (hex) => {
  const [r, g, b] = hexToRgb(hex);
  return ((255 << 24) | (b << 16) | (g << 8) | r) >>> 0;
};

// A scale takes values to places 0..1 on its ramp. Attention is skewed: the square root leaves
// small weights a colour; differences are linear and centred on zero.
class Scale {
  constructor(max, highest, isDifference) {
    this.max = max > 0 ? max : 1;
    this.highest = highest;
    this.isDifference = isDifference;
    this.ramp = isDifference ? RAMPS.difference : RAMPS.plain;
  }
  place(value) {
    const share = value / this.max;
    const place = this.isDifference ? (share + 1) / 2 : Math.sqrt(Math.max(share, 0));
    return Math.min(Math.max(place, 0), 1);
  }
  packed(value) {
    return this.ramp[Math.round(255 * this.place(value))];
  }
  get isClipped() {
    return this.highest > this.max * 1.0001;
  }
}

// The highest colour: the 99th percentile, so that a few cells do not darken the rest. `mask`,
// repeated along the arrays, says which values count: not the first column, often a sink, and not
// the first row, which can look at nothing else.
function scaleOf(arrays, mask, isDifference) {
  const counts = (value, at) => mask[at % mask.length] && value === value;
  let [number, highest] = [0, 0];
  for (const values of arrays) {
    for (let at = 0; at < values.length; at++) {
      if (!counts(values[at], at)) continue;
      number += 1;
      highest = Math.max(highest, Math.abs(values[at]));
    }
  }
  const stride = Math.max(1, Math.floor(number / 20000)); // a sample will do
  const sample = new Float32Array(Math.ceil(number / stride));
  let seen = 0;
  for (const values of arrays) {
    for (let at = 0; at < values.length; at++) {
      if (!counts(values[at], at)) continue;
      if (seen % stride === 0) sample[seen / stride] = Math.abs(values[at]);
      seen += 1;
    }
  }
  sample.sort();
  const usual = sample.length ? sample[Math.floor(0.99 * (sample.length - 1))] : 0;
  const isFar = highest > 1.1 * usual; // else an honest end is simpler than a clipped one
  return new Scale(isFar && usual ? usual : highest, highest, isDifference);
}

// JupyterLab says on body which theme it shows, editors by classes; else the system's counts.
function themeName() {
  const { body } = document;
  const jupyter = body.dataset.jpThemeLight;
  if (jupyter !== undefined) return jupyter === "true" ? "light" : "dark";
  if (body.matches(".vscode-dark, .vscode-high-contrast:not(.vscode-high-contrast-light)")) {
    return "dark";
  }
  if (body.matches(".vscode-light, .vscode-high-contrast-light")) return "light";
  return matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
}

// Calls back when the theme changes; returns what stops it.
function watchTheme(callback) {
  const system = matchMedia("(prefers-color-scheme: dark)");
  const observer = new MutationObserver(callback);
  observer.observe(document.body, {
    attributes: true,
    attributeFilter: ["data-jp-theme-light", "class"],
  });
  system.addEventListener("change", callback);
  return () => {
    observer.disconnect();
    system.removeEventListener("change", callback);
  };
}
