"""What is chosen for a live run, and the buttons that start, hold and end it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import ipywidgets as widgets

from cat.signals import Example
from catviz.widgets.button import PushButton
from catviz.widgets.fields import PLAIN, parse_alpha
from catviz.widgets.live.run import TrainingRun
from catviz.widgets.live.status import describe_run

__all__ = ["LiveControls"]

_ALPHAS = (0.3, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
_CONSTANTS = ("0", "0.01", "0.1", "0.3", "1", "3")
_GAMMAS = (("e^-epoch, as in the paper", "epoch"), *((gamma, gamma) for gamma in _CONSTANTS))
_PACES = (("as fast as it goes", 0.0), ("10 steps a second", 0.1), ("2 steps a second", 0.5))
_WEIGHTS = (("all weights", False), ("a LoRA adapter", True))
_WIDE = {"description_width": "initial"}


class LiveControls:
    """The controls of a live run, in rows.

    Attributes:
        alpha, typed: a slider over usual values, and a field for any.
        gamma, texts, weights, pace: what the run is made with; gamma and pace can be moved later.
        train, pause, stop, reset: buttons.
        replay: a slider over the moments of the run.
        status: a line about it.

    Args:
        data: see :class:`catviz.widgets.LiveTraining`.

    >>> controls = LiveControls(None)
    >>> controls.follow_typed("12")
    12.0
    >>> controls.alpha.value
    '10'
    """

    def __init__(self, data: Mapping[str, Sequence[Example]] | None) -> None:
        self.alpha = widgets.SelectionSlider(
            options=[PLAIN, *(f"{alpha:g}" for alpha in _ALPHAS)],
            value="10",
            description="alpha",
            style=_WIDE,
        )
        self.typed = widgets.Text(
            value="10",
            description="or type it",
            continuous_update=False,
            style=_WIDE,
            layout=widgets.Layout(width="12em"),
        )
        self.gamma = _dropdown("gamma, its weight", _GAMMAS)
        self.texts = _dropdown("training texts", _sizes(data))
        self.weights = _dropdown("what is trained", _WEIGHTS)
        self.pace = _dropdown("slow down for the eye", _PACES)
        self.train = PushButton("Train", primary=True)
        self.pause = PushButton("Pause")
        self.stop = PushButton("Stop")
        self.reset = PushButton("Reset")
        self.replay = widgets.IntSlider(
            min=0,
            max=0,
            description="replay",
            readout=False,
            disabled=True,
            style=_WIDE,
            layout=widgets.Layout(width="min(100%, 34em)"),
        )
        self.status = widgets.HTML()
        for name, control in vars(self).items():
            control.add_class(f"catviz-{name}")
        self._is_following = False

    @property
    def rows(self) -> list[widgets.Widget]:
        """What is chosen; the buttons and the replay; the status."""
        return [
            widgets.VBox(
                [
                    _row(self.alpha, self.typed, self.gamma),
                    _row(self.texts, self.weights, self.pace),
                ]
            ),
            _row(self.train, self.pause, self.stop, self.reset, self.replay),
            self.status,
        ]

    def follow_slider(self) -> None:
        """Write the slider's alpha into the field."""
        if not self._is_following:
            self.typed.value = self.alpha.value

    def follow_typed(self, text: str) -> float | None:
        """Move the slider next to what was typed, and return that alpha.

        Raises:
            ValueError: it is no alpha.
        """
        alpha = parse_alpha(text)
        self._is_following = True  # or else the slider would write its own value into the field
        try:
            self.alpha.value = PLAIN if alpha is None else f"{_nearest(alpha):g}"
        finally:
            self._is_following = False
        return alpha

    def show(self, run: TrainingRun) -> None:
        """Enable what can be done now, and say where the run is."""
        can_go_on = run.state in ("running", "paused")
        self.train.disabled = self.texts.disabled = self.weights.disabled = run.active
        self.pause.disabled = self.stop.disabled = not can_go_on
        self.pause.description = "Resume" if run.state == "paused" else "Pause"
        self.reset.disabled = run.state == "idle"
        self.replay.disabled = run.active or len(run.snapshots) < 2
        self.status.value = escape(describe_run(run))

    def show_moments(self, number: int) -> None:
        """Let the replay end at the newest of so many moments, and stand there."""
        self.replay.max = max(number - 1, 0)
        self.replay.value = self.replay.max


def _sizes(data: Mapping[str, Sequence[Example]] | None) -> list[tuple[str, Any]]:
    """How many training texts are offered, most first."""
    if data is None:
        return [("L, 1,600 texts", "L"), ("M, 800 texts", "M"), ("S, 400 texts", "S")]
    n = len(data["train"])
    shares = (("all", n), ("a half", n // 2), ("a quarter", n // 4))
    return [(f"{name}, {size:,} texts", size) for name, size in shares if size]


def _nearest(alpha: float) -> float:
    return min(_ALPHAS, key=lambda one: abs(one - alpha))


def _dropdown(name: str, options: Sequence[tuple[str, Any]]) -> widgets.Dropdown:
    return widgets.Dropdown(
        options=options,
        description=name,
        style=_WIDE,
        layout=widgets.Layout(width="max-content"),
    )


def _row(*controls: widgets.Widget) -> widgets.Box:
    return widgets.HBox(controls, layout=widgets.Layout(flex_flow="row wrap"))
