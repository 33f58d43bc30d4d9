"""Effects of factors: every number at its place, the true one beside it."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.axes import Axes

from catviz.figures.effects import effect_table
from tests.catviz.figures.drawn import overlaps, texts_of
from tests.catviz.figures.samples import effects


def axes_of(figure) -> Axes:
    (axes,) = (axes for axes in figure.matplotlib().axes if axes.axison)
    return axes


def markers(axes: Axes, *, hollow: bool) -> list[tuple[float, float]]:
    return [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in axes.lines
        if len(line.get_xdata()) == 1 and (line.get_markerfacecolor() == "none") == hollow
    ]


def test_each_effect_stands_beside_the_true_one_in_a_lane_of_its_own() -> None:
    records = effects("plain", "tuned")
    axes = axes_of(effect_table(records))
    filled, hollow = markers(axes, hollow=False), markers(axes, hollow=True)
    assert len(filled) == len(hollow) == len(records)
    assert sorted(x for x, _ in filled) == pytest.approx(sorted(r["effect"] for r in records))
    assert sorted(x for x, _ in hollow) == pytest.approx(sorted(r["true"] for r in records))
    assert [y for _, y in filled] == pytest.approx([y for _, y in hollow])
    lanes = sorted(y for _, y in filled)
    assert min(b - a for a, b in pairwise(lanes)) > 0.15


def test_intervals_are_drawn_where_given() -> None:
    records = effects("plain")
    spans = {(round(r["low"], 6), round(r["high"], 6)) for r in records}
    drawn = [
        tuple(round(float(x), 6) for x in line.get_xdata())
        for line in axes_of(effect_table(records)).lines
        if len(line.get_xdata()) == 2
    ]
    assert spans <= set(drawn)
    bare = [{**r, "low": None, "high": None, "true": None} for r in records]
    figure = effect_table(bare)
    assert "Bars" not in figure.caption
    assert "Hollow" not in figure.caption
    assert "true effect" not in texts_of(figure)
    assert "true" not in figure.alt


def test_factors_are_grouped_by_role_whatever_their_order() -> None:
    records = effects("plain")
    figure = effect_table(records[::-1])
    roles = [record["role"] for record in figure.data]
    assert roles == ["causal"] * 3 + ["spurious"] * 3 + ["irrelevant"] * 2
    shown = texts_of(figure)
    assert [text for text in shown if text in ("C", "S", "I")] == ["C", "S", "I"]
    assert shown.index("causal") < shown.index("Smoking") < shown.index("spurious")


def test_a_model_may_lack_a_factor() -> None:
    figure = effect_table([*effects("plain"), *effects("tuned")[:2]])
    assert len(figure.data) == 10
    assert overlaps(figure.matplotlib()) == []


def test_unit_and_interval_are_named() -> None:
    figure = effect_table(effects("plain"), unit="log-odds", interval="90% interval")
    assert "effect on the log-odds" in texts_of(figure)
    assert "Bars: 90% interval." in figure.caption
    assert "log-odds" in figure.alt
    assert "Smoking (causal), plain: +0.5 (true +0.5)" in figure.alt
    own = [{**record, "unit": "index"} for record in effects("plain")]
    assert "effect on the index" in texts_of(effect_table(own))
    assert "effect on the probability of High Risk" in texts_of(effect_table(effects("plain")))


ONE = effects("plain")[0]


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ([], "at least one"),
        ([{"model": "m", "factor": "f", "role": "causal"}], "no 'effect'"),
        ([{**ONE, "role": "cause"}], "'Smoking' of model 'plain': unknown role 'cause'"),
        ([{**ONE, "effect": float("nan")}], "effect: expected a finite number, got nan"),
        ([{**ONE, "true": "high"}], "true: expected a number, got 'high'"),
        ([{**ONE, "low": None}], "both low and high"),
        ([{**ONE, "low": 0.6}], "low <= effect <= high"),
        ([{**ONE, "unit": "a"}, {**ONE, "factor": "f", "unit": "b"}], "one unit"),
        ([ONE, ONE], "two effects of 'Smoking' for model 'plain'"),
        ([ONE, {**ONE, "model": "b", "role": "spurious"}], "expected one role"),
    ],
)
def test_effects_refuse(records: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        effect_table(records)
