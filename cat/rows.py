"""Attention at chosen query rows, from a model that runs on SDPA.

Causal Attention Tuning supervises the mean map of Han et al. 2025 (https://arxiv.org/abs/2509.01535,
section 4.2): over all L layers and H heads of post-softmax attention,

    Abar[query, key] = 1 / (L * H) * sum over layer, head of A[layer, head, query, key]

but its loss reads only the rows that predict a token with a known cause. So the model keeps its
fused attention, and softmax(QK) is computed a second time for those rows alone. Nothing is patched:
`cat_rows` is an attention function of transformers' own interface. It returns SDPA's output and,
when rows came down with the keywords, their weights, which transformers puts in `attentions`.

    >>> import torch
    >>> from transformers import LlamaConfig, LlamaForCausalLM
    >>> config = LlamaConfig(vocab_size=50, hidden_size=32, intermediate_size=64,
    ...                      num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2)
    >>> model = LlamaForCausalLM(config)
    >>> enable_rows(model)
    >>> input_ids = torch.arange(10).reshape(2, 5)
    >>> rows = torch.tensor([[3, 4], [2, -1]])  # (batch, row): which queries; -1 pads
    >>> batch = {"input_ids": input_ids, "labels": input_ids}
    >>> outputs, attention = forward_with_rows(model, rows=rows, **batch)
    >>> attention.shape  # (batch, row, key)
    torch.Size([2, 2, 5])
    >>> (outputs.loss + attention[..., 0].mean()).backward()  # both terms reach every layer

Cost, for each layer: one (query_head, row, key) product beside the SDPA call, and that many float32
weights kept for the backward pass; with a handful of rows both are small against the layer itself.
What is never made is a (head, query, key) map or a copy of the keys for every query head.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import torch
from torch import Tensor, nn

from cat.attention_interface import (
    UnsupportedModelError,
    pretrained,
    refuse_unsupported_model,
    unsupported,
)

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = [
    "ATTENTION",
    "Keep",
    "UnsupportedModelError",
    "attention_rows",
    "disable_rows",
    "enable_rows",
    "forward_with_rows",
]

# transformers treats names that contain "sdpa", "flash_attention" or "flex_attention" specially.
ATTENTION = "cat_rows"

Keep = Literal["mean", "layer", "head"]
"""What is kept of all layers and heads: their mean, each layer's mean over heads, every head."""


def enable_rows(model: nn.Module) -> None:
    """Switch `model` to the `cat_rows` attention; a forward without rows still is plain SDPA.

    `model` may be wrapped (PEFT, `torch.compile`, DDP). Raises `UnsupportedModelError` when its
    rows are not softmax(QK) of a causal decoder, `ValueError` when a setting stands in the way.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    inner = pretrained(model)
    if _is_enabled(inner):
        return
    refuse_unsupported_model(inner)
    _refuse_reentrant_checkpointing(inner)
    if inner.config.output_attentions:
        raise ValueError(
            "expected config.output_attentions=False, came True: whole maps need eager attention. "
            "Set it to False; the rows are asked for at each call."
        )

    AttentionInterface.register(ATTENTION, _cat_rows_attention)
    # A name without a mask function would silently attend to padding.
    AttentionMaskInterface.register(ATTENTION, sdpa_mask)
    before = inner.config._attn_implementation
    inner.set_attn_implementation(ATTENTION)
    if not _is_enabled(inner):  # transformers only logs a warning
        raise unsupported(inner, "that can change its attention function", "a fixed one")
    inner._attention_before_rows = before


def disable_rows(model: nn.Module) -> None:
    """Give `model` the attention implementation back that it had before `enable_rows`."""
    inner = pretrained(model)
    if _is_enabled(inner):
        inner.set_attn_implementation(getattr(inner, "_attention_before_rows", "sdpa"))


def forward_with_rows(
    model: nn.Module, *, rows: Tensor, keep: Keep = "mean", **inputs: Any
) -> tuple[Any, Tensor]:
    """One forward pass -> (the model's outputs, attention of shape (batch, row, key)).

    Args:
        model: after `enable_rows`; wrappers included, so that DDP and autocast see the call.
        rows: (batch, row) integers, the query positions wanted; -1 pads.
        keep: as for :func:`attention_rows`; (batch, layer, row, key) or (batch, layer, head, row,
            key) where it is not "mean".
        inputs: what the model takes: `input_ids` or `inputs_embeds`, `attention_mask`, `labels`.

    Returns:
        The outputs, and the mean over layers and heads at `rows`: float32 whatever the model's
        dtype, before dropout, differentiable. A row sums to 1; one that is -1 or lies on padding
        (by a (batch, key) `attention_mask`) is all zeros and sends no gradient.

    Raises:
        ValueError: the model is not enabled, no tokens came, rows have a wrong shape or are out of
            range, keys are cached, or gradient checkpointing is reentrant.
        UnsupportedModelError: what came back are not rows of this text (prompt tuning).
    """
    _check_keep(keep)
    outputs, layers = _forward(model, rows, inputs, every_head=keep == "head")
    return outputs, _kept(layers, keep)


def attention_rows(
    model: nn.Module,
    input_ids: Tensor,
    attention_mask: Tensor | None,
    rows: Tensor,
    *,
    keep: Keep = "mean",
) -> Tensor:
    """The attention at `rows` of one batch, with gradients.

    As `forward_with_rows`, but a model that is not enabled is so for this call only. Gradient
    checkpointing runs the layers again in `backward`, after the call: enable such a model first.

    Args:
        keep: the "mean" over layers and heads, (batch, row, key); each "layer", the mean over its
            heads, (batch, layer, row, key); or every "head", (batch, layer, head, row, key).
    """
    _check_keep(keep)
    inner = pretrained(model)
    enabled = _is_enabled(inner)
    if not enabled:
        if inner.training and torch.is_grad_enabled() and _checkpointing(inner):
            raise ValueError(
                f"expected attention implementation {ATTENTION!r} to last until backward (gradient "
                f"checkpointing is on), came {inner.config._attn_implementation!r}. "
                "Call enable_rows(model) first."
            )
        enable_rows(model)
    try:
        # The rows come from the layers alone: do not pay for logits over the vocabulary.
        inputs = {"input_ids": input_ids, "attention_mask": attention_mask, "logits_to_keep": 1}
        _, layers = _forward(model, rows, inputs, every_head=keep == "head")
    finally:
        if not enabled:
            disable_rows(model)
    return _kept(layers, keep)


def _check_keep(keep: str) -> None:
    if keep not in get_args(Keep):
        raise ValueError(f"expected keep as one of {', '.join(get_args(Keep))}, came {keep!r}.")


def _kept(layers: Sequence[Tensor], keep: Keep) -> Tensor:
    if keep == "mean":
        return _mean(layers)
    return torch.stack([weights.to(layers[0].device) for weights in layers], dim=1)


def _forward(
    model: nn.Module, rows: Tensor, inputs: Mapping[str, Any], *, every_head: bool = False
) -> tuple[Any, tuple[Tensor, ...]]:
    """The outputs, and each layer's rows: (batch, row, key), or (batch, head, row, key)."""
    inner = pretrained(model)
    if not _is_enabled(inner):
        raise ValueError(
            f"expected attention implementation {ATTENTION!r}, came "
            f"{inner.config._attn_implementation!r}. Call enable_rows(model) first."
        )
    _refuse_reentrant_checkpointing(inner)  # trainers switch it on late, so look at each call

    tokens = inputs.get("input_ids")
    tokens = inputs.get("inputs_embeds") if tokens is None else tokens
    if tokens is None:
        raise ValueError(
            f"expected input_ids or inputs_embeds, came {sorted(inputs)}. Pass one by name."
        )
    batch, length = tokens.shape[:2]
    _check_rows(rows, batch, length)
    rows = rows.to(tokens.device, torch.int64)
    mask = inputs.get("attention_mask")
    if isinstance(mask, Tensor) and mask.ndim == 2 and mask.shape[1] == length:
        on_token = mask.to(rows.device).gather(1, rows.clamp(min=0)).bool()  # (batch, row)
        rows = rows.masked_fill(~on_token, -1)

    asked = {"supervised_rows": rows, "output_attentions": True, "return_dict": True}
    heads: tuple[int, ...] = ()
    if every_head:
        asked["every_head"] = True
        heads = (inner.config.get_text_config().num_attention_heads,)
    outputs = model(**{"use_cache": False, **inputs, **asked})

    layers: tuple[Tensor, ...] = outputs.attentions or ()
    expected = (batch, *heads, rows.shape[1], length)
    came = {tuple(weights.shape) for weights in layers}
    if came != {expected}:
        raise unsupported(
            inner,
            f"whose layers each return rows of shape {expected}",
            f"{came or 'none'} from {len(layers)} layers (prompt tuning adds keys, for example)",
        )
    return outputs, layers


def _mean(layers: Sequence[Tensor]) -> Tensor:
    total = layers[0]
    for weights in layers[1:]:  # a running sum: stacking would hold every layer twice
        total = total + weights.to(total.device)
    return total / len(layers)


def _cat_rows_attention(
    module: nn.Module,
    query: Tensor,  # (batch, head, query, d_head)
    key: Tensor,  # (batch, kv_head, key, d_head)
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    supervised_rows: Tensor | None = None,
    every_head: bool = False,
    **kwargs: Any,
) -> tuple[Tensor, Tensor | None]:
    """transformers' attention function: SDPA's output, and the weights at `supervised_rows`."""
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    for name in ("s_aux", "position_bias"):  # SDPA drops the one; our rows would drop the other
        if kwargs.get(name) is not None:
            raise unsupported(module, "with weights softmax(QK)", f"weights changed by {name!r}")
    kwargs.pop("output_attentions", None)  # SDPA would warn that it has none; we do
    output, _ = sdpa_attention_forward(
        module, query, key, value, attention_mask, scaling=scaling, **kwargs
    )
    if supervised_rows is None:
        return output, None

    if query.shape[2] != key.shape[2]:
        raise ValueError(
            f"expected as many keys as queries, came {key.shape[2]} keys and {query.shape[2]} "
            "queries: rows and cached keys do not go together. Pass the whole text, without "
            "past_key_values."
        )
    if attention_mask is None and kwargs.get("is_causal") is False:
        raise ValueError("expected causal attention, came is_causal=False. Leave is_causal out.")
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    weights = _weights_at(supervised_rows, query, key, attention_mask, scaling)
    return output, weights if every_head else weights.mean(1)


def _weights_at(
    rows: Tensor, query: Tensor, key: Tensor, mask: Tensor | None, scaling: float
) -> Tensor:
    """softmax(QK) at the queries `rows` -> (batch, head, row, key), float32."""
    batch, n_heads, _, d_head = query.shape
    n_kv_heads, n_keys = key.shape[1], key.shape[2]
    n_rows = rows.shape[1]
    index = rows.clamp(min=0)[:, None, :, None]  # (batch, 1, row, 1)
    query = query.gather(2, index.expand(-1, n_heads, -1, d_head))  # (batch, head, row, d_head)

    # bfloat16 rounds a weight by up to 0.4%, and the loss compares ratios of small weights.
    with torch.autocast(query.device.type, enabled=False):
        # The heads that share a key head become rows of it, so that keys need no repeating.
        grouped = query.float().reshape(batch, n_kv_heads, -1, d_head) * scaling
        scores = grouped @ key.float().transpose(2, 3)  # (batch, kv_head, group * row, key)
        scores = scores.view(batch, n_heads, n_rows, n_keys)

        if mask is None:  # SDPA's is_causal
            visible = torch.arange(n_keys, device=key.device) <= index  # (batch, 1, row, key)
        else:
            mask = mask.expand(batch, -1, -1, -1)
            mask = mask.gather(2, index.expand(-1, mask.shape[1], -1, n_keys))
            if mask.dtype == torch.bool:
                visible = mask
            else:  # additive: a bias, with -inf or the dtype's lowest number for "hidden"
                visible = mask > torch.finfo(mask.dtype).min
                scores = scores + mask.float()
        # Rows that see nothing (-1, padding) must end as zeros. A finite fill keeps NaN out of
        # softmax and its gradient; the second fill takes the uniform weights that it leaves.
        visible = visible & (rows >= 0)[:, None, :, None]
        scores = scores.masked_fill(~visible, torch.finfo(torch.float32).min)
        return scores.softmax(-1).masked_fill(~visible, 0.0)  # (batch, head, row, key)


def _is_enabled(model: PreTrainedModel) -> bool:
    return bool(model.config._attn_implementation == ATTENTION)


def _checkpointing(model: PreTrainedModel) -> list[Any]:
    """The checkpoint functions of the modules on which gradient checkpointing is on."""
    return [
        getattr(module, "_gradient_checkpointing_func", None)
        for module in model.modules()
        if getattr(module, "gradient_checkpointing", False)
    ]


def _refuse_reentrant_checkpointing(model: PreTrainedModel) -> None:
    """Reentrant checkpointing runs layers without a graph: rows would silently have no gradient."""
    for checkpoint in _checkpointing(model):
        keywords = getattr(checkpoint, "keywords", {"use_reentrant": False})  # of a partial
        if keywords.get("use_reentrant", True):
            raise ValueError(
                "expected non-reentrant gradient checkpointing, came use_reentrant=True, which "
                'leaves rows without a gradient. Set {"use_reentrant": False} in its kwargs.'
            )


def _check_rows(rows: Tensor, batch: int, length: int) -> None:
    if rows.ndim != 2 or rows.shape[0] != batch or rows.dtype not in (torch.int64, torch.int32):
        raise ValueError(
            f"expected integer rows of shape ({batch}, row), came {rows.dtype} "
            f"{tuple(rows.shape)}. Pad shorter lists of rows with -1."
        )
    if torch.compiler.is_compiling() or rows.numel() == 0:  # values are not known, or not there
        return
    low, high = rows.aminmax()
    if low < -1 or high >= length:
        raise ValueError(
            f"expected rows in -1..{length - 1} for a text of {length} tokens, came "
            f"{int(low) if low < -1 else int(high)}. Rows beyond a truncated text must be dropped."
        )
