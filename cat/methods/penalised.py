"""What most rivals of CAT minimise: the next-token loss, and a penalty on top."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor

from cat.objective import Batch
from cat.rows import Keep

__all__ = ["Penalised", "check_positive"]


@dataclass(eq=False)
class Penalised:
    """L_next + weight * penalty: an :class:`cat.objective.Objective`.

    Attributes:
        penalty: of a batch, a scalar with a graph.
        weight: of the penalty.
        keep: the attention that the penalty reads.

    >>> from types import SimpleNamespace
    >>> Penalised(lambda batch: batch.lm_loss**2, weight=0.5)(SimpleNamespace(lm_loss=2.0))
    4.0
    """

    penalty: Callable[[Batch], Tensor]
    weight: float
    keep: Keep | None = None

    def __call__(self, batch: Batch) -> Tensor:
        return batch.lm_loss + self.weight * self.penalty(batch)


def check_positive(name: str, value: float) -> None:
    """Refuse an option that would switch its method off, or make it run backwards."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise ValueError(f"expected {name} as a positive number, got {value!r}")
