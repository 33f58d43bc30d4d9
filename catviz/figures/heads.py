"""Which heads look at the causes: one cell a head, layers in rows and heads in columns."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, get_args

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import Rectangle

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure, Record
from catviz.figures.scales import (
    Scale,
    check_vmax,
    difference_colours,
    draw_colour_bar,
    ink_on,
)
from catviz.figures.sink import check_same_sink, sink_note
from catviz.figures.style import MAP_COLOURS, Theme
from catviz.figures.text import wrap
from catviz.figures.word_axes import KEY_LINE, LABEL_FONT
from catviz.maps import SINK
from catviz.patterns import AttentionPattern, head_name
from catviz.words import ROLES, Role

__all__ = ["head_map"]

By = Literal["causal", "spurious", "irrelevant", "other", "lift"]

_CLIP_PERCENTILE = 99  # of lifts: a head that hardly looks at either may have any
_USUAL_TWOFOLDS = 6.0  # the scale of lifts ends at 64 at the latest
_MOST = 1000  # lifts beyond are all the same

# Inches.
_HIGHEST, _WIDEST = 6.6, 4.5  # a panel of cells
_SMALLEST, _LARGEST = 0.17, 0.55  # a cell
_NUMBERED = 0.42  # a cell that has room for its value
_LAYER_NAMES = 0.36
_HEADING, _HEAD_NAMES = 0.42, 0.2
_LIST, _LIST_OF_LIFTS = 1.2, 1.6  # beside a panel


def head_map(
    patterns: AttentionPattern | Iterable[AttentionPattern],
    *,
    by: By = "causal",
    rows: int | Iterable[int] | None = None,
    names: int = 5,
    title: str | None = None,
    vmax: float | None = None,
) -> Figure:
    """Draw one cell a head, several patterns side by side on one scale, and name the strongest.

    Args:
        by: a role: the share of a head's attention on the tokens of that role; or "lift": how
            many times the attention of an average spurious token an average causal one gets, on a
            log scale centred at 1. Seen beside its causal share, as a head that hardly looks at
            either may have any lift.
        rows: the rows that look, by default those that predict the answer; their mean is shown.
        names: how many of the strongest heads of each pattern to frame and to list.
        vmax: the end of the scale, a share or a lift; by default the highest share, or the 99th
            percentile of the lifts and their inverses, 64 at most.

    Raises:
        ValueError: a role that no token of a pattern has.

    >>> words = (Word(0, 1, "Smoking: 8", "causal"), Word(1, 2, "Answer:", "other"))
    >>> values = np.array([[[[1.0, 0.0], [0.75, 0.25]]]])
    >>> head_map(AttentionPattern(values, ("Smoking: 8", "Answer:"), words)).data[0]["value"]
    0.75
    """
    given = [patterns] if isinstance(patterns, AttentionPattern) else list(patterns)
    if not given:
        raise ValueError("no heads to draw: expected at least one AttentionPattern")
    if by not in get_args(By):
        raise ValueError(f"expected by as one of {', '.join(get_args(By))}, got {by!r}")
    if names < 0:
        raise ValueError(f"expected names as a count, 0 or more, got {names}")
    check_vmax(vmax)
    rows = rows if rows is None or isinstance(rows, int | np.integer) else tuple(rows)
    panels = [_panel(one, by, rows) for one in given]
    sink = check_same_sink(one.sink for one in given)
    scale = _lift_scale(panels, vmax) if by == "lift" else _share_scale(panels, vmax)
    return Figure(
        draw=partial(_draw, panels=panels, by=by, scale=scale, names=names),
        data=[record for panel in panels for record in _records(panel, by)],
        title=title or _title(by),
        alt=_describe(panels, by, names),
        caption=_caption(panels, by, scale, answer=rows is None)
        + _first_token(given, by)
        + sink_note(sink),
    )


@dataclass(frozen=True, eq=False)
class _Panel:
    """What one pattern's cells show; ``even`` is the share that even attention would give."""

    model: str
    text: str
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    values: np.ndarray  # (layer, head): shares, or lifts (infinite or NaN where one gets nothing)
    share: np.ndarray  # (layer, head): of the role, or of the causes beside a lift
    even: float

    def strongest(self, count: int) -> list[tuple[int, int]]:
        """Places of the highest values, highest first: a third of the heads at most."""
        count = min(count, max(1, self.values.size // 3))
        ranked = np.nan_to_num(self.values.ravel(), nan=-1.0)  # infinity becomes the largest
        order = np.argsort(-ranked, kind="stable")[:count]
        return [divmod(int(at), len(self.heads)) for at in order if ranked[at] >= 0]

    def name(self, place: tuple[int, int]) -> str:
        return head_name(self.layers[place[0]], self.heads[place[1]])


def _panel(pattern: AttentionPattern, by: By, rows: int | tuple[int, ...] | None) -> _Panel:
    if not isinstance(pattern, AttentionPattern):
        raise ValueError(f"expected an AttentionPattern, got {type(pattern).__name__}")
    role: Role = "causal" if by == "lift" else by
    if role not in pattern.roles:
        raise ValueError(
            f"no token of {pattern!r} is {role}: it has {sorted(set(pattern.roles))}; name some "
            "with words (see catviz.roles)"
        )
    share = pattern.role_mass(rows)[..., ROLES.index(role)]
    return _Panel(
        model=pattern.model,
        text=pattern.text,
        layers=pattern.layers,
        heads=pattern.heads,
        values=pattern.lift(rows=rows) if by == "lift" else share,
        share=share,
        even=_even_share(pattern, role, rows),
    )


def _even_share(pattern: AttentionPattern, role: Role, rows: int | tuple[int, ...] | None) -> float:
    """The role's share if the rows looked evenly at all the tokens that they see."""
    chosen = pattern.answer_rows if rows is None else np.atleast_1d(rows) % pattern.size
    counted = np.array([one == role for one in pattern.roles])
    first = SINK if pattern.sink == "in" else SINK + 1
    return float(
        np.mean([counted[first : row + 1].mean() if row >= first else 0 for row in chosen])
    )


def _share_scale(panels: Sequence[_Panel], vmax: float | None) -> Scale:
    highest = float(max(panel.values.max() for panel in panels))
    return Scale(vmax or highest or 1.0, highest)


def _lift_scale(panels: Sequence[_Panel], vmax: float | None) -> Scale:
    """A scale of twofolds: 1 is a lift of 2 or of 1/2."""
    if vmax is not None and vmax <= 1:
        raise ValueError(f"expected vmax as a lift above 1, got {vmax}")
    with np.errstate(divide="ignore"):
        twofolds = np.abs(np.concatenate([np.log2(panel.values).ravel() for panel in panels]))
    finite = twofolds[np.isfinite(twofolds)]
    usual = float(np.percentile(finite, _CLIP_PERCENTILE)) if finite.size else 1.0
    usual = min(max(usual, 1.0), _USUAL_TWOFOLDS)
    highest = float(np.nanmax(twofolds, initial=0.0))
    return Scale(float(np.log2(vmax)) if vmax is not None else usual, highest)


def _records(panel: _Panel, by: By) -> list[Record]:
    return [
        {
            "model": panel.model,
            "text": panel.text,
            "layer": layer,
            "head": head,
            "by": by,
            # JSON has no infinity: nothing to divide by, or nothing at all
            "value": float(panel.values[i, j]) if np.isfinite(panel.values[i, j]) else None,
            "share": float(panel.share[i, j]),
        }
        for i, layer in enumerate(panel.layers)
        for j, head in enumerate(panel.heads)
    ]


def _title(by: By) -> str:
    if by == "lift":
        return "Causal over spurious attention by head"
    return f"Attention on {by} words by head"


def _caption(panels: Sequence[_Panel], by: By, scale: Scale, *, answer: bool) -> str:
    rows = "rows that predict the answer" if answer else "chosen rows"
    if by == "lift":
        clipped = (
            f" Lifts beyond 1/{2**scale.vmax:.2g} and {2**scale.vmax:.2g} share the last colours."
            if scale.is_clipped
            else ""
        )
        return (
            f"How many times the attention of an average spurious token an average causal token "
            f"gets in the {rows}; 1 is no preference. Crossed out: neither gets any. Listed: the "
            f"highest lifts, with the head's share on causal words.{clipped}"
        )
    even = list(dict.fromkeys(f"{panel.even:.2f}" for panel in panels))
    return (
        f"The share of the attention of the {rows} that goes to {by} words. Spread evenly over "
        f"all tokens it would be {' or '.join(even)}.{scale.note()}"
    )


def _first_token(patterns: Sequence[AttentionPattern], by: By) -> str:
    """Say so where the first token, the usual sink, counts among the words in question."""
    role = "causal" if by == "lift" else by
    if not any(one.sink == "in" and one.roles[SINK] == role for one in patterns):
        return ""
    return f" The first token, on which models park attention, is {role} here: see drop_sink."


def _shown(value: float, by: By) -> str:
    if by != "lift":
        return f"{value:.2f}"
    if value >= _MOST:
        return f">{_MOST}x"
    return f"{value:.2g}x" if value < 10 else f"{value:.0f}x"


def _describe(panels: Sequence[_Panel], by: By, names: int) -> str:
    parts = []
    for panel in panels:
        top = ", ".join(
            f"{panel.name(place)} {_shown(panel.values[place], by)}"
            for place in panel.strongest(max(names, 1))
        )
        parts.append(f"{panel.model}, {panel.text}: {top or 'none'}")
    return f"{_title(by)}. Strongest heads: " + "; ".join(parts) + "."


def _draw(theme: Theme, *, panels: Sequence[_Panel], by: By, scale: Scale, names: int) -> MplFigure:
    most_layers = max(len(panel.layers) for panel in panels)
    most_heads = max(len(panel.heads) for panel in panels)
    cell = max(min(_HIGHEST / most_layers, _WIDEST / most_heads, _LARGEST), _SMALLEST)
    top = _HEADING + _HEAD_NAMES
    beside = (_LIST_OF_LIFTS if by == "lift" else _LIST) if names else 0.25
    widths = [max(cell * len(panel.heads), 0.5) for panel in panels]
    lefts = np.cumsum([0, *(_LAYER_NAMES + width + beside for width in widths)])
    bar_height = min(max(cell * most_layers, 1.3), 3.2)
    listed = (names + 1) * KEY_LINE if names else 0.0
    height = top + max(cell * most_layers, bar_height, listed) + 0.1
    canvas = Canvas(float(lefts[-1]) + 0.85, height)
    sheet = canvas.sheet()
    colours = difference_colours(theme) if by == "lift" else colormaps[MAP_COLOURS]
    texts = len({panel.text for panel in panels})
    for panel, left, width in zip(panels, lefts[:-1], widths, strict=True):
        x = float(left) + _LAYER_NAMES
        grid = canvas.axes(x, top, cell * len(panel.heads), cell * len(panel.layers))
        frames = panel.strongest(names)
        _draw_cells(grid, panel, by, scale, colours, cell, frames, theme)
        heading = panel.model if texts == 1 else f"{panel.model}, {panel.text}"
        sheet.text(
            x, _HEADING / 2, wrap(heading, int(max((width + beside - 0.1) * 10, 8))),
            fontsize=9.5, fontweight="bold", va="center",
        )  # fmt: skip
        _name_heads(sheet, panel, x, top, cell, theme)
        if names:
            _list_heads(sheet, panel, by, frames, x + width + 0.12, top, theme)
    bar = draw_colour_bar(
        canvas.axes(canvas.width - 0.77, top, 0.13, bar_height), scale,
        "lift, log scale" if by == "lift" else "share of attention",
        colours=colours, centred=by == "lift",
    )  # fmt: skip
    if by == "lift":
        step = max(1, round(scale.vmax / 3))
        ticks = [n * step for n in range(-3, 4) if abs(n * step) <= scale.vmax + 1e-4]
        bar.set_ticks(ticks, labels=[_twofolds(tick) for tick in ticks])
    return canvas.figure


def _twofolds(power: int) -> str:
    return f"{2**power}" if power >= 0 else f"1/{2**-power}"


def _draw_cells(
    axes: Axes,
    panel: _Panel,
    by: By,
    scale: Scale,
    colours: Colormap,
    cell: float,
    frames: Sequence[tuple[int, int]],
    theme: Theme,
) -> None:
    """Draw the cells, with their values where there is room, and frame the strongest."""
    with np.errstate(divide="ignore", invalid="ignore"):
        shown = np.log2(panel.values) if by == "lift" else panel.values
    low = -scale.vmax if by == "lift" else 0.0
    axes.set_facecolor(theme.void)
    axes.imshow(
        np.ma.masked_invalid(np.clip(shown, low, scale.vmax)), cmap=colours, vmin=low,
        vmax=scale.vmax, interpolation="none", aspect="auto",
    )  # fmt: skip
    for layer, head in np.argwhere(np.isnan(shown)):
        axes.plot(head, layer, "x", color=theme.muted, markersize=4, markeredgewidth=0.8)
    rank = {place: at + 1 for at, place in enumerate(frames)}
    for layer in range(len(panel.layers)):
        for head in range(len(panel.heads)):
            value = float(np.clip(shown[layer, head], low, scale.vmax))
            at = rank.get((layer, head))
            if np.isnan(value) or (cell < _NUMBERED and at is None):
                continue
            ink = ink_on(colours((value - low) / (scale.vmax - low)))
            text = _shown(panel.values[layer, head], by) if cell >= _NUMBERED else f"{at}"
            axes.text(
                head, layer, text, ha="center", va="center_baseline", fontsize=LABEL_FONT,
                color=ink,
            )  # fmt: skip
            if at is not None:
                axes.add_patch(
                    Rectangle(
                        (head - 0.46, layer - 0.46), 0.92, 0.92, fill=False, edgecolor=ink,
                        linewidth=1.2,
                    )
                )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _name_heads(
    sheet: Axes, panel: _Panel, x: float, top: float, cell: float, theme: Theme
) -> None:
    """Write H0, H1, ... above the columns and L0, L1, ... beside the rows, as many as fit."""
    every = 1 if cell >= 0.26 or (len(panel.heads) <= 10 and cell >= 0.2) else 2
    for at, head in enumerate(panel.heads):
        if at % every == 0:
            sheet.text(
                x + (at + 0.5) * cell, top - _HEAD_NAMES / 2, f"H{head}", ha="center",
                va="center_baseline", fontsize=LABEL_FONT, color=theme.ink,
            )  # fmt: skip
    for at, layer in enumerate(panel.layers):
        sheet.text(
            x - 0.05, top + (at + 0.5) * cell, f"L{layer}", ha="right", va="center_baseline",
            fontsize=LABEL_FONT, color=theme.ink,
        )  # fmt: skip


def _list_heads(
    sheet: Axes,
    panel: _Panel,
    by: By,
    frames: Sequence[tuple[int, int]],
    x: float,
    top: float,
    theme: Theme,
) -> None:
    """List the strongest heads by name, and what even attention would give."""
    lines = []
    for at, place in enumerate(frames):
        line = f"{at + 1}  {panel.name(place)}  {_shown(panel.values[place], by)}"
        if by == "lift":
            line += f"  ({panel.share[place]:.2f})"
        lines.append((line, theme.ink))
    lines.append(
        ("(share on causal)" if by == "lift" else f"evenly  {panel.even:.2f}", theme.muted)
    )
    for at, (line, colour) in enumerate(lines):
        sheet.text(
            x, top + (at + 0.5) * KEY_LINE, line, va="center_baseline", fontsize=LABEL_FONT,
            color=colour,
        )  # fmt: skip
