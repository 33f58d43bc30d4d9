"""What a training step saw: summed over its micro-batches, told as one record."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from cat.reattention import Ratios

if TYPE_CHECKING:
    from transformers import Trainer

__all__ = ["ROW_MEANS", "StepRecord", "Tally"]

ROW_MEANS = ("ratio_mean", "active_row_share", "causal_mass")


@dataclass(frozen=True)
class StepRecord:
    """What one optimizer step saw; the attention quantities are None in plain training.

    ``epoch`` is where the step ended, so the last step of the first epoch says 1.0, and was
    weighted with the gamma of epoch 0. ``ratio_mean`` is the mean of C/N over the valid rows,
    ``active_row_share`` the share of them below alpha, ``causal_mass`` the mean attention mass on
    causes. Where each layer or head is supervised, its rows count for themselves: the means are
    over layers (and heads) too, and a few of them that look at nothing but causes can carry
    ``ratio_mean``; the other two say how many do. The causes' own rows, where they are
    supervised, count like the answer's.
    """

    step: int
    epoch: float
    loss: float
    lm_loss: float
    attn_loss: float | None
    gamma: float | None
    ratio_mean: float | None
    active_row_share: float | None
    causal_mass: float | None
    learning_rate: float
    total_steps: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


class Tally:
    """Sums over the micro-batches of one step."""

    def __init__(self) -> None:
        self.sums: dict[str, Tensor] = {}
        self.gamma: float | None = None
        self.learning_rate = 0.0

    def add(self, **terms: Tensor) -> None:
        for name, term in terms.items():
            self.sums[name] = self.sums.get(name, torch.zeros_like(term)) + term.detach()

    @torch.no_grad()
    def count(self, ratios: Ratios, alpha: float | None) -> None:
        self.add(
            rows=ratios.valid.sum(),
            ratio_mean=ratios.ratio.sum(),
            causal_mass=ratios.causal_mass.sum(),
        )
        if alpha is not None:
            self.add(active_row_share=ratios.active(alpha).sum())

    def record(self, trainer: Trainer) -> StepRecord:
        """The step's record; with several processes, over all of them."""
        values = torch.stack([value.float() for value in self.sums.values()])
        if trainer.accelerator.num_processes > 1:
            values = trainer.accelerator.reduce(values, "sum")
        sums = dict(zip(self.sums, values.tolist(), strict=True))
        rows = sums.get("rows", 0.0)
        means = {name: sums[name] / rows if rows and name in sums else None for name in ROW_MEANS}
        attn_loss, gamma = sums.get("attn_loss"), self.gamma
        return StepRecord(
            step=trainer.state.global_step,
            epoch=round(trainer.state.epoch or 0.0, 6),
            loss=sums["lm_loss"] + (gamma or 0.0) * (attn_loss or 0.0),
            lm_loss=sums["lm_loss"],
            attn_loss=attn_loss,
            gamma=gamma,
            **means,
            learning_rate=self.learning_rate,
            total_steps=trainer.state.max_steps,
        )
