"""What the browser runs: one ES module that draws the charts of a board."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

__all__ = ["board_module"]


@cache
def board_module() -> str:
    """Return the text of the module; its default export is what anywidget asks for."""
    return files(__package__).joinpath("board.js").read_text(encoding="utf-8")
