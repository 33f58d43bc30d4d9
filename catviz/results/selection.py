"""Which runs stand in Table 1 and beside all methods, among all that a store holds."""

from __future__ import annotations

from cat.experiments import Run
from cat.experiments.sweeps import OURS, SWEEPS
from catviz.results.reading import Result, Results

__all__ = ["compared", "is_ours", "is_paper_form", "usual"]


def usual(results: Results) -> Results:
    """Those on the paper's texts, where every spurious factor follows its cause."""
    return results.where(lambda result: result.run.strength == 1.0)


def is_paper_form(run: Run) -> bool:
    """CAT as in the paper, its alpha chosen.

    >>> is_paper_form(Run("tiny", "STG_S", "cat", {"alpha": 3.0}))
    True
    """
    return run.method == "cat" and set(run.options) == {"alpha"}


def is_ours(run: Run) -> bool:
    """CAT beyond the paper, as it does best."""
    return run.method == "cat" and dict(run.options) == dict(OURS)


def compared(results: Results) -> Results:
    """The runs to compare with one another: every rival, and CAT as the sweep table1 declares it.

    A store also holds CAT at a whole grid of alphas and with one option at a time; these have
    figures of their own. Where nothing of what is declared was run, all of CAT is compared.
    """
    those = usual(results)
    declared = {_place(result) for result in those if _is_declared(result.run)}
    return those.where(
        lambda result: (
            result.run.method != "cat" or _is_declared(result.run) or _place(result) not in declared
        )
    )


def _place(result: Result) -> tuple[str, str]:
    return result.setting, result.run.data


def _is_declared(run: Run) -> bool:
    if run.method != "cat":
        return False
    cells = SWEEPS["table1"].cells(run.model, run.data, run.lora)
    return any(method == "cat" and dict(run.options) == dict(options) for method, options in cells)
