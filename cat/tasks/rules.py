"""What rules without a model answer to a task's questions: to be read beside every accuracy.

For every task: the most frequent training answer, for all; and, where training questions come up
again, their answer. For word problems: the sum of the question's numbers, and one operation on the
first two of them, the one that fits most training texts. For choices: the longest one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction

from cat.evaluate import Evaluation
from cat.scoring import Scoring, numbers_in, written
from cat.tasks.records import TaskText
from cat.tasks.task import Task

__all__ = ["task_references"]

_OPERATIONS: dict[str, Callable[[Fraction, Fraction], Fraction]] = {
    "sum": lambda a, b: a + b,
    "difference": lambda a, b: abs(a - b),
    "product": lambda a, b: a * b,
    "quotient": lambda a, b: max(a, b) / min(a, b) if min(a, b) else Fraction(0),
}
_CHOICE = re.compile(r"^([A-E])\.\s+(.*)$", re.MULTILINE)


def task_references(
    task: Task, train: Sequence[TaskText], test: Sequence[TaskText]
) -> dict[str, Evaluation]:
    """Rule -> its answers to the test texts.

    Args:
        task: that the test texts are of; the training texts may be of another.
    """
    scoring = task.scoring
    constant = _most_frequent(train, scoring)
    found = {f"always {constant}": [constant] * len(test)}
    known = {text.key: text.example.answer for text in train}
    if any(text.key in known for text in test):
        found["the answer of the same question in training"] = [
            known.get(text.key, constant) for text in test
        ]
    if task.is_choice:
        found["the longest choice"] = [_longest_choice(text) for text in test]
    else:
        found["sum of all numbers in the question"] = [_sum(text) for text in test]
        name = max(_OPERATIONS, key=lambda name: _score(_apply(name, train), train, scoring))
        found[f"{name} of the first two numbers"] = _apply(name, test)
    targets = tuple(text.example.answer for text in test)
    return {rule: Evaluation(tuple(said), targets, scoring) for rule, said in found.items()}


def _most_frequent(train: Sequence[TaskText], scoring: Scoring) -> str:
    """The answer of most training texts, in one form; of equally frequent ones the first."""
    answers = [scoring.read(text.example.answer) or text.example.answer for text in train]
    return Counter(answers).most_common(1)[0][0]


def _sum(text: TaskText) -> str:
    return written(sum(numbers_in(text.question), Fraction(0)))


def _apply(operation: str, texts: Sequence[TaskText]) -> list[str]:
    """The operation on the first two numbers of each question; "" where there are fewer."""
    pairs = [numbers_in(text.question)[:2] for text in texts]
    return [written(_OPERATIONS[operation](*pair)) if len(pair) == 2 else "" for pair in pairs]


def _score(said: Sequence[str], texts: Sequence[TaskText], scoring: Scoring) -> int:
    return sum(
        scoring.same(answer, text.example.answer) for answer, text in zip(said, texts, strict=True)
    )


def _longest_choice(text: TaskText) -> str:
    choices = _CHOICE.findall(text.question)
    return max(choices, key=lambda choice: len(choice[1]))[0] if choices else ""
