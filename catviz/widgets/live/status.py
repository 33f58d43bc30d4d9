"""One line that says where a live run is, and in the end what came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from catviz.widgets.alpha.charts import name_test
from catviz.widgets.live.charts import name_alpha
from catviz.widgets.live.run import TrainingRun

if TYPE_CHECKING:
    from catviz.snapshots import Constant

__all__ = ["describe_run"]

_VERBS = {"running": "Training", "paused": "Paused", "stopping": "Stopping"}


def describe_run(run: TrainingRun) -> str:
    """The state of a run, and accuracies beside what a constant answer scores.

    >>> describe_run(TrainingRun())
    'Not trained yet.'
    """
    done = len(run.records)
    if run.state == "idle":
        return "Not trained yet."
    if run.state == "failed":
        return f"Failed after step {done}." if done else "Failed before the first step."
    if run.outline is None:
        if run.active:
            return "Preparing: loading the model and aligning the texts ..."
        return "Stopped before the first step."
    where = f"step {done} of {run.outline.total_steps}"
    if run.active:
        return f"{_VERBS[run.state]}: {where}, {name_alpha(run.settings[-1].alpha)}."
    if run.evaluations:
        scores = {name: e.accuracy for name, e in run.evaluations.items()}
        head = f"Done: {done} steps in {run.seconds:.1f} s."
    elif run.snapshots:
        scores = dict(run.snapshots[-1].accuracies)
        head = f"Stopped at {where}, after {run.seconds:.1f} s. At step {run.snapshots[-1].step}:"
    else:
        return "Stopped before the first step."
    return f"{head} {_told(scores, run.outline.constant)}."


def _told(scores: dict[str, float], constant: Constant) -> str:
    return ", ".join(
        f"{100 * score:.0f}% right {name_test(name)} (always {constant.answer}: "
        f"{100 * constant.accuracies[name]:.0f}%)"
        for name, score in scores.items()
    )
