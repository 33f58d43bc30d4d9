"""Many estimates under one another: dots with their intervals, every seed as a small mark."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.layout import text_inches
from catviz.figures.records import finite_number, interval
from catviz.figures.reference_lines import (
    REFERENCE_LINE,
    References,
    check_references,
    draw_reference_key,
    key_height,
    label_upright_lines,
    letters_of,
    reference_note,
    reference_records,
)
from catviz.figures.style import SeriesStyle, Theme, series_style
from catviz.figures.text import printable, shorten, wrap

__all__ = ["dot_rows"]

_FONT = 8.5
_LETTERS = 40  # a line of a name
_LINES = 3

# Inches.
_PANELS = {1: 3.6, 2: 2.9, 3: 2.1}  # number of panels -> the width of each
_NARROW = 1.6  # of more panels
_BETWEEN = 0.3
_ROW, _NAME_LINE = 0.24, 0.15
_TITLE = 0.42  # above a panel: its name, and the letters of the references
_AXIS = 0.5  # below it: the numbers, and what they are
_LEGEND = 0.26


def dot_rows(
    estimates: Sequence[Mapping[str, object]],
    *,
    axis: str = "accuracy (%)",
    references: References | None = None,
    level: str | None = None,
    zero: bool = False,
    rows: Sequence[str] = (),
    title: str = "All methods",
    caption: str = "",
) -> Figure:
    """Draw rows of estimates, the same rows in every panel.

    An estimate is ``{"row", "panel", "value", "low", "high", "by_seed", "family", "note"}``:
    ``low`` and ``high`` may be absent or None, ``by_seed`` holds each seed's value, ``family`` says
    which rows share a colour and a mark, ``note`` is written behind the row's last panel.

    Args:
        axis: what the values are, with their unit.
        references: rule -> panel -> value, drawn as dotted lines.
        level: a row whose values are carried on through its panel as a thin dashed line.
        zero: draw a line at 0, where the values are differences.
        rows: the order of the rows, where it is not that of their first estimates.
        caption: how to read it, in front of what is said of marks and lines.

    Raises:
        ValueError: nothing to draw, two estimates in one place, a field missing, no number, an
            interval that does not hold its value.

    >>> figure = dot_rows([{"row": "plain", "panel": "OOD", "value": 75.0, "by_seed": [74, 76]}])
    >>> figure.data[0]["value"]
    75.0
    """
    dots = [_dot(record, f"estimate {at}") for at, record in enumerate(estimates)]
    if not dots:
        raise ValueError("no estimates to draw: expected at least one")
    _check_places(dots, level)
    panels = list(dict.fromkeys(dot.panel for dot in dots))
    lines = check_references(references or {}, panels)
    present = {dot.row for dot in dots}
    order = [row for row in dict.fromkeys([*rows, *(dot.row for dot in dots)]) if row in present]
    return Figure(
        draw=partial(
            _draw, dots=dots, rows=order, axis=axis, references=lines, level=level, zero=zero
        ),
        data=[{"kind": "estimate", **_record(dot)} for dot in dots] + reference_records(lines),
        title=title,
        alt=_describe(dots, axis, lines),
        caption=" ".join(filter(None, [caption, _note(dots, level), reference_note(lines)])),
    )


@dataclass(frozen=True)
class _Dot:
    row: str
    panel: str
    value: float
    low: float | None
    high: float | None
    by_seed: tuple[float, ...]
    family: str
    note: str


def _dot(record: Mapping[str, object], where: str) -> _Dot:
    for field in ("row", "panel", "value"):
        if field not in record:
            raise ValueError(f"{where}: the record has no {field!r}, only {sorted(record)}")
    where = f"{where}, {record['row']!r} in {record['panel']!r}"
    value = finite_number(record["value"], where)
    low, high = interval(record, "value", where)
    by_seed = record.get("by_seed") or ()
    assert isinstance(by_seed, Sequence)
    return _Dot(
        row=str(record["row"]),
        panel=str(record["panel"]),
        value=value,
        low=low,
        high=high,
        by_seed=tuple(finite_number(one, f"{where}, by_seed") for one in by_seed),
        family=str(record.get("family", "")),
        note=str(record.get("note", "")),
    )


def _check_places(dots: Sequence[_Dot], level: str | None) -> None:
    seen: set[tuple[str, str]] = set()
    for dot in dots:
        if (dot.row, dot.panel) in seen:
            raise ValueError(f"two estimates of {dot.row!r} in {dot.panel!r}")
        seen.add((dot.row, dot.panel))
    if level is not None and level not in {dot.row for dot in dots}:
        raise ValueError(f"expected level as one of the rows, got {level!r}")


def _record(dot: _Dot) -> dict[str, object]:
    """For CSV and JSON: the values of the seeds as one text."""
    return {**asdict(dot), "by_seed": " ".join(f"{value:g}" for value in dot.by_seed)}


def _note(dots: Sequence[_Dot], level: str | None) -> str:
    parts = []
    if any(dot.by_seed for dot in dots):
        parts.append("Small marks: single seeds.")
    if any(dot.low is not None for dot in dots):
        parts.append("Bars: 95% intervals.")
    if level is not None:
        parts.append(f"Thin dashed lines: {level}.")
    return " ".join(parts)


def _describe(dots: Sequence[_Dot], axis: str, references: References) -> str:
    parts = []
    for panel in dict.fromkeys(dot.panel for dot in dots):
        values = ", ".join(f"{dot.row} {dot.value:.4g}" for dot in dots if dot.panel == panel)
        lines = ", ".join(
            f"{name} {by[panel]:.4g}" for name, by in references.items() if panel in by
        )
        parts.append(f"{panel}, {axis}: {values}" + (f"; for reference: {lines}" if lines else ""))
    return ". ".join(parts) + "."


def _draw(
    theme: Theme,
    *,
    dots: Sequence[_Dot],
    rows: Sequence[str],
    axis: str,
    references: References,
    level: str | None,
    zero: bool,
) -> MplFigure:
    panels = list(dict.fromkeys(dot.panel for dot in dots))
    families = list(dict.fromkeys(dot.family for dot in dots))
    styles = {family: series_style(at, theme) for at, family in enumerate(families)}
    names = {row: wrap(row, _LETTERS, lines=_LINES) for row in rows}
    notes = {dot.row: printable(dot.note) for dot in dots if dot.note}
    lines_of_names = [line for name in names.values() for line in name.splitlines()]
    left = max((text_inches(line, _FONT) for line in lines_of_names), default=0.0) + 0.2
    right = max((text_inches(note, _FONT) for note in notes.values()), default=0.0) + 0.15
    most_lines = max(name.count("\n") + 1 for name in names.values())
    row_height = max(_ROW, _NAME_LINE * most_lines + 0.08)
    height = row_height * len(rows)
    panel_width = _PANELS.get(len(panels), _NARROW)
    named = [family for family in families if family]
    legend = _LEGEND if len(named) > 1 else 0.0
    width = left + len(panels) * (panel_width + _BETWEEN) - _BETWEEN + right
    key = key_height(references, panels, width)
    canvas = Canvas(width, legend + _TITLE + height + _AXIS + key)
    sheet = canvas.sheet()
    if legend:
        _draw_families(sheet, left, {family: styles[family] for family in named}, theme)
    top = legend + _TITLE
    for at, panel in enumerate(panels):
        x = left + at * (panel_width + _BETWEEN)
        axes = canvas.axes(x, top, panel_width, height)
        if zero and at:
            axes.sharex(canvas.figure.axes[-2])  # differences in all panels are of one size
        chosen = [dot for dot in dots if dot.panel == panel]
        _draw_panel(axes, chosen, rows, styles, theme)
        if zero:
            axes.axvline(0, color=theme.muted, linewidth=0.9)
        for dot in chosen:
            if dot.row == level:
                axes.axvline(
                    dot.value, color=styles[dot.family].colour, linestyle=(0, (7, 4)), linewidth=0.8
                )
        lines = {
            letter: references[name][panel]
            for name, letter in letters_of(references).items()
            if panel in references[name]
        }
        for value in lines.values():
            axes.axvline(value, color=theme.muted, linestyle=REFERENCE_LINE, linewidth=1)
        axes.margins(x=0.06)
        axes.set_xlabel(axis)
        axes.set_title(printable(panel), pad=16 if references else 6)
        label_upright_lines(axes, lines, panel_width)
    for at, row in enumerate(rows):
        middle = top + (at + 0.5) * row_height
        sheet.text(
            left - 0.12, middle, names[row], fontsize=_FONT, ha="right",
            va="center" if "\n" in names[row] else "center_baseline",
        )  # fmt: skip
        if row in notes:
            sheet.text(
                canvas.width - right + 0.12, middle, notes[row], fontsize=_FONT, color=theme.muted,
                va="center_baseline",
            )  # fmt: skip
    draw_reference_key(sheet, 0, top + height + _AXIS, references, panels, width, theme)
    return canvas.figure


def _draw_panel(
    axes: Axes,
    dots: Sequence[_Dot],
    rows: Sequence[str],
    styles: Mapping[str, SeriesStyle],
    theme: Theme,
) -> None:
    for dot in dots:
        y, style = rows.index(dot.row), styles[dot.family]
        if dot.low is not None and dot.high is not None:
            axes.plot([dot.low, dot.high], [y, y], color=style.colour, linewidth=1.6)
        axes.plot(
            dot.by_seed, [y + 0.27] * len(dot.by_seed), "|", color=style.colour, markersize=4.5,
            markeredgewidth=0.9, alpha=0.75,
        )  # fmt: skip
        axes.plot([dot.value], [y], style.marker, color=style.colour, markersize=5)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.hlines(
        [at + 0.5 for at in range(len(rows) - 1)], 0, 1, transform=axes.get_yaxis_transform(),
        color=theme.grid, linewidth=0.6,
    )  # fmt: skip
    axes.grid(axis="x")


def _draw_families(
    sheet: Axes, left: float, styles: Mapping[str, SeriesStyle], theme: Theme
) -> None:
    x = left
    for family, style in styles.items():
        name = shorten(printable(family), _LETTERS)
        sheet.plot([x + 0.06], [_LEGEND / 2], style.marker, color=style.colour, markersize=5)
        sheet.text(x + 0.2, _LEGEND / 2, name, fontsize=_FONT, va="center_baseline")
        x += text_inches(name, _FONT) + 0.5
