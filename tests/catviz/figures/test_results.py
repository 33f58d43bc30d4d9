"""The figures of many runs: dot rows, lines over something varied, attention against effect, gain
over active rows."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex

from catviz.figures.active_rows import gain_over_active_rows
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


GRID = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35, 1, 3, 10, 50)


def alphas(lines: int = 4) -> Figure:
    """Most of the grid makes no row active."""
    return gain_over_active_rows(
        [
            {"line": f"STG_{at}", "panel": panel, "alpha": alpha, "active": active, "value": gain,
             "low": gain - 2, "high": gain + 3}
            for panel, top in (("IID", -3.0), ("OOD", 20.0)) for at in range(lines)
            for alpha in reversed(GRID)
            for active in [max(0.0, 10 + 3 * at + 20 * float(np.log(alpha)))]
            for gain in [top * active / 100]
        ]
    )  # fmt: skip


BUILDERS = {"dots": many_dots, "differences": differences, "lines": lines, "marks": marks,
            "alphas": alphas}  # fmt: skip


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


def written(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def test_rows_stand_in_the_order_that_is_asked_for() -> None:
    """The second row has nothing in the first panel."""
    estimates = [
        {"row": row, "panel": panel, "value": 1.0}
        for panel, row in (("S", "first"), ("S", "third"), ("H", "first"), ("H", "second"))
    ]
    figure = dot_rows(estimates, rows=["first", "second", "unknown", "third"])
    names = [text for text in texts_of(figure) if text in ("first", "second", "third", "unknown")]
    assert names == ["first", "second", "third"]


def test_alphas_that_lie_together_are_written_once() -> None:
    for panel in alphas(lines=1).matplotlib().axes:
        assert sorted(written(panel)) == ["0.05 to 0.35", "1", "10", "3", "50"]
    for panel in alphas().matplotlib().axes:  # the grid's small ones once for all lines
        assert written(panel).count("0.05 to 0.35") == 1


def test_an_alpha_stands_nearest_to_its_mark_and_covers_none() -> None:
    drawn = alphas(lines=1).matplotlib()
    drawn.draw_without_rendering()
    renderer = drawn.canvas.get_renderer()  # type: ignore[attr-defined]
    for panel in drawn.axes:
        (line,) = (line for line in panel.lines if line.get_marker() == "o")
        places = panel.transData.transform(np.asarray(line.get_xydata()))
        lone = {f"{alpha:g}": at for at, alpha in enumerate(GRID)}
        for text in panel.texts:
            box = text.get_window_extent(renderer)
            assert not any(box.padded(2).contains(*place) for place in places)
            if text.get_text() in lone:
                middle = np.array([box.x0 + box.x1, box.y0 + box.y1]) / 2
                away = np.hypot(*(places - middle).T)
                assert away.argmin() == lone[text.get_text()]


def test_alphas_too_near_to_others_are_left_out_and_kept_in_the_data() -> None:
    crowd = [
        {"line": f"line {at}", "panel": "OOD", "alpha": 1.0 + at, "active": 50 + at / 10,
         "value": 0.02 * at, "low": -5, "high": 5}
        for at in range(40)
    ]  # fmt: skip
    figure = gain_over_active_rows(crowd)
    (panel,) = figure.matplotlib().axes
    assert 0 < len(panel.texts) < 40
    assert overlaps(figure.matplotlib()) == []
    assert [record["alpha"] for record in figure.data] == [1.0 + at for at in range(40)]
    assert "line 39: alpha 40: 53.9% of rows active, +0.78 points" in figure.alt


def test_lines_go_through_the_alphas_in_rising_order() -> None:
    panel = alphas().matplotlib().axes[1]
    lines = [line for line in panel.lines if line.get_marker() in ("o", "s", "^", "D")]
    assert len(lines) == 4
    for at, line in enumerate(lines):
        shares = np.asarray(line.get_xdata(), dtype=float)
        assert shares[-1] == pytest.approx(10 + 3 * at + 20 * np.log(50))
        assert (np.diff(shares) >= 0).all()


ALPHA = {"line": "a", "panel": "b", "alpha": 1.0, "active": 50, "value": 1}


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
        (lambda: gain_over_active_rows([]), "no points to draw"),
        (lambda: gain_over_active_rows([{"line": "a"}]), "has no 'panel', only"),
        (lambda: gain_over_active_rows([ALPHA] * 2), "two points of 'a' in 'b' at alpha 1"),
        (lambda: gain_over_active_rows([ALPHA | {"alpha": 0}]), "alpha above 0, got 0"),
        (lambda: gain_over_active_rows([ALPHA | {"active": 101}]), "from 0 to 100%, got 101"),
        (lambda: gain_over_active_rows([ALPHA | {"value": "nan"}]), "value: expected a finite"),
        (lambda: gain_over_active_rows([ALPHA | {"low": 0}]), "both low and high, or neither"),
        (lambda: gain_over_active_rows([ALPHA | {"low": 2, "high": 3}]), "low <= value <= high"),
    ],
)
def test_what_cannot_be_drawn_is_refused(build: Callable[[], Figure], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
