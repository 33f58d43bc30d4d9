// The scene: what is chosen, and everything that follows from it. No elements, no colours.

const DIFFERENCE = "difference";
const LEAST_FOR_LIFT = 0.01;

class Scene {
  // before: the scene of other patterns, whose choices are kept as far as they still make sense.
  constructor(patterns, before = null) {
    this.patterns = patterns;
    this.memo = new Map();
    this.arrived = null; // exact maps from the kernel: {key, maps}
    this.state = {
      selection: this.everyHead(),
      show: patterns.nStates > 1 ? 1 : 0, // the index of a pattern, or DIFFERENCE
      sink: "in",
      order: "layer",
      grouped: false,
      row: patterns.meta.answerRows[0],
    };
    if (before) this.keep(before);
  }

  keep(before) {
    const { state, patterns } = this;
    const { show, sink, order, grouped } = before.state;
    if (before.patterns.nStates === patterns.nStates) state.show = show;
    if (before.patterns.meta.sink === patterns.meta.sink) state.sink = sink;
    if (this.orders().some(([name]) => name === order)) state.order = order;
    state.grouped = grouped && patterns.hasRoles;
    if (before.patterns.nHeads === patterns.nHeads) this.openNamed(before.openNames());
  }

  everyHead() {
    return [...Array(this.patterns.nHeads).keys()];
  }

  // The names of the heads that are open; none where all are.
  openNames() {
    const { selection } = this.state;
    if (selection.length === this.patterns.nHeads) return [];
    return selection.map((head) => this.patterns.headName(head));
  }

  openNamed(names) {
    const found = this.everyHead().filter((head) => names.includes(this.patterns.headName(head)));
    this.state.selection = found.length ? found : this.everyHead();
  }

  // Opens heads, or adds them to those that are open; adding what is open takes it away.
  open(heads, adding) {
    let selection = heads;
    if (adding && this.state.selection.length < this.patterns.nHeads) {
      const chosen = new Set(this.state.selection);
      const isOpen = heads.every((head) => chosen.has(head));
      for (const head of heads) {
        if (isOpen) chosen.delete(head);
        else chosen.add(head);
      }
      if (chosen.size) selection = [...chosen].sort((a, b) => a - b);
    }
    this.state.selection = selection;
  }

  // The token whose row a row of the map is; of several joined ones the answer's, or the last.
  rowToken(cell) {
    const { patterns } = this;
    if (this.maps()[0].size === patterns.size) return cell;
    const [start, stop] = [patterns.starts[cell], patterns.stop(cell)];
    return patterns.meta.answerRows.find((row) => start <= row && row < stop) ?? stop - 1;
  }

  // ---------------------------------------------------------------- derived, once a choice

  once(name, key, makeIt) {
    const found = this.memo.get(name);
    if (found?.key === key) return found.value;
    const value = makeIt();
    this.memo.set(name, { key, value });
    return value;
  }

  get isDifference() {
    return this.state.show === DIFFERENCE;
  }

  states() {
    return [...Array(this.patterns.nStates).keys()];
  }

  // What an exact map from the kernel must have been asked for to be shown.
  get mapKey() {
    return `${this.state.sink}|${this.state.selection.join()}`;
  }

  // One map a state: the exact one when it has come, else what the payload gives.
  maps() {
    const { selection, sink } = this.state;
    if (this.arrived?.key === this.mapKey) return this.arrived.maps;
    return this.once("maps", this.mapKey, () =>
      this.states().map((state) => this.patterns.meanMap(state, sink, selection)),
    );
  }

  masses() {
    const { sink, row } = this.state;
    return this.once("masses", `${sink}|${row}`, () =>
      this.states().map((state) => this.patterns.roleMasses(state, sink, row)),
    );
  }

  shown(perState) {
    if (!this.isDifference) return perState[this.state.show];
    const [before, after] = perState;
    return after.map((value, at) => value - before[at]);
  }

  // How heads are ranked and what is said below each; null in layer order.
  ranking() {
    const { order } = this.state;
    if (order === "layer") return null;
    const { patterns } = this;
    const shown = this.shown(this.masses());
    const at = (masses, head, role) => masses[head * ROLES.length + ROLES.indexOf(role)];
    const perToken = (masses, head, role) =>
      at(masses, head, role) / patterns.roles.filter((other) => other === role).length;
    const state = this.isDifference ? 1 : this.state.show;
    const measures = {
      gain: (head) => at(this.masses()[1], head, "causal") - at(this.masses()[0], head, "causal"),
      lift: (head) => {
        const masses = this.masses()[state];
        const both = at(masses, head, "causal") + at(masses, head, "spurious");
        if (both < LEAST_FOR_LIFT) return NaN; // a ratio of next to nothing
        return perToken(masses, head, "causal") / perToken(masses, head, "spurious");
      },
    };
    const measure = measures[order] ?? ((head) => at(shown, head, order));
    const values = [...Array(patterns.nHeads).keys()].map(measure);
    // What cannot be told stands last.
    const rank = values.map((value) => (Number.isNaN(value) ? -Infinity : value));
    const heads = [...rank.keys()].sort((a, b) => rank[b] - rank[a] || a - b);
    const signed = order === "gain" || this.isDifference;
    const labelOf = (head) => {
      const value = values[head];
      if (order !== "lift") return formatShare(value, signed);
      if (Number.isNaN(value)) return "–";
      return value > 99 ? "> 99 ×" : `${value.toFixed(1)} ×`;
    };
    return { heads, labelOf };
  }

  // The cell that stands in each column, and groups of columns by role.
  columns(size) {
    const roleOf = this.cellRoles(size);
    const cells = [...Array(size).keys()];
    if (!this.state.grouped) return { columns: cells, groups: [{ start: 0 }] };
    const columns = ROLES.flatMap((role) => cells.filter((cell) => roleOf[cell] === role));
    const groups = [];
    columns.forEach((cell, at) => {
      if (roleOf[cell] !== groups.at(-1)?.role) groups.push({ role: roleOf[cell], start: at });
    });
    return { columns, groups };
  }

  cellRoles(size) {
    const { patterns } = this;
    if (size === patterns.size) return patterns.roles;
    return patterns.starts.map((start) => patterns.roles[start]);
  }

  // Labels along an axis: words, and tokens that belong to none, in cells.
  axisWords(size) {
    const { patterns } = this;
    const isWhole = size === patterns.size;
    const cell = (token) => (isWhole ? token : patterns.cellOf[token]);
    const words = [];
    for (let token = 0; token < patterns.size; ) {
      const word = patterns.wordOf[token];
      const start = cell(token);
      const stop = word ? cell(word.stop - 1) + 1 : start + 1;
      const label = shorten(visible((word?.label ?? patterns.tokens[token]).trim()));
      if (!words.length || start >= words.at(-1).stop) {
        words.push({ start, stop, label, role: patterns.roles[token] });
      }
      token = word ? word.stop : token + 1;
    }
    return words;
  }

  columnWords(words, columns) {
    if (!this.state.grouped) return words;
    const placeOf = new Map(columns.map((cell, at) => [cell, at]));
    return words
      .map((word) => {
        const start = placeOf.get(word.start);
        return { ...word, start, stop: start + word.stop - word.start };
      })
      .sort((a, b) => a.start - b.start);
  }

  // The picked row in the mean of the open heads: what it pays to each role, a list a state.
  totals() {
    const { selection } = this.state;
    return this.masses().map((all) =>
      ROLES.map((_, at) => {
        let sum = 0;
        for (const head of selection) sum += all[head * ROLES.length + at];
        return sum / selection.length;
      }),
    );
  }

  // The thumbnails of all heads: {thumbs, side, scale}; one scale for before and after.
  overview() {
    const { patterns, state, isDifference } = this;
    const side = Math.min(patterns.cells, patterns.nHeads > 600 ? 24 : 48);
    const key = `${state.sink}|${state.grouped}`;
    const columnOf = new Int32Array(patterns.cells);
    this.columns(patterns.cells).columns.forEach((cell, at) => (columnOf[cell] = at));
    const all = this.once("thumbs", key, () =>
      this.states().map((at) => patterns.thumbnails(at, state.sink, side, columnOf)),
    );
    const thumbs = this.once("shownThumbs", `${key}|${state.show}`, () => this.shown(all));
    const scale = this.once("thumbScale", `${key}|${isDifference}`, () => {
      const mask = new Uint8Array(side * side).fill(1);
      const first = Math.floor((columnOf[0] * side) / patterns.cells);
      for (let at = 0; at < side; at++) mask[at] = mask[at * side + first] = 0;
      return scaleOf(isDifference ? [thumbs] : all, mask, isDifference);
    });
    return { thumbs, side, scale };
  }

  // The large map, as it is to be drawn.
  largeMap() {
    const { patterns, state, isDifference } = this;
    const maps = this.maps();
    const [{ size, isExact }] = maps;
    const key = `${isExact}|${state.show}|${state.sink}|${state.selection.join()}`;
    const values = this.once("shownMap", key, () => this.shown(maps.map((map) => map.values)));
    const scale = this.once("mapScale", key, () => {
      const shown = isDifference ? [values] : maps.map((map) => map.values);
      return scaleOf(shown, scaleMask(size), isDifference);
    });
    const { columns, groups } = this.columns(size);
    const words = this.axisWords(size);
    return {
      map: { size, values },
      isExact,
      scale,
      columns,
      groups,
      words,
      columnWords: this.columnWords(words, columns),
      row: size === patterns.size ? state.row : patterns.cellOf[state.row],
      title: this.selectionName(state.selection),
    };
  }

  // ---------------------------------------------------------------- values, with their errors

  // [value, error] of each state at a row and a cell of the map.
  cellValues(row, cell) {
    const { selection, sink } = this.state;
    const { patterns } = this;
    const maps = this.maps();
    return this.states().map((state) => {
      const map = maps[state];
      const value = map.values[triangle(row) + cell];
      if (map.isExact) return [value, 0];
      if (!patterns.isJoined) {
        const exact = patterns.exactRow(state, sink, selection, row);
        if (exact) return [exact[cell], 0];
      }
      let error = 0;
      for (const head of selection) error += patterns.errorAt(state, sink, head, row, cell);
      return [value, error / selection.length];
    });
  }

  // The same for a key token in the picked row; joined says that its neighbours are in it.
  tokenValues(token) {
    const { row, selection, sink } = this.state;
    const { patterns } = this;
    const rows = this.once("exactRows", `${row}|${sink}|${selection.join()}`, () =>
      this.states().map((state) => patterns.exactRow(state, sink, selection, row)),
    );
    if (rows[0]) return { values: rows.map((values) => [values[token], 0]), joined: 1 };
    if (this.maps()[0].size === patterns.size) {
      return { values: this.cellValues(row, token), joined: 1 };
    }
    const cell = patterns.cellOf[token];
    const joined = patterns.stop(cell) - patterns.starts[cell];
    return { values: this.cellValues(patterns.cellOf[row], cell), joined };
  }

  // The picked row, for each token that it sees.
  tokenRow() {
    const { row } = this.state;
    const key = `${row}|${this.mapKey}|${this.maps()[0].isExact}`;
    return this.once("tokenRow", key, () =>
      this.patterns.tokens.map((_, token) => (token <= row ? this.tokenValues(token) : null)),
    );
  }

  // What to say of the values of a cell.
  describe(values) {
    const { meta } = this.patterns;
    if (values.length === 1) return [`attention ${formatValue(...values[0])}`];
    const [before, after] = values;
    const names = ["before", "after"].map((name, at) => `${name} (${meta.states[at]})`);
    const lines = values.map((value, at) => `${names[at]} ${formatValue(...value)}`);
    const change = formatValue(after[0] - before[0], before[1] + after[1], true);
    if (this.isDifference) return [`difference ${change}`, ...lines];
    return this.state.show === 0 ? lines : lines.reverse();
  }

  // ---------------------------------------------------------------- names

  orders() {
    const { patterns } = this;
    const orders = [["layer", "By layer"]];
    for (const role of patterns.rolesHere) {
      if (role !== "other") orders.push([role, `Most on ${role} words`]);
    }
    if (patterns.rolesHere.includes("causal") && patterns.rolesHere.includes("spurious")) {
      orders.push(["lift", "Causal over spurious, per token"]);
    }
    if (patterns.nStates > 1) orders.push(["gain", "Most gained on causal words"]);
    return orders;
  }

  selectionName(selection) {
    const { patterns } = this;
    if (selection.length === 1) {
      const [layer, column] = patterns.place(selection[0]);
      return `Layer ${patterns.meta.layers[layer]}, head ${patterns.meta.heads[column]}`;
    }
    if (selection.length === patterns.nHeads) return `Mean of all ${patterns.nHeads} heads`;
    const [layers, columns] = [0, 1].map((k) => [
      ...new Set(selection.map((head) => patterns.place(head)[k])),
    ]);
    if (layers.length === 1 && selection.length === patterns.meta.heads.length) {
      return `Mean of layer ${patterns.meta.layers[layers[0]]}`;
    }
    if (columns.length === 1 && selection.length === patterns.meta.layers.length) {
      return `Mean of head ${patterns.meta.heads[columns[0]]} in all layers`;
    }
    const names = selection.slice(0, 4).map((head) => patterns.headName(head)).join(", ");
    return `Mean of ${selection.length} heads: ${names}${selection.length > 4 ? ", …" : ""}`;
  }

  headLines(head) {
    const lines = [this.patterns.headName(head)];
    if (!this.patterns.hasRoles) return lines;
    const masses = this.shown(this.masses());
    for (const role of this.patterns.rolesHere) {
      const share = masses[head * ROLES.length + ROLES.indexOf(role)];
      lines.push([`${role} ${formatShare(share, this.isDifference)}`, role]);
    }
    return lines;
  }

  // Small tokens with what stands before them: "Answer:" says more than ":".
  rowName(row) {
    const letters = (text) => text.match(/[\p{L}\p{N}]/gu)?.length ?? 0;
    let name = this.patterns.tokens[row];
    for (let at = row - 1; at >= 0 && letters(name) < 3; at--) {
      name = this.patterns.tokens[at] + name;
    }
    return shorten(visible(name), 40);
  }

  tokenName(token) {
    const { patterns } = this;
    const text = `“${visible(patterns.tokens[token])}”`;
    const word = patterns.wordOf[token];
    if (!word || word.stop - word.start === 1) return text;
    return `${text} in “${shorten(word.label, 60)}”`;
  }

  cellName(cell, size) {
    const { patterns } = this;
    if (size === patterns.size) return this.tokenName(cell);
    const [start, stop] = [patterns.starts[cell], patterns.stop(cell)];
    if (stop - start === 1) return this.tokenName(start);
    const text = patterns.tokens.slice(start, stop).join("");
    return `“${shorten(visible(text), 60)}” (tokens ${start} to ${stop - 1})`;
  }
}
