"""How far two annotators agree about the same texts: people, models, or one of each.

Two kinds of words are compared. *Cells*: the pairs (row, key) that :func:`cat.alignment.align`
supervises, over tokens or characters, which is what training sees of an annotation. *Phrases*: the
effects that both name, and the causes that both give them. The paper's Table 5 compares two
assistants by the accuracy after training; this says how far their signals are the same at all.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from cat.alignment import align
from cat.evaluate import Interval
from cat.signals import Example, Place, Span

__all__ = ["MEASURES", "Agreement", "Estimate", "Measure", "TextAgreement", "agreement"]

Measure = Literal[
    "precision", "recall", "f1", "jaccard", "kappa", "same effects", "same causes of same effects"
]
MEASURES: tuple[Measure, ...] = get_args(Measure)
RESAMPLES = 2000
LEVELS = (2.5, 97.5)


@dataclass(frozen=True)
class TextAgreement:
    """Counts of one text that both annotated.

    Attributes:
        text: prompt and answer.
        both, one_only, other_only: supervised cells of both, of one alone, of the other alone.
        visible: all cells (row, key) that could be supervised: row t-1 of each token t but the
            first, keys up to t-1.
        effects_both, effects_any: effect phrases named by both, by at least one (case and spaces
            do not count).
        causes_both, causes_any: of the effects that both name, the cause phrases likewise.
    """

    text: str
    both: int
    one_only: int
    other_only: int
    visible: int
    effects_both: int
    effects_any: int
    causes_both: int
    causes_any: int

    @property
    def measures(self) -> dict[Measure, float]:
        """By name; NaN where there is nothing to share."""
        return _measured(np.array(self._counts, dtype=float))

    @property
    def _counts(self) -> tuple[int, ...]:
        return (
            *(self.both, self.one_only, self.other_only, self.visible),
            *(self.effects_both, self.effects_any, self.causes_both, self.causes_any),
        )


@dataclass(frozen=True)
class Estimate:
    """A value and its 95% interval, by resampling the texts (percentile bootstrap)."""

    value: float
    interval: Interval

    def __str__(self) -> str:
        if math.isnan(self.value):
            return "undefined"
        if self.interval.low is None or self.interval.high is None:
            return f"{self.value:.3f}"
        return f"{self.value:.3f} [{self.interval.low:.3f}, {self.interval.high:.3f}]"


@dataclass(frozen=True)
class Agreement:
    """What :func:`agreement` found; ``print`` it.

    Attributes:
        texts: those that both annotated, in the order of the first; the figures are theirs.
        unit: "tokens" or "characters".
        only_in_one, only_in_other: texts that the other annotator's file does not have.
        annotated_by_one_only, annotated_by_other_only: texts of both files for which the other
            named no relation.
        annotated_by_neither: texts of both files without a relation.
    """

    texts: tuple[TextAgreement, ...]
    unit: str
    only_in_one: int
    only_in_other: int
    annotated_by_one_only: int
    annotated_by_other_only: int
    annotated_by_neither: int
    seed: int = 0

    @cached_property
    def pooled(self) -> dict[Measure, Estimate]:
        """Of the counts of all texts together: long texts weigh more."""
        counts = self._counts
        value = _measured(counts.sum(axis=0))
        drawn = _measured((self._weights @ counts).T)
        return {name: Estimate(float(value[name]), _interval(drawn[name])) for name in MEASURES}

    @cached_property
    def per_text(self) -> dict[Measure, Estimate]:
        """The mean over texts: each weighs the same; those where it is undefined are left out."""
        values = _measured(self._counts.T)
        return {name: self._mean(values[name]) for name in MEASURES}

    def to_dict(self) -> dict[str, Any]:
        """For JSON: counts, and [value, low, high] of each measure, None for what is undefined."""
        return {
            "texts": len(self.texts),
            "unit": self.unit,
            **{name: getattr(self, name) for name in _LEFT_OUT},
            "pooled": {name: _numbers(one) for name, one in self.pooled.items()},
            "per_text": {name: _numbers(one) for name, one in self.per_text.items()},
        }

    def __str__(self) -> str:
        n = len(self.texts)
        texts = f"{n} text" if n == 1 else f"{n} texts"
        lines = [f"{texts} annotated by both, compared over {self.unit}"]
        lines += [
            f"  left out: {count} {_LEFT_OUT[name]}"
            for name in _LEFT_OUT
            if (count := getattr(self, name))
        ]
        lines.append(f"{'':30}{'pooled':<24}mean over texts")
        for name in MEASURES:
            lines.append(f"  {name:28}{self.pooled[name]!s:<24}{self.per_text[name]}")
        return "\n".join(lines)

    @property
    def _counts(self) -> np.ndarray:
        """(text, count)"""
        return np.array([text._counts for text in self.texts], dtype=float)

    @cached_property
    def _weights(self) -> np.ndarray:
        """(resample, text): how often each text was drawn."""
        n = len(self.texts)
        return np.random.default_rng(self.seed).multinomial(n, [1 / n] * n, size=RESAMPLES)

    def _mean(self, values: np.ndarray) -> Estimate:
        known = ~np.isnan(values)
        sums = self._weights @ np.where(known, values, 0)
        counts = self._weights @ known
        value = float(values[known].mean()) if known.any() else math.nan
        return Estimate(value, _interval(_share(sums, counts)))


_LEFT_OUT: Mapping[str, str] = {
    "only_in_one": "that only the first has",
    "only_in_other": "that only the other has",
    "annotated_by_one_only": "that only the first annotated",
    "annotated_by_other_only": "that only the other annotated",
    "annotated_by_neither": "that neither annotated",
}


def agreement(
    one: Iterable[Example],
    other: Iterable[Example],
    tokenizer: Any = None,
    *,
    seed: int = 0,
) -> Agreement:
    """Compare two annotations of the same texts.

    Precision and recall are the other's with the first as the reference. Kappa (Cohen 1960) is
    over all visible cells of the causal triangle, the rest is over those that somebody supervises.

    Args:
        one, other: examples, each text found by its words; a text that a file has twice is
            compared occurrence by occurrence.
        tokenizer: a fast tokenizer, for cells over its tokens; None for cells over characters.
        seed: of the bootstrap.

    Raises:
        ValueError: no text is annotated by both.

    >>> from cat.signals import Signal
    >>> text = "Ann has 2 pens and gets 3 more. Answer: "
    >>> first = Example(text, "5", (Signal("5", ("2 pens", "3 more")),))
    >>> second = Example(text, "5", (Signal("5", ("2 pens",)),))
    >>> found = agreement([first], [second])
    >>> found.texts[0].both, found.texts[0].one_only, found.texts[0].other_only
    (6, 6, 0)
    >>> found.pooled["recall"].value, found.pooled["same effects"].value
    (0.5, 1.0)
    """
    ones, others = _by_text(one), _by_text(other)
    shared = [key for key in ones if key in others]
    pairs = [(ones[key], others[key]) for key in shared]
    annotated = Counter((bool(a.signals), bool(b.signals)) for a, b in pairs)
    kept = [(a, b) for a, b in pairs if a.signals and b.signals]
    if not kept:
        raise ValueError(
            f"expected texts that both annotated, got none: {len(ones)} texts in the first, "
            f"{len(others)} in the other, {len(shared)} in both; are they annotations of the "
            "same texts, with the same prompts and answers?"
        )
    return Agreement(
        texts=tuple(_compare(a, b, tokenizer or _CHARACTERS) for a, b in kept),
        unit="characters" if tokenizer is None else "tokens",
        only_in_one=len(ones) - len(shared),
        only_in_other=len(others) - len(shared),
        annotated_by_one_only=annotated[True, False],
        annotated_by_other_only=annotated[False, True],
        annotated_by_neither=annotated[False, False],
        seed=seed,
    )


def _by_text(examples: Iterable[Example]) -> dict[tuple[str, int, int], Example]:
    """(text, where its answer begins, which occurrence) -> example."""
    seen: Counter[tuple[str, int]] = Counter()
    found = {}
    for example in examples:
        place = (example.full_text, example.boundary)
        found[*place, seen[place]] = example
        seen[place] += 1
    return found


def _compare(one: Example, other: Example, tokenizer: Any) -> TextAgreement:
    cells, other_cells = _cells(one, tokenizer), _cells(other, tokenizer)
    causes, other_causes = _phrases(one), _phrases(other)
    named_by_both = causes.keys() & other_causes.keys()
    size = len(align(Example(one.text, one.answer), tokenizer, add_eos=False).input_ids)
    return TextAgreement(
        text=one.full_text,
        both=len(cells & other_cells),
        one_only=len(cells - other_cells),
        other_only=len(other_cells - cells),
        visible=size * (size - 1) // 2,
        effects_both=len(named_by_both),
        effects_any=len(causes.keys() | other_causes.keys()),
        causes_both=sum(len(causes[effect] & other_causes[effect]) for effect in named_by_both),
        causes_any=sum(len(causes[effect] | other_causes[effect]) for effect in named_by_both),
    )


def _cells(example: Example, tokenizer: Any) -> set[tuple[int, int]]:
    aligned = align(example, tokenizer, add_eos=False)
    return {
        (row, int(key))
        for row, causes in zip(aligned.rows, aligned.causes, strict=True)
        for key in np.flatnonzero(causes)
    }


def _phrases(example: Example) -> Mapping[str, set[str]]:
    """Effect -> its causes, without the difference of case and spaces."""
    found: dict[str, set[str]] = defaultdict(set)
    for signal in example.signals:
        causes = {_plain(example, cause) for cause in signal.causes}
        found[_plain(example, signal.effect)] |= causes
    return found


def _plain(example: Example, place: Place) -> str:
    phrase = example.full_text[place.start : place.end] if isinstance(place, Span) else place
    return " ".join(phrase.casefold().split())


class _Characters:
    """Each character a token of its own."""

    is_fast = True
    eos_token_id = None

    def __call__(self, texts: list[str], **_: Any) -> dict[str, list[Any]]:
        return {
            "input_ids": [[ord(letter) for letter in text] for text in texts],
            "offset_mapping": [[(at, at + 1) for at in range(len(text))] for text in texts],
        }


_CHARACTERS = _Characters()


def _measured(counts: np.ndarray) -> dict[Measure, Any]:
    """Every measure of counts (count, ...) in the order of ``TextAgreement._counts``."""
    both, one_only, other_only, visible, effects_both, effects_any, causes_both, causes_any = counts
    one, other = both + one_only, both + other_only
    agree = _share(visible - one_only - other_only, visible)
    by_chance = _share(one * other + (visible - one) * (visible - other), visible**2)
    return {
        "precision": _share(both, other),
        "recall": _share(both, one),
        "f1": _share(2 * both, one + other),
        "jaccard": _share(both, both + one_only + other_only),
        "kappa": _share(agree - by_chance, 1 - by_chance),
        "same effects": _share(effects_both, effects_any),
        "same causes of same effects": _share(causes_both, causes_any),
    }


def _share(part: Any, whole: Any) -> Any:
    """NaN where there is no whole."""
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(np.asarray(whole) > 0, np.divide(part, whole), np.nan)[()]


def _interval(drawn: Sequence[float] | np.ndarray) -> Interval:
    """Of the defined ones; none where the texts allow none."""
    known = np.asarray(drawn)[~np.isnan(drawn)]
    if known.size == 0 or known.min() == known.max():
        return Interval(None, None)
    low, high = np.percentile(known, LEVELS)
    return Interval(float(low), float(high))


def _numbers(one: Estimate) -> list[float | None]:
    value = None if math.isnan(one.value) else one.value
    return [value, one.interval.low, one.interval.high]
