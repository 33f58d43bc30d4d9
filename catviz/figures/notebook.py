"""How pictures show in a notebook: in its theme, and in few bytes, for all are kept in its file."""

from __future__ import annotations

import io
from base64 import b64encode
from hashlib import sha256
from typing import Any

from catviz.figures.text import escape

__all__ = ["few_colours", "figure_output", "image_output"]

_COLOURS = 128
_DARK = '[data-jp-theme-light="false"] .{0}, .vscode-dark .{0}'


def few_colours(png: bytes) -> bytes:
    """The picture with a palette: a third of the bytes, and to the eye the same."""
    from PIL import Image

    small = io.BytesIO()
    whole = Image.open(io.BytesIO(png)).convert("RGB")
    whole.quantize(_COLOURS, Image.Quantize.FASTOCTREE).save(small, "png")
    return small.getvalue()


def image_output(png: bytes) -> tuple[str, dict[str, int]]:
    """What a notebook stores of a figure's picture: base64, and its size on the screen.

    Figures have two pixels for one of the screen's.
    """
    width, height = (int.from_bytes(png[at : at + 4], "big") // 2 for at in (16, 20))
    return b64encode(png).decode("ascii"), {"width": width, "height": height}


def figure_output(
    text: str, light: bytes, dark: bytes, *, alt: str, caption: str
) -> tuple[dict[str, str], dict[str, Any]]:
    """A figure's output in a notebook: text, a picture, and HTML that follows the theme.

    The dark picture lies in a style sheet: where that is not allowed, as on GitHub, the light one
    is shown.

    Args:
        light, dark: PNG.
        caption: a sentence below, or none.
    """
    light, dark = few_colours(light), few_colours(dark)
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
