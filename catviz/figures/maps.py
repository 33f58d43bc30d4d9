"""Mean attention maps with their words and roles: the paper's Figures 1b and 5."""

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.figure import Figure as MplFigure

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.map_panel import GAP, Panel, draw_panel, panel_height
from catviz.figures.scales import Scale, draw_colour_bar, map_scale
from catviz.figures.sink import check_same_sink, sink_note
from catviz.figures.style import MAP_COLOURS, ROLE_STYLES, Theme
from catviz.figures.text import printable, shorten
from catviz.figures.word_axes import STRIP, draw_role_key, label_room, side_for
from catviz.maps import MeanMap

__all__ = ["attention_map"]

# Inches.
_USUAL_SIDE = 4.1
_BETWEEN = 0.45
_HEADING = 0.3
_BELOW = 0.15


def attention_map(
    maps: Sequence[MeanMap],
    *,
    title: str = "Mean attention",
    vmax: float | None = None,
) -> Figure:
    """Draw maps in a grid, models in columns and texts in rows (paper, Figures 1b and 5).

    Row = the word that looks, column = the word looked at. Both axes are painted by role and
    carry one label per word. The bars under a map are its answer row, painted by role: how the
    attention that predicts the answer is shared out.

    All maps have one colour scale, from 0 to ``vmax``: by default the 99th percentile of all cells
    outside the first column, which many models use as a sink. Higher values are clipped, and the
    colour bar then ends in an arrow.

    >>> words = (Word(0, 1, "Smoking: 8", "causal"), Word(1, 2, "Answer:", "other"))
    >>> example = MeanMap(np.array([[1.0, 0.0], [0.7, 0.3]]), words, model="plain", text="one")
    >>> attention_map([example]).data[-1]["attention"]
    0.3
    """
    if not maps:
        raise ValueError("no maps to draw: expected at least one MeanMap")
    seen = set()
    for one in maps:
        if (one.model, one.text) in seen:
            raise ValueError(f"two maps of model {one.model!r} for the text {one.text!r}")
        seen.add((one.model, one.text))
    sink = check_same_sink(one.sink for one in maps)
    scale = map_scale([one.values for one in maps], vmax)
    return Figure(
        draw=partial(_draw, maps=tuple(maps), scale=scale),
        data=[record for one in maps for record in _records(one)],
        title=title,
        alt=_describe(maps),
        caption=(
            "Rows are the words that look, columns the words looked at. Bars: the row that "
            "predicts the answer." + scale.note() + sink_note(sink)
        ),
    )


def _records(one: MeanMap) -> list[dict[str, object]]:
    labels = [""] * one.size
    for word in one.words:
        labels[word.start : word.stop] = [word.label] * (word.stop - word.start)
    roles = one.roles
    return [
        {
            "model": one.model,
            "text": one.text,
            "query": query,
            "key": key,
            "query_word": labels[query],
            "key_word": labels[key],
            "key_role": roles[key],
            "attention": float(one.values[query, key]),
        }
        for query in range(one.size)
        for key in range(query + 1)
    ]


def _describe(maps: Sequence[MeanMap]) -> str:
    parts = []
    for one in maps:
        row, roles = one.values[one.answer_row], np.array(one.roles)
        shares = ", ".join(
            f"{role} {100 * row[roles == role].sum():.0f}%"
            for role in ROLE_STYLES
            if (roles == role).any()
        )
        parts.append(f"{one.model}, {one.text}: {shares}")
    return "Attention of the row that predicts the answer, by role. " + "; ".join(parts) + "."


def _draw(theme: Theme, *, maps: Sequence[MeanMap], scale: Scale) -> MplFigure:
    models = list(dict.fromkeys(m.model for m in maps))
    texts = list(dict.fromkeys(m.text for m in maps))
    by_place = {(m.text, m.model): m for m in maps}
    side = max(side_for(m.words, m.size, usual=_USUAL_SIDE) for m in maps)
    room = max(label_room(m.words) for m in maps)
    left = room + STRIP + 0.03
    x_step = side + STRIP + _BETWEEN + _extra_label_room(maps, models, texts, room)
    heading = _HEADING if len(texts) == 1 else 2 * _HEADING
    y_step = heading + max(panel_height(m.words, side) for m in maps) + _BELOW
    canvas = Canvas(left + x_step * (len(models) - 1) + side + 1.0, y_step * len(texts) - _BELOW)
    bar_top = _bar_top(maps, scale)
    for row, text in enumerate(texts):
        y = heading + row * y_step
        if len(texts) > 1:
            canvas.text(
                0, y - 1.6 * _HEADING, shorten(printable(text), int(canvas.width * 13)),
                color=theme.muted, va="center",
            )  # fmt: skip
        drawn: MeanMap | None = None
        for column, model in enumerate(models):
            x = left + column * x_step
            one = by_place.get((text, model))
            if one is None:
                canvas.text(x, y + side / 2, "no map", color=theme.muted)
                continue
            panel = Panel(
                one.values, one.words, one.answer_row, one.model, side, scale, bar_top, MAP_COLOURS
            )
            draw_panel(
                canvas.at(x, y), panel, theme,
                labelled=drawn is None or drawn.words != one.words, named=drawn is None,
            )  # fmt: skip
            drawn = one
    beside = canvas.width - 0.72
    draw_colour_bar(canvas.axes(beside, heading, 0.13, min(side, 3.2)), scale, "mean attention")
    draw_role_key(canvas.sheet(), beside, heading + side + GAP, theme)
    return canvas.figure


def _bar_top(maps: Sequence[MeanMap], scale: Scale) -> float:
    """Return the height of all bars: that of the highest beyond the first token."""
    bars = [m.values[m.answer_row, 1:].max() for m in maps if m.size > 1]
    return float(max(bars, default=0.0)) or scale.highest


def _extra_label_room(
    maps: Sequence[MeanMap], models: Sequence[str], texts: Sequence[str], room: float
) -> float:
    """Return the room for query labels between columns, needed where the words differ."""
    same = all(len({m.words for m in maps if m.text == text}) == 1 for text in texts)
    return 0.0 if same or len(models) == 1 else room
