"""Data sets by name: the two games, made on the fly, or a folder of JSON-lines files."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from cat.signals import Example, read_examples
from cat.stg import annotate, stg_e, stg_h

__all__ = ["digest", "load_data"]

GAMES: Mapping[str, Callable[[int], dict[str, list[dict[str, Any]]]]] = {
    "stg-e": stg_e,
    "stg-h": stg_h,
}


def load_data(data: str, train_split: str = "", seed: int = 42) -> dict[str, list[Example]]:
    """``train`` and every test set of a game or of a folder, by name.

    A folder holds ``train*.jsonl`` and any number of ``test*.jsonl``, as ``cat-tune data`` writes;
    with several training files ``train_split`` chooses ("S", "M", "L" or the file's name).
    """
    if data in GAMES:
        splits = {
            name: [Example.from_record(record) for record in records]
            for name, records in GAMES[data](seed).items()
        }
    else:
        folder = Path(data)
        if not folder.is_dir():
            raise ValueError(f"expected {' or '.join(GAMES)} or a folder for data, got {data!r}")
        splits = {file.stem: read_examples(file) for file in sorted(folder.glob("*.jsonl"))}
    trains = [name for name in splits if name.startswith("train")]
    wanted = [name for name in trains if train_split in ("", name, name.removeprefix("train_"))]
    if not wanted:
        raise ValueError(f"expected a training split among {trains}, got {train_split!r}")
    chosen = max(wanted, key=lambda name: len(splits[name]))
    tests = {name: s for name, s in splits.items() if name.startswith("test")}
    return {
        name: [annotate(example) for example in examples]
        for name, examples in {"train": splits[chosen], **tests}.items()
    }


def digest(examples: Iterable[Example]) -> str:
    """SHA-256 over prompts and answers: two runs with one digest saw the same texts in order."""
    sha = hashlib.sha256()
    for example in examples:
        sha.update(f"{example.text}\x00{example.answer}\x01".encode())
    return sha.hexdigest()
