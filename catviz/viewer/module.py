"""The viewer's program: one ES module, joined from files of one idea each."""

from __future__ import annotations

import json
from functools import cache
from importlib.resources import files

__all__ = ["viewer_module"]

_PARTS = (
    "colours.js",
    "patterns.js",
    "scene.js",
    "canvas.js",
    "controls.js",
    "overview.js",
    "map.js",
    "words.js",
    "viewer.js",
    "mount.js",
)


@cache
def viewer_module() -> str:
    """Return the text of the module; its default export is what anywidget asks for.

    The parts know one another's names: joining them needs no build step and no imports, which a
    page opened from a disk could not resolve.
    """
    folder = files(__package__)
    css = folder.joinpath("viewer.css").read_text(encoding="utf-8")
    parts = [folder.joinpath(name).read_text(encoding="utf-8") for name in _PARTS]
    return "\n".join([f"const CSS = {json.dumps(css)};", *parts])
