"""One part of the page: a question, the tables and figures that answer it, and what they are of."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from catviz.figures.figure import Figure, Record
from catviz.report import Table
from catviz.results.reading import Result

__all__ = ["Part", "Tabled", "origin", "runs_label", "with_origin"]


@dataclass(frozen=True)
class Tabled:
    """A table for people, and the unrounded numbers in it for programs."""

    table: Table
    records: Sequence[Record]


@dataclass(frozen=True)
class Part:
    """A section of the page; the keys of tables and figures are their files' names.

    Attributes:
        missing: what is not there, and the command that would bring it.
    """

    title: str
    text: str
    tables: Mapping[str, Tabled] = field(default_factory=dict)
    figures: Mapping[str, Figure] = field(default_factory=dict)
    missing: str = ""


def origin(results: Iterable[Result]) -> str:
    """Which runs something was made of: how many, models, seeds, dates, code, machines.

    >>> origin([])
    'Made of no run.'
    """
    results = list(results)
    if not results:
        return "Made of no run."
    lines = [result.line for result in results]
    days = sorted({str(line["date"])[:10] for line in lines if line.get("date")})
    parts = [
        runs_label(len(results)),
        "; ".join(dict.fromkeys(result.setting for result in results)),
        _seeds(sorted({result.run.seed for result in results})),
        f"{days[0]} to {days[-1]}" if len(days) > 1 else "".join(days),
        _known("code", [str(line.get("code", "")) for line in lines]),
        _known("on", [str(line.get("machine", "")) for line in lines]),
    ]
    return f"Made of {'; '.join(filter(None, parts))}."


def with_origin(figure: Figure, results: Iterable[Result], more: str = "") -> Figure:
    """The figure, its caption saying which runs it was made of."""
    said = filter(None, [figure.caption, more, origin(results)])
    return replace(figure, caption=" ".join(said))


def runs_label(n: int) -> str:
    """
    >>> runs_label(1)
    '1 run'
    """
    return f"{n} run{'s' * (n != 1)}"


def _seeds(seeds: Sequence[int]) -> str:
    """
    >>> _seeds([0, 1, 2, 4]), _seeds([7])
    ('seeds 0 to 2, 4', 'seed 7')
    """
    spans: list[list[int]] = []
    for seed in seeds:
        if spans and seed == spans[-1][-1] + 1:
            spans[-1].append(seed)
        else:
            spans.append([seed])
    said = [
        f"{span[0]} to {span[-1]}" if len(span) > 2 else ", ".join(map(str, span)) for span in spans
    ]
    return f"seed{'s' * (len(seeds) != 1)} {', '.join(said)}"


def _known(word: str, values: Sequence[str]) -> str:
    found = sorted(set(filter(None, values)))
    return f"{word} {' and '.join(found)}" if found else ""
