"""How training went: losses, the attention ratio and the causal mass over steps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.lines import Line2D
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from catviz.figures.figure import Figure
from catviz.figures.style import Theme, series_style
from catviz.figures.text import printable, shorten

__all__ = ["training_curves"]

Curves = dict[str, list[dict[str, float | None]]]


@dataclass(frozen=True)
class _Panel:
    key: str
    title: str
    absent: str = "not recorded"
    may_be_log: bool = False
    is_share: bool = False


_PANELS = (
    _Panel("lm_loss", "Language-model loss"),
    _Panel("attn_loss", "Re-Attention loss", absent="not used in plain training"),
    _Panel("ratio_mean", "Causal / other attention", may_be_log=True),
    _Panel("active_row_share", "Share of rows below alpha", is_share=True,
           absent="not used in plain training"),
    _Panel("causal_mass", "Attention on causal words", is_share=True),
)  # fmt: skip

_COLUMNS = 3
_MOST_MARKERS = 8


def training_curves(
    records: Mapping[str, Sequence[Mapping[str, object]]],
    *,
    title: str = "Training",
    targets: Mapping[str, float] | None = None,
) -> Figure:
    """Draw small multiples over training steps, one line per model.

    A record holds ``step`` and any of ``lm_loss``, ``attn_loss``, ``ratio_mean``,
    ``active_row_share``, ``causal_mass`` (and ``epoch``, ``gamma``, ``learning_rate``, which are
    kept in the data). A value may be None or missing: plain training has no Re-Attention loss.
    ``targets`` gives a model's alpha, the C/N ratio that its loss asks for, drawn as a thin line.

    >>> figure = training_curves({"plain": [{"step": 1, "lm_loss": 2.0}, {"step": 2}]})
    >>> figure.data[0]
    {'model': 'plain', 'step': 1.0, 'lm_loss': 2.0}
    """
    curves: Curves = {
        label: [_check(record, f"model {label!r}, record {at}") for at, record in enumerate(rows)]
        for label, rows in records.items()
    }
    if not any(curves.values()):
        raise ValueError("no records to draw: expected at least one model with one step")
    unknown = set(targets or {}) - set(curves)
    if unknown:
        raise ValueError(f"a target for the unknown model {sorted(unknown)[0]!r}")
    return Figure(
        draw=partial(_draw, curves=curves, targets=dict(targets or {})),
        data=[{"model": label, **record} for label, rows in curves.items() for record in rows],
        title=title,
        alt=_describe(curves),
        caption=(
            "Causal / other is C/N: the mean attention on a causal token over the mean on any "
            "other, averaged over the rows that have a cause. The Re-Attention loss acts on the "
            "rows where it is below alpha." + (" Thin lines mark the alphas." if targets else "")
        ),
    )


def _check(record: Mapping[str, object], where: str) -> dict[str, float | None]:
    if record.get("step") is None:
        raise ValueError(f"{where}: no 'step', only {sorted(record)}")
    checked: dict[str, float | None] = {}
    for key, value in record.items():
        if value is None:
            checked[key] = None
            continue
        try:
            checked[key] = float(value)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise ValueError(f"{where}: {key} is {value!r}, expected a number or None") from None
        if not math.isfinite(float(value)):  # type: ignore[arg-type]
            raise ValueError(
                f"{where}: {key} is {value} at step {record['step']}; did training diverge?"
            )
    return checked


def _series(rows: Sequence[Mapping[str, float | None]], key: str) -> list[tuple[float, float]]:
    """Return (step, value) where there is a value."""
    found = []
    for row in rows:
        step, value = row["step"], row.get(key)
        if step is not None and value is not None:
            found.append((step, value))
    return sorted(found)


def _describe(curves: Curves) -> str:
    parts = []
    for label, rows in curves.items():
        ends = [
            f"{panel.title} {values[0][1]:.3g} to {values[-1][1]:.3g}"
            for panel in _PANELS
            if (values := _series(rows, panel.key))
        ]
        parts.append(f"{label}: " + (", ".join(ends) or "no values"))
    return "Training from the first to the last step. " + "; ".join(parts) + "."


def _draw(theme: Theme, *, curves: Curves, targets: Mapping[str, float]) -> MplFigure:
    rows = -(-len(_PANELS) // _COLUMNS)
    figure = MplFigure(
        figsize=(9.6, 2.4 * rows), layout=ConstrainedLayoutEngine(wspace=0.06, hspace=0.08)
    )
    grid = figure.subplots(rows, _COLUMNS, squeeze=False).flatten()
    for axes, panel in zip(grid, _PANELS, strict=False):
        axes.set_title(panel.title, fontsize=9)
        series = {label: _series(points, panel.key) for label, points in curves.items()}
        if any(series.values()):
            _draw_panel(axes, panel, series, theme)
        else:
            _draw_note(axes, panel.absent, theme)
        if panel.key == "ratio_mean" and any(series.values()):
            for label, alpha in targets.items():
                style = series_style(list(curves).index(label), theme)
                axes.axhline(alpha, color=style.colour, linestyle=style.dash, linewidth=0.7)
    _draw_legend(grid[len(_PANELS)], list(curves), theme)
    return figure


def _draw_legend(axes: Axes, labels: Sequence[str], theme: Theme) -> None:
    """Name the models in the place that the five panels leave free."""
    axes.set_axis_off()
    styles = [series_style(at, theme) for at in range(len(labels))]
    axes.legend(
        handles=[
            Line2D(
                [], [], color=style.colour, linestyle=style.dash, marker=style.marker,
                markersize=4, label=shorten(printable(label), 36),
            )
            for label, style in zip(labels, styles, strict=True)
        ],
        loc="upper left", handlelength=3.4, borderaxespad=0, fontsize=9 if len(labels) < 9 else 7,
    )  # fmt: skip


def _draw_panel(
    axes: Axes, panel: _Panel, series: Mapping[str, Sequence[tuple[float, float]]], theme: Theme
) -> None:
    for at, points in enumerate(series.values()):
        style = series_style(at, theme)
        if points:
            axes.plot(
                *zip(*points, strict=True), color=style.colour, linestyle=style.dash,
                linewidth=1.4, marker=style.marker, markersize=3.6,
                markevery=_markers(at, len(points)),
            )  # fmt: skip
    axes.set_xlabel("step")
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True, steps=[1, 2, 5, 10]))
    axes.grid(axis="y")
    values = np.array([value for points in series.values() for _, value in points])
    if panel.may_be_log and values.min() > 0 and values.max() > 10 * values.min():
        _use_log(axes, values)
    elif values.min() >= 0:
        whole = panel.is_share and values.max() > 0.5
        top = 1.0 if whole else float(values.max()) or 1.0
        axes.set_ylim(-0.03 * top, 1.08 * top)
    absent = [label for label, points in series.items() if not points]
    if absent:
        names = shorten(", ".join(printable(label) for label in absent), 30)
        axes.text(
            0.97, 0.96, f"{names}: {panel.absent.removesuffix(' in plain training')}",
            transform=axes.transAxes, ha="right", va="top", fontsize=7.5, color=theme.muted,
            bbox={"facecolor": theme.background, "edgecolor": "none", "pad": 1.5},
        )  # fmt: skip


def _markers(at: int, points: int) -> tuple[int, int]:
    """Return (first, every): a few markers, at other steps for each line, to show them all."""
    every = max(1, points // _MOST_MARKERS)
    return at * max(1, every // 4) % every, every


def _use_log(axes: Axes, values: np.ndarray) -> None:
    axes.set_yscale("log")
    wide = values.max() > 300 * values.min()
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0,) if wide else (1.0, 3.0)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.set_title(f"{axes.get_title(loc='left')}, log scale", fontsize=9)


def _draw_note(axes: Axes, note: str, theme: Theme) -> None:
    """Say why there is nothing, in the panel's place."""
    axes.set_axis_off()
    axes.text(
        0.0, 0.95, note, transform=axes.transAxes, ha="left", va="top", fontsize=9,
        color=theme.muted, fontstyle="italic",
    )  # fmt: skip
