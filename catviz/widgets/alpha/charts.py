"""The charts of a sweep: a frame for each alpha, on axes that all of them share.

Plain functions from what :mod:`catviz.sweep` measured to charts.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from catviz.figures.role_curves import (
    Scores,
    check_scores,
    choose_scale,
    density_curve,
    ends_of_scores,
    is_constant,
    tallest,
)
from catviz.figures.scales import map_scale
from catviz.maps import MeanMap
from catviz.sweep import Measured, Sweep
from catviz.widgets.alpha.slider import alpha_ticks
from catviz.widgets.charts import DotChart, Dots, Line, LineChart, MapChart
from catviz.words import Role

__all__ = [
    "accuracy_charts",
    "density_charts",
    "effect_charts",
    "map_charts",
    "name_test",
    "token_labels",
]

Curves = dict[Role, tuple[np.ndarray, np.ndarray]]
ByRole = dict[Role, np.ndarray]
Axis = Literal["linear", "log"]

_TESTS = {"test_iid": "in distribution", "test_ood": "out of distribution"}


def name_test(test: str) -> str:
    """A test set in words.

    >>> name_test("test_ood"), name_test("test_arc")
    ('out of distribution', 'arc')
    """
    return _TESTS.get(test, test.removeprefix("test_"))


def density_charts(measured: Sequence[Measured]) -> list[LineChart]:
    """How much attention the words of each role get, a chart a model."""
    scores = check_scores({one.tuned.name: one.scores for one in measured})
    scale = choose_scale(scores, "auto")
    curves = {name: _curves(scores, name, scale) for name in scores}
    peaks = [float(y.max()) for found in curves.values() for _, y in found.values()]
    height = tallest(peaks, "linear") if peaks else 1.0  # so that one narrow peak may be cut
    low, high = ends_of_scores(scores, scale)
    return [
        LineChart(
            f"Attention by role of the word, {name}",
            "attention on a word" + (" (log scale)" if scale == "log" else ""),
            "density per tenfold" if scale == "log" else "density",
            _role_lines(by_role, curves[name], height, scale),
            x_range=(math.log10(low), math.log10(high)) if scale == "log" else (low, high),
            y_range=(0.0, height),
            ticks=_log_ticks(low, high) if scale == "log" else None,
            note=_medians(by_role) + _cut(curves[name], height),
        )
        for name, by_role in scores.items()
    ]


def _curves(scores: Scores, name: str, scale: Axis) -> Curves:
    return {
        role: density_curve(values, scale)
        for role, values in scores[name].items()
        if not is_constant(values)
    }


def _role_lines(by_role: ByRole, curves: Curves, height: float, scale: Axis) -> list[Line]:
    lines = []
    for role, values in by_role.items():
        if role in curves:
            x, y = curves[role]
        elif values.size:  # all the same: a needle
            x, y = np.full(2, values[0]), np.array([0.0, height])
        else:
            continue
        lines.append(Line(f"{role} words", _place(x, scale), y, role=role, filled=True))
    return lines


def _place(value: np.ndarray, scale: Axis) -> np.ndarray:
    return np.log10(value) if scale == "log" else value


def _log_ticks(low: float, high: float) -> list[tuple[float, str]]:
    """Round numbers on an axis of decimal logarithms, from few to many as its length asks."""
    decades = math.log10(high / low)
    steps = (1,) if decades > 2.5 else (1, 3) if decades > 1.2 else (1, 2, 5)
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    values = [step * 10.0**power for power in powers for step in steps]
    return [(math.log10(value), f"{value:g}") for value in values if low <= value <= high]


def _medians(by_role: ByRole) -> str:
    told = [f"{role} {np.median(values):.2g}" for role, values in by_role.items() if values.size]
    return f"Medians: {', '.join(told)}."


def _cut(curves: Curves, height: float) -> str:
    told = [f"{role} words ({y.max():.2g})" for role, (_, y) in curves.items() if y.max() > height]
    return f" Cut: the peak of {', '.join(told)}." if told else ""


def map_charts(
    maps: Sequence[MeanMap], *, notes: Sequence[str], titles: Sequence[str]
) -> list[MapChart]:
    """One text's mean map, a chart a model, in one scale of colours."""
    highest = map_scale([one.values for one in maps]).vmax
    return [
        MapChart(
            title,
            token_labels(one),
            one.roles,
            one.values,
            highest=highest,
            row=one.answer_row,
            note=note,
        )
        for one, title, note in zip(maps, titles, notes, strict=True)
    ]


def token_labels(one: MeanMap) -> list[str]:
    """What to write at each token: its word, at the word's first token."""
    labels = [""] * one.size
    for word in one.words:
        labels[word.start] = word.label
    return labels


def accuracy_charts(sweep: Sweep) -> list[LineChart]:
    """Accuracy over alpha, with a line where each model stands."""
    places = np.arange(len(sweep.models), dtype=float)
    lines = []
    for test in sweep.tests:
        found = [tuned.accuracy[test] for tuned in sweep.models]
        lines.append(
            Line(
                name_test(test),
                places,
                [one.share for one in found],
                low=[one.low for one in found],
                high=[one.high for one in found],
                marked=True,
            )
        )
    if sweep.ood in sweep.models[0].reference:
        rule, share = sweep.models[0].reference[sweep.ood]
        lines.append(Line(f"{rule}, {name_test(sweep.ood)}", places, [share] * len(places)))
    lowest = min(float(np.min(line.y if line.low is None else line.low)) for line in lines)
    return [
        LineChart(
            "Accuracy over alpha",
            "alpha, in order and not to scale",
            "right answers",
            lines,
            x_range=(-0.4, len(places) - 0.6),
            y_range=(max(0.0, lowest - 0.05), 1.0),
            ticks=alpha_ticks([tuned.place for tuned in sweep.models]),
            cursor=(float(at), tuned.name),
            percent=True,
            note=_accuracy_note(sweep, at),
        )
        for at, tuned in enumerate(sweep.models)
    ]


def _accuracy_note(sweep: Sweep, at: int) -> str:
    tuned = sweep.models[at]
    told = [
        f"{name_test(test)} {100 * one.share:.1f}% of {one.texts} texts"
        for test, one in tuned.accuracy.items()
        if test in sweep.tests
    ]
    return f"{tuned.name}: {', '.join(told)}. Whiskers: 95% intervals."


def effect_charts(measured: Sequence[Measured]) -> list[DotChart]:
    """What each factor does to the answer of a model, beside what it truly does."""
    every = [effect for one in measured for effect in one.effects]
    ends = [
        value
        for effect in every
        for value in (effect.effect, effect.low, effect.high, effect.true)
        if value is not None
    ]
    margin = 0.06 * (max(ends) - min(ends)) or 0.1
    return [
        DotChart(
            f"What each factor does to the answer, {one.tuned.name}",
            f"effect on the {one.effects[0].unit}",
            [effect.factor for effect in one.effects],
            [effect.role for effect in one.effects],
            [
                Dots(
                    one.tuned.name,
                    [effect.effect for effect in one.effects],
                    **_intervals(one),
                ),
                Dots("true effect", [effect.true for effect in one.effects]),
            ],
            x_range=(min(ends) - margin, max(ends) + margin),
            note=(
                "The factor set from the low to the high end of its range, mean over "
                f"{one.effects[0].texts} texts; bars: 95% intervals."
            ),
        )
        for one in measured
    ]


def _intervals(one: Measured) -> dict[str, list[float]]:
    low = [effect.low for effect in one.effects]
    high = [effect.high for effect in one.effects]
    if None in low or None in high:  # a single text allows none
        return {}
    return {"low": low, "high": high}  # type: ignore[dict-item]
