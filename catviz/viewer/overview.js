// The overview: a thumbnail of every head, in layer order or ranked.

const GAP = 3;
const SMALLEST = 15;
const LARGEST = 76;
const RANKED = 54; // wide enough for a name below
const MOST_RANKED = 600;

class Overview {
  constructor(patterns, callbacks) {
    this.patterns = patterns;
    this.callbacks = callbacks; // open(heads, adding), hover(head | null, event)
    this.cursor = 0;
    this.canvas = make("canvas", { tabindex: 0, role: "application", class: "heads" });
    this.canvas.addEventListener("pointermove", (event) => this.onMove(event));
    this.canvas.addEventListener("pointerleave", () => callbacks.hover(null));
    this.canvas.addEventListener("click", (event) => this.onClick(event));
    this.canvas.addEventListener("keydown", (event) => this.onKey(event));
    for (const kind of ["focus", "blur"]) {
      this.canvas.addEventListener(kind, () => callbacks.redraw());
    }
  }

  // The longer of layers and heads lies along x: 30 layers x 9 heads fit a page without scrolling.
  layOut(width, order) {
    const { patterns } = this;
    const { layers, heads } = patterns.meta;
    const ranked = order !== null;
    const wide = layers.length > heads.length;
    const bar = patterns.hasRoles ? 5 : 0;
    const [left, top] = ranked ? [0, 0] : [30, 16];
    let columns = wide ? layers.length : heads.length;
    let side = Math.floor((width - left - 2) / columns) - GAP;
    side = Math.min(Math.max(side, SMALLEST), LARGEST);
    if (ranked) {
      side = RANKED - GAP;
      columns = Math.max(1, Math.floor((width - 2) / RANKED));
    }
    const shown = ranked ? order.slice(0, MOST_RANKED) : [...Array(patterns.nHeads).keys()];
    const at = new Map(); // head -> [column, row]
    shown.forEach((head, rank) => {
      const [layer, number] = patterns.place(head);
      if (ranked) at.set(head, [rank % columns, Math.floor(rank / columns)]);
      else at.set(head, wide ? [layer, number] : [number, layer]);
    });
    const step = [side + GAP, side + GAP + bar + (ranked ? 24 : 0)];
    const rows = 1 + Math.max(...[...at.values()].map(([, row]) => row));
    this.layout = {
      ranked, wide, bar, left, top, columns, rows, side, at, step, shown,
      width: left + columns * step[0] + 2,
      height: top + rows * step[1] + 2,
    };
    if (!at.has(this.cursor)) this.cursor = shown[0];
    return this.layout;
  }

  // view: {thumbs, side, scale, masses, order, labelOf, selection, theme, smooth}
  draw(view, width) {
    const layout = this.layOut(width, view.order);
    const { left, top, side, step, bar, at } = layout;
    const { theme } = view;
    const context = prepare(this.canvas, layout.width, layout.height);
    const atlas = this.atlas(view);
    const ratio = window.devicePixelRatio || 1;
    context.imageSmoothingEnabled = view.side > side * ratio || side * ratio < 4 * view.side;
    context.imageSmoothingQuality = "high";
    this.canvas.dataset.area = `${left} ${top} ${step} ${this.patterns.nHeads}`; // for tests
    const selected = new Set(view.selection);
    const isAll = selected.size === this.patterns.nHeads;
    context.font = `9.5px ${FONT}`;
    context.textBaseline = "alphabetic";
    for (const [head, [column, row]] of at) {
      const [x, y] = [left + column * step[0] + 1, top + row * step[1] + 1];
      const source = atlas.at(head);
      context.drawImage(atlas.canvas, ...source, view.side, view.side, x, y, side, side);
      if (bar) this.drawMasses(context, view, head, x, y + side + 1, side, bar - 2);
      if (layout.ranked) {
        context.fillStyle = theme.ink;
        context.textAlign = "center";
        context.fillText(this.patterns.headName(head), x + side / 2, y + side + bar + 9);
        context.fillStyle = theme.muted;
        context.fillText(view.labelOf(head), x + side / 2, y + side + bar + 20);
      }
      if (selected.has(head) && !isAll) {
        outline(context, x - 1.5, y - 1.5, side + 3, side + 3, theme.focus, 2.5);
      }
      if (head === this.cursor && this.canvas.matches(":focus-visible")) {
        outline(context, x - 1.5, y - 1.5, side + 3, side + 3, theme.background, 3);
        outline(context, x - 1.5, y - 1.5, side + 3, side + 3, theme.ink, 1.5);
      }
    }
    if (!layout.ranked) this.drawNames(context, theme);
    const { layers, heads } = this.patterns.meta;
    this.canvas.setAttribute(
      "aria-label",
      `Overview of ${layers.length} layers by ${heads.length} heads. Arrow keys move, ` +
        "Enter opens a head, Space adds one, L opens its layer, A opens all.",
    );
  }

  // All thumbnails in one picture: one upload instead of hundreds.
  atlas({ thumbs, side, scale, theme }) {
    const across = Math.ceil(Math.sqrt(this.patterns.nHeads));
    const down = Math.ceil(this.patterns.nHeads / across);
    const empty = packed(theme.void);
    const at = (head) => [(head % across) * side, Math.floor(head / across) * side];
    const canvas = picture(across * side, down * side, (pixels) => {
      for (let head = 0; head < this.patterns.nHeads; head++) {
        const [x, y] = at(head);
        for (let i = 0; i < side * side; i++) {
          const value = thumbs[head * side * side + i];
          const colour = value === value ? scale.packed(value) : empty;
          pixels[(y + Math.floor(i / side)) * across * side + x + (i % side)] = colour;
        }
      }
    });
    return { canvas, at };
  }

  // Under each head: how the row's attention is shared out by role; the full width is all of it.
  drawMasses(context, { masses, theme }, head, x, y, width, height) {
    context.fillStyle = theme.grid;
    context.fillRect(x, y, width, height);
    let start = x;
    ROLES.forEach((role, at) => {
      const length = Math.max(masses[head * ROLES.length + at], 0) * width;
      if (role === "other") return;
      context.fillStyle = ROLE_STYLES[role].colour;
      context.fillRect(start, y, length, height);
      start += length;
    });
  }

  drawNames(context, theme) {
    const { left, top, step, side, columns, rows, wide } = this.layout;
    const { layers, heads } = this.patterns.meta;
    const [across, down] = wide ? [layers, heads] : [heads, layers];
    const [a, d] = wide ? ["L", "H"] : ["H", "L"];
    context.font = `10.5px ${FONT}`;
    context.fillStyle = theme.muted;
    const every = (letter, numbers, room) => {
      const longest = Math.max(...numbers.map((n) => context.measureText(letter + n).width));
      return Math.max(1, Math.ceil((longest + 5) / room));
    };
    context.textAlign = "center";
    const skip = every(a, across, step[0]);
    for (let i = 0; i < columns; i += skip) {
      context.fillText(a + across[i], left + i * step[0] + 1 + side / 2, top - 5);
    }
    context.textAlign = "right";
    const lines = Math.max(1, Math.ceil(12 / step[1]));
    for (let i = 0; i < rows; i += lines) {
      context.fillText(d + down[i], left - 5, top + i * step[1] + side / 2 + 5);
    }
  }

  // What is under the pointer: a head, or the name of a whole layer or of one head in all layers.
  under(event) {
    const { left, top, step, columns, rows, at, wide, ranked } = this.layout;
    const [x, y] = pointIn(this.canvas, event);
    const [column, row] = [Math.floor((x - left) / step[0]), Math.floor((y - top) / step[1])];
    const head = [...at].find(([, place]) => place[0] === column && place[1] === row);
    if (head) return { heads: [head[0]] };
    if (ranked) return null;
    if (row < 0 && column >= 0 && column < columns) return this.line(wide, column);
    if (column < 0 && row >= 0 && row < rows) return this.line(!wide, row);
    return null;
  }

  line(isLayer, number) {
    const all = [...Array(this.patterns.nHeads).keys()];
    return { heads: all.filter((head) => this.patterns.place(head)[isLayer ? 0 : 1] === number) };
  }

  onMove(event) {
    const found = this.under(event);
    this.canvas.style.cursor = found ? "pointer" : "default";
    this.callbacks.hover(found?.heads ?? null, event);
  }

  onClick(event) {
    const found = this.under(event);
    if (!found) return;
    this.cursor = found.heads[0];
    this.callbacks.open(found.heads, event.shiftKey || event.ctrlKey || event.metaKey);
  }

  onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const { at, shown } = this.layout;
    const [column, row] = at.get(this.cursor);
    const to = (x, y) => [...at].find(([, place]) => place[0] === x && place[1] === y)?.[0];
    const moves = {
      ArrowLeft: () => to(column - 1, row),
      ArrowRight: () => to(column + 1, row),
      ArrowUp: () => to(column, row - 1),
      ArrowDown: () => to(column, row + 1),
      Home: () => shown[0],
      End: () => shown[shown.length - 1],
    };
    const key = event.key;
    if (moves[key]) {
      this.cursor = moves[key]() ?? this.cursor;
      this.callbacks.moved(this.cursor);
    } else if (key === "Enter") this.callbacks.open([this.cursor], false);
    else if (key === " ") this.callbacks.open([this.cursor], true);
    else if (key === "l" || key === "L") {
      this.callbacks.open(this.line(true, this.patterns.place(this.cursor)[0]).heads, false);
    } else if (key === "a" || key === "A" || key === "Escape") this.callbacks.openAll();
    else return;
    event.preventDefault();
    event.stopPropagation(); // the notebook has shortcuts of its own
  }
}
