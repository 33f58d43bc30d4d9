"""Live training: choose alpha, press Train, and watch where the model looks while it learns."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import ipywidgets as widgets

from cat.signals import Example
from catviz.figures.figure import Figure
from catviz.widgets.board import Board
from catviz.widgets.fields import parse_alpha
from catviz.widgets.live.charts import ORDER, Moment, charts_of
from catviz.widgets.live.controls import LiveControls
from catviz.widgets.live.run import TrainingPlan, TrainingRun
from catviz.widgets.live.status import describe_run
from catviz.widgets.panel import Panel

if TYPE_CHECKING:
    from cat.evaluate import Evaluation
    from cat.records import StepRecord
    from catviz.snapshots import Snapshot
    from catviz.widgets.live.run import Setting

__all__ = ["LiveTraining", "TrainingResult"]

_ONE_CLICK = 0.4  # seconds, within which a second click belongs to the first


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """What a run left.

    Attributes:
        model, tokenizer: the trained model (a PEFT model after LoRA), ready to answer.
        records: one a step.
        snapshots: what was seen of the model on the way.
        settings: alpha and gamma, each time they took effect.
        evaluations: name -> answers to the test set; empty where the run was stopped.
    """

    model: Any
    tokenizer: Any
    records: Sequence[StepRecord]
    snapshots: Sequence[Snapshot]
    settings: Sequence[Setting]
    evaluations: Mapping[str, Evaluation]


class LiveTraining(Panel):
    """Train a small model before everybody's eyes.

    Alpha and gamma can be moved while it trains; they act from the next step on. Afterwards the
    slider "replay" goes through the run, and :attr:`result` holds the trained model:

    >>> panel = LiveTraining()
    >>> panel  # in a notebook  # doctest: +SKIP
    >>> panel.train()  # or press Train  # doctest: +SKIP
    >>> panel.wait()  # doctest: +SKIP
    >>> AttentionLens(panel.result.model, panel.result.tokenizer)  # doctest: +SKIP

    Args:
        data: "train" and any number of test sets by name ("test_iid" and "test_ood" are told as in
            and out of distribution); None for STG_E.
        model: a name of :func:`cat.models.load_model`, loaded anew for each run.
        fresh_model: gives (model, tokenizer) instead, for example with other words; called once a
            run.
        block: train in the callback itself and return when the run has ended, for notebooks whose
            page a thread cannot update (Colab). Interrupting the kernel stops the run.
        threads: that torch computes on; None for one on a small model, else torch's choice.

    Attributes:
        run: the run itself: its state, records, snapshots (:class:`TrainingRun`).
        controls: what is chosen, and the buttons.
        board: the charts.

    Raises:
        ValueError: data without "train", without a test set, or with an empty one.
    """

    def __init__(
        self,
        data: Mapping[str, Sequence[Example]] | None = None,
        *,
        model: str = "tiny",
        fresh_model: Callable[[], tuple[Any, Any]] | None = None,
        block: bool = False,
        threads: int | None = None,
    ) -> None:
        _check_data(data)
        self._data, self._model, self._fresh_model = data, model, fresh_model
        self._block, self._threads = block, threads
        self._clicked = -_ONE_CLICK
        self._showing = threading.RLock()
        self.run = TrainingRun(on_snapshot=self._add_frame, on_state=self._show_state)
        self.controls = LiveControls(data)
        self.board = Board(order=ORDER)
        self._link = widgets.jslink((self.controls.replay, "value"), (self.board, "frame"))
        super().__init__(
            "Live training",
            "Choose alpha, press Train, and watch what the model reads while it learns: alpha is "
            "how many times more attention a cause should get than any other word.",
            [*self.controls.rows, self.board],
        )
        self._connect()
        self._show_state()

    def _connect(self) -> None:
        controls, run = self.controls, self.run
        self.on(controls.alpha, "value", controls.follow_slider)
        self.on(controls.typed, "value", self._alpha_was_typed)
        self.on(controls.gamma, "value", lambda: run.set_gamma(controls.gamma.value))
        self.on(controls.pace, "value", lambda: run.set_pace(controls.pace.value))
        self.on(controls.train, "click", self._train_was_clicked)
        self.on(controls.pause, "click", self._pause_or_resume)
        self.on(controls.stop, "click", run.stop)
        self.on(controls.reset, "click", self.reset)

    # ---------------------------------------------------------------------------- from code

    def train(self) -> None:
        """Start a run with what is chosen, as the button does; nothing happens while one is active.

        Raises:
            ValueError: what is typed as alpha is none.
        """
        plan = self._plan()
        if not self.run.active:
            self._clear()
        self.run.start(plan, block=self._block and _on_main_thread())

    def wait(self, seconds: float | None = None) -> bool:
        """Wait for the run's end; False where it has not come by then."""
        return self.run.wait(seconds)

    def stop(self) -> None:
        """End the run, as the button does."""
        self.run.stop()

    def reset(self) -> None:
        """Forget the run, as the button does."""
        self.run.reset()
        self._clear()

    def close(self) -> None:
        """Take the panel off the page; a run that is active ends."""
        if run := self.__dict__.get("run"):  # which a panel that was refused does not have
            run.stop()
        super().close()

    @property
    def result(self) -> TrainingResult:
        """What the run left, once it has ended.

        Raises:
            RuntimeError: no run has ended, or it failed.
        """
        run = self.run
        if run.error is not None:
            raise RuntimeError(f"the run failed: {run.error}") from run.error
        if run.state != "finished" or run.model is None:
            raise RuntimeError(
                f"expected a run that has ended, this one is {run.state}: press Train (or call "
                ".train()), then .wait()"
            )
        return TrainingResult(
            run.model, run.tokenizer, run.records, run.snapshots, run.settings, run.evaluations
        )

    def static(self) -> Figure:
        """The run as a figure: its curves, and the densities and the map that are shown now."""
        from catviz.widgets.live.figure import run_figure

        moment = self._moment(self.controls.replay.value) if self.run.snapshots else None
        return run_figure(moment, describe_run(self.run))

    # -------------------------------------------------------------------------------- clicks

    def _alpha_was_typed(self) -> None:
        self.run.set_alpha(self.controls.follow_typed(self.controls.typed.value))

    def _train_was_clicked(self) -> None:
        now = time.monotonic()
        if now - self._clicked < _ONE_CLICK:
            return  # the second click of two; handled late, where the first has blocked
        self._clicked = now
        try:
            self.train()
        finally:
            if self._block:
                self._clicked = time.monotonic()

    def _pause_or_resume(self) -> None:
        if self.run.state == "paused":
            self.run.resume()
        else:
            self.run.pause()

    def _plan(self) -> TrainingPlan:
        chosen = self.controls
        train, tests = self._chosen_texts()
        return TrainingPlan(
            fresh_model=self._fresh_model or partial(_load, self._model),
            train=train,
            tests=tests,
            alpha=parse_alpha(chosen.typed.value),
            gamma=chosen.gamma.value,
            lora=chosen.weights.value,
            seconds_a_step=chosen.pace.value,
            threads=self._threads,
        )

    def _chosen_texts(self) -> tuple[Sequence[Example], dict[str, Sequence[Example]]]:
        from cat.data import load_data

        size = self.controls.texts.value
        data = load_data("stg-e", size) if self._data is None else self._data
        train = data["train"] if self._data is None else data["train"][:size]
        return train, {name: texts for name, texts in data.items() if name != "train"}

    # --------------------------------------------------------------------------- what is shown

    def _clear(self) -> None:
        self.board.clear()
        self.controls.show_moments(0)

    def _add_frame(self, snapshot: Snapshot) -> None:
        """Called from the thread that trains."""
        number = self.board.add_frame(charts_of(self._moment()))
        self.controls.show_moments(number + 1)
        self._show_state()

    def _moment(self, number: int = -1) -> Moment:
        """The run up to one of its snapshots."""
        run = self.run
        number = number % len(run.snapshots)
        assert run.outline is not None
        return Moment(
            snapshots=run.snapshots[: number + 1],
            records=run.records[: run.snapshots[number].step],
            settings=list(run.settings),
            outline=run.outline,
        )

    def _show_state(self) -> None:
        """Called from any thread, so it looks at what is now."""
        with self._showing:
            self.controls.show(self.run)
            if self.run.state == "failed" and self.run.error is not None:
                self.message.fail(self.run.error)


def _check_data(data: Mapping[str, Sequence[Example]] | None) -> None:
    if data is None:
        return
    if "train" not in data or len(data) < 2 or not all(data.values()):
        came = ", ".join(f"{name}: {len(texts)}" for name, texts in data.items()) or "nothing"
        raise ValueError(
            'data: expected texts under "train" and under at least one test set, such as '
            f'"test_ood"; got {came}'
        )


def _load(name: str) -> tuple[Any, Any]:
    from cat.models import load_model

    return load_model(name)


def _on_main_thread() -> bool:
    # JupyterLab handles clicks on a thread of their own, where an interrupt does not reach: there
    # a run needs no blocking, for threads can update its page.
    return threading.current_thread() is threading.main_thread()
