"""`cat.rows` with layers or heads kept apart: against eager maps, and against their own mean."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from transformers import LlamaConfig

from cat.rows import ATTENTION, Keep, attention_rows, enable_rows, forward_with_rows
from tests.cat.row_models import (
    BATCH,
    CONFIGS,
    LENGTH,
    LLAMA_LIKE,
    ROWS,
    TOLERANCE,
    build,
    eager_copy,
    eager_maps,
    peft_warns,
    rows_of,
    texts,
)

# What is left of (batch, layer, head, row, key) maps.
OF_HEADS = {
    "mean": lambda maps: maps.mean(dim=(1, 2)),
    "layer": lambda maps: maps.mean(dim=2),
    "head": lambda maps: maps,
}


def rows_by_eager(model: nn.Module, batch: dict[str, Tensor], keep: str) -> Tensor:
    with torch.no_grad():
        _, maps = eager_maps(model, batch)
    return OF_HEADS[keep](rows_of(maps, ROWS, batch))


@pytest.mark.parametrize("padding", [None, "left", "right"])
@pytest.mark.parametrize("keep", OF_HEADS)
@pytest.mark.parametrize("family", CONFIGS)
def test_equals_eager(family: str, keep: Keep, padding: str | None) -> None:
    model, batch = build(CONFIGS[family]), texts(padding)
    oracle = eager_copy(model)
    attention = attention_rows(
        model, batch["input_ids"], batch.get("attention_mask"), ROWS, keep=keep
    )
    torch.testing.assert_close(attention, rows_by_eager(oracle, batch, keep), **TOLERANCE)


def test_shapes() -> None:
    """Layers, heads, rows and keys all differ in number, so that no two axes can be swapped."""
    model = build(CONFIGS["gpt2"])  # 3 layers of 4 heads
    rows, ids = ROWS[:, :2], texts()["input_ids"]
    assert attention_rows(model, ids, None, rows).shape == (BATCH, 2, LENGTH)
    assert attention_rows(model, ids, None, rows, keep="layer").shape == (BATCH, 3, 2, LENGTH)
    assert attention_rows(model, ids, None, rows, keep="head").shape == (BATCH, 3, 4, 2, LENGTH)


@pytest.mark.parametrize("family", CONFIGS)
def test_means_of_heads_are_the_layers_and_their_mean_the_mean(family: str) -> None:
    model, ids = build(CONFIGS[family]), texts()["input_ids"]
    heads = attention_rows(model, ids, None, ROWS, keep="head")
    layers = attention_rows(model, ids, None, ROWS, keep="layer")
    torch.testing.assert_close(heads.mean(2), layers, atol=1e-7, rtol=0)
    torch.testing.assert_close(
        layers.mean(1), attention_rows(model, ids, None, ROWS), atol=1e-7, rtol=0
    )


def test_the_rows_of_every_head_sum_to_one_or_are_not_there() -> None:
    model, batch = build(CONFIGS["llama"]), texts("left")
    heads = attention_rows(model, batch["input_ids"], batch["attention_mask"], ROWS, keep="head")
    there = (ROWS >= 0) & batch["attention_mask"].gather(1, ROWS.clamp(min=0)).bool()
    sums = there[:, None, None].float().expand(heads.shape[:-1])
    torch.testing.assert_close(heads.sum(-1), sums)


def test_gradients_reach_the_head_that_is_asked_for_and_no_other() -> None:
    """The last layer's second query head: its rows of the projection move, the others do not."""
    model = build(LlamaConfig(**{**LLAMA_LIKE, "num_key_value_heads": 4}))
    enable_rows(model)
    heads = attention_rows(model, texts()["input_ids"], None, ROWS, keep="head")
    heads[:, -1, 1].square().sum().backward()
    of_head = model.model.layers[-1].self_attn.q_proj.weight.grad.view(4, 8, 32)
    assert of_head[1].abs().max() > 1e-3
    assert of_head[[0, 2, 3]].abs().max() == 0


@peft_warns
def test_peft_lora() -> None:
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=4, target_modules=["q_proj", "k_proj"], init_lora_weights=False)
    model = get_peft_model(build(CONFIGS["llama"]), lora)
    batch = texts("right")
    attention = attention_rows(
        model, batch["input_ids"], batch["attention_mask"], ROWS, keep="head"
    )
    model.get_base_model().set_attn_implementation("eager")
    torch.testing.assert_close(attention, rows_by_eager(model, batch, "head"), **TOLERANCE)


def test_heads_leave_the_next_call_as_it_was() -> None:
    model = build(CONFIGS["llama"])
    enable_rows(model)
    ids = texts()["input_ids"]
    _, before = forward_with_rows(model, rows=ROWS, input_ids=ids)
    attention_rows(model, ids, None, ROWS, keep="head")
    outputs, after = forward_with_rows(model, rows=ROWS, input_ids=ids)
    assert torch.equal(before, after)
    assert outputs.attentions[0].shape == (*ROWS.shape, LENGTH)
    assert model.config._attn_implementation == ATTENTION


def test_refuses_to_keep_what_there_is_not() -> None:
    model = build(CONFIGS["llama"])
    with pytest.raises(ValueError, match="keep as one of mean, layer, head, came 'heads'"):
        attention_rows(model, texts()["input_ids"], None, ROWS, keep="heads")  # type: ignore[arg-type]
    assert model.config._attn_implementation == "sdpa"
