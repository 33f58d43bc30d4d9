"""Accuracy in and out of distribution over alpha: the paper's Figures 4, 6 and 8."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Literal, get_args

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.lines import Line2D

from catviz.figures.figure import Figure
from catviz.figures.layout import figure_with_legend
from catviz.figures.records import interval
from catviz.figures.reference_lines import spread
from catviz.figures.style import SeriesStyle, Theme, series_style
from catviz.figures.text import printable, shorten

__all__ = ["accuracy_over_alpha"]

Split = Literal["iid", "ood"]
SPLITS: tuple[Split, ...] = get_args(Split)

_PLAIN = "plain"
_HEIGHT = 3.6
_LABEL_GAP = 0.055  # of the axis height, between neighbouring labels in the margin


def accuracy_over_alpha(
    points: Sequence[Mapping[str, object]],
    *,
    baseline: Mapping[str, Mapping[str, object]] | None = None,
    references: Mapping[str, Mapping[str, float]] | None = None,
    title: str = "Accuracy over alpha",
    interval: str = "95% interval",
) -> Figure:
    """Draw IID and OOD accuracy over alpha, with intervals (paper, Figure 4).

    A point is ``{"alpha", "split": "iid" | "ood", "accuracy", "low", "high", "seeds"}``; shares
    run from 0 to 1, and ``low``, ``high`` and ``seeds`` may be absent. ``baseline`` holds one such
    record (without alpha) per split for plain training, drawn as the first place on the axis.
    ``references`` are rules that learn nothing, as ``{"always Low Risk": {"iid": 0.69}}``.
    ``interval`` names what low and high are.

    >>> figure = accuracy_over_alpha([{"alpha": 0.3, "split": "ood", "accuracy": 0.9}])
    >>> figure.data[0]["accuracy"]
    0.9
    """
    results = [_result(record, record.get("split"), record.get("alpha")) for record in points]
    for split, record in (baseline or {}).items():
        results.append(_result(record, split, None))
    if not results:
        raise ValueError("no points to draw: expected at least one accuracy")
    _refuse_duplicates(results)
    results.sort(key=lambda result: (SPLITS.index(result.split), result.alpha or 0.0))
    lines = {
        name: {_split(split): _share(value, f"reference {name!r}") for split, value in by.items()}
        for name, by in (references or {}).items()
    }
    return Figure(
        draw=partial(_draw, results=results, references=lines),
        data=[{"kind": "trained", "name": r.place, **asdict(r)} for r in results]
        + [
            {"kind": "reference", "name": name, "split": split, "accuracy": value}
            for name, by_split in lines.items()
            for split, value in by_split.items()
        ],
        title=title,
        alt=_describe(results, lines),
        caption=_caption(results, interval, bool(lines)),
    )


@dataclass(frozen=True)
class _Result:
    """One accuracy; alpha None is plain training."""

    alpha: float | None
    split: Split
    accuracy: float
    low: float | None
    high: float | None
    seeds: int | None

    @property
    def place(self) -> str:
        return _PLAIN if self.alpha is None else f"{self.alpha:g}"


def _result(record: Mapping[str, object], split: object, alpha: object) -> _Result:
    place = _PLAIN if alpha is None else f"alpha {alpha}"
    where = f"{_split(split).upper()} at {place}"
    if "accuracy" not in record:
        raise ValueError(f"{where}: the record has no 'accuracy', only {sorted(record)}")
    accuracy = _share(record["accuracy"], where)
    low, high = (
        None if end is None else _share(end, where) for end in interval(record, "accuracy", where)
    )
    seeds = record.get("seeds")
    return _Result(
        alpha=None if alpha is None else _alpha(alpha, where),
        split=_split(split),
        accuracy=accuracy,
        low=low,
        high=high,
        seeds=None if seeds is None else int(_number(seeds, where)),
    )


def _alpha(alpha: object, where: str) -> float:
    number = _number(alpha, where)
    if not (math.isfinite(number) and number > 0):
        raise ValueError(f"{where}: expected alpha as a finite number above 0")
    return number


def _split(split: object) -> Split:
    for known in SPLITS:
        if split == known:
            return known
    raise ValueError(f"unknown split {split!r}; expected one of {', '.join(SPLITS)}")


def _number(value: object, where: str) -> float:
    try:
        return float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{where}: expected a number, got {value!r}") from None


def _share(value: object, where: str) -> float:
    number = _number(value, where)
    if not 0 <= number <= 1:
        raise ValueError(f"{where}: expected a share from 0 to 1, got {number:g}")
    return number


def _percent(share: float) -> str:
    return f"{round(100 * share, 2):g}"


def _refuse_duplicates(results: Sequence[_Result]) -> None:
    seen = set()
    for result in results:
        key = (result.alpha, result.split)
        if key in seen:
            raise ValueError(
                f"two points for {result.split.upper()} at {result.place}; average the seeds first"
            )
        seen.add(key)


def _caption(results: Sequence[_Result], interval: str, has_references: bool) -> str:
    seeds = sorted({result.seeds for result in results if result.seeds is not None})
    parts = ["The alphas stand in order, not to scale."]
    if any(result.low is not None for result in results):
        parts.append(f"Bands and whiskers: {interval}.")
    if seeds:
        span = f"{seeds[0]}" if len(seeds) == 1 else f"{seeds[0]} to {seeds[-1]}"
        parts.append(f"Seeds per point: {span}.")
    if any(result.alpha is None for result in results):
        parts.append("Thin dashed lines continue plain training.")
    if has_references:
        parts.append("Dotted lines are rules that learn nothing.")
    return " ".join(parts)


def _describe(results: Sequence[_Result], references: Mapping[str, Mapping[Split, float]]) -> str:
    parts = []
    for split in SPLITS:
        values = [f"{r.place}: {_percent(r.accuracy)}" for r in results if r.split == split]
        if values:
            parts.append(f"{split.upper()} accuracy in percent, {', '.join(values)}")
    for name, by_split in references.items():
        values = [f"{split.upper()} {_percent(value)}" for split, value in by_split.items()]
        parts.append(f"{name}, {', '.join(values)}")
    return "; ".join(parts) + "."


def _draw(
    theme: Theme,
    *,
    results: Sequence[_Result],
    references: Mapping[str, Mapping[Split, float]],
) -> MplFigure:
    places = [r.place for r in sorted(results, key=lambda r: r.alpha or 0.0)]
    positions = {place: at for at, place in enumerate(dict.fromkeys(places))}
    splits = [split for split in SPLITS if any(r.split == split for r in results)]
    styles = {split: series_style(SPLITS.index(split), theme) for split in splits}
    figure = figure_with_legend(
        3.1 + 0.5 * len(positions) + (2.2 if references else 0.0),
        _HEIGHT,
        [
            Line2D(
                [], [], color=style.colour, linestyle=style.dash, marker=style.marker,
                markersize=5, label=split.upper(),
            )
            for split, style in styles.items()
        ],
    )  # fmt: skip
    axes = figure.subplots()
    labels = []
    for split, style in styles.items():
        chosen = [result for result in results if result.split == split]
        _draw_split(axes, chosen, positions, style)
        for name, by_split in references.items():
            if split in by_split:
                height = 100 * by_split[split]
                label = (
                    f"{shorten(printable(name), 36)}, {split.upper()} {_percent(by_split[split])}"
                )
                axes.axhline(height, color=style.colour, linestyle=":", linewidth=0.9, alpha=0.8)
                labels.append((height, label, style.colour))
    axes.set_xlim(-0.5, len(positions) - 0.5)
    axes.set_xticks(list(positions.values()), list(positions))
    axes.set_xlabel("alpha (target for causal over other attention)")
    axes.set_ylabel("accuracy (%)")
    axes.margins(y=0.08)
    low, high = axes.get_ylim()
    axes.set_ylim(max(low, -2), min(high, 102))
    axes.grid(axis="y")
    _label_lines(axes, labels)
    return figure


def _draw_split(
    axes: Axes, results: Sequence[_Result], positions: Mapping[str, int], style: SeriesStyle
) -> None:
    """Draw plain training as a lone point with its level carried on, then the line over alpha."""
    trained = [result for result in results if result.alpha is not None]
    x = [positions[result.place] for result in trained]
    axes.plot(
        x, [100 * result.accuracy for result in trained], color=style.colour, linestyle=style.dash,
        marker=style.marker, markersize=5,
    )  # fmt: skip
    bounded = [r for r in trained if r.low is not None and r.high is not None]
    if len(bounded) > 1:
        axes.fill_between(
            [positions[r.place] for r in bounded],
            [100 * (r.low or 0.0) for r in bounded],
            [100 * (r.high or 0.0) for r in bounded],
            color=style.colour, alpha=0.16, linewidth=0,
        )  # fmt: skip
    lone = [r for r in results if r.alpha is None] + (bounded if len(bounded) == 1 else [])
    for result in lone:
        at, percent = positions[result.place], 100 * result.accuracy
        if result.alpha is None:
            axes.plot([at], [percent], color=style.colour, marker=style.marker, markersize=5)
            axes.axhline(percent, color=style.colour, linestyle=(0, (7, 4)), linewidth=0.8)
        if result.low is not None and result.high is not None:
            axes.vlines(at, 100 * result.low, 100 * result.high, color=style.colour, linewidth=1.4)


def _label_lines(axes: Axes, labels: Sequence[tuple[float, str, str]]) -> None:
    """Name each reference in the right margin, at its height or as near as the others allow."""
    low, high = axes.get_ylim()
    ordered = sorted(labels)
    heights = spread([(percent - low) / (high - low) for percent, _, _ in ordered], _LABEL_GAP)
    for (percent, text, colour), height in zip(ordered, heights, strict=True):
        axes.annotate(
            text, (1.0, percent), xycoords=("axes fraction", "data"),
            xytext=(1.035, height), textcoords="axes fraction", fontsize=8, va="center",
            color=colour,
            arrowprops={"arrowstyle": "-", "linewidth": 0.6, "color": colour, "shrinkA": 0,
                        "shrinkB": 0, "relpos": (0.0, 0.5)},
        )  # fmt: skip
