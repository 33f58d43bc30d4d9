"""Methods as lines over something that was varied: the size of the data, the spurious strength."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.layout import text_inches
from catviz.figures.records import finite_number, interval
from catviz.figures.reference_lines import spread
from catviz.figures.style import SeriesStyle, Theme, series_style
from catviz.figures.text import printable, shorten

__all__ = ["method_lines"]

_FONT = 8.5
_LETTERS = 52  # longest name

# Inches.
_HEIGHT = 3.0
_STEP = 0.55  # between two places on the axis
_LEFT, _BETWEEN = 0.65, 0.3
_KEY_LINE, _KEY_MARK = 0.22, 0.55
_TITLE, _AXIS = 0.3, 0.55
_LETTER_GAP = 0.13


def method_lines(
    points: Sequence[Mapping[str, object]],
    *,
    over: str,
    axis: str = "accuracy (%)",
    references: Sequence[Mapping[str, object]] = (),
    title: str,
    caption: str = "",
) -> Figure:
    """Draw a line a method in every panel, over places that stand in order and not to scale.

    A point is ``{"line", "panel", "x", "value", "low", "high"}``; ``low`` and ``high`` may be
    absent or None. The places are those of the points, in the order in which they first come.
    References are such points too, drawn dotted.

    Args:
        over: what x is.
        axis: what the values are, with their unit.

    Raises:
        ValueError: nothing to draw, two points in one place, a field missing, no number.

    >>> figure = method_lines([{"line": "plain", "panel": "OOD", "x": 1.0, "value": 75.0}],
    ...                       over="spurious strength", title="Accuracy over strength")
    >>> figure.data[0]["value"]
    75.0
    """
    drawn = [_point(record, f"point {at}") for at, record in enumerate(points)]
    if not drawn:
        raise ValueError("no points to draw: expected at least one")
    panels = list(dict.fromkeys(point.panel for point in drawn))
    places = list(dict.fromkeys(point.x for point in drawn))
    dotted = [_point(record, f"reference {at}") for at, record in enumerate(references)]
    dotted = [point for point in dotted if point.panel in panels and point.x in places]
    for those in (drawn, dotted):
        _refuse_duplicates(those)
    return Figure(
        draw=partial(_draw, points=drawn, references=dotted, over=over, axis=axis),
        data=[{"kind": "trained", **asdict(point)} for point in drawn]
        + [{"kind": "reference", **asdict(point)} for point in dotted],
        title=title,
        alt=_describe(drawn + dotted, over, axis),
        caption=" ".join(
            filter(
                None,
                [
                    caption,
                    f"The values of {over} stand in order, not to scale.",
                    "Bars: 95% intervals." if any(p.low is not None for p in drawn) else "",
                    "Dotted lines are rules without a model." if dotted else "",
                ],
            )
        ),
    )


@dataclass(frozen=True)
class _Point:
    line: str
    panel: str
    x: str
    value: float
    low: float | None
    high: float | None


def _point(record: Mapping[str, object], where: str) -> _Point:
    for field in ("line", "panel", "x", "value"):
        if field not in record:
            raise ValueError(f"{where}: the record has no {field!r}, only {sorted(record)}")
    where = f"{where}, {record['line']!r} in {record['panel']!r} at {record['x']}"
    low, high = interval(record, "value", where)
    x = record["x"]
    return _Point(
        line=str(record["line"]),
        panel=str(record["panel"]),
        x=f"{x:g}" if isinstance(x, float) else str(x),
        value=finite_number(record["value"], where),
        low=low,
        high=high,
    )


def _refuse_duplicates(points: Sequence[_Point]) -> None:
    seen: set[tuple[str, str, str]] = set()
    for point in points:
        place = (point.line, point.panel, point.x)
        if place in seen:
            raise ValueError(f"two values of {point.line!r} in {point.panel!r} at {point.x}")
        seen.add(place)


def _describe(points: Sequence[_Point], over: str, axis: str) -> str:
    parts = []
    for panel, line in dict.fromkeys((point.panel, point.line) for point in points):
        values = ", ".join(
            f"{p.x}: {p.value:.4g}" for p in points if (p.panel, p.line) == (panel, line)
        )
        parts.append(f"{panel}, {line}: {values}")
    return f"{axis} over {over}. " + "; ".join(parts) + "."


def _draw(
    theme: Theme,
    *,
    points: Sequence[_Point],
    references: Sequence[_Point],
    over: str,
    axis: str,
) -> MplFigure:
    panels = list(dict.fromkeys(point.panel for point in points))
    places = {x: at for at, x in enumerate(dict.fromkeys(point.x for point in points))}
    lines = list(dict.fromkeys(point.line for point in points))
    styles = {line: series_style(at, theme) for at, line in enumerate(lines)}
    rules = dict.fromkeys(point.line for point in references)
    letters = {name: chr(ord("a") + at) for at, name in enumerate(rules)}
    key = [shorten(printable(line), _LETTERS) for line in lines]
    key += [f"{letter}  {shorten(printable(name), _LETTERS)}" for name, letter in letters.items()]
    panel_width = max(2.4, _STEP * (len(places) + 0.2))
    width = _LEFT + len(panels) * (panel_width + _BETWEEN)
    column = _KEY_MARK + max(text_inches(name, _FONT) for name in key) + 0.25
    columns = max(1, int(width / column))
    rows = -(-len(key) // columns)
    top = rows * _KEY_LINE + _TITLE + 0.08
    canvas = Canvas(max(width, column), top + _HEIGHT + _AXIS)
    sheet = canvas.sheet()
    for at, name in enumerate(key):
        x, y = (at % columns) * column, (at // columns + 0.5) * _KEY_LINE
        _draw_key(sheet, x, y, styles[lines[at]] if at < len(lines) else None, theme)
        sheet.text(x + _KEY_MARK, y, name, fontsize=_FONT, va="center_baseline")
    shared: Axes | None = None
    for at, panel in enumerate(panels):
        axes = canvas.axes(_LEFT + at * (panel_width + _BETWEEN), top, panel_width, _HEIGHT)
        if shared is not None:
            axes.sharey(shared)
            axes.tick_params(labelleft=False)
        else:
            axes.set_ylabel(axis)
        shared = axes
        for line, style in styles.items():
            chosen = [p for p in points if (p.panel, p.line) == (panel, line)]
            _draw_line(axes, chosen, places, style, _dodge(lines.index(line), len(lines)))
        for name in letters:
            chosen = [p for p in references if (p.panel, p.line) == (panel, name)]
            axes.plot(
                [places[p.x] for p in chosen], [p.value for p in chosen],
                linestyle=(0, (1.2, 1.6)), color=theme.muted, linewidth=1.1,
            )  # fmt: skip
        axes.set_xlim(-0.4, len(places) - 0.6 + 0.25 * bool(letters))
        axes.set_xticks(list(places.values()), list(places))
        axes.set_xlabel(over)
        axes.set_title(printable(panel))
        axes.grid(axis="y")
    for at, panel in enumerate(panels):
        _letter_lines(canvas.figure.axes[at + 1], panel, references, places, letters)
    return canvas.figure


def _dodge(at: int, of: int) -> float:
    """Aside by a little, so that the intervals of methods do not cover one another."""
    return 0.0 if of == 1 else (at / (of - 1) - 0.5) * min(0.3, 0.06 * (of - 1))


def _draw_key(sheet: Axes, x: float, y: float, style: SeriesStyle | None, theme: Theme) -> None:
    ends = [x, x + _KEY_MARK - 0.12]
    if style is None:
        look = {"linestyle": (0, (1.2, 1.6)), "color": theme.muted, "linewidth": 1.1}
        sheet.add_line(Line2D(ends, [y, y], **look))  # type: ignore[arg-type]
        return
    middle = sum(ends) / 2
    sheet.add_line(
        Line2D(
            [ends[0], middle, ends[1]], [y, y, y], color=style.colour, linestyle=style.dash,
            marker=style.marker, markersize=5, markevery=[1],
        )
    )  # fmt: skip


def _draw_line(
    axes: Axes,
    points: Sequence[_Point],
    places: Mapping[str, int],
    style: SeriesStyle,
    dodge: float,
) -> None:
    points = sorted(points, key=lambda point: places[point.x])
    x = [places[point.x] + dodge for point in points]
    axes.plot(
        x, [point.value for point in points], color=style.colour, linestyle=style.dash,
        marker=style.marker, markersize=4.5,
    )  # fmt: skip
    for at, point in zip(x, points, strict=True):
        if point.low is not None and point.high is not None:
            axes.plot([at, at], [point.low, point.high], color=style.colour, linewidth=1.1)


def _letter_lines(
    axes: Axes,
    panel: str,
    references: Sequence[_Point],
    places: Mapping[str, int],
    letters: Mapping[str, str],
) -> None:
    """Write each rule's letter at the end of its line, apart from the others."""
    low, high = axes.get_ylim()
    ends: dict[str, _Point] = {}
    for point in sorted(references, key=lambda point: places[point.x]):
        if point.panel == panel:
            ends[point.line] = point
    ordered = sorted(ends.items(), key=lambda end: end[1].value)
    heights = spread(
        [(end.value - low) / (high - low) for _, end in ordered], _LETTER_GAP / _HEIGHT
    )
    for (name, _), height in zip(ordered, heights, strict=True):
        axes.annotate(
            letters[name], (1.0, height), (-2, 0), xycoords="axes fraction",
            textcoords="offset points", ha="right", va="center_baseline", fontsize=_FONT,
        )  # fmt: skip
