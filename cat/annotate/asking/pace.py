"""How fast an endpoint is asked: one rate limit slows all requests down, not each by itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

__all__ = ["Pace", "Stopped"]

FIRST_PAUSE = 1.0  # seconds, where the endpoint does not say how long
LONGEST_PAUSE = 60.0


class Stopped(Exception):
    """Nothing more is sent."""


class Pace:
    """Turns to send a request, for one event loop.

    After a rate limit nobody sends for as long as the endpoint asks; then half as many requests
    fly at once, one more with each answer, up to ``in_flight``.
    """

    def __init__(self, in_flight: int) -> None:
        if in_flight < 1:
            raise ValueError(f"expected at least one request in flight, got {in_flight}")
        self.in_flight = in_flight
        self.allowed = in_flight
        self.flying = 0
        self.stopped = asyncio.Event()
        self._paused_until = 0.0
        self._pauses = 0  # since the last answer
        self._waiting: list[asyncio.Future[None]] = []

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[float]:
        """Within: one request may be sent. Gives the time at which the turn began.

        Raises:
            Stopped: there are no more turns.
        """
        while not self.stopped.is_set():
            pause = self._paused_until - self._now()
            if pause <= 0 and self.flying < self.allowed:
                break
            await self._change(pause if pause > 0 else None)
        if self.stopped.is_set():
            raise Stopped
        self.flying += 1
        try:
            yield self._now()
        finally:
            self.flying -= 1
            self._tell()

    async def sleep(self, seconds: float) -> None:
        """Wait; shorter where all is stopped."""
        try:
            await asyncio.wait_for(self.stopped.wait(), seconds)
        except TimeoutError:
            return

    def answered(self) -> None:
        """An answer came: the endpoint bears one request more."""
        self.allowed = min(self.in_flight, self.allowed + 1)
        self._pauses = 0

    def slow_down(self, began: float, retry_after: float | None) -> float:
        """A request that began then met a rate limit; seconds until the next may be sent.

        Those that were in flight together meet one limit, which slows them down once.
        """
        now = self._now()
        if began >= self._paused_until:  # sent since the last pause: this is a new one
            self.allowed = max(1, self.allowed // 2)
            self._pauses += 1
            if retry_after is None:
                retry_after = min(FIRST_PAUSE * 2 ** (self._pauses - 1), LONGEST_PAUSE)
        self._paused_until = max(self._paused_until, now + (retry_after or 0.0))
        return self._paused_until - now

    def stop(self) -> None:
        """Let those in flight come back, send nothing more."""
        self.stopped.set()
        self._tell()

    def _tell(self) -> None:
        waiting, self._waiting = self._waiting, []
        for change in waiting:
            if not change.done():
                change.set_result(None)

    async def _change(self, seconds: float | None) -> None:
        change = asyncio.get_running_loop().create_future()
        self._waiting.append(change)
        try:
            await asyncio.wait_for(change, seconds)
        except TimeoutError:
            return

    def _now(self) -> float:
        return asyncio.get_running_loop().time()
