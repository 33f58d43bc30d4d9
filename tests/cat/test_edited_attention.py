"""Edited attention: eager attention where nothing is edited, and the edit's where something is."""

from __future__ import annotations

from threading import Thread

import pytest
import torch
from peft import LoraConfig, get_peft_model

from cat.attention_interface import UnsupportedModelError
from cat.edited_attention import edited_attention
from cat.models import load_model
from tests.cat.row_models import CONFIGS, TOLERANCE, build, eager_copy, peft_warns, texts


def leave(layer, weights):
    return None


def even(layer, weights):
    """The same attention to every token that is seen."""
    seen = weights > 0
    return seen / seen.sum(dim=-1, keepdim=True).clamp_min(1)


@pytest.mark.parametrize("padding", [None, "left", "right"])
@pytest.mark.parametrize("family", CONFIGS)
@torch.no_grad()
def test_without_a_change_it_is_eager_attention(family, padding):
    model = build(CONFIGS[family]).eval()
    batch = texts(padding)
    oracle = eager_copy(model)
    met = {}

    def look(layer, weights):
        met[layer] = weights
        return weights

    with edited_attention(model, look):
        ours = model(**batch, use_cache=False)
    eager = oracle(**batch, use_cache=False, output_attentions=True)
    torch.testing.assert_close(ours.loss, eager.loss, **TOLERANCE)
    real = batch.get("attention_mask", torch.ones_like(batch["input_ids"])).bool()
    torch.testing.assert_close(ours.logits[real], eager.logits[real], **TOLERANCE)
    for layer, expected in enumerate(eager.attentions):
        got, wanted = (w.transpose(1, 2)[real] for w in (met[layer], expected))
        torch.testing.assert_close(got, wanted, **TOLERANCE)


@torch.no_grad()
def test_an_edit_gives_what_edited_weights_give():
    """The first layer by hand: its values, averaged evenly, through its output projection."""
    model, _ = load_model("tiny")
    ids = torch.tensor([[5, 9, 17, 30]])
    attention = model.model.layers[0].self_attn
    outputs = []
    hook = attention.register_forward_hook(lambda module, args, output: outputs.append(output[0]))
    with edited_attention(model, even):
        model(ids)
    hook.remove()
    hidden = model.model.layers[0].input_layernorm(model.model.embed_tokens(ids))
    values = attention.v_proj(hidden)
    means = values.cumsum(dim=1) / torch.arange(1, 5)[:, None]
    torch.testing.assert_close(outputs[0], attention.o_proj(means), **TOLERANCE)


@torch.no_grad()
def test_an_additive_mask_is_added():
    model = build(CONFIGS["llama"]).eval()
    ids = texts()["input_ids"]
    bias = torch.randn(ids.shape[0], 1, *2 * ids.shape[1:], generator=torch.manual_seed(2))
    later = torch.ones(ids.shape[1], ids.shape[1], dtype=torch.bool).triu(1)
    bias = bias.masked_fill(later, torch.finfo(torch.float32).min)
    with edited_attention(model, leave):
        ours = model(ids, attention_mask=bias, use_cache=False).logits
    eager = eager_copy(model)(ids, attention_mask=bias, use_cache=False).logits
    torch.testing.assert_close(ours, eager, **TOLERANCE)


@pytest.mark.parametrize("edit", [leave, even])
@pytest.mark.parametrize("family", ["llama", "mistral", "gpt2"])
@pytest.mark.parametrize("padding", [None, "left"])
@torch.no_grad()
def test_with_cached_keys_as_without(family, edit, padding):
    model = build(CONFIGS[family]).eval()
    batch = texts(padding)
    mask = batch.get("attention_mask", torch.ones_like(batch["input_ids"]))
    inputs = {
        "input_ids": batch["input_ids"][:, :8],
        "attention_mask": mask[:, :8].clone(),
        "max_new_tokens": 4,
        "do_sample": False,
        "pad_token_id": 0,
        "eos_token_id": None,
        "output_logits": True,
        "return_dict_in_generate": True,
    }
    inputs["attention_mask"][:, -1] = 1  # the last text has at least one token
    with edited_attention(model, edit):
        cached, whole = (model.generate(**inputs, use_cache=use) for use in (True, False))
    assert cached.sequences.tolist() == whole.sequences.tolist()
    torch.testing.assert_close(cached.logits, whole.logits, **TOLERANCE)


@peft_warns
@torch.no_grad()
def test_a_peft_model_is_edited_and_given_back():
    model = get_peft_model(build(CONFIGS["llama"]), LoraConfig(target_modules=["q_proj"])).eval()
    batch = texts("left")
    before = model(**batch).logits
    with edited_attention(model, even):
        edited = model(**batch).logits
    assert not torch.allclose(edited, before, atol=1e-2)
    assert model.config._attn_implementation == "sdpa"
    torch.testing.assert_close(model(**batch).logits, before, rtol=0, atol=0)


@torch.no_grad()
def test_the_attention_is_given_back_after_an_error():
    model, _ = load_model("tiny")

    def fail(layer, weights):
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"), edited_attention(model, fail):
        model(torch.tensor([[5]]))
    assert model.config._attn_implementation == "sdpa"
    with edited_attention(model, leave):  # and another edit may hold
        model(torch.tensor([[5]]))


def test_an_edit_that_meets_no_layer_is_an_error():
    model, _ = load_model("tiny")
    with pytest.raises(RuntimeError, match="none was made"), edited_attention(model, leave):
        pass


@torch.no_grad()
def test_an_edit_that_misses_a_layer_is_an_error():
    model = build(CONFIGS["llama"]).eval()
    model.config.num_hidden_layers = 3  # than the two that will come by
    editing = edited_attention(model, leave)
    with pytest.raises(UnsupportedModelError, match=r"none in layers \[2\]"), editing:
        model.model(torch.tensor([[5]]))


def test_models_whose_weights_are_others_are_refused():
    model = build(CONFIGS["llama"])
    model.config.attn_logit_softcapping = 50.0  # as Gemma 2 has
    editing = edited_attention(model, leave)
    with pytest.raises(UnsupportedModelError, match="attn_logit_softcapping"), editing:
        pass


@torch.no_grad()
def test_misuse_is_refused():
    model, _ = load_model("tiny")
    ids = torch.tensor([[5, 6, 7]])
    editing = edited_attention(model, lambda layer, weights: weights[..., :1])
    with pytest.raises(ValueError, match=r"shape \(1, 4, 3, 3\), came \(1, 4, 3, 1\)"), editing:
        model(ids)
    two = edited_attention(model, leave), edited_attention(model, leave)
    with pytest.raises(RuntimeError, match="one edit of attention at a time"), two[0], two[1]:
        pass
    model.model.layers[0].self_attn.attention_dropout = 0.5
    editing = edited_attention(model.train(), leave)
    with pytest.raises(ValueError, match=r"call model\.eval\(\)"), editing:
        model(ids)


def test_a_thread_that_knows_of_no_edit_does_not_answer_without_it():
    model, _ = load_model("tiny")
    seen = []

    def run():
        try:
            model(torch.tensor([[5]]))
        except RuntimeError as error:
            seen.append(str(error))

    with torch.no_grad(), edited_attention(model, leave):
        thread = Thread(target=run)
        thread.start()
        thread.join()
        model(torch.tensor([[5]]))
    assert ["thread that edits" in message for message in seen] == [True]
