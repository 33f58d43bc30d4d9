"""Edits of attention, against rows worked out by hand and against other ways to the same."""

from __future__ import annotations

import pytest
import torch

from cat.attention_edits import calm_sinks, scale_keys

THREE = torch.tensor([[True, True, True]])
WEIGHTS = torch.tensor([[1.0, 0.0, 0.0], [0.25, 0.75, 0.0], [0.1, 0.6, 0.3]])[None, None]


def maps(*, batch=2, heads=3, length=6, padding=(0, 2)):
    """Random scores and their patterns, with padding on the left."""
    scores = 3 * torch.randn(batch, heads, length, length, generator=torch.manual_seed(0))
    prompt = torch.arange(length) >= torch.tensor(padding)[:, None]
    seen = torch.ones(length, length, dtype=torch.bool).tril() & prompt[:, None, None]
    return prompt, scores, softmax(scores, seen), seen


def softmax(scores, seen):
    return scores.masked_fill(~seen, -torch.inf).softmax(dim=-1).nan_to_num(0.0)


def test_one_row_by_hand():
    edit = scale_keys(torch.tensor([[True, False, True]]), 0.1)
    scaled = edit(0, WEIGHTS)[0, 0]
    # .1 * .1, .6, .1 * .3 -> .01, .6, .03 of .64
    assert scaled[2].tolist() == pytest.approx([1 / 64, 60 / 64, 3 / 64])
    assert scaled[1].tolist() == pytest.approx([0.025 / 0.775, 0.75 / 0.775, 0])
    assert scaled[0].tolist() == [1, 0, 0]  # it sees nothing else


def test_scaling_is_a_logarithm_added_to_the_scores():
    prompt, scores, weights, seen = maps()
    keys = prompt & torch.tensor([True, False, True, True, False, False])
    scaled = scale_keys(keys, 0.03)(0, weights)
    bias = torch.where(keys, torch.tensor(0.03).log(), 0.0)[:, None, None]
    torch.testing.assert_close(scaled, softmax(scores + bias, seen))


def test_scale_one_is_no_edit():
    prompt, _, weights, _ = maps()
    torch.testing.assert_close(scale_keys(prompt, 1.0)(0, weights), weights)
    torch.testing.assert_close(calm_sinks(prompt, 1.0, 0.5)(0, weights), weights)


def test_a_scale_near_zero_is_a_hard_mask():
    prompt, scores, weights, seen = maps()
    keys = torch.zeros_like(prompt)
    keys[:, 3:5] = True
    masked = softmax(scores, seen & ~keys[:, None, None])
    scaled = scale_keys(keys, 1e-12)(0, weights)
    has_other = (seen & ~keys[:, None, None]).any(dim=-1).expand(-1, 3, -1)
    torch.testing.assert_close(scaled[has_other], masked[has_other])
    assert (~has_other).any()
    torch.testing.assert_close(scaled[~has_other], weights[~has_other])


def test_generated_tokens_are_not_scaled():
    edit = scale_keys(THREE, 0.5)
    weights = torch.tensor([0.2, 0.2, 0.2, 0.4])[None, None, None]
    assert edit(0, weights)[0, 0, 0].tolist() == pytest.approx([1 / 7, 1 / 7, 1 / 7, 4 / 7])


def test_a_sink_by_hand():
    """Means 1.35/3, 1.35/2, .3: at 1.5 times 1/3 the second alone is a sink; the first never."""
    calmed = calm_sinks(THREE, 0.4, 1.5)(0, WEIGHTS)[0, 0]
    freed = 0.6 * 0.6
    wanted = [0.1 + freed * 0.1 / 0.4, 0.24, 0.3 + freed * 0.3 / 0.4]
    assert calmed[2].tolist() == pytest.approx(wanted)
    assert calmed[1].tolist() == pytest.approx([0.7, 0.3, 0])
    assert calmed[0].tolist() == [1, 0, 0]
    assert torch.equal(calm_sinks(THREE, 0.4, 2.1)(0, WEIGHTS), WEIGHTS)  # .675 < .7


def naive_calm(weights, first, scale, threshold):
    """One head of one text, cell by cell."""
    length = len(weights)
    tokens = range(first, length)
    sinks = [
        key
        for key in tokens
        if key > first
        and sum(weights[q][key] for q in range(key, length)) / (length - key)
        > threshold / len(tokens)
    ]
    calmed = [list(row) for row in weights]
    for q in tokens:
        freed = sum((1 - scale) * weights[q][key] for key in sinks)
        others = sum(weights[q][key] for key in tokens if key not in sinks)
        for key in tokens:
            old = weights[q][key]
            calmed[q][key] = scale * old if key in sinks else old + freed * old / others
    return calmed


def test_sinks_of_each_head_and_text_against_loops():
    prompt, _, weights, _ = maps()
    calmed = calm_sinks(prompt, 0.3, 1.2)(0, weights)
    assert not torch.allclose(calmed, weights)
    for text, first in enumerate((0, 2)):
        for head in range(3):
            wanted = naive_calm(weights[text, head].tolist(), first, 0.3, 1.2)
            torch.testing.assert_close(calmed[text, head], torch.tensor(wanted))


def test_rows_keep_their_sum():
    prompt, _, weights, _ = maps()
    for edit in (scale_keys(prompt, 0.2), calm_sinks(prompt, 0.0, 0.5)):
        torch.testing.assert_close(edit(0, weights).sum(dim=-1), weights.sum(dim=-1))


def test_what_is_generated_is_calmed_by_the_prompts_sinks():
    edit = calm_sinks(THREE, 0.5, 1.5)
    one_more = torch.tensor([0.2, 0.4, 0.2, 0.2])[None, None, None]
    with pytest.raises(ValueError, match="the whole prompt before single tokens"):
        edit(0, one_more)
    edit(0, WEIGHTS)
    calmed = edit(0, one_more)[0, 0, 0]
    assert calmed.tolist() == pytest.approx([4 / 15, 0.2, 4 / 15, 4 / 15])


def test_only_the_chosen_heads_are_edited():
    prompt, _, weights, _ = maps()
    keys = prompt & (torch.arange(6) < 4)
    everywhere = scale_keys(keys, 0.1)(1, weights)
    edit = scale_keys(keys, 0.1, heads=["L1H0", "L1H2"])
    chosen = edit(1, weights)
    torch.testing.assert_close(chosen[:, [0, 2]], everywhere[:, [0, 2]])
    torch.testing.assert_close(chosen[:, 1], weights[:, 1])
    assert edit(0, weights) is None


@pytest.mark.parametrize("scale", [0, -1, float("nan"), float("inf")])
def test_a_scale_must_be_positive(scale):
    with pytest.raises(ValueError, match="positive scale"):
        scale_keys(THREE, scale)


def test_settings_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match=r"from 0 to 1, got 1\.5"):
        calm_sinks(THREE, 1.5, 5)
    with pytest.raises(ValueError, match="positive threshold, got 0"):
        calm_sinks(THREE, 0.5, 0)
    with pytest.raises(ValueError, match="names of heads"):
        scale_keys(THREE, 0.5, heads=[])
    with pytest.raises(ValueError, match="'L5H3', got 'five'"):
        scale_keys(THREE, 0.5, heads=["five"])


@pytest.mark.parametrize("make", [lambda m: scale_keys(m, 0.5), lambda m: calm_sinks(m, 0.5, 2)])
def test_another_batch_is_refused(make):
    with pytest.raises(ValueError, match="batch of 1 prompts of 3 tokens"):
        make(THREE)(0, torch.ones(1, 1, 4, 4))
    with pytest.raises(ValueError, match="came 2 texts"):
        make(THREE)(0, torch.ones(2, 1, 3, 3))
