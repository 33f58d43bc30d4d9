"""What a training step minimises, where it is not CAT's own loss: the hook of the rival methods.

An objective is called with each batch after its forward pass and returns the loss. It says which
attention it reads; without any, no rows are computed.

>>> class Confident:
...     keep = None
...     def __call__(self, batch):
...         return batch.lm_loss + 0.1 * batch.lm_losses.max()
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from cat.batches import IGNORED, visible_keys
from cat.rows import Keep

__all__ = ["Batch", "Objective"]


@dataclass(frozen=True, eq=False)
class Batch:
    """One batch in training: what went in and what came out, with gradients.

    Attributes:
        model: the model that is tuned, for objectives that need another forward pass.
        inputs: ``input_ids``, ``attention_mask``, ``labels`` (batch, key), ``rows`` (batch, row),
            ``causes`` (batch, row, key), ``index`` (batch,): see :class:`cat.batches.Collator`.
        logits: (batch, position, vocabulary), at the positions that predict a label of any text.
        labels: (batch, position), what they should predict; -100 where a text has no label.
        attention: at ``inputs["rows"]``, as the objective's ``keep`` asked for; None without it.
    """

    model: nn.Module
    inputs: Mapping[str, Any]
    logits: Tensor
    labels: Tensor
    attention: Tensor | None

    @cached_property
    def lm_losses(self) -> Tensor:
        """(batch,): the next-token loss of each text, the mean over its labels; float32."""
        losses = nn.functional.cross_entropy(
            self.logits.float().transpose(1, 2), self.labels, reduction="none", ignore_index=IGNORED
        )  # (batch, position)
        return losses.sum(dim=1) / (self.labels != IGNORED).sum(dim=1).clamp_min(1)

    @cached_property
    def lm_loss(self) -> Tensor:
        """The next-token loss, the mean over the labels of all texts; float32."""
        kept = self.labels != IGNORED
        total = nn.functional.cross_entropy(
            self.logits[kept].float(), self.labels[kept], reduction="sum"
        )
        return total / kept.sum().clamp_min(1)

    @cached_property
    def visible(self) -> Tensor:
        """(batch, row, key): which keys each supervised row sees."""
        seen = visible_keys(self.inputs["rows"], self.inputs["attention_mask"])
        return torch.as_tensor(seen & (self.inputs["rows"] >= 0)[:, :, None])


class Objective(Protocol):
    """A loss of one's own for :class:`cat.trainer.CATTrainer`."""

    keep: Keep | None
    """The attention that it reads: None, or as for :func:`cat.rows.attention_rows`."""

    def __call__(self, batch: Batch) -> Tensor:
        """The loss of a batch, a scalar with a graph."""
        ...
