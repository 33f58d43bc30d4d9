"""A figure in a panel, light or dark as the notebook is."""

from __future__ import annotations

from base64 import b64encode

import ipywidgets as widgets

from catviz.figures.figure import Figure
from catviz.figures.text import escape

__all__ = ["Picture"]

_STYLE = """\
<style>
.catviz-picture img { max-width: 100%; height: auto; }
.catviz-picture .catviz-dark, [data-jp-theme-light="false"] .catviz-picture .catviz-light {
  display: none;
}
[data-jp-theme-light="false"] .catviz-picture .catviz-dark { display: inline; }
</style>"""


class Picture(widgets.HTML):
    """Shows one figure at a time; both themes lie in the browser.

    >>> from catviz.figures import causal_graph
    >>> from cat.stg import STG_E
    >>> picture = Picture()
    >>> picture.show(causal_graph(STG_E))
    >>> "Arrows: Smoking to Yellow fingers" in picture.value
    True
    """

    def __init__(self) -> None:
        super().__init__()
        self.add_class("catviz-picture")

    def show(self, figure: Figure) -> None:
        """Show this figure instead; any thread may ask for it."""
        images = [
            f'<img class="catviz-{theme}" alt="{escape(figure.alt)}" '
            f'src="data:image/svg+xml;base64,{b64encode(svg).decode("ascii")}">'
            for theme, svg in (
                ("light", figure.render("svg", titled=False)),
                ("dark", figure.render("svg", theme="dark", titled=False)),
            )
        ]
        self.value = _STYLE + "".join(images)
