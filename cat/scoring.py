"""Whether an answer is right, by the kind of task.

A :class:`Scoring` reads a model's answer (and the right one) into one form and compares the two.

:data:`EXACT`
    The Spurious Token Game: equal as texts, or as numbers where both are.
:data:`NUMBER`
    Word problems. A number may have a currency sign, thousands commas, a percent sign and a unit:
    "84", "84.0", "$84", "84 apples", "84 (apples)" are one number, and "1,200" is 1200. Fractions
    and mixed numbers are what they mean ("1/2" is 0.5); a percent sign is a unit like others ("25%"
    is 25, not 0.25, as GSM8K's answers have it). Two numbers are the same when they are equal, or
    when one of them is the other rounded to four decimals or more ("0.6667" and "2/3"). Where a
    "####" stands, what counts is what follows the last one, as in GSM8K. What is no single number
    ("3:30", "6th", "3 apples and 4 pears", "Clara") is compared as text, without regard to case,
    spacing and a full stop at the end.
:data:`LAST_NUMBER`
    GSM8K, and models tuned on it: as NUMBER, but of an answer without "####" that is no single
    number, the last number counts.
:data:`CHOICE`
    Multiple choice: the letter that the answer consists of or begins with, as in "B", "(B)", "B.",
    "B: television", "Answer: B". "Because", "A cat" and "B or C" tell none.

>>> NUMBER.same("84 apples", "84.0"), NUMBER.same("3 apples and 84 pears", "84.0")
(True, False)
>>> LAST_NUMBER.same("40 + 44 = 84, I think", "40+44=<<40+44=84>>84\\n#### 84")
True
>>> CHOICE.same("(B)", "B"), CHOICE.read("Because")
(True, None)
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from typing import NamedTuple

__all__ = [
    "CHOICE",
    "EXACT",
    "LAST_NUMBER",
    "NUMBER",
    "Scoring",
    "numbers_in",
    "plain_number",
    "same_answer",
    "written",
]

FINAL = "####"
FEWEST_DECIMALS = 4  # from which on a number may be another one rounded
MOST_DIGITS = 300  # what is longer is a model that repeats itself, and no float


@dataclass(frozen=True)
class Scoring:
    """How answers are read and compared.

    Attributes:
        name: for messages and result lines.
        read: the answer in one form, for counting; None where there is none of the kind.
        same: whether an answer is the right one: (answer, target).
    """

    name: str
    read: Callable[[str], str | None]
    same: Callable[[str, str], bool]


# ----------------------------------------------------------------------------- exact


def plain_number(text: str) -> float | None:
    """A finite number that is written as Python writes it, and nothing else."""
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def same_answer(answer: str, target: str) -> bool:
    """Equal as texts, or as numbers where both are."""
    if answer.strip() == target.strip():
        return True
    number = plain_number(answer)
    return number is not None and number == plain_number(target)


# ----------------------------------------------------------------------------- numbers


class _Number(NamedTuple):
    value: Fraction
    decimals: float  # as written; infinite for fractions, which are exact


_DECIMAL = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_WRITTEN = rf"(?P<whole>\d+\s+)?(?P<over>\d+)\s*/\s*(?P<under>0*[1-9]\d*)|(?P<decimal>{_DECIMAL})"
_SIGN = r"(?P<sign>[-+\N{MINUS SIGN}]?)\s*"
_CURRENCY = r"(?:[$€£¥]\s*)?"
# A unit begins after a space, a bracket or as a percent sign ("6th" is no 6), and has no digit.
_UNIT = r"\.?\s*%?(?:\s[^\d]*|\([^\d]*)?\.?"
_ALONE = re.compile(rf"{_CURRENCY}{_SIGN}{_CURRENCY}(?:{_WRITTEN}){_UNIT}")
_ANYWHERE = re.compile(rf"(?<![\w.,])(?P<sign>[-\N{{MINUS SIGN}}]?){_CURRENCY}(?:{_WRITTEN})|"
                       rf"(?P<late>(?<!\d)(?:{_DECIMAL}))")  # fmt: skip
_ANNOUNCED = re.compile(r"(?:the\s+)?(?:final\s+)?answer\s*(?:is\b)?\s*:?\s*", re.IGNORECASE)
_BRACKETED = re.compile(r"\((\d+\s*/\s*\d+)\)")  # -(1/3), as ASDiv writes it


def _number_alone(text: str) -> _Number | None:
    """The number that a text consists of, a unit aside."""
    found = _ALONE.fullmatch(_BRACKETED.sub(r"\1", _without_announcement(text)))
    return _number(found) if found else None


def _last_number(text: str) -> _Number | None:
    found = list(_ANYWHERE.finditer(text))
    return _number(found[-1]) if found else None


def _number(found: re.Match[str]) -> _Number | None:
    if len(found[0]) > MOST_DIGITS:
        return None
    parts = found.groupdict()
    decimal = parts["decimal"] or parts.get("late")
    if decimal:
        digits = decimal.replace(",", "")
        value, decimals = Fraction(digits), float(len(digits.partition(".")[2]))
    else:
        value = Fraction(int(parts["over"]), int(parts["under"])) + int(parts["whole"] or 0)
        decimals = math.inf
    return _Number(-value if parts["sign"] in ("-", "\N{MINUS SIGN}") else value, decimals)


def _without_announcement(text: str) -> str:
    text = text.strip()
    found = _ANNOUNCED.match(text)
    return text[found.end() :].strip() if found else text


def _behind_the_mark(text: str) -> str:
    """What follows the last "####", up to the line's end; the text where there is none."""
    _, mark, behind = text.rpartition(FINAL)
    return behind.strip().partition("\n")[0].strip() if mark else text


def _number_in(text: str) -> _Number | None:
    return _number_alone(_behind_the_mark(text))


def _number_or_last(text: str) -> _Number | None:
    behind = _behind_the_mark(text)
    return _number_alone(behind) or _last_number(behind)


def _agree(one: _Number, other: _Number) -> bool:
    """Equal, or one is the other rounded to four decimals or more."""
    decimals = min(one.decimals, other.decimals)
    if one.value == other.value:
        return True
    if not FEWEST_DECIMALS <= decimals < math.inf:
        return False
    return abs(one.value - other.value) <= Fraction(1, 2 * 10 ** int(decimals))


def _as_text(text: str) -> str:
    return " ".join(_without_announcement(_behind_the_mark(text)).casefold().split()).rstrip(". ")


def numbers_in(text: str) -> tuple[Fraction, ...]:
    """All numbers that stand in a text as digits, in order.

    >>> [str(number) for number in numbers_in("1,200 apples for $2.50, half of them (1/2) red")]
    ['1200', '5/2', '1/2']
    """
    found = map(_number, _ANYWHERE.finditer(text))
    return tuple(number.value for number in found if number is not None)


def written(number: Fraction) -> str:
    """A number in its shortest form; as a fraction where it has no end as a decimal.

    >>> [written(Fraction(text)) for text in ("84.0", "0.50", "2/3")]
    ['84', '0.5', '2/3']
    """
    if number.denominator == 1:
        return str(number.numerator)
    as_decimal = f"{float(number):.12g}"
    return as_decimal if Fraction(as_decimal) == number else str(number)


def _read_number(find: Callable[[str], _Number | None], text: str) -> str | None:
    number = find(text)
    return None if number is None else written(number.value)


def _same_number(find: Callable[[str], _Number | None], answer: str, target: str) -> bool:
    wanted = _number_in(target)  # the right answer is never guessed
    if wanted is None:
        return _as_text(answer) == _as_text(target) != ""
    said = find(answer)
    return said is not None and _agree(said, wanted)


# ----------------------------------------------------------------------------- choices

_LETTER = re.compile(
    r"(?:(?:the\s+)?(?:correct\s+|final\s+)?(?:answer|choice|option)\s*(?:is\b)?\s*:?\s*)?"
    r"(?:\((?P<bracketed>[A-E])\)|(?P<bare>[A-E])(?=\s*$|[.):]|\s*\n))",
    re.IGNORECASE,
)


def _letter(text: str) -> str | None:
    found = _LETTER.match(text.strip())
    return (found["bracketed"] or found["bare"]).upper() if found else None


def _same_letter(answer: str, target: str) -> bool:
    wanted = _letter(target)
    return wanted is not None and _letter(answer) == wanted


EXACT = Scoring("exact", str.strip, same_answer)
NUMBER = Scoring("number", partial(_read_number, _number_in), partial(_same_number, _number_in))
LAST_NUMBER = Scoring(
    "last number", partial(_read_number, _number_or_last), partial(_same_number, _number_or_last)
)
CHOICE = Scoring("choice", _letter, _same_letter)
