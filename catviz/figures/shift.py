"""Attention against effect: does a model that looks at the causes also answer by them?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.layout import text_inches
from catviz.figures.records import finite_number
from catviz.figures.style import SeriesStyle, Theme, series_style
from catviz.figures.text import printable, shorten

__all__ = ["attention_against_effect"]

_FONT = 8.5
_LETTERS = 44  # longest name

# Inches.
_PANEL = 3.2
_LEFT, _BETWEEN, _BELOW = 0.65, 0.62, 0.5
_HEADING = 0.72
_KEY_LINE = 0.21
_MOST_COLUMNS = 3


def attention_against_effect(
    points: Sequence[Mapping[str, object]],
    *,
    effect: str,
    notes: Mapping[str, str] | None = None,
    title: str = "Attention against effect",
    caption: str = "",
) -> Figure:
    """Draw one mark a run: its ratio C/N against what a change of the spurious values does.

    A point is ``{"method", "panel", "ratio", "effect"}``; runs of one method share a mark. A ratio
    of more than 1 means that a causal token gets more attention than another. Were attention an
    explanation, the marks would fall from the upper left to the lower right.

    Args:
        effect: what the effects are, with their unit.
        notes: panel -> a line below its name, such as a rank correlation.

    Raises:
        ValueError: nothing to draw, a field missing, no number, a ratio that is not above 0.

    >>> figure = attention_against_effect(
    ...     [{"method": "plain", "panel": "STG_S", "ratio": 0.3, "effect": 12.0}],
    ...     effect="answers that change (%)")
    >>> figure.data[0]["effect"]
    12.0
    """
    dots = [_dot(record, f"point {at}") for at, record in enumerate(points)]
    if not dots:
        raise ValueError("no points to draw: expected at least one")
    return Figure(
        draw=partial(_draw, dots=dots, effect=effect, notes=dict(notes or {})),
        data=[asdict(dot) for dot in dots],
        title=title,
        alt=_describe(dots, effect, notes or {}),
        caption=" ".join(
            filter(None, [caption, "One mark a run; C/N on a log axis, the dashed line at 1."])
        ),
    )


@dataclass(frozen=True)
class _Dot:
    method: str
    panel: str
    ratio: float
    effect: float


def _dot(record: Mapping[str, object], where: str) -> _Dot:
    for field in ("method", "panel", "ratio", "effect"):
        if field not in record:
            raise ValueError(f"{where}: the record has no {field!r}, only {sorted(record)}")
    where = f"{where}, {record['method']!r} in {record['panel']!r}"
    ratio = finite_number(record["ratio"], f"{where}, ratio")
    if ratio <= 0:
        raise ValueError(f"{where}: expected a ratio above 0 for a log axis, got {ratio:g}")
    return _Dot(
        method=str(record["method"]),
        panel=str(record["panel"]),
        ratio=ratio,
        effect=finite_number(record["effect"], f"{where}, effect"),
    )


def _describe(dots: Sequence[_Dot], effect: str, notes: Mapping[str, str]) -> str:
    parts = []
    for panel in dict.fromkeys(dot.panel for dot in dots):
        means = []
        for method in dict.fromkeys(dot.method for dot in dots if dot.panel == panel):
            those = [dot for dot in dots if (dot.panel, dot.method) == (panel, method)]
            ratios = sorted(dot.ratio for dot in those)
            mean = sum(dot.effect for dot in those) / len(those)
            means.append(f"{method}: C/N {ratios[len(ratios) // 2]:.2g}, effect {mean:.3g}")
        note = f" ({notes[panel].rstrip('.')})" if panel in notes else ""
        parts.append(f"{panel}{note}, {effect}: " + ", ".join(means))
    return "; ".join(parts) + "."


def _draw(
    theme: Theme, *, dots: Sequence[_Dot], effect: str, notes: Mapping[str, str]
) -> MplFigure:
    panels = list(dict.fromkeys(dot.panel for dot in dots))
    methods = list(dict.fromkeys(dot.method for dot in dots))
    styles = {method: series_style(at, theme) for at, method in enumerate(methods)}
    columns = min(len(panels), 2)
    width = columns * (_LEFT + _PANEL) + (columns - 1) * (_BETWEEN - _LEFT) + 0.15
    names = {method: shorten(printable(method), _LETTERS) for method in methods}
    column = 0.25 + max(text_inches(name, _FONT) for name in names.values()) + 0.2
    key_columns = max(1, min(_MOST_COLUMNS, int(width / column)))
    key = _KEY_LINE * -(-len(methods) // key_columns) + 0.1
    rows = -(-len(panels) // columns)
    row_height = _HEADING + _PANEL * 0.8 + _BELOW
    canvas = Canvas(max(width, column), key + rows * row_height)
    sheet = canvas.sheet()
    for at, (method, style) in enumerate(styles.items()):
        x, y = (at % key_columns) * column, (at // key_columns + 0.5) * _KEY_LINE
        _mark(sheet, [x + 0.08], [y], style)
        sheet.text(x + 0.25, y, names[method], fontsize=_FONT, va="center_baseline")
    for at, panel in enumerate(panels):
        x = _LEFT + (at % columns) * (_PANEL + _BETWEEN)
        y = key + (at // columns) * row_height + _HEADING
        axes = canvas.axes(x, y, _PANEL, _PANEL * 0.8)
        chosen = [dot for dot in dots if dot.panel == panel]
        for method, style in styles.items():
            those = [dot for dot in chosen if dot.method == method]
            _mark(axes, [dot.ratio for dot in those], [dot.effect for dot in those], style)
        axes.set_xscale("log")
        _keep_decades_apart(axes)
        axes.axvline(1, color=theme.muted, linestyle=(0, (7, 4)), linewidth=0.8)
        axes.margins(x=0.08, y=0.08)
        axes.grid()
        axes.set_xlabel("C/N (attention on a cause over another token)")
        if at % columns == 0:
            axes.set_ylabel(effect)
        sheet.text(
            x, y - 0.42, printable(panel), fontsize=10, fontweight="bold", va="center_baseline"
        )
        sheet.text(
            x, y - 0.17, printable(notes.get(panel, "")), fontsize=8, color=theme.muted,
            va="center_baseline",
        )  # fmt: skip
    return canvas.figure


def _mark(axes: Axes, x: Sequence[float], y: Sequence[float], style: SeriesStyle) -> None:
    axes.plot(x, y, style.marker, color=style.colour, markersize=5, alpha=0.85, linestyle="none")


def _keep_decades_apart(axes: Axes) -> None:
    axes.xaxis.set_major_locator(LogLocator(10, numticks=5))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
