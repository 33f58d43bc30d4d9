"""The texts to annotate: those of a file that can be read, and those that cannot, by line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from cat.signals import Example, parse_record

__all__ = ["BrokenLine", "Text", "Texts", "as_texts", "read_texts"]


@dataclass(frozen=True)
class Text:
    """A text to annotate.

    Attributes:
        line: its number in the file, from 1.
        record: as it stands there.
        example: its prompt and answer; signals that it has already are left aside.
    """

    line: int
    record: Mapping[str, Any]
    example: Example


@dataclass(frozen=True)
class BrokenLine:
    """A line that is no text: its number, and why."""

    line: int
    reason: str

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True)
class Texts:
    """The texts of a file and its broken lines, each in order."""

    items: tuple[Text, ...]
    broken: tuple[BrokenLine, ...] = ()

    def first(self, n: int) -> Texts:
        """The first ``n`` texts, and all broken lines."""
        return Texts(self.items[:n], self.broken)

    def __str__(self) -> str:
        n, broken = len(self.items), len(self.broken)
        told = f"{n} text{'s' * (n != 1)}"
        if broken:
            told += f", {broken} broken line{'s' * (broken != 1)} left out"
        return told


def read_texts(path: str | Path) -> Texts:
    """The texts of a JSON-lines file, ``{"input", "target"}`` a line.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: no line of it is a text.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file: expected JSON lines, each with "
            '"input" (the prompt) and "target" (the answer)'
        )
    items, broken = [], []
    with path.open("rb") as lines:  # decoded line by line: one may hold half a character
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            try:
                items.append(_text(number, parse_record(line, where), where))
            except ValueError as error:
                broken.append(BrokenLine(number, str(error)))
    if not items:
        told = f": {broken[0]}" if broken else ""
        raise ValueError(
            f"{path}: expected at least one text, got {len(broken)} broken lines{told}"
        )
    return Texts(tuple(items), tuple(broken))


def as_texts(records: Iterable[Mapping[str, Any]]) -> Texts:
    """Texts from records in memory, numbered from 1.

    >>> as_texts([{"input": "Two and two?", "target": 4}]).items[0].example.full_text
    'Two and two? 4'

    Raises:
        ValueError: a record is no text.
    """
    return Texts(
        tuple(_text(n, record, f"record {n}") for n, record in enumerate(records, start=1))
    )


def _text(number: int, record: Mapping[str, Any], where: str) -> Text:
    example = Example.from_record({**record, "important": None}, where)
    if not example.answer:
        raise ValueError(f"{where}: expected an answer in 'target', got an empty one")
    if any("\ud800" <= letter <= "\udfff" for letter in example.full_text):
        raise ValueError(f"{where}: expected whole characters, got half of one (a surrogate)")
    return Text(number, record, replace(example, signals=()))
