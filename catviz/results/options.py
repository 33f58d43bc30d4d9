"""What each option of CAT does: the paper's Table 3 (gamma), and our options beyond the paper.

Every run is compared seed by seed with the paper's form at the same alpha; where that was not run
(an alpha that only an option of ours makes sense of), with the alpha of the sweep "ablation".
"""

from __future__ import annotations

from collections.abc import Sequence

from cat.experiments.sweeps import larger_alpha
from catviz.figures.dot_rows import dot_rows
from catviz.figures.figure import Figure
from catviz.results.estimates import Cell, Estimate, cells, difference, percent
from catviz.results.names import file_name
from catviz.results.part import Part, with_origin
from catviz.results.reading import SPLITS, Result, Results
from catviz.results.selection import is_paper_form, usual

__all__ = ["ablation", "gammas"]

_Pair = tuple[Cell, Cell]  # a variant and the paper's form at its alpha


def gammas(results: Results) -> Part:
    """CAT with a constant weight of its loss against e^-epoch."""
    figures = _figures(results, only_gamma=True)
    return Part(
        title="Gamma: does the weight of the loss need to decay?",
        text=(
            "The paper weights the attention loss with e^-epoch and found that better than a "
            "constant 1 in most cases (its Table 3, on downstream tasks). Here constants are "
            "compared with the decay on the Spurious Token Game."
        ),
        figures=figures,
        missing="" if figures else "No constant gamma: cat-tune sweep gamma --model MODEL",
    )


def ablation(results: Results) -> Part:
    """CAT's other options, one at a time and together, against the paper's form."""
    figures = _figures(results, only_gamma=False)
    alone = [cell.label for cell in _without_base(results)]
    text = (
        "Forms of the loss from the authors' code, and options beyond the paper, each against the "
        "paper's form (hinge on one map, the mean over layers and heads)."
    )
    if alone:
        text += (
            " Not drawn, for want of a run of the paper's form to compare with: "
            f"{'; '.join(dict.fromkeys(alone))}."
        )
    return Part(
        title="CAT's options",
        text=text,
        figures=figures,
        missing="" if figures else "No option was varied: cat-tune sweep ablation --model MODEL",
    )


def _figures(results: Results, *, only_gamma: bool) -> dict[str, Figure]:
    figures: dict[str, Figure] = {}
    word = "gamma" if only_gamma else "options"
    for setting, data, here in _cat(results).by_place():
        pairs = [
            (cell, base)
            for cell, base in _pairs(cells(here))
            if (set(cell.first.run.options) == {"alpha", "gamma"}) == only_gamma
        ]
        if pairs:
            title = f"{setting}, {data}: CAT's {word} against the paper's form"
            figures[file_name(word, setting, data)] = _figure(pairs, title)
    return figures


def _cat(results: Results) -> Results:
    return usual(results).where(lambda r: r.run.method == "cat")


def _pairs(found: Sequence[Cell]) -> list[_Pair]:
    bases = {_alpha(cell): cell for cell in found if is_paper_form(cell.first.run)}
    return [
        (cell, base)
        for cell in found
        if not is_paper_form(cell.first.run)
        if (base := bases.get(_alpha(cell)) or bases.get(larger_alpha(cell.first.run.model)))
    ]


def _without_base(results: Results) -> list[Cell]:
    alone = []
    for _, _, here in _cat(results).by_place():
        found = cells(here)
        paired = {id(cell) for cell, _ in _pairs(found)}
        alone += [c for c in found if not is_paper_form(c.first.run) and id(c) not in paired]
    return alone


def _alpha(cell: Cell) -> float:
    return float(cell.first.run.options["alpha"])


def _figure(pairs: Sequence[_Pair], title: str) -> Figure:
    records: list[dict[str, object]] = []
    for split in SPLITS:
        for cell, base in pairs:
            gain = difference(cell, base, "accuracy", split)
            if gain is None:
                continue
            records.append(
                {"row": cell.label.removeprefix("CAT, "), "panel": split.upper(),
                 **gain.bar(percent),
                 "by_seed": [percent(value) for value in gain.by_seed.values()],
                 "note": _note(cell, base, gain)}
            )  # fmt: skip
    figure = dot_rows(
        records,
        axis="points of accuracy",
        zero=True,
        title=title,
        caption=(
            "Differences to the paper's form at the row's alpha, where nothing else is said, "
            "between runs of one seed, in percentage points."
        ),
    )
    return with_origin(figure, _both(pairs))


def _note(cell: Cell, base: Cell, gain: Estimate) -> str:
    """What is unlike the other rows: another alpha to compare with, pairs that are missing."""
    said = [] if _alpha(cell) == _alpha(base) else [f"against alpha {_alpha(base):g}"]
    if gain.missing:
        said.append(f"{len(gain.by_seed)} of {len(gain.wanted)} pairs")
    return "; ".join(said)


def _both(pairs: Sequence[_Pair]) -> list[Result]:
    """All runs of the pairs, each once."""
    found = {
        id(result): result for pair in pairs for cell in pair for result in cell.by_seed.values()
    }
    return list(found.values())
