"""The lens: equal to transformers' eager attention, on a model that stays as it was."""

from __future__ import annotations

import copy

import numpy as np
import psutil
import pytest
import torch
from peft import LoraConfig

from cat.models import add_adapter
from cat.signals import Example
from cat.stg import annotate, stg_e
from catviz.lens import AttentionLens, CannotEditError
from tests.catviz.random_models import (
    FAMILIES,
    HEADS,
    LAYERS,
    SHORT,
    TEXT,
    deaf_model,
    eager,
    random_model,
    tokenizer,
)


@pytest.fixture(scope="module")
def model():
    return random_model("llama-gqa")


@pytest.fixture(scope="module")
def lens(model):
    return AttentionLens(model, tokenizer(), name="random")


@pytest.mark.parametrize("family", FAMILIES)
def test_patterns_equal_eager_attention(family):
    model = random_model(family)
    pattern = AttentionLens(model, tokenizer()).attention(TEXT)
    np.testing.assert_allclose(pattern.values, eager(model, TEXT), atol=1e-6)
    assert pattern.values.std() > 0.1, "patterns that are all alike would prove nothing"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_text_reads_the_same_alone_and_in_a_padded_batch(family):
    lens = AttentionLens(random_model(family), tokenizer())
    for side in ("left", "right"):
        lens.tokenizer.padding_side = side
        together = lens.attentions([SHORT, TEXT, SHORT])
        for text, pattern in zip([SHORT, TEXT, SHORT], together, strict=True):
            np.testing.assert_allclose(pattern.values, lens.attention(text).values, atol=5e-6)
    lens.tokenizer.padding_side = "right"


def test_the_model_stays_as_it_was(tmp_path):
    model = random_model("llama")
    names = [name for name, _ in model.named_parameters()]
    weights = {name: weight.clone() for name, weight in model.state_dict().items()}
    ids = tokenizer()(TEXT, return_tensors="pt")["input_ids"]
    model.train()
    lens = AttentionLens(model, tokenizer())
    lens.attention(TEXT)
    lens.logits(ids, edit=lambda layer, pattern: pattern * 0)
    assert model.training
    assert model.config._attn_implementation == "sdpa"
    assert [name for name, _ in model.named_parameters()] == names
    assert all(torch.equal(weights[name], weight) for name, weight in model.state_dict().items())
    assert all(weight.requires_grad for weight in model.parameters())
    assert not any(module._forward_hooks for module in model.modules())
    model.save_pretrained(tmp_path)
    model.eval()
    assert len(eager(model, TEXT)) == LAYERS


def test_the_lens_sees_what_training_changes():
    model = random_model("llama")
    lens = AttentionLens(model, tokenizer())
    before = lens.attention(TEXT).values
    with torch.no_grad():
        for weight in model.parameters():
            weight.mul_(1.5)
    after = lens.attention(TEXT).values
    assert np.abs(after - before).max() > 0.01
    np.testing.assert_allclose(after, eager(model, TEXT), atol=1e-6)


def test_chosen_layers_and_heads_are_those_of_the_whole(lens, model):
    whole = lens.attention(TEXT)
    some = lens.attention(TEXT, layers=[0, 2], heads=[3, 1])
    assert some.head_names == ("L0H3", "L0H1", "L2H3", "L2H1")
    np.testing.assert_array_equal(some.values, whole.values[np.ix_([0, 2], [3, 1])])


def test_the_forward_pass_ends_at_the_last_layer_needed(lens):
    ran = []
    handles = [
        block.register_forward_hook(lambda *_, at=at: ran.append(at))
        for at, block in enumerate(lens.bridge.original_model.model.layers)
    ]
    lens.attention(TEXT, layers=1)
    for handle in handles:
        handle.remove()
    assert ran == [0], "layer 1 ends at its pattern, layer 2 does not begin"


def test_hooks_are_gone_after_reading(lens):
    lens.attention(TEXT, layers=0)
    pattern = lens.bridge.hook_dict[lens.hooks[0]]
    assert not pattern.fwd_hooks


def test_half_precision_keeps_values_and_halves_memory(lens):
    full, half = lens.attention(TEXT), lens.attention(TEXT, dtype="float16")
    assert half.values.nbytes * 2 == full.values.nbytes
    np.testing.assert_allclose(half.values, full.values, atol=5e-4)


def test_streamed_mean_equals_the_mean_of_the_whole(lens, model, monkeypatch):
    monkeypatch.setattr("catviz.reading._ROWS_AT_ONCE", 4)
    streamed = lens.mean_map(TEXT)
    np.testing.assert_allclose(streamed.values, eager(model, TEXT).mean((0, 1)), atol=1e-6)
    assert model.config._attn_implementation == "sdpa"


def test_a_pattern_that_does_not_fit_says_what_would(lens, monkeypatch):
    class Full:
        available = 1000

    monkeypatch.setattr(psutil, "virtual_memory", lambda: Full)
    with pytest.raises(ValueError, match=r"choose layers= and heads=.*float16.*mean_map"):
        lens.attention(TEXT)
    assert lens.mean_map(TEXT).size == 6


def test_long_texts_on_the_embedded_model():
    lens = AttentionLens.load("tiny/plain")
    pattern = lens.attention("Smoking: 8, " * 4096, heads=0, dtype="float16")
    assert pattern.size == 4096
    assert pattern.values.dtype == np.float16


def test_examples_are_read_up_to_the_answer(lens):
    example = annotate(Example.from_record(stg_e()["test_ood"][0]))
    prompt, whole = lens.attention(example), lens.attention(example, answer=True)
    assert prompt.tokens == whole.tokens[:-1]
    assert whole.tokens[-1] == "High Risk"
    assert prompt.answer_rows == whole.answer_rows == (prompt.size - 1,)
    assert prompt.roles.count("causal") == 3
    np.testing.assert_allclose(whole.values[..., :-1, :-1], prompt.values, atol=1e-6)


def test_roles_by_hand_and_by_phrase_agree(lens):
    by_phrase = lens.attention(SHORT, {"causal": ["Smoking: 1"], "irrelevant": "Weight: 3"})
    n = by_phrase.size
    by_hand = lens.attention(SHORT, [*by_phrase.roles])
    assert by_hand.roles == by_phrase.roles
    assert set(by_hand.roles) == {"causal", "irrelevant", "other"}
    with pytest.raises(ValueError, match=f"one role for each of the {n} tokens"):
        lens.attention(SHORT, ["causal"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 3}, "no layer 3: the model has 3, from 0 to 2"),
        ({"heads": [0, 4]}, "no head 4"),
        ({"heads": [1, 1]}, "every head once"),
        ({"layers": []}, "at least one layer"),
        ({"roles": {"causal": "Hormones: 3"}}, "is not in the text"),
        ({"roles": {"cause": "Smoking: 1"}}, "expected a role of"),
        ({"roles": {"causal": ","}}, "in none of the 3 tokens"),
    ],
)
def test_bad_requests_say_what_was_expected(lens, options, message):
    with pytest.raises(ValueError, match=message):
        lens.attention(SHORT, **options)


@pytest.mark.parametrize("text", ["", "   \n"])
def test_an_empty_text_is_refused(lens, text):
    with pytest.raises(ValueError, match="empty text"):
        lens.attention(text)


# ---------------------------------------------------------------------------- editing


def test_without_an_edit_the_bridge_says_what_the_model_says(lens, model):
    ids = tokenizer()(TEXT, return_tensors="pt")["input_ids"]
    with torch.inference_mode():
        plain = lens.logits(ids)
        watched = lens.logits(ids, edit=lambda layer, pattern: None)
        np.testing.assert_allclose(plain, model(ids).logits, atol=1e-6)
        np.testing.assert_allclose(watched, plain, atol=1e-4)


def test_an_edited_head_is_the_head_cut_out_of_the_output_projection(lens, model):
    ids = tokenizer()(TEXT, return_tensors="pt")["input_ids"]

    def silence_head_2_of_layer_1(layer, pattern):
        if layer == 1:
            pattern = pattern.clone()
            pattern[:, 2] = 0
            return pattern
        return None

    cut = copy.deepcopy(model)
    d_head = 32 // HEADS
    with torch.no_grad():
        cut.model.layers[1].self_attn.o_proj.weight[:, 2 * d_head : 3 * d_head] = 0
    with torch.inference_mode():
        edited = lens.logits(ids, edit=silence_head_2_of_layer_1)
        np.testing.assert_allclose(edited, cut(ids).logits, atol=1e-4)
        assert (edited - lens.logits(ids)).abs().max() > 0.1


def test_a_model_that_ignores_edits_is_refused():
    lens = AttentionLens(deaf_model(), tokenizer())
    ids = tokenizer()(SHORT, return_tensors="pt")["input_ids"]
    with pytest.raises(CannotEditError, match=r"layers \[0, 1\] ignore them"):
        lens.logits(ids, edit=lambda layer, pattern: pattern * 0)
    lens.logits(ids)


# ---------------------------------------------------------------------------- PEFT and others


@pytest.fixture
def peft_model():
    torch.manual_seed(3)
    model = random_model("llama-gqa")
    lora = LoraConfig(r=4, target_modules=["q_proj", "k_proj"], init_lora_weights=False)
    return add_adapter(model, lora).eval()


def test_base_and_tuned_come_from_one_peft_model(peft_model):
    base = eager(random_model("llama-gqa"), TEXT)
    lens = AttentionLens(peft_model, tokenizer(), name="tuned")
    tuned = lens.attention(TEXT)
    with lens.without_adapter():
        before = lens.attention(TEXT)
        before_mean = lens.mean_map(TEXT)
    np.testing.assert_allclose(before.values, base, atol=1e-6)
    np.testing.assert_allclose(before_mean.values, base.mean((0, 1)), atol=1e-6)
    np.testing.assert_allclose(tuned.values, eager(peft_model, TEXT), atol=1e-6)
    np.testing.assert_array_equal(lens.attention(TEXT).values, tuned.values)
    assert np.abs(tuned.values - before.values).max() > 0.05
    assert (before.model, lens.name) == ("tuned, adapter off", "tuned")


def test_a_model_without_adapter_has_none_to_switch_off(lens):
    with pytest.raises(ValueError, match="expected a PEFT model"), lens.without_adapter():
        pass


def test_what_is_no_transformers_model_is_refused():
    with pytest.raises(ValueError, match="expected a transformers model"):
        AttentionLens(torch.nn.Linear(2, 2), tokenizer())


def test_an_architecture_that_the_bridge_does_not_know_is_refused():
    from transformers import NanoChatConfig, NanoChatForCausalLM

    config = NanoChatConfig(
        vocab_size=len(tokenizer()),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=1,
        num_attention_heads=4,
        pad_token_id=0,
    )
    with pytest.raises(ValueError, match="TransformerLens cannot read a NanoChat"):
        AttentionLens(NanoChatForCausalLM(config), tokenizer())


def test_dropout_is_off_while_reading():
    model = random_model("gpt2")
    model.train()
    lens = AttentionLens(model, tokenizer())
    np.testing.assert_array_equal(lens.attention(TEXT).values, lens.attention(TEXT).values)
    np.testing.assert_array_equal(lens.mean_map(TEXT).values, lens.mean_map(TEXT).values)
    assert model.training
