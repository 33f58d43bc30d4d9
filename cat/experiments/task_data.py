"""A downstream task as the data of a declared run.

A run's data is named by the task and by what its texts are, not by where they lie, so that results
of two machines can be compared: ``MAWPS#1a2b3c4d``, the digits of a digest over all texts and
signals. The texts lie in the folder of :func:`cat.tasks.files.tasks_folder`.

====================================  ============================================================
``MAWPS``                             tuned on the training texts, asked the validation and test
                                      texts
``MAWPS~gpt4o``                       the same, with the signals of ``..._train_gpt4o.jsonl``
``GSM8K:GSM8K+ASDiv+MAWPS+SVAMP``     tuned on GSM8K, asked its test texts, and all texts of others
====================================  ============================================================

>>> asked = read_name("GSM8K:ASDiv+SVAMP#0123abcd")
>>> asked.trained_on, asked.tested_on, asked.digest
('GSM8K', ('ASDiv', 'SVAMP'), '0123abcd')
>>> read_name("STG_S") is None
True
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from cat.data import digest
from cat.evaluate import Evaluation
from cat.scoring import CHOICE, LAST_NUMBER, Scoring
from cat.signals import Example
from cat.tasks import TASKS, TaskSplits, TaskText, load_task, task_named, task_references
from cat.tasks.files import tasks_folder

__all__ = [
    "TASK_SETTINGS",
    "TaskName",
    "asking",
    "read_name",
    "rules",
    "task_digests",
    "task_texts",
    "with_digest",
]

TASK_SETTINGS: Mapping[str, Any] = {"num_train_epochs": 4}
"""The paper's, section 5.1; 6 epochs are for the game."""

VAL = " val"
DIGITS = 8
_NAME = re.compile(
    r"(?P<trained>[A-Za-z0-9-]+)(?:~(?P<annotator>[\w-]+))?"
    rf"(?::(?P<tested>[A-Za-z0-9+-]+))?(?:#(?P<digest>[0-9a-f]{{{DIGITS}}}))?"
)


@dataclass(frozen=True)
class TaskName:
    """What the name of a task's data says.

    Attributes:
        trained_on: the task whose training texts are learned.
        annotator: whose signals, where there are several; "" for those of the training file.
        tested_on: the tasks whose texts are asked; empty for the training texts' own.
        digest: of the texts; "" where it is not known yet.
    """

    trained_on: str
    annotator: str
    tested_on: tuple[str, ...]
    digest: str

    def __str__(self) -> str:
        annotator = f"~{self.annotator}" if self.annotator else ""
        tested = f":{'+'.join(self.tested_on)}" if self.tested_on else ""
        return f"{self.trained_on}{annotator}{tested}{'#' if self.digest else ''}{self.digest}"


def read_name(data: str) -> TaskName | None:
    """What a name says; None where it is that of no task."""
    found = _NAME.fullmatch(data)
    if found is None:
        return None
    names = [found["trained"], *filter(None, (found["tested"] or "").split("+"))]
    try:
        trained, *tested = [task_named(name).name for name in names]
    except ValueError:
        return None
    return TaskName(trained, found["annotator"] or "", tuple(tested), found["digest"] or "")


def with_digest(data: str) -> str:
    """A task's name with the digest of the texts in the folder; other names as they are.

    Raises:
        FileNotFoundError, ValueError: the task's files are not there, or cannot be read.
    """
    name = read_name(data)
    if name is None or name.digest:
        return data
    return str(replace(name, digest=_digest(name, tasks_folder())))


def task_texts(data: str) -> Mapping[str, tuple[Example, ...]]:
    """``train``, then the tests by name: "MAWPS", "MAWPS val".

    Raises:
        FileNotFoundError, ValueError: the task's files are not there, cannot be read, or hold other
            texts than the name's digest tells.
    """
    return {name: tuple(text.example for text in texts) for name, texts in _checked(data).items()}


def task_digests(data: str) -> Mapping[str, str]:
    """Of prompts and answers, by the names of :func:`task_texts`; and of the training signals."""
    texts = task_texts(data)
    return {
        **{name: digest(examples) for name, examples in texts.items()},
        "signals": _digest_of_signals(texts["train"]),
    }


def asking(data: str, test: str) -> dict[str, Any]:
    """How the texts of a test are asked and scored, for :func:`cat.evaluate.evaluate_answers`.

    A model tuned on GSM8K reasons before it answers, whatever it is asked.
    """
    name = read_name(data)
    assert name is not None, "only called for tasks"
    trained, tested = TASKS[name.trained_on], TASKS[test.removesuffix(VAL)]
    most = max(filter(None, (trained.max_new_tokens, tested.max_new_tokens)), default=None)
    return {"max_new_tokens": most, "scoring": _scoring(trained.scoring, tested.scoring)}


def rules(data: str) -> Mapping[str, Mapping[str, Evaluation]]:
    """Test -> rule without a model -> its answers."""
    texts = _checked(data)
    return {
        test: task_references(TASKS[test.removesuffix(VAL)], texts["train"], asked)
        for test, asked in texts.items()
        if test != "train"
    }


def _scoring(trained: Scoring, tested: Scoring) -> Scoring:
    return trained if trained == LAST_NUMBER and tested != CHOICE else tested


def _checked(data: str) -> Mapping[str, Sequence[TaskText]]:
    """The texts, those that the name's digest tells."""
    name = read_name(data)
    assert name is not None, "only called for tasks"
    folder = tasks_folder()
    found = _digest(name, folder)
    if name.digest and name.digest != found:
        raise ValueError(
            f"the folder of the tasks holds other texts (or signals) of {name.trained_on} than "
            f"this run's: expected the digest {name.digest}, got {found}. Declare the runs anew "
            f"with this folder, or give the one that they were declared with"
        )
    return _texts(replace(name, digest=""), folder)


@lru_cache(maxsize=8)
def _texts(name: TaskName, folder: Path) -> Mapping[str, Sequence[TaskText]]:
    splits = _load(name.trained_on, name.annotator, folder)
    texts: dict[str, Sequence[TaskText]] = {"train": splits.train}
    for tested in name.tested_on or (name.trained_on,):
        own = tested == name.trained_on
        texts[tested] = splits.test if own else _load(tested, "", folder).whole
    if splits.val and not name.tested_on:
        texts[f"{name.trained_on}{VAL}"] = splits.val
    return texts


@lru_cache(maxsize=8)
def _load(task: str, annotator: str, folder: Path) -> TaskSplits:
    return load_task(task, folder, annotator=annotator)


@lru_cache(maxsize=32)
def _digest(name: TaskName, folder: Path) -> str:
    sha = hashlib.sha256()
    for test, texts in _texts(replace(name, digest=""), folder).items():
        examples = [text.example for text in texts]
        sha.update(f"{test}\x00{digest(examples)}\x01".encode())
        if test == "train":
            sha.update(_digest_of_signals(examples).encode())
    return sha.hexdigest()[:DIGITS]


def _digest_of_signals(examples: Sequence[Example]) -> str:
    sha = hashlib.sha256()
    for example in examples:
        for signal in example.signals:
            sha.update("\x00".join(map(str, (signal.effect, *signal.causes, "\x01"))).encode())
        sha.update(b"\x02")
    return sha.hexdigest()
