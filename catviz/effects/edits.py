"""Edits of attention patterns: take out a head, a layer, or all that is paid to some tokens.

Each function returns a :data:`catviz.lens.Edit`, to be given to ``lens.logits(ids, edit=...)`` or,
for many texts and what their answers become, to :mod:`catviz.effects.ablation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from catviz.lens import Edit
from catviz.patterns import read_head_name

if TYPE_CHECKING:
    from torch import Tensor

__all__ = [
    "check_mask",
    "in_rows",
    "in_turn",
    "without_head",
    "without_keys",
    "without_layer",
]


def without_head(*names: str) -> Edit:
    """Heads that attend to nothing: what they add to the text is zero.

    Args:
        names: such as "L5H3". A layer beyond the model's last is never met.

    >>> import torch
    >>> edited = without_head("L0H1")(0, torch.ones(1, 2, 1, 1))
    >>> edited[0, :, 0, 0]
    tensor([1., 0.])
    """
    if not names:
        raise ValueError("expected the name of a head such as 'L5H3', got none")
    off: dict[int, list[int]] = {}
    for name in names:
        layer, head = read_head_name(name)
        off.setdefault(layer, []).append(head)

    def edit(layer: int, pattern: Tensor) -> Tensor | None:
        if layer not in off:
            return None
        if max(off[layer]) >= pattern.shape[1]:
            raise ValueError(
                f"no head {max(off[layer])} in layer {layer}: it has {pattern.shape[1]}, from 0"
            )
        pattern = pattern.clone()
        pattern[:, off[layer]] = 0
        return pattern

    return edit


def without_layer(*layers: int) -> Edit:
    """Layers whose every head attends to nothing.

    >>> import torch
    >>> float(without_layer(3)(3, torch.ones(1, 2, 4, 4)).sum())
    0.0
    """
    if not layers:
        raise ValueError("expected the number of a layer, got none")
    return lambda layer, pattern: pattern * 0 if layer in layers else None


def without_keys(keys: Tensor, *, rows: Tensor | None = None, renormalise: bool = True) -> Edit:
    """No attention to some tokens, in every layer and head.

    Args:
        keys: bool (batch, key), for example ``batch.tokens_of("spurious")``.
        rows: bool (batch, query), the rows to edit; None for all.
        renormalise: scale what is left of a row to sum to one again. A row that has nothing left
            attends to nothing.

    >>> import torch
    >>> pattern = torch.tensor([[[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.2, 0.4, 0.4]]]])
    >>> without_keys(torch.tensor([[True, False, False]]))(0, pattern)
    tensor([[[[0.0000, 0.0000, 0.0000],
              [0.0000, 1.0000, 0.0000],
              [0.0000, 0.5000, 0.5000]]]])
    """

    def edit(layer: int, pattern: Tensor) -> Tensor:
        check_mask("keys", keys, (pattern.shape[0], pattern.shape[3]))
        left = pattern.float().masked_fill(keys[:, None, None, :], 0)
        if renormalise:
            sums = left.sum(dim=-1, keepdim=True)
            left = left / sums.where(sums > 0, 1)
        return in_rows(rows, left.to(pattern.dtype), pattern)

    return edit


def in_turn(*edits: Edit) -> Edit:
    """Several edits, each of what the one before it left.

    >>> import torch
    >>> both = in_turn(without_head("L0H1"), without_layer(2))
    >>> [float(both(layer, torch.ones(1, 2, 1, 1)).sum()) for layer in (0, 2)]
    [1.0, 0.0]
    """

    def edit(layer: int, pattern: Tensor) -> Tensor:
        for one in edits:
            edited = one(layer, pattern)
            pattern = pattern if edited is None else edited
        return pattern

    return edit


def in_rows(rows: Tensor | None, edited: Tensor, pattern: Tensor) -> Tensor:
    """The edited pattern in the given rows, bool (batch, query), the pattern in the others."""
    if rows is None:
        return edited
    check_mask("rows", rows, (pattern.shape[0], pattern.shape[2]))
    return edited.where(rows[:, None, :, None], pattern)


def check_mask(name: str, mask: Tensor, shape: tuple[int, int]) -> None:
    """Refuse a mask that is not of the pattern's texts and tokens."""
    if tuple(mask.shape) != shape:
        raise ValueError(
            f"expected {name} of shape {shape}, one for each text and token of the pattern, got "
            f"{tuple(mask.shape)}"
        )
