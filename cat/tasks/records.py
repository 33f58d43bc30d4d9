"""One record of a task's file, in any of the common forms, as a prompt with its answer.

Fields are known by their names, in any case:

- ``input, target`` (and ``important``): the authors' files, and what ``cat-tune`` writes;
- ``body, question, answer``: SVAMP and ASDiv;
- ``question, answer``: GSM8K, and MAWPS in some copies; with ``numbers``, the question's number0,
  number1 are filled in;
- ``squestion, lsolutions``: MAWPS as it was published;
- ``question, answerkey`` with the choices beside or inside the question: ARC.

Every prompt ends in "Answer:", and the answer follows it. Choices are part of the prompt, one a
line, "A. ..." to "E. ...": labels 1 to 5 become letters. Curly quotes become straight ones, runs
of spaces one space, and a full stop behind another end of sentence ("house.. How") is left out; the
phrases of signals are treated as the text is.

>>> record = {"Body": "Tom has 3 pens", "Question": "How many has he?", "Answer": 3.0, "ID": "a-1"}
>>> text = read_record(record, "SVAMP.json:1")
>>> text.example.text, text.example.answer, text.id
('Tom has 3 pens. How many has he? Answer:', '3.0', 'a-1')
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cat.signals import Example, Signal, find_phrase

__all__ = ["TaskText", "read_record", "tidy"]

ASKS = "Answer:"
LETTERS = "ABCDE"

Fields = Mapping[str, Any]


@dataclass(frozen=True)
class TaskText:
    """A question of a task.

    Attributes:
        example: the prompt, its answer, its signals if there are some.
        id: as the data set has it, else where it stands.
        where: file and line.
    """

    example: Example
    id: str
    where: str

    @property
    def question(self) -> str:
        """The prompt without "Answer:"."""
        return self.example.prompt.removesuffix(ASKS).rstrip()

    @property
    def key(self) -> str:
        """The question without regard to case and white space: texts with one key are one."""
        return " ".join(self.question.casefold().split())

    def to_record(self) -> dict[str, Any]:
        """For a line of a file that :func:`read_record` and ``cat-tune annotate`` read."""
        record: dict[str, Any] = {
            "id": self.id,
            "source": self.where,
            "input": self.example.prompt,
            "target": self.example.answer,
        }
        if self.example.signals:
            signals = self.example.signals
            record["important"] = [{str(s.effect): list(map(str, s.causes))} for s in signals]
        return record


def read_record(record: Mapping[str, Any], where: str) -> TaskText:
    """A record as a prompt with its answer.

    Args:
        where: file and line, for messages, and in place of an id where the record has none.

    Raises:
        ValueError: the record has none of the known forms, or something in it is amiss.
    """
    fields = {name.lower(): value for name, value in record.items()}
    for names, read in _FORMS:
        if all(fields.get(name) is not None for name in names):
            example = _tidied(read(fields, where))
            return TaskText(example, _id(fields, where), where)
    forms = "; ".join(" and ".join(names) for names, _ in _FORMS)
    raise ValueError(
        f"{where}: expected a record with the fields {forms} (in any case), got {sorted(record)}"
    )


def _id(fields: Fields, where: str) -> str:
    found = (fields[name] for name in ("id", "idx", "iindex", "index") if name in fields)
    return str(next(found, where))


# ----------------------------------------------------------------------------- the forms


def _with_signals(fields: Fields, where: str) -> Example:
    """The authors' form: "Answer:" stands at the end of the input, before the target, or not."""
    example = Example.from_record(fields, where)
    question = _without_asking(example.text)
    answer = _some(example.answer.removeprefix(ASKS), "target", where)
    if labels := _labels(question):
        example = Example(f"{question}\n{ASKS}", answer, example.signals)
        return _lettered(example) if labels[0] == "1" and answer in labels else example
    return Example(f"{question} {ASKS}", answer, example.signals)


def _body_and_question(fields: Fields, where: str) -> Example:
    # SVAMP cut off what stood before the question: "If there are 739 girls", "How many boys ..."
    parts = [_some(fields[name], name, where) for name in ("body", "question")]
    return _question(" ".join(map(_ended, parts)), fields["answer"], where)


def _ended(text: str) -> str:
    """With a full stop where it ends in no punctuation."""
    return text if text.rstrip("\"'").endswith(tuple(".,;:?!)")) else f"{text}."


def _published_mawps(fields: Fields, where: str) -> Example:
    question = _some(fields["squestion"], "sQuestion", where)
    return _question(question, fields["lsolutions"], where)


def _question_and_answer(fields: Fields, where: str) -> Example:
    question = _some(fields["question"], "question", where)
    if fields.get("numbers") is not None:
        question = _with_numbers(question, fields["numbers"], where)
    return _question(question, fields["answer"], where)


def _choices(fields: Fields, where: str) -> Example:
    asked = fields["question"]
    if isinstance(asked, Mapping):  # as published: {"stem", "choices": [{"text", "label"}]}
        stem, choices = asked.get("stem"), asked.get("choices")
    else:  # on the hub: "choices": {"text": [...], "label": [...]}
        stem, choices = asked, fields.get("choices")
    if isinstance(choices, Mapping) and {"text", "label"} <= set(choices):
        pairs = list(zip(choices["label"], choices["text"], strict=True))
    elif isinstance(choices, Sequence) and all(isinstance(c, Mapping) for c in choices):
        pairs = [(choice.get("label"), choice.get("text")) for choice in choices]
    else:
        raise ValueError(f"{where}: expected choices with a label and a text each, got {choices!r}")
    labels = [str(label) for label, _ in pairs]
    key = str(fields["answerkey"]).strip()
    if labels not in (list(LETTERS[: len(labels)]), [str(n + 1) for n in range(len(labels))]):
        raise ValueError(f"{where}: expected labels A, B, ... or 1, 2, ..., got {labels}")
    if not 2 <= len(labels) <= len(LETTERS) or key not in labels:
        raise ValueError(
            f"{where}: expected 2 to {len(LETTERS)} choices, the right one among them, got "
            f"{labels} and {key!r}"
        )
    lines = [_some(stem, "question", where)]
    lines += [
        f"{letter}. {_some(text, 'choice', where)}"
        for letter, (_, text) in zip(LETTERS, pairs, strict=False)
    ]
    return Example("\n".join([*lines, ASKS]), LETTERS[labels.index(key)])


_FORMS: tuple[tuple[tuple[str, ...], Callable[[Fields, str], Example]], ...] = (
    (("input", "target"), _with_signals),
    (("question", "answerkey"), _choices),
    (("body", "question", "answer"), _body_and_question),
    (("squestion", "lsolutions"), _published_mawps),
    (("question", "answer"), _question_and_answer),
)


def _question(question: str, answer: Any, where: str) -> Example:
    if isinstance(answer, Sequence) and not isinstance(answer, str):
        if len(answer) != 1:
            raise ValueError(f"{where}: expected one answer, got {list(answer)}")
        answer = answer[0]
    return Example(f"{_without_asking(question)} {ASKS}", _some(answer, "answer", where))


def _some(value: Any, what: str, where: str) -> str:
    """A text or a number that is not empty."""
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value != value:
        raise ValueError(f"{where}: expected a text or a number as {what}, got {value!r}")
    if not (text := str(value).strip()):
        raise ValueError(f"{where}: expected a text or a number as {what}, got an empty one")
    return text


def _without_asking(text: str) -> str:
    return text.strip().removesuffix(ASKS).rstrip()


def _with_numbers(question: str, numbers: Any, where: str) -> str:
    """A question whose number0, number1, ... are filled in.

    >>> _with_numbers("Tom has number0 pens and number1 more", "3.0 2.5", "")
    'Tom has 3 pens and 2.5 more'
    """
    given = numbers.split() if isinstance(numbers, str) else list(numbers)

    def fill(found: re.Match[str]) -> str:
        place = int(found[1])
        if place >= len(given):
            raise ValueError(
                f"{where}: expected at least {place + 1} numbers for {question!r}, got {given}"
            )
        return str(given[place]).removesuffix(".0")

    return re.sub(r"\bnumber(\d+)\b", fill, question)


# ----------------------------------------------------------------------------- choices


_IN_ORDER = {order[:n] for order in (LETTERS, "12345") for n in range(2, 6)}
_LABEL = re.compile(r"^([A-E1-5])\.(?=\s)", re.MULTILINE)


def _labels(question: str) -> list[str]:
    """The labels of the choices of a question, empty where it has none.

    >>> _labels("Which?\\n1. iron\\n2. wood"), _labels("1. Tom has 3 pens. How many?")
    (['1', '2'], [])
    """
    found = _LABEL.findall(question)
    return found if "".join(found) in _IN_ORDER else []


def _lettered(example: Example) -> Example:
    """A multiple-choice example with labels 1, 2, ... with letters instead, in its signals too."""
    stem, labels = _LABEL.split(example.text, maxsplit=1)[0], _labels(example.text)

    def letter(found: re.Match[str]) -> str:
        return f"{found[1]}{LETTERS[int(found[2]) - 1]}{found[3]}"

    def lettered(phrase: str) -> str:
        phrase = re.sub(r"^()([1-5])(\.(?:\s.*)?)$", letter, phrase)
        phrase = re.sub(rf"^({ASKS}\s*)([1-5])(\.?)$", letter, phrase)
        if phrase in labels and not find_phrase(stem, phrase):  # the label, and no number
            phrase = LETTERS[int(phrase) - 1]
        return phrase

    return Example(
        _LABEL.sub(lambda found: f"{LETTERS[int(found[1]) - 1]}.", example.text),
        LETTERS[int(example.answer) - 1],
        _phrase_by_phrase(example.signals, lettered),
    )


# ----------------------------------------------------------------------------- tidying

_QUOTES = str.maketrans(
    {"\N{LEFT SINGLE QUOTATION MARK}": "'", "\N{RIGHT SINGLE QUOTATION MARK}": "'"}
    | {"\N{LEFT DOUBLE QUOTATION MARK}": '"', "\N{RIGHT DOUBLE QUOTATION MARK}": '"'}
)


def tidy(text: str) -> str:
    """Straight quotes, single spaces, one end a sentence; an ellipsis stays.

    >>> tidy("a house.. How many ?. Wait... what\\u2019s  this?")
    "a house. How many ? Wait... what's this?"
    """
    text = re.sub(r"[ \t\N{NO-BREAK SPACE}]+", " ", text.translate(_QUOTES))
    text = re.sub(r" *\n *", "\n", text)
    return re.sub(r"(?<!\.)([.?!])\.(?=\s|$)", r"\1", text)


def _tidied(example: Example) -> Example:
    return Example(
        tidy(example.text).rstrip(),
        tidy(example.answer).strip(),
        _phrase_by_phrase(example.signals, tidy),
    )


def _phrase_by_phrase(
    signals: tuple[Signal, ...], change: Callable[[str], str]
) -> tuple[Signal, ...]:
    return tuple(
        Signal(change(str(signal.effect)), tuple(change(str(cause)) for cause in signal.causes))
        for signal in signals
    )
