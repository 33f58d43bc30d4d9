"""Room for text: a legend row that saving cannot move, and the width of a label."""

from collections.abc import Sequence

from matplotlib.artist import Artist
from matplotlib.figure import Figure as MplFigure
from matplotlib.font_manager import FontProperties
from matplotlib.layout_engine import ConstrainedLayoutEngine
from matplotlib.textpath import text_to_path

__all__ = ["figure_with_legend", "text_inches"]

_LEGEND_ROW = 0.24  # inches
_LEGEND_GAP = 0.12


def figure_with_legend(
    width: float, height: float, handles: Sequence[Artist], *, columns: int = 4
) -> MplFigure:
    """Return a figure that lays itself out below a legend in its upper left corner, in inches.

    matplotlib's "outside" legends do the same on screen, but move when saved with a tight box.
    """
    rows = -(-len(handles) // columns)
    top = rows * _LEGEND_ROW + _LEGEND_GAP
    height += top
    below = ConstrainedLayoutEngine(rect=(0, 0, 1, 1 - top / height))
    figure = MplFigure(figsize=(width, height), layout=below)
    figure.legend(
        handles=handles, loc="upper left", bbox_to_anchor=(0, 1), ncols=columns, handlelength=3.2,
        borderaxespad=0, columnspacing=2.2,
    )  # fmt: skip
    return figure


def text_inches(text: str, size: float) -> float:
    """Return how long a line of text is in the current font family."""
    width, _, _ = text_to_path.get_text_width_height_descent(
        text, FontProperties(size=size), ismath=False
    )
    return float(width) / 72
