"""Training, validation and test texts of a task, and what they share.

A test split that is given is kept. Without one, all texts are split 6:2:2, as the paper does
(section 5.1). Which split a text falls into depends on the seed and on the text, by SHA-256: not on
the order of the file, the machine, or the version of Python. Texts with one question fall into
one split.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from cat.tasks.records import TaskText
from cat.tasks.task import Task

__all__ = ["TaskSplits", "shared", "split_texts"]

SHARES = (6, 2, 2)


@dataclass(frozen=True)
class TaskSplits:
    """The texts of a task.

    Attributes:
        train, val, test: there may be no validation texts.
        notes: how the splits came about, a sentence each.
    """

    task: Task
    train: tuple[TaskText, ...]
    val: tuple[TaskText, ...]
    test: tuple[TaskText, ...]
    notes: tuple[str, ...] = ()

    @property
    def by_name(self) -> Mapping[str, tuple[TaskText, ...]]:
        return {"train": self.train, "val": self.val, "test": self.test}

    @property
    def whole(self) -> tuple[TaskText, ...]:
        """All texts: what a model that was tuned on another task is tested on."""
        return self.train + self.val + self.test

    def overlaps(self) -> dict[tuple[str, str], int]:
        """(split, later split) -> texts of the later one whose question stands in the first."""
        return {
            (one, other): len(shared(self.by_name[other], self.by_name[one]))
            for one, other in combinations(self.by_name, 2)
        }

    def without_overlap(self) -> TaskSplits:
        """The training texts without those whose question is a test or validation question."""
        seen = {text.key for text in (*self.val, *self.test)}
        train = tuple(text for text in self.train if text.key not in seen)
        note = f"{len(self.train) - len(train)} training texts removed: their question is a " + (
            "test or validation question" if self.val else "test question"
        )
        return replace(self, train=train, notes=(*self.notes, note))

    def __str__(self) -> str:
        sizes = ", ".join(f"{len(texts)} {name}" for name, texts in self.by_name.items() if texts)
        lines = [f"{self.task.name}: {sizes} texts", *self.notes]
        for (one, other), n in self.overlaps().items():
            if self.by_name[other]:
                lines.append(f"{n} of the {other} questions are {one} questions too")
        return "\n".join(lines)


def shared(texts: Iterable[TaskText], others: Iterable[TaskText]) -> list[TaskText]:
    """The texts whose question is among the others' too, but for case and white space."""
    known = {text.key for text in others}
    return [text for text in texts if text.key in known]


def split_texts(
    texts: Sequence[TaskText], seed: int
) -> tuple[tuple[TaskText, ...], tuple[TaskText, ...], tuple[TaskText, ...]]:
    """Training, validation and test texts, 6:2:2, each in the order of the file.

    A group of texts with one question that lies across a border goes to the former split.
    """
    ranks = {text.key: _rank(text.key, seed) for text in texts}
    ordered = sorted(texts, key=lambda text: ranks[text.key])
    borders = []
    for share in (SHARES[0], SHARES[0] + SHARES[1]):
        border = len(ordered) * share // sum(SHARES)
        while 0 < border < len(ordered) and ordered[border].key == ordered[border - 1].key:
            border += 1
        borders.append(border)
    parts = ordered[: borders[0]], ordered[borders[0] : borders[1]], ordered[borders[1] :]
    keys = [{text.key for text in part} for part in parts]
    train, val, test = (tuple(text for text in texts if text.key in part) for part in keys)
    return train, val, test


def _rank(key: str, seed: int) -> bytes:
    return hashlib.sha256(f"{seed}\x00{key}".encode()).digest()
