"""Runs carried out one after the other, or by several processes through Ray.

Either way :func:`outcomes` gives what became of each run as soon as it is known, a failure too;
nobody but its caller writes anything. Ray is an extra (``pip install 'catviz[ray]'``) and is
imported only for more than one worker.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cat.experiments.local_ray import local_ray
from cat.experiments.run import Run, carry_out, fit_of

__all__ = ["Outcome", "Watcher", "attempt", "leave_what_is_loaded", "next_run", "outcomes"]


@dataclass(frozen=True)
class Outcome:
    """What became of a run: its line for the result store, or why there is none."""

    run: Run
    line: dict[str, Any] | None = None
    error: str | None = None


class Watcher(Protocol):
    """Is told what goes on."""

    def begins(self, run: Run) -> None: ...

    def advances(self, run: Run, share: float) -> None:
        """``share`` of the training's steps are done; nobody tells of those of other processes."""


def outcomes(
    runs: Iterable[Run], *, watcher: Watcher, workers: int = 1
) -> Generator[Outcome, None, None]:
    """Carry runs out; each outcome as soon as it is there, so with several workers in any order.

    Args:
        workers: processes on this machine, which share its cores, and its GPUs where it has some.

    Raises:
        ValueError: fewer than one worker.
        RuntimeError: Ray is not installed, or did not start.
    """
    if workers < 1:
        raise ValueError(f"expected at least one worker, got {workers}")
    return _by_ray(runs, watcher, workers) if workers > 1 else _in_order(runs, watcher)


def attempt(run: Run, watcher: Watcher | None = None) -> Outcome:
    """Carry one run out; whatever goes wrong in it is its outcome."""

    def on_record(record: Any) -> None:
        if watcher is not None:
            watcher.advances(run, record.step / record.total_steps)

    try:
        return Outcome(run, line=carry_out(run, on_record=on_record))
    except Exception as error:  # one run's failure must not end the others
        return Outcome(run, error=f"{type(error).__name__}: {error}")


def leave_what_is_loaded() -> None:
    """Keep Python's garbage collector from looking through all modules again and again: a tenth of
    the time of an embedded model's steps. For a process that is there for a sweep alone."""
    import cat.methods  # noqa: F401

    gc.collect()
    gc.freeze()


def _in_order(runs: Iterable[Run], watcher: Watcher) -> Generator[Outcome, None, None]:
    for run in runs:
        watcher.begins(run)
        yield attempt(run, watcher)


def _by_ray(runs: Iterable[Run], watcher: Watcher, workers: int) -> Generator[Outcome, None, None]:
    cores = max(1, (os.cpu_count() or 1) // workers)
    with local_ray(cpus=cores * workers) as ray:
        gpus = ray.cluster_resources().get("GPU", 0)
        share = {"num_gpus": min(1.0, gpus / workers)} if gpus else {}
        # max_calls=0: a process goes on to the next run, so that torch is imported once.
        task = ray.remote(num_cpus=cores, max_retries=0, max_calls=0, **share)(_attempt_in_worker)
        waiting = list(runs)
        running: dict[Any, Run] = {}
        while True:
            while waiting and len(running) < workers:
                run = next_run(waiting, running.values())
                waiting.remove(run)
                watcher.begins(run)
                running[task.remote(run)] = run
            if not running:
                return
            for ended in ray.wait(list(running), num_returns=1)[0]:
                run = running.pop(ended)
                try:
                    yield ray.get(ended)
                except ray.exceptions.RayError as error:  # killed, out of memory
                    reason = str(error).strip().partition("\n")[0]
                    yield Outcome(run, error=f"its process ended: {reason}")


def _attempt_in_worker(run: Run) -> Outcome:
    if not gc.get_freeze_count():  # its first run
        leave_what_is_loaded()
    return attempt(run)


def next_run(waiting: Sequence[Run], running: Iterable[Run]) -> Run:
    """The first run, but rather none that shares its fit with one that is running: the process
    that is at it has the model when it comes to the next.

    >>> waiting = [Run("tiny", "STG_S", method) for method in ("pasta", "cda")]
    >>> next_run(waiting, [Run("tiny", "STG_S", "plain")]).method, next_run(waiting, []).method
    ('cda', 'pasta')
    """
    busy = {fit_of(run) for run in running}
    return next((run for run in waiting if fit_of(run) not in busy), waiting[0])
