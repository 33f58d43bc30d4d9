"""Steering over alphas: every number as asked for by itself, maps as the edit leaves them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from cat.data import load_data
from cat.signals import Example
from catviz.effects.steering import favour, steer, steered
from catviz.effects.steering_alphas import edited_map, steer_text, steer_texts
from catviz.lens import AttentionLens, CannotEditError
from catviz.roles import mark_roles
from tests.catviz.random_models import LAYERS, deaf_model, random_model, tokenizer

ALPHAS = (2.0, 10.0)


@pytest.fixture(scope="module")
def lens() -> AttentionLens:
    return AttentionLens.load("tiny/plain")


@pytest.fixture(scope="module")
def deep() -> AttentionLens:
    return AttentionLens(random_model("llama"), tokenizer(), name="deep")


@pytest.fixture(scope="module")
def texts() -> list[Example]:
    return load_data("stg-e")["test_ood"][:12]


def test_a_text_is_steered_as_by_steer(lens: AttentionLens, texts: list[Example]) -> None:
    one = steer_text(lens, texts[1], ALPHAS, label="text 2")
    for at, alpha in enumerate(ALPHAS, start=1):
        wanted = steer(lens, [texts[1]], alpha)
        assert one.log_odds[at] == pytest.approx(wanted.log_odds_after[0], abs=1e-4)
        assert one.log_odds[0] == pytest.approx(wanted.log_odds_before[0], abs=1e-4)
        assert one.says[at] == wanted.after.best[0]
    assert one.right == texts[1].answer
    assert [m.model for m in one.maps] == ["not edited", "edited to alpha 2", "edited to alpha 10"]


def test_many_texts_are_steered_as_by_steer(lens: AttentionLens, texts: list[Example]) -> None:
    for alpha, found in zip(ALPHAS, steer_texts(lens, texts, ALPHAS), strict=True):
        wanted = steer(lens, texts, alpha)
        np.testing.assert_allclose(found.log_odds_after, wanted.log_odds_after, atol=1e-4)
        assert found.edit == wanted.edit


def test_words_that_are_typed_are_read_as_the_game_reads_them(
    lens: AttentionLens, texts: list[Example]
) -> None:
    typed, known = (steer_text(lens, text, [10]) for text in (texts[1].text, texts[1]))
    assert typed.right == known.right
    assert typed.maps[1].roles == known.maps[1].roles
    np.testing.assert_allclose(typed.log_odds, known.log_odds, atol=1e-5)


@pytest.mark.parametrize("which", ["lens", "deep"])
def test_the_edited_map_is_that_of_all_heads_after_the_edit(
    which: str, request: pytest.FixtureRequest, texts: list[Example]
) -> None:
    lens: AttentionLens = request.getfixturevalue(which)
    before = lens.mean_map(texts[0])
    after = edited_map(lens, texts[0], steered(50))
    row, roles = after.values[-1], np.array(after.roles)
    assert row[roles == "causal"].mean() >= 50 * row[roles != "causal"].mean() * (1 - 1e-4)
    assert row.sum() == pytest.approx(1, abs=1e-4)
    # The other rows are edited nowhere, so they are as they were, in every layer.
    np.testing.assert_allclose(after.values[:-1], before.values[:-1], atol=1e-4)
    assert (after.words, after.answer_row) == (before.words, before.answer_row)
    unchanged = edited_map(lens, texts[0], steered(1e-6))
    np.testing.assert_allclose(unchanged.values, before.values, atol=1e-4)


def by_hand(lens: AttentionLens, example: Example, layer: int) -> np.ndarray:
    """The mean map with one layer's patterns edited, the others left as they are in the model."""
    pattern = lens.attention(example)
    values = pattern.values.copy()
    causes = torch.tensor([[role == "causal" for role in pattern.roles]])
    edited = favour(causes, 50)(layer, torch.tensor(values[None, layer]))
    assert edited is not None
    values[layer] = edited[0].numpy()
    return values.mean(axis=(0, 1))


def test_layers_above_an_edit_are_those_of_the_edited_model(
    deep: AttentionLens, texts: list[Example]
) -> None:
    last, first = LAYERS - 1, 0
    found = {
        layer: edited_map(deep, texts[0], steered(50, layers=[layer], rows="all")).values
        for layer in (first, last)
    }
    np.testing.assert_allclose(found[last], by_hand(deep, texts[0], last), atol=1e-4)
    assert np.abs(found[first] - by_hand(deep, texts[0], first)).max() > 1e-3


def test_what_cannot_be_steered_is_refused(lens: AttentionLens, texts: list[Example]) -> None:
    with pytest.raises(ValueError, match="expected a text, got nothing"):
        steer_text(lens, " \n", ALPHAS)
    with pytest.raises(ValueError, match="expected a text with causal words"):
        steer_text(lens, "Tom smokes.", ALPHAS)
    odd = texts[1].text.replace("Smoking: 7", "Smoking: 77")
    with pytest.raises(ValueError, match=r"tiny/plain knows, but these are unknown to it: .*77"):
        steer_text(lens, odd, ALPHAS)
    with pytest.raises(ValueError, match="alpha as a number above 0, got -1"):
        steer_text(lens, texts[1], [-1])
    with pytest.raises(CannotEditError):
        steer_text(AttentionLens(deaf_model(), tokenizer(), name="deaf"), texts[1], ALPHAS)


def test_an_answer_of_no_game_is_told_against_everything_else(
    lens: AttentionLens, texts: list[Example]
) -> None:
    prompt = "Smoking: 8, Weight: 3 Answer:"
    own = replace(texts[0], text=prompt, answer="Low Risk", signals=(), roles=())
    one = steer_text(lens, mark_roles(own, {"causal": "Smoking: 8"}), [10])
    assert one.right == "Low Risk"
    assert all(says in ("Low Risk", "") for says in one.says)
    assert [says == "Low Risk" for says in one.says] == [odds > 0 for odds in one.log_odds]
