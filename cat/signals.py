"""Causal signals as people and assistants write them: an effect phrase and its cause phrases.

The paper's dictionary M (Han et al. 2025, section 4.1): what is said in the effect is determined
by what was said in the causes. An :class:`Example` joins a prompt and its answer once, so that
whatever tokenises it later sees one text; phrases and roles are places in that text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from cat.scm import Role

__all__ = [
    "Example",
    "RoleSpan",
    "Signal",
    "Span",
    "find_phrase",
    "parse_record",
    "parse_signals",
    "read_examples",
    "read_records",
    "settled_records",
    "write_records",
]


class Span(NamedTuple):
    """Characters ``start`` (included) to ``end`` (not included) of an example's full text."""

    start: int
    end: int


Place = str | Span

JOURNALLED = ("annotated", "failed")  # the status of a line of annotations


@dataclass(frozen=True)
class Signal:
    """One effect and its causes, each a phrase to be found in the text or an explicit span."""

    effect: Place
    causes: tuple[Place, ...]


@dataclass(frozen=True)
class RoleSpan:
    """A stretch of the text that names one factor, and the factor's role for the answer."""

    span: Span
    name: str
    role: Role


@dataclass(frozen=True)
class Example:
    """A prompt, its answer, the causal signals over both, and the roles of the prompt's factors.

    >>> example = Example("Two and two make? Answer: ", "4", (Signal("4", ("Two", "two")),))
    >>> example.full_text
    'Two and two make? Answer: 4'
    >>> example.full_text[: example.boundary]
    'Two and two make? Answer:'
    """

    text: str
    answer: str
    signals: tuple[Signal, ...] = ()
    roles: tuple[RoleSpan, ...] = ()

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("expected a prompt, got an empty text")

    @property
    def prompt(self) -> str:
        """The prompt without trailing space: a lone space at its end is a token of its own that
        the tokenised whole never contains."""
        return self.text.rstrip()

    @property
    def full_text(self) -> str:
        """Prompt, one space, answer."""
        return f"{self.prompt} {self.answer}" if self.answer else self.prompt

    @property
    def boundary(self) -> int:
        """The character at which the prompt ends."""
        return len(self.prompt)

    @property
    def answer_span(self) -> Span:
        """Where the answer stands in the full text."""
        return Span(len(self.full_text) - len(self.answer), len(self.full_text))

    @classmethod
    def from_record(cls, record: Mapping[str, Any], where: str = "record") -> Example:
        """From ``{"input", "target", "important"}``, the authors' format; the last is optional."""
        for field in ("input", "target"):
            if field not in record:
                raise ValueError(
                    f"{where}: expected a field {field!r}, got {sorted(record)}: each line needs "
                    '"input" (the prompt) and "target" (the answer)'
                )
        text, answer = record["input"], record["target"]
        if not isinstance(text, str) or not text.strip():
            raise ValueError(f"{where}: expected a text in 'input', got {text!r}")
        if not isinstance(answer, str | int | float):
            raise ValueError(f"{where}: expected a text or a number in 'target', got {answer!r}")
        return cls(text, str(answer).strip(), parse_signals(record.get("important"), where))


def parse_signals(raw: Any, where: str = "record") -> tuple[Signal, ...]:
    """Signals from ``[{effect: [cause, ...]}, ...]`` or one such dictionary.

    A single string stands for a list of one; None and empty lists are no signals. A value may
    also be a dictionary whose keys are the causes (one of the published records has that form).
    """
    if raw is None:
        return ()
    groups = [raw] if isinstance(raw, Mapping) else raw
    if not isinstance(groups, list) or not all(isinstance(group, Mapping) for group in groups):
        raise ValueError(
            f"{where}: expected 'important' as a list of {{effect: [causes]}}, got {raw!r}"
        )
    return tuple(
        Signal(str(effect), _cause_phrases(causes, where))
        for group in groups
        for effect, causes in group.items()
    )


def _cause_phrases(causes: Any, where: str) -> tuple[str, ...]:
    if isinstance(causes, str):
        return (causes,)
    if isinstance(causes, Mapping | list) and all(isinstance(cause, str) for cause in causes):
        return tuple(causes)
    raise ValueError(f"{where}: expected a list of cause phrases, got {causes!r}")


def find_phrase(text: str, phrase: str) -> tuple[Span, ...]:
    """Every occurrence of a phrase that does not cut a word or a number.

    A letter or digit may not continue over either edge, nor a number over its decimal point or
    thousands comma: "5" is not in "15", "5.0" or "1,500".

    >>> find_phrase("5 apples, 15 pears, 5.0 plums", "5")
    (Span(start=0, end=1),)
    """
    phrase = phrase.strip()
    if not phrase:
        return ()
    spans = []
    start = text.find(phrase)
    while start >= 0:
        end = start + len(phrase)
        if not _cuts(text, start) and not _cuts(text, end):
            spans.append(Span(start, end))
        start = text.find(phrase, start + 1)
    return tuple(spans)


def _cuts(text: str, at: int) -> bool:
    """Whether an edge between characters at-1 and at falls inside a word or a number."""
    if not 0 < at < len(text):
        return False
    before, after = text[at - 1], text[at]
    if before.isalnum() and after.isalnum():
        return True
    inside_number = text[at - 2 : at - 1].isdigit() and before in ".," and after.isdigit()
    at_point = before.isdigit() and after in ".," and text[at + 1 : at + 2].isdigit()
    return inside_number or at_point


def read_records(path: str | Path) -> Iterator[tuple[str, dict[str, Any]]]:
    """(file:line, record) of a JSON-lines file; a broken line is an error that names it."""
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path}: no such file. Make the game's data with: cat-tune data stg-e --out DIR"
        )
    with path.open("rb") as lines:  # decoded line by line: a cut may fall inside a character
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            where = f"{path}:{number}"
            yield where, parse_record(line, where)


def parse_record(line: bytes, where: str) -> dict[str, Any]:
    """The record of one line.

    >>> parse_record(b'{"input": "Two and two?", "targ', "texts.jsonl:3")
    Traceback (most recent call last):
    ...
    ValueError: texts.jsonl:3: expected one JSON record a line, got a broken one (Unterminated \
string starting at at column 27); was the file cut off? Mend or remove this line
    """
    try:
        record = json.loads(line.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise _broken_line(where, error.reason, error.start) from error
    except json.JSONDecodeError as error:
        raise _broken_line(where, error.msg, error.pos) from error
    if not isinstance(record, dict):
        raise ValueError(f"{where}: expected a JSON object, got {type(record).__name__}")
    return record


def _broken_line(where: str, reason: str, at: int) -> ValueError:
    return ValueError(
        f"{where}: expected one JSON record a line, got a broken one ({reason} at column "
        f"{at + 1}); was the file cut off? Mend or remove this line"
    )


def read_examples(path: str | Path) -> list[Example]:
    """The examples of a JSON-lines file in the authors' format.

    The journal of an annotation is one too: failed lines are left out, of several lines with one
    key the last counts, and they come in the order of the file that was annotated.
    """
    records = list(read_records(path))
    examples = [Example.from_record(record, where) for where, record in settled_records(records)]
    if not examples:
        raise ValueError(
            f"{path}: expected at least one record, got "
            + (f"{len(records)} failed annotations only" if records else "an empty file")
        )
    return examples


def settled_records(records: list[tuple[str, dict[str, Any]]]) -> list[tuple[str, dict[str, Any]]]:
    """Those of a journal of annotation that stand, in the order of the file that was annotated; of
    another file all, as they are."""
    if not any(record.get("status") in JOURNALLED and "key" in record for _, record in records):
        return records
    last: dict[Any, tuple[str, dict[str, Any]]] = {}
    for where, record in records:
        if record.get("status") != "failed":
            last[record.get("key", where)] = where, record
    return sorted(last.values(), key=lambda one: one[1].get("line", math.inf))


def write_records(path: str | Path, records: Iterable[Mapping[str, Any]]) -> Path:
    """Write records one a line; the file appears whole or not at all."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    with partial.open("w", encoding="utf-8", newline="\n") as lines:
        for record in records:
            lines.write(json.dumps(record, ensure_ascii=False) + "\n")
    return partial.replace(path)
