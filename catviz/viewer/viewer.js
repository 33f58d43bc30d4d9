// The viewer: puts the parts together, draws them, and answers the mouse and the keyboard.

const SPACE_BETWEEN = 32; // panels, as in viewer.css
const ASK_AFTER = 150; // milliseconds: not for every head that one passes
let counter = 0; // of viewers, for ids

class Viewer {
  // exact(heads, sink) -> a Promise of one Float32Array a pattern; null where there is no kernel.
  // told(names) is called with the names of the heads that are open, none where all are.
  // before: the viewer of other patterns, whose choices are kept as far as they still make sense.
  constructor(root, patterns, { exact = null, told = () => {}, before = null } = {}) {
    this.root = root;
    this.patterns = patterns;
    this.scene = new Scene(patterns, before?.scene);
    this.exact = exact;
    this.told = told;
    this.build();
    const resizing = new ResizeObserver(() => {
      const width = this.root.clientWidth;
      if (width && width !== this.drawnWidth) this.schedule();
    });
    resizing.observe(root);
    this.stops = [watchTheme(() => this.schedule()), () => resizing.disconnect()];
    this.draw();
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.asking);
    for (const stop of this.stops) stop();
  }

  // ---------------------------------------------------------------- parts

  build() {
    const { patterns, scene } = this;
    const redraw = () => this.schedule();
    this.overview = new Overview(patterns, {
      open: (heads, adding) => this.open(heads, adding),
      openAll: () => this.open(scene.everyHead(), false),
      hover: (heads, event) => this.hoverHeads(heads, event),
      moved: (head) => {
        this.say(scene.headLines(head));
        redraw();
      },
      redraw,
    });
    this.map = new LargeMap({
      pick: (row) => this.update({ row: scene.rowToken(row) }),
      hover: (cell, event) => this.hoverCell(cell, event),
      escape: () => this.overview.canvas.focus(),
      step: (by) => this.step(by),
      redraw,
    });
    this.words = new Words(patterns, {
      pick: (token) => this.update({ row: token }),
      hover: (token, event) => this.hoverToken(token, event),
    });
    this.all = make("button", { type: "button" }, "All heads");
    this.all.addEventListener("click", () => this.open(scene.everyHead(), false));
    this.answer = make("button", { type: "button" }, "Answer row");
    const [answerRow] = patterns.meta.answerRows;
    this.answer.addEventListener("click", () => this.update({ row: answerRow }));
    this.headsNote = make("div", { class: "muted" });
    this.headsBar = make("div", {});
    this.mapTitle = make("h3", {});
    this.mapNote = make("div", { class: "muted" });
    this.mapBar = make("div", {});
    this.live = make("div", { class: "unseen", "aria-live": "polite" });
    const panel = (name, label, ...children) =>
      make("section", { class: `${name}-panel`, "aria-label": label }, ...children);
    const head = (...children) => make("div", { class: "panel-head" }, ...children);
    const scroll = make("div", { class: "scroll" }, this.overview.canvas);
    this.panels = make(
      "div",
      { class: "panels" },
      panel(
        "heads", "Heads",
        head(make("h3", {}, "Heads"), this.all), this.headsNote, scroll, this.headsBar,
      ),
      panel("map", "Map", head(this.mapTitle), this.mapNote, this.map.canvas, this.mapBar),
      panel(
        "words", "Text",
        head(make("h3", {}, "Text"), this.answer),
        this.words.heading, this.words.text, this.words.totals,
      ),
    );
    const id = `catviz-${++counter}-${Math.random().toString(36).slice(2, 8)}`;
    const choices = controls(scene, id, (changes) => this.update(changes));
    const frame = make(
      "div", { class: "viewer" },
      title(patterns, this.exact !== null), choices, this.panels, this.words.tables, help(),
      this.live,
    );
    // Styles of the page around and of the viewer do not reach one another.
    const shadow = this.root.shadowRoot ?? this.root.attachShadow({ mode: "open" });
    shadow.replaceChildren(make("style", {}, CSS), frame);
    this.tip = new Tip(frame);
  }

  // ---------------------------------------------------------------- choosing

  update(changes) {
    Object.assign(this.scene.state, changes);
    this.tip.hide();
    this.schedule();
  }

  open(heads, adding) {
    this.scene.open(heads, adding);
    this.say([this.scene.selectionName(this.scene.state.selection)]);
    this.update({});
    this.told(this.scene.openNames());
  }

  // From outside, by names; without any that is here: all heads.
  openNamed(names) {
    if (names.join() === this.scene.openNames().join()) return;
    this.scene.openNamed(names);
    this.update({});
  }

  step(by) {
    const { shown } = this.overview.layout;
    const at = shown.indexOf(this.overview.cursor) + by;
    this.overview.cursor = shown[Math.min(Math.max(at, 0), shown.length - 1)];
    this.open([this.overview.cursor], false);
  }

  // ---------------------------------------------------------------- drawing

  // Any number of changes between two frames are one drawing.
  schedule() {
    if (this.isScheduled || this.isStopped) return;
    this.isScheduled = true;
    requestAnimationFrame(() => {
      this.isScheduled = false;
      if (!this.isStopped) this.draw();
    });
  }

  draw() {
    // Hidden (a tab behind, JupyterLab while it changes its theme) it keeps its width; what has
    // never been shown waits for the observer.
    const width = this.root.clientWidth || this.drawnWidth;
    if (!width) return;
    this.drawnWidth = width;
    const name = themeName();
    this.root.dataset.theme = name;
    this.theme = THEMES[name];
    this.drawHeads(width);
    // Heads, map and text stand beside one another where there is room.
    const left = width - this.overview.layout.width - SPACE_BETWEEN;
    const isBeside = left >= 560;
    const room = isBeside ? left : width;
    const isSplit = room >= 900;
    this.panels.classList.toggle("beside", isBeside);
    this.panels.classList.toggle("split", isSplit);
    this.drawMap(isSplit ? Math.floor(Math.min(0.6 * room, room - 340)) : room);
    this.drawWords();
    this.askExact();
    this.root.dataset.drawn = "";
  }

  drawHeads(width) {
    const { patterns, scene, theme } = this;
    const { selection, show, order } = scene.state;
    const { thumbs, side, scale } = scene.overview();
    const ranking = scene.ranking();
    const masses = scene.masses()[scene.isDifference ? 1 : show];
    this.overview.draw(
      {
        thumbs, side, scale, masses, theme, selection,
        order: ranking?.heads ?? null,
        labelOf: ranking?.labelOf,
      },
      width,
    );
    const notes = ["Click a head to open it, several for their mean."];
    if (patterns.hasRoles) {
      const when = scene.isDifference ? ", after" : "";
      notes.push(`The bar under a head: what the row pays to words of each role${when}.`);
    }
    if (order === "lift") notes.push("Heads that pay both less than 1% stand last.");
    if (ranking?.heads.length > MOST_RANKED) notes.push(`The first ${MOST_RANKED}.`);
    this.headsNote.textContent = notes.join(" ");
    this.headsBar.replaceChildren(colourBar(scale, this.what));
    this.all.disabled = selection.length === patterns.nHeads;
  }

  drawMap(width) {
    const { patterns, theme } = this;
    const view = { ...this.scene.largeMap(), theme };
    this.columns = view.columns;
    this.map.draw(view, width);
    this.mapTitle.textContent = view.title;
    const notes = ["Row: the word that looks. Column: the word looked at."];
    if (view.map.size < patterns.size) notes.push(`A cell is up to ${patterns.meta.block} tokens.`);
    if (view.isExact && patterns.meta.levels) notes.push("Exact values.");
    this.mapNote.textContent = notes.join(" ");
    this.mapBar.replaceChildren(colourBar(view.scale, this.what));
  }

  drawWords() {
    const { patterns, scene, theme } = this;
    const { row, show, sink } = scene.state;
    const found = scene.tokenRow();
    const values = Float64Array.from(found, (token) => {
      if (!token) return 0;
      const perToken = token.values.map(([value]) => value / token.joined);
      return scene.isDifference ? perToken[1] - perToken[0] : perToken[show];
    });
    this.words.draw({
      row, values, theme,
      name: scene.rowName(row),
      isDifference: scene.isDifference,
      isJoined: found.some((token) => token?.joined > 1),
      totals: scene.totals(),
      note: sink === "in" ? "" : `, first token ${sink}`,
      states: patterns.nStates > 1 ? ["before", "after"] : ["attention"],
      valueOf: (token) => found[token].values.map((value) => formatValue(...value)),
      heads: this.overview.layout.shown,
      masses: scene.masses(),
    });
    this.answer.hidden = row === patterns.meta.answerRows[0];
  }

  get what() {
    return this.scene.isDifference ? "after − before" : "attention";
  }

  // Asks the kernel for what the payload has rounded; drawing never waits for it.
  askExact() {
    const { scene } = this;
    const { selection, sink } = scene.state;
    const key = scene.mapKey;
    if (!this.exact || key === this.asked || scene.maps()[0].isExact) return;
    this.asked = key;
    clearTimeout(this.asking);
    this.asking = setTimeout(async () => {
      const arrays = await this.exact(selection, sink);
      if (this.asked !== key || this.isStopped) return;
      const { size } = this.patterns;
      scene.arrived = { key, maps: arrays.map((values) => ({ size, values, isExact: true })) };
      this.schedule();
    }, ASK_AFTER);
  }

  // ---------------------------------------------------------------- hovering

  hoverHeads(heads, event) {
    const { scene } = this;
    if (!heads) return this.tip.hide();
    const lines = heads.length === 1 ? scene.headLines(heads[0]) : [scene.selectionName(heads)];
    return this.tip.show(lines, event.clientX, event.clientY);
  }

  hoverCell(place, event) {
    if (!place) return this.tip.hide();
    const { scene } = this;
    const [row, column] = place;
    const cell = this.columns[column];
    const { size } = scene.maps()[0];
    const role = scene.cellRoles(size)[cell];
    const roleText = role === "other" ? "" : `, ${role}`;
    const lines = [
      `${scene.cellName(row, size)} looks at`,
      [`${scene.cellName(cell, size)}${roleText}`, role],
    ];
    if (cell > row) lines.push("comes later: cannot be seen");
    else lines.push(...scene.describe(scene.cellValues(row, cell)));
    if (event.isByKey) {
      this.say(lines);
      this.schedule();
    }
    return this.tip.show(lines, event.clientX, event.clientY);
  }

  hoverToken(token, event) {
    if (token === null) return this.tip.hide();
    const { scene, patterns } = this;
    const role = patterns.roles[token];
    const lines = [[`${scene.tokenName(token)}${role === "other" ? "" : `, ${role}`}`, role]];
    if (token > scene.state.row) lines.push("comes later: cannot be seen; click for its own row");
    else {
      const { values, joined } = scene.tokenRow()[token];
      if (joined > 1) lines.push(`with its neighbours, ${joined} tokens together:`);
      lines.push(...scene.describe(values));
    }
    return this.tip.show(lines, event.clientX, event.clientY);
  }

  // To screen readers.
  say(lines) {
    this.live.textContent = lines.map((line) => [line].flat()[0]).join(", ");
  }
}
