"""Methods that compare attention with an explanation: the nearest rivals of CAT.

They read the same rows as CAT, those that predict a token with a known cause. The explanation of a
row puts 1/k on each of its k causes, and 0 elsewhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from cat.head_names import head_name, read_head_name
from cat.methods.method import Method
from cat.methods.penalised import Penalised, check_positive
from cat.methods.tuning import Tuning
from cat.objective import Batch

__all__ = [
    "AttentionCE",
    "AttentionMSE",
    "Focal",
    "cross_entropy",
    "explanation",
    "mass_outside",
    "squared_distance",
]


@dataclass(frozen=True)
class AttentionMSE(Method):
    """The squared distance of each head's attention from the explanation, summed over the keys.

    Attributes:
        weight: of its mean over rows and heads; of 0.1, 0.3, 1 and 3, 1 did best.
        heads: such as ["L29H0", "L29H3"]; None for all. The source supervises heads of the last
            layer of an encoder, three of twelve chosen on validation texts, or all.
    """

    name = "attention-mse"
    source = "Stacey et al. 2022, Supervising Model Attention with Human Explanations, AAAI"

    weight: float = 1.0
    heads: Sequence[str] | None = None

    def __post_init__(self) -> None:
        check_positive("weight", self.weight)
        if isinstance(self.heads, str) or (self.heads is not None and not self.heads):
            raise ValueError(f"expected a list of heads such as ['L0H2'], got {self.heads!r}")
        for name in self.heads or ():
            read_head_name(name)

    def fit(self, tuning: Tuning) -> Any:
        penalty = partial(squared_distance, heads=self.heads)
        return tuning.train(objective=Penalised(penalty, self.weight, keep="head"))


@dataclass(frozen=True)
class AttentionCE(Method):
    """The cross-entropy of the mean map under the explanation, -sum over causes (1/k) log Abar.

    Attributes:
        weight: of its mean over rows; of 0.1, 0.3, 1 and 3, 3 did best.
    """

    name = "attention-ce"
    source = (
        "Liu et al. 2016, Neural Machine Translation with Supervised Attention, COLING: their "
        "cross-entropy, on the paper's mean map"
    )

    weight: float = 3.0

    def __post_init__(self) -> None:
        check_positive("weight", self.weight)

    def fit(self, tuning: Tuning) -> Any:
        return tuning.train(objective=Penalised(cross_entropy, self.weight, keep="mean"))


@dataclass(frozen=True)
class Focal(Method):
    """The attention mass outside the causes, in the heads that already look at them most.

    Attributes:
        weight: of its mean over rows and heads; of 0.1 and 1, 1 did better.
        share: of all heads, those with the greatest causal mass in the batch. The source chooses
            its heads once, by how they react to instructions that contradict each other; here is
            no such thing.
    """

    name = "focal"
    source = "Shi et al. 2025, FocalLoRA, NeurIPS: its loss, with other heads and any weights tuned"

    weight: float = 1.0
    share: float = 0.25

    def __post_init__(self) -> None:
        check_positive("weight", self.weight)
        if not 0 < self.share <= 1:
            raise ValueError(f"expected share as a number above 0, at most 1, got {self.share!r}")

    def fit(self, tuning: Tuning) -> Any:
        penalty = partial(mass_outside, share=self.share)
        return tuning.train(objective=Penalised(penalty, self.weight, keep="head"))


def explanation(batch: Batch) -> tuple[Tensor, Tensor]:
    """What the rows of a batch should look at, float (batch, row, key), and which rows have a
    cause to look at, bool (batch, row)."""
    causes = batch.inputs["causes"] & batch.visible
    n_causes = causes.sum(dim=-1, keepdim=True)
    return causes / n_causes.clamp_min(1), n_causes[..., 0] > 0


def squared_distance(batch: Batch, *, heads: Sequence[str] | None = None) -> Tensor:
    """sum over keys of (A - explanation)^2, the mean over rows with a cause and chosen heads.

    Raises:
        ValueError: a head that the model does not have.
    """
    assert batch.attention is not None  # (batch, layer, head, row, key)
    target, valid = explanation(batch)
    distance = (batch.attention - target[:, None, None]).square().sum(dim=-1)
    layers, n_heads = distance.shape[1:3]
    chosen = slice(None) if heads is None else _head_places(heads, layers, n_heads)
    return _mean_over_rows(distance.flatten(1, 2)[:, chosen].mean(dim=1), valid)


def cross_entropy(batch: Batch) -> Tensor:
    """-sum over causes of (1/k) log Abar, the mean over rows with a cause."""
    assert batch.attention is not None  # (batch, row, key)
    target, valid = explanation(batch)
    log_attention = batch.attention.clamp_min(torch.finfo(torch.float32).tiny).log()
    return _mean_over_rows(-(target * log_attention).sum(dim=-1), valid)


def mass_outside(batch: Batch, *, share: float) -> Tensor:
    """1 - the mass on causes, the mean over rows with a cause and over a share of the heads, those
    in which that mass is greatest."""
    assert batch.attention is not None  # (batch, layer, head, row, key)
    target, valid = explanation(batch)
    mass = (batch.attention * (target > 0)[:, None, None]).sum(dim=-1).flatten(1, 2)
    n_rows = valid.sum().clamp_min(1)
    by_head = torch.where(valid[:, None], mass, 0.0).sum(dim=(0, 2)) / n_rows  # (layer * head,)
    focal = by_head.topk(max(1, round(share * len(by_head)))).values
    return torch.where(valid.any(), 1 - focal.mean(), 0.0)


def _mean_over_rows(costs: Tensor, valid: Tensor) -> Tensor:
    """Of (batch, row) costs; 0 where no row is valid."""
    return torch.where(valid, costs, 0.0).sum() / valid.sum().clamp_min(1)


def _head_places(heads: Sequence[str], layers: int, n_heads: int) -> list[int]:
    """Where heads stand among all, counted layer by layer.

    >>> _head_places(["L0H2", "L1H0"], layers=2, n_heads=3)
    [2, 3]
    """
    places = []
    for layer, head in map(read_head_name, heads):
        if layer >= layers or head >= n_heads:
            raise ValueError(
                f"no head {head_name(layer, head)}: the model has layers 0 to {layers - 1} with "
                f"heads 0 to {n_heads - 1}"
            )
        places.append(layer * n_heads + head)
    return places
