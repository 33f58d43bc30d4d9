"""How much attention the words of each role get: the paper's Figure 3 (and 9, 10, 11)."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Literal, cast

import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import ArrayLike

from catviz.figures.figure import Figure
from catviz.figures.layout import figure_with_legend
from catviz.figures.style import ROLE_STYLES, Theme
from catviz.figures.text import wrap
from catviz.words import Role

__all__ = ["attention_density"]

Scale = Literal["auto", "linear", "log"]
Scores = dict[str, dict[Role, np.ndarray]]

_ROLES: tuple[Role, ...] = ("causal", "spurious", "irrelevant")
_PANELS_PER_ROW = 4
_WIDTH_RATIO_FOR_LOG = 5.0
_CUT = 5.0  # a linear axis ends at this many times the lower quartile of the peaks


def attention_density(
    scores: Mapping[str, Mapping[str, ArrayLike | np.ndarray]],
    *,
    title: str = "Attention by role of the word",
    scale: Scale = "auto",
) -> Figure:
    """Draw one panel per model with a density of attention scores per role (paper, Figure 3).

    ``scores[model][role]`` holds one number per word: the mean attention that it gets from the row
    that predicts the answer. Above each density stand the medians and the middle halves.

    ``scale`` is the horizontal axis. On "log" equal distances are equal ratios, which is what the
    loss acts on. "linear" is the paper's choice; a narrow density is cut there, with its peak
    written beside the cut, so that the wide ones stay readable. "auto" takes "log" when all scores
    are above zero and the widest role spreads 5 times as far as the narrowest.

    >>> figure = attention_density({"plain": {"causal": [0.1, 0.2], "spurious": [0.1, 0.3]}})
    >>> figure.data[0]
    {'model': 'plain', 'role': 'causal', 'score': 0.1}
    """
    checked = {label: _check(label, by_role) for label, by_role in scores.items()}
    if not checked:
        raise ValueError("no scores to draw: expected at least one model")
    return Figure(
        draw=partial(_draw, scores=checked, scale=_choose_scale(checked, scale)),
        data=[
            {"model": label, "role": role, "score": float(score)}
            for label, by_role in checked.items()
            for role, values in by_role.items()
            for score in values
        ],
        title=title,
        alt=_describe(checked),
        caption=(
            "Each word's score is the mean attention it gets from the row that predicts the "
            "answer. Dots are medians, bars hold the middle half of the words."
        ),
    )


def _check(label: str, by_role: Mapping[str, ArrayLike]) -> dict[Role, np.ndarray]:
    unknown = set(by_role) - set(_ROLES)
    if unknown:
        raise ValueError(
            f"model {label!r}: unknown role {sorted(unknown)[0]!r}; expected {', '.join(_ROLES)}"
        )
    checked: dict[Role, np.ndarray] = {}
    for role in _ROLES:
        values = np.asarray(by_role.get(role, ()), dtype=np.float64)
        where = f"scores of model {label!r}, role {role!r}"
        if values.ndim != 1:
            raise ValueError(f"{where}: expected a flat list of numbers, got shape {values.shape}")
        if not np.isfinite(values).all():
            at = int(np.flatnonzero(~np.isfinite(values))[0])
            raise ValueError(f"{where}: expected finite numbers, got {values[at]} at index {at}")
        if values.size and not (values.min() >= 0 and values.max() <= 1 + 1e-6):
            raise ValueError(
                f"{where}: attention lies between 0 and 1, got {values.min():.4g} to "
                f"{values.max():.4g}"
            )
        checked[role] = values
    if not any(values.size for values in checked.values()):
        raise ValueError(f"model {label!r} has no scores in any role")
    return checked


def _choose_scale(scores: Scores, scale: Scale) -> Literal["linear", "log"]:
    groups = [values for by_role in scores.values() for values in by_role.values() if values.size]
    zeros = sum(int((values == 0).sum()) for values in groups)
    if scale == "auto":
        widths = [float(values.std()) for values in groups if not _is_constant(values)]
        uneven = bool(widths) and max(widths) > _WIDTH_RATIO_FOR_LOG * min(widths)
        return "log" if uneven and not zeros else "linear"
    if scale not in ("linear", "log"):
        raise ValueError(f"unknown scale {scale!r}; expected auto, linear or log")
    if scale == "log" and zeros:
        raise ValueError(f"{zeros} scores are exactly 0 and have no place on a log axis")
    return scale


def _is_constant(values: np.ndarray) -> bool:
    return values.size < 2 or bool(np.ptp(values) <= 1e-6 * np.abs(values).max())


def _describe(scores: Scores) -> str:
    panels = []
    for label, by_role in scores.items():
        medians = ", ".join(
            f"{role} {np.median(values):.3g}" for role, values in by_role.items() if values.size
        )
        panels.append(f"{label}: {medians}")
    return "Density of attention scores by role. Medians: " + "; ".join(panels) + "."


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
            for role in _ROLES
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
    _limit_height(densities, peaks, cut=scale == "linear", theme=theme)
    for at, (label, by_role) in enumerate(scores.items()):
        medians, density = panels[at]
        medians.set_title(wrap(label, 24), pad=4)
        _draw_medians(medians, by_role, theme)
        density.tick_params(labelleft=at % columns == 0, labelbottom=True)
        density.grid(axis="x")
        name = "density per tenfold" if scale == "log" else "density"
        density.set_ylabel(name if at % columns == 0 else "")
    figure.supxlabel(
        "mean attention score of a word (row that predicts the answer)"
        + (", log scale" if scale == "log" else ""),
        fontsize=9,
    )
    return figure


def _draw_densities(
    axes: Axes, by_role: Mapping[Role, np.ndarray], scale: Literal["linear", "log"]
) -> list[tuple[Role, float, float]]:
    """Draw a curve per role, or a line where there is no spread; return (role, x, y) of peaks."""
    if scale == "log":
        axes.set_xscale("log")
    peaks = []
    for role, values in by_role.items():
        style = ROLE_STYLES[role]
        if not values.size:
            continue
        if _is_constant(values):
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
    values = np.concatenate([v for by_role in scores.values() for v in by_role.values()])
    if scale == "linear":
        low, high = axes.get_xlim()
        axes.set_xlim(max(0.0, low), max(min(1.0, high), 1.05 * float(values.max()), 1e-3))
        return
    low, high = float(values.min()) / 1.5, min(1.0, float(values.max()) * 1.5)
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
    *,
    cut: bool,
    theme: Theme,
) -> None:
    """Give all panels one height; where that cuts a curve, write its peak beside the cut."""
    for axes in densities[1:]:
        axes.sharey(densities[0])
    heights = [height for panel in peaks for _, _, height in panel]
    if not heights:  # vertical lines only: there is no density to read off
        densities[0].set_yticks([])
        return
    limit = max(heights)
    if cut:
        limit = min(limit, _CUT * float(np.quantile(heights, 0.25)))
    top = 1.12 * limit
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
