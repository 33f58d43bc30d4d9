// Drawing in SVG: elements, the width of texts, numbers on axes.

const SVG = "http://www.w3.org/2000/svg";
const SIZE = 12; // pixels, of letters
const LETTER_BOX = 13; // the square of a role's letter

// An SVG element; attributes that are null are left out.
function draw(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value != null) element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// A text element; `attributes` say where it stands.
const write = (text, attributes) =>
  draw("text", { "font-size": SIZE, "dominant-baseline": "middle", ...attributes }, text);

let measuring = null;

function textWidth(text, isBold = false) {
  measuring ??= document.createElement("canvas").getContext("2d");
  measuring.font = `${isBold ? "bold " : ""}${SIZE}px ${FONT}`;
  return measuring.measureText(text).width;
}

// The text, cut where it is wider than there is room.
function fit(text, room) {
  if (textWidth(text) <= room) return text;
  const letters = [...text];
  while (letters.length > 1 && textWidth(`${letters.join("")}…`) > room) letters.pop();
  return `${letters.join("").trimEnd()}…`;
}

// The square with a role's letter, around a point.
function letterBox(role, x, y) {
  const { colour, letter, onColour } = ROLE_STYLES[role];
  const half = LETTER_BOX / 2;
  return draw(
    "g",
    { class: "letter" },
    draw("rect", {
      x: x - half, y: y - half, width: LETTER_BOX, height: LETTER_BOX, rx: 2, fill: colour,
    }),
    draw(
      "text",
      {
        x, y: y + 0.5, "font-size": 9, "font-weight": 700, "text-anchor": "middle",
        "dominant-baseline": "central", fill: onColour,
      },
      letter,
    ),
  );
}

// A number as a person writes it, with the digits that matter.
function formatNumber(value) {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size > 0 && (size < 1e-4 || size >= 1e6)) return value.toExponential(2).replace("-", "−");
  return String(Number(value.toPrecision(4))).replace("-", "−");
}

const formatPercent = (value) =>
  Number.isFinite(value) ? `${(100 * value).toFixed(1).replace("-", "−")}%` : "–";
