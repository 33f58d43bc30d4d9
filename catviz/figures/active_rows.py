"""What an alpha gains over plain training, beside the share of rows that it made active."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.layout import text_inches
from catviz.figures.mark_labels import MarkLabel, distance, filled, free_box, segment
from catviz.figures.records import finite_number, interval
from catviz.figures.style import SeriesStyle, Theme, series_style
from catviz.figures.text import printable, shorten

__all__ = ["gain_over_active_rows"]

_LABEL_FONT = 7.5
_LETTERS = 52  # longest name

# Inches.
_WIDTH, _HEIGHT = 3.8, 3.4
_LEFT, _BETWEEN = 0.65, 0.3
_KEY_LINE, _KEY_MARK = 0.2, 0.8
_TITLE, _AXIS = 0.35, 0.55
_ROOM = 0.44  # left of no active row, for the label of a grid's small alphas
_MARK = 0.06  # half a mark, with air
_NEAR = 0.13  # marks of one line that share a label


def gain_over_active_rows(
    points: Sequence[Mapping[str, object]],
    *,
    title: str = "Gain over the share of active rows",
    caption: str = "",
) -> Figure:
    """Draw a line through the alphas of every series, in a panel each for IID and OOD.

    A point is ``{"line", "panel", "alpha", "active", "value", "low", "high"}``: ``active`` is the
    share of active rows in percent, ``value`` what the alpha has more than plain training, in
    percentage points; ``low`` and ``high`` may be absent or None. An alpha is written beside its
    mark where there is room, once for marks that lie together.

    Raises:
        ValueError: nothing to draw, two points of one alpha, a field missing, no number, an alpha
            that is not above 0, a share outside 0 to 100.

    >>> figure = gain_over_active_rows(
    ...     [{"line": "tiny, STG_S", "panel": "OOD", "alpha": 10.0, "active": 70.0, "value": 14.5}])
    >>> figure.alt
    'OOD, tiny, STG_S: alpha 10: 70% of rows active, +14.5 points.'
    """
    drawn = [_point(record, f"point {at}") for at, record in enumerate(points)]
    if not drawn:
        raise ValueError("no points to draw: expected at least one")
    _refuse_duplicates(drawn)
    drawn.sort(key=lambda point: point.alpha)  # the order of panels and lines stays
    panels = list(dict.fromkeys(str(record["panel"]) for record in points))
    lines = list(dict.fromkeys(str(record["line"]) for record in points))
    drawn.sort(key=lambda point: (panels.index(point.panel), lines.index(point.line)))
    return Figure(
        draw=partial(_draw, points=drawn),
        data=[asdict(point) for point in drawn],
        title=title,
        alt=_describe(drawn),
        caption=" ".join(
            filter(
                None,
                [
                    caption,
                    "Each mark is an alpha, written beside it where there is room; lines join "
                    "alphas in rising order.",
                    "Bars: 95% intervals." if any(p.low is not None for p in drawn) else "",
                    "The dashed line at 0 is plain training.",
                ],
            )
        ),
    )


@dataclass(frozen=True)
class _Point:
    line: str
    panel: str
    alpha: float
    active: float
    gain: float
    low: float | None
    high: float | None


def _point(record: Mapping[str, object], where: str) -> _Point:
    for field in ("line", "panel", "alpha", "active", "value"):
        if field not in record:
            raise ValueError(f"{where}: the record has no {field!r}, only {sorted(record)}")
    where = f"{where}, {record['line']!r} in {record['panel']!r} at alpha {record['alpha']}"
    alpha = finite_number(record["alpha"], f"{where}, alpha")
    if alpha <= 0:
        raise ValueError(f"{where}: expected alpha above 0, got {alpha:g}")
    active = finite_number(record["active"], f"{where}, active")
    if not 0 <= active <= 100:
        raise ValueError(f"{where}: expected a share of rows from 0 to 100%, got {active:g}")
    gain = finite_number(record["value"], f"{where}, value")
    low, high = interval(record, "value", where)
    return _Point(str(record["line"]), str(record["panel"]), alpha, active, gain, low, high)


def _refuse_duplicates(points: Sequence[_Point]) -> None:
    seen: set[tuple[str, str, float]] = set()
    for point in points:
        place = (point.line, point.panel, point.alpha)
        if place in seen:
            raise ValueError(
                f"two points of {point.line!r} in {point.panel!r} at alpha {point.alpha:g}; "
                "average the seeds first"
            )
        seen.add(place)


def _describe(points: Sequence[_Point]) -> str:
    parts = []
    for panel, line in dict.fromkeys((point.panel, point.line) for point in points):
        said = [
            f"alpha {p.alpha:g}: {p.active:.3g}% of rows active, {p.gain:+.3g} points"
            for p in points
            if (p.panel, p.line) == (panel, line)
        ]
        parts.append(f"{panel}, {line}: {'; '.join(said)}")
    return ". ".join(parts) + "."


def _draw(theme: Theme, *, points: Sequence[_Point]) -> MplFigure:
    panels = list(dict.fromkeys(point.panel for point in points))
    lines = list(dict.fromkeys(point.line for point in points))
    styles = {line: series_style(at, theme) for at, line in enumerate(lines)}
    names = [shorten(printable(line), _LETTERS) for line in lines]
    column = _KEY_MARK + max(text_inches(name, 9) for name in names)
    width = max(_LEFT + len(panels) * (_WIDTH + _BETWEEN), column)
    columns = max(1, int(width / column))
    top = -(-len(names) // columns) * _KEY_LINE + _TITLE + 0.1
    canvas = Canvas(width, top + _HEIGHT + _AXIS)
    canvas.figure.legend(
        handles=[_key(name, style) for name, style in zip(names, styles.values(), strict=True)],
        loc="upper left", bbox_to_anchor=(0, 1), ncols=columns, borderaxespad=0,
        handlelength=3.2, columnspacing=1.5,
    )  # fmt: skip
    right = min(105, max(20, 10 + max(point.active for point in points)))
    shared: Axes | None = None
    for at, panel in enumerate(panels):
        axes = canvas.axes(_LEFT + at * (_WIDTH + _BETWEEN), top, _WIDTH, _HEIGHT)
        axes.axhline(0, color=theme.muted, linestyle=(0, (7, 4)), linewidth=0.8)
        for line, style in styles.items():
            _draw_line(axes, [p for p in points if (p.panel, p.line) == (panel, line)], style)
        axes.set_xlim(-_ROOM / (_WIDTH - _ROOM) * right, right)
        axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= right])
        axes.set_xlabel("active rows in the first epoch (%)")
        axes.set_title(printable(panel))
        axes.grid(axis="y")
        if shared is None:
            axes.set_ylabel("accuracy above plain (percentage points)")
            axes.margins(y=0.12)
            shared = axes
        else:
            axes.sharey(shared)
            axes.tick_params(labelleft=False)
    for panel, axes in zip(panels, canvas.figure.axes, strict=True):
        _write_alphas(axes, [point for point in points if point.panel == panel], styles, theme)
    return canvas.figure


def _key(name: str, style: SeriesStyle) -> Line2D:
    return Line2D(
        [], [], color=style.colour, linestyle=style.dash, marker=style.marker, markersize=5,
        label=name,
    )  # fmt: skip


def _draw_line(axes: Axes, points: Sequence[_Point], style: SeriesStyle) -> None:
    axes.plot(
        [point.active for point in points], [point.gain for point in points], color=style.colour,
        linestyle=style.dash, linewidth=1.2, marker=style.marker, markersize=5,
    )  # fmt: skip
    for point in points:
        if point.low is not None and point.high is not None:
            axes.plot(
                [point.active] * 2, [point.low, point.high], color=style.colour, linewidth=0.9,
                alpha=0.6,
            )  # fmt: skip


# ----------------------------------------------------------------------------- labels


class _Inches:
    """Where a point of the data is drawn, in inches from the panel's lower left corner."""

    def __init__(self, axes: Axes) -> None:
        (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
        self.origin = np.array([left, low])
        self.scale = np.array([_WIDTH / (right - left), _HEIGHT / (high - low)])

    def __call__(self, active: float, gain: float) -> np.ndarray:
        return (np.array([active, gain]) - self.origin) * self.scale

    def mark(self, point: _Point) -> np.ndarray:
        return self(point.active, point.gain)

    def interval(self, point: _Point) -> list[np.ndarray]:
        """Both ends, or none."""
        return [self(point.active, y) for y in (point.low, point.high) if y is not None]


def _write_alphas(
    axes: Axes, points: Sequence[_Point], styles: Mapping[str, SeriesStyle], theme: Theme
) -> None:
    """Beside the marks, where nothing is covered; in ink where several lines say the same."""
    inches = _Inches(axes)
    lines = [[p for p in points if p.line == line] for line in styles]
    taken = np.concatenate([_places_taken(those, inches) for those in lines])
    labels: list[tuple[MarkLabel, str]] = []
    for those, style in zip(lines, styles.values(), strict=True):
        for group in _together(those, inches):
            text = " to ".join(dict.fromkeys(f"{p.alpha:g}" for p in (group[0], group[-1])))
            marks = [inches.mark(point) for point in group]
            ends = [end for point in group for end in inches.interval(point)]
            label = MarkLabel(text, np.array(marks), np.array([*marks, *ends]))
            for at, (other, _) in enumerate(labels):
                if other.text == text and distance(other.marks[0], label.marks[0]) < _NEAR:
                    labels[at] = other.joined(label), theme.ink
                    break
            else:
                labels.append((label, style.colour))
    page = np.array([_WIDTH, _HEIGHT])
    for label, colour in labels:
        box = free_box(label, taken, page, font=_LABEL_FONT, gap=_MARK)
        if box is not None:
            taken = np.concatenate([taken, filled(*box)])
            axes.annotate(
                label.text, tuple(np.mean(box, axis=0) / page), xycoords="axes fraction",
                ha="center", va="center", fontsize=_LABEL_FONT, color=colour,
            )  # fmt: skip


def _together(points: Sequence[_Point], inches: _Inches) -> list[list[_Point]]:
    """Neighbouring alphas whose marks all lie near the first of them."""
    groups: list[list[_Point]] = []
    for point in points:
        if groups and distance(inches.mark(groups[-1][0]), inches.mark(point)) < _NEAR:
            groups[-1].append(point)
        else:
            groups.append([point])
    return groups


def _places_taken(points: Sequence[_Point], inches: _Inches) -> np.ndarray:
    """(place, 2) that no label may cover: a line, its marks and intervals, and the line at 0."""
    zero = inches(0, 0)[1]
    marks = [inches.mark(point) for point in points]
    return np.concatenate(
        [
            segment(np.array([0, zero]), np.array([_WIDTH, zero])),
            *(segment(one, other) for one, other in pairwise(marks)),
            *(filled(mark - _MARK, mark + _MARK) for mark in marks),
            *(segment(*ends) for point in points if (ends := inches.interval(point))),
        ]
    )
