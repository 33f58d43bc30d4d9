"""Long work beside the kernel: one piece at a time, and the last request wins."""

from __future__ import annotations

import threading
from collections.abc import Callable

__all__ = ["Check", "Superseded", "Worker"]

Check = Callable[[], None]
"""To be called now and then by what works: it raises :class:`Superseded` when asked again."""


class Superseded(Exception):
    """Not an error: something newer was asked for."""


class Worker:
    """Does one piece of work on a thread of its own; asked again meanwhile, it starts over.

    Args:
        work: what to do; it looks up what is wanted itself, and calls its argument where it may
            be stopped.
        failed: told what the work raised, on the same thread.
        block: do the work in the caller's thread instead, where threads cannot update widgets.

    >>> done = []
    >>> worker = Worker(lambda check: done.append("once"), failed=print, block=True)
    >>> worker.ask()
    >>> done
    ['once']
    """

    def __init__(
        self,
        work: Callable[[Check], object],
        *,
        failed: Callable[[Exception], object],
        block: bool = False,
    ) -> None:
        self._work, self._failed, self._block = work, failed, block
        self._lock = threading.Lock()
        self._asked = 0
        self._idle = threading.Event()
        self._idle.set()

    def ask(self) -> None:
        """Have the work done with what is wanted now."""
        with self._lock:
            self._asked += 1
            if not self._idle.is_set():
                return  # what runs notices, and starts over
            self._idle.clear()
        if self._block:
            self._run()
        else:
            threading.Thread(target=self._run, daemon=True, name="catviz worker").start()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until nothing is left to do; False if that took longer."""
        return self._idle.wait(seconds)

    def _run(self) -> None:
        while True:
            number = self._asked
            try:
                self._work(lambda number=number: self._check(number))  # type: ignore[misc]
            except Superseded:
                pass
            except Exception as error:  # whatever it is, somebody is to hear of it
                self._failed(error)
            with self._lock:
                if number == self._asked:
                    self._idle.set()
                    return

    def _check(self, number: int) -> None:
        if number != self._asked:
            raise Superseded
