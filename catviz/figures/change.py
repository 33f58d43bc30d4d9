"""Where attention moved: one text's map before and after, and the difference."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure, Record
from catviz.figures.map_panel import GAP, Panel, draw_panel, panel_height
from catviz.figures.scales import (
    Scale,
    difference_colours,
    difference_scale,
    draw_colour_bar,
    map_scale,
)
from catviz.figures.sink import check_same_sink, sink_note
from catviz.figures.style import MAP_COLOURS, ROLE_STYLES, Theme
from catviz.figures.word_axes import (
    KEY_LINE,
    LABEL_FONT,
    STRIP,
    draw_role_key,
    draw_role_mark,
    label_room,
    marked_roles,
    side_for,
)
from catviz.maps import SINK, MeanMap, check_same_tokens
from catviz.patterns import AttentionPattern
from catviz.words import ROLES, Role

__all__ = ["attention_change"]

_USUAL_SIDE = 3.0
_BETWEEN = 0.45
_HEADING = 0.3
_LANE = 0.42


def attention_change(
    before: MeanMap | AttentionPattern,
    after: MeanMap | AttentionPattern,
    *,
    layers: int | Iterable[int] | None = None,
    heads: int | Iterable[int] | None = None,
    title: str = "Change of attention",
    vmax: float | None = None,
) -> Figure:
    """Draw two maps of one text on one scale, their difference, and the change by role.

    ``layers`` and ``heads`` choose what is averaged of two patterns, all by default (of one head:
    ``attention_change(before.head("L5H3"), after.head("L5H3"))``). The maps' scale ends as that of
    :func:`attention_map`, or at ``vmax``; the difference (after minus before) has a scale of its
    own, the same to both sides of 0. The last panel sums the row that predicts the answer by role.

    Raises:
        ValueError: maps of different tokens or words, of different rows of the answer, or with
            the first token taken out of one only.

    >>> words = (Word(0, 1, "Smoking: 8", "causal"), Word(1, 2, "Answer:", "other"))
    >>> plain, tuned = (MeanMap(np.array([[1.0, 0.0], [share, 1 - share]]), words, name, "one")
    ...                 for name, share in [("plain", 0.25), ("tuned", 0.75)])
    >>> attention_change(plain, tuned).data[1]["change"]
    0.5
    """
    maps = _maps(before, after, layers, heads)
    sink = check_same_sink(one.sink for one in maps)
    scale = map_scale([one.values for one in maps], vmax)
    difference = maps[1].values - maps[0].values
    names = [one.model for one in maps] if maps[0].model != maps[1].model else ["before", "after"]
    change = _Change(*maps, names[0], names[1], difference, scale, difference_scale(difference))
    return Figure(
        draw=partial(_draw, change=change),
        data=_records(change),
        title=title,
        alt=_describe(change),
        caption=(
            "Rows are the words that look, columns the words looked at; bars: the row that "
            f"predicts the answer. Difference: {change.name_after} minus {change.name_before}. "
            "Last panel: that row's attention summed by role."
            + scale.note()
            + change.difference_scale.note("Differences")
            + sink_note(sink)
        ),
    )


@dataclass(frozen=True, eq=False)
class _Change:
    before: MeanMap
    after: MeanMap
    name_before: str
    name_after: str
    difference: np.ndarray
    scale: Scale
    difference_scale: Scale

    def shares(self) -> dict[str, tuple[Role, float, float]]:
        """The answer row by role: name -> (role, before, after); the sink stands by itself."""
        rows = [one.values[one.answer_row] for one in (self.before, self.after)]
        roles = np.array(self.before.roles)
        chosen = {role: roles == role for role in ROLES}
        lanes: dict[str, tuple[Role, np.ndarray]] = {r: (r, chosen[r]) for r in ROLES}
        if roles[SINK] == "other" and self.before.sink == "in":
            first = np.arange(len(roles)) == SINK
            lanes["other"] = ("other", chosen["other"] & ~first)
            lanes["first token"] = ("other", first)
        return {
            name: (role, float(rows[0][at].sum()), float(rows[1][at].sum()))
            for name, (role, at) in lanes.items()
            if at.any()
        }


def _maps(
    before: MeanMap | AttentionPattern,
    after: MeanMap | AttentionPattern,
    layers: int | Iterable[int] | None,
    heads: int | Iterable[int] | None,
) -> tuple[MeanMap, MeanMap]:
    if isinstance(before, AttentionPattern) and isinstance(after, AttentionPattern):
        check_same_tokens(before.tokens, after.tokens, "attention_change")
        layers, heads = _kept(layers), _kept(heads)
        maps = (before.mean(layers=layers, heads=heads), after.mean(layers=layers, heads=heads))
    elif isinstance(before, MeanMap) and isinstance(after, MeanMap):
        if layers is not None or heads is not None:
            raise ValueError(
                "layers and heads choose from patterns, and a MeanMap is a mean already: "
                "give two AttentionPatterns, or pattern.mean(layers=..., heads=...)"
            )
        maps = (before, after)
    else:
        raise ValueError(
            "expected two MeanMaps or two AttentionPatterns, got "
            f"{type(before).__name__} and {type(after).__name__}"
        )
    _check_comparable(*maps)
    return maps


def _kept(numbers: int | Iterable[int] | None) -> int | tuple[int, ...] | None:
    """An iterator can be read once, and there are two patterns to read it for."""
    return numbers if numbers is None or isinstance(numbers, int | np.integer) else tuple(numbers)


def _check_comparable(before: MeanMap, after: MeanMap) -> None:
    if before.size != after.size:
        raise ValueError(
            "attention_change: expected maps of the same tokens, got "
            f"{before.size} and {after.size} tokens; compare one text under one tokenizer"
        )
    for one, two in zip(before.words, after.words, strict=False):
        if one != two:
            raise ValueError(
                f"attention_change: expected the same words on both sides, got {one.label!r} "
                f"({one.role}, token {one.start}) and {two.label!r} ({two.role}, token "
                f"{two.start}); compare one text with one set of roles"
            )
    if len(before.words) != len(after.words):
        raise ValueError(
            "attention_change: expected the same words on both sides, got "
            f"{len(before.words)} and {len(after.words)}"
        )
    if before.answer_row != after.answer_row:
        raise ValueError(
            "attention_change: expected one row that predicts the answer, got rows "
            f"{before.answer_row} and {after.answer_row}"
        )


def _records(change: _Change) -> list[Record]:
    before, after = change.before, change.after
    labels = [""] * before.size
    for word in before.words:
        labels[word.start : word.stop] = [word.label] * (word.stop - word.start)
    return [
        {
            "text": after.text,
            "query": query,
            "key": key,
            "query_word": labels[query],
            "key_word": labels[key],
            "key_role": before.roles[key],
            "before": float(before.values[query, key]),
            "after": float(after.values[query, key]),
            "change": float(change.difference[query, key]),
        }
        for query in range(before.size)
        for key in range(query + 1)
    ]


def _describe(change: _Change) -> str:
    shares = ", ".join(
        f"{name} {100 * before:.0f}% to {100 * after:.0f}%"
        for name, (_, before, after) in change.shares().items()
    )
    return (
        f"Attention maps of {change.name_before} and {change.name_after}, and their difference. "
        f"The row that predicts the answer, by role: {shares}."
    )


def _draw(theme: Theme, *, change: _Change) -> MplFigure:
    words, size = change.before.words, change.before.size
    side = side_for(words, size, usual=_USUAL_SIDE)
    left = label_room(words) + STRIP + 0.03
    x_step = side + STRIP + _BETWEEN
    y_step = _HEADING + panel_height(words, side) + 0.2
    canvas = Canvas(left + x_step + side + 0.95, 2 * y_step - 0.2)
    maps = (change.before, change.after)
    bars = [one.values[one.answer_row, 1:] for one in maps] if size > 1 else []
    bar_top = float(max((row.max() for row in bars), default=0.0)) or change.scale.highest
    for at, (one, name) in enumerate(
        zip(maps, (change.name_before, change.name_after), strict=True)
    ):
        panel = Panel(
            one.values, words, one.answer_row, name, side, change.scale, bar_top, MAP_COLOURS
        )
        place = canvas.at(left + at * x_step, _HEADING)
        draw_panel(place, panel, theme, labelled=at == 0, named=at == 0)
    colours = difference_colours(theme)
    below = _HEADING + y_step
    moved = np.abs(change.difference[change.before.answer_row, 1:]) if size > 1 else np.zeros(1)
    panel = Panel(
        change.difference, words, change.before.answer_row, "difference", side,
        change.difference_scale, float(moved.max()) or change.difference_scale.vmax, colours,
        centred=True,
    )  # fmt: skip
    draw_panel(canvas.at(left, below), panel, theme, labelled=True, named=True)
    sheet = canvas.sheet()
    bars_at, bar_height = canvas.width - 0.72, min(side, 3.2)
    draw_colour_bar(
        canvas.axes(bars_at, _HEADING, 0.13, bar_height), change.scale, "mean attention"
    )
    draw_role_key(
        sheet, bars_at, _HEADING + side + GAP, theme, roles=marked_roles(change.before.roles)
    )
    draw_colour_bar(
        canvas.axes(left + side + 0.2, below, 0.13, bar_height), change.difference_scale,
        "change of attention", colours=colours, centred=True,
    )  # fmt: skip
    _draw_shares(canvas, left + side + 1.2, below, theme, change)
    return canvas.figure


def _draw_shares(canvas: Canvas, x: float, y: float, theme: Theme, change: _Change) -> None:
    """Draw an arrow per role, from the share before to the share after."""
    shares = change.shares()
    names = 0.85
    width, height = canvas.width - x - names - 0.1, _LANE * len(shares)
    y += 0.3
    axes = canvas.axes(x + names, y, width, height)
    sheet = canvas.sheet()
    canvas.text(x, y - 0.2, "answer's row, by role", fontsize=10, fontweight="bold")
    for lane, (name, (role, before, after)) in enumerate(shares.items()):
        middle = y + (lane + 0.5) * _LANE
        if ROLE_STYLES[role].letter:
            draw_role_mark(sheet, x, middle - STRIP / 2, role)
        sheet.text(
            x + 1.4 * STRIP, middle, name, fontsize=LABEL_FONT, va="center_baseline",
            color=theme.ink,
        )  # fmt: skip
        _draw_arrow(axes, lane, role, before, after, theme)
    highest = max(max(before, after) for _, before, after in shares.values())
    axes.set_xlim(-0.05 * highest, 1.12 * highest)
    axes.set_ylim(len(shares) - 0.5, -0.5)
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    axes.locator_params(axis="x", nbins=4)
    axes.tick_params(axis="x", labelsize=LABEL_FONT)
    axes.set_xlabel("share of attention", fontsize=LABEL_FONT)
    key = y + height + 0.62
    for line, (name, hollow) in enumerate([(change.name_before, True), (change.name_after, False)]):
        at = key + line * KEY_LINE
        sheet.plot(
            [x + names], [at], "o", markersize=5, color=theme.ink,
            markerfacecolor=theme.background if hollow else theme.ink,
        )  # fmt: skip
        sheet.text(
            x + names + 0.12, at, name, fontsize=LABEL_FONT, va="center_baseline", color=theme.ink
        )


def _draw_arrow(
    axes: Axes, lane: int, role: Role, before: float, after: float, theme: Theme
) -> None:
    colour = theme.muted if role == "other" else ROLE_STYLES[role].colour
    axes.plot([before, after], [lane, lane], color=colour, linewidth=2)
    axes.plot([before], [lane], "o", color=colour, markerfacecolor=theme.background, markersize=6)
    axes.plot([after], [lane], "o", color=colour, markersize=6)
    for value, other in ((before, after), (after, before)):
        axes.annotate(
            f"{value:.2f}", (value, lane), xytext=(0, 5), textcoords="offset points",
            fontsize=7, color=theme.muted, va="bottom",
            ha="left" if value > other else "right" if value < other else "center",
        )  # fmt: skip
        if before == after:
            break
