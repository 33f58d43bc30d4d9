"""Small decoders of several families with random weights, and texts to read with them."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
    Qwen3Config,
    Qwen3ForCausalLM,
)

from cat.models import tiny_tokenizer

LAYERS, HEADS = 3, 4
FAMILIES = ("llama", "llama-gqa", "qwen2", "qwen3", "mistral", "gpt2", "gpt-neox")
TEXT = "Smoking: 8, Weight: 3, Yellow fingers: 12, Exercise: 2, Room size: 7 Answer:"
SHORT = "Smoking: 1, Weight: 3 Answer:"


@cache
def tokenizer() -> Any:
    return tiny_tokenizer()


def random_model(family: str) -> Any:
    """A fresh model, as plain as it comes from transformers."""
    shape: dict[str, Any] = {
        "vocab_size": len(tokenizer()),
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "initializer_range": 0.25,  # patterns far from uniform
    }
    gqa = {**shape, "num_key_value_heads": 2}
    gpt2 = {"n_embd": 32, "n_layer": LAYERS, "n_head": HEADS, "initializer_range": 0.25}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(7)
        match family:
            case "llama":
                model: Any = LlamaForCausalLM(LlamaConfig(**shape))
            case "llama-gqa":
                model = LlamaForCausalLM(LlamaConfig(**gqa))
            case "qwen2":
                model = Qwen2ForCausalLM(Qwen2Config(**gqa))
            case "qwen3":
                model = Qwen3ForCausalLM(Qwen3Config(**gqa, head_dim=8))
            case "mistral":
                model = MistralForCausalLM(MistralConfig(**gqa, sliding_window=4))
            case "gpt2":
                model = GPT2LMHeadModel(GPT2Config(vocab_size=len(tokenizer()), **gpt2))
            case "gpt-neox":
                model = GPTNeoXForCausalLM(GPTNeoXConfig(**shape))
            case _:
                raise ValueError(f"expected a family of {FAMILIES}, got {family!r}")
    return model.eval()


def deaf_model() -> Any:
    """One whose TransformerLens adapter runs the model's own attention and ignores edits."""
    from transformers import AfmoeConfig, AfmoeForCausalLM

    shape = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2}
    config = AfmoeConfig(
        vocab_size=len(tokenizer()), num_attention_heads=4, head_dim=8, pad_token_id=0, **shape
    )
    return AfmoeForCausalLM(config).eval()


def eager(model: Any, text: str) -> torch.Tensor:
    """transformers' own patterns of one text, (layer, head, query, key)."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        ids = tokenizer()(text, return_tensors="pt")["input_ids"]
        attentions = model(ids, output_attentions=True).attentions
    model.set_attn_implementation(before)
    return torch.cat(attentions)
