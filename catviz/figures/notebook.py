"""How pictures show in a notebook: in its theme, and in few bytes, for all are kept in its file."""

from __future__ import annotations

import io
from base64 import b64encode
from hashlib import sha256
from typing import Any

from catviz.figures.text import escape

__all__ = ["figure_output", "image_output", "smaller"]

_COLOURS = 128
_SCREEN_DPI = 96
_DARK = '[data-jp-theme-light="false"] .{0}, .vscode-dark .{0}'


def smaller(png: bytes) -> bytes:
    """The picture with a palette: a third of the bytes, and to the eye the same."""
    from PIL import Image

    whole = Image.open(io.BytesIO(png))
    few = whole.convert("RGB").quantize(_COLOURS, Image.Quantize.FASTOCTREE)
    small = io.BytesIO()
    few.save(small, "png", dpi=whole.info["dpi"])
    return small.getvalue()


def image_output(png: bytes) -> tuple[str, dict[str, int]]:
    """What a notebook stores of a picture: base64, and its size on the screen."""
    from PIL import Image

    picture = Image.open(io.BytesIO(png))
    width, height = (
        round(pixels * _SCREEN_DPI / dpi)
        for pixels, dpi in zip(picture.size, picture.info["dpi"], strict=True)
    )
    return b64encode(png).decode("ascii"), {"width": width, "height": height}


def figure_output(
    text: str, light: bytes, dark: bytes, *, alt: str, caption: str
) -> tuple[dict[str, str], dict[str, Any]]:
    """A figure's output in a notebook: text, a picture, and HTML that follows the theme.

    The dark picture lies in a style sheet: where that is not allowed, as on GitHub, the light one
    is shown.

    Args:
        light, dark: PNG, as figures render it.
        caption: a sentence below, or none.
    """
    light, dark = smaller(light), smaller(dark)
    data, size = image_output(light)
    name = "catviz-" + sha256(light + dark).hexdigest()[:16]
    dark_url = f"data:image/png;base64,{image_output(dark)[0]}"
    html = (
        f'<figure>\n<style>{_DARK.format(name)} {{ content: url("{dark_url}"); }}</style>\n'
        f'<img class="{name}" src="data:image/png;base64,{data}" alt="{escape(alt)}" '
        f'width="{size["width"]}" style="max-width:100%;height:auto">\n'
        f"<figcaption>{escape(caption)}</figcaption>\n</figure>"
    )
    return {"text/plain": text, "text/html": html, "image/png": data}, {"image/png": size}
