"""What steering does over alpha: the right answer's log-odds, and how many answers are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D

from catviz.figures.figure import Figure
from catviz.figures.layout import figure_with_legend
from catviz.figures.records import finite_number
from catviz.figures.style import SeriesStyle, Theme, series_style
from catviz.figures.text import printable, shorten

__all__ = ["steering_over_alpha"]

_LEFT = "not edited"


def steering_over_alpha(
    points: Sequence[Mapping[str, object]],
    *,
    title: str = "Attention edited at inference, over alpha",
) -> Figure:
    """Draw the log-odds of the right answer, and the share of right answers, over alpha.

    A point is ``{"series", "alpha", "log_odds", "low", "high", "accuracy", "accuracy_low",
    "accuracy_high"}``: alpha None is the model as it is, log-odds are in nats, shares run from 0 to
    1. What is absent or None is left out: a single text has no accuracy, and no intervals. The two
    quantities stand one above the other, as their axes differ.

    >>> figure = steering_over_alpha([{"series": "one text", "alpha": None, "log_odds": -6.4},
    ...                               {"series": "one text", "alpha": 10, "log_odds": 6.5}])
    >>> figure.data[1]["log_odds"]
    6.5
    """
    read = [_point(record, f"point {at}") for at, record in enumerate(points)]
    if not read:
        raise ValueError("no points to draw: expected at least one")
    read.sort(key=lambda point: point.alpha or 0.0)  # stable: in the given order of series
    return Figure(
        draw=partial(_draw, points=read),
        data=[asdict(point) for point in read],
        title=title,
        alt=_describe(read),
        caption=(
            "An edit of a model that stays as it is, no training. Alphas stand in order, not to "
            "scale. Above 0 the right answer is likelier than all others together. Whiskers: 95% "
            "intervals over texts."
        ),
    )


@dataclass(frozen=True)
class _Point:
    series: str
    alpha: float | None
    log_odds: float
    low: float | None
    high: float | None
    accuracy: float | None
    accuracy_low: float | None
    accuracy_high: float | None

    @property
    def place(self) -> str:
        return _LEFT if self.alpha is None else f"{self.alpha:g}"


def _point(record: Mapping[str, object], where: str) -> _Point:
    missing = [name for name in ("series", "alpha", "log_odds") if name not in record]
    if missing:
        raise ValueError(f"{where}: the record has no {missing[0]!r}, only {sorted(record)}")
    names = ("alpha", "log_odds", "low", "high", "accuracy", "accuracy_low", "accuracy_high")
    found = {
        name: None if record.get(name) is None else finite_number(record[name], f"{where}, {name}")
        for name in names
    }
    log_odds = found.pop("log_odds")
    if log_odds is None:
        raise ValueError(f"{where}: expected log-odds, got None")
    return _Point(series=str(record["series"]), log_odds=log_odds, **found)


def _describe(points: Sequence[_Point]) -> str:
    parts = []
    for series in dict.fromkeys(point.series for point in points):
        told = [f"{p.place}: {p.log_odds:+.2f}" for p in points if p.series == series]
        parts.append(f"{series}, log-odds of the right answer over alpha, {', '.join(told)}")
    return "; ".join(parts) + "."


def _draw(theme: Theme, *, points: Sequence[_Point]) -> MplFigure:
    places = list(dict.fromkeys(point.place for point in points))
    names = list(dict.fromkeys(point.series for point in points))
    styles = {name: series_style(at, theme) for at, name in enumerate(names)}
    scored = any(point.accuracy is not None for point in points)
    figure = figure_with_legend(
        5.4,
        4.6 if scored else 2.9,
        [
            Line2D(
                [], [], color=style.colour, linestyle=style.dash, marker=style.marker,
                markersize=5, label=shorten(printable(name), 50),
            )
            for name, style in styles.items()
        ],
        columns=2,
    )  # fmt: skip
    stack = figure.subplots(1 + scored, 1, squeeze=False, sharex=True)[:, 0]
    stack[0].axhline(0, color=theme.muted, linewidth=0.9)
    stack[0].set_ylabel("log-odds of the\nright answer (nats)")
    for name, style in styles.items():
        chosen = [point for point in points if point.series == name]
        x = [places.index(point.place) for point in chosen]
        ends = [(point.low, point.high) for point in chosen]
        _draw_line(stack[0], x, [point.log_odds for point in chosen], ends, style)
        known = [point for point in chosen if point.accuracy is not None]
        if known:
            x = [places.index(point.place) for point in known]
            shares = [100 * (point.accuracy or 0.0) for point in known]
            bounds = [(_percent(p.accuracy_low), _percent(p.accuracy_high)) for p in known]
            _draw_line(stack[1], x, shares, bounds, style)
            stack[1].set_ylabel("right answers (%)")
    for axes in stack:
        axes.grid(axis="y")
        axes.margins(y=0.1)
    stack[-1].set_xlim(-0.5, len(places) - 0.5)
    stack[-1].set_xticks(range(len(places)), places)
    stack[-1].set_xlabel("alpha that attention is edited to")
    return figure


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _draw_line(
    axes: Axes,
    x: Sequence[int],
    y: Sequence[float],
    ends: Sequence[tuple[float | None, float | None]],
    style: SeriesStyle,
) -> None:
    axes.plot(x, y, color=style.colour, linestyle=style.dash, marker=style.marker, markersize=5)
    for at, (low, high) in zip(x, ends, strict=True):
        if low is not None and high is not None:
            axes.vlines(at, low, high, color=style.colour, linewidth=1.2)
