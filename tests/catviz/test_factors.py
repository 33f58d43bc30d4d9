"""The attention of each factor, by name."""

from __future__ import annotations

import numpy as np
import pytest

from cat.signals import Example
from cat.stg import STG_E, annotate, stg_e
from catviz.factors import attention_by_factor
from catviz.lens import AttentionLens
from catviz.roles import mark_roles


@pytest.fixture(scope="module")
def lens() -> AttentionLens:
    return AttentionLens.load("tiny/plain")


@pytest.fixture(scope="module")
def texts() -> list[Example]:
    return [annotate(Example.from_record(r)) for r in stg_e(n_train=4, n_test=7)["test_ood"]]


def test_it_is_the_mean_over_texts_of_the_answers_row(
    lens: AttentionLens, texts: list[Example]
) -> None:
    found = attention_by_factor(lens, texts, batch_size=3)
    assert {*found} == {*STG_E.roles}
    for factor, share in found.items():
        by_hand = []
        for text in texts:
            pattern = lens.attention(text)
            at = [i for i, token in enumerate(pattern.tokens) if token.startswith(f"{factor}:")]
            by_hand.append(pattern.values[:, :, -1, at].sum(axis=-1).mean())
        assert share == pytest.approx(np.mean(by_hand), abs=1e-6)


def test_it_does_not_depend_on_the_batches(lens: AttentionLens, texts: list[Example]) -> None:
    one, all_at_once = (attention_by_factor(lens, texts, batch_size=n) for n in (1, 64))
    assert one == pytest.approx(all_at_once, abs=1e-6)


def test_factors_that_share_their_value_keep_apart(lens: AttentionLens) -> None:
    same = dict.fromkeys(STG_E.roles, 5)
    text = ", ".join(f"{name}: {value}" for name, value in same.items()) + " Answer:"
    found = attention_by_factor(lens, [text])
    assert len(found) == 8
    assert 0.5 < sum(found.values()) < 1


def test_a_factor_counts_in_the_texts_that_have_it(lens: AttentionLens) -> None:
    both = mark_roles("Smoking: 8, Weight: 2 Answer:", {"causal": ["Smoking: 8", "Weight: 2"]})
    one = mark_roles("Smoking: 8 Answer:", {"causal": "Smoking: 8"})
    found = attention_by_factor(lens, [both, one])
    rows = [lens.attention(text).rows().mean(axis=(0, 1, 2)) for text in (both, one)]
    assert found["Weight: 2"] == pytest.approx(rows[0][1])
    assert found["Smoking: 8"] == pytest.approx((rows[0][0] + rows[1][0]) / 2)


def test_what_cannot_be_counted_is_refused(lens: AttentionLens, texts: list[Example]) -> None:
    with pytest.raises(ValueError, match="at least one text"):
        attention_by_factor(lens, [])
    with pytest.raises(ValueError, match="words have roles"):
        attention_by_factor(lens, [texts[0], "Smoking: 8 Answer:"])
    with pytest.raises(ValueError, match="batch size"):
        attention_by_factor(lens, texts, batch_size=0)
