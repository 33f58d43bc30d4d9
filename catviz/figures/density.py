"""How much attention the words of each role get: the paper's Figure 3 (and 9, 10, 11)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from catviz.figures.figure import Figure
from catviz.figures.layout import figure_with_legend
from catviz.figures.role_curves import (
    ByRole,
    Scale,
    Scores,
    check_scores,
    choose_scale,
    describe_scores,
    ends_of_scores,
    is_constant,
    name_axes,
    tallest,
)
from catviz.figures.style import ROLE_STYLES, Theme
from catviz.figures.text import wrap
from catviz.scores import SCORED_ROLES
from catviz.words import Role

__all__ = ["attention_density"]

_PANELS_PER_ROW = 4


def attention_density(
    scores: Mapping[str, ByRole],
    *,
    title: str = "Attention by role of the word",
    scale: Scale = "auto",
) -> Figure:
    """Draw one panel per model with a density of attention scores per role (paper, Figure 3).

    ``scores[model][role]`` holds one number per word: the mean attention that it gets from the row
    that predicts the answer. :func:`catviz.density.role_scores` gives them; of scores per layer or
    head choose one with ``scores.at(layer=..., head=...)``. Above each density stand the medians
    and the middle halves.

    ``scale`` is the horizontal axis. On "log" equal distances are equal ratios, which is what the
    loss acts on. "linear" is the paper's choice; a narrow density is cut there, with its peak
    written beside the cut, so that the wide ones stay readable. "auto" takes "log" when all scores
    are above zero and the widest role spreads 5 times as far as the narrowest.

    >>> figure = attention_density({"plain": {"causal": [0.1, 0.2], "spurious": [0.1, 0.3]}})
    >>> figure.data[0]
    {'model': 'plain', 'role': 'causal', 'score': 0.1}
    """
    checked = check_scores(scores)
    return Figure(
        draw=partial(_draw, scores=checked, scale=choose_scale(checked, scale)),
        data=[
            {"model": label, "role": role, "score": float(score)}
            for label, by_role in checked.items()
            for role, values in by_role.items()
            for score in values
        ],
        title=title,
        alt=f"Density of attention scores by role. Medians: {describe_scores(checked)}.",
        caption=(
            "Each word's score is the mean attention it gets from the row that predicts the "
            "answer. Dots are medians, bars hold the middle half of the words."
        ),
    )


def _draw(theme: Theme, *, scores: Scores, scale: Literal["linear", "log"]) -> MplFigure:
    columns = min(len(scores), _PANELS_PER_ROW)
    rows = -(-len(scores) // columns)
    figure = figure_with_legend(
        max(2.45 * columns, 3.6) + 0.7,
        3.0 * rows,
        [
            Line2D(
                [], [], color=style.colour, linestyle=style.dash, label=f"{style.letter}  {role}"
            )
            for role in SCORED_ROLES
            for style in [ROLE_STYLES[role]]
        ],
    )
    grid = figure.subplots(
        2 * rows, columns, squeeze=False, sharex=True, height_ratios=[1, 4] * rows
    )
    panels = [
        (grid[2 * (at // columns), at % columns], grid[2 * (at // columns) + 1, at % columns])
        for at in range(rows * columns)
    ]
    for unused in panels[len(scores) :]:
        for axes in unused:
            axes.remove()
    densities = [density for _, density in panels[: len(scores)]]
    peaks = [
        _draw_densities(density, by_role, scale)
        for density, by_role in zip(densities, scores.values(), strict=True)
    ]
    _limit_width(densities[0], scores, scale)
    _limit_height(densities, peaks, scale, theme)
    scores_name, density_name = name_axes(scale)
    for at, (label, by_role) in enumerate(scores.items()):
        medians, density = panels[at]
        medians.set_title(wrap(label, 24), pad=4)
        _draw_medians(medians, by_role, theme)
        density.tick_params(labelleft=at % columns == 0, labelbottom=True)
        density.grid(axis="x")
        density.set_ylabel(density_name if at % columns == 0 else "")
    figure.supxlabel(scores_name, fontsize=9)
    return figure


def _draw_densities(
    axes: Axes, by_role: Mapping[Role, np.ndarray], scale: Literal["linear", "log"]
) -> list[tuple[Role, float, float]]:
    """Draw a curve per role, or a line where there is no spread; return (role, x, y) of peaks."""
    import seaborn as sns  # a second or more, which only those who draw shall wait for

    if scale == "log":
        axes.set_xscale("log")
    peaks = []
    for role, values in by_role.items():
        style = ROLE_STYLES[role]
        if not values.size:
            continue
        if is_constant(values):
            axes.axvline(float(values[0]), color=style.colour, linestyle=style.dash, linewidth=2)
            continue
        sns.kdeplot(
            x=values, ax=axes, color=style.colour, linestyle=style.dash, legend=False,
            clip=None if scale == "log" else (0, 1), log_scale=scale == "log" or None,
        )  # fmt: skip
        x, y = cast(tuple[np.ndarray, np.ndarray], axes.lines[-1].get_data())
        axes.fill_between(x, y, color=style.colour, alpha=0.16, linewidth=0)
        median = float(np.median(values))
        axes.vlines(
            median, 0, float(np.interp(median, x, y)), color=style.colour, linewidth=0.9, alpha=0.8
        )
        peaks.append((role, float(x[y.argmax()]), float(y.max())))
    return peaks


def _limit_width(axes: Axes, scores: Scores, scale: Literal["linear", "log"]) -> None:
    low, high = ends_of_scores(scores, scale)
    if scale == "linear":
        left, right = axes.get_xlim()
        axes.set_xlim(max(low, left), max(min(1.0, right), high))
        return
    axes.set_xlim(low, high)
    decades = np.log10(high / low)
    steps = (1.0,) if decades > 2.5 else (1.0, 3.0) if decades > 1.2 else (1.0, 2.0, 5.0)
    axes.xaxis.set_major_locator(LogLocator(10, steps) if decades > 0.6 else MaxNLocator(4))
    axes.xaxis.set_minor_locator(LogLocator(10, subs=range(2, 10)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())


def _limit_height(
    densities: Sequence[Axes],
    peaks: Sequence[Sequence[tuple[Role, float, float]]],
    scale: Literal["linear", "log"],
    theme: Theme,
) -> None:
    """Give all panels one height; where that cuts a curve, write its peak beside the cut."""
    for axes in densities[1:]:
        axes.sharey(densities[0])
    heights = [height for panel in peaks for _, _, height in panel]
    if not heights:  # vertical lines only: there is no density to read off
        densities[0].set_yticks([])
        return
    top = tallest(heights, scale)
    densities[0].set_ylim(0, top)
    for axes, panel in zip(densities, peaks, strict=True):
        tall = [(role, x, height) for role, x, height in panel if height > top]
        for line, (role, _, height) in enumerate(tall):
            beside = max(x for _, x, _ in tall)
            on_right = _fraction(axes, beside) < 0.6
            axes.annotate(
                f"▲ {ROLE_STYLES[role].letter} peaks at {height:.3g}", (beside, 1.0),
                xycoords=("data", "axes fraction"), textcoords="offset points",
                xytext=(8 if on_right else -8, -1 - 10 * line), fontsize=7.5, color=theme.ink,
                ha="left" if on_right else "right", va="top",
            )  # fmt: skip


def _draw_medians(axes: Axes, by_role: Mapping[Role, np.ndarray], theme: Theme) -> None:
    """Give each role a lane of its own, so that equal medians stay apart."""
    for lane, (role, values) in enumerate(by_role.items()):
        style = ROLE_STYLES[role]
        at = len(by_role) - lane
        axes.text(
            -0.03, at, style.letter, transform=axes.get_yaxis_transform(), ha="right",
            va="center_baseline", fontsize=8, fontweight="bold",
        )  # fmt: skip
        if not values.size:
            axes.text(
                0.0, at, "no words", transform=axes.get_yaxis_transform(), va="center_baseline",
                fontsize=7.5, color=theme.muted,
            )  # fmt: skip
            continue
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
        axes.plot([low, high], [at, at], color=style.colour, linewidth=3, alpha=0.45)
        axes.plot([median], [at], "o", color=style.colour, markersize=4.5, clip_on=False)
        on_right = _fraction(axes, float(high)) < 0.75
        axes.annotate(
            f"{median:.2g}", (float(high if on_right else low), at), textcoords="offset points",
            xytext=(6 if on_right else -6, 0), ha="left" if on_right else "right",
            va="center_baseline", fontsize=7.5, color=theme.muted,
        )  # fmt: skip
    axes.set_ylim(0.3, len(by_role) + 0.7)
    axes.tick_params(left=False, labelleft=False, bottom=False, labelbottom=False, which="both")
    axes.spines[:].set_visible(False)


def _fraction(axes: Axes, x: float) -> float:
    """Return where x lies between the panel's left (0) and right (1) edge."""
    at = axes.transData.transform((x, 0.0))
    return float(axes.transAxes.inverted().transform(at)[0])
