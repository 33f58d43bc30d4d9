"""The viewer in a page: whole, or as a fragment among others; one file, no request to anywhere."""

from __future__ import annotations

import json
import os
from base64 import b64encode
from pathlib import Path
from typing import TYPE_CHECKING

from catviz.figures.page import html_page
from catviz.figures.text import escape
from catviz.patterns import AttentionPattern
from catviz.viewer.module import viewer_module
from catviz.viewer.payload import viewer_payload
from catviz.words import ROLES

if TYPE_CHECKING:
    from catviz.figures.figure import Figure

__all__ = ["viewer_fragment", "viewer_page", "viewer_script", "write_viewer"]

_TITLE = "Attention, head by head"
_CSS = """\
main { max-width: 100rem; padding: 1.5rem; }
h1 { font-size: 1.5rem; line-height: 1.25; margin: 0 0 1rem; }
noscript table { border-collapse: collapse; margin: 1rem 0; }
noscript caption { text-align: left; }
noscript th, noscript td { padding: .2rem 1rem .2rem 0; text-align: left; }
"""


def viewer_page(
    pattern: AttentionPattern,
    *,
    after: AttentionPattern | None = None,
    title: str = _TITLE,
    static: Figure | None = None,
) -> str:
    """Return a whole HTML document with the viewer.

    Args:
        after: a second pattern of the same tokens; the page then shows before, after, difference.
        static: the picture for readers without JavaScript, for example
            ``attention_map([pattern.mean()])``; without it they get a small table.

    Raises:
        ValueError: the two patterns cannot be compared.

    >>> page = viewer_page(pattern)  # doctest: +SKIP
    """
    body = f"<h1>{escape(title)}</h1>\n{viewer_fragment(pattern, after=after, static=static)}"
    return html_page(title=title, body=f"{body}\n{viewer_script()}", css=_CSS)


def viewer_fragment(
    pattern: AttentionPattern,
    *,
    after: AttentionPattern | None = None,
    static: Figure | None = None,
) -> str:
    """Return the viewer as a part of a page, which holds :func:`viewer_script` once at its end.

    A fragment has no ids and styles nothing outside of itself: a page may hold several.
    """
    payload = viewer_payload(pattern, after=after)
    # In a script element only "</script" and "<!--" would be read as HTML.
    meta = json.dumps(payload.meta).replace("<", "\\u003c")
    data = b64encode(payload.data).decode()
    without_script = _table(pattern) if static is None else static.html()
    return (
        '<div class="catviz-viewer" data-catviz-viewer>\n'
        f'<script type="application/json" data-catviz="meta">{meta}</script>\n'
        f'<script type="text/plain" data-catviz="data">{data}</script>\n'
        f"<noscript>\n{without_script}\n</noscript>\n</div>"
    )


def viewer_script() -> str:
    """Return the script element that brings every fragment of its page to life."""
    return f'<script type="module">\n{viewer_module()}\nmountPage(document);\n</script>'


def write_viewer(
    path: str | os.PathLike[str],
    pattern: AttentionPattern,
    *,
    after: AttentionPattern | None = None,
    title: str = _TITLE,
    static: Figure | None = None,
) -> Path:
    """Write :func:`viewer_page` to a file that appears whole or not at all, and return its path."""
    from catviz.files import write_atomically

    path = Path(path)
    if path.suffix.lower() not in (".html", ".htm"):
        raise ValueError(f"expected a file name that ends in .html, got {path.name!r}")
    page = viewer_page(pattern, after=after, title=title, static=static)
    return write_atomically(path, page)


def _table(pattern: AttentionPattern) -> str:
    """Return what can be said without a script: the answer row's attention by role."""
    masses = pattern.role_mass().mean(axis=(0, 1))
    rows = "\n".join(
        f'<tr><th scope="row">{role}</th><td>{100 * mass:.1f}%</td></tr>'
        for role, mass in zip(ROLES, masses, strict=True)
        if role in pattern.roles
    )
    return (
        "<p>The heads are drawn by JavaScript, which is switched off here.</p>\n"
        f"<table>\n<caption>{escape(pattern.model)}, {escape(pattern.text)}: attention of the row "
        f"that predicts the answer, mean over all heads</caption>\n<tbody>\n{rows}\n</tbody>\n"
        "</table>"
    )
