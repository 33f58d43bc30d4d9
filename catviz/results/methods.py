"""All methods beside one another, in and out of distribution, a figure a model and data set."""

from __future__ import annotations

from collections.abc import Sequence

from catviz.figures.dot_rows import dot_rows
from catviz.figures.figure import Figure
from catviz.results.estimates import Cell, cells, percent, references
from catviz.results.names import family, file_name
from catviz.results.part import Part, with_origin
from catviz.results.reading import SPLITS, Measure, Result, Results, Split
from catviz.results.selection import compared

__all__ = ["all_methods"]


def all_methods(results: Results) -> Part:
    """Every method as a row: accuracy, and the error where the answers are numbers."""
    chosen = compared(results)
    figures: dict[str, Figure] = {}
    for setting, data, those in chosen.by_place():
        name = file_name("methods", setting, data)
        figures[name] = _figure(those, "accuracy", f"{setting}, {data}: accuracy")
        if any(r.score("mean_absolute_error", "ood") is not None for r in those):
            title = f"{setting}, {data}: mean absolute error (lower is better)"
            figures[f"{name}_error"] = _figure(those, "mean_absolute_error", title)
    return Part(
        title="All methods",
        text=(
            "Each row is a method, with the mean over its seeds and every seed as a small mark. "
            "A method that beats plain training out of distribution may still do no better than a "
            "rule without a model: the dotted lines show these."
        ),
        figures=figures,
        missing="" if figures else "No results: cat-tune sweep table1 --model MODEL",
    )


def _figure(results: Sequence[Result], measure: Measure, title: str) -> Figure:
    found = cells(results)
    rules = {
        rule: {
            split.upper(): _shown(by_split[split][measure], measure)
            for split in SPLITS
            if measure in by_split.get(split, {})
        }
        for rule, by_split in references(results).items()
    }
    figure = dot_rows(
        [
            record
            for split in SPLITS
            for cell in found
            if (record := _dot(cell, measure, split)) is not None
        ],
        axis="accuracy (%)" if measure == "accuracy" else "mean absolute error",
        references=rules,
        level="plain" if found[0].label == "plain" else None,
        title=title,
    )
    return with_origin(figure, results)


def _dot(cell: Cell, measure: Measure, split: Split) -> dict[str, object] | None:
    estimate = cell.estimate(measure, split)
    if estimate is None:
        return None
    return {
        "row": cell.label,
        "panel": split.upper(),
        **estimate.bar(lambda value: _shown(value, measure)),
        "by_seed": [_shown(value, measure) for value in estimate.by_seed.values()],
        "family": family(cell.method),
        "note": estimate.note,
    }


def _shown(value: float, measure: Measure) -> float:
    return percent(value) if measure == "accuracy" else value
