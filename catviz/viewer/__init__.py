"""The interactive viewer: every head of a text, in a notebook or in a page of its own.

>>> from catviz.viewer import AttentionViewer, write_viewer
>>> AttentionViewer(pattern)  # shows itself in a notebook  # doctest: +SKIP
>>> write_viewer("heads.html", pattern, after=tuned)  # one file, no network  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from catviz.lazy import load_lazily

if TYPE_CHECKING:
    from catviz.viewer.page import viewer_fragment, viewer_page, viewer_script, write_viewer
    from catviz.viewer.widget import AttentionViewer

__all__ = [
    "AttentionViewer",
    "viewer_fragment",
    "viewer_page",
    "viewer_script",
    "write_viewer",
]

_HOME = {
    "AttentionViewer": "widget",
    "viewer_fragment": "page",
    "viewer_page": "page",
    "viewer_script": "page",
    "write_viewer": "page",
}

__getattr__, __dir__ = load_lazily(__name__, _HOME)
