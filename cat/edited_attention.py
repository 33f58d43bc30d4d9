"""Attention that is changed while the model runs: every weight may be edited after the softmax.

Methods at inference (:mod:`cat.methods.inference`) leave the weights of the model as they are and
change where it looks. Within :func:`edited_attention` each layer computes softmax(QK) in float32,
hands the pattern to an edit, and goes on with what the edit returns. It is an attention function of
transformers' own interface, so PEFT models, padding, and a cache of keys work as ever.

    >>> import torch
    >>> from cat.models import load_model
    >>> model, tokenizer = load_model("tiny")
    >>> ids = tokenizer("Smoking: 8, Weight: 4 Answer:", return_tensors="pt").input_ids
    >>> def look_at_smoking_only(layer, weights):
    ...     return weights * torch.tensor([1.0, 0.0, 0.0])
    >>> with torch.no_grad(), edited_attention(model, look_at_smoking_only):
    ...     edited = model(ids).logits
    >>> torch.allclose(edited, model(ids).logits)
    False
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from cat.attention_interface import pretrained, refuse_unsupported_model, unsupported

__all__ = ["EDITED", "Edit", "edited_attention"]

# transformers treats names that contain "sdpa", "flash_attention" or "flex_attention" specially.
EDITED = "cat_edited"

Edit = Callable[[int, Tensor], Tensor | None]
"""(layer, weights) -> weights of the same shape (batch, head, query, key), or None to leave them.

The weights are float32 and sum to 1 over the keys that a query sees; what it does not see has 0.
With cached keys there are fewer queries than keys: they are the last ones.
"""


@dataclass
class _InForce:
    """The edit that holds, and the layers that it met."""

    edit: Edit
    met: set[int] = field(default_factory=set)


_in_force: ContextVar[_InForce | None] = ContextVar("edit in force", default=None)


@contextmanager
def edited_attention(model: nn.Module, edit: Edit) -> Iterator[None]:
    """Within: every forward pass of the model, generation included, attends as the edit says.

    Args:
        model: a causal decoder, wrapped or not, in eval mode.
        edit: see :data:`Edit`.

    Raises:
        UnsupportedModelError: its attention cannot be edited, or some layer of it never came by.
        RuntimeError: another edit holds already, or no forward pass was made.
    """
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    inner = pretrained(model)
    refuse_unsupported_model(inner)
    if _in_force.get() is not None:
        raise RuntimeError("expected one edit of attention at a time: join the two in one function")
    AttentionInterface.register(EDITED, _edited_attention)
    # A name without a mask function would silently attend to padding.
    AttentionMaskInterface.register(EDITED, sdpa_mask)
    before = inner.config._attn_implementation
    inner.set_attn_implementation(EDITED)
    if inner.config._attn_implementation != EDITED:  # transformers only logs a warning
        raise unsupported(inner, "that can change its attention function", "a fixed one")
    holding = _InForce(edit)
    token = _in_force.set(holding)
    try:
        yield
    finally:
        _in_force.reset(token)
        inner.set_attn_implementation(before)
    if not holding.met:
        raise RuntimeError("expected a forward pass of the edited model, none was made")
    layers = set(range(inner.config.get_text_config().num_hidden_layers))
    if missed := sorted(layers - holding.met):
        raise unsupported(inner, "whose every layer can be edited", f"none in layers {missed}")


def _edited_attention(
    module: nn.Module,
    query: Tensor,  # (batch, head, query, d_head)
    key: Tensor,  # (batch, kv_head, key, d_head)
    value: Tensor,
    attention_mask: Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **kwargs: Any,
) -> tuple[Tensor, None]:
    """transformers' attention function: the output under the edit in force."""
    holding = _in_force.get()
    if holding is None:  # another thread, for which nothing was said
        raise RuntimeError("expected this model to run in the thread that edits its attention")
    if dropout > 0:
        raise ValueError("expected a model in eval mode, came one with dropout: call model.eval()")
    for name in ("s_aux", "position_bias"):
        if kwargs.get(name) is not None:
            raise unsupported(module, "with weights softmax(QK)", f"weights changed by {name!r}")
    groups = query.shape[1] // key.shape[1]
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    with torch.autocast(query.device.type, enabled=False):
        scores = query.float() @ key.float().repeat_interleave(groups, dim=1).mT * scaling
        weights = _softmax(scores, attention_mask)  # (batch, head, query, key)
        layer = int(module.layer_idx)  # type: ignore[arg-type]
        edited = holding.edit(layer, weights)
    holding.met.add(layer)
    if edited is None:
        edited = weights
    elif edited.shape != weights.shape:
        raise ValueError(
            f"expected the edit to return weights (batch, head, query, key) of shape "
            f"{tuple(weights.shape)}, came {tuple(edited.shape)}"
        )
    output = edited.to(value.dtype) @ value.repeat_interleave(groups, dim=1)
    return output.transpose(1, 2).contiguous(), None


def _softmax(scores: Tensor, mask: Tensor | None) -> Tensor:
    """Over the visible keys; zeros for a query that sees none (padding)."""
    queries, keys = scores.shape[-2:]
    if mask is None:
        if 1 < queries < keys:
            raise ValueError(
                f"expected a mask for {queries} queries over {keys} cached keys, came none: "
                "without one it is not known which keys they see"
            )
        mask = torch.ones(queries, keys, dtype=torch.bool, device=scores.device).tril(
            keys - queries
        )
    if mask.dtype == torch.bool:
        visible = mask
    else:  # additive: a bias, with -inf or the dtype's lowest number for "hidden"
        visible = mask > torch.finfo(mask.dtype).min
        scores = scores + mask.float()
    scores = scores.masked_fill(~visible, torch.finfo(torch.float32).min)
    return scores.softmax(-1).masked_fill(~visible, 0.0)
