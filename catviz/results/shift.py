"""Does a larger C/N go with a smaller effect of the spurious values, run by run?"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from catviz.figures.figure import Figure, Record
from catviz.figures.shift import attention_against_effect
from catviz.report import Cell as Text
from catviz.report import Table
from catviz.results.estimates import Estimate, cells, percent
from catviz.results.names import DATA, file_name, method_label, method_order
from catviz.results.part import Part, Tabled, origin, with_origin
from catviz.results.reading import Result, Results
from catviz.results.selection import usual

__all__ = ["rank_correlation", "shift"]

_FEWEST = 4  # runs, below which a rank correlation means nothing
_EFFECT = "answers that spurious values change (%)"
_COMPARED = {
    "spurious_flips": "answers that spurious values change",
    "spurious_nats": "log P(answer), moved by spurious values",
    "causal_flips": "answers that causal values change",
    "accuracy": "OOD accuracy",
}


def shift(results: Results) -> Part:
    """Attention beside effect, over all runs of a setting and data set."""
    chosen = usual(results).where(lambda r: _ratio(r) is not None)
    figures: dict[str, Figure] = {}
    rows: list[list[str | Text]] = []
    records: list[Record] = []
    for setting in chosen.settings:
        those = [
            r for r in chosen if r.setting == setting and _effect(r, "spurious_flips") is not None
        ]
        if those:
            figures[file_name("shift", setting)] = _figure(those, setting)
    for setting, data, here in chosen.by_place():
        row, found = _correlations(f"{setting}, {data}", here)
        rows.append(row)
        records += found
    tables = {}
    if rows:
        caption = (
            "Rank correlation (Spearman) over runs of C/N on the OOD texts with what stands above "
            "each column; 95% intervals as if runs were independent, which those of one method are "
            f"not: beneath, the correlation over the means of methods. {origin(chosen)}"
        )
        header = ("", "runs", *_COMPARED.values())
        tables["shift"] = Tabled(Table(caption, header, {"": rows}), records)
    return Part(
        title="Attention against effect",
        text=(
            "A model may look at the causes and still answer by something else. C/N is the ratio "
            "that the loss acts on, here the median over OOD texts. The effect is measured: "
            "redraw the spurious values of a text, keep its causes, and see whether the answer "
            "changes. Were attention an explanation, a larger C/N would go with a smaller effect. "
            "A model that gives one answer to every text has no effect either: read the accuracy "
            "beside it."
        ),
        tables=tables,
        figures=figures,
        missing="" if figures else "No effects were measured: cat-tune sweep table1 --model MODEL",
    )


def rank_correlation(
    one: Sequence[float], other: Sequence[float]
) -> tuple[float, tuple[float, float]] | None:
    """Spearman's rho with its 95% interval (Bonett and Wright 2000, Psychometrika 65).

    None for fewer than 4 pairs, or where one side does not vary.

    >>> rho, interval = rank_correlation([1, 2, 3, 4, 5, 6], [2, 1, 4, 3, 6, 5])
    >>> round(rho, 3), [round(end, 2) for end in interval]
    (0.829, [-0.13, 0.99])
    """
    from scipy.stats import spearmanr

    if len(one) < _FEWEST or len(set(one)) < 2 or len(set(other)) < 2:
        return None
    rho = float(spearmanr(one, other).statistic)
    if abs(rho) >= 1:
        return rho, (rho, rho)
    half = 1.959964 * math.sqrt((1 + rho**2 / 2) / (len(one) - 3))
    return rho, (math.tanh(math.atanh(rho) - half), math.tanh(math.atanh(rho) + half))


def _ratio(result: Result) -> float | None:
    """C/N on the OOD texts, if it is known and has a logarithm."""
    ratio = result.measured("attention", "test_ood", "ratio_median")
    return float(ratio) if isinstance(ratio, int | float) and 0 < ratio < math.inf else None


def _effect(result: Result, name: str) -> float | None:
    if name == "accuracy":
        return result.score("accuracy", "ood")
    value = result.measured("effects", "test_ood", name)
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _figure(results: Sequence[Result], setting: str) -> Figure:
    points = [
        {"method": method_label(r.run.method, {}), "panel": r.run.data, "ratio": _ratio(r),
         "effect": percent(_effect(r, "spurious_flips") or 0.0)}
        for data in DATA
        for r in sorted(results, key=lambda r: method_order(r.run.method, r.run.options))
        if r.run.data == data
    ]  # fmt: skip
    notes = {}
    for data in dict.fromkeys(str(point["panel"]) for point in points):
        here = [result for result in results if result.run.data == data]
        found = _over_runs(here, "spurious_flips")
        notes[data] = f"rank correlation {_said(found)}, {len(here)} runs" if found else ""
    figure = attention_against_effect(
        points,
        effect=_EFFECT,
        notes=notes,
        title=f"{setting}: attention against effect, out of distribution",
        caption="All options of a method share its mark.",
    )
    return with_origin(figure, results)


def _correlations(name: str, results: Sequence[Result]) -> tuple[list[str | Text], list[Record]]:
    row: list[str | Text] = [name, str(len(results))]
    records: list[Record] = []
    for effect in _COMPARED:
        runs, methods = _over_runs(results, effect), _over_methods(results, effect)
        if runs is None:
            row.append("\N{EN DASH}")
            continue
        note = f"of {methods[1]} means: {methods[0]:+.2f}" if methods else ""
        row.append(Text(_said(runs), note))
        low, high = runs[1]
        records.append(
            {"of": name, "runs": len(results), "with": effect, "rho": runs[0], "low": low,
             "high": high, "rho_of_means": methods[0] if methods else None,
             "means": methods[1] if methods else None}
        )  # fmt: skip
    return row, records


def _said(found: tuple[float, tuple[float, float]]) -> str:
    rho, (low, high) = found
    return f"{rho:+.2f} ({low:+.2f} to {high:+.2f})"


def _over_runs(results: Iterable[Result], effect: str) -> tuple[float, tuple[float, float]] | None:
    pairs = [
        (ratio, value)
        for r in results
        if (ratio := _ratio(r)) is not None and (value := _effect(r, effect)) is not None
    ]
    return rank_correlation([ratio for ratio, _ in pairs], [value for _, value in pairs])


def _over_methods(results: Iterable[Result], effect: str) -> tuple[float, int] | None:
    """Of the means over seeds (of C/N, of its logarithm), and how many there are."""
    pairs = []
    for cell in cells(results):
        ratios = {s: math.log(x) for s, r in cell.by_seed.items() if (x := _ratio(r)) is not None}
        effects = {s: x for s, r in cell.by_seed.items() if (x := _effect(r, effect)) is not None}
        if ratios and effects:
            pairs.append((Estimate(ratios, ()).mean, Estimate(effects, ()).mean))
    found = rank_correlation([ratio for ratio, _ in pairs], [value for _, value in pairs])
    return (found[0], len(pairs)) if found else None
