"""What the browser runs: one ES module that draws the charts of a board."""

from __future__ import annotations

from functools import cache

from catviz.viewer.module import join_module

__all__ = ["board_module"]

_PARTS = (
    "frames.js",
    "svg.js",
    "axes.js",
    "looks.js",
    "lines.js",
    "dots.js",
    "map.js",
    "text.js",
    "card.js",
    "layout.js",
    "board.js",
)


@cache
def board_module() -> str:
    """Return the text of the module; its default export is what anywidget asks for."""
    return join_module(__package__, style="board.css", parts=_PARTS)
