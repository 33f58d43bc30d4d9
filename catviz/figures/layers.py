"""How much attention the words of each role get, layer by layer."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from catviz.figures.figure import Figure
from catviz.figures.layout import figure_with_legend
from catviz.figures.role_curves import Scale, check_attention
from catviz.figures.style import ROLE_STYLES, Theme
from catviz.figures.text import wrap
from catviz.scores import SCORED_ROLES, RoleScores
from catviz.words import Role

__all__ = ["density_over_layers"]

_PANELS_PER_ROW = 4
_RANGE_FOR_LOG = 10.0  # of the highest quartile over the lowest
_DODGE = 0.16  # layers, between the roles of a model with few layers
_FEW_LAYERS = 4  # that are drawn as bars beside one another: a band needs a length


@dataclass(frozen=True)
class _Band:
    """The quartiles of one role's scores, (layer,) each."""

    low: np.ndarray
    median: np.ndarray
    high: np.ndarray
    words: int


Bands = dict[str, dict[Role, _Band]]


def density_over_layers(
    scores: Mapping[str, RoleScores],
    *,
    title: str = "Attention by role, layer by layer",
    scale: Scale = "auto",
) -> Figure:
    """Draw a panel per model with a line per role: the median score of its words in each layer.

    A layer's map is the mean over its heads. Bands (bars in a model of few layers) hold the middle
    half of the words.

    Args:
        scores: model -> scores per layer or per head, as ``role_scores(..., per="layer")`` gives.
        scale: of the vertical axis. On "log" equal distances are equal ratios; "auto" takes it when
            the quartiles are above zero and spread more than tenfold.

    Raises:
        ValueError: no model, scores in the mean map only, scores that are not attention.

    >>> density_over_layers({"plain": role_scores(*model, texts, per="layer")})  # doctest: +SKIP
    """
    if not scores:
        raise ValueError("no scores to draw: expected at least one model")
    bands = {label: _bands(label, by_role) for label, by_role in scores.items()}
    return Figure(
        draw=partial(_draw, bands=bands, log=_is_log(bands, scale)),
        data=[
            {
                "model": label,
                "role": role,
                "layer": layer,
                "median": float(band.median[layer]),
                "low": float(band.low[layer]),
                "high": float(band.high[layer]),
                "words": band.words,
            }
            for label, by_role in bands.items()
            for role, band in by_role.items()
            for layer in range(len(band.median))
        ],
        title=title,
        alt=_describe(bands),
        caption=(
            "Each word's score is the mean attention it gets from the row that predicts the "
            "answer, in the mean over a layer's heads. Lines are medians over the words of a role, "
            "bands hold the middle half of them. Layer 0 stands nearest to the text."
        ),
    )


def _bands(label: str, scores: RoleScores) -> dict[Role, _Band]:
    if not isinstance(scores, RoleScores):
        raise ValueError(
            f'model {label!r}: expected scores of role_scores(..., per="layer"), got '
            f"{type(scores).__name__}"
        )
    bands: dict[Role, _Band] = {}
    for role, values in scores.by_layer().items():
        check_attention(values, f"scores of model {label!r}, role {role!r}")
        low, median, high = np.quantile(values, [0.25, 0.5, 0.75], axis=-1)
        bands[role] = _Band(low, median, high, values.shape[-1])
    return bands


def _is_log(bands: Bands, scale: Scale) -> bool:
    each = [band for by_role in bands.values() for band in by_role.values()]
    lowest = min(float(band.low.min()) for band in each)
    highest = max(float(band.high.max()) for band in each)
    if scale == "auto":
        return lowest > 0 and highest > _RANGE_FOR_LOG * lowest
    if scale not in ("linear", "log"):
        raise ValueError(f"unknown scale {scale!r}; expected auto, linear or log")
    if scale == "log" and lowest <= 0:
        raise ValueError(
            "a quarter of the scores of a role are 0: they have no place on a log axis"
        )
    return scale == "log"


def _describe(bands: Bands) -> str:
    panels = []
    for label, by_role in bands.items():
        peaks = ", ".join(
            f"{role} highest in layer {int(band.median.argmax())} ({band.median.max():.3g})"
            for role, band in by_role.items()
        )
        panels.append(f"{label}: {peaks}")
    return "Median attention score by role over layers. " + "; ".join(panels) + "."


def _draw(theme: Theme, *, bands: Bands, log: bool) -> MplFigure:
    columns = min(len(bands), _PANELS_PER_ROW)
    rows = -(-len(bands) // columns)
    layers = max(len(band.median) for by_role in bands.values() for band in by_role.values())
    figure = figure_with_legend(
        max((3.2 if layers > _FEW_LAYERS else 2.2) * columns, 3.7) + 0.9,
        2.6 * rows,
        [
            Line2D(
                [], [], color=style.colour, linestyle=style.dash, label=f"{style.letter}  {role}"
            )
            for role in SCORED_ROLES
            for style in [ROLE_STYLES[role]]
        ],
    )
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).flatten()
    for unused in grid[len(bands) :]:
        unused.remove()
    for at, (label, by_role) in enumerate(bands.items()):
        _draw_panel(grid[at], by_role)
        grid[at].set_title(wrap(label, 30 if layers > _FEW_LAYERS else 22))
        grid[at].grid(axis="y")
        grid[at].tick_params(labelleft=at % columns == 0)
    if log:
        _use_log(grid[0], bands)
    else:
        grid[0].set_ylim(bottom=0)
    figure.supxlabel("layer", fontsize=9)
    figure.supylabel(
        "mean attention score of a word" + (",\nlog scale" if log else ""), fontsize=9,
        multialignment="center",
    )  # fmt: skip
    return figure


def _draw_panel(axes: Axes, by_role: Mapping[Role, _Band]) -> None:
    layers = len(next(iter(by_role.values())).median)
    few = layers <= _FEW_LAYERS
    for role, band in by_role.items():
        style = ROLE_STYLES[role]
        at = np.arange(layers) + (_DODGE * (SCORED_ROLES.index(role) - 1) if few else 0)
        if few:
            axes.vlines(at, band.low, band.high, color=style.colour, linewidth=4, alpha=0.35)
            for x, y in zip(at, band.median, strict=True):
                axes.annotate(
                    style.letter, (x, y), textcoords="offset points", xytext=(5, 0), ha="left",
                    va="center_baseline", fontsize=7.5, fontweight="bold",
                )  # fmt: skip
        else:
            axes.fill_between(at, band.low, band.high, color=style.colour, alpha=0.16, linewidth=0)
        axes.plot(
            at, band.median, color=style.colour, linestyle=style.dash,
            marker="o" if few else None, markersize=4,
        )  # fmt: skip
    axes.set_xlim(-0.5 if few else 0, layers - 0.5 if few else layers - 1)
    if few:
        axes.set_xticks(range(layers))
    else:
        axes.xaxis.set_major_locator(MaxNLocator(6, integer=True, steps=[1, 2, 5, 10]))


def _use_log(axes: Axes, bands: Bands) -> None:
    """Put a log axis into all panels, which share it, with numbers that can be read."""
    each = [band for by_role in bands.values() for band in by_role.values()]
    low = min(float(band.low.min()) for band in each) / 1.3
    high = min(1.0, max(float(band.high.max()) for band in each) * 1.3)
    axes.set_yscale("log")
    axes.set_ylim(low, high)
    wide = high > 300 * low
    axes.yaxis.set_major_locator(LogLocator(10, (1.0,) if wide else (1.0, 3.0)))
    axes.yaxis.set_minor_locator(LogLocator(10, subs=range(2, 10)))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())
