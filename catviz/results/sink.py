"""The ratio C/N with the attention sink in it, as the paper counts, and without."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from catviz.figures.figure import Record
from catviz.report import Cell as Text
from catviz.report import Table
from catviz.results.estimates import Cell, Estimate, cells
from catviz.results.names import ours_said
from catviz.results.part import Part, Tabled, origin
from catviz.results.reading import Result, Results
from catviz.results.selection import compared, is_ours, is_paper_form

__all__ = ["sink"]


def sink(results: Results) -> Part:
    """Plain training, CAT in the paper's form, and CAT that leaves the sink out of its ratio."""
    chosen = compared(results).where(lambda r: _is_shown(r) and _ratio(r) is not None)
    groups: dict[str, list[list[str | Text]]] = {}
    records: list[Record] = []
    for setting, data, here in chosen.by_place():
        found = cells(here)
        groups[f"{setting}, {data}"] = [_row(cell) for cell in found]
        records += [
            {"setting": setting, "data": data, "method": cell.label, **record}
            for cell in found
            for record in _records(cell)
        ]
    tables = {}
    if groups:
        caption = (
            "In the rows that predict the answers to the OOD texts. Ratios: the median over texts, "
            "then over seeds; the mass: the mean. Beneath: the range over seeds. The quotient is "
            "that of the two ratios of a run: above 1, the first token gets more attention than "
            "the tokens that C/N counts beside it; near 1 or below, it is no sink. "
            + (f"{ours_said()} " if any(is_ours(r.run) for r in chosen) else "")
            + origin(chosen)
        )
        header = ("", *(column.heading for column in _COLUMNS))
        tables["sink"] = Tabled(Table(caption, header, groups), records)
    return Part(
        title="What the attention sink does to the ratio",
        text=(
            "The attention sink is a text's first token, on which many heads of pretrained models "
            "rest when there is nothing to look at. C/N counts it as one of the other tokens, so "
            "a sink makes C/N small whatever the causes get. Here C/N stands beside the same "
            "ratio without the first token, and beside the causal mass, the share of all "
            "attention that lies on causes."
        ),
        tables=tables,
        missing="" if tables else "No attention was measured: cat-tune sweep table1 --model MODEL",
    )


def _is_shown(result: Result) -> bool:
    run = result.run
    return run.method == "plain" or is_paper_form(run) or bool(run.options.get("exclude_sink"))


def _attention(name: str) -> Callable[[Result], float | None]:
    def read(result: Result) -> float | None:
        value = result.measured("attention", "test_ood", name)
        return float(value) if isinstance(value, int | float) and math.isfinite(value) else None

    return read


_ratio = _attention("ratio_median")
_behind_first = _attention("ratio_median_behind_first")


def _quotient(result: Result) -> float | None:
    behind, ratio = _behind_first(result), _ratio(result)
    return behind / ratio if behind is not None and ratio else None


def _median(by_seed: Mapping[int, float]) -> float:
    ordered = sorted(by_seed.values())
    half = len(ordered) // 2
    return (ordered[half] + ordered[~half]) / 2


def _mean(by_seed: Mapping[int, float]) -> float:
    return sum(by_seed.values()) / len(by_seed)


@dataclass(frozen=True)
class _Column:
    name: str
    heading: str
    of: Callable[[Result], float | None]
    middle: Callable[[Mapping[int, float]], float]

    def by_seed(self, cell: Cell) -> dict[int, float]:
        return {s: value for s, r in cell.by_seed.items() if (value := self.of(r)) is not None}


_COLUMNS = (
    _Column("ratio", "C/N", _ratio, _median),
    _Column("ratio_behind_first", "C/N without the first token", _behind_first, _median),
    _Column("quotient", "without / with", _quotient, _median),
    _Column("causal_mass", "causal mass", _attention("causal_mass"), _mean),
)


def _row(cell: Cell) -> list[str | Text]:
    return [cell.label, *(_text(column.by_seed(cell), cell, column) for column in _COLUMNS)]


def _text(by_seed: Mapping[int, float], cell: Cell, column: _Column) -> str | Text:
    if not by_seed:
        return "\N{EN DASH}"
    low, high = min(by_seed.values()), max(by_seed.values())
    estimate = Estimate(by_seed, cell.wanted)
    notes = [f"{_said(low)} to {_said(high)}"] if len(by_seed) > 1 else []
    notes += [estimate.seeds] if estimate.missing else []
    return Text(_said(column.middle(by_seed)), "; ".join(notes))


def _said(value: float) -> str:
    """Three digits, never as 1e+03."""
    return f"{value:#.3g}".rstrip(".") if abs(value) < 1000 else f"{value:,.0f}"


def _records(cell: Cell) -> list[Record]:
    return [
        {"measure": column.name, "value": column.middle(by_seed), "low": min(by_seed.values()),
         "high": max(by_seed.values()), "seeds": " ".join(map(str, by_seed)),
         "missing": " ".join(str(seed) for seed in cell.wanted if seed not in by_seed)}
        for column in _COLUMNS
        if (by_seed := column.by_seed(cell))
    ]  # fmt: skip
