"""A loop that pushes values, turned into a generator that is asked for them.

transformers' Trainer owns its loop and calls back; those who watch a training would rather write
``for record in trainer.steps()``. The loop runs in a thread of its own and waits, after each value
that it gives, until the next one is asked for: at any moment only one of the two is running.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator
from queue import SimpleQueue
from typing import Generic, TypeVar

__all__ = ["HandOver"]

T = TypeVar("T")


class _Ended:
    """What comes after the last value."""


class HandOver(Generic[T]):
    """Connects one loop, which calls :meth:`give`, to one ``for`` over :meth:`iterate`."""

    def __init__(self) -> None:
        self._values: SimpleQueue[T | _Ended] = SimpleQueue()
        self._asked = threading.Semaphore(0)
        self._closed = False

    def give(self, value: T) -> None:
        """Called by the loop: hand a value over and wait until the next is asked for."""
        if self._closed:
            return
        self._values.put(value)
        self._asked.acquire()

    def iterate(
        self, loop: Callable[[], object], on_close: Callable[[], None]
    ) -> Generator[T, None, None]:
        """Run ``loop`` in a thread and yield what it gives; its exception is raised here.

        When the generator is closed, or interrupted, before the loop has ended, ``on_close`` is
        called, which must make the loop end soon; then the loop is waited for. What it raises
        meanwhile (a last checkpoint that could not be written) is raised here as well.
        """
        error: BaseException | None = None

        def run() -> None:
            nonlocal error
            try:
                loop()
            except BaseException as raised:  # handed to the one who iterates
                error = raised
            self._values.put(_Ended())

        thread = threading.Thread(target=run, name="training", daemon=True)
        ended = False
        try:
            thread.start()
            while not isinstance(value := self._values.get(), _Ended):
                yield value
                self._asked.release()
            ended = True
        finally:
            if not ended:
                self._closed = True
                on_close()
                self._asked.release()
            if thread.is_alive():
                thread.join()
            if error is not None:
                raise error
