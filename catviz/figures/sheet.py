"""Several figures as one: a sheet on which each keeps its title, in columns of one width."""

from __future__ import annotations

import io
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.figure import Figure as MplFigure
from matplotlib.transforms import Bbox

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.style import Theme
from catviz.figures.text import printable

__all__ = ["sheet"]

# Inches.
_COLUMN = 5.7
_GAP = 0.4
_TITLE_LINE = 0.2
_TITLE_GAP = 0.1
_TITLE_SIZE = 10.5  # points

_DPI = 192  # a figure's own: saved as PNG, each picture's pixels are drawn one to one
_WIDE = 1.35  # columns, from which on a figure takes the whole row


def sheet(figures: Sequence[Figure], *, title: str, caption: str = "", columns: int = 2) -> Figure:
    """Put several figures on one sheet, in reading order, each below its own title.

    Columns are equally wide. A figure is never enlarged; one that is a little wider than a column
    is made smaller, one that is much wider takes the whole row. Pictures are drawn at twice the
    screen's resolution, also in SVG and PDF: for print save the figures one by one.

    The sheet's ``data`` are those of all figures, each record with its figure's title as
    ``"figure"``; its caption is the given one, then theirs.

    Args:
        figures: at least one.
        columns: how many figures stand beside one another, at least one.

    >>> from catviz.figures import attention_density
    >>> density = attention_density({"plain": {"causal": [0.1, 0.2, 0.3]}})
    >>> both = sheet([density, density], title="Twice the same")
    >>> both.data[0]
    {'figure': 'Attention by role of the word', 'model': 'plain', 'role': 'causal', 'score': 0.1}
    """
    figures = tuple(figures)
    if not figures:
        raise ValueError("no figures to put on a sheet: expected at least one")
    if columns < 1:
        raise ValueError(f"expected at least one column, got {columns}")
    return Figure(
        draw=partial(_draw, figures=figures, columns=min(columns, len(figures))),
        data=[{"figure": one.title, **record} for one in figures for record in one.data],
        title=title,
        alt=" ".join(f"{one.title}: {one.alt}" for one in figures),
        caption=" ".join(
            [caption] * bool(caption)
            + [f"{one.title}: {one.caption}" for one in figures if one.caption]
        ),
    )


@dataclass(frozen=True, eq=False)
class _Picture:
    """A drawn figure; sizes in inches."""

    title: str  # in lines
    pixels: np.ndarray  # (row, column, RGB)
    spans: int  # columns

    @property
    def heading(self) -> float:
        return (self.title.count("\n") + 1) * _TITLE_LINE + _TITLE_GAP

    @property
    def height(self) -> float:
        return self.pixels.shape[0] / _DPI

    @property
    def width(self) -> float:
        return self.pixels.shape[1] / _DPI


def _draw(theme: Theme, *, figures: Sequence[Figure], columns: int) -> MplFigure:
    rows = _in_rows([_picture(one, theme, columns) for one in figures], columns)
    heights = [max(one.heading + one.height for one in row) for row in rows]
    canvas = Canvas(_width(columns), sum(heights) + _GAP * (len(rows) - 1))
    top = 0.0
    for row, height in zip(rows, heights, strict=True):
        heading = max(one.heading for one in row)
        left = 0.0
        for one in row:
            canvas.text(
                left, top + _TITLE_LINE * 0.75, one.title, fontsize=_TITLE_SIZE,
                fontweight="bold", va="baseline", linespacing=1.3,
            )  # fmt: skip
            axes = canvas.axes(left, top + heading, one.width, one.height)
            axes.imshow(one.pixels, interpolation="none", aspect="auto")
            axes.set_axis_off()
            left += _width(one.spans) + _GAP
        top += height + _GAP
    return canvas.figure


def _width(columns: int) -> float:
    return _COLUMN * columns + _GAP * (columns - 1)


def _in_rows(pictures: Sequence[_Picture], columns: int) -> list[list[_Picture]]:
    rows: list[list[_Picture]] = [[]]
    for one in pictures:
        if sum(before.spans for before in rows[-1]) + one.spans > columns:
            rows.append([])
        rows[-1].append(one)
    return rows


def _picture(figure: Figure, theme: Theme, columns: int) -> _Picture:
    drawn = figure.matplotlib(theme=theme.name)
    drawn.draw_without_rendering()  # lays it out
    box = drawn.get_tightbbox().padded(0.02)
    spans = columns if box.width > _WIDE * _COLUMN else 1
    width = _width(spans)
    drawn.set_layout_engine("none")  # it lies as it is measured
    dpi = _DPI * min(1.0, width / box.width)
    characters = int(width * 72 / (0.66 * _TITLE_SIZE))
    return _Picture(
        title=textwrap.fill(printable(figure.title), width=characters),
        pixels=_pixels(drawn, box, dpi),
        spans=spans,
    )


def _pixels(drawn: MplFigure, box: Bbox, dpi: float) -> np.ndarray:
    buffer = io.BytesIO()
    drawn.savefig(buffer, format="rgba", dpi=dpi, bbox_inches=box)
    columns = int(box.width * dpi)
    return np.frombuffer(buffer.getvalue(), np.uint8).reshape(-1, columns, 4)[..., :3]
