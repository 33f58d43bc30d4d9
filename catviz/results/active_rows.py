"""How alpha must be chosen: what it gains, beside the share of rows that it made active."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from catviz.figures.active_rows import gain_over_active_rows
from catviz.figures.figure import Figure
from catviz.results.estimates import Cell, Estimate, cells, difference, percent
from catviz.results.names import DATA, file_name
from catviz.results.part import Part, with_origin
from catviz.results.reading import SPLITS, Result, Results, Split
from catviz.results.selection import is_paper_form, usual

__all__ = ["active_rows"]


def active_rows(results: Results) -> Part:
    """CAT in the paper's form at each alpha that was run, against plain training."""
    chosen = usual(results).where(lambda r: r.run.method == "plain" or is_paper_form(r.run))
    figures: dict[str, Figure] = {}
    for setting in chosen.settings:
        alphas = [alpha for data in DATA for alpha in _alphas(chosen, setting, data)]
        if alphas:
            figures[file_name("active_rows", setting)] = _figure(alphas, setting)
    return Part(
        title="How must alpha be chosen?",
        text=(
            "A row is the attention of a token that predicts a part of the answer; it is active "
            "when its C/N is below alpha, and only then does the loss push it. An alpha below "
            "which no row ever lies is plain training under another name. Which alphas these are "
            "depends on the model and its texts, so no fixed list of alphas fits all: choose "
            "alpha by the share of rows that it makes active."
        ),
        figures=figures,
        missing=(
            ""
            if figures
            else "No two alphas beside plain training: cat-tune sweep alpha --model MODEL"
        ),
    )


@dataclass(frozen=True, eq=False)
class _Alpha:
    """One alpha on one data set: the runs that can be used, and plain's."""

    cell: Cell
    base: Cell

    @property
    def alpha(self) -> float:
        return float(self.cell.first.run.options["alpha"])

    def gain(self, split: Split) -> Estimate:
        found = difference(self.cell, self.base, "accuracy", split)
        assert found is not None, "only seeds that both have are kept"
        return found

    @property
    def active(self) -> float:
        """The mean share of active rows, over the seeds that the gain is of."""
        shares = [_active_share(result) for result in self.cell.by_seed.values()]
        return sum(share for share in shares if share is not None) / len(shares)

    @property
    def runs(self) -> list[Result]:
        return [*self.cell.by_seed.values(), *(self.base.by_seed[s] for s in self.cell.by_seed)]


def _alphas(results: Results, setting: str, data: str) -> list[_Alpha]:
    """Of a setting and data set, if there are at least two."""
    found = cells(r for r in results if r.setting == setting and r.run.data == data)
    if not found or found[0].method != "plain":
        return []
    base, *tuned = found
    usable = [
        _Alpha(replace(cell, by_seed=paired), base)
        for cell in tuned
        if (paired := _paired(cell, base))
    ]
    return usable if len(usable) > 1 else []


def _paired(cell: Cell, base: Cell) -> dict[int, Result]:
    """The runs whose share of active rows is known, and whose seed plain training has too."""
    return {
        seed: result
        for seed, result in cell.by_seed.items()
        if seed in base.by_seed and _active_share(result) is not None
    }


def _active_share(result: Result) -> float | None:
    """In the first epoch, in which the loss begins to act; None where the line does not tell."""
    epochs = result.line.get("training") or [{}]
    share = epochs[0].get("active_row_share")
    return float(share) if isinstance(share, int | float) and 0 <= share <= 1 else None


def _figure(alphas: Sequence[_Alpha], setting: str) -> Figure:
    points = []
    for split in SPLITS:
        for one in alphas:
            gain = one.gain(split)
            points.append(
                {"line": one.cell.data, "panel": split.upper(), "alpha": one.alpha,
                 "active": percent(one.active), **gain.bar(percent)}
            )  # fmt: skip
    figure = gain_over_active_rows(
        points,
        title=f"{setting}: what an alpha gains, over its share of active rows",
        caption=(
            "CAT in the paper's form; the share is the mean over the first epoch and over seeds "
            "(rows may fall below alpha later, too), the gain the mean difference between runs of "
            "one seed."
        ),
    )
    runs = {id(run): run for one in alphas for run in one.runs}
    return with_origin(figure, runs.values(), _gaps(alphas))


def _gaps(alphas: Sequence[_Alpha]) -> str:
    """Which alphas lack pairs of seeds that others have, in words."""
    short = [
        f"{one.cell.data}, alpha {one.alpha:g} ({gain.seeds})"
        for one in alphas
        for gain in [one.gain("ood")]
        if gain.missing
    ]
    said = [f"Fewer pairs than others: {'; '.join(short)}."] if short else []
    if any(len(one.cell.by_seed) == 1 for one in alphas):
        said.append("Where there is one pair, the interval is that over texts.")
    return " ".join(said)
