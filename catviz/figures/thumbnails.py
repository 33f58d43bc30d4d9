"""Every head's map as a thumbnail: layers in rows, heads in columns."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import Rectangle

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure, Record
from catviz.figures.scales import Scale, draw_colour_bar, map_scale
from catviz.figures.sink import sink_note
from catviz.figures.style import MAP_COLOURS, Theme
from catviz.figures.text import printable, shorten
from catviz.figures.word_axes import (
    KEY_LINE,
    LABEL_FONT,
    STRIP,
    draw_role_key,
    draw_strip,
    marked_roles,
)
from catviz.patterns import AttentionPattern, head_name, read_head_name
from catviz.words import ROLES

__all__ = ["head_grid"]

_MOST_PIXELS = 64  # of a thumbnail's side; longer texts are pooled

# Inches.
_WIDEST = 7.2  # all thumbnails of one line
_LARGEST, _SMALLEST = 1.5, 0.3  # a thumbnail's side
_BETWEEN = 0.04
_BETWEEN_BLOCKS = 0.5
_LAYER_NAMES = 0.36
_HEADING, _HEAD_NAMES = 0.32, 0.2


def head_grid(
    pattern: AttentionPattern,
    *,
    mark: Sequence[str] = (),
    title: str = "Attention of every head",
    vmax: float | None = None,
) -> Figure:
    """Draw all heads' maps as thumbnails on one colour scale, many layers in several blocks.

    In each thumbnail rows look and columns are looked at, as in :func:`attention_map`; the strips
    at the edges are painted by role. In texts of more than 64 tokens a pixel shows the highest of
    several cells, so that no bright cell is lost.

    Args:
        mark: heads to frame, as "L5H3".
        vmax: the end of the colour scale; by default the 99th percentile of all cells outside
            the first column, which many models use as a sink. Higher values are clipped.

    >>> values = np.array([[[[1.0, 0.0], [0.7, 0.3]]]])
    >>> head_grid(AttentionPattern(values, ("Smoking: 8", "Answer:"))).data[0]["attention"]
    0.699999988079071
    """
    if not isinstance(pattern, AttentionPattern):
        raise ValueError(f"expected an AttentionPattern, got {type(pattern).__name__}")
    marked = _marked(pattern, mark)
    scale = map_scale([pattern.values], vmax)
    pooled = -(-pattern.size // _MOST_PIXELS)
    cells = f" A pixel shows the highest of {pooled} x {pooled} cells." if pooled > 1 else ""
    return Figure(
        draw=partial(_draw, pattern=pattern, marked=marked, scale=scale, pooled=pooled),
        data=_records(pattern),
        title=title,
        alt=_describe(pattern),
        caption=(
            f"{pattern.model}, {pattern.text}. Layers L in rows, heads H in columns. In each small "
            "map the rows are the words that look, the columns the words looked at, painted by "
            "role along the edges." + cells + scale.note() + sink_note(pattern.sink)
        ),
    )


def _marked(pattern: AttentionPattern, names: Sequence[str]) -> tuple[tuple[int, int], ...]:
    """Places (layer, head) in the values of the named heads."""
    if isinstance(names, str):
        raise ValueError(f"expected a list of heads such as ['L5H3'], got {names!r}")
    places = []
    for name in names:
        layer, head = read_head_name(name)
        if layer not in pattern.layers or head not in pattern.heads:
            raise ValueError(
                f"no head {name} in this pattern: it has layers {pattern.layers} and heads "
                f"{pattern.heads}"
            )
        places.append((pattern.layers.index(layer), pattern.heads.index(head)))
    return tuple(places)


def _records(pattern: AttentionPattern) -> list[Record]:
    """What the row that predicts the answer pays, head by head: whole maps are the pattern's."""
    row = pattern.answer_rows[0]
    roles = pattern.roles
    return [
        {
            "model": pattern.model,
            "text": pattern.text,
            "head": head_name(layer, head),
            "query": row,
            "key": key,
            "token": pattern.tokens[key],
            "role": roles[key],
            "attention": float(pattern.values[i, j, row, key]),
        }
        for i, layer in enumerate(pattern.layers)
        for j, head in enumerate(pattern.heads)
        for key in range(row + 1)
    ]


def _describe(pattern: AttentionPattern) -> str:
    mass = pattern.role_mass(pattern.answer_rows[0]).mean(axis=(0, 1))
    shares = ", ".join(
        f"{role} {100 * share:.0f}%"
        for role, share in zip(ROLES, mass, strict=True)
        if role in pattern.roles
    )
    return (
        f"Small attention maps of {len(pattern.layers)} layers x {len(pattern.heads)} heads of "
        f"{pattern.model}, {pattern.text}. Mean attention of the row that predicts the answer, by "
        f"role: {shares}."
    )


def _draw(
    theme: Theme,
    *,
    pattern: AttentionPattern,
    marked: Sequence[tuple[int, int]],
    scale: Scale,
    pooled: int,
) -> MplFigure:
    n_layers, n_heads = len(pattern.layers), len(pattern.heads)
    blocks, side = _blocks(n_layers, n_heads)
    rows = -(-n_layers // blocks)
    step = side + _BETWEEN
    block_width = _LAYER_NAMES + STRIP + 0.03 + n_heads * step
    top = _HEADING + _HEAD_NAMES
    left_of_blocks = [b * (block_width + _BETWEEN_BLOCKS - _LAYER_NAMES) for b in range(blocks)]
    width = left_of_blocks[-1] + block_width + 0.95
    bar = min(max(rows * step, 1.1), 2.4)
    key = top + bar + 0.2
    canvas = Canvas(max(width, 3.4), max(top + rows * step + STRIP + 0.05, key + 3 * KEY_LINE))
    sheet = canvas.sheet()
    sheet.text(
        0, _HEADING / 2, shorten(printable(f"{pattern.model}, {pattern.text}"), 80), fontsize=10,
        fontweight="bold", va="center",
    )  # fmt: skip
    for block, left in enumerate(left_of_blocks):
        first = block * rows
        here = range(first, min(first + rows, n_layers))
        x = left + _LAYER_NAMES + STRIP + 0.03
        grid = canvas.axes(x, top, n_heads * step, len(here) * step)
        _draw_block(grid, pattern, here, side, scale, pooled, theme)
        for layer in here:
            y = top + (layer - first) * step
            sheet.text(
                left + _LAYER_NAMES - 0.05, y + side / 2, f"L{pattern.layers[layer]}", ha="right",
                va="center_baseline", fontsize=LABEL_FONT, color=theme.ink,
            )  # fmt: skip
            strip = canvas.axes(left + _LAYER_NAMES, y, STRIP, side)
            draw_strip(strip, pattern.words, pattern.size, side, theme, vertical=True)
        for at, head in enumerate(pattern.heads):
            sheet.text(
                x + at * step + side / 2, top - _HEAD_NAMES / 2, f"H{head}", ha="center",
                va="center_baseline", fontsize=LABEL_FONT, color=theme.ink,
            )  # fmt: skip
            strip = canvas.axes(x + at * step, top + len(here) * step, side, STRIP)
            draw_strip(strip, pattern.words, pattern.size, side, theme, vertical=False)
        for layer, head in marked:
            if layer in here:
                sheet.add_patch(
                    Rectangle(
                        (x + head * step - 0.02, top + (layer - first) * step - 0.02),
                        side + 0.04, side + 0.04, fill=False, edgecolor=theme.ink, linewidth=1.8,
                    )
                )  # fmt: skip
    beside = canvas.width - 0.72
    draw_colour_bar(canvas.axes(beside, top, 0.13, bar), scale, "attention")
    draw_role_key(sheet, beside, key, theme, roles=marked_roles(pattern.roles))
    return canvas.figure


def _blocks(n_layers: int, n_heads: int) -> tuple[int, float]:
    """Return into how many blocks the layers go, side by side, and a thumbnail's inches.

    The number that brings the page nearest to three quarters as high as wide.
    """
    best: tuple[float, int, float] | None = None
    for blocks in range(1, n_layers + 1):
        side = _WIDEST / (blocks * n_heads) - _BETWEEN
        if blocks > 1 and side < _SMALLEST:
            break
        side = min(max(side, _SMALLEST), _LARGEST)
        rows = -(-n_layers // blocks)
        width = blocks * (n_heads * (side + _BETWEEN) + _BETWEEN_BLOCKS)
        shape = abs(np.log(rows * (side + _BETWEEN) / width / 0.75))
        if best is None or shape < best[0]:
            best = (float(shape), blocks, side)
    assert best is not None  # a pattern has a layer
    return best[1], best[2]


def _draw_block(
    axes: Axes,
    pattern: AttentionPattern,
    layers: range,
    side: float,
    scale: Scale,
    pooled: int,
    theme: Theme,
) -> None:
    """Draw the thumbnails of some layers, each as one image over axes in thumbnails."""
    filled = side / (side + _BETWEEN)
    for row, layer in enumerate(layers):
        for column in range(len(pattern.heads)):
            axes.add_patch(
                Rectangle(
                    (column, row), filled, filled, facecolor=theme.void, linewidth=0, zorder=-1
                )
            )
            axes.imshow(
                _thumbnail(pattern.values[layer, column], pooled), cmap=MAP_COLOURS, vmin=0,
                vmax=scale.vmax, interpolation="none",
                extent=(column, column + filled, row + filled, row),
            )  # fmt: skip
    axes.set_aspect("auto")
    axes.set_xlim(0, len(pattern.heads))
    axes.set_ylim(len(layers), 0)
    axes.set_axis_off()


def _thumbnail(values: np.ndarray, pooled: int) -> np.ma.MaskedArray:
    """Return the map with a pixel for ``pooled`` x ``pooled`` cells, the highest of them."""
    size = -(-len(values) // pooled)
    padded = np.zeros((size * pooled, size * pooled), dtype=np.float32)
    padded[: len(values), : len(values)] = values
    highest = padded.reshape(size, pooled, size, pooled).max(axis=(1, 3))
    return np.ma.masked_array(highest, np.triu(np.ones_like(highest, dtype=bool), k=1))
