"""Whether what the assistant said stands in the text, in order, and explains the answer.

A phrase counts where :func:`cat.signals.find_phrase` finds it, else where it stands with another
case, other spaces, or other signs for quotation marks and dashes. A cause must end at or before
its effect begins: the rule of :mod:`cat.alignment`, so that a kept pair finds its place there.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from typing import Any, Literal

from cat.annotate.relations import Relation
from cat.signals import Example, Signal, Span, find_phrase, parse_signals

__all__ = ["CheckReport", "Checked", "Fault", "check", "spellings"]

Reason = Literal["absent", "order", "answer not covered", "no relations"]
REASONS: Mapping[Reason, str] = {
    "absent": "the effect or the cause does not stand in the text",
    "order": "no place of the cause ends before a place of the effect begins",
    "answer not covered": "no kept effect is in the answer",
    "no relations": "the assistant named none",
}
OF_PAIRS: tuple[Reason, ...] = ("absent", "order")
OF_TEXTS: tuple[Reason, ...] = ("answer not covered", "no relations")


@dataclass(frozen=True)
class Fault:
    """Why a pair was rejected ("absent", "order"), or what a text lacks (then without phrases).

    Attributes:
        reason: one of :data:`REASONS`.
        effect: as the assistant wrote it.
        cause: as the assistant wrote it.
        missing: those of the two phrases that do not stand in the text.
    """

    reason: Reason
    effect: str | None = None
    cause: str | None = None
    missing: tuple[str, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """For JSON; a fault of a whole text is its reason only."""
        found: dict[str, Any] = {"reason": self.reason}
        if self.effect is not None:
            found |= {"effect": self.effect, "cause": self.cause}
        if self.missing:
            found["missing"] = list(self.missing)
        return found

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Fault:
        """The inverse of :meth:`to_dict`."""
        missing = tuple(data.get("missing", ()))
        return cls(data["reason"], data.get("effect"), data.get("cause"), missing)


@dataclass(frozen=True)
class Checked:
    """The pairs of a text that passed, as signals, and the faults of the others.

    Attributes:
        signals: one an effect, phrases written as they stand in the text.
        faults: one a rejected pair; then what the text lacks.
    """

    signals: tuple[Signal, ...]
    faults: tuple[Fault, ...]

    @classmethod
    def from_record(cls, record: Mapping[str, Any], where: str = "record") -> Checked:
        """From a line of the annotations: its ``important`` and its ``faults``."""
        return cls(
            parse_signals(record.get("important"), where),
            tuple(Fault.from_dict(fault) for fault in record.get("faults") or ()),
        )


def check(example: Example, relations: Iterable[Relation]) -> Checked:
    """Keep the pairs that stand in the example's text in order; tell why of each other one.

    The answer is covered when a kept effect overlaps it, or what follows its last "####" where it
    has this mark (GSM8K's result after the solution). A text without an answer needs no cover.

    >>> example = Example("Ben had 12 figs and ate 4. How many are left? Answer:", "8")
    >>> said = [Relation("8", ("12  Figs", "ate 4", "the day after")), Relation("ate 4", ("left",))]
    >>> checked = check(example, said)
    >>> checked.signals
    (Signal(effect='8', causes=('12 figs', 'ate 4')),)
    >>> [(fault.reason, fault.cause) for fault in checked.faults]
    [('absent', 'the day after'), ('order', 'left')]
    """
    text = example.full_text
    pairs = dict.fromkeys((one.effect, cause) for one in relations for cause in one.causes)
    if not pairs:
        return Checked((), (Fault("no relations"),))
    kept: dict[str, dict[str, None]] = {}  # effect -> causes, as they stand in the text, in order
    faults = []
    standing = cache(partial(spellings, text))
    for effect, cause in pairs:
        effects, causes = standing(effect), standing(cause)
        if not effects or not causes:
            absent = ((effect, effects), (cause, causes))
            missing = tuple(phrase for phrase, found in absent if not found)
            faults.append(Fault("absent", effect, cause, missing))
        elif found := _first_in_order(text, effects, causes):
            kept.setdefault(found[0], {})[found[1]] = None
        else:
            faults.append(Fault("order", effect, cause))
    signals = tuple(Signal(effect, tuple(causes)) for effect, causes in kept.items())
    if example.answer and not any(_covers(example, signal) for signal in signals):
        faults.append(Fault("answer not covered"))
    return Checked(signals, tuple(faults))


def _first_in_order(
    text: str, effects: Sequence[str], causes: Sequence[str]
) -> tuple[str, str] | None:
    pairs = product(effects, causes)
    return next(((e, c) for e, c in pairs if _places_in_order(text, e, c)), None)


def _places_in_order(text: str, effect: str, cause: str) -> list[Span]:
    """The places of an effect that have a place of the cause before them."""
    first_end = min(place.end for place in find_phrase(text, cause))
    return [place for place in find_phrase(text, effect) if first_end <= place.start]


def _covers(example: Example, signal: Signal) -> bool:
    text, (start, end) = example.full_text, example.answer_span
    mark = text.rfind("####", start)
    start = start if mark < 0 else mark
    return any(
        place.start < end and start < place.end
        for cause in signal.causes
        for place in _places_in_order(text, str(signal.effect), str(cause))
    )


# --- finding a phrase -----------------------------------------------------------------------------

_FOLDED = str.maketrans("‘’‚‛`´“”„‟«»‐‑‒–—−", "''''''" + '"' * 6 + "-" * 6)
_LOOSE_SPACE = re.compile(r"(?<![\w\s])\s+|\s+(?![\w\s])|(?<=\w\s)\s+")  # parts no two words
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")


def spellings(text: str, phrase: str) -> tuple[str, ...]:
    """How a phrase stands in a text: itself, or else every likeness of it.

    A likeness differs in case, in spaces (none is needed beside a sign, so "$5" is like "$ 5"),
    and in the signs for quotation marks and dashes; never in a number. In the authors' released
    annotations a third of the phrases that do not stand as written have one, mostly by case.

    >>> spellings("How  many of Tim 's 1,500 figs?", "how many"), spellings("Tim 's figs", "Tim's")
    (('How  many',), ("Tim 's",))
    """
    phrase = phrase.strip()
    if find_phrase(text, phrase):
        return (phrase,)
    wanted, _ = _folded(phrase)
    folded, places = _folded(text)
    found: dict[str, None] = {}
    at = folded.find(wanted) if wanted else -1
    while at >= 0:
        span = Span(places[at], places[at + len(wanted) - 1] + 1)
        likeness = text[slice(*span)]
        if span in find_phrase(text, likeness) and _numbers(likeness) == _numbers(phrase):
            found[likeness] = None
        at = folded.find(wanted, at + 1)
    return tuple(found)


def _folded(text: str) -> tuple[str, list[int]]:
    """Lower case, plain signs, only the spaces that part two words; and where each character
    stands in the text."""
    loose = {at for match in _LOOSE_SPACE.finditer(text) for at in range(*match.span())}
    places = [at for at in range(len(text)) if at not in loose]
    # One character for one, so that the places hold: some letters are two in lower case.
    letters = (" " if text[at].isspace() else text[at].lower()[0] for at in places)
    return "".join(letters).translate(_FOLDED), places


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(text)


# --- rates over many texts ------------------------------------------------------------------------


@dataclass(frozen=True)
class CheckReport:
    """Counts over many texts: pairs kept and rejected by reason, texts that lack something.

    Attributes:
        texts: all of them.
        pairs: pairs of an effect and a cause that the assistant named.
        kept: those that passed.
        rejected: pairs by reason ("absent", "order").
        lacking: texts by reason ("answer not covered", "no relations").
    """

    texts: int
    pairs: int
    kept: int
    rejected: Mapping[Reason, int]
    lacking: Mapping[Reason, int]

    @classmethod
    def of(cls, checked: Iterable[Checked]) -> CheckReport:
        texts = kept = 0
        faults: Counter[Reason] = Counter()
        for one in checked:
            texts += 1
            kept += sum(len(signal.causes) for signal in one.signals)
            faults.update(fault.reason for fault in one.faults)
        rejected = {reason: faults[reason] for reason in OF_PAIRS}
        lacking = {reason: faults[reason] for reason in OF_TEXTS}
        return cls(texts, kept + sum(rejected.values()), kept, rejected, lacking)

    @property
    def shares(self) -> dict[Reason, float | None]:
        """Rejected pairs over all pairs, lacking texts over all texts; None over nothing."""
        return {
            **{r: n / self.pairs if self.pairs else None for r, n in self.rejected.items()},
            **{r: n / self.texts if self.texts else None for r, n in self.lacking.items()},
        }

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "texts": self.texts,
            "pairs": self.pairs,
            "kept": self.kept,
            "rejected": dict(self.rejected),
            "lacking": dict(self.lacking),
            "shares": dict(self.shares),
        }

    def __str__(self) -> str:
        def line(reason: Reason, count: int) -> str:
            share = self.shares[reason]
            shown = "     -" if share is None else f"{share:6.1%}"
            return f"  {count:7d} {shown}  {reason}: {REASONS[reason]}"

        return "\n".join(
            [
                f"{self.pairs} pairs of a cause and an effect, {self.kept} kept; rejected:",
                *(line(reason, count) for reason, count in self.rejected.items()),
                f"{self.texts} texts; lacking:",
                *(line(reason, count) for reason, count in self.lacking.items()),
            ]
        )
