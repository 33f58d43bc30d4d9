"""A slider whose places are alphas, and a board whose frames it turns, in the browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import ipywidgets as widgets

from catviz.widgets.board import Board
from catviz.widgets.charts import Chart

__all__ = ["AlphaSlider", "BoardPlace", "alpha_ticks"]


class AlphaSlider(widgets.SelectionSlider):
    """A slider over named places, the untouched model at the left end."""

    def __init__(self) -> None:
        super().__init__(
            options=["plain"],
            description="alpha",
            continuous_update=True,
            disabled=True,  # until there is something to turn
            style={"description_width": "3.5em"},
            layout=widgets.Layout(width="32em", max_width="100%"),
        )
        self.add_class("catviz-alpha")

    def set_places(self, names: Sequence[str], at: int = 0) -> None:
        """Name the places from the left, and stand at one of them."""
        self.options = list(names)
        self.index = at
        self.disabled = False


class BoardPlace(widgets.Box):
    """Where a board stands whose frames follow a slider; new frames come on a new board.

    Args:
        slider: its index is the frame's number. The two are linked in the browser, so that charts
            follow at once, also while the kernel is busy.
        order: the charts' names in reading order.
    """

    def __init__(self, slider: AlphaSlider, order: Sequence[str]) -> None:
        super().__init__(layout=widgets.Layout(width="100%"))
        self._slider, self._order = slider, list(order)
        self._link: widgets.widget_link.DirectionalLink | None = None
        self.board: Board | None = None

    def show(
        self, frames: Sequence[Mapping[str, Chart]], still: Mapping[str, Chart] | None = None
    ) -> None:
        """Show frames, one for each place of the slider, and charts that stay as they are."""
        if len(frames) != len(self._slider.options):
            raise ValueError(
                f"expected a frame for each of the {len(self._slider.options)} places of the "
                f"slider, got {len(frames)}"
            )
        board = Board(
            order=self._order, frame=self._slider.index, layout=widgets.Layout(width="100%")
        )
        board.show(still or {})
        for frame in frames:
            board.add_frame(frame)
        link = widgets.jsdlink((self._slider, "index"), (board, "frame"))
        self.children = (board,)
        if self.board is not None and self._link is not None:
            self._link.close()
            self.board.close()
        self.board, self._link = board, link


def alpha_ticks(names: Sequence[str]) -> list[tuple[float, str]]:
    """The places of an axis below a line over alphas: in order, not to scale.

    >>> alpha_ticks(["plain", "0.3"])
    [(0.0, 'plain'), (1.0, '0.3')]
    """
    return [(float(at), name) for at, name in enumerate(names)]
