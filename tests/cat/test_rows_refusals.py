"""What `cat.rows` refuses, and how it says so."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    BertConfig,
    BertForMaskedLM,
    BloomConfig,
    DynamicCache,
    Gemma2Config,
    GptOssConfig,
)
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from cat.rows import (
    ATTENTION,
    UnsupportedModelError,
    attention_rows,
    enable_rows,
    forward_with_rows,
)
from tests.cat.row_models import (
    BATCH,
    CONFIGS,
    LENGTH,
    LLAMA_LIKE,
    ROWS,
    VOCAB,
    build,
    peft_warns,
    texts,
)


def test_refuses_softcapping() -> None:
    model = AutoModelForCausalLM.from_config(Gemma2Config(**LLAMA_LIKE, head_dim=8))
    with pytest.raises(UnsupportedModelError, match=r"attn_logit_softcapping=50\.0.*eager"):
        enable_rows(model)


def test_refuses_learned_attention_sinks() -> None:
    config = GptOssConfig(**LLAMA_LIKE, head_dim=8, num_local_experts=2, num_experts_per_tok=1)
    with pytest.raises(UnsupportedModelError, match=r"attention sink, '.*self_attn\.sinks'"):
        enable_rows(AutoModelForCausalLM.from_config(config))


@pytest.mark.parametrize("name", ["s_aux", "position_bias"])
def test_refuses_weights_changed_after_the_product(name: str) -> None:
    """Whatever the model is called: the attention function sees the argument."""
    model = build(CONFIGS["llama"])
    enable_rows(model)
    layer = model.model.layers[0].self_attn
    heads = torch.zeros(1, 4, 2, 8)
    with pytest.raises(UnsupportedModelError, match=f"weights changed by '{name}'"):
        ALL_ATTENTION_FUNCTIONS[ATTENTION](layer, heads, heads, heads, None, **{name: heads})


def test_refuses_models_without_the_attention_interface() -> None:
    config = BloomConfig(vocab_size=VOCAB, hidden_size=32, n_layer=2, n_head=4)
    with pytest.raises(UnsupportedModelError, match=r"Bloom.*attention interface"):
        enable_rows(AutoModelForCausalLM.from_config(config))


def test_refuses_encoders() -> None:
    small = {k: v for k, v in LLAMA_LIKE.items() if k != "num_key_value_heads"}
    with pytest.raises(UnsupportedModelError, match=r"causal decoder, came is_causal=False in"):
        enable_rows(BertForMaskedLM(BertConfig(**small)))


def test_refuses_a_decoder_made_bidirectional() -> None:
    model = build(CONFIGS["llama"])
    model.config.is_causal = False
    with pytest.raises(UnsupportedModelError, match="causal decoder"):
        enable_rows(model)


def test_refuses_is_causal_false_at_a_call() -> None:
    model = build(CONFIGS["llama"])
    enable_rows(model)
    with pytest.raises(ValueError, match="came is_causal=False"):
        forward_with_rows(model, rows=ROWS, **texts(), is_causal=False)


def test_refuses_what_is_no_transformers_model() -> None:
    with pytest.raises(UnsupportedModelError, match="Linear: expected a model from transformers"):
        enable_rows(nn.Linear(2, 2))


def test_refuses_whole_maps_in_the_config() -> None:
    model = build(CONFIGS["llama"])
    model.set_attn_implementation("eager")
    model.config.output_attentions = True
    with pytest.raises(ValueError, match=r"expected config\.output_attentions=False"):
        enable_rows(model)


def test_refuses_reentrant_checkpointing() -> None:
    model = build(CONFIGS["llama"])
    model.activation_checkpointing_enable({"use_reentrant": True})
    with pytest.raises(ValueError, match=r"came use_reentrant=True.*\"use_reentrant\": False"):
        enable_rows(model)


def test_refuses_reentrant_checkpointing_switched_on_later() -> None:
    model = build(CONFIGS["llama"])
    enable_rows(model)
    model.activation_checkpointing_enable({"use_reentrant": True})
    with pytest.raises(ValueError, match="came use_reentrant=True"):
        forward_with_rows(model, rows=ROWS, **texts())


def test_refuses_to_restore_before_checkpointed_layers_run_again() -> None:
    model = build(CONFIGS["llama"])
    model.activation_checkpointing_enable({"use_reentrant": False})
    with pytest.raises(ValueError, match=r"to last until backward.*Call enable_rows"):
        attention_rows(model, texts()["input_ids"], None, ROWS)


def test_refuses_cached_keys() -> None:
    model = build(CONFIGS["llama"])
    enable_rows(model)
    cache = DynamicCache(config=model.config)
    input_ids = texts()["input_ids"]
    model(input_ids=input_ids[:, :4], past_key_values=cache, use_cache=True)
    with pytest.raises(ValueError, match=r"came 12 keys and 8 queries.*without past_key_values"):
        forward_with_rows(
            model, rows=ROWS.clamp(max=3), input_ids=input_ids[:, 4:], past_key_values=cache
        )


@peft_warns
def test_refuses_prompt_tuning() -> None:
    """Virtual tokens before the text would shift rows and keys."""
    from peft import PromptTuningConfig, get_peft_model

    prompt = PromptTuningConfig(task_type="CAUSAL_LM", num_virtual_tokens=2)
    model = get_peft_model(build(CONFIGS["llama"]), prompt)
    enable_rows(model)
    with pytest.raises(UnsupportedModelError, match="prompt tuning"):
        forward_with_rows(model, rows=ROWS, input_ids=texts()["input_ids"])


def test_refuses_a_model_that_is_not_enabled() -> None:
    with pytest.raises(ValueError, match=r"came 'sdpa'. Call enable_rows\(model\) first"):
        forward_with_rows(build(CONFIGS["llama"]), rows=ROWS, **texts())


def test_refuses_a_call_without_tokens() -> None:
    model = build(CONFIGS["llama"])
    enable_rows(model)
    with pytest.raises(ValueError, match=r"expected input_ids or inputs_embeds, came \['labels'\]"):
        forward_with_rows(model, rows=ROWS, labels=ROWS)


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (torch.full((BATCH, 1), LENGTH), r"rows in -1\.\.11 for a text of 12 tokens, came 12"),
        (torch.full((BATCH, 1), -2), r"rows in -1\.\.11 for a text of 12 tokens, came -2"),
        (torch.zeros(BATCH, dtype=torch.long), r"shape \(3, row\), came torch\.int64 \(3,\)"),
        (torch.zeros(1, 2, dtype=torch.long), r"shape \(3, row\), came torch\.int64 \(1, 2\)"),
        (torch.zeros(BATCH, 2), r"integer rows .* came torch\.float32"),
    ],
)
def test_refuses_bad_rows(rows: Tensor, message: str) -> None:
    model = build(CONFIGS["llama"])
    enable_rows(model)
    with pytest.raises(ValueError, match=message):
        forward_with_rows(model, rows=rows, **texts())
