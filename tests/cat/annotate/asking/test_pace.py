"""`cat.annotate.asking.pace`: a rate limit slows all down, once."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable

import pytest

from cat.annotate.asking.pace import FIRST_PAUSE, LONGEST_PAUSE, Pace, Stopped


def at_once(test: Callable[[Pace], Awaitable[None]], in_flight: int = 64) -> None:
    async def main() -> None:
        await test(Pace(in_flight))

    asyncio.run(main())


def test_those_who_flew_together_meet_one_limit() -> None:
    async def test(pace: Pace) -> None:
        async with pace.turn() as began:
            for _ in range(10):
                pace.slow_down(began, 5.0)
        assert pace.allowed == 32
        assert 4.0 < pace.slow_down(began, None) <= 5.0
        assert 8.0 < pace.slow_down(began, 9.0) <= 9.0  # the longest wait counts

    at_once(test)


def test_without_a_word_the_pauses_grow() -> None:
    async def test(pace: Pace) -> None:
        pauses = []
        began = 0.0
        for _ in range(9):
            began += 1e6  # each was sent after the pause before
            pauses.append(pace.slow_down(began, None))
        assert pauses[:3] == pytest.approx([FIRST_PAUSE, 2 * FIRST_PAUSE, 4 * FIRST_PAUSE], abs=0.1)
        assert max(pauses) == pytest.approx(LONGEST_PAUSE, abs=0.1)
        assert pace.allowed == 1
        pace.answered()
        assert pace.slow_down(1e9, None) <= LONGEST_PAUSE
        assert pace.allowed == 1

    at_once(test)


def test_answers_open_the_gate_again() -> None:
    async def test(pace: Pace) -> None:
        pace.slow_down(1e6, 0.0)
        assert pace.allowed == 4
        for _ in range(10):
            pace.answered()
        assert pace.allowed == 8

    at_once(test, 8)


def test_no_more_than_allowed_fly() -> None:
    async def test(pace: Pace) -> None:
        most = 0

        async def one() -> None:
            nonlocal most
            async with pace.turn():
                most = max(most, pace.flying)
                await asyncio.sleep(0)

        await asyncio.gather(*(one() for _ in range(20)))
        assert most == 3
        assert pace.flying == 0

    at_once(test, 3)


def test_nobody_sends_in_a_pause() -> None:
    async def test(pace: Pace) -> None:
        loop = asyncio.get_running_loop()
        until = loop.time() + pace.slow_down(loop.time(), 0.05)
        async with pace.turn() as began:
            assert began >= until

    at_once(test)


def test_stopping_wakes_those_who_wait() -> None:
    async def test(pace: Pace) -> None:
        pace.slow_down(1e6, 3600.0)

        async def one() -> str:
            with contextlib.suppress(Stopped):
                async with pace.turn():
                    return "sent"
            return "stopped"

        waiting = [asyncio.create_task(one()) for _ in range(5)]
        asleep = asyncio.create_task(pace.sleep(3600.0))
        await asyncio.sleep(0)
        pace.stop()
        assert await asyncio.gather(*waiting) == ["stopped"] * 5
        await asleep

    at_once(test)


def test_none_in_flight_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one request in flight, got 0"):
        at_once(lambda pace: asyncio.sleep(0), 0)
