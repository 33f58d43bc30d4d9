"""Result lines that no training made, for the tests of the store and of sweeps."""

from __future__ import annotations

from typing import Any

from cat.experiments import RESULTS_VERSION, Run


def line_of(run: Run, *, accuracy: float = 0.5, seconds: float = 2.0, **fields: Any) -> dict:
    """A line as :func:`cat.experiments.carry_out` gives it, as far as stores and sweeps read it."""
    return {
        "key": run.key,
        "version": RESULTS_VERSION,
        "run": vars(run),
        "scores": {"test_iid": {"accuracy": accuracy}, "test_ood": {"accuracy": accuracy}},
        "seconds": {"training": seconds / 2, "all": seconds},
        **fields,
    }
