"""A live run as a figure, for where widgets cannot run."""

from __future__ import annotations

from dataclasses import replace
from itertools import groupby

from catviz.figures.curves import training_curves
from catviz.figures.density import attention_density
from catviz.figures.figure import Figure
from catviz.figures.maps import attention_map
from catviz.figures.notice import notice
from catviz.figures.sheet import sheet
from catviz.widgets.live.charts import Moment, name_alpha

__all__ = ["run_figure"]

_TITLE = "Live training"
_NOT_YET = (
    "Not trained yet. Where widgets run, press Train and watch; afterwards the panel's "
    ".static() is the run's figure."
)


def run_figure(moment: Moment | None, status: str) -> Figure:
    """A run at one of its moments; a sentence where there is none.

    Args:
        status: what came out of it.
    """
    if moment is None:
        return notice(_NOT_YET, title=_TITLE)
    alphas = [alpha for alpha, _ in groupby(one.alpha for one in moment.taken_settings)]
    name = ", then ".join(name_alpha(alpha) for alpha in alphas)
    target = alphas[0] if len(alphas) == 1 else None
    figures = []
    if moment.records:
        figures.append(
            training_curves(
                {name: [record.to_dict() for record in moment.records]},
                targets=None if target is None else {name: target},
            )
        )
    snapshot = moment.snapshots[-1]
    if snapshot.scores is not None:
        figures.append(attention_density({moment.when: snapshot.scores}))
    if snapshot.map is not None:
        figures.append(attention_map([replace(snapshot.map, model=moment.when)]))
    if not figures:  # nothing but accuracies, which the status tells
        return notice(status, title=_TITLE)
    return sheet(figures, title=f"{_TITLE}. {status}")
