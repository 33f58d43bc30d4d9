"""The Re-Attention loss: attention on causes at least alpha times attention on the rest.

For a row i that has a cause, ``C_i`` is the mean attention on its causal keys and ``N_i`` the mean
on the other keys that it sees; the paper's loss is the sum over rows of max(0, alpha - C_i / N_i)
(Han et al. 2025, section 4.2). The attention is the mean over all layers and heads. A row counts
("is valid") when it sees at least one causal and at least one other key.

Ours, beside the paper's: the rows of each layer or head in place of their mean
(:func:`rows_of_each_map`), and the forms "log", "share" and "each".
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

__all__ = [
    "Form",
    "Ratios",
    "Reduction",
    "check_alpha",
    "count_valid_rows",
    "loss_of_ratios",
    "reattention_loss",
    "reattention_ratios",
    "rows_of_each_map",
]

Form = Literal["hinge", "div", "div2", "nll", "log", "share", "each"]
Reduction = Literal["rows", "sum", "example"]


@dataclass(frozen=True)
class Ratios:
    """How a batch of rows splits its attention; tensors are (batch, row), float32.

    ``causal`` is C and ``other`` is N, both 0 on rows that are not valid; ``causal_mass`` and
    ``other_mass`` are the sums, not the means, of the same attention; ``log_causal`` is the mean
    of the logarithm of each causal key's.
    """

    causal: Tensor
    other: Tensor
    causal_mass: Tensor
    other_mass: Tensor
    log_causal: Tensor
    valid: Tensor

    @property
    def ratio(self) -> Tensor:
        """C / N, 0 on rows that are not valid."""
        return self.causal / torch.where(self.valid, self.other, 1.0).clamp_min(_TINY)

    def active(self, alpha: float) -> Tensor:
        """Rows on which the constraint is violated: valid, and C/N below alpha."""
        return self.valid & (self.ratio < alpha)


_TINY = 1e-12


def reattention_ratios(
    attention: Tensor,
    causes: Tensor,
    *,
    visible: Tensor | None = None,
    exclude_sink: bool = False,
) -> Ratios:
    """The mean attention of each row on its causes and on the other keys that it sees.

    Args:
        attention: (batch, row, key), the mean over layers and heads.
        causes: (batch, row, key), nonzero where the key is a cause of what the row predicts.
        visible: (batch, row, key), nonzero where the row sees the key; None for a square map
            whose row i sees keys 0..i.
        exclude_sink: leave each row's first visible key, the attention sink, out of both means.

    >>> attention = torch.tensor([[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.6, 0.1, 0.3]]])
    >>> causes = torch.tensor([[[0, 0, 0], [0, 0, 0], [0, 1, 0]]])
    >>> round(float(reattention_ratios(attention, causes).ratio[0, 2]), 4)  # .1 / mean(.6, .3)
    0.2222
    """
    visible = _visible(attention, causes, visible)
    causal_keys, other_keys = _split_keys(causes, visible, exclude_sink)
    attention = attention.float()  # (batch, row, key)
    n_causal = causal_keys.sum(dim=-1)  # (batch, row)
    n_other = other_keys.sum(dim=-1)
    valid = (n_causal > 0) & (n_other > 0)
    causal_mass = (attention * causal_keys).sum(dim=-1) * valid
    other_mass = (attention * other_keys).sum(dim=-1) * valid
    log_causal = torch.where(causal_keys, attention.clamp_min(_TINY).log(), 0.0).sum(dim=-1)
    return Ratios(
        causal=causal_mass / n_causal.clamp_min(1),
        other=other_mass / n_other.clamp_min(1),
        causal_mass=causal_mass,
        other_mass=other_mass,
        log_causal=log_causal * valid / n_causal.clamp_min(1),
        valid=valid,
    )


def reattention_loss(
    attention: Tensor,
    causes: Tensor,
    alpha: float,
    *,
    visible: Tensor | None = None,
    form: Form = "hinge",
    reduction: Reduction = "rows",
    exclude_sink: bool = False,
) -> Tensor:
    """The Re-Attention loss of a batch, a float32 scalar with a graph.

    Args:
        attention, causes, visible, exclude_sink: see :func:`reattention_ratios`.
        alpha: the ratio C/N to reach; positive.
        form: what a violating row costs. "hinge": alpha - C/N (the paper's);
            "div": -log(1+C) / log(1+N); "div2": -log(1 + C/(1+N)); "nll": -C/(C+N)
            (the variants of the authors' code). Ours: "log": log(alpha) - log(C/N), the hinge on
            a scale where its gradient neither grows nor dies with the ratio; "share": -log of the
            causal keys' share of the mass; "each": the mean of -log of each causal key's share, so
            that none is left out. A row that satisfies C/N >= alpha costs 0.
        reduction: "rows", the sum over the valid rows of the batch divided by their number
            (the authors' code); "sum" (the paper's formula); "example": a row's cost averaged
            over each example's valid rows, then over the examples whose mean ratio is below
            alpha. A batch without a valid row costs 0.

    Raises:
        ValueError: alpha not positive and finite, shapes that differ, NaN or infinity in the map.

    >>> attention = torch.tensor([[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.6, 0.1, 0.3]]])
    >>> causes = torch.tensor([[[0, 0, 0], [0, 0, 0], [0, 1, 0]]])
    >>> round(float(reattention_loss(attention, causes, alpha=1.0)), 4)
    0.7778
    """
    check_alpha(alpha)
    ratios = reattention_ratios(attention, causes, visible=visible, exclude_sink=exclude_sink)
    return loss_of_ratios(ratios, alpha, form=form, reduction=reduction)


def loss_of_ratios(
    ratios: Ratios, alpha: float, *, form: Form = "hinge", reduction: Reduction = "rows"
) -> Tensor:
    """:func:`reattention_loss` where the ratios are known already."""
    check_alpha(alpha)
    cost = _row_cost(ratios, alpha, form)  # (batch, row)
    if reduction == "example":
        rows_per_example = ratios.valid.sum(dim=1).clamp_min(1)  # (batch,)
        mean_cost = torch.where(ratios.valid, cost, 0.0).sum(dim=1) / rows_per_example
        mean_ratio = ratios.ratio.sum(dim=1) / rows_per_example
        violating = ratios.valid.any(dim=1) & (mean_ratio < alpha)
        return torch.where(violating, mean_cost, 0.0).sum() / violating.sum().clamp_min(1)
    total = torch.where(ratios.active(alpha), cost, 0.0).sum()
    if reduction == "sum":
        return total
    if reduction == "rows":
        return total / ratios.valid.sum().clamp_min(1)
    raise ValueError(f"expected a reduction of {get_args(Reduction)}, got {reduction!r}")


def count_valid_rows(causes: Tensor, visible: Tensor, *, exclude_sink: bool = False) -> int:
    """How many rows of a batch can count, known before any forward pass; (batch, row, key)."""
    causal_keys, other_keys = _split_keys(causes, visible.bool(), exclude_sink)
    return int((causal_keys.any(dim=-1) & other_keys.any(dim=-1)).sum())


def check_alpha(alpha: float) -> None:
    """Refuse an alpha that asks for nothing: the ratio C/N is positive."""
    if not isinstance(alpha, int | float) or not math.isfinite(alpha) or alpha <= 0:
        raise ValueError(
            f"expected alpha as a positive number (the ratio C/N to reach, 0.05 to 0.35 in the "
            f"paper), got {alpha!r}; for plain fine-tuning leave alpha out"
        )


def _split_keys(causes: Tensor, visible: Tensor, exclude_sink: bool) -> tuple[Tensor, Tensor]:
    """The causal and the other keys that each row sees, both bool (batch, row, key)."""
    if exclude_sink:
        visible = visible & (visible.cumsum(dim=-1) > 1)
    causal_keys = causes.bool() & visible
    return causal_keys, visible & ~causal_keys


def rows_of_each_map(
    attention: Tensor, causes: Tensor, visible: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The rows of several maps as rows of one, each with its causes and what it sees.

    The loss of what comes back is, by rows, the mean of the maps' losses; by "sum" it is their sum.

    Args:
        attention: (batch, row, key), which comes back as it is, or (batch, layer, row, key) or
            (batch, layer, head, row, key): see :data:`cat.rows.Keep`.
        causes, visible: (batch, row, key).

    Returns:
        Attention, causes and visible, each (batch, map * row, key).

    >>> attention = torch.rand(2, 5, 3, 7)  # 5 layers
    >>> causes = torch.zeros(2, 3, 7)
    >>> [tuple(t.shape) for t in rows_of_each_map(attention, causes, causes)]
    [(2, 15, 7), (2, 15, 7), (2, 15, 7)]
    """
    maps = attention.shape[1:-2].numel()
    return attention.flatten(1, -2), causes.repeat(1, maps, 1), visible.repeat(1, maps, 1)


def _row_cost(ratios: Ratios, alpha: float, form: Form) -> Tensor:
    causal, other = ratios.causal, ratios.other
    if form == "hinge":
        return alpha - ratios.ratio
    if form == "div":
        return -torch.log1p(causal) / torch.log1p(other).clamp_min(_TINY)
    if form == "div2":
        return -torch.log1p(causal / (1 + other))
    if form == "nll":
        return -causal / (causal + other).clamp_min(_TINY)
    if form == "log":
        return math.log(alpha) - torch.log(ratios.ratio.clamp_min(_TINY))
    log_mass = torch.log((ratios.causal_mass + ratios.other_mass).clamp_min(_TINY))
    if form == "share":
        return log_mass - torch.log(ratios.causal_mass.clamp_min(_TINY))
    if form == "each":
        return log_mass - ratios.log_causal
    raise ValueError(f"expected a form of {get_args(Form)}, got {form!r}")


def _visible(attention: Tensor, causes: Tensor, visible: Tensor | None) -> Tensor:
    if attention.ndim != 3 or causes.shape != attention.shape:
        raise ValueError(
            "expected attention and causes of one shape (batch, row, key), got "
            f"{tuple(attention.shape)} and {tuple(causes.shape)}"
        )
    if not torch.compiler.is_compiling() and not bool(torch.isfinite(attention).all()):
        where = (~torch.isfinite(attention)).nonzero()[0].tolist()
        raise ValueError(f"NaN or infinity in the attention, first at (batch, row, key) {where}")
    if visible is not None:
        if visible.shape != attention.shape:
            raise ValueError(
                f"expected visible of shape {tuple(attention.shape)}, got {tuple(visible.shape)}"
            )
        return visible.bool()
    rows, keys = attention.shape[1:]
    if rows != keys:
        raise ValueError(
            f"expected a square map (row i sees keys 0..i), got {rows} rows and {keys} keys: "
            "tell which keys each row sees with visible="
        )
    square = torch.ones(rows, keys, dtype=torch.bool, device=attention.device)
    return square.tril().expand_as(attention)
