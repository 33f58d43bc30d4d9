"""The viewer's program, and how such programs are made: one ES module, joined from small files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

__all__ = ["join_module", "viewer_module"]

_SHARED = (
    "colours.js",
    "numbers.js",
    "triangle.js",
    "canvas.js",
    "map_drawing.js",
    "chips.js",
    "table.js",
)
_PARTS = (
    "patterns.js",
    "scene.js",
    "controls.js",
    "overview.js",
    "map.js",
    "words.js",
    "viewer.js",
    "mount.js",
)


@cache
def viewer_module() -> str:
    """Return the text of the module; its default export is what anywidget asks for."""
    return join_module("catviz.viewer", style="viewer.css", parts=_PARTS)


def join_module(package: str, *, style: str, parts: Sequence[str]) -> str:
    """Return one ES module: what all front ends share, then the files of a package.

    The parts know one another's names: joining them needs no build step and no imports, which a
    page opened from a disk could not resolve.

    Args:
        package: where the files are.
        style: the file of its styles, which come after those that all share.
        parts: its programs, in order; the last one exports.
    """
    shared, own = files("catviz.viewer"), files(package)
    styles = [shared.joinpath("base.css"), own.joinpath(style)]
    programs = [*map(shared.joinpath, _SHARED), *map(own.joinpath, parts)]
    css = ", ".join(json.dumps(file.read_text(encoding="utf-8")) for file in styles)
    texts = [file.read_text(encoding="utf-8") for file in programs]
    return "\n".join([f'const CSS = [{css}].join("");', *texts])
