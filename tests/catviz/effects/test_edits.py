"""Edits of patterns: against models that are cut, masked, or computed by other means."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from catviz.effects.edits import (
    check_mask,
    in_turn,
    without_head,
    without_keys,
    without_layer,
)
from catviz.lens import AttentionLens
from tests.catviz.random_models import HEADS, LAYERS, SHORT, TEXT, random_model, tokenizer

D_HEAD = 32 // HEADS


@pytest.fixture(scope="module")
def lens():
    return AttentionLens(random_model("llama-gqa"), tokenizer(), name="random")


@pytest.fixture(scope="module")
def ids():
    return tokenizer()(TEXT, return_tensors="pt")["input_ids"]


def cut(model, *heads: tuple[int, int]):
    """A copy whose output projections do not read the given heads."""
    model = copy.deepcopy(model)
    with torch.no_grad():
        for layer, head in heads:
            weight = model.model.layers[layer].self_attn.o_proj.weight
            weight[:, head * D_HEAD : (head + 1) * D_HEAD] = 0
    return model


def patterns_under(lens, ids, edit):
    """Every layer's edited pattern, and the logits."""
    seen = []

    def keep(layer, pattern):
        edited = edit(layer, pattern)
        seen.append((pattern, pattern if edited is None else edited))
        return edited

    with torch.inference_mode():
        return seen, lens.logits(ids, edit=keep)


@pytest.mark.parametrize("layer", range(LAYERS))
@pytest.mark.parametrize("head", range(HEADS))
def test_a_head_without_attention_is_one_that_is_not_read(lens, ids, layer, head):
    with torch.inference_mode():
        wanted = cut(lens.model, (layer, head))(ids).logits
        edited = lens.logits(ids, edit=without_head(f"L{layer}H{head}"))
        np.testing.assert_allclose(edited, wanted, atol=1e-5)
        assert (edited - lens.logits(ids)).abs().max() > 0.01


def test_several_heads_and_a_layer(lens, ids):
    with torch.inference_mode():
        wanted = cut(lens.model, (0, 1), (2, 0), (2, 3))(ids).logits
        edited = lens.logits(ids, edit=without_head("L0H1", "L2H0", "L2H3"))
        np.testing.assert_allclose(edited, wanted, atol=1e-5)
        wanted = cut(lens.model, *((layer, h) for layer in (0, 2) for h in range(HEADS)))(
            ids
        ).logits
        np.testing.assert_allclose(lens.logits(ids, edit=without_layer(0, 2)), wanted, atol=1e-5)


def masked_keys(ids, keys, rows):
    """transformers' own mask (batch, 1, query, key), with the keys out of the rows' sight."""
    n = ids.shape[1]
    sees = torch.ones(n, n, dtype=torch.bool).tril()[None].repeat(len(ids), 1, 1)
    sees &= ~(keys[:, None, :] & rows[:, :, None])
    return torch.where(sees, 0.0, torch.finfo(torch.float32).min)[:, None]


@pytest.mark.parametrize("which", ["all", "last"])
def test_keys_without_attention_are_keys_out_of_sight(lens, ids, which):
    """Weights that sum to one again are those of a softmax that never saw the keys."""
    keys = torch.zeros(ids.shape, dtype=torch.bool)
    keys[:, [1, 3]] = True  # row 0 keeps the one key it sees
    rows = torch.ones_like(keys)
    if which == "last":
        rows[:, :-1] = False
    edit = without_keys(keys, rows=None if which == "all" else rows)
    with torch.inference_mode():
        wanted = lens.model(ids, attention_mask=masked_keys(ids, keys, rows)).logits
        edited = lens.logits(ids, edit=edit)
        np.testing.assert_allclose(edited, wanted, atol=1e-4)
        assert (edited - lens.logits(ids)).abs().max() > 0.1


def test_each_text_of_a_batch_has_its_own_keys(lens):
    tokenizer().padding_side = "right"
    both = tokenizer()([TEXT, SHORT], return_tensors="pt", padding=True)
    keys = torch.zeros(both["input_ids"].shape, dtype=torch.bool)
    keys[0, 2] = keys[1, 1] = True
    with torch.inference_mode():
        together = lens.logits(both["input_ids"], both["attention_mask"], edit=without_keys(keys))
        for b, text in enumerate([TEXT, SHORT]):
            one = tokenizer()(text, return_tensors="pt")["input_ids"]
            n = one.shape[1]
            alone = lens.logits(one, edit=without_keys(keys[b : b + 1, :n]))
            np.testing.assert_allclose(together[b, :n], alone[0], atol=2e-5)


def test_rows_are_scaled_or_left_short(lens, ids):
    keys = torch.zeros(ids.shape, dtype=torch.bool)
    keys[:, 2] = True
    for before, after in patterns_under(lens, ids, without_keys(keys))[0]:
        np.testing.assert_allclose(after.sum(-1), 1, atol=1e-6)
        assert not after[..., 2].any()
        left = [k for k in range(ids.shape[1]) if k != 2]
        kept = before[..., left] / before[..., left].sum(-1, keepdim=True)
        np.testing.assert_allclose(after[..., left], kept, atol=1e-6)
    for before, after in patterns_under(lens, ids, without_keys(keys, renormalise=False))[0]:
        np.testing.assert_allclose(after.sum(-1), 1 - before[..., 2], atol=1e-6)


def test_a_row_with_nothing_left_attends_to_nothing(lens, ids):
    keys = torch.zeros(ids.shape, dtype=torch.bool)
    keys[:, 0] = True
    seen, logits = patterns_under(lens, ids, without_keys(keys))
    for _, after in seen:
        assert not after[:, :, 0].any()
        np.testing.assert_allclose(after[:, :, 1:].sum(-1), 1, atol=1e-6)
    assert logits.isfinite().all()


def test_edits_in_turn(lens, ids):
    keys = torch.zeros(ids.shape, dtype=torch.bool)
    keys[:, 2] = True
    both = in_turn(without_head("L1H2"), without_keys(keys), lambda layer, pattern: None)
    cut_model = cut(lens.model, (1, 2))
    with torch.inference_mode():
        wanted = cut_model(ids, attention_mask=masked_keys(ids, keys, torch.ones_like(keys))).logits
        np.testing.assert_allclose(lens.logits(ids, edit=both), wanted, atol=1e-4)
    for _, after in patterns_under(lens, ids, both)[0][1:2]:
        assert not after[:, 2].any(), "nothing is scaled up from nothing"


def test_patterns_that_come_in_are_left_as_they_are():
    pattern = torch.full((1, 2, 3, 3), 0.25)
    keys = torch.tensor([[True, False, False]])
    for edit in (without_head("L0H1"), without_layer(0), without_keys(keys)):
        assert not torch.equal(edit(0, pattern), pattern)
        assert (pattern == 0.25).all()


def test_half_precision_stays():
    pattern = torch.full((1, 2, 3, 3), 0.25, dtype=torch.bfloat16)
    edited = without_keys(torch.tensor([[True, False, False]]))(0, pattern)
    assert edited.dtype == torch.bfloat16


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: without_head(), "the name of a head"),
        (lambda: without_head("H3"), "such as 'L5H3'"),
        (lambda: without_layer(), "the number of a layer"),
        (lambda: without_head("L0H9")(0, torch.ones(1, 2, 3, 3)), "no head 9 in layer 0"),
        (lambda: check_mask("keys", torch.ones(1, 2), (1, 3)), r"keys of shape \(1, 3\)"),
        (
            lambda: without_keys(torch.ones(1, 2) > 0)(0, torch.ones(1, 2, 3, 3)),
            "one for each text and token",
        ),
        (
            lambda: without_keys(torch.ones(1, 3) > 0, rows=torch.ones(2, 3) > 0)(
                0, torch.ones(1, 2, 3, 3)
            ),
            "expected rows of shape",
        ),
    ],
)
def test_bad_edits_say_what_was_expected(make, message):
    with pytest.raises(ValueError, match=message):
        make()
