"""A task's texts from the user's folder or file, or from the hub.

>>> load_task("mawps", "no such folder")  # doctest: +ELLIPSIS
Traceback (most recent call last):
...
FileNotFoundError: expected a folder or a file with MAWPS's texts, or a hub name ... no such folder
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cat.signals import Signal, write_records
from cat.tasks.files import Split, TaskFile, find_files, records_of, tasks_folder
from cat.tasks.hub import is_hub_name, read_hub
from cat.tasks.records import TaskText, read_record
from cat.tasks.splits import TaskSplits, split_texts
from cat.tasks.task import Task, task_named

__all__ = ["load_task", "write_task"]

SEED = 42  # the paper's, appendix F


def load_task(
    name: str,
    source: str | Path | None = None,
    *,
    seed: int = SEED,
    annotator: str = "",
    remove_overlap: bool = False,
) -> TaskSplits:
    """A task's training, validation and test texts.

    Args:
        name: of :data:`cat.tasks.TASKS`, in any case.
        source: a folder (the task's, or one with a folder for each task), a file, or a hub name as
            in "openai/gsm8k:main"; by default the folder that $CAT_TUNE_TASKS names.
        seed: of the split 6:2:2, where no test split is given.
        annotator: whose signals to take, where there are several training files: "gpt4o" for
            ``train_gpt4o.jsonl``. Texts that it lacks keep their place, without signals.
        remove_overlap: leave training texts out whose question is a validation or test question.

    Raises:
        FileNotFoundError: no such folder or file, or no file of the task in it.
        ValueError: a record that cannot be read, or files that leave open which to take.
        RuntimeError: a hub name, and no network or no library ``datasets``.
    """
    task = task_named(name)
    source = tasks_folder() if source is None else source
    path = Path(source)
    if path.is_file():
        splits = _of_splits(task, {None: _read(records_of(path))}, seed)
    elif path.is_dir():
        splits = _of_files(task, find_files(task, path), annotator, seed)
    elif isinstance(source, str) and is_hub_name(source):
        splits = _of_splits(task, {s: _read(r) for s, r in read_hub(source).items()}, seed)
    else:
        raise FileNotFoundError(
            f"expected a folder or a file with {task.name}'s texts, or a hub name as in "
            f"openai/gsm8k:main, got {source}"
        )
    _check_answers(splits)
    return splits.without_overlap() if remove_overlap else splits


def write_task(splits: TaskSplits, folder: str | Path) -> list[Path]:
    """Write ``train.jsonl``, ``val.jsonl`` and ``test.jsonl`` for ``cat-tune annotate`` and
    ``cat-tune train``; returns the files."""
    return [
        write_records(Path(folder) / f"{name}.jsonl", [text.to_record() for text in texts])
        for name, texts in splits.by_name.items()
        if texts
    ]


def _read(records: Iterable[tuple[str, Mapping[str, Any]]]) -> tuple[TaskText, ...]:
    return tuple(read_record(record, where) for where, record in records)


def _of_files(task: Task, files: Sequence[TaskFile], annotator: str, seed: int) -> TaskSplits:
    """A folder's files: the given splits, else the one file without a split."""
    given = {split: _only(files, split) for split in ("train", "val", "test")}
    chosen: dict[Split | None, TaskFile]
    chosen = {file.split: file for file in given.values() if file is not None}
    if not chosen:
        chosen = {None: _unsplit(task, files)}
    texts = {split: _read(records_of(file.path)) for split, file in chosen.items()}
    splits = _of_splits(task, texts, seed)
    if annotator:
        return _with_signals(splits, _read(records_of(_annotated(files, annotator).path)))
    return splits


def _only(files: Sequence[TaskFile], split: str) -> TaskFile | None:
    """The file of a split; copies whose name says more are not it."""
    found = [file for file in files if file.split == split]
    plain = [file for file in found if not file.rest]
    if len(plain) > 1 or (found and not plain):
        names = ", ".join(file.path.name for file in plain or found)
        raise ValueError(
            f"expected one file with the {split} texts, got {names}: leave one in the folder"
            + ("" if plain else f", or name it {split}{found[0].path.suffix}")
        )
    return plain[0] if plain else None


def _annotated(files: Sequence[TaskFile], annotator: str) -> TaskFile:
    trains = [file for file in files if file.split == "train"]
    for file in trains:
        if file.rest == annotator.lower():
            return file
    known = ", ".join(file.rest for file in trains if file.rest) or "none"
    raise ValueError(f"expected an annotator of {known}, got {annotator!r}")


def _with_signals(splits: TaskSplits, annotated: Sequence[TaskText]) -> TaskSplits:
    """The training texts with the signals that the same texts have elsewhere."""
    signals: dict[tuple[str, str], list[tuple[Signal, ...]]] = {}
    for text in annotated:
        signals.setdefault((text.key, text.example.answer), []).append(text.example.signals)
    train, missing = [], 0
    for text in splits.train:
        found = signals.get((text.key, text.example.answer), [])
        missing += not found
        example = replace(text.example, signals=found.pop(0) if found else ())
        train.append(replace(text, example=example))
    note = f"{missing} of {len(train)} training texts are not in the annotated file: no signals"
    return replace(splits, train=tuple(train), notes=(*splits.notes, *[note][: bool(missing)]))


def _unsplit(task: Task, files: Sequence[TaskFile]) -> TaskFile:
    plain = [file for file in files if not file.rest] or list(files)
    if len(plain) > 1:
        names = ", ".join(file.path.name for file in plain)
        raise ValueError(
            f"expected one file with {task.name}'s texts, or files named train and test, got "
            f"{names}: give the one to take in place of its folder"
        )
    return plain[0]


def _of_splits(
    task: Task, texts: Mapping[Split | None, tuple[TaskText, ...]], seed: int
) -> TaskSplits:
    """The given test split kept, else all texts split anew."""
    if not any(texts.values()):
        raise ValueError(f"expected at least one text of {task.name}, got empty files")
    train, val, test = (texts.get(split, ()) for split in ("train", "val", "test"))
    if test and train:
        return TaskSplits(task, train, val, test)
    if test and val:
        note = f"no training file: the {len(val)} validation texts are the training texts"
        return TaskSplits(task, val, (), test, (note,))
    pool = tuple(text for part in texts.values() for text in part)
    note = f"no test split given: all {len(pool)} texts split 6:2:2 with seed {seed}"
    return TaskSplits(task, *split_texts(pool, seed), (note,))


def _check_answers(splits: TaskSplits) -> None:
    """Choices need a letter as right answer; of numbers, ASDiv has names and times among them."""
    if not splits.task.is_choice:
        return
    for text in splits.whole:
        if splits.task.scoring.read(text.example.answer) is None:
            raise ValueError(
                f"{text.where}: expected a letter as answer, got {text.example.answer!r}"
            )
