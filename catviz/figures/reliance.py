"""What each factor gets of a model's attention, beside what it does to the model's answer."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.layout import text_inches
from catviz.figures.style import ROLE_STYLES, Theme
from catviz.figures.text import printable, shorten
from catviz.figures.word_axes import STRIP, draw_role_mark
from catviz.words import ROLES, Role

__all__ = ["attention_beside_effect"]

_FONT = 8.5
_LETTERS = 32  # longest factor
_USUAL_UNIT = "probability of High Risk"  # STG_E's

# Inches.
_ATTENTION, _EFFECT = 1.25, 1.75  # the two columns of bars
_GAP = 0.22  # between them
_ROW = 0.26
_HEADING, _LABELS = 0.62, 0.44  # above and below a model's bars
_DENSE = 2  # times a hatch is repeated: dots at their densest weigh 250 KB in SVG
_NUMBER = 0.36  # room for a number behind the longest bar of attention


def attention_beside_effect(
    records: Sequence[Mapping[str, object]],
    *,
    columns: int = 2,
    unit: str | None = None,
    title: str = "Looked at, and relied on",
) -> Figure:
    """Draw two bars a factor, model by model: its share of attention, and its effect.

    A record is ``{"model", "factor", "role", "attention", "effect"}``; ``true``, the effect that
    the rule has, may be absent or None. :func:`catviz.factors.attention_by_factor` gives the
    attention, :func:`catviz.effects.average_effects` the rest. Were attention an explanation, the
    two columns of a model would have one shape.

    Args:
        columns: models beside one another.
        unit: what the effect is on; by default the records' own "unit", or the probability of
            High Risk.

    Raises:
        ValueError: no record, one without a field, attention that is no share, a role that is
            unknown, models with other factors than the first.

    >>> figure = attention_beside_effect([{"model": "plain", "factor": "Hormones",
    ...     "role": "spurious", "attention": 0.11, "effect": -0.4, "true": 0.0}])
    >>> figure.data[0]["effect"]
    -0.4
    """
    bars = [_bar(record, f"record {at}") for at, record in enumerate(records)]
    if not bars:
        raise ValueError("no factors to draw: expected at least one record")
    if columns < 1:
        raise ValueError(f"expected at least one column, got {columns}")
    bars.sort(key=lambda bar: ROLES.index(bar.role))  # stable: in the given order within a role
    models = {bar.model: [b for b in bars if b.model == bar.model] for bar in bars}
    ordered = {str(r["model"]): models[str(r["model"])] for r in records}
    _check_together(ordered)
    units = {str(record["unit"]) for record in records if "unit" in record}
    if unit is None and len(units) > 1:
        raise ValueError(f"expected effects in one unit, got {sorted(units)}")
    unit = unit or (units.pop() if units else _USUAL_UNIT)
    has_true = any(bar.true is not None for bar in bars)
    return Figure(
        draw=partial(_draw, models=ordered, columns=min(columns, len(ordered))),
        data=[asdict(bar) for those in ordered.values() for bar in those],
        title=title,
        alt=_describe(ordered, unit),
        caption=(
            "Left: the share of the answer's attention that a factor gets. Right: how the "
            f"{unit} changes when the factor is set from outside, from the low to the high end "
            "of its range." + (" Hollow diamonds: what the true rule does." if has_true else "")
        ),
    )


@dataclass(frozen=True)
class _Bar:
    model: str
    factor: str
    role: Role
    attention: float
    effect: float
    true: float | None


def _bar(record: Mapping[str, object], where: str) -> _Bar:
    for field in ("model", "factor", "role", "attention", "effect"):
        if field not in record:
            raise ValueError(f"{where}: expected a field {field!r}, got {sorted(record)}")
    where = f"{where}, {record['factor']!r} of model {record['model']!r}"
    role = next((role for role in ROLES if role == record["role"]), None)
    if role is None:
        raise ValueError(f"{where}: expected a role of {', '.join(ROLES)}, got {record['role']!r}")
    attention = _number(record["attention"], f"{where}, attention")
    if not 0 <= attention <= 1:
        raise ValueError(f"{where}: expected a share of attention from 0 to 1, got {attention}")
    true = record.get("true")
    return _Bar(
        model=str(record["model"]),
        factor=str(record["factor"]),
        role=role,
        attention=attention,
        effect=_number(record["effect"], f"{where}, effect"),
        true=None if true is None else _number(true, f"{where}, true"),
    )


def _number(value: object, where: str) -> float:
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise ValueError(f"{where}: expected a finite number, got {value!r}")


def _check_together(models: Mapping[str, Sequence[_Bar]]) -> None:
    """Each model has the same factors in the same roles, once: they share their names."""
    first, *others = models
    expected = [(bar.factor, bar.role) for bar in models[first]]
    if len({factor for factor, _ in expected}) != len(expected):
        raise ValueError(f"expected each factor once for model {first!r}, got {expected}")
    for name in others:
        found = [(bar.factor, bar.role) for bar in models[name]]
        if found != expected:
            raise ValueError(
                f"expected the factors of {first!r} for every model, {expected}, got {found} for "
                f"{name!r}"
            )


def _describe(models: Mapping[str, Sequence[_Bar]], unit: str) -> str:
    parts = [
        f"{name}: "
        + ", ".join(
            f"{b.factor} ({b.role}) gets {b.attention:.1%} and does {b.effect:+.2f}" for b in bars
        )
        for name, bars in models.items()
    ]
    return f"Attention and effect on the {unit}. " + "; ".join(parts) + "."


def _draw(theme: Theme, *, models: Mapping[str, Sequence[_Bar]], columns: int) -> MplFigure:
    names = [shorten(printable(bar.factor), _LETTERS) for bar in next(iter(models.values()))]
    left = max(text_inches(name, _FONT) for name in names) + STRIP + 0.22
    width, height = _ATTENTION + _GAP + _EFFECT + 0.3, _ROW * len(names)
    rows = -(-len(models) // columns)
    canvas = Canvas(left + columns * width, rows * (_HEADING + height + _LABELS))
    sheet = canvas.sheet()
    bars = [bar for those in models.values() for bar in those]
    most = max(bar.attention for bar in bars) or 1.0
    reach = 1.12 * max(max(abs(bar.effect), abs(bar.true or 0.0)) for bar in bars) or 1.0
    for at, (model, those) in enumerate(models.items()):
        row, column = divmod(at, columns)
        x, y = left + column * width, row * (_HEADING + height + _LABELS)
        sheet.text(
            x, y + 0.14, shorten(printable(model), int(width * 9)), fontsize=9.5,
            fontweight="bold", va="center_baseline",
        )  # fmt: skip
        place = canvas.at(x, y + _HEADING)
        _draw_attention(place(0, 0, _ATTENTION, height), those, most, theme)
        _draw_effect(place(_ATTENTION + _GAP, 0, _EFFECT, height), those, reach, theme)
        for text, shift in (("attention", 0.0), ("effect on the answer", _ATTENTION + _GAP)):
            sheet.text(x + shift, y + 0.43, text, fontsize=_FONT, va="center_baseline")
        if column == 0:
            for line, (bar, name) in enumerate(zip(those, names, strict=True)):
                middle = y + _HEADING + (line + 0.5) * _ROW
                if ROLE_STYLES[bar.role].letter:
                    draw_role_mark(sheet, 0, middle - STRIP / 2, bar.role)
                sheet.text(
                    left - 0.1, middle, name, fontsize=_FONT, ha="right", va="center_baseline"
                )
    return canvas.figure


def _draw_attention(axes: Axes, bars: Sequence[_Bar], most: float, theme: Theme) -> None:
    _lay_out(axes, len(bars))
    axes.set_xlim(0, most * _ATTENTION / (_ATTENTION - _NUMBER))
    axes.set_xticks([])
    axes.spines["bottom"].set_visible(False)
    axes.axvline(0, color=theme.muted, linewidth=0.9)
    for y, bar in enumerate(bars):
        _draw_bar(axes, y, bar.attention, bar.role, theme)
        axes.annotate(
            f"{bar.attention:.0%}", (bar.attention, y), (3, 0), textcoords="offset points",
            va="center_baseline", fontsize=_FONT,
        )  # fmt: skip


def _draw_effect(axes: Axes, bars: Sequence[_Bar], reach: float, theme: Theme) -> None:
    _lay_out(axes, len(bars))
    axes.set_xlim(-reach, reach)
    axes.grid(axis="x")
    axes.axvline(0, color=theme.muted, linewidth=0.9)
    for y, bar in enumerate(bars):
        _draw_bar(axes, y, bar.effect, bar.role, theme)
        if bar.true is not None:
            axes.plot(
                [bar.true], [y], "D", color=theme.ink, markerfacecolor="none", markersize=6,
                markeredgewidth=1,
            )  # fmt: skip


def _lay_out(axes: Axes, rows: int) -> None:
    axes.set_ylim(rows - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def _draw_bar(axes: Axes, y: float, length: float, role: Role, theme: Theme) -> None:
    style = ROLE_STYLES[role]
    axes.barh(
        [y], [length], height=0.62, color=style.colour if style.letter else theme.muted,
        hatch=style.hatch[:_DENSE], edgecolor=theme.background, linewidth=0,
    )  # fmt: skip
