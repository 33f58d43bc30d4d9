"""What an edit of the attention does to the answers: log-odds and accuracy, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cat.signals import Example
from catviz.effects.answers import AnswerScores, game_answers
from catviz.effects.estimate import Estimate, estimate_mean
from catviz.effects.questions import BatchEdit, Questions
from catviz.lens import AttentionLens

__all__ = ["Comparison", "compare_edits"]


@dataclass(frozen=True, eq=False)
class Comparison:
    """The same questions, asked with the attention as it is and as it is edited.

    Attributes:
        targets: the right answer of each text.
    """

    model: str
    edit: str
    targets: tuple[str, ...]
    before: AnswerScores
    after: AnswerScores

    @property
    def log_odds_before(self) -> np.ndarray:
        """(text,): log-odds of the right answer, in nats."""
        return self.before.log_odds(self.targets)

    @property
    def log_odds_after(self) -> np.ndarray:
        """(text,): the same under the edit."""
        return self.after.log_odds(self.targets)

    @property
    def change(self) -> Estimate:
        """Of the right answer's log-odds, mean over texts; negative where the edit harms."""
        return estimate_mean(self.log_odds_after - self.log_odds_before)

    @property
    def accuracy_before(self) -> float:
        """Share of the texts whose right answer is the likeliest, 0 to 1."""
        return float(self.before.correct(self.targets).mean())

    @property
    def accuracy_after(self) -> float:
        """The same under the edit."""
        return float(self.after.correct(self.targets).mean())

    def to_dict(self) -> dict[str, Any]:
        """For JSON and tables."""
        return {
            "model": self.model,
            "edit": self.edit,
            "texts": len(self.targets),
            "change": self.change.mean,
            "low": self.change.low,
            "high": self.change.high,
            "accuracy_before": self.accuracy_before,
            "accuracy_after": self.accuracy_after,
        }

    def __repr__(self) -> str:
        return (
            f"<Comparison {self.model!r}, {self.edit}: log-odds of the right answer "
            f"{self.change.mean:+.3g}, accuracy {self.accuracy_before:.3f} -> "
            f"{self.accuracy_after:.3f}, {len(self.targets)} texts>"
        )


def compare_edits(
    lens: AttentionLens,
    examples: Sequence[Example],
    edits: Mapping[str, BatchEdit],
    *,
    answers: Sequence[str] | None = None,
    batch_size: int = 16,
    progress: str | None = None,
) -> dict[str, Comparison]:
    """Ask every example's question once as the model is, and once under each edit.

    Args:
        edits: by what to call them, see :data:`catviz.effects.questions.BatchEdit`.
        answers: the answers among which the right one is judged; None for those of the game of
            the texts, else the right answer against anything else the model could say, which then
            counts as correct when greedy decoding begins with it.

    Raises:
        ValueError: no example, one without a right answer, an answer the tokenizer does not know.
        CannotEditError: the model's attention cannot be edited.

    >>> from cat.data import load_data
    >>> from catviz.effects.edits import without_layer
    >>> texts = load_data("stg-e")["test_ood"][:8]
    >>> lens = AttentionLens.load("tiny/alpha-10")
    >>> compared = compare_edits(lens, texts, {"no attention": lambda batch: without_layer(0)})
    >>> compared["no attention"].change.mean < 0
    True
    """
    from tqdm.auto import tqdm

    lens.check_editable()
    if not all(example.answer for example in examples):
        raise ValueError("expected examples with their right answers, got one without")
    asked = game_answers(examples) if answers is None else answers
    questions = Questions(lens, examples, asked, batch_size=batch_size)
    targets = tuple(example.answer for example in examples)
    for target, known in zip(targets, questions.answers, strict=True):
        if target not in known:
            raise ValueError(f"expected the right answer {target!r} among answers=, got {known}")
    total = len(questions) * (1 + len(edits))
    with tqdm(total=total, desc=progress, unit="text", disable=progress is None) as bar:
        before = questions.ask(advance=bar.update)
        return {
            name: Comparison(
                model=lens.name,
                edit=name,
                targets=targets,
                before=before,
                after=questions.ask(edit, advance=bar.update),
            )
            for name, edit in edits.items()
        }
