"""Cells and what is estimated from them: means over seeds, and differences between paired seeds.

A cell holds the runs that differ in nothing but their seed. A mean says over which seeds it was
taken and which are missing; a difference pairs the seeds that both cells have, and no others.

>>> gain = Estimate({0: 0.02, 1: 0.04}, wanted=(0, 1, 2))
>>> round(gain.mean, 3), gain.missing, gain.seeds
(0.03, (2,), '2 of 3 seeds')
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from cat.evaluate import seed_interval
from catviz.results.names import method_order, run_label, seeds_label
from catviz.results.reading import Measure, Result, Results, Split

__all__ = ["Cell", "Estimate", "average", "cells", "difference", "gaps", "percent", "references"]


@dataclass(frozen=True, eq=False)
class Estimate:
    """A number of each seed, and the seeds that there should be.

    Attributes:
        by_seed: at least one.
        within: what the number cannot leave, nor its interval: a share lies in 0..1.
        wanted: the seeds of all cells that this one stands beside.
        over_texts: of a single seed, the interval over the choice of test texts, if known.
    """

    by_seed: Mapping[int, float]
    wanted: Sequence[int]
    over_texts: tuple[float, float] | None = None
    within: tuple[float, float] = (-math.inf, math.inf)

    @property
    def mean(self) -> float:
        return sum(self.by_seed.values()) / len(self.by_seed)

    @cached_property
    def interval(self) -> tuple[float, float] | None:
        """95%: over seeds (Student's t) if there are several, else over texts, else none."""
        bounds = seed_interval(list(self.by_seed.values()))
        if bounds.low is None or bounds.high is None:
            return self.over_texts
        return max(bounds.low, self.within[0]), min(bounds.high, self.within[1])

    def bar(self, shown: Callable[[float], float]) -> dict[str, float | None]:
        """``value``, ``low`` and ``high`` for a figure; no ends where there is no interval."""
        low, high = self.interval or (None, None)
        return {
            "value": shown(self.mean),
            "low": None if low is None else shown(low),
            "high": None if high is None else shown(high),
        }

    @property
    def is_over_texts(self) -> bool:
        return len(self.by_seed) == 1 and self.over_texts is not None

    @property
    def missing(self) -> tuple[int, ...]:
        return tuple(seed for seed in self.wanted if seed not in self.by_seed)

    @property
    def seeds(self) -> str:
        return seeds_label(self.by_seed, self.wanted)

    @property
    def note(self) -> str:
        """What a figure must say of it: seeds that are missing, an interval over texts."""
        if self.missing:
            return self.seeds
        return "1 seed; bar: over texts" if self.is_over_texts else ""


@dataclass(frozen=True, eq=False)
class Cell:
    """The runs of one model, data set and method: one a seed."""

    by_seed: Mapping[int, Result]
    wanted: Sequence[int]

    @property
    def first(self) -> Result:
        return next(iter(self.by_seed.values()))

    @property
    def method(self) -> str:
        return self.first.run.method

    @property
    def data(self) -> str:
        return self.first.run.data

    @property
    def label(self) -> str:
        """Method and options."""
        return run_label(self.first.run)

    @property
    def place(self) -> tuple[object, ...]:
        """For sorting: that of the method and its options."""
        return method_order(self.method, self.first.run.options)

    def estimate(self, measure: Measure, split: Split) -> Estimate | None:
        """The mean over seeds; None where no run has the measure."""
        found = {
            seed: value
            for seed, result in self.by_seed.items()
            if (value := result.score(measure, split)) is not None
        }
        if not found:
            return None
        if measure != "accuracy":
            return Estimate(found, self.wanted, within=(0.0, math.inf))
        texts = self.first.interval_over_texts(split)
        return Estimate(found, self.wanted, texts, within=(0.0, 1.0))


def cells(results: Iterable[Result]) -> list[Cell]:
    """The cells of these results, in the order of :func:`catviz.results.names.method_order`.

    All are wanted with the seeds that any of them has.
    """
    grouped: dict[str, dict[int, Result]] = {}
    for result in results:
        grouped.setdefault(result.run.cell, {})[result.run.seed] = result
    wanted = sorted({seed for by_seed in grouped.values() for seed in by_seed})
    found = [Cell(dict(sorted(by_seed.items())), wanted) for by_seed in grouped.values()]
    return sorted(found, key=lambda cell: cell.place)


def gaps(found: Iterable[Cell]) -> str:
    """Which cells lack seeds that others have, and whether one has a single seed, in words."""
    found = list(found)
    short = [
        f"{cell.label} ({seeds_label(cell.by_seed, cell.wanted)})"
        for cell in found
        if len(cell.by_seed) < len(cell.wanted)
    ]
    said = [f"Fewer seeds than others: {', '.join(short)}."] if short else []
    if any(len(cell.by_seed) == 1 for cell in found):
        said.append("Where there is one seed, the interval is that over texts.")
    return " ".join(said)


def difference(cell: Cell, base: Cell, measure: Measure, split: Split) -> Estimate | None:
    """What a cell has more than another, seed by seed; None where they share no seed.

    Of a single pair, the interval is that over texts, as if both had been asked others.
    """
    one, other = cell.estimate(measure, split), base.estimate(measure, split)
    if one is None or other is None:
        return None
    paired = {
        seed: value - other.by_seed[seed]
        for seed, value in one.by_seed.items()
        if seed in other.by_seed
    }
    if not paired:
        return None
    texts = _over_texts(cell, base, split, *paired) if measure == "accuracy" else None
    return Estimate(paired, cell.wanted, texts)


def _over_texts(cell: Cell, base: Cell, split: Split, *seeds: int) -> tuple[float, float] | None:
    """Of the difference between two shares (Newcombe 1998, Statistics in Medicine 17, method 10).

    The texts are the same, which makes the difference surer than this says.
    """
    if len(seeds) != 1:
        return None
    more, less = (each.by_seed[seeds[0]].score("accuracy", split) for each in (cell, base))
    ends = [each.by_seed[seeds[0]].interval_over_texts(split) for each in (cell, base)]
    if more is None or less is None or ends[0] is None or ends[1] is None:
        return None
    (low, high), (base_low, base_high) = ends[0], ends[1]
    return (
        more - less - math.hypot(more - low, base_high - less),
        more - less + math.hypot(high - more, less - base_low),
    )


def average(estimates: Sequence[Estimate]) -> Estimate | None:
    """The mean of several estimates, seed by seed; None where no seed is in all of them.

    Their intervals over texts are averaged too: they may be of the same texts.
    """
    shared = [s for s in estimates[0].by_seed if all(s in e.by_seed for e in estimates)]
    means = {seed: sum(e.by_seed[seed] for e in estimates) / len(estimates) for seed in shared}
    wanted = sorted({seed for estimate in estimates for seed in estimate.wanted})
    if not means:
        return None
    ends = [estimate.over_texts for estimate in estimates]
    known = [end for end in ends if end is not None]
    texts = (
        (sum(low for low, _ in known) / len(known), sum(high for _, high in known) / len(known))
        if len(known) == len(ends)
        else None
    )
    return Estimate(means, wanted, texts)


def percent(share: float) -> float:
    """A share as a percentage, without the dust of binary fractions.

    >>> percent(0.57)
    57.0
    """
    return round(100 * share, 6)


def references(results: Results | Iterable[Result]) -> dict[str, dict[Split, dict[Measure, float]]]:
    """rule without a model -> split -> measure -> its score on these results' texts.

    A line gives a rule's accuracy as a number, or its scores by name.
    """
    found: dict[str, dict[Split, dict[Measure, float]]] = {}
    splits: tuple[Split, ...] = ("iid", "ood")
    measures: tuple[Measure, ...] = ("accuracy", "mean_absolute_error")
    for result in results:
        for split in splits:
            rules = (result.line.get("references") or {}).get(f"test_{split}", {})
            for rule, score in rules.items():
                scores = score if isinstance(score, Mapping) else {"accuracy": score}
                known = {m: float(scores[m]) for m in measures if scores.get(m) is not None}
                found.setdefault(rule, {}).setdefault(split, {}).update(known)
    return found
