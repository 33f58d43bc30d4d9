"""A few words in place of a picture, where there is nothing to draw."""

from __future__ import annotations

import textwrap
from functools import partial

from matplotlib.figure import Figure as MplFigure

from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.style import Theme
from catviz.figures.text import printable

__all__ = ["notice"]

# Inches.
_WIDTH = 7.0
_LINE = 0.21
_CHARACTERS = 90


def notice(text: str, *, title: str) -> Figure:
    """Say under a title why there is no picture.

    >>> notice("The folder holds no finished run.", title="Trained with alpha").alt
    'The folder holds no finished run.'
    """
    lines = [
        line
        for paragraph in text.splitlines()
        for line in textwrap.wrap(printable(paragraph), _CHARACTERS) or [""]
    ]
    return Figure(draw=partial(_draw, lines=lines), data=[{"says": text}], title=title, alt=text)


def _draw(theme: Theme, *, lines: list[str]) -> MplFigure:
    canvas = Canvas(_WIDTH, _LINE * len(lines) + 0.05)
    for at, line in enumerate(lines):
        canvas.text(0.02, _LINE * (at + 0.5), line, fontsize=9, va="center_baseline")
    return canvas.figure
