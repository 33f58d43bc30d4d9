// A map on a canvas: rows are queries, columns are keys, both axes painted by role.

const STRIP = 12;
const LINE = 13; // pixels that a label needs across its reading direction
const LEAST_SIDE = 260; // of a map of few tokens, where there is room

class MapDrawing {
  // The most that the map and a label beside it take, in pixels.
  constructor(canvas, { mostSide, mostLabel }) {
    Object.assign(this, { canvas, mostSide, mostLabel });
  }

  // view: {map: {size, values}, columns: [cell of each column], groups, words, columnWords, scale,
  //        row, theme}; words in cells, columnWords in columns
  draw(view, width) {
    this.view = view;
    const { theme, map } = view;
    const context = prepare(this.canvas, 10, 10); // to measure labels
    context.font = `11.5px ${FONT}`;
    const longest = (words) =>
      Math.max(0, ...words.map(({ label }) => context.measureText(label).width));
    const room = Math.min(longest(view.words), this.mostLabel(width)) + 8;
    const left = Math.ceil(room + STRIP + 3);
    const wanted = Math.min(Math.max(LEAST_SIDE, 34 * map.size), this.mostSide);
    const side = Math.max(120, Math.min(width - left - 14, wanted));
    const below = Math.min(longest(view.columnWords), 150) + 8;
    const top = 2;
    this.layout = { left, top, side, room };
    this.canvas.dataset.area = `${left} ${top} ${side} ${map.size}`; // for those who test
    const all = prepare(this.canvas, left + side + 14, top + side + 3 + STRIP + below);
    const image = this.image(view);
    all.imageSmoothingEnabled = map.size > side * (window.devicePixelRatio || 1);
    all.imageSmoothingQuality = "high";
    all.drawImage(image, left, top, side, side);
    const unit = side / map.size;
    this.drawStrip(all, view.words, left - 3 - STRIP, true);
    this.drawStrip(all, view.columnWords, top + side + 3, false);
    this.drawLabels(all, view.words, true);
    this.drawLabels(all, view.columnWords, false);
    all.strokeStyle = theme.background; // between groups of roles
    all.lineWidth = Math.min(3, unit / 2);
    for (const { start } of view.groups.slice(1)) {
      all.beginPath();
      all.moveTo(left + start * unit, top);
      all.lineTo(left + start * unit, top + side);
      all.stroke();
    }
    const y = top + view.row * unit;
    outline(all, left - 1, y - 0.5, side + 2, Math.max(unit, 3) + 1, theme.ink, 1.2);
    all.fillStyle = theme.ink;
    all.beginPath();
    all.moveTo(left + side + 4, y + unit / 2);
    all.lineTo(left + side + 11, y + unit / 2 - 4);
    all.lineTo(left + side + 11, y + unit / 2 + 4);
    all.fill();
    return all;
  }

  image({ map, columns, scale, theme }) {
    const empty = packed(theme.void);
    return picture(map.size, map.size, (pixels) => {
      for (let row = 0; row < map.size; row++) {
        const base = triangle(row);
        for (let column = 0; column < map.size; column++) {
          const key = columns[column];
          pixels[row * map.size + column] =
            key > row ? empty : scale.packed(map.values[base + key]);
        }
      }
    });
  }

  // words by role, with the role's letter where it fits
  drawStrip(context, words, at, isVertical) {
    const { theme, map } = this.view;
    const { left, top, side } = this.layout;
    const unit = side / map.size;
    const inset = Math.min(1, unit * 0.08);
    context.font = `bold 9px ${FONT}`;
    context.textAlign = "center";
    context.textBaseline = "middle";
    for (const word of words) {
      const start = (isVertical ? top : left) + word.start * unit + inset;
      const length = (word.stop - word.start) * unit - 2 * inset;
      const style = ROLE_STYLES[word.role];
      const box = isVertical ? [at, start, STRIP, length] : [start, at, length, STRIP];
      context.fillStyle = style.colour || theme.grid;
      context.fillRect(...box);
      if (length >= 9 && style.letter) {
        context.fillStyle = style.onColour;
        context.fillText(style.letter, box[0] + box[2] / 2, box[1] + box[3] / 2 + 0.5);
      }
    }
  }

  drawLabels(context, words, isVertical) {
    const { theme, map, row } = this.view;
    const { left, top, side, room } = this.layout;
    const unit = side / map.size;
    context.font = `11.5px ${FONT}`;
    context.textBaseline = "middle";
    context.textAlign = "right";
    for (const word of shownWords(words, unit, isVertical ? row : -1)) {
      const centre = ((word.start + word.stop) / 2) * unit;
      const isPicked = isVertical && word.start <= row && row < word.stop;
      context.fillStyle = isPicked || word.role !== "other" ? theme.ink : theme.muted;
      context.font = `${isPicked ? "bold " : ""}11.5px ${FONT}`;
      if (isVertical) {
        context.fillText(word.label, left - STRIP - 7, top + centre, room - 8);
        continue;
      }
      context.save();
      context.translate(left + centre, top + side + STRIP + 8);
      context.rotate(-Math.PI / 2);
      context.fillText(word.label, 0, 0, 150);
      context.restore();
    }
  }

  // [row, column] under the pointer; on the labels at the left, a row alone.
  under(event) {
    const { left, top, side } = this.layout;
    const { size } = this.view.map;
    const [x, y] = pointIn(this.canvas, event);
    const place = (value, origin) => Math.floor(((value - origin) / side) * size);
    const [row, column] = [place(y, top), place(x, left)];
    if (row < 0 || row >= size || column >= size) return null;
    return [row, column < 0 ? null : column];
  }
}

// The words whose labels fit beside one another: the picked row's first, then those with a role.
// Punctuation is never worth a label.
function shownWords(words, unit, row) {
  const rank = (word) => {
    if (word.start <= row && row < word.stop) return 0;
    if (word.role !== "other") return 1;
    return /[\p{L}\p{N}]/u.test(word.label) ? 2 : 3;
  };
  const worth = words.filter((word) => rank(word) < 3);
  const centre = (word) => (word.start + word.stop) / 2;
  const shown = [];
  for (const word of [...worth].sort((a, b) => rank(a) - rank(b) || a.start - b.start)) {
    if (shown.every((other) => Math.abs(centre(word) - centre(other)) * unit >= LINE)) {
      shown.push(word);
    }
  }
  return shown;
}
