"""The results of a store, as tables and figures need them; what cannot be used is told, in words.

>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     len(read_results(folder))
0
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from cat.experiments import DATA, Run, is_task
from cat.experiments.store import ResultStore
from catviz.results.names import setting_of

__all__ = ["MEASURES", "SPLITS", "Measure", "Result", "Results", "Split", "read_results"]

Split = Literal["iid", "ood"]
SPLITS: tuple[Split, ...] = get_args(Split)
_TESTS = tuple(f"test_{split}" for split in SPLITS)

Measure = Literal["accuracy", "mean_absolute_error"]
MEASURES: tuple[Measure, ...] = get_args(Measure)


@dataclass(frozen=True, eq=False)
class Result:
    """One run and the line that it left.

    Attributes:
        run: what was asked for.
        line: what came of it, see :func:`cat.experiments.carry_out`.
    """

    run: Run
    line: Mapping[str, Any]

    @property
    def setting(self) -> str:
        """What must be the same for two methods to be compared, but the data: a name."""
        return setting_of(self.run)

    def score(self, measure: Measure, split: Split) -> float | None:
        """Accuracy as a share, or the mean absolute error; None where there is none."""
        value = self.line["scores"][f"test_{split}"].get(measure)
        return None if value is None else float(value)

    def interval_over_texts(self, split: Split) -> tuple[float, float] | None:
        """Of the accuracy of this one run, over the choice of test texts."""
        bounds = self.line["scores"][f"test_{split}"].get("interval")
        return (float(bounds[0]), float(bounds[1])) if bounds else None

    def measured(self, *path: str) -> Any:
        """What stands under "measures" at a path of names; None where it does not."""
        found: Any = self.line.get("measures")
        for name in path:
            found = found.get(name) if isinstance(found, Mapping) else None
        return found


@dataclass(frozen=True, eq=False)
class Results:
    """Results that can be used, in the store's order, and what was left out of them.

    Attributes:
        results: on the game; these are what iterating gives.
        on_tasks: on downstream tasks, which have other test sets.
    """

    results: Sequence[Result]
    left_out: Sequence[str] = ()
    on_tasks: Sequence[Result] = ()

    def __len__(self) -> int:
        return len(self.results)

    def __iter__(self) -> Iterator[Result]:
        return iter(self.results)

    def where(self, wanted: Callable[[Result], bool]) -> Results:
        """Those that are wanted."""
        return Results([result for result in self if wanted(result)], self.left_out)

    @property
    def settings(self) -> list[str]:
        """The names of the settings, sorted."""
        return sorted({result.setting for result in self})

    def by_place(self) -> Iterator[tuple[str, str, list[Result]]]:
        """(setting, data, its results) of each pair that has some, in the order of a table."""
        for setting in self.settings:
            for data in DATA:
                here = [r for r in self if r.setting == setting and r.run.data == data]
                if here:
                    yield setting, data, here


def read_results(folder: str | Path) -> Results:
    """Read a folder of results, of this version of the code.

    Cut lines, second lines of one run, lines of other versions, runs without usable scores and
    runs on other texts than most are left out; :attr:`Results.left_out` says each in a sentence.

    Raises:
        ValueError: the folder is there, but is no folder.
    """
    folder = Path(folder)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"expected a folder of result lines, got the file {folder.name}")
    lines, report = ResultStore(folder).read()
    kept, left_out = [], list(report.remarks)
    for key, line in lines.items():
        run = Run(**line["run"])
        if reason := _unusable_on_task(line) if is_task(run.data) else _unusable(line):
            left_out.append(f"{key!r}: {reason}; left out")
        else:
            kept.append(Result(run, line))
    # The texts of a task are part of its name: results on others are results on something else.
    on_tasks = [result for result in kept if is_task(result.run.data)]
    same, others = _on_the_same_texts([r for r in kept if not is_task(r.run.data)])
    return Results(same, [*left_out, *others], on_tasks)


def _unusable(line: Mapping[str, Any], tests: Sequence[str] = _TESTS) -> str | None:
    """Why a line has no scores, if it has none."""
    for test in tests:
        scores = line["scores"].get(test) if isinstance(line["scores"], dict) else None
        accuracy = scores.get("accuracy") if isinstance(scores, dict) else None
        if not isinstance(accuracy, int | float) or not 0 <= accuracy <= 1:
            return f"expected an accuracy from 0 to 1 on {test}, got {accuracy!r}"
        assert isinstance(scores, dict)
        error = scores.get("mean_absolute_error")
        if error is not None and not (isinstance(error, int | float) and math.isfinite(error)):
            return f"expected a number as mean absolute error on {test}, got {error!r}"
    return None


def _unusable_on_task(line: Mapping[str, Any]) -> str | None:
    """The same for a downstream task, whose tests bring what is needed to pair their texts."""
    if not isinstance(line["scores"], dict) or not line["scores"]:
        return f"expected the scores of at least one test, got {line['scores']!r}"
    if reason := _unusable(line, tuple(line["scores"])):
        return reason
    for test, scores in line["scores"].items():
        if len(scores.get("right", "")) != scores.get("texts") or not scores.get("interval"):
            return f"expected an interval on {test}, and for each text whether it was right"
        if not (line.get("references") or {}).get(test):
            return f"expected rules without a model on {test}, there are none"
    return None


def _on_the_same_texts(results: Sequence[Result]) -> tuple[list[Result], list[str]]:
    """Those whose texts are most results' of the data set, and a sentence for each other one."""
    digests: dict[tuple[str, float], Counter[str]] = {}
    for result in results:
        place = (result.run.data, result.run.strength)
        digests.setdefault(place, Counter())[_texts(result)] += 1
    usual = {place: counter.most_common(1)[0][0] for place, counter in digests.items()}
    same, others = [], []
    for result in results:
        if _texts(result) == usual[result.run.data, result.run.strength]:
            same.append(result)
        else:
            others.append(
                f"{result.run.key!r}: made on other texts than most results on "
                f"{result.run.data}; left out"
            )
    return same, others


def _texts(result: Result) -> str:
    return str(sorted((result.line.get("data") or {}).items()))
