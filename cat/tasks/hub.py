"""A task's records from the Hugging Face hub, through the library ``datasets`` (optional)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

from cat.tasks.files import Split

__all__ = ["is_hub_name", "read_hub"]

_NAME = re.compile(r"[\w.-]+/[\w.-]+(?::[\w.-]+)?")
_SPLITS: dict[str, Split] = {"train": "train", "validation": "val", "test": "test"}

Records = Iterator[tuple[str, dict[str, Any]]]


def is_hub_name(name: str) -> bool:
    """Whether this may be "owner/name" or "owner/name:configuration".

    >>> is_hub_name("allenai/ai2_arc:ARC-Easy"), is_hub_name("/data/mawps")
    (True, False)
    """
    return bool(_NAME.fullmatch(name))


def read_hub(name: str) -> dict[Split | None, Records]:
    """Split -> (where, record) of a data set of the hub; None for splits of other names.

    Raises:
        RuntimeError: ``datasets`` is not installed, or the data set cannot be had.
    """
    try:
        datasets = import_module("datasets")  # optional, and not known to type checkers
    except ImportError as error:
        raise RuntimeError(
            f"{name!r} is no folder here; to read it from the hub, the library datasets is needed: "
            "pip install datasets. Or download the files, and give their folder"
        ) from error
    path, _, configuration = name.partition(":")
    try:
        splits = datasets.load_dataset(path, configuration or None)
    except Exception as error:  # no network, no such name, a login that is needed: many kinds
        raise RuntimeError(
            f"{name!r} could not be read from the hub ({type(error).__name__}: {error}); download "
            "the files where there is a network, and give their folder"
        ) from error
    found: dict[Split | None, Records] = {}
    for split, records in splits.items():
        known = _SPLITS.get(split)
        if known is None and len(splits) > 1:
            continue  # "test_socratic" and the like: copies of the others
        found[known] = _named(records, f"{name}/{split}")
    return found


def _named(records: Any, split: str) -> Records:
    for number, record in enumerate(records, start=1):
        yield f"{split}:{number}", dict(record)
