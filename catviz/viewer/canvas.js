// Elements and canvases: small helpers that the views share.

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif';
const LETTERS = 24; // of the longest label

// Text enters the page here and in Tip only, always as text.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === true) element.setAttribute(name, "");
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

const shorten = (text, length = LETTERS) =>
  text.length <= length ? text : `${[...text].slice(0, length - 1).join("").trimEnd()}…`;

// A token as a name: without the space in front; a dot for one that is nothing but space.
const visible = (text) => text.trim() || "·";

// Gives a canvas its size in CSS pixels, sharp on dense screens, and returns its context.
function prepare(canvas, width, height) {
  const ratio = window.devicePixelRatio || 1;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) {
    canvas.width = wide;
    canvas.height = high;
  }
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  context.clearRect(0, 0, width, height);
  context.direction = "ltr";
  return context;
}

// A picture of width x height colours, off screen.
function picture(width, height, fill) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  fill(new Uint32Array(image.data.buffer));
  context.putImageData(image, 0, 0);
  return canvas;
}

function outline(context, x, y, width, height, colour, line) {
  context.strokeStyle = colour;
  context.lineWidth = line;
  context.strokeRect(x, y, width, height);
}

function pointIn(canvas, event) {
  const box = canvas.getBoundingClientRect();
  return [event.clientX - box.left, event.clientY - box.top];
}

// Numbers for the two ends and the middle of a colour bar.
const tick = (value) => (value === 0 ? "0" : String(Number(value.toPrecision(2))));

// A colour bar lying down, as an element: the picture is its own legend.
function colourBar(scale, note, tellsHighest = true) {
  const bar = picture(256, 1, (pixels) => pixels.set(scale.ramp));
  bar.className = "ramp";
  const middle = scale.isDifference ? 0 : scale.max / 4; // half-way on a square root
  const low = scale.isDifference ? -scale.max : 0;
  const highest = tellsHighest ? ` (highest ${tick(scale.highest)})` : "";
  const over = scale.isClipped ? ` and more${highest}` : "";
  const ticks = [tick(low), tick(middle), `${tick(scale.max)}${over}`];
  return make(
    "div",
    { class: "bar", role: "img", "aria-label": `${note}: colours from ${low} to ${scale.max}` },
    make("span", { class: "bar-note" }, note),
    make(
      "span",
      { class: "bar-scale" },
      bar,
      ...ticks.map((text, at) => make("span", { class: `tick tick-${at}` }, text)),
    ),
  );
}

// The one tooltip of a viewer.
class Tip {
  constructor(layer) {
    this.layer = layer;
    this.element = make("div", { class: "tip", hidden: true });
    layer.append(this.element);
  }
  // lines: texts, or [text, role]; clientX and clientY: where to stand near.
  show(lines, clientX, clientY) {
    this.element.replaceChildren(
      ...lines.map((line) => {
        const [text, role] = Array.isArray(line) ? line : [line];
        const row = make("div", {}, text);
        if (role && ROLE_STYLES[role].letter) row.prepend(roleBadge(role), " ");
        return row;
      }),
    );
    this.element.hidden = false;
    const box = this.layer.getBoundingClientRect();
    const own = this.element.getBoundingClientRect();
    let left = clientX - box.left + 14;
    if (left + own.width > box.width) left = clientX - box.left - own.width - 10;
    let top = clientY - box.top + 16;
    // Beyond the layer it would make what stands around scroll.
    const isBelow = top + own.height > box.height || clientY + 16 + own.height > window.innerHeight;
    if (isBelow) top = clientY - box.top - own.height - 8;
    this.element.style.left = `${Math.max(0, left)}px`;
    this.element.style.top = `${Math.max(0, top)}px`;
  }
  hide() {
    this.element.hidden = true;
  }
}

function roleBadge(role) {
  const style = ROLE_STYLES[role];
  const badge = make("span", { class: "badge" }, style.letter);
  badge.style.background = style.colour;
  badge.style.color = style.onColour;
  return badge;
}
