"""`cat.rows` against whole eager maps: values and every parameter's gradient, model by model."""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from transformers import LlamaConfig

import cat.rows
from cat.rows import (
    ATTENTION,
    attention_rows,
    disable_rows,
    enable_rows,
    forward_with_rows,
)
from tests.cat.row_models import (
    BATCH,
    CONFIGS,
    LENGTH,
    LLAMA_LIKE,
    ROWS,
    TOLERANCE,
    build,
    eager_copy,
    eager_rows,
    peft_warns,
    texts,
)

# Dynamo looks at .grad of the tensors with which a graph begins, leaf or not.
dynamo_warns = pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a l")


def mixed_loss(lm_loss: Tensor, attention: Tensor) -> Tensor:
    """The LM loss and a term, different for every entry, through which rows send gradients."""
    generator = torch.Generator().manual_seed(2)
    pull = torch.randn(attention.shape, generator=generator)
    return lm_loss + (pull * attention).sum() + attention.square().sum()


def gradients(model: nn.Module) -> dict[str, Tensor]:
    """By the parameter's own name: torch.compile puts a prefix before it."""
    return {
        name.removeprefix("_orig_mod."): parameter.grad
        for name, parameter in model.named_parameters()
        if parameter.grad is not None
    }


def assert_same_training_step(
    model: nn.Module, oracle: nn.Module, batch: dict[str, Tensor], rows: Tensor = ROWS
) -> None:
    """Loss, rows and all gradients of `model` are those of the eager `oracle`."""
    outputs, attention = forward_with_rows(model, rows=rows, **batch)
    expected_outputs, expected = eager_rows(oracle, rows, batch)
    mixed_loss(outputs.loss, attention).backward()
    mixed_loss(expected_outputs.loss, expected).backward()

    torch.testing.assert_close(outputs.loss, expected_outputs.loss, **TOLERANCE)
    torch.testing.assert_close(attention, expected, **TOLERANCE)
    torch.testing.assert_close(gradients(model), gradients(oracle), **TOLERANCE)


# --- values and gradients -------------------------------------------------------------------------


@pytest.mark.parametrize("padding", [None, "left", "right"])
@pytest.mark.parametrize("family", CONFIGS)
def test_equals_eager(family: str, padding: str | None) -> None:
    model = build(CONFIGS[family])
    oracle = eager_copy(model)
    enable_rows(model)
    assert_same_training_step(model, oracle, texts(padding))


def test_rows_alone_reach_the_queries_and_keys_of_every_layer() -> None:
    """So the comparisons above are not met by the LM loss alone."""
    model = build(CONFIGS["llama"])
    enable_rows(model)
    _, attention = forward_with_rows(model, rows=ROWS, **texts())
    mixed_loss(torch.tensor(0.0), attention).backward()
    for layer in model.model.layers:
        for projection in (layer.self_attn.q_proj, layer.self_attn.k_proj):
            assert projection.weight.grad.abs().max() > 1e-2


def test_sliding_window_hides_distant_keys() -> None:
    model = build(CONFIGS["mistral"])
    attention = attention_rows(model, texts()["input_ids"], None, torch.full((BATCH, 1), 9))
    assert torch.equal(attention[0, 0] > 0, torch.tensor([6 <= key <= 9 for key in range(LENGTH)]))


@pytest.mark.parametrize("hidden", [float("-inf"), torch.finfo(torch.float32).min])
def test_additive_mask_with_a_bias_for_each_head(hidden: float) -> None:
    model = build(CONFIGS["llama"])
    oracle = eager_copy(model)
    enable_rows(model)
    slopes = torch.tensor([0.1, 0.5, 1.0, 2.0]).view(1, 4, 1, 1)
    distance = torch.arange(LENGTH)[:, None] - torch.arange(LENGTH)
    bias = (-slopes * distance).masked_fill(distance < 0, hidden)  # (1, head, query, key)
    batch = {**texts(), "attention_mask": bias.expand(BATCH, -1, -1, -1)}
    assert_same_training_step(model, oracle, batch)


def test_embeddings_may_replace_tokens() -> None:
    model = build(CONFIGS["llama"])
    input_ids = texts()["input_ids"]
    enable_rows(model)
    embeddings = model.get_input_embeddings()(input_ids)
    _, attention = forward_with_rows(model, rows=ROWS, inputs_embeds=embeddings)
    torch.testing.assert_close(attention, attention_rows(model, input_ids, None, ROWS))


def test_one_token_attends_to_itself() -> None:
    model = build(CONFIGS["llama"])
    attention = attention_rows(model, torch.tensor([[5]]), None, torch.tensor([[0]]))
    torch.testing.assert_close(attention, torch.ones(1, 1, 1))


def test_no_rows_at_all() -> None:
    model = build(CONFIGS["llama"])
    rows = torch.empty(BATCH, 0, dtype=torch.long)
    assert attention_rows(model, texts()["input_ids"], None, rows).shape == (BATCH, 0, LENGTH)


# --- rows that are not there ----------------------------------------------------------------------


@pytest.mark.parametrize("padding", ["left", "right"])
def test_rows_on_padding_are_zero_and_send_no_gradient(padding: str) -> None:
    model = build(CONFIGS["llama"])
    batch = texts(padding)
    on_padding = 0 if padding == "left" else LENGTH - 1
    rows = torch.tensor([[-1, -1], [on_padding, -1], [-1, on_padding]])
    attention = attention_rows(model, batch["input_ids"], batch["attention_mask"], rows)
    assert torch.equal(attention, torch.zeros(BATCH, 2, LENGTH))
    mixed_loss(torch.tensor(0.0), attention).backward()
    assert all((gradient == 0).all() for gradient in gradients(model).values())  # nor NaN


@pytest.mark.parametrize("hidden", [float("-inf"), torch.finfo(torch.float32).min])
def test_rows_that_a_mask_hides_are_zero(hidden: float) -> None:
    model = build(CONFIGS["llama"])
    bias = torch.full((LENGTH, LENGTH), hidden).triu(1)
    bias[3] = hidden  # a query that sees no key, as padding on the left is
    mask = bias.expand(BATCH, 1, -1, -1)
    attention = attention_rows(model, texts()["input_ids"], mask, ROWS)
    assert torch.equal(attention.sum(-1) == 0, (ROWS == 3) | (ROWS == -1))


def test_no_nan_arises_beside_padded_rows() -> None:
    model = build(CONFIGS["llama"])
    enable_rows(model)
    with torch.autograd.set_detect_anomaly(True):  # raises even for a NaN that is masked later
        outputs, attention = forward_with_rows(model, rows=ROWS, **texts("left"))
        mixed_loss(outputs.loss, attention).backward()
    assert all(gradient.isfinite().all() for gradient in gradients(model).values())


# --- other ways to run the model ------------------------------------------------------------------


@peft_warns
def test_peft_lora() -> None:
    from peft import LoraConfig, get_peft_model

    base = build(CONFIGS["llama"])
    lora = LoraConfig(r=4, target_modules=["q_proj", "k_proj", "v_proj", "o_proj"])
    model = get_peft_model(base, lora)
    torch.manual_seed(3)
    for name, parameter in model.named_parameters():
        if "lora_B" in name:  # zero at first: the adapter would not matter
            nn.init.normal_(parameter, std=0.2)
    oracle = copy.deepcopy(model)
    oracle.get_base_model().set_attn_implementation("eager")
    enable_rows(model)
    assert_same_training_step(model, oracle, texts("left"))
    assert all("lora" in name for name in gradients(model))


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_gradient_checkpointing(family: str) -> None:
    model = build(CONFIGS[family])
    oracle = eager_copy(model)
    enable_rows(model)
    model.activation_checkpointing_enable({"use_reentrant": False})
    assert_same_training_step(model, oracle, texts("left"))
    queries = "q_proj.weight" if family == "llama" else "c_attn.weight"
    assert all(g.abs().max() > 1e-2 for name, g in gradients(model).items() if queries in name)


@dynamo_warns
@pytest.mark.parametrize("compiled_before", [False, True], ids=["enabled first", "compiled first"])
def test_torch_compile(compiled_before: bool) -> None:
    model = build(CONFIGS["llama"])
    oracle = eager_copy(model)
    compiled = torch.compile(model, backend="aot_eager")
    if compiled_before:
        compiled(**texts("left"), use_cache=False)
    enable_rows(compiled)
    assert_same_training_step(compiled, oracle, texts("left"))


def test_bf16_autocast_leaves_rows_in_float32() -> None:
    model = build(CONFIGS["llama"])
    enable_rows(model)
    with torch.autocast("cpu", torch.bfloat16):
        _, attention = forward_with_rows(model, rows=ROWS.clamp(min=0), **texts())
    assert attention.dtype == torch.float32
    torch.testing.assert_close(attention.sum(-1), torch.ones(ROWS.shape), atol=1e-6, rtol=0)


def test_rows_are_taken_before_dropout() -> None:
    config = LlamaConfig(**{**LLAMA_LIKE, "num_hidden_layers": 1}, attention_dropout=0.5)
    model = build(config)
    input_ids = texts()["input_ids"]
    dropped = attention_rows(model.train(), input_ids, None, ROWS)
    assert torch.equal(dropped, attention_rows(model.eval(), input_ids, None, ROWS))


class ShapeLog(TorchDispatchMode):
    """The shapes of all tensors that operations return."""

    def __init__(self) -> None:
        super().__init__()
        self.shapes: set[tuple[int, ...]] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        out = func(*args, **(kwargs or {}))
        tensors = out if isinstance(out, tuple | list) else [out]
        self.shapes |= {tuple(tensor.shape) for tensor in tensors if isinstance(tensor, Tensor)}
        return out


def test_never_makes_a_whole_map() -> None:
    """Forward and backward; one key head a query head, which the fused CPU kernel needs."""
    model = build(LlamaConfig(**{**LLAMA_LIKE, "num_key_value_heads": 4}))
    enable_rows(model)
    with ShapeLog() as log:
        outputs, attention = forward_with_rows(model, rows=ROWS, **texts())
        mixed_loss(outputs.loss, attention).backward()
    assert (BATCH, 4, ROWS.shape[1], LENGTH) in log.shapes
    assert not [shape for shape in log.shapes if shape[-2:] == (LENGTH, LENGTH)]


def test_rows_of_every_layer_come_in_attentions() -> None:
    model = build(CONFIGS["gpt2"])
    enable_rows(model)
    outputs, attention = forward_with_rows(model, rows=ROWS, **texts())
    assert len(outputs.attentions) == 3
    assert outputs.past_key_values is None  # a cache would keep all keys, for nothing
    torch.testing.assert_close(torch.stack(outputs.attentions).mean(0), attention)


# --- switching on and off -------------------------------------------------------------------------


@pytest.mark.parametrize("before", ["sdpa", "eager"])
def test_disable_gives_back_what_was_set(before: str) -> None:
    model = build(CONFIGS["llama"])
    model.set_attn_implementation(before)
    enable_rows(model)
    enable_rows(model)  # twice is once
    assert model.config._attn_implementation == ATTENTION
    disable_rows(model)
    disable_rows(model)
    assert model.config._attn_implementation == before


def test_attention_rows_enables_for_the_call_only() -> None:
    model = build(CONFIGS["llama"])
    attention_rows(model, texts()["input_ids"], None, ROWS)
    assert model.config._attn_implementation == "sdpa"
    with pytest.raises(ValueError, match="expected rows in"):
        attention_rows(model, texts()["input_ids"], None, torch.full((BATCH, 1), LENGTH))
    assert model.config._attn_implementation == "sdpa"
    enable_rows(model)
    attention_rows(model, texts()["input_ids"], None, ROWS)
    assert model.config._attn_implementation == ATTENTION


def test_an_enabled_model_generates_as_before() -> None:
    model = build(CONFIGS["llama"]).eval()
    batch = {name: texts("left")[name] for name in ("input_ids", "attention_mask")}
    before = model.generate(**batch, max_new_tokens=4, do_sample=False)
    enable_rows(model)
    assert torch.equal(model.generate(**batch, max_new_tokens=4, do_sample=False), before)


def test_import_leaves_transformers_out() -> None:
    code = "import sys, cat.rows; assert 'transformers' not in sys.modules"
    root = Path(cat.rows.__file__).parents[1]
    subprocess.run(
        [sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": str(root)}
    )
