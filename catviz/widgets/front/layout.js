// Charts in columns: as many as there is room for, each chart below the shortest column.

const NARROWEST = 300; // pixels of a column
const WIDEST = 640;
const GUTTER = 28;
const CLOSES_AFTER = 600; // milliseconds

class Layout {
  // The width of each card; what is wide spans all columns.
  measure(cards, width) {
    const narrow = cards.filter((card) => !card.isWide).length;
    const room = Math.floor((width + GUTTER) / (NARROWEST + GUTTER));
    this.columns = Math.max(1, Math.min(room, narrow || 1));
    const each = Math.floor((width + GUTTER) / this.columns) - GUTTER;
    this.width = Math.min(each, narrow ? WIDEST : width);
    this.whole = narrow && this.columns > 1 ? this.columns * (this.width + GUTTER) - GUTTER : width;
    return (card) => (card.isWide ? Math.min(this.whole, width) : this.width);
  }

  // Places drawn cards. A chart keeps its column as long as there are the same charts.
  place(box, cards) {
    const key = `${this.columns}|${cards.map((card) => card.element.dataset.chart).join("|")}`;
    if (key !== this.key) this.columnOf = new Map();
    this.key = key;
    const heights = cards.map((card) => card.element.offsetHeight);
    const ends = new Array(this.columns).fill(0);
    cards.forEach((card, at) => {
      if (!this.columnOf.has(card)) this.columnOf.set(card, ends.indexOf(Math.min(...ends)));
      const column = card.isWide ? 0 : this.columnOf.get(card);
      const top = card.isWide ? Math.max(...ends) : ends[column];
      card.element.style.left = `${column * (this.width + GUTTER)}px`;
      card.element.style.top = `${top}px`;
      if (card.isWide) ends.fill(top + heights[at] + GUTTER);
      else ends[column] = top + heights[at] + GUTTER;
    });
    // Cleared, it keeps its height for a while: what follows at once makes no page jump.
    clearTimeout(this.closing);
    if (cards.length) box.style.height = `${Math.max(...ends) - GUTTER}px`;
    else this.closing = setTimeout(() => (box.style.height = ""), CLOSES_AFTER);
  }
}
