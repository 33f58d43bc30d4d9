"""What a factor does to the answer: the model's average causal effect beside the true one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import Rectangle

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.layout import text_inches
from catviz.figures.records import finite_number
from catviz.figures.style import ROLE_STYLES, SeriesStyle, Theme, series_style
from catviz.figures.text import printable, shorten
from catviz.figures.word_axes import draw_role_mark
from catviz.words import ROLES, Role

__all__ = ["effect_table"]

_FONT = 8.5
_LETTERS = 40  # longest factor or model
_USUAL_UNIT = "probability of High Risk"  # STG_E's

# Inches.
_PANEL = 4.6
_LANE, _ROW_GAP = 0.19, 0.14  # a model's line, and what stands between factors
_BETWEEN_ROLES = 0.34  # room for the name of the role
_LEGEND_LINE = 0.22


def effect_table(
    effects: Sequence[Mapping[str, object]],
    *,
    unit: str | None = None,
    interval: str = "95% interval",
    title: str = "What each factor does to the answer",
) -> Figure:
    """Draw factors in rows, grouped by role, with every model's effect beside the true effect.

    An effect is ``{"model", "factor", "role", "effect", "low", "high", "true"}``: the mean change
    of the answer when the factor is set from outside (Pearl's ``do``). ``low``, ``high`` and
    ``true`` may be absent or None; :meth:`catviz.effects.Effect.to_dict` gives such records.

    Args:
        unit: what changes; by default the records' own "unit", or the probability of High Risk.
        interval: what low and high are.

    >>> figure = effect_table([{"model": "plain", "factor": "Hormones", "role": "spurious",
    ...                         "effect": -0.2, "low": -0.25, "high": -0.15, "true": 0.0}])
    >>> figure.data[0]["effect"]
    -0.2
    """
    lines = [_line(record, f"effect {at}") for at, record in enumerate(effects)]
    if not lines:
        raise ValueError("no effects to draw: expected at least one record")
    _check_together(lines)
    unit = unit or _unit(effects)
    lines.sort(key=lambda line: ROLES.index(line.role))  # stable: in the given order within a role
    return Figure(
        draw=partial(_draw, lines=lines, unit=unit),
        data=[asdict(line) for line in lines],
        title=title,
        alt=_describe(lines, unit),
        caption=_caption(lines, unit, interval),
    )


@dataclass(frozen=True)
class _Line:
    model: str
    factor: str
    role: Role
    effect: float
    low: float | None
    high: float | None
    true: float | None


def _line(record: Mapping[str, object], where: str) -> _Line:
    missing = [field for field in ("model", "factor", "role", "effect") if field not in record]
    if missing:
        raise ValueError(f"{where}: the record has no {missing[0]!r}, only {sorted(record)}")
    where = f"{where}, {record['factor']!r} of model {record['model']!r}"
    role = next((role for role in ROLES if role == record["role"]), None)
    if role is None:
        raise ValueError(
            f"{where}: unknown role {record['role']!r}; expected one of {', '.join(ROLES)}"
        )
    effect = finite_number(record["effect"], f"{where}, effect")
    low, high, true = (
        None if record.get(field) is None else finite_number(record[field], f"{where}, {field}")
        for field in ("low", "high", "true")
    )
    if (low is None) != (high is None):
        raise ValueError(f"{where}: give both low and high, or neither")
    if low is not None and high is not None and not low <= effect <= high:
        raise ValueError(f"{where}: expected low <= effect <= high, got {low}, {effect}, {high}")
    return _Line(str(record["model"]), str(record["factor"]), role, effect, low, high, true)


def _unit(effects: Sequence[Mapping[str, object]]) -> str:
    units = list(dict.fromkeys(str(record["unit"]) for record in effects if "unit" in record))
    if len(units) > 1:
        raise ValueError(f"expected effects in one unit, got {units}: draw one figure for each")
    return units[0] if units else _USUAL_UNIT


def _check_together(lines: Sequence[_Line]) -> None:
    seen: set[tuple[str, str]] = set()
    first: dict[str, _Line] = {}
    for line in lines:
        if (line.model, line.factor) in seen:
            raise ValueError(f"two effects of {line.factor!r} for model {line.model!r}")
        seen.add((line.model, line.factor))
        known = first.setdefault(line.factor, line)
        if line.role != known.role:
            raise ValueError(
                f"factor {line.factor!r} is {known.role} for model {known.model!r} and "
                f"{line.role} for {line.model!r}: expected one role"
            )


def _caption(lines: Sequence[_Line], unit: str, interval: str) -> str:
    parts = [
        f"The mean change of the {unit} when a factor is set from outside, from the low to the "
        "high end of its range."
    ]
    if any(line.low is not None for line in lines):
        parts.append(f"Bars: {interval}.")
    if any(line.true is not None for line in lines):
        parts.append(
            "Hollow diamonds: what the true rule does. A factor without a true effect belongs at 0."
        )
    return " ".join(parts)


def _describe(lines: Sequence[_Line], unit: str) -> str:
    parts = []
    for line in lines:
        true = "" if line.true is None else f" (true {line.true:+.3g})"
        parts.append(f"{line.factor} ({line.role}), {line.model}: {line.effect:+.3g}{true}")
    return f"Effects on the {unit}. " + "; ".join(parts) + "."


def _draw(theme: Theme, *, lines: Sequence[_Line], unit: str) -> MplFigure:
    models = list(dict.fromkeys(line.model for line in lines))
    factors = list(dict.fromkeys(line.factor for line in lines))
    styles = {model: series_style(at, theme) for at, model in enumerate(models)}
    roles = {line.factor: line.role for line in lines}
    left = max(text_inches(_shown(factor), _FONT) for factor in factors) + 0.35
    has_true = any(line.true is not None for line in lines)
    legend = _LEGEND_LINE * (len(models) + has_true)
    row = _LANE * len(models) + _ROW_GAP
    tops, y = {}, 0.0
    for at, factor in enumerate(factors):
        if at == 0 or roles[factor] != roles[factors[at - 1]]:
            y += _BETWEEN_ROLES
        tops[factor] = y
        y += row
    canvas = Canvas(left + _PANEL + 0.1, legend + y + 0.5)
    axes = canvas.axes(left, legend, _PANEL, y)
    sheet = canvas.sheet()
    axes.axvline(0, color=theme.muted, linewidth=0.9)
    for line in lines:
        lane = tops[line.factor] + _ROW_GAP / 2 + _LANE * (models.index(line.model) + 0.5)
        _draw_line(axes, line, lane, styles[line.model], theme)
    axes.set_ylim(y, 0)
    axes.margins(x=0.06)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.set_xlabel(f"effect on the {shorten(printable(unit), _LETTERS)}")
    for at, factor in enumerate(factors):
        role, top = roles[factor], legend + tops[factor]
        if at == 0 or role != roles[factors[at - 1]]:
            if ROLE_STYLES[role].letter:
                draw_role_mark(sheet, 0, top - 0.2, role)
            sheet.text(
                0.2 if ROLE_STYLES[role].letter else 0, top - 0.135, role, fontsize=_FONT,
                fontweight="bold", va="center_baseline",
            )  # fmt: skip
        sheet.text(
            left - 0.12, top + row / 2, _shown(factor), fontsize=_FONT, ha="right",
            va="center_baseline",
        )  # fmt: skip
        _paint_role(axes, role, tops[factor], row)
    _draw_legend(sheet, left, styles, has_true, theme)
    return canvas.figure


def _shown(factor: str) -> str:
    return shorten(printable(factor), _LETTERS)


def _draw_line(axes: Axes, line: _Line, lane: float, style: SeriesStyle, theme: Theme) -> None:
    """Draw a model's effect with its interval, and the true effect around it."""
    if line.low is not None and line.high is not None:
        axes.plot([line.low, line.high], [lane, lane], color=style.colour, linewidth=1.6)
    axes.plot([line.effect], [lane], style.marker, color=style.colour, markersize=4.5)
    if line.true is not None:
        axes.plot(
            [line.true], [lane], "D", color=theme.ink, markerfacecolor="none", markersize=8,
            markeredgewidth=1,
        )  # fmt: skip


def _paint_role(axes: Axes, role: Role, top: float, height: float) -> None:
    """Draw the role's colour along the left edge of a factor's row."""
    axes.add_patch(
        Rectangle(
            (-0.012, top + 0.04), 0.008, height - 0.08, transform=axes.get_yaxis_transform(),
            facecolor=ROLE_STYLES[role].colour, linewidth=0, clip_on=False,
        )
    )  # fmt: skip


def _draw_legend(
    sheet: Axes, x: float, styles: Mapping[str, SeriesStyle], has_true: bool, theme: Theme
) -> None:
    marks = [
        (shorten(printable(model), _LETTERS), style.marker, style.colour, style.colour, 4.5)
        for model, style in styles.items()
    ]
    if has_true:
        marks.append(("true effect", "D", theme.ink, "none", 8.0))
    for at, (name, marker, colour, fill, size) in enumerate(marks):
        y = (at + 0.5) * _LEGEND_LINE
        sheet.plot(
            [x + 0.1], [y], marker, color=colour, markerfacecolor=fill, markersize=size,
            markeredgewidth=1,
        )  # fmt: skip
        sheet.text(x + 0.28, y, name, fontsize=_FONT, va="center_baseline")
