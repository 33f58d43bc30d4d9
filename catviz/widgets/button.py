"""A button that outlives its kernel without an error."""

from __future__ import annotations

from collections.abc import Callable
from importlib.resources import files
from typing import Any

import anywidget
import traitlets
from ipywidgets import CallbackDispatcher

__all__ = ["PushButton"]

_LAYOUT = {"width": "11em", "margin": "2px"}


class PushButton(anywidget.AnyWidget):
    """As ipywidgets' Button; pressed after the kernel was restarted it says so, where that one
    throws an error into the browser's console.

    Args:
        description: what stands on it.
        primary: whether it is the one to press first.

    >>> button = PushButton("Train", primary=True)
    >>> button.on_click(lambda button: print(f"{button.description} was pressed"))
    >>> button.click()
    Train was pressed
    """

    _esm = files(__package__).joinpath("button.js").read_text(encoding="utf-8")

    description = traitlets.Unicode().tag(sync=True)
    disabled = traitlets.Bool(False).tag(sync=True)
    primary = traitlets.Bool(False).tag(sync=True)

    def __init__(self, description: str = "", **traits: Any) -> None:
        super().__init__(description=description, **{"layout": _LAYOUT, **traits})
        self._pressed = CallbackDispatcher()
        self.on_msg(self._hear)

    def on_click(self, callback: Callable[[PushButton], object]) -> None:
        """Call back with the button whenever it is pressed."""
        self._pressed.register_callback(callback)

    def click(self) -> None:
        """Press it from code."""
        self._pressed(self)

    def _hear(self, widget: Any, content: dict[str, Any], buffers: list[bytes]) -> None:
        if content.get("event") == "click":
            self.click()
