"""Right for the right reasons: the answer may not hang on what is no cause of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from cat.batches import IGNORED, label_positions
from cat.methods.method import Method
from cat.methods.penalised import Penalised, check_positive
from cat.methods.tuning import Tuning
from cat.objective import Batch

__all__ = ["RRR", "non_causal_gradients"]


@dataclass(frozen=True)
class RRR(Method):
    """The squared gradient of the answer's log-probability by what is no cause of it.

    The source sums log p over a classifier's classes; a language model has no list of them, so it
    is the log-probability of the right answer, the sum over its tokens.

    Attributes:
        weight: of the penalty; the source's lambda_1. It depends on the size of the embeddings:
            for ``tiny``, 0.0001 and 0.001 changed little, from 0.01 on nothing is learned.
    """

    name = "rrr"
    source = "Ross, Hughes and Doshi-Velez 2017, Right for the Right Reasons, IJCAI, equation 1"

    weight: float = 0.001

    def __post_init__(self) -> None:
        check_positive("weight", self.weight)

    def fit(self, tuning: Tuning) -> Any:
        return tuning.train(objective=Penalised(non_causal_gradients, self.weight))


def non_causal_gradients(batch: Batch) -> Tensor:
    """sum over prompt tokens that are no cause of |d log p(answer) / d embedding|^2, the mean over
    the texts.

    Costs a forward pass of its own, from embeddings, and a backward pass that is differentiated
    again.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel

    inputs, model = batch.inputs, batch.model
    embed: Any = model.get_input_embeddings  # of transformers, which a wrapper passes on
    embeddings = embed()(inputs["input_ids"])  # (batch, key, d_model)
    if not embeddings.requires_grad:  # frozen, under an adapter
        embeddings.requires_grad_()
    with sdpa_kernel(SDPBackend.MATH):  # the fused kernels cannot be differentiated twice
        outputs = model(
            inputs_embeds=embeddings,
            attention_mask=inputs["attention_mask"],
            logits_to_keep=label_positions(inputs["labels"]),
            use_cache=False,
        )
    log_probability = -torch.nn.functional.cross_entropy(
        outputs.logits.float().transpose(1, 2), batch.labels, reduction="sum", ignore_index=IGNORED
    )
    # Texts do not see one another, so the gradient of their sum holds each text's own.
    (gradients,) = torch.autograd.grad(log_probability, embeddings, create_graph=True)
    squares = gradients.float().square().sum(dim=-1)  # (batch, key)
    return (squares * _non_causal(batch)).sum() / len(squares)


def _non_causal(batch: Batch) -> Tensor:
    """Which tokens belong to the prompt and are no cause, bool (batch, key)."""
    inputs = batch.inputs
    before_answer = (inputs["labels"] != IGNORED).cumsum(dim=1) == 0
    return before_answer & inputs["attention_mask"].bool() & ~inputs["causes"].any(dim=1)
