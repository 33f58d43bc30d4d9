"""Accuracy over alpha: the paper's Figures 4 (full) and 8 (LoRA)."""

from __future__ import annotations

from collections.abc import Sequence

from catviz.figures.accuracy import accuracy_over_alpha
from catviz.figures.figure import Figure
from catviz.results.estimates import Cell, cells, gaps, references
from catviz.results.names import file_name
from catviz.results.part import Part, with_origin
from catviz.results.reading import SPLITS, Result, Results, Split
from catviz.results.selection import is_paper_form, usual

__all__ = ["over_alpha"]


def over_alpha(results: Results) -> Part:
    """CAT in the paper's form at each alpha that was run, plain training in front."""
    figures: dict[str, Figure] = {}
    chosen = usual(results).where(lambda r: r.run.method == "plain" or is_paper_form(r.run))
    for setting, data, those in chosen.by_place():
        found = cells(those)
        if sum(cell.method == "cat" for cell in found) > 1:
            title = f"{setting}, {data}: accuracy over alpha"
            figures[file_name("alpha", setting, data)] = _figure(those, found, title)
    return Part(
        title="Accuracy over alpha",
        text=(
            "Alpha is the ratio that the loss asks for: mean attention on a cause over mean "
            "attention on any other token (the paper's Figures 4 and 8)."
        ),
        figures=figures,
        missing="" if figures else "No two alphas: cat-tune sweep alpha --model MODEL",
    )


def _figure(results: Sequence[Result], found: Sequence[Cell], title: str) -> Figure:
    points = [
        {"alpha": float(cell.first.run.options["alpha"]), **_point(cell, split)}
        for cell in found
        if cell.method == "cat"
        for split in SPLITS
    ]
    baseline: dict[str, dict[str, object]] = {
        split: _point(cell, split) for cell in found if cell.method == "plain" for split in SPLITS
    }
    rules: dict[str, dict[str, float]] = {
        rule: {split: by_split[split]["accuracy"] for split in SPLITS if split in by_split}
        for rule, by_split in references(results).items()
    }
    figure = accuracy_over_alpha(
        points,
        baseline=baseline,
        references=rules,
        title=title,
        interval="95% interval over seeds",
    )
    return with_origin(figure, results, gaps(found))


def _point(cell: Cell, split: Split) -> dict[str, object]:
    estimate = cell.estimate("accuracy", split)
    assert estimate is not None, "every usable line has an accuracy"
    low, high = estimate.interval or (None, None)
    return {
        "split": split,
        "accuracy": estimate.mean,
        "low": low,
        "high": high,
        "seeds": len(estimate.by_seed),
    }
