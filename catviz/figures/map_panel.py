"""One map with its words and, below it, its answer's row: what maps and changes are made of."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import Colormap
from matplotlib.patches import Rectangle

from catviz.figures.scales import Scale
from catviz.figures.style import ROLE_STYLES, Theme
from catviz.figures.text import wrap
from catviz.figures.word_axes import LABEL_FONT, STRIP, draw_strip, label_room, label_words
from catviz.words import Word, roles_of_tokens

__all__ = ["GAP", "Panel", "draw_panel", "panel_height"]

GAP = 0.10  # inches between a map and its bars
_BARS = 0.85

Place = Callable[[float, float, float, float], Axes]
"""Adds axes, (x, y, width, height) in inches from the map's upper left corner."""


@dataclass(frozen=True, eq=False)
class Panel:
    """What one panel shows: (query, key) values, or their difference where ``centred``."""

    values: np.ndarray
    words: Sequence[Word]
    answer_row: int
    title: str
    side: float  # inches
    scale: Scale
    bar_top: float  # of the bars' axis
    colours: Colormap | str
    centred: bool = False

    @property
    def size(self) -> int:
        return len(self.values)


def panel_height(words: Sequence[Word], side: float) -> float:
    """Return the inches from a map's upper edge to the end of the labels below it."""
    return side + GAP + _BARS + 0.02 + STRIP + label_room(words)


def draw_panel(place: Place, panel: Panel, theme: Theme, *, labelled: bool, named: bool) -> None:
    """Draw a map, its answer row below, and a strip of roles along both axes.

    ``labelled``: with the words at the left; ``named``: with the answer row's name and scale.
    """
    words, size, side = panel.words, panel.size, panel.side
    cells = place(0, 0, side, side)
    _draw_cells(cells, panel, theme)
    cells.set_title(wrap(panel.title, int(side * 11)), pad=5)
    query_strip = place(-STRIP - 0.03, 0, STRIP, side)
    draw_strip(query_strip, words, size, side, theme, vertical=True)
    if labelled:
        label_words(query_strip, words, size, side, vertical=True)
    _draw_answer_row(place(0, side + GAP, side, _BARS), panel, theme, named=named)
    key_strip = place(0, side + GAP + _BARS + 0.02, side, STRIP)
    draw_strip(key_strip, words, size, side, theme, vertical=False)
    label_words(key_strip, words, size, side, vertical=False)


def _draw_cells(axes: Axes, panel: Panel, theme: Theme) -> None:
    future = np.triu(np.ones_like(panel.values, dtype=bool), k=1)
    axes.set_facecolor(theme.void)
    axes.imshow(
        np.ma.masked_array(panel.values, future), cmap=panel.colours,
        vmin=-panel.scale.vmax if panel.centred else 0, vmax=panel.scale.vmax,
        interpolation="none", aspect="auto",
    )  # fmt: skip
    if panel.centred:  # where 0 looks like the void
        ends = np.arange(panel.size + 1) - 0.5
        axes.step(ends, ends, where="post", color=theme.muted, linewidth=0.5)
        axes.add_patch(
            Rectangle(
                (0, 0), 1, 1, transform=axes.transAxes, fill=False, edgecolor=theme.grid,
                linewidth=0.7,
            )
        )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.annotate(
        "◂", (1.0, panel.answer_row), xycoords=("axes fraction", "data"), xytext=(2, 0),
        textcoords="offset points", va="center", fontsize=8, color=theme.ink,
    )  # fmt: skip


def _draw_answer_row(axes: Axes, panel: Panel, theme: Theme, *, named: bool) -> None:
    """Draw the row that predicts the answer as bars, painted by the role of the key."""
    row = panel.values[panel.answer_row]
    roles = roles_of_tokens(panel.words, panel.size)
    top = 1.12 * panel.bar_top
    low = -top if panel.centred else 0.0
    colours = [theme.muted if role == "other" else ROLE_STYLES[role].colour for role in roles]
    axes.bar(np.arange(panel.size), np.clip(row, low, top), width=0.8, color=colours, linewidth=0)
    for key in np.flatnonzero(np.abs(row) > top):
        up = row[key] > 0
        axes.annotate(
            f"{'▲' if up else '▼'} {row[key]:.2f}", (key + 0.5, top if up else low),
            xytext=(1, -1 if up else 1), textcoords="offset points",
            va="top" if up else "bottom", fontsize=7, color=theme.ink,
        )  # fmt: skip
    axes.set_xlim(-0.5, panel.size - 0.5)
    axes.set_ylim(low, top)
    axes.set_xticks([])
    ticks = [-panel.bar_top, 0, panel.bar_top] if panel.centred else [0, panel.bar_top]
    axes.set_yticks(ticks, [f"{tick:.2g}" if named else "" for tick in ticks])
    axes.tick_params(axis="y", labelsize=7, length=2)
    if panel.centred:
        axes.axhline(0, color=theme.muted, linewidth=0.7)
        axes.spines["bottom"].set_visible(False)
    if named:
        axes.set_ylabel(
            "row that predicts\nthe answer", fontsize=LABEL_FONT, rotation=0, ha="right",
            va="center",
        )  # fmt: skip
