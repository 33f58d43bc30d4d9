"""The paper's Table 2, made anew: plain training and CAT on the downstream tasks."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from cat.experiments.task_data import TaskName, read_name
from catviz.figures.figure import Record
from catviz.paper_tasks import TABLE_2
from catviz.report import Cell as Text
from catviz.report import Table
from catviz.results.estimates import Cell, Estimate, cells, percent
from catviz.results.part import Part, Tabled, origin
from catviz.results.reading import Result, Results

__all__ = ["downstream"]

_HEADER = ("", "texts", "seeds", "plain", "CAT", "difference", "best rule without a model")
_VAL = " val"


def downstream(results: Results) -> Part:
    """Every task that was run, in each setting, with the paper's numbers beneath."""
    those = results.on_tasks
    tables = {"downstream": _table(those)} if any(_pairs(those)) else {}
    return Part(
        title="Downstream tasks",
        text=(
            "Word problems and multiple choice (the paper's Table 2). The paper's numbers are of "
            "one seed and of larger models: compare the direction and the size of a difference. "
            "Of a single seed, an interval is over the choice of test texts: of the difference it "
            "counts the texts that only one of the two answers rightly. The last column is what "
            "the best of a few rules scores that know nothing of the language. Accuracies on "
            "validation texts, for choosing alpha, stand in the result lines only."
        ),
        tables=tables,
        missing=""
        if tables
        else "No results: cat-tune sweep downstream --model MODEL --tasks FOLDER",
    )


def _table(results: Sequence[Result]) -> Tabled:
    groups: dict[str, list[list[str | Text]]] = {}
    records: list[Record] = []
    for setting, test, plain, cat in _pairs(results):
        row, record = _row(test, plain, cat, results)
        groups.setdefault(f"Ours: {setting}", []).append(row)
        records.append({"source": "ours", "setting": setting, **record})
    for score in TABLE_2:
        setting = f"{score.model}, {score.setting}"
        name = _title(score.trained_on, score.asked)
        plain_said, cat_said = _said(score.plain), _said(score.cat)
        gain = _said(score.cat - score.plain, "+")
        groups.setdefault(f"Paper: {setting}", []).append(
            [name, "", "1", plain_said, cat_said, gain, ""]
        )
        records.append(
            {"source": "paper", "setting": setting, "task": name, "method": "CAT"}
            | {"plain": score.plain, "cat": score.cat, "difference": score.cat - score.plain}
        )
    caption = f"Downstream tasks: accuracy in percent, mean over seeds. {origin(results)}"
    return Tabled(Table(caption, _HEADER, groups), records)


def _pairs(results: Sequence[Result]) -> Iterator[tuple[str, str, Cell, Cell]]:
    """(setting, test, plain, CAT) of everything that can be compared, in the order of the names."""
    places = sorted({(result.setting, result.run.data) for result in results})
    for setting, data in places:
        here = cells(r for r in results if (r.setting, r.run.data) == (setting, data))
        plain = [cell for cell in here if cell.method == "plain"]
        for cat in (cell for cell in here if cell.method == "cat"):
            for test in cat.first.line["scores"]:
                if plain and not test.endswith(_VAL):
                    yield setting, test, plain[0], cat


def _row(
    test: str, plain: Cell, cat: Cell, results: Sequence[Result]
) -> tuple[list[str | Text], Record]:
    name = _read(plain)
    alike = {r.run.data for r in results if _shown(r.run.data) == _shown(plain.data)}
    copy = f" ({plain.data})" if len(alike) > 1 else ""  # of other texts, or otherwise annotated
    annotator = f", signals of {name.annotator}" if name.annotator else ""
    task = _title(name.trained_on, test) + annotator + copy
    one, other = (_accuracy(cell, test) for cell in (plain, cat))
    gain = _gain(plain, cat, test)
    rule, share = _best_rule(plain.first, test)
    said = [_cell(one), _cell(other), _cell(gain, "+") if gain else "\N{EN DASH}"]
    texts = str(plain.first.line["scores"][test]["texts"])
    row = [f"{task}: {cat.label}", texts, _seeds(plain, cat), *said, Text(_said(share), rule)]
    record: Record = {
        "task": task,
        "method": cat.label,
        "plain": one.mean,
        "cat": other.mean,
        "difference": gain.mean if gain else None,
        "low": gain.interval[0] if gain and gain.interval else None,
        "high": gain.interval[1] if gain and gain.interval else None,
        "best_rule": rule,
        "best_rule_accuracy": share,
    }
    return row, record


def _read(cell: Cell) -> TaskName:
    name = read_name(cell.data)
    assert name is not None, "only called for tasks"
    return name


def _shown(data: str) -> str:
    name = read_name(data)
    return str(replace(name, digest="")) if name else data


def _title(trained_on: str, asked: str) -> str:
    return asked if asked == trained_on else f"{asked}, tuned on {trained_on}"


def _seeds(plain: Cell, cat: Cell) -> str:
    numbers = [len(plain.by_seed), len(cat.by_seed)]
    return str(numbers[0]) if numbers[0] == numbers[1] else f"{numbers[0]} and {numbers[1]}"


def _accuracy(cell: Cell, test: str) -> Estimate:
    scores = {seed: r.line["scores"][test] for seed, r in cell.by_seed.items()}
    low, high = next(iter(scores.values()))["interval"]
    shares = {seed: float(score["accuracy"]) for seed, score in scores.items()}
    return Estimate(shares, cell.wanted, (float(low), float(high)), within=(0.0, 1.0))


def _gain(plain: Cell, cat: Cell, test: str) -> Estimate | None:
    """CAT less plain, seed by seed; None where they share no seed."""
    scores = {
        seed: (plain.by_seed[seed].line["scores"][test], result.line["scores"][test])
        for seed, result in cat.by_seed.items()
        if seed in plain.by_seed
    }
    if not scores:
        return None
    gains = {seed: float(b["accuracy"]) - float(a["accuracy"]) for seed, (a, b) in scores.items()}
    before, after = next(iter(scores.values()))
    return Estimate(gains, cat.wanted, _over_texts(before["right"], after["right"]))


def _over_texts(before: str, after: str) -> tuple[float, float]:
    """95% of the difference of two shares of the same texts, each "1" where the answer is right
    (Bonett and Price 2012, Journal of Educational and Behavioral Statistics 37).

    >>> low, high = _over_texts("1100" * 25, "1010" * 25)
    >>> round(low, 3), round(high, 3)
    (-0.139, 0.139)
    """
    pairs = list(zip(before, after, strict=True))
    n = len(pairs) + 2
    gained, lost = (pairs.count(pair) + 1 for pair in (("0", "1"), ("1", "0")))
    middle = (gained - lost) / n
    half = 1.959964 * math.sqrt((gained + lost) / n - middle**2) / math.sqrt(n)
    return max(-1.0, middle - half), min(1.0, middle + half)


def _best_rule(result: Result, test: str) -> tuple[str, float]:
    rules: Mapping[str, Mapping[str, float]] = result.line["references"][test]
    rule = max(rules, key=lambda rule: rules[rule]["accuracy"])
    return rule, float(rules[rule]["accuracy"])


def _cell(estimate: Estimate, sign: str = "") -> Text:
    if estimate.interval is None:
        return Text(_said(estimate.mean, sign))
    low, high = (f"{percent(end):{sign}.1f}" for end in estimate.interval)
    over = ", over texts" if estimate.is_over_texts else ""
    return Text(_said(estimate.mean, sign), f"{low} to {high}{over}")


def _said(share: float, sign: str = "") -> str:
    return f"{round(100 * share, 2) + 0.0:{sign}.2f}"
