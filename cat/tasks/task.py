"""The downstream tasks of the paper (section 5.1): what they are called, how they are scored.

>>> task_named("gsm8k").name, task_named("ARC_E").scoring.name
('GSM8K', 'choice')
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from cat.scoring import CHOICE, LAST_NUMBER, NUMBER, Scoring

__all__ = ["TASKS", "Task", "folded", "task_named"]

MOST_NEW_TOKENS = 512  # the paper's, appendix F


@dataclass(frozen=True)
class Task:
    """A task.

    Attributes:
        name: as the paper writes it.
        scoring: which answers are right.
        max_new_tokens: that an answer may take; None for one more than the longest right answer.
        also_called: other names of its folder, in lower case without punctuation.
    """

    name: str
    scoring: Scoring
    max_new_tokens: int | None = None
    also_called: tuple[str, ...] = ()

    @property
    def is_choice(self) -> bool:
        return self.scoring == CHOICE

    def goes_by(self, name: str) -> bool:
        """Whether a name is one of the task's.

        >>> task_named("ARC-E").goes_by("ARC-Easy")
        True
        """
        return folded(name) in (folded(self.name), *self.also_called)


_ALL = (
    Task("MAWPS", NUMBER),
    Task("SVAMP", NUMBER),
    Task("ASDiv", NUMBER),
    Task("GSM8K", LAST_NUMBER, MOST_NEW_TOKENS, ("gsm", "gradeschoolmath")),
    Task("ARC-E", CHOICE, also_called=("arceasy",)),
)

TASKS: Mapping[str, Task] = {task.name: task for task in _ALL}
"""By name."""


def task_named(name: str) -> Task:
    """A task by its name, in any case.

    Raises:
        ValueError: there is none of this name.
    """
    for task in _ALL:
        if task.goes_by(name):
            return task
    raise ValueError(f"expected a task of {', '.join(TASKS)}, got {name!r}")


def folded(name: str) -> str:
    """A name without case and punctuation, which differ from one copy of a data set to another.

    >>> folded("ARC_E"), folded("GSM8k")
    ('arce', 'gsm8k')
    """
    return re.sub(r"[^a-z0-9]", "", name.lower())
