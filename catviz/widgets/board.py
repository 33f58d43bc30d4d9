"""A board of small charts in a notebook that change together, some with a number of frames."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

import anywidget
import traitlets

from catviz.widgets.charts import Chart, encode
from catviz.widgets.front import board_module

__all__ = ["Board"]


class Board(anywidget.AnyWidget):
    """Small charts beside one another; turning :attr:`frame` changes those that have frames.

    All frames lie in the browser: link a slider to ``frame`` with ``ipywidgets.jslink`` and the
    charts follow it at once, whatever the kernel is doing. What is shown travels in messages and
    is no part of the widget's state, so a saved notebook stays small.

    Any thread may call :meth:`show` and :meth:`add_frame`. In the page each chart is a ``figure``
    with ``data-chart``, its name, and ``data-frame``, the number of the frame that it shows.

    Args:
        order: names of the charts, in reading order; those that are not named come after them.

    >>> from catviz.widgets.charts import Line, LineChart
    >>> board = Board(order=["loss"])
    >>> board.show({"loss": LineChart("Loss", "step", "nats", [Line("loss", [1, 2], [0.5, 0.4])])})
    """

    _esm = board_module()

    frame = traitlets.Int(-1, help="which frame is shown; -1 for the newest").tag(sync=True)
    n_frames = traitlets.Int(0, help="how many there are").tag(sync=True)
    order = traitlets.List(traitlets.Unicode()).tag(sync=True)

    def __init__(self, order: Sequence[str] = (), **traits: Any) -> None:
        super().__init__(order=list(order), **traits)
        self._lock = threading.RLock()
        self._shown: dict[str, Chart] = {}
        self._frames: list[dict[str, Chart]] = []
        self.on_msg(self._answer)

    def show(self, charts: Mapping[str, Chart]) -> None:
        """Show charts that are the same in every frame; those shown before stay until replaced."""
        with self._lock:
            self._shown.update(charts)
            self._send_charts("show", charts)

    def add_frame(self, charts: Mapping[str, Chart]) -> int:
        """Add a frame and return its number; it is shown at once where ``frame`` is -1.

        A chart of the same name in :meth:`show` is hidden behind the frame's.
        """
        with self._lock:
            self._frames.append(dict(charts))
            self._send_charts("frame", charts, number=len(self._frames) - 1)
            self.n_frames = len(self._frames)
            return self.n_frames - 1

    def clear(self) -> None:
        """Take everything off the board."""
        with self._lock:
            self._shown, self._frames = {}, []
            self.send({"kind": "clear"})
            self.frame, self.n_frames = -1, 0

    @property
    def charts(self) -> dict[str, Chart]:
        """What is to be seen now; the newest frame where :attr:`frame` says one beyond it."""
        with self._lock:
            if not self._frames:
                return dict(self._shown)
            last = len(self._frames) - 1
            return self._shown | self._frames[min(self.frame, last) if self.frame >= 0 else last]

    def _send_charts(self, kind: str, charts: Mapping[str, Chart], **more: Any) -> None:
        content, buffers = encode(charts)
        self.send({"kind": kind, "charts": content, **more}, buffers)

    def _answer(self, widget: Any, content: dict[str, Any], buffers: list[bytes]) -> None:
        """A page that was loaded again asks for everything."""
        if content.get("kind") != "everything":
            return
        with self._lock:
            self.send({"kind": "clear"})
            self._send_charts("show", self._shown)
            for number, charts in enumerate(self._frames):
                self._send_charts("frame", charts, number=number)
