"""Panels for a notebook: turn alpha, watch attention move.

>>> from catviz.widgets import TrainedAlpha
>>> TrainedAlpha()  # in a notebook  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from catviz.lazy import load_lazily

if TYPE_CHECKING:
    from catviz.widgets.explorer import Explorer
    from catviz.widgets.game_builder import GameBuilder
    from catviz.widgets.live import LiveTraining
    from catviz.widgets.steered import SteeredAlpha
    from catviz.widgets.trained import TrainedAlpha

__all__ = ["Explorer", "GameBuilder", "LiveTraining", "SteeredAlpha", "TrainedAlpha"]

_HOME = {
    "Explorer": "explorer",
    "GameBuilder": "game_builder",
    "LiveTraining": "live",
    "SteeredAlpha": "steered",
    "TrainedAlpha": "trained",
}

__getattr__, __dir__ = load_lazily(__name__, _HOME)
