"""Before, after and difference: the same tokens, the same scale, the right sign."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from catviz.figures.change import attention_change
from catviz.maps import MeanMap
from catviz.words import Word
from tests.catviz.figures.drawn import (
    causal_softmax,
    large_map,
    pattern_of,
    small_map,
    small_pattern,
    texts_of,
)

BEFORE, AFTER = small_pattern(), small_pattern(model="tuned", seed=9)


def images(figure, *, theme="light"):
    return [axes.images[0] for axes in figure.matplotlib(theme=theme).axes if axes.images]


def test_records_are_before_after_and_their_difference() -> None:
    figure = attention_change(BEFORE, AFTER)
    assert len(figure.data) == 11 * 12 // 2
    for record in figure.data:
        query, key = record["query"], record["key"]
        before = BEFORE.values[:, :, query, key].mean()
        after = AFTER.values[:, :, query, key].mean()
        assert record["before"] == pytest.approx(before, abs=1e-6)
        assert record["after"] == pytest.approx(after, abs=1e-6)
        assert record["change"] == pytest.approx(after - before, abs=1e-6)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_maps_share_a_scale_and_the_difference_is_centred(theme) -> None:
    before, after, difference = images(attention_change(BEFORE, AFTER), theme=theme)
    assert before.get_clim() == after.get_clim()
    assert before.get_clim()[0] == 0
    low, high = difference.get_clim()
    assert low == -high
    np.testing.assert_allclose(
        difference.get_array().compressed(),
        (after.get_array() - before.get_array()).compressed(),
        atol=1e-12,
    )
    assert difference.get_array().mask[np.triu_indices(11, 1)].all()
    more, less = difference.cmap(difference.norm(high)), difference.cmap(difference.norm(low))
    assert more[2] > more[0]  # more attention is blue
    assert less[0] > less[2]


def test_layers_and_heads_choose_what_is_averaged() -> None:
    chosen = attention_change(BEFORE, AFTER, layers=iter([1]), heads=[0, 2])
    by_hand = attention_change(
        BEFORE.mean(layers=1, heads=[0, 2]), AFTER.mean(layers=1, heads=[0, 2])
    )
    assert chosen.data == by_hand.data
    assert chosen.data != attention_change(BEFORE, AFTER).data
    head = attention_change(BEFORE.head("L1H2"), AFTER.head("L1H2"))
    assert head.data[-1]["after"] == pytest.approx(AFTER.values[1, 2, -1, -1])


def test_roles_are_summed_in_the_answers_row() -> None:
    figure = attention_change(BEFORE, AFTER)
    shown = texts_of(figure)
    roles = np.array(BEFORE.roles)
    for pattern in (BEFORE, AFTER):
        row = pattern.mean().values[-1]
        for role in ("causal", "spurious", "irrelevant"):
            assert f"{row[roles == role].sum():.2f}" in shown
        assert f"{row[0]:.2f}" in shown  # the first token by itself
    before, after = (p.mean().values[-1][roles == "other"][1:].sum() for p in (BEFORE, AFTER))
    assert f"other {100 * before:.0f}% to {100 * after:.0f}%, first token" in figure.alt
    assert "first token" not in attention_change(BEFORE.drop_sink(), AFTER.drop_sink()).alt


def test_two_maps_of_one_model_are_called_before_and_after() -> None:
    shown = texts_of(attention_change(BEFORE, BEFORE))
    assert {"before", "after"} <= set(shown)
    assert {"plain", "tuned"} <= set(texts_of(attention_change(BEFORE, AFTER)))


def test_no_change_at_all_is_drawn() -> None:
    figure = attention_change(small_map(), small_map())
    assert {record["change"] for record in figure.data} == {0.0}
    assert figure.render("png")
    one_token = MeanMap(np.ones((1, 1)), (), "m", "t")
    assert attention_change(one_token, one_token).render("png")


def relabelled(one: MeanMap, role: str) -> MeanMap:
    first = one.words[2]
    words = (*one.words[:2], Word(first.start, first.stop, first.label, role), *one.words[3:])
    return replace(one, words=words)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        (BEFORE, replace(AFTER, tokens=("other", *AFTER.tokens[1:])), "first differ at 0"),
        (BEFORE, pattern_of(large_map()), "11 and 75 tokens"),
        (small_map(), large_map(), "11 and 75 tokens"),
        (small_map(), relabelled(small_map(), "spurious"), r"'Smoking: 8' \(causal, token 2\)"),
        (small_map(), replace(small_map(), words=small_map().words[:-1]), "same words.*11 and 10"),
        (small_map(), replace(small_map(), answer_row=3), "rows 10 and 3"),
        (small_map(), AFTER, "MeanMap and AttentionPattern"),
        (BEFORE, AFTER.drop_sink(), "one state of the first token"),
    ],
)
def test_change_refuses(before, after, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attention_change(before, after)


def test_change_refuses_layers_of_mean_maps_and_bad_scales() -> None:
    with pytest.raises(ValueError, match="mean already"):
        attention_change(small_map(), small_map(), layers=0)
    with pytest.raises(ValueError, match="no layer 7"):
        attention_change(BEFORE, AFTER, layers=7)
    with pytest.raises(ValueError, match="vmax"):
        attention_change(BEFORE, AFTER, vmax=-1)
    values = causal_softmax(3)
    values[2, 0] = np.nan
    with pytest.raises(ValueError, match="finite"):
        MeanMap(values, (), "m", "t")
