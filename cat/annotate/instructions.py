"""What the assistant is told: the rules, the task, worked examples, and the text to annotate.

The rules hold for every task and stand below; a task adds what determines its answers, and
examples worked by hand, in a YAML file (``cat/annotate/tasks``, or one's own: see
:func:`read_instructions`). The words and the examples are ours, not the paper's.

What is sent before the text and is the same for every text is 670 to 850 tokens long (GSM8K: 1150)
by SmolLM2's tokenizer; the paper's prompts for GSM8K are 570 long with the text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from cat.annotate.checking import Fault, check
from cat.annotate.relations import Relation, UnreadableReply, relations_in, write_relations
from cat.signals import Example

__all__ = ["INSTRUCTIONS", "Instructions", "Message", "Worked", "read_instructions"]

Message = dict[str, str]

RULES = """\
You are given a text that ends in an answer. Say which words of the text determine the answer.

A relation is an effect, a phrase of the text, with its causes, phrases that stand earlier: had a \
cause been different, the effect would be too. A language model that reads from left to right \
will be trained to look at the causes at the moment it writes the effect.

1. Copy every phrase from the text letter by letter, as one unbroken piece.
2. A cause ends before its effect begins.
3. The answer is an effect. So is every result on the way to it that the answer's own words \
state. Nothing else needs to be one.
4. Take the shortest phrase that carries the cause: a number with what it counts, the word that \
says what to do with it. If the same phrase also stands where it means something else, take a \
neighbouring word with it.
5. Leave out what could change without changing the answer."""

PLAIN = """\
Reply with JSON only, in this form, and nothing before or after it:
{"relations": [{"effect": "phrase", "causes": ["phrase", "phrase"]}]}"""

OPENING = 40  # characters of a long answer that show where it begins
FAULTS_QUOTED = 12  # more would not be read


@dataclass(frozen=True)
class Worked:
    """A text annotated by hand, to be followed."""

    example: Example
    relations: tuple[Relation, ...]


@dataclass(frozen=True)
class Instructions:
    """What an assistant is told about a task.

    Attributes:
        name: the task's.
        task: what determines an answer of this task, in a few sentences.
        worked: shown as earlier turns of the conversation.

    Raises:
        ValueError: no words, no worked example, or one that fails the check
            (:func:`cat.annotate.checking.check`).

    >>> example = Example("Ben had 12 figs and ate 4. How many are left? Answer: ", "8")
    >>> messages = INSTRUCTIONS["mawps"].messages(example)
    >>> messages[0]["role"], messages[-1]["role"]
    ('system', 'user')
    >>> print(messages[-1]["content"])
    <text>
    Ben had 12 figs and ate 4. How many are left? Answer: 8
    </text>
    The answer in it: 8
    """

    name: str
    task: str
    worked: tuple[Worked, ...]

    def __post_init__(self) -> None:
        if not self.task.strip():
            raise ValueError(f"task {self.name!r}: expected a description, got an empty one")
        if not self.worked:
            raise ValueError(f"task {self.name!r}: expected at least one worked example, got none")
        for n, worked in enumerate(self.worked, start=1):
            faults = check(worked.example, worked.relations).faults
            if faults:
                raise ValueError(
                    f"task {self.name!r}, worked example {n}: expected relations that pass the "
                    f"check, got these faults: {'; '.join(_told(faults))}"
                )

    def messages(self, example: Example, *, plain: bool = False) -> list[Message]:
        """The conversation that asks for an example's relations.

        All but the last message is the same for every example, so endpoints that cache a common
        beginning read it once.

        Args:
            plain: also describe the JSON, for endpoints that do not take a schema.
        """
        system = [RULES, self.task.strip(), *([PLAIN] if plain else [])]
        turns = [{"role": "system", "content": "\n\n".join(system)}]
        for worked in self.worked:
            turns.append({"role": "user", "content": _question(worked.example)})
            turns.append({"role": "assistant", "content": write_relations(worked.relations)})
        return [*turns, {"role": "user", "content": _question(example)}]

    def repair(
        self,
        messages: Sequence[Mapping[str, str]],
        reply: str,
        faults: Sequence[Fault] | UnreadableReply,
    ) -> list[Mapping[str, str]]:
        """The conversation that asks once more: the reply, and what is wrong with it.

        Args:
            messages: those that were answered by ``reply``.
            faults: what :func:`~cat.annotate.checking.check` found, or why it cannot be read.
        """
        if isinstance(faults, UnreadableReply):
            asked = f"This cannot be read ({faults}). {PLAIN}"
        else:
            listed = "\n".join(f"- {line}" for line in _told(faults))
            asked = (
                f"Some of this does not hold:\n{listed}\n"
                "Send all relations again, mended: keep what was right, copy phrases from the "
                "text letter by letter, and leave out what cannot be mended."
            )
        return [
            *messages,
            {"role": "assistant", "content": reply},
            {"role": "user", "content": asked},
        ]


def _question(example: Example) -> str:
    """The text as the model will be trained on it, and where its answer begins."""
    answer = example.answer
    if len(answer) > OPENING:
        answer = f"from “{' '.join(answer.split()[:6])[:OPENING]}” to the end"
    return f"<text>\n{example.full_text}\n</text>\nThe answer in it: {answer}"


def _told(faults: Sequence[Fault]) -> list[str]:
    """What is wrong, a line each, and each phrase that is absent once."""
    lines = list(dict.fromkeys(line for fault in faults for line in _lines(fault)))
    more = len(lines) - FAULTS_QUOTED
    return [*lines[:FAULTS_QUOTED], *([f"and {more} more like these"] if more > 0 else [])]


def _lines(fault: Fault) -> list[str]:
    if fault.reason == "absent":
        return [f"{_quote(phrase)} does not stand in the text" for phrase in fault.missing]
    if fault.reason == "order":
        effect, cause = _quote(fault.effect or ""), _quote(fault.cause or "")
        return [f"{cause} does not end before {effect} begins, so it cannot be its cause"]
    if fault.reason == "answer not covered":
        return ["no relation that holds has its effect in the answer"]
    return ["there is no relation with a cause"]


def _quote(phrase: str, width: int = 120) -> str:
    """As JSON writes it, which is how the assistant wrote it."""
    short = phrase if len(phrase) <= width else f"{phrase[: width - 1]}…"
    return json.dumps(short, ensure_ascii=False)


# --- tasks in files -------------------------------------------------------------------------------


def read_instructions(path: str | Path) -> Instructions:
    """The instructions for one's own task, from a YAML file.

    ``text`` and ``answer`` of a worked example are what ``input`` and ``target`` are in the data;
    its relations are as the assistant is to give them, and must pass the check themselves. Three
    to five examples do; let one have something in it that is no cause, and one several steps::

        name: seating                  # without it, the file's name
        task: >
          The answer is the number of free seats. Seats that are taken or broken are not free.
        worked:
          - text: "The blue room has 40 seats. 31 guests sit down. How many are free? Answer:"
            answer: "9"                # in quotes, so that it stays as it is written
            relations:
              - effect: "9"
                causes: ["40 seats", "31 guests", "free"]

    Raises:
        ValueError: the file is no YAML, a field is missing or of another kind, or a worked example
            fails the check.
        FileNotFoundError: there is no such file.
    """
    import yaml

    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected a YAML file that describes a task")
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected YAML, got {error}") from error
    return _instructions(data, path)


def _instructions(data: object, path: Path) -> Instructions:
    fields = _fields(data, str(path), needed=("task", "worked"), free=("name",))
    if not isinstance(fields["worked"], list):
        raise ValueError(f"{path}: expected a list in 'worked', got {fields['worked']!r}")
    worked = tuple(
        _worked(item, f"{path}, worked example {n}")
        for n, item in enumerate(fields["worked"], start=1)
    )
    name = _text(fields.get("name", path.stem), f"{path}, name")
    try:
        return Instructions(name, _text(fields["task"], f"{path}, task"), worked)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _worked(data: object, where: str) -> Worked:
    fields = _fields(data, where, needed=("text", "answer", "relations"))
    text, answer = (_text(fields[name], f"{where}, {name}") for name in ("text", "answer"))
    try:
        return Worked(Example(text, answer.strip()), relations_in(fields))
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from error


def _fields(
    data: object, where: str, *, needed: tuple[str, ...], free: tuple[str, ...] = ()
) -> Mapping[str, Any]:
    if not isinstance(data, Mapping):
        raise ValueError(f"{where}: expected the fields {', '.join(needed)}, got {data!r}")
    for name in needed:
        if name not in data:
            raise ValueError(f"{where}: expected a field {name!r}, got {list(data)}")
    for name in data:
        if name not in needed + free:
            raise ValueError(f"{where}: expected {', '.join(needed + free)}; unknown: {name!r}")
    return data


def _text(data: object, where: str) -> str:
    if not isinstance(data, str):
        raise ValueError(f"{where}: expected a text, got {data!r}; put it in quotes")
    return data


class _Packaged(Mapping[str, Instructions]):
    """Name -> the instructions of the tasks that ship, each read when it is asked for."""

    names = ("mawps", "svamp", "asdiv", "gsm8k", "arc-e", "stg")

    def __getitem__(self, name: str) -> Instructions:
        if name not in self.names:
            raise KeyError(name)
        return _packaged(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


@cache
def _packaged(name: str) -> Instructions:
    return read_instructions(Path(__file__).parent / "tasks" / f"{name}.yaml")


INSTRUCTIONS: Mapping[str, Instructions] = _Packaged()
"""The instructions of MAWPS, SVAMP, ASDiv, GSM8K, ARC-E and the Spurious Token Game."""
