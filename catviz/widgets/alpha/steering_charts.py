"""The charts of steering: a frame for each alpha that attention is edited to, the first for none.

Plain functions from what :mod:`catviz.effects.steering_alphas` measured to charts. Everything says
that it is an edit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from cat.evaluate import wilson_interval
from catviz.effects.estimate import estimate_mean
from catviz.widgets.alpha.charts import map_charts
from catviz.widgets.alpha.slider import alpha_ticks
from catviz.widgets.charts import Line, LineChart, MapChart, TextChart

if TYPE_CHECKING:
    from catviz.effects.comparison import Comparison
    from catviz.effects.steering_alphas import SteeredText
    from catviz.lens import AttentionLens

__all__ = [
    "Steering",
    "accuracy_charts",
    "log_odds_charts",
    "steered_maps",
    "steering_points",
    "text_charts",
]

_LEFT = "not edited"


@dataclass(frozen=True, eq=False)
class Steering:
    """A model and what becomes of its answers to many texts at each alpha."""

    lens: AttentionLens
    alphas: tuple[float, ...]
    compared: tuple[Comparison, ...]

    @property
    def places(self) -> list[str]:
        """The places of the slider, from the left."""
        return [_LEFT, *(f"{alpha:g}" for alpha in self.alphas)]

    @property
    def texts(self) -> int:
        return len(self.compared[0].targets)

    def log_odds(self) -> list[np.ndarray]:
        """(text,) of the right answer, for each place."""
        first = self.compared[0].log_odds_before
        return [first, *(one.log_odds_after for one in self.compared)]

    def accuracies(self) -> list[float]:
        """Share of right answers for each place."""
        first = self.compared[0].accuracy_before
        return [first, *(one.accuracy_after for one in self.compared)]

    def said(self, shown: SteeredText, at: int) -> str:
        """What the model answers to one text at a place of the slider."""
        right = f"The right answer is {shown.right}."
        before, after = (shown.says[k] or "something else" for k in (0, at))
        if at == 0:
            return f"Not edited, the model says {before}. {right}"
        change = "still" if before == after else "now"
        return f"Not edited, the model says {before}; edited, it {change} says {after}. {right}"


def text_charts(shown: SteeredText) -> list[TextChart]:
    """The text, shaded by what the row that predicts the answer reads at each place."""
    shares = [
        [float(one.values[one.answer_row, w.start : w.stop].sum()) for w in one.words]
        for one in shown.maps
    ]
    highest = max(map(max, shares))
    return [
        TextChart(
            f"What the answer reads, {one.model}",
            [f" {word.label}" for word in one.words],
            [word.role for word in one.words],
            weights,
            highest=highest,
            note=_shares_by_role(shown, at),
        )
        for at, (one, weights) in enumerate(zip(shown.maps, shares, strict=True))
    ]


def _shares_by_role(shown: SteeredText, at: int) -> str:
    one = shown.maps[at]
    row, roles = one.values[one.answer_row], np.array(one.roles)
    told = [
        f"{role} {100 * row[roles == role].sum():.0f}%"
        for role in ("causal", "spurious", "irrelevant", "other")
        if (roles == role).any()
    ]
    says = shown.says[at] or "something else"
    return f"Attention by role: {', '.join(told)}. The model says {says}."


def steered_maps(shown: SteeredText) -> list[MapChart]:
    """The mean map as the edit leaves it, at each place."""
    return map_charts(
        shown.maps,
        titles=[f"Mean attention, {one.text}, {one.model}" for one in shown.maps],
        notes=["Only the marked row is edited; it predicts the answer."] * len(shown.maps),
    )


def log_odds_charts(steering: Steering, shown: SteeredText) -> list[LineChart]:
    """The right answer's log-odds over alpha: of this text, and of all in the mean."""
    places = np.arange(len(steering.places), dtype=float)
    means = [estimate_mean(values) for values in steering.log_odds()]
    has_interval = means[0].low is not None
    lines = [
        Line(shown.maps[0].text, places, shown.log_odds, marked=True),
        Line(
            f"mean of {steering.texts} texts",
            places,
            [one.mean for one in means],
            low=[one.low for one in means] if has_interval else None,  # type: ignore[misc]
            high=[one.high for one in means] if has_interval else None,  # type: ignore[misc]
            marked=True,
        ),
        Line("as likely as not", places, np.zeros(len(places))),
    ]
    return [
        LineChart(
            "Log-odds of the right answer, attention edited",
            "alpha that attention is edited to",
            "log-odds (nats)",
            lines,
            x_range=(-0.4, len(places) - 0.6),
            ticks=_ticks(steering),
            cursor=(float(at), place),
            note=steering.said(shown, at),
        )
        for at, place in enumerate(_cursors(steering))
    ]


def accuracy_charts(steering: Steering) -> list[LineChart]:
    """The share of right answers over alpha."""
    places = np.arange(len(steering.places), dtype=float)
    shares, n = steering.accuracies(), steering.texts
    intervals = [wilson_interval(round(share * n), n) for share in shares]
    line = Line(
        f"{steering.lens.name}, not trained further",
        places,
        shares,
        low=[one.low or 0.0 for one in intervals],
        high=[1.0 if one.high is None else one.high for one in intervals],
        marked=True,
    )
    lowest = min(one.low or 0.0 for one in intervals)
    return [
        LineChart(
            "Right answers, attention edited",
            "alpha that attention is edited to",
            "right answers",
            [line],
            x_range=(-0.4, len(places) - 0.6),
            y_range=(max(0.0, lowest - 0.05), 1.0),
            ticks=_ticks(steering),
            cursor=(float(at), place),
            percent=True,
            note=f"{place}: {100 * shares[at]:.1f}% of {n} texts. Whiskers: 95% intervals.",
        )
        for at, place in enumerate(_cursors(steering))
    ]


def steering_points(steering: Steering, shown: SteeredText) -> list[dict[str, Any]]:
    """The same as records, for :func:`catviz.figures.steering.steering_over_alpha`."""
    alphas, n = (None, *steering.alphas), steering.texts
    one = [
        {"series": shown.maps[0].text, "alpha": alpha, "log_odds": float(odds)}
        for alpha, odds in zip(alphas, shown.log_odds, strict=True)
    ]
    every = []
    for alpha, odds, share in zip(alphas, steering.log_odds(), steering.accuracies(), strict=True):
        mean, interval = estimate_mean(odds), wilson_interval(round(share * n), n)
        every.append(
            {
                "series": f"mean of {n} texts",
                "alpha": alpha,
                "log_odds": mean.mean,
                "low": mean.low,
                "high": mean.high,
                "accuracy": share,
                "accuracy_low": interval.low,
                "accuracy_high": interval.high,
            }
        )
    return one + every


def _ticks(steering: Steering) -> list[tuple[float, str]]:
    return alpha_ticks(["none", *steering.places[1:]])


def _cursors(steering: Steering) -> list[str]:
    return [_LEFT, *(f"edited to {place}" for place in steering.places[1:])]
