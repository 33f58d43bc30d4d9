"""The paper's Table 1, made anew: ours beside the paper's, with intervals and references."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from catviz.figures.dot_rows import dot_rows
from catviz.figures.figure import Figure, Record
from catviz.paper_numbers import TABLE_1, PaperScore
from catviz.report import Cell as Text
from catviz.report import Table
from catviz.results.estimates import (
    Cell,
    Estimate,
    average,
    cells,
    difference,
    percent,
    references,
)
from catviz.results.names import DATA, ours_said
from catviz.results.part import Part, Tabled, origin, with_origin
from catviz.results.reading import SPLITS, Measure, Result, Results
from catviz.results.selection import compared, is_ours

__all__ = ["table1"]

_ABSENT = Text("\N{EN DASH}")
_AVERAGED = ("STG_S", "STG_M", "STG_L")
_HEADER = ("", "seeds", "IID", "more than plain", "OOD", "more than plain")
_ERROR_HEADER = ("", "seeds", "IID", "difference to plain", "OOD", "difference to plain")
_RULES = "Rules without a model"


@dataclass(frozen=True)
class _Unit:
    """How a measure is written."""

    measure: Measure
    scale: float
    digits: int

    def value(self, estimate: Estimate | None) -> Text:
        return self._text(estimate, "") if estimate else _ABSENT

    def gain(self, estimate: Estimate | None) -> Text:
        """A difference; how many seeds are paired is said where some are not."""
        if estimate is None:
            return _ABSENT
        text = self._text(estimate, "+")
        pairs = f"{len(estimate.by_seed)} of {len(estimate.wanted)} pairs"
        note = "; ".join(filter(None, [text.note, pairs if estimate.missing else ""]))
        return Text(text.text, note)

    def number(self, value: float, sign: str = "") -> str:
        return f"{round(self.scale * value, self.digits) + 0.0:{sign}.{self.digits}f}"  # no -0.00

    def _text(self, estimate: Estimate, sign: str) -> Text:
        note = ""
        if estimate.interval is not None:
            low, high = (
                f"{self.scale * end:{sign}.{self.digits - 1}f}" for end in estimate.interval
            )
            note = f"{low} to {high}" + (", over texts" if estimate.is_over_texts else "")
        return Text(self.number(estimate.mean, sign), note)


_PERCENT = _Unit("accuracy", 100, 2)
_POINTS = _Unit("mean_absolute_error", 1, 2)


def table1(results: Results) -> Part:
    """Every model, setting and data set, in and out of distribution."""
    chosen = compared(results)
    tables: dict[str, Tabled] = {}
    figures: dict[str, Figure] = {}
    if any(_gains(chosen)):
        figures["table1_gains"] = _gain_figure(chosen)
        tables["table1_summary"] = _summary(chosen)
    for data in DATA:
        those = [result for result in chosen if result.run.data == data]
        if those:
            tables[f"table1_{data}"] = _table(data, those, _PERCENT)
        if any(r.score("mean_absolute_error", "ood") is not None for r in those):
            tables[f"table1_{data}_error"] = _table(data, those, _POINTS)
    absent = [data for data in DATA if not any(r.run.data == data for r in chosen)]
    return Part(
        title="Table 1: plain training, CAT and its rivals",
        text=(
            "The texts are those of the paper; its models are larger than most of ours and its "
            "numbers are of one seed, so compare the direction and the size of a difference. "
            "A difference is taken seed by seed, between runs of one seed; seeds that one side "
            "lacks are left out of it, and that is said. Intervals are 95%, over seeds; they tell "
            "nothing of the choice of test texts, which all runs share. Of a single seed the "
            "interval is that over texts.\n\n"
            + (ours_said() if any(is_ours(r.run) for r in chosen) else "")
        ),
        tables=tables,
        figures=figures,
        missing=f"No results on {', '.join(absent)}: cat-tune sweep table1 --model MODEL"
        if absent
        else "",
    )


def _table(data: str, results: Sequence[Result], unit: _Unit) -> Tabled:
    in_percent = unit is _PERCENT
    groups: dict[str, list[list[str | Text]]] = {}
    records: list[Record] = []
    for setting in sorted({result.setting for result in results}):
        found = cells(result for result in results if result.setting == setting)
        base = found[0] if found[0].method == "plain" else None
        groups[f"Ours: {setting}"] = [_row(cell, base, unit) for cell in found]
        records += [r for cell in found for r in _records(setting, cell, base, unit)]
    rules = references(results)
    shown = {
        name: [by.get(split, {}).get(unit.measure) for split in SPLITS]
        for name, by in rules.items()
    }
    groups[_RULES] = [
        [name, "", unit.number(iid), "", unit.number(ood), ""]
        for name, (iid, ood) in shown.items()
        if iid is not None and ood is not None
    ]
    if in_percent:
        groups |= _paper_groups(data)
        records += _paper_records(data)
    what = "accuracy in percent" if in_percent else "mean absolute error, lower is better"
    caption = f"{data}: {what}, mean over seeds. {origin(results)}"
    header = _HEADER if in_percent else _ERROR_HEADER
    return Tabled(Table(caption, header, {k: v for k, v in groups.items() if v}), records)


def _row(cell: Cell, base: Cell | None, unit: _Unit) -> list[str | Text]:
    row: list[str | Text] = [cell.label, _seeds(cell)]
    for split in SPLITS:
        row.append(unit.value(cell.estimate(unit.measure, split)))
        paired = base is not None and base is not cell
        row.append(
            unit.gain(difference(cell, base, unit.measure, split)) if paired and base else ""
        )
    return row


def _seeds(cell: Cell) -> Text:
    missing = [str(seed) for seed in cell.wanted if seed not in cell.by_seed]
    if not missing:
        return Text(str(len(cell.by_seed)))
    return Text(f"{len(cell.by_seed)} of {len(cell.wanted)}", f"without {', '.join(missing)}")


def _records(setting: str, cell: Cell, base: Cell | None, unit: _Unit) -> Iterable[Record]:
    for split in SPLITS:
        estimate = cell.estimate(unit.measure, split)
        if estimate is None:
            continue
        gain = difference(cell, base, unit.measure, split) if base and base is not cell else None
        yield {
            "source": "ours",
            "setting": setting,
            "data": cell.data,
            "method": cell.label,
            "split": split,
            "measure": unit.measure,
            **_numbers(estimate, ""),
            **(_numbers(gain, "difference_") if gain else {}),
        }


def _numbers(estimate: Estimate, prefix: str) -> Record:
    low, high = estimate.interval or (None, None)
    return {
        f"{prefix}mean": estimate.mean,
        f"{prefix}low": low,
        f"{prefix}high": high,
        f"{prefix}interval": "texts" if estimate.is_over_texts else "seeds",
        f"{prefix}seeds": " ".join(map(str, estimate.by_seed)),
        f"{prefix}missing": " ".join(map(str, estimate.missing)),
    }


# ---------------------------------------------------------------------------- the paper's


def _paper(data: str) -> dict[str, dict[str, PaperScore]]:
    """model and setting -> split -> score."""
    found: dict[str, dict[str, PaperScore]] = {}
    for score in TABLE_1:
        if score.data == data:
            found.setdefault(f"{score.model}, {score.setting}", {})[score.split] = score
    return found


def _paper_groups(data: str) -> dict[str, list[list[str | Text]]]:
    def said(share: float, sign: str = "") -> str:
        return f"{100 * share:{sign}.2f}"

    return {
        f"Paper: {name}": [
            ["plain", "1", said(iid.plain), "", said(ood.plain), ""],
            [
                "CAT",
                "1",
                said(iid.cat),
                said(iid.cat - iid.plain, "+"),
                said(ood.cat),
                said(ood.cat - ood.plain, "+"),
            ],
        ]
        for name, by_split in _paper(data).items()
        for iid, ood in [(by_split["iid"], by_split["ood"])]
    }


def _paper_records(data: str) -> list[Record]:
    return [
        {
            "source": "paper",
            "setting": name,
            "data": data,
            "method": method,
            "split": split,
            "measure": "accuracy",
            "mean": value,
        }
        for name, by_split in _paper(data).items()
        for split, score in by_split.items()
        for method, value in (("plain", score.plain), ("CAT", score.cat))
    ]


# ---------------------------------------------------------------------------- in short

_Gains = Mapping[str, Mapping[str, Estimate]]  # row -> data (and the mean of three) -> difference
_MEAN = "mean of S, M, L"


def _gains(results: Results, split: str = "ood") -> _Gains:
    """What each CAT variant has more than plain training."""
    rows: dict[str, dict[str, Estimate]] = {}
    pairs = []
    for setting, _, here in results.by_place():
        found = cells(here)
        if found[0].method == "plain":
            pairs += [(setting, cell, found[0]) for cell in found if cell.method == "cat"]
    for setting, cell, base in sorted(pairs, key=lambda pair: (pair[0], pair[1].place)):
        gain = difference(cell, base, "accuracy", "ood" if split == "ood" else "iid")
        if gain is not None:
            rows.setdefault(f"{setting}: {cell.label}", {})[cell.data] = gain
    for by_data in rows.values():
        if all(data in by_data for data in _AVERAGED):
            mean = average([by_data[data] for data in _AVERAGED])
            if mean is not None:
                by_data[_MEAN] = mean
    return rows


def _paper_gains(split: str) -> dict[str, dict[str, float]]:
    rows: dict[str, dict[str, float]] = {}
    for data in DATA:
        for name, by_split in _paper(data).items():
            score = by_split[split]
            rows.setdefault(f"Paper: {name}", {})[data] = score.cat - score.plain
    for by_data in rows.values():
        by_data[_MEAN] = sum(by_data[data] for data in _AVERAGED) / len(_AVERAGED)
    return rows


def _summary(results: Results) -> Tabled:
    groups: dict[str, list[list[str | Text]]] = {}
    columns = ("STG_S", "STG_M", "STG_L", _MEAN, "STG_H")
    records: list[Record] = []
    for split, where in (("ood", "Out of distribution"), ("iid", "In distribution")):
        ours, paper = _gains(results, split), _paper_gains(split)
        rows: list[list[str | Text]] = [
            [row, *(_PERCENT.gain(by_data.get(data)) for data in columns)]
            for row, by_data in ours.items()
        ]
        rows += [
            [row, *(_PERCENT.number(by_data[data], "+") for data in columns)]
            for row, by_data in paper.items()
        ]
        groups[where] = rows
        records += [
            {
                "source": "ours",
                "row": row,
                "split": split,
                "data": data,
                **_numbers(e, "difference_"),
            }
            for row, by_data in ours.items()
            for data, e in by_data.items()
        ] + [
            {"source": "paper", "row": row, "split": split, "data": data, "difference_mean": value}
            for row, by_data in paper.items()
            for data, value in by_data.items()
        ]
    caption = (
        "What CAT has more than plain training: accuracy in percentage points, differences of "
        f"paired seeds with 95% intervals over them. {origin(_of_gains(results))}"
    )
    return Tabled(Table(caption, ("", *columns), groups), records)


def _of_gains(results: Results) -> Results:
    return results.where(lambda result: result.run.method in ("plain", "cat"))


def _gain_figure(results: Results) -> Figure:
    records: list[dict[str, object]] = []
    ours = _gains(results)
    for row, by_data in ours.items():
        for data in DATA:
            if data not in by_data:
                continue
            estimate = by_data[data]
            records.append(
                {"row": row, "panel": data, "family": "made here", **estimate.bar(percent),
                 "by_seed": [percent(value) for value in estimate.by_seed.values()],
                 "note": estimate.note}
            )  # fmt: skip
    records += [
        {"row": row, "panel": data, "value": 100 * by_data[data], "family": "paper, one seed"}
        for row, by_data in _paper_gains("ood").items()
        for data in DATA
    ]
    records.sort(key=lambda record: DATA.index(str(record["panel"])))
    figure = dot_rows(
        records,
        axis="points of accuracy",
        zero=True,
        rows=list(ours),
        title="What CAT adds to plain training, out of distribution",
        caption="Differences between runs of one seed, in percentage points.",
    )
    return with_origin(figure, _of_gains(results))
