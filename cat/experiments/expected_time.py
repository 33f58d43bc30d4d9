"""How long a sweep will take: by what like runs took on this machine, else by timing a few steps.

Seconds depend on the machine and on what else it does, so those of other machines are not used.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from cat.experiments.run import Run, carry_out, training_texts, usual_settings
from cat.provenance import machine

__all__ = ["Expectation", "expect", "time_few_steps"]

STEPS_TIMED = 4


@dataclass(frozen=True)
class Expectation:
    """The time that runs will take, one after the other.

    Attributes:
        seconds: of all of them.
        by_like_runs: how many are known by the store's runs of this machine.
        by_steps: how many by a few timed steps of plain tuning on the same data.
    """

    seconds: float
    by_like_runs: int
    by_steps: int

    def told(self, workers: int = 1) -> str:
        """In words; several workers are taken to be as fast each as one alone."""
        parts = []
        if self.by_like_runs:
            parts.append(f"{self.by_like_runs} runs by what runs like them took here")
        if self.by_steps:
            parts.append(
                f"{self.by_steps} by timing {STEPS_TIMED} steps (methods that do more than plain "
                "tuning take longer)"
            )
        staff = f" with {workers} workers" if workers > 1 else ""
        return (
            f"about {_duration(self.seconds / workers)}{staff}, on this machine as busy as it was: "
            f"{', '.join(parts)}"
        )


def expect(
    runs: Sequence[Run],
    lines: Iterable[Mapping[str, Any]],
    *,
    timed: Callable[[Run], float] | None = None,
) -> Expectation:
    """What runs will take, from the lines of finished ones.

    A run takes what other seeds of its cell took here; else what its method took with other
    options; else ``timed(run)``, asked once for each data set and kind of tuning.

    Args:
        timed: seconds of a run; :func:`time_few_steps` unless given.
    """
    took: dict[tuple[Any, ...], list[float]] = {}
    here = machine()
    for line in lines:
        if line.get("machine") == here:
            for likeness in _likenesses(Run(**line["run"])):
                took.setdefault(likeness, []).append(line["seconds"]["all"])
    by_steps: dict[tuple[Any, ...], float] = {}
    seconds, n_like = 0.0, 0
    for run in runs:
        found = [took[likeness] for likeness in _likenesses(run) if likeness in took]
        if found:
            n_like += 1
            seconds += fmean(found[0])
            continue
        plain = _tuning(run)
        if plain not in by_steps:
            by_steps[plain] = (timed or time_few_steps)(run)
        seconds += by_steps[plain]
    return Expectation(seconds, n_like, len(runs) - n_like)


def time_few_steps(run: Run) -> float:
    """Seconds of plain tuning in a run's place: a few steps timed, the rest reckoned; its answers
    to the test texts are all given."""
    from cat.config import CATConfig

    set_to = {**usual_settings(run.data), **run.settings}
    of = {name: set_to.get(name, getattr(CATConfig, name)) for name in EPOCHS_AND_BATCH}
    epochs, batch = of.values()
    few = STEPS_TIMED / math.ceil(training_texts(run.data) / batch)
    settings = {**run.settings, "num_train_epochs": few}
    ends: list[float] = []
    line = carry_out(
        replace(run, method="plain", options={}, settings=settings),
        on_record=lambda record: ends.append(time.perf_counter()),
    )
    step = (ends[-1] - ends[0]) / max(1, len(ends) - 1)
    more_steps = STEPS_TIMED * epochs / few - len(ends)
    return float(line["seconds"]["all"] + step * max(0.0, more_steps))


EPOCHS_AND_BATCH = ("num_train_epochs", "per_device_train_batch_size")


def _likenesses(run: Run) -> tuple[tuple[Any, ...], ...]:
    """What runs that take the same time have in common, the surest first."""
    return ((run.cell,), (run.method, *_tuning(run)))


def _tuning(run: Run) -> tuple[Any, ...]:
    return (run.model, run.data, run.lora, run.dtype, str(sorted(run.settings.items())))


def _duration(seconds: float) -> str:
    """
    >>> _duration(40), _duration(150), _duration(7300)
    ('40 s', '2 min 30 s', '2 h 1 min')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
