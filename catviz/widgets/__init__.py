"""Panels for a notebook: turn alpha, watch attention move.

>>> from catviz.widgets import TrainedAlpha
>>> TrainedAlpha()  # in a notebook  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from catviz.lazy import load_lazily

if TYPE_CHECKING:
    from catviz.widgets.alpha.steered import SteeredAlpha
    from catviz.widgets.alpha.trained import TrainedAlpha
    from catviz.widgets.explorer.explorer import Explorer
    from catviz.widgets.game.builder import GameBuilder
    from catviz.widgets.live.training import LiveTraining
    from catviz.widgets.review.signal_review import SignalReview

__all__ = [
    "Explorer",
    "GameBuilder",
    "LiveTraining",
    "SignalReview",
    "SteeredAlpha",
    "TrainedAlpha",
]

_HOME = {
    "Explorer": "explorer.explorer",
    "GameBuilder": "game.builder",
    "LiveTraining": "live.training",
    "SignalReview": "review.signal_review",
    "SteeredAlpha": "alpha.steered",
    "TrainedAlpha": "alpha.trained",
}

__getattr__, __dir__ = load_lazily(__name__, _HOME)
