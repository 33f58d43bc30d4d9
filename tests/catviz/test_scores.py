"""Scores by role: what is derived from scores per head."""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
import pytest

from catviz.scores import RoleScores

LAYERS, HEADS, TEXTS = 3, 2, 5


@pytest.fixture
def per_head() -> RoleScores:
    random = np.random.default_rng(0)

    def values(words: int) -> np.ndarray:
        return random.random((LAYERS, HEADS, words))

    return RoleScores(
        scores={"causal": values(7), "irrelevant": values(4)},
        texts={"causal": np.arange(7) % TEXTS, "irrelevant": np.arange(4)},
        numbers=np.arange(TEXTS),
        on_causes=values(TEXTS),
        on_others=values(TEXTS),
        texts_seen=TEXTS,
        left_out={},
    )


def test_it_is_a_mapping_of_the_roles_that_have_words(per_head: RoleScores) -> None:
    assert list(per_head) == ["causal", "irrelevant"]
    assert "spurious" not in per_head
    assert per_head["causal"] is per_head.scores["causal"]
    assert {role: values.shape for role, values in per_head.items()} == {
        "causal": (LAYERS, HEADS, 7),
        "irrelevant": (LAYERS, HEADS, 4),
    }


def test_one_head_one_layer_and_the_mean(per_head: RoleScores) -> None:
    causal = per_head["causal"]
    head, layer, mean = per_head.at(layer=2, head=1), per_head.at(layer=2), per_head.at()
    assert (head.per, layer.per, mean.per, per_head.per) == ("mean", "mean", "mean", "head")
    np.testing.assert_allclose(head["causal"], causal[2, 1])
    np.testing.assert_allclose(layer["causal"], (causal[2, 0] + causal[2, 1]) / 2)
    np.testing.assert_allclose(mean["causal"], causal.mean((0, 1)))
    np.testing.assert_allclose(head.ratios, per_head.on_causes[2, 1] / per_head.on_others[2, 1])
    np.testing.assert_allclose(
        layer.ratios, per_head.on_causes[2].sum(0) / per_head.on_others[2].sum(0)
    )
    assert mean.texts is per_head.texts


def test_layers_of_heads(per_head: RoleScores) -> None:
    layers = per_head.by_layer()
    assert layers.per == "layer"
    assert layers["causal"].shape == (LAYERS, 7)
    assert layers.by_layer() is layers
    for layer in range(LAYERS):
        one, other = layers.at(layer=layer), per_head.at(layer=layer)
        np.testing.assert_allclose(one["irrelevant"], other["irrelevant"])
        np.testing.assert_allclose(one.on_causes, other.on_causes)


def test_summaries(per_head: RoleScores) -> None:
    for role, values in per_head.items():
        for layer in range(LAYERS):
            for head in range(HEADS):
                words = sorted(values[layer, head])
                middle = (words[(len(words) - 1) // 2] + words[len(words) // 2]) / 2
                assert per_head.medians[role][layer, head] == pytest.approx(middle)
                mean = sum(words) / len(words)
                assert per_head.means[role][layer, head] == pytest.approx(mean)
    assert per_head.ratios.shape == (LAYERS, HEADS, TEXTS)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"head": 1}, r"the layer of head 1, got none"),
        ({"layer": 3}, r"no layer 3: expected one of 0\.\.2"),
        ({"layer": -1}, r"no layer -1: expected one of 0\.\.2"),
        ({"layer": 0, "head": 2}, r"no head 2: expected one of 0\.\.1"),
    ],
)
def test_refuses_layers_and_heads_that_are_not_there(
    per_head: RoleScores, asked: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        per_head.at(**asked)


def test_refuses_to_take_apart_what_was_averaged(per_head: RoleScores) -> None:
    with pytest.raises(ValueError, match=r'scores per head, got scores per layer.*per="head"'):
        per_head.by_layer().at(layer=0, head=0)
    with pytest.raises(ValueError, match=r'scores per layer, got scores per mean.*per="layer"'):
        per_head.at().at(layer=0)
    with pytest.raises(ValueError, match=r'in the mean map.*per="layer"'):
        per_head.at().by_layer()


def test_it_can_be_kept(per_head: RoleScores) -> None:
    again = pickle.loads(pickle.dumps(per_head))
    np.testing.assert_array_equal(again["causal"], per_head["causal"])
