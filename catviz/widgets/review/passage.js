// The text, with the phrases of the relation in focus marked and its causes linked to its effect.

const within = ([start, end], at) => start <= at && at < end;

// The places are counted in characters as Python counts them, not in UTF-16 units.
function pieces(text, places) {
  const letters = [...text];
  const cuts = new Set([0, letters.length]);
  for (const [start, end] of places) cuts.add(start).add(end);
  const ordered = [...cuts].filter((at) => at <= letters.length).sort((a, b) => a - b);
  return ordered
    .slice(0, -1)
    .map((start, at) => ({ start, text: letters.slice(start, ordered[at + 1]).join("") }));
}

class Passage {
  constructor() {
    this.words = make("div", { class: "words", dir: "auto" });
    this.links = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    this.links.setAttribute("class", "links");
    this.links.setAttribute("aria-hidden", "true");
    this.element = make("div", { class: "passage" }, this.links, this.words);
  }

  // relation: the one in focus, or null; others: the rest.
  show({ text, answer }, relation, others) {
    const causes = relation ? relation.causes.filter(({ fault }) => !fault) : [];
    const faulty = relation ? relation.causes.filter(({ fault }) => fault) : [];
    const placesOf = (list) => list.flatMap(({ places }) => places);
    const kinds = [
      ["effect", relation ? relation.places : []],
      ["cause", placesOf(causes)],
      ["faulty", placesOf(faulty)],
      ["other", others.flatMap((one) => [...one.places, ...placesOf(one.causes)])],
      ["answer", [[answer, [...text].length]]],
    ];
    const all = kinds.flatMap(([, places]) => places);
    this.words.replaceChildren(
      ...pieces(text, all).map(({ start, text: words }) => {
        const marks = kinds.filter(([, places]) => places.some((place) => within(place, start)));
        const names = marks.map(([name]) => name);
        if (start === answer) names.push("begins-answer");
        const piece = make("span", { class: names.join(" ") });
        for (const [kind, letter] of [["effect", "E"], ["cause", "C"], ["faulty", "!"]]) {
          const [, places] = kinds.find(([name]) => name === kind);
          if (!places.some(([begin]) => begin === start)) continue;
          piece.append(make("span", { class: `letter ${kind}-letter` }, letter));
        }
        piece.append(words);
        return piece;
      }),
    );
  }

  // Once the words have their places on the page: not yet on it, or in a tab behind, they wait for
  // the observer.
  drawLinks() {
    const box = this.words.getBoundingClientRect();
    if (!box.width) return;
    this.links.setAttribute("width", box.width);
    this.links.setAttribute("height", box.height);
    const at = (name) =>
      this.runs(name).map((piece) => {
        const [first] = piece.getClientRects();
        const x = first.left - box.left + Math.min(first.width, 120) / 2;
        return { x, top: first.top - box.top, bottom: first.bottom - box.top };
      });
    const effects = at("effect");
    const lines = at("cause").flatMap((cause) => {
      const later = effects.filter((effect) => effect.top > cause.top - 4);
      const [effect] = later.length ? later : effects; // the nearest behind it
      return effect ? [linkPath(cause, effect)] : [];
    });
    this.links.replaceChildren(...lines);
  }

  // The first piece of each marked run.
  runs(name) {
    const marked = [...this.words.querySelectorAll(`.${name}`)];
    return marked.filter((piece) => piece.querySelector(`.${name}-letter`));
  }
}

// From a cause to its effect: an arc above the line that both are on, else down to the effect.
function linkPath(cause, effect) {
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  const isSameLine = Math.abs(cause.top - effect.top) < 6;
  const lift = Math.min(14, 6 + Math.abs(effect.x - cause.x) / 20);
  const middle = (cause.bottom + effect.top) / 2;
  const curve = isSameLine
    ? `M${cause.x} ${cause.top}C${cause.x} ${cause.top - lift} ` +
      `${effect.x} ${effect.top - lift} ${effect.x} ${effect.top - 1}`
    : `M${cause.x} ${cause.bottom}C${cause.x} ${middle} ${effect.x} ${middle} ` +
      `${effect.x} ${effect.top - 1}`;
  const head = `m-3.5 -5l3.5 5l3.5 -5`;
  path.setAttribute("d", curve + head);
  return path;
}
