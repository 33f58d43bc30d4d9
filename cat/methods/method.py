"""What a method is: how a model is fitted, and how the fitted model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from cat.evaluate import Evaluation, evaluate_answers
from cat.methods.tuning import Tuning
from cat.signals import Example

__all__ = ["Method", "Plain"]


@dataclass(frozen=True)
class Method:
    """Plain fine-tuning; each method overrides what it does otherwise.

    Its fields are its options; :data:`name` is what experiments and tables call it.
    """

    name: ClassVar[str]
    source: ClassVar[str]
    """Where it comes from: paper, section, equation."""

    def fit(self, tuning: Tuning) -> Any:
        """Tune a fresh model; returns it."""
        return tuning.train()

    def evaluate(
        self, model: Any, tokenizer: Any, examples: Sequence[Example], **asking: Any
    ) -> Evaluation:
        """Ask a fitted model; greedy answers.

        Args:
            asking: how, as for :func:`cat.evaluate.evaluate_answers`.
        """
        return evaluate_answers(model, tokenizer, examples, **asking)


@dataclass(frozen=True)
class Plain(Method):
    """Next-token loss on the answers, nothing else: the paper's vanilla fine-tuning."""

    name = "plain"
    source = "Han et al. 2025, section 5.1"
