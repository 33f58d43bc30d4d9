"""The charts of a run at one of its moments: how training went so far, and where the model looks.

Plain functions from what was recorded to charts; each moment of a run is a frame of its own.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from catviz.snapshots import role_densities
from catviz.widgets.alpha.charts import name_test, token_labels
from catviz.widgets.charts import Chart, Line, LineChart, MapChart
from catviz.words import Role

if TYPE_CHECKING:
    from cat.records import StepRecord
    from catviz.maps import MeanMap
    from catviz.scores import RoleScores
    from catviz.snapshots import Snapshot
    from catviz.widgets.live.plan import Outline
    from catviz.widgets.live.run import Setting

__all__ = ["ORDER", "Moment", "charts_of", "name_alpha"]

ORDER = ("density", "map", "accuracy", "mass", "loss")

_MOST_POINTS = 300  # of a curve; a screen shows no more
_SETTINGS_TOLD = 3
_CUT = 4.0  # a peak is cut at this many times the lowest role's, which stays readable


@dataclass(frozen=True, eq=False)
class Moment:
    """A run up to its last snapshot.

    Attributes:
        snapshots, records, settings: of the run, up to now.
        outline: where the axes end, and what is drawn beside the curves.
    """

    snapshots: Sequence[Snapshot]
    records: Sequence[StepRecord]
    settings: Sequence[Setting]
    outline: Outline

    @property
    def step(self) -> int:
        return self.snapshots[-1].step

    @property
    def when(self) -> str:
        """What every chart of the moment says of it."""
        return f"step {self.step}, {name_alpha(self.alpha_at(self.step))}"

    def alpha_at(self, step: int) -> float | None:
        """The alpha with which a step was taken; for step 0, the first's."""
        return [one for one in self.settings if one.first_step <= max(step, 1)][-1].alpha

    @property
    def taken_settings(self) -> list[Setting]:
        """Those with which a step has been taken."""
        return [one for one in self.settings if one.first_step <= max(self.step, 1)]


def name_alpha(alpha: float | None) -> str:
    """As in titles.

    >>> name_alpha(None), name_alpha(0.3)
    ('plain', 'alpha 0.3')
    """
    return "plain" if alpha is None else f"alpha {alpha:g}"


def charts_of(moment: Moment) -> dict[str, Chart]:
    """All charts of a moment, by name; those that there is nothing for are left out."""
    charts: dict[str, Chart] = {"accuracy": _accuracy(moment)}
    if moment.records:
        charts["loss"] = _loss(moment)
    if any(record.causal_mass is not None for record in moment.records):
        charts["mass"] = _mass(moment)
    snapshot = moment.snapshots[-1]
    if snapshot.scores is not None:
        charts["density"] = _density(snapshot.scores, moment)
    if snapshot.map is not None:
        charts["map"] = _map(snapshot.map, moment)
    return charts


def _accuracy(moment: Moment) -> LineChart:
    steps = [snapshot.step for snapshot in moment.snapshots]
    constant = moment.outline.constant
    lines = [
        Line(name_test(of), steps, [s.accuracies[of] for s in moment.snapshots], marked=True)
        for of in moment.snapshots[-1].accuracies
    ]
    last, score = list(constant.accuracies.items())[-1]
    name = f"always {constant.answer}, {name_test(last)}"
    lines.append(Line(name, [0, moment.outline.total_steps], [score] * 2))
    return _over_steps(
        moment, "Right answers", "share of texts", lines, y_range=(0.0, 1.0), percent=True
    )


def _loss(moment: Moment) -> LineChart:
    kept = _thinned(moment.records)
    steps = [record.step for record in kept]
    lines = [Line("next word", steps, [record.lm_loss for record in kept])]
    if any(record.attn_loss is not None for record in moment.records):
        weighted = [
            math.nan if r.attn_loss is None else (r.gamma or 0.0) * r.attn_loss for r in kept
        ]
        lines.append(Line("gamma × attention", steps, weighted))
    top = max(float(np.nanmax(line.y)) for line in lines)
    return _over_steps(moment, "Loss: two terms, added", "loss", lines, y_range=(0.0, 1.05 * top))


def _mass(moment: Moment) -> LineChart:
    kept = _thinned(moment.records)
    steps = [record.step for record in kept]
    shares = [math.nan if r.causal_mass is None else r.causal_mass for r in kept]
    lines = [Line("on causal words", steps, shares, role="causal")]
    alphas = [moment.alpha_at(step) for step in steps]
    if any(alpha is not None for alpha in alphas):
        rows = moment.outline.rows
        asked = {a: math.nan if a is None else rows.share_asked(a) for a in set(alphas)}
        lines.append(Line("what alpha asks for", steps, [asked[alpha] for alpha in alphas]))
    return _over_steps(
        moment,
        "Attention on causes, training texts",
        "share of attention",
        lines,
        y_range=(0.0, 1.0),
        percent=True,
        note=_told(moment.taken_settings),
    )


def _told(settings: Sequence[Setting]) -> str:
    """Which alpha and gamma were when, where they were moved."""
    if len(settings) == 1:
        return ""
    told = [
        f"from step {one.first_step} {name_alpha(one.alpha)}, gamma {_name_gamma(one.gamma)}"
        for one in settings[-_SETTINGS_TOLD:]
    ]
    return f"Alpha moved: {'; '.join(told)}."


def _name_gamma(gamma: str) -> str:
    return "e^-epoch" if gamma == "epoch" else gamma


def _density(scores: RoleScores, moment: Moment) -> LineChart:
    # The axis grows with what was seen so far and never shrinks.
    seen = [snapshot.scores for snapshot in moment.snapshots if snapshot.scores is not None]
    end = _round_up(max(float(v.max()) for one in seen for v in one.values()))
    curves = role_densities(scores, end=end)
    peaks = [float(y.max()) for _, y in curves.values()]
    return LineChart(
        f"Attention by role, {moment.when}",
        "attention on a word, in the row that answers",
        "density of words",
        [Line(f"{role} words", x, y, role=role, filled=True) for role, (x, y) in curves.items()],
        x_range=(0.0, end),
        y_range=(0.0, min(1.1 * max(peaks), _CUT * min(peaks))),
        note=f"{len(scores.numbers)} texts, {name_test(moment.outline.watched.home)}.",
    )


def _round_up(value: float) -> float:
    """The next of 1, 2, 5, 10, ... times a power of ten."""
    power = 10.0 ** math.floor(math.log10(max(value, 1e-6)))
    return next(power * step for step in (1, 2, 5, 10) if power * step >= value)


def _map(shown: MeanMap, moment: Moment) -> MapChart:
    causal = sum(role == "causal" for role in shown.roles)
    return MapChart(
        f"One text, all heads, {moment.when}",
        token_labels(shown),
        list[Role](shown.roles),
        shown.values,
        # One colour scale for the whole run: the last colour is what each cause would get if
        # causes got everything, in equal parts.
        highest=1.0 / causal if causal else None,
        row=shown.answer_row,
        note="Mean over all layers and heads; the marked row predicts the answer.",
    )


def _over_steps(
    moment: Moment,
    title: str,
    y_label: str,
    lines: Sequence[Line],
    *,
    y_range: tuple[float, float] | None = None,
    percent: bool = False,
    note: str = "",
) -> LineChart:
    return LineChart(
        title,
        "step",
        y_label,
        lines,
        x_range=(0.0, float(moment.outline.total_steps)),
        y_range=y_range,
        percent=percent,
        note=note,
    )


def _thinned(records: Sequence[StepRecord]) -> list[StepRecord]:
    if len(records) <= _MOST_POINTS:
        return list(records)
    return [records[at] for at in np.linspace(0, len(records) - 1, _MOST_POINTS).astype(int)]
