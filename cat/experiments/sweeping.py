"""Carrying a sweep out: what is finished is skipped, each result is kept as soon as it is there.

>>> from tempfile import TemporaryDirectory
>>> from cat.experiments.run import Run
>>> from cat.experiments.store import ResultStore
>>> runs = [Run("tiny", "STG_S", seed=seed, settings={"num_train_epochs": 0.1}) for seed in (0, 1)]
>>> with TemporaryDirectory() as folder:
...     store = ResultStore(folder)
...     print(sweep(runs[:1], store, progress=False))
...     print(sweep(runs, store, progress=False))
1 run: 1 done
2 runs: 1 done before, 1 done
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from cat.experiments.run import Run, training_texts
from cat.experiments.store import ResultStore
from cat.experiments.workers import Outcome, outcomes

__all__ = ["SweepResult", "pending", "sweep"]


@dataclass(frozen=True)
class SweepResult:
    """What became of a sweep's runs.

    Attributes:
        runs: all that were asked for.
        before: those that the store had already.
        failed: with their errors; they are not in the store, and run again next time.
    """

    runs: int
    before: int
    failed: tuple[Outcome, ...] = ()

    def __str__(self) -> str:
        done = self.runs - self.before - len(self.failed)
        parts = {"done before": self.before, "done": done, "failed": len(self.failed)}
        counts = ", ".join(f"{n} {what}" for what, n in parts.items() if n)
        return f"{self.runs} run{'s' * (self.runs != 1)}: {counts}"


def pending(runs: Sequence[Run], store: ResultStore) -> list[Run]:
    """The runs that the store has no result of, each once."""
    finished = store.read()[0]
    return list({run.key: run for run in runs if run.key not in finished}.values())


def sweep(
    runs: Sequence[Run],
    store: ResultStore,
    *,
    workers: int = 1,
    progress: bool = True,
    say: Callable[[str], object] | None = None,
) -> SweepResult:
    """Carry out those runs that the store has no result of, and keep their results in it.

    A run that fails is told and does not stop the others. Killed at any moment, a sweep loses the
    runs in flight, one a worker; the same call goes on with what is missing.

    Args:
        workers: as for :func:`cat.experiments.workers.outcomes`.
        progress: show a progress bar.
        say: is told of each failure when it happens.

    Raises:
        OSError: a result could not be written; the sweep ends there.
        KeyboardInterrupt: Ctrl-C, with a message of what was kept.
    """
    todo = pending(runs, store)
    before = len({run.key for run in runs}) - len(todo)
    bar = _Bar(todo, shown=progress)
    failed = []
    done = 0
    try:
        with bar, closing(outcomes(todo, watcher=bar, workers=workers)) as results:
            for outcome in results:
                if outcome.line is not None:
                    store.append(outcome.line)
                    done += 1
                else:
                    failed.append(outcome)
                    if say is not None:
                        say(f"failed: {outcome.run.key}: {outcome.error}")
                bar.ends(outcome.run)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            f"stopped: {done} of {len(todo)} runs done and kept in {store.folder}; the same "
            "command goes on with the others"
        ) from None
    return SweepResult(before + len(todo), before, tuple(failed))


class _Bar:
    """A progress bar over all runs, each as long as it has training texts; the time left is
    guessed from those done by now."""

    def __init__(self, runs: Sequence[Run], *, shown: bool) -> None:
        from tqdm.auto import tqdm

        self.runs = len(runs)
        self.ended = 0
        self.in_flight: dict[str, float] = {}  # key -> share done
        self.bar: Any = tqdm(
            total=sum(_weight(run) for run in runs) or None,
            disable=not shown,
            smoothing=0,
            bar_format="{desc} {percentage:3.0f}%|{bar:20}| {elapsed}<{remaining}{postfix}",
        )
        self._show()

    def __enter__(self) -> _Bar:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def begins(self, run: Run) -> None:
        self.in_flight[run.key] = 0.0
        self._show()

    def advances(self, run: Run, share: float) -> None:
        # A method may train twice: the bar does not go back.
        share = max(share, self.in_flight.get(run.key, 0.0))
        self.bar.update(_weight(run) * (share - self.in_flight.get(run.key, 0.0)))
        self.in_flight[run.key] = share

    def ends(self, run: Run) -> None:
        self.advances(run, 1.0)
        del self.in_flight[run.key]
        self.ended += 1
        self._show()

    def _show(self) -> None:
        self.bar.set_description_str(f"{self.ended}/{self.runs} runs", refresh=False)
        self.bar.set_postfix_str("; ".join(self.in_flight), refresh=True)


def _weight(run: Run) -> int:
    return training_texts(run.data)
