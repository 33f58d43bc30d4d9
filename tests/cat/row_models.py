"""Small decoders of several families, texts for them, and their rows by eager attention."""

from __future__ import annotations

import copy
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    GPT2Config,
    LlamaConfig,
    MistralConfig,
    PreTrainedModel,
    Qwen2Config,
    Qwen3Config,
)

# peft 0.21 reads a property that transformers 5.23 has renamed.
peft_warns = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")

BATCH, LENGTH, VOCAB = 3, 12, 40
TOLERANCE = {"atol": 1e-5, "rtol": 1e-5}

# A wide initialisation: near-uniform attention would pass with the wrong scale, mask or head order.
LLAMA_LIKE = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "initializer_range": 0.2,
    "pad_token_id": 0,
}
CONFIGS = {
    "llama": LlamaConfig(**LLAMA_LIKE),
    "qwen2": Qwen2Config(**LLAMA_LIKE),
    "qwen3": Qwen3Config(**LLAMA_LIKE, head_dim=16),
    "mistral": MistralConfig(**LLAMA_LIKE, sliding_window=4),
    "gpt2": GPT2Config(
        vocab_size=VOCAB,
        n_embd=32,
        n_layer=3,
        n_head=4,
        n_positions=LENGTH,
        initializer_range=0.2,
        attn_pdrop=0.0,
        embd_pdrop=0.0,
        resid_pdrop=0.0,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=0,
    ),
}
REAL_TOKENS = (LENGTH, 9, 5)  # of each text; the rest is padding
ROWS = torch.tensor([[0, 3, 11], [10, 4, -1], [4, 7, 8]])  # some lie on padding, on either side


def build(config: Any) -> PreTrainedModel:
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(copy.deepcopy(config), attn_implementation="sdpa")
    return model.train()


def texts(padding: str | None = None) -> dict[str, Tensor]:
    """A batch with labels: -100 on padding, and on a token that padding would have to predict."""
    generator = torch.Generator().manual_seed(1)
    input_ids = torch.randint(1, VOCAB, (BATCH, LENGTH), generator=generator)
    if padding is None:
        return {"input_ids": input_ids, "labels": input_ids}
    position = torch.arange(LENGTH)
    if padding == "left":
        position = position.flip(0)
    attention_mask = (position < torch.tensor(REAL_TOKENS)[:, None]).long()
    predicted = attention_mask * attention_mask.roll(1, dims=1)
    return {
        "input_ids": input_ids * attention_mask,
        "attention_mask": attention_mask,
        "labels": input_ids.masked_fill(predicted == 0, -100),
    }


def eager_maps(model: nn.Module, batch: dict[str, Tensor]) -> tuple[Any, Tensor]:
    """The outputs, and whole maps from eager attention: (batch, layer, head, query, key)."""
    outputs = model(**batch, output_attentions=True, use_cache=False)
    return outputs, torch.stack(outputs.attentions, dim=1)


def eager_rows(model: nn.Module, rows: Tensor, batch: dict[str, Tensor]) -> tuple[Any, Tensor]:
    """The oracle: whole maps from eager attention, averaged, then indexed one row at a time."""
    outputs, maps = eager_maps(model, batch)
    mean_map = maps.mean(dim=(1, 2))  # (batch, query, key)
    return outputs, rows_of(mean_map, rows, batch)


def rows_of(maps: Tensor, rows: Tensor, batch: dict[str, Tensor]) -> Tensor:
    """(batch, ..., query, key) -> (batch, ..., row, key), one row at a time; zeros for no row."""
    mask = batch.get("attention_mask")
    attention = maps.new_zeros(*maps.shape[:-2], rows.shape[1], maps.shape[-1])
    for text, text_rows in enumerate(rows.tolist()):
        for slot, row in enumerate(text_rows):
            padded = mask is not None and mask.ndim == 2 and not mask[text, row]
            if row >= 0 and not padded:
                attention[text, ..., slot, :] = maps[text, ..., row, :]
    return attention


def eager_copy(model: PreTrainedModel) -> PreTrainedModel:
    oracle = copy.deepcopy(model)
    oracle.set_attn_implementation("eager")
    return oracle
