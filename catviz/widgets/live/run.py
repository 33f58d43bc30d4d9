"""A training run that can be watched, paused, changed and stopped, whoever does so.

No widgets here: a state, the thread that trains, and what was recorded. Whoever shows it is called
back, from that thread, at a limited rate.

    >>> from cat.data import load_data
    >>> from cat.models import load_model
    >>> data = load_data("stg-e", "S")
    >>> plan = TrainingPlan(lambda: load_model("tiny"), data.pop("train")[:64], data, alpha=10.0,
    ...                     epochs=2)
    >>> run = TrainingRun()
    >>> run.start(plan), run.start(plan)  # the second does nothing
    (True, False)
    >>> run.wait()
    True
    >>> run.state, len(run.records), run.snapshots[0].step, run.snapshots[-1].step
    ('finished', 8, 0, 8)
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from catviz.widgets.live.plan import (
    Outline,
    TrainingPlan,
    computing_on,
    make_trainer,
    outline_of,
)

if TYPE_CHECKING:
    from cat.evaluate import Evaluation
    from cat.records import StepRecord
    from cat.trainer import CATTrainer
    from catviz.snapshots import Snapshot

__all__ = ["ACTIVE", "Setting", "State", "TrainingPlan", "TrainingRun"]

State = Literal["idle", "running", "paused", "stopping", "finished", "failed"]
"""Before the first run; four that explain themselves (a run that was stopped is finished); ended by
an error."""

ACTIVE: tuple[State, ...] = ("running", "paused", "stopping")

_BETWEEN_LOOKS = 0.25  # seconds: what moves is drawn at most four times a second,
_TRAINING_OVER_LOOKING = 3  # looking takes at most a quarter of the time,
_MOST_OF_ALL = 0.01  # and a look waits for a hundredth of the run: a few hundred, however long


@dataclass(frozen=True)
class Setting:
    """Alpha and gamma from one step on."""

    first_step: int
    alpha: float | None
    gamma: str


class TrainingRun:
    """One run at a time, in a thread of its own or in the caller's.

    Attributes:
        state: see :data:`State`.
        records: one a step.
        snapshots: what was seen of the model, oldest first; the first before any training.
        settings: alpha and gamma, each time they took effect.
        outline: what is known of it beforehand; None until then.
        evaluations: name -> answers to the test sets; empty where the run was stopped.
        model, tokenizer: what is being trained; None before. Use it when the run has ended.
        error: what ended a run that failed.
        seconds: how long it took, or has taken so far, preparations left out.

    Args:
        on_snapshot: called after each snapshot.
        on_state: called after each change of the state, from any thread; look at :attr:`state`
            then, which may have moved on.
    """

    def __init__(
        self,
        on_snapshot: Callable[[Snapshot], object] = lambda snapshot: None,
        on_state: Callable[[], object] = lambda: None,
    ) -> None:
        self._on_snapshot, self._on_state = on_snapshot, on_state
        self._changed = threading.Condition(threading.RLock())
        self._over = threading.Event()
        self._over.set()
        self.state: State = "idle"
        self._forget()

    def _forget(self) -> None:
        self.records: list[StepRecord] = []
        self.snapshots: list[Snapshot] = []
        self.settings: list[Setting] = []
        self.evaluations: dict[str, Evaluation] = {}
        self.outline: Outline | None = None
        self.model: Any = None
        self.tokenizer: Any = None
        self.error: Exception | None = None
        self._wanted: tuple[float | None, str] = (None, "epoch")
        self._began = self._ended = self._next_look = 0.0
        self._pace = 0.0
        self._stop = False

    # ---------------------------------------------------------------- what others may ask for

    @property
    def active(self) -> bool:
        """Whether a run has begun and not ended."""
        return self.state in ACTIVE

    @property
    def seconds(self) -> float:
        if not self._began:
            return 0.0
        return (self._ended or time.monotonic()) - self._began

    def start(self, plan: TrainingPlan, *, block: bool = False) -> bool:
        """Begin a run; False, and nothing happens, while one is active.

        Args:
            block: train in the caller's thread and return when the run has ended; Ctrl-C (a
                notebook's "interrupt the kernel") then stops it.
        """
        with self._changed:
            if self.active:
                return False
            self._forget()
            self._wanted = (plan.alpha, plan.gamma)
            self._pace = plan.seconds_a_step
            self.state = "running"
            self._over.clear()
        self._on_state()
        if block:
            self._work(plan)
        else:
            threading.Thread(
                target=self._work, args=(plan,), name="live training", daemon=True
            ).start()
        return True

    def pause(self) -> None:
        """Wait after the step that is being taken."""
        self._move("running", "paused")

    def resume(self) -> None:
        self._move("paused", "running")

    def stop(self) -> None:
        """End the run between two layers of the model: a step that has begun is given up."""
        with self._changed:
            if not self.active:
                return
            self._stop = True
            self.state = "stopping"
            self._changed.notify_all()
        self._on_state()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until the run has ended; False where it has not by then. Ctrl-C stops the run."""
        try:
            return self._over.wait(seconds)
        except KeyboardInterrupt:
            self.stop()
            return self._over.wait()

    def reset(self) -> None:
        """Forget the run, stopping it first.

        Raises:
            RuntimeError: it takes more than 5 seconds to stop.
        """
        self.stop()
        if not self.wait(5):
            raise RuntimeError("the run is still stopping: reset it again in a few seconds")
        with self._changed:
            self._forget()
            self.state = "idle"
        self._on_state()

    def set_alpha(self, alpha: float | None) -> None:
        """From the next step on; None for plain training.

        Raises:
            ValueError: no alpha, or a number though no training text has a row to supervise.
        """
        from cat.reattention import check_alpha

        if alpha is not None:
            check_alpha(alpha)
            if self.active and self.outline and not len(self.outline.rows.causes):
                raise ValueError(
                    "alpha: expected plain, for no training text has a causal signal that could be "
                    f"aligned; got {alpha:g}"
                )
        with self._changed:
            self._wanted = (alpha, self._wanted[1])

    def set_gamma(self, gamma: str) -> None:
        """From the next step on; "epoch" or a constant."""
        from cat.config import gamma_at

        gamma_at(gamma, 0.0)
        with self._changed:
            self._wanted = (self._wanted[0], gamma)

    def set_pace(self, seconds_a_step: float) -> None:
        """Wait so long after each step from now on."""
        self._pace = seconds_a_step

    def _move(self, before: State, after: State) -> None:
        with self._changed:
            if self.state != before:
                return
            self.state = after
            self._changed.notify_all()
        self._on_state()

    # ------------------------------------------------------------------------------- the work

    def _work(self, plan: TrainingPlan) -> None:
        from cat.abort import Aborted

        outcome: State = "finished"
        try:
            self._train(plan)
        except (Aborted, KeyboardInterrupt):
            pass
        except Exception as error:
            self.error, outcome = error, "failed"
        self._ended = time.monotonic()
        with self._changed:
            self.state = outcome
        self._on_state()
        self._over.set()

    def _train(self, plan: TrainingPlan) -> None:
        from cat.abort import abortable
        from cat.evaluate import evaluate_answers
        from cat.rows import disable_rows

        model, self.tokenizer = plan.fresh_model()
        with computing_on(model, plan.threads):
            trainer = make_trainer(plan, model, self.tokenizer)
            self.model = trainer.model
            self.outline = outline_of(plan, trainer)
            try:
                with abortable(trainer.model, lambda: self._stop):
                    self._began = time.monotonic()
                    self._follow(trainer)
                    if not self._stop:
                        self.evaluations = {
                            name: evaluate_answers(self.model, self.tokenizer, texts)
                            for name, texts in self.outline.tests.items()
                        }
            finally:
                disable_rows(self.model)
                self.model.eval()

    def _follow(self, trainer: CATTrainer) -> None:
        self._apply(trainer, step=0)
        self._look(step=0)
        with closing(trainer.steps()) as records:
            for record in records:
                self.records.append(record)
                last = record.step == record.total_steps
                if last or time.monotonic() >= self._next_look:
                    self._look(record.step)
                self._wait_for_the_eye()
                self._wait_while_paused(record.step)
                if self._stop:
                    return
                self._apply(trainer, record.step)

    def _wait_for_the_eye(self) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.state != "running", timeout=self._pace)

    def _wait_while_paused(self, step: int) -> None:
        if self.state == "paused" and self.snapshots[-1].step != step:
            self._look(step)  # what is looked at meanwhile is this step
        with self._changed:
            self._changed.wait_for(lambda: self.state != "paused")

    def _apply(self, trainer: CATTrainer, step: int) -> None:
        """Let the next step, after ``step``, be taken with the alpha and gamma wanted now."""
        alpha, gamma = self._wanted
        last = self.settings[-1] if self.settings else None
        if last is None or (last.alpha, last.gamma) != (alpha, gamma):
            trainer.args.alpha, trainer.args.gamma = alpha, gamma
            self.settings.append(Setting(step + 1, alpha, gamma))

    def _look(self, step: int) -> None:
        from catviz.snapshots import take_snapshot

        assert self.outline is not None
        began = time.monotonic()
        snapshot = take_snapshot(
            self.model, self.tokenizer, self.outline.watched, step=step, name=f"step {step}"
        )
        self.snapshots.append(snapshot)
        self._on_snapshot(snapshot)
        ended = time.monotonic()
        self._next_look = max(
            began + _BETWEEN_LOOKS,
            ended + _TRAINING_OVER_LOOKING * (ended - began),
            ended + _MOST_OF_ALL * self.seconds,
        )
