// The board: shows what the kernel sent, and what its number of a frame says, in every view.

const SILENCE = 2000; // milliseconds without an answer, then it is said

class BoardView {
  constructor(root, model, frames) {
    Object.assign(this, { root, model, frames });
    this.cards = new Map();
    this.layout = new Layout();
    this.box = make("div", { class: "charts" });
    this.waiting = make("p", { class: "muted", hidden: true });
    this.waiting.textContent = "Waiting for the kernel. If it has stopped, run the cell again.";
    const frame = make("div", { class: "board" }, this.box, this.waiting);
    root.attachShadow({ mode: "open" }).replaceChildren(make("style", {}, CSS), frame);
    this.tip = new Tip(frame);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    const resizing = new ResizeObserver(() => this.schedule());
    resizing.observe(root);
    this.box.addEventListener("toggle", () => this.schedule(), true); // a table opens or closes
    this.stops = [watchTheme(() => this.schedule()), () => resizing.disconnect()];
    this.hint = setTimeout(() => (this.waiting.hidden = !frames.isEmpty), SILENCE);
    this.schedule();
  }

  // Something came from the kernel.
  hear() {
    clearTimeout(this.hint);
    this.waiting.hidden = true;
    this.schedule();
  }

  stop() {
    this.isStopped = true;
    clearTimeout(this.hint);
    for (const stop of this.stops) stop();
  }

  // Any number of changes between two pictures are one drawing.
  schedule() {
    if (this.isScheduled || this.isStopped) return;
    this.isScheduled = true;
    requestAnimationFrame((now) => {
      this.isScheduled = false;
      if (!this.isStopped) this.draw(now);
    });
  }

  draw(now) {
    // Hidden (a tab behind, JupyterLab while it changes its theme) it keeps its width; what has
    // never been shown waits for the observer.
    const width = this.root.clientWidth || this.drawnWidth;
    if (!width) return;
    this.drawnWidth = width;
    this.root.dataset.theme = themeName();
    const theme = THEMES[themeName()];
    const wanted = this.model.get("frame");
    const charts = this.frames.charts(wanted, this.model.get("order"));
    const cards = charts.map(([name, chart]) => this.card(name, chart.kind));
    this.keepOnly(cards);
    const widthOf = this.layout.measure(cards, width);
    let isMoving = false;
    charts.forEach(([, chart], at) => {
      const card = cards[at];
      card.element.style.width = `${widthOf(card)}px`;
      isMoving = this.drawCard(card, chart, widthOf(card), theme, now) || isMoving;
    });
    if (this.root.clientWidth) this.layout.place(this.box, cards);
    this.root.dataset.frame = this.frames.number(wanted) ?? "";
    this.root.dataset.drawn = "";
    if (isMoving) this.schedule();
  }

  // One chart that cannot be drawn leaves the others as they are.
  drawCard(card, chart, width, theme, now) {
    const frame = this.frames.number(this.model.get("frame"));
    try {
      if (card.from) card.draw(now);
      card.show(chart, { frame, width, theme, isGliding: !this.still.matches });
      return card.from !== null;
    } catch (error) {
      card.note.textContent = `This chart cannot be drawn: ${error.message}.`;
      card.note.hidden = false;
      return false;
    }
  }

  card(name, kind) {
    if (this.cards.get(name)?.kind !== kind) {
      this.cards.get(name)?.remove();
      this.cards.set(name, new Card(name, kind, this.tip));
    }
    return this.cards.get(name);
  }

  // In reading order, and none that is gone.
  keepOnly(cards) {
    for (const [name, card] of this.cards) {
      if (cards.includes(card)) continue;
      card.remove();
      this.cards.delete(name);
    }
    cards.forEach(({ element }, at) => {
      const here = this.box.children[at] ?? null;
      if (here !== element) this.box.insertBefore(element, here);
    });
  }
}

// anywidget calls this once a widget (see board.py).
export default () => {
  const frames = new Frames();
  const views = new Set();
  let isAsking = false;
  const ask = (model) => {
    if (isAsking) return;
    isAsking = true;
    try {
      model.send({ kind: "everything" });
    } catch {
      isAsking = false; // no kernel: what has been drawn stays
    }
  };
  return {
    initialize({ model }) {
      model.on("msg:custom", (message, buffers) => {
        if (message.kind === "clear") isAsking = false; // an answer begins with it
        if (!frames.take(message, buffers)) ask(model);
        for (const view of views) view.hear();
      });
    },
    render({ model, el }) {
      const root = make("div", { class: "catviz-board" });
      el.append(root);
      const view = new BoardView(root, model, frames);
      const redraw = () => view.schedule();
      views.add(view);
      for (const name of ["frame", "order"]) model.on(`change:${name}`, redraw);
      if (frames.isEmpty) ask(model);
      return () => {
        views.delete(view);
        for (const name of ["frame", "order"]) model.off(`change:${name}`, redraw);
        view.stop();
      };
    },
  };
};
