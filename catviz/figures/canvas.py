"""A figure measured in inches from its upper left corner, as one lays out a page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.text import Text

__all__ = ["Canvas"]


class Canvas:
    """A matplotlib figure with places in inches, x to the right and y down.

    >>> canvas = Canvas(8, 3)
    >>> axes = canvas.axes(2, 0, 4, 1.5)  # the middle of the upper half
    >>> tuple(float(edge) for edge in axes.get_position().extents)
    (0.25, 0.5, 0.75, 1.0)
    """

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self.figure = MplFigure(figsize=(width, height))

    def axes(self, x: float, y: float, width: float, height: float) -> Axes:
        """Add axes whose upper left corner is at (x, y)."""
        return self.figure.add_axes(
            (
                x / self.width,
                1 - (y + height) / self.height,
                width / self.width,
                height / self.height,
            )
        )

    def at(self, x: float, y: float) -> Callable[[float, float, float, float], Axes]:
        """Return :meth:`axes` with places counted from (x, y)."""
        return lambda right, down, width, height: self.axes(x + right, y + down, width, height)

    def text(self, x: float, y: float, text: str, **style: Any) -> Text:
        """Add a text at (x, y)."""
        return self.figure.text(x / self.width, 1 - y / self.height, text, **style)

    def sheet(self) -> Axes:
        """Add invisible axes over the whole figure whose data are inches, to draw shapes on."""
        axes = self.figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(0, self.width)
        axes.set_ylim(self.height, 0)
        axes.set_axis_off()
        return axes
