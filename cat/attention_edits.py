"""Edits of attention for :func:`cat.edited_attention.edited_attention`, of chosen heads or of all.

They know the prompts of one batch; what is generated after them is left as it is.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor

from cat.edited_attention import Edit
from cat.head_names import read_head_name

__all__ = ["calm_sinks", "scale_keys"]


def scale_keys(keys: Tensor, scale: float, *, heads: Collection[str] | None = None) -> Edit:
    """Attention on some tokens times ``scale``, the row then made to sum to one again.

    That is ``log(scale)`` added to the scores of these keys, for every query (PASTA: Zhang et al.
    2024). A query that sees no other key is left as it was.

    Args:
        keys: bool (batch, key), the prompts' tokens to scale, padding on the left.
        scale: positive; 1 changes nothing.
        heads: such as "L5H3"; None for all.

    >>> edit = scale_keys(torch.tensor([[True, True, False]]), 0.5)
    >>> edit(0, torch.tensor([[[[0.4, 0.4, 0.2]]]]))
    tensor([[[[0.3333, 0.3333, 0.3333]]]])
    """
    if not 0 < scale < float("inf"):
        raise ValueError(f"expected a positive scale, 1 to change nothing, got {scale!r}")

    def scaled(layer: int, weights: Tensor) -> Tensor:
        factor = torch.where(_over(keys, weights), scale, 1.0)  # (batch, 1, 1, key)
        return _sum_to_one(weights * factor)

    return _on_heads(scaled, heads)


def calm_sinks(
    prompt: Tensor, scale: float, threshold: float, *, heads: Collection[str] | None = None
) -> Edit:
    """Attention on sinks times ``scale``; what that frees goes to the other keys, in proportion.

    A sink is a token of the prompt, not its first, whose mean attention over the queries that see
    it is above ``threshold`` times the mean 1/n of a prompt of n tokens (ACT: Yu et al. 2024).
    Sinks are found head by head when the prompt is read, and kept for what is generated after it.

    Args:
        prompt: bool (batch, key), which tokens are the prompts'; padding on the left.
        scale: from 0 (take all) to 1 (change nothing).
        threshold: positive.
        heads: such as "L5H3"; None for all.

    >>> edit = calm_sinks(torch.ones(1, 3, dtype=torch.bool), scale=0.5, threshold=1.5)
    >>> rows = torch.tensor([[1.0, 0.0, 0.0], [0.2, 0.8, 0.0], [0.1, 0.8, 0.1]])
    >>> edit(0, rows[None, None])  # the second token's mean is 0.8, above 1.5 / 3
    tensor([[[[1.0000, 0.0000, 0.0000],
              [0.6000, 0.4000, 0.0000],
              [0.3000, 0.4000, 0.3000]]]])
    """
    if not 0 <= scale <= 1:
        raise ValueError(f"expected a scale from 0 to 1, got {scale!r}")
    if not threshold > 0:
        raise ValueError(f"expected a positive threshold, got {threshold!r}")
    tokens = prompt.sum(dim=-1)  # (batch,)
    n_queries = prompt.flip(-1).cumsum(-1).flip(-1)  # (batch, key), how many queries see each
    candidates = prompt & (prompt.cumsum(dim=-1) > 1)
    sinks_of: dict[int, Tensor] = {}  # layer -> (batch, head, key)

    def calmed(layer: int, weights: Tensor) -> Tensor:
        if weights.shape[-2] == weights.shape[-1]:  # the prompt is read
            _over(prompt, weights)
            mean = weights.sum(dim=-2) / n_queries.clamp_min(1)[:, None]  # (batch, head, key)
            high = mean > threshold / tokens[:, None, None]
            sinks_of[layer] = high & candidates[:, None]
        if layer not in sinks_of:
            raise ValueError("expected the whole prompt before single tokens, to find its sinks")
        sinks = _longer(sinks_of[layer], weights.shape[-1])[:, :, None]
        others = weights * ~sinks
        freed = ((1 - scale) * weights * sinks).sum(dim=-1, keepdim=True)
        share = others.sum(dim=-1, keepdim=True)
        calmer = torch.where(sinks, scale * weights, others * (1 + freed / share))
        return torch.where(share > 0, calmer, weights)  # nobody to give to: as it was

    return _on_heads(calmed, heads)


def _on_heads(edit: Edit, heads: Collection[str] | None) -> Edit:
    """The edit in these heads alone."""
    if heads is None:
        return edit
    if isinstance(heads, str) or not heads:
        raise ValueError(f"expected the names of heads such as ['L5H3'], got {heads!r}")
    chosen: dict[int, list[int]] = {}
    for name in heads:
        layer, head = read_head_name(name)
        chosen.setdefault(layer, []).append(head)

    def edit_heads(layer: int, weights: Tensor) -> Tensor | None:
        if layer not in chosen:
            return None
        edited = edit(layer, weights)
        assert edited is not None, "the edits of this file give weights"
        mixed = weights.clone()
        mixed[:, chosen[layer]] = edited[:, chosen[layer]]
        return mixed

    return edit_heads


def _over(keys: Tensor, weights: Tensor) -> Tensor:
    """(batch, 1, 1, key): the prompts' mask over all keys; False for what was generated."""
    batch, _, queries, n_keys = weights.shape
    known = keys.shape[-1]
    if keys.shape[0] != batch or n_keys < known or (queries == n_keys != known):
        raise ValueError(
            f"expected the batch of {keys.shape[0]} prompts of {known} tokens for which the edit "
            f"was made, came {batch} texts with {n_keys} keys"
        )
    return _longer(keys, n_keys)[:, None, None]


def _longer(mask: Tensor, length: int) -> Tensor:
    return torch.nn.functional.pad(mask, (0, length - mask.shape[-1]))


def _sum_to_one(weights: Tensor) -> Tensor:
    sums = weights.sum(dim=-1, keepdim=True)
    return weights / sums.where(sums > 0, 1.0)  # padding has no sum
