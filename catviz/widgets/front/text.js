// A text, each token shaded by a weight: what one row reads.

class TextPlot {
  constructor() {
    this.element = make("div", { class: "plot tokens" });
  }

  static isWide = true;

  static table({ tokens, roles, weights }) {
    return {
      header: ["token", "role", "weight"],
      rows: tokens.map((token, at) => [visible(token), roles[at], formatValue(weights[at])]),
    };
  }

  static describe({ tokens, weights }) {
    const most = [...weights.entries()].sort((a, b) => b[1] - a[1]).slice(0, 3);
    const told = most.map(([at, weight]) => `“${visible(tokens[at])}” ${formatValue(weight)}`);
    return `Text of ${tokens.length} tokens, shaded by weight; most on ${told.join(", ")}.`;
  }

  static key({ roles }, theme) {
    return keyOf([], lettered(roles), theme);
  }

  draw(chart, width, theme) {
    const { tokens, roles, weights } = chart;
    if (this.chart?.tokens !== tokens || this.chart.roles !== roles) {
      const starts = (at) => at === 0 || roles[at] !== roles[at - 1];
      this.chips = tokenChips(tokens, roles, starts);
      this.element.replaceChildren();
      layChips(this.element, tokens, this.chips);
    }
    this.chart = chart;
    // The first token would take all of the shade.
    const highest = chart.highest || weights.subarray(1).reduce((a, b) => Math.max(a, b), 1e-9);
    this.chips.forEach((chip, at) => shadeChip(chip, weights[at] / highest, theme.shade));
  }

  hover(event) {
    const chip = event.target.closest?.(".token");
    if (!chip) return null;
    const at = Number(chip.dataset.token);
    const { tokens, roles, weights } = this.chart;
    const role = roles[at];
    return [
      [`“${visible(tokens[at])}”${role === "other" ? "" : `, ${role}`}`, role],
      `weight ${formatValue(weights[at])}`,
    ];
  }

  leave() {
    return null;
  }
}
