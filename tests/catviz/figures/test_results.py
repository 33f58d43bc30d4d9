"""The figures of many runs: dot rows, lines over something varied, attention against effect."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from matplotlib.colors import to_hex

from catviz.figures.dot_rows import dot_rows
from catviz.figures.figure import Figure
from catviz.figures.method_lines import method_lines
from catviz.figures.shift import attention_against_effect
from catviz.figures.style import THEMES
from tests.catviz.figures.drawn import HOSTILE, outside, overlaps, texts_of, visible_texts

METHODS = (
    "plain", *(f"CAT, alpha {a}, form div" for a in (0.05, 0.1, 0.6, 3, 10)),
    *(f"method number {n}" for n in range(12)), HOSTILE,
    "a method of somebody's own with a very long name, and another option, weight 0.5, heads all",
)  # fmt: skip
RULES = {
    "always Low Risk": {"IID": 68.75, "OOD": 66.5},
    "spurious values, inverted by hand": {"IID": 95.25, "OOD": 66.4},
    "table": {"OOD": 66.6},
}


def many_dots() -> Figure:
    return dot_rows(
        [
            {"row": row, "panel": panel, "value": 70 + at, "low": 69 + at, "high": 72 + at,
             "by_seed": [69.5 + at, 70.5 + at], "family": row[:3],
             "note": "4 of 5 seeds" * (at == 2)}
            for panel in ("IID", "OOD") for at, row in enumerate(METHODS)
        ],
        references=RULES, level="plain",
    )  # fmt: skip


def differences() -> Figure:
    return dot_rows(
        [
            {"row": f"row {at}", "panel": panel, "value": at - 1.0}
            for panel in ("STG_S", "STG_M", "STG_L", "STG_H") for at in range(3)
        ],
        axis="points of accuracy", zero=True, caption="Differences.",
    )  # fmt: skip


def lines() -> Figure:
    return method_lines(
        [
            {"line": name, "panel": panel, "x": x, "value": 70 + at + 5 * x, "low": 69 + at,
             "high": 90 + at}
            for panel in ("IID", "OOD") for x in (1.0, 0.99, 0.5) for at, name in enumerate(METHODS)
        ],
        references=[
            {"line": rule, "panel": panel, "x": x, "value": value}
            for rule, by in RULES.items() for panel, value in by.items() for x in (1.0, 0.5)
        ],
        over="spurious strength", title="Accuracy over the spurious strength",
    )  # fmt: skip


def marks() -> Figure:
    return attention_against_effect(
        [
            {"method": name, "panel": panel, "ratio": 10 ** (at / 5 - 1), "effect": 30.0 - at}
            for panel in ("STG_S", "STG_M", "STG_L") for at, name in enumerate(METHODS)
        ],
        effect="answers that spurious values change (%)", notes={"STG_S": "rank correlation -1.00"},
    )  # fmt: skip


BUILDERS = {"dots": many_dots, "differences": differences, "lines": lines, "marks": marks}


@pytest.mark.parametrize("name", BUILDERS)
def test_twenty_methods_keep_apart_in_both_themes(name: str) -> None:
    figure = BUILDERS[name]()
    light = figure.matplotlib()
    assert overlaps(light) == []
    assert outside(light) == []
    dark = figure.matplotlib(theme="dark")
    assert to_hex(dark.get_facecolor()) == THEMES["dark"].background
    assert THEMES["light"].ink not in {to_hex(t.get_color()) for t in visible_texts(dark)}
    assert figure.alt.endswith(".")
    assert figure.caption.endswith(".")


def test_marks_tell_methods_apart_without_colour() -> None:
    drawn = marks().matplotlib()
    panel = next(axes for axes in drawn.axes if axes.axison)
    looks = [(line.get_marker(), line.get_color()) for line in panel.lines if len(line.get_xdata())]  # type: ignore[arg-type]
    assert len(set(looks)) >= len(METHODS)


def test_dots_stand_where_the_numbers_are() -> None:
    drawn = many_dots().matplotlib()
    panel = [axes for axes in drawn.axes if axes.axison][1]
    dots = [line for line in panel.lines if line.get_marker() in "osv^DPX" and line.get_marker()]
    assert [float(line.get_xdata()[0]) for line in dots] == [70 + at for at in range(len(METHODS))]  # type: ignore[index]
    upright = {
        float(line.get_xdata()[0]) for line in panel.lines if list(line.get_ydata()) == [0, 1]
    }  # type: ignore[index]
    assert {66.5, 66.4, 66.6, 70.0} <= upright  # the references, and plain training's level
    assert "4 of 5 seeds" in texts_of(many_dots())


def test_differences_share_their_axis() -> None:
    panels = [axes for axes in differences().matplotlib().axes if axes.axison]
    assert len({axes.get_xlim() for axes in panels}) == 1


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: dot_rows([]), "no estimates to draw"),
        (lambda: dot_rows([{"row": "a", "panel": "b"}]), "has no 'value'"),
        (lambda: dot_rows([{"row": "a", "panel": "b", "value": float("nan")}]), "finite number"),
        (lambda: dot_rows([{"row": "a", "panel": "b", "value": 1, "low": 2, "high": 3}]), "low <="),
        (lambda: dot_rows([{"row": "a", "panel": "b", "value": 1}] * 2), "two estimates of 'a'"),
        (lambda: dot_rows([{"row": "a", "panel": "b", "value": 1}], level="c"), "one of the rows"),
        (lambda: method_lines([], over="x", title="t"), "no points to draw"),
        (
            lambda: method_lines(
                [{"line": "a", "panel": "b", "x": 1.0, "value": 1}] * 2, over="x", title="t"
            ),
            "two values of 'a' in 'b' at 1",
        ),
        (
            lambda: attention_against_effect(
                [{"method": "a", "panel": "b", "ratio": 0.0, "effect": 1}], effect="e"
            ),
            "expected a ratio above 0 for a log axis, got 0",
        ),
    ],
)
def test_what_cannot_be_drawn_is_refused(build: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
