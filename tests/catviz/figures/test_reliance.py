"""Attention beside effect: every number at its place, models in their order."""

from __future__ import annotations

import pytest
from matplotlib.axes import Axes

from cat.stg import STG_E
from catviz.figures.figure import Figure
from catviz.figures.reliance import attention_beside_effect
from catviz.figures.style import ROLE_STYLES
from tests.catviz.figures.drawn import HOSTILE, outside, overlaps, texts_of


def records(*models: str) -> list[dict[str, object]]:
    return [
        {"model": model, "factor": factor, "role": role, "attention": 0.02 * (at + 1),
         "effect": (-1) ** at * 0.1 * at, "true": 0.3 if role == "causal" else 0.0}
        for model in models
        for at, (factor, role) in enumerate(STG_E.roles.items())
    ]  # fmt: skip


def bars_of(figure: Figure) -> list[list[float]]:
    """The bars' lengths, panel by panel: attention, effect, attention, effect."""
    panels: list[Axes] = [axes for axes in figure.matplotlib().axes if axes.axison]
    return [[round(patch.get_width(), 6) for patch in axes.patches] for axes in panels]


def test_every_number_is_a_bar() -> None:
    given = records("plain", "tuned")
    figure = attention_beside_effect(given)
    attention, effect, *others = bars_of(figure)
    assert attention == [round(r["attention"], 6) for r in given[:8]]
    assert effect == [round(r["effect"], 6) for r in given[:8]]
    assert others == [attention, effect]
    assert {"2%", "16%", "plain", "tuned", "attention"} <= {*texts_of(figure)}


def test_models_keep_their_order_and_share_their_scales() -> None:
    given = records("b", "a")
    given[8]["effect"] = 0.95  # of model a
    figure = attention_beside_effect(given)
    assert [r["model"] for r in figure.data] == ["b"] * 8 + ["a"] * 8
    panels = [axes for axes in figure.matplotlib().axes if axes.axison]
    assert panels[0].get_xlim() == panels[2].get_xlim()
    assert panels[1].get_xlim() == panels[3].get_xlim()
    low, high = panels[1].get_xlim()
    assert low == -high
    assert high > 0.95


def test_factors_stand_by_role_in_the_roles_colours() -> None:
    figure = attention_beside_effect(records("plain")[::-1])
    roles = [record["role"] for record in figure.data]
    assert roles == ["causal"] * 3 + ["spurious"] * 3 + ["irrelevant"] * 2
    drawn = figure.matplotlib().axes
    (attention, _) = (axes for axes in drawn if axes.axison)
    colours = [patch.get_facecolor() for patch in attention.patches]
    assert len(set(colours)) == 3
    hatches = [patch.get_hatch() for patch in attention.patches]
    assert hatches == [ROLE_STYLES[role].hatch[:2] for role in roles]


def test_true_effects_are_hollow_diamonds_where_known() -> None:
    given = records("plain")
    (_, effect) = (a for a in attention_beside_effect(given).matplotlib().axes if a.axison)
    diamonds = [line.get_xdata()[0] for line in effect.lines if line.get_marker() == "D"]
    assert diamonds == [r["true"] for r in given]
    bare = attention_beside_effect([{**r, "true": None} for r in given])
    assert "diamond" not in bare.caption


@pytest.mark.parametrize("columns", [1, 2, 3])
@pytest.mark.parametrize("names", [("plain",), ("plain", "tuned", HOSTILE)])
def test_nothing_overlaps_or_sticks_out(names: tuple[str, ...], columns: int) -> None:
    given = records(*names)
    for record in given:
        if record["factor"] == "Hormones":
            record["factor"] = "$x_1$ " * 30
    drawn = attention_beside_effect(given, columns=columns).matplotlib()
    assert overlaps(drawn) == []
    assert outside(drawn) == []


def test_effects_of_nothing_are_drawn() -> None:
    flat = [{**r, "attention": 0.0, "effect": 0.0, "true": None} for r in records("plain")]
    assert overlaps(attention_beside_effect(flat).matplotlib()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"attention": 1.2}, "share of attention from 0 to 1, got 1.2"),
        ({"attention": float("nan")}, "finite number, got nan"),
        ({"effect": "much"}, "finite number, got 'much'"),
        ({"role": "causes"}, "expected a role of causal"),
    ],
)
def test_what_is_no_number_or_role_is_refused(change: dict[str, object], message: str) -> None:
    given = records("plain")
    with pytest.raises(ValueError, match=message):
        attention_beside_effect([{**given[0], **change}, *given[1:]])


def test_models_with_other_factors_are_refused() -> None:
    given = records("plain", "tuned")
    with pytest.raises(ValueError, match="the factors of 'plain' for every model"):
        attention_beside_effect(given[:-1])
    with pytest.raises(ValueError, match="each factor once"):
        attention_beside_effect([*given[:8], given[0]])
    with pytest.raises(ValueError, match="at least one record"):
        attention_beside_effect([])
    with pytest.raises(ValueError, match="expected a field 'attention'"):
        attention_beside_effect([{k: v for k, v in given[0].items() if k != "attention"}])
    with pytest.raises(ValueError, match="one unit"):
        attention_beside_effect([{**r, "unit": str(at)} for at, r in enumerate(given)])
    with pytest.raises(ValueError, match="at least one column"):
        attention_beside_effect(given, columns=0)
