"""The files of a task: where they lie, which split each is, and their records.

A folder may be a task's own, or one that holds a folder for each task. Files are JSON lines, one
JSON list, ASDiv's XML, or CSV. Their names tell the split: "train", "dev" or "val", "test"; what
else a name says, besides the task's name, tells copies apart: in ``mawps_train_gpt4o.jsonl`` it is
"gpt4o", who annotated it.
"""

from __future__ import annotations

import csv
import io
import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree

from cat.signals import read_records, settled_records
from cat.tasks.task import TASKS, Task

__all__ = ["TASKS_VARIABLE", "Split", "TaskFile", "find_files", "records_of", "tasks_folder"]

TASKS_VARIABLE = "CAT_TUNE_TASKS"
SUFFIXES = (".jsonl", ".json", ".xml", ".csv")

Split = Literal["train", "val", "test"]
_SPLIT_WORDS: dict[str, Split] = {
    "train": "train",
    "training": "train",
    "dev": "val",
    "val": "val",
    "valid": "val",
    "validation": "val",
    "test": "test",
}


@dataclass(frozen=True)
class TaskFile:
    """A file of a task.

    Attributes:
        split: that its name tells, None where it tells none.
        rest: what else its name says.
    """

    path: Path
    split: Split | None
    rest: str


def tasks_folder() -> Path:
    """The folder of the tasks' data: $CAT_TUNE_TASKS.

    Raises:
        ValueError: the variable is not set.
    """
    if not (folder := os.environ.get(TASKS_VARIABLE)):
        raise ValueError(
            "expected the folder in which the tasks' data lie: give it with --tasks FOLDER, or in "
            f"the environment variable {TASKS_VARIABLE}"
        )
    return Path(folder)


def find_files(task: Task, source: Path) -> list[TaskFile]:
    """The task's files in a folder of its own, or in one that has such a folder.

    Raises:
        FileNotFoundError: there is no such folder, or no file of the task in it.
    """
    if not source.is_dir():
        raise FileNotFoundError(f"expected a folder with {task.name}'s files, got {source}")
    own = sorted(one for one in source.iterdir() if one.is_dir() and task.goes_by(one.name))
    folder = own[0] if own else source
    files = [_read_name(path, task) for path in sorted(folder.iterdir()) if _is_data(path)]
    if not own:
        files = [file for file in files if not _is_of_another(file, task)]
    if not files:
        raise FileNotFoundError(
            f"expected files of {task.name} ({', '.join(SUFFIXES)}) in {folder}, or in a folder "
            f"{task.name} within it, found none"
        )
    return files


def _is_data(path: Path) -> bool:
    return path.is_file() and path.suffix.lower() in SUFFIXES


def _read_name(path: Path, task: Task) -> TaskFile:
    """
    >>> from cat.tasks.task import task_named
    >>> file = _read_name(Path("mawps_train_gpt4o.jsonl"), task_named("MAWPS"))
    >>> file.split, file.rest
    ('train', 'gpt4o')
    """
    words = re.split(r"[^a-z0-9]+", path.stem.lower())
    for length in (3, 2, 1):  # "arc-easy" is one name
        for start in range(len(words) - length + 1):
            if task.goes_by("".join(words[start : start + length])):
                words[start : start + length] = []
                break
    splits = [_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS]
    rest = "_".join(word for word in words if word and word not in _SPLIT_WORDS)
    return TaskFile(path, splits[0] if splits else None, rest)


def _is_of_another(file: TaskFile, task: Task) -> bool:
    """Whether a file's name is that of another task: folders may hold several tasks' files."""
    words = file.rest.split("_")
    names = ["".join(words[:n]) for n in (1, 2)]
    return any(
        other != task and any(other.goes_by(name) for name in names) for other in TASKS.values()
    )


# ----------------------------------------------------------------------------- what they hold


def records_of(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file:line, record) of each record of a file; of XML and CSV, file:number from 1.

    Of what ``cat-tune annotate`` has written, the lines that stand: none that failed.

    Raises:
        ValueError: a broken line, or a file of another form.
    """
    reader = {".xml": _xml, ".csv": _csv, ".json": _json}.get(path.suffix.lower(), _lines)
    named = [(f"{path.name}:{number}", record) for number, record in reader(path)]
    yield from settled_records(named)


def _lines(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for where, record in read_records(path):
        yield int(where.rpartition(":")[2]), record


def _json(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    text = path.read_text(encoding="utf-8-sig")
    if not text.lstrip().startswith("["):
        yield from _lines(path)
        return
    try:
        records = json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}: expected a JSON list of records, got a broken one ({error}); was the file "
            "cut off?"
        ) from error
    for number, record in enumerate(records, start=1):
        if not isinstance(record, dict):
            raise ValueError(
                f"{path}:{number}: expected a JSON object, got {type(record).__name__}"
            )
        yield number, record


def _csv(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    text = path.read_text(encoding="utf-8-sig")
    yield from enumerate(csv.DictReader(io.StringIO(text, newline="")), start=1)


def _xml(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise ValueError(f"{path}: expected ASDiv's XML, got a broken file ({error})") from error
    for number, problem in enumerate(root.iter("Problem"), start=1):
        yield number, {"id": problem.get("ID"), **{part.tag: part.text for part in problem}}
