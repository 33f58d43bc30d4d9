"""`cat.handover`: a loop in a thread as a generator, however either side ends."""

from __future__ import annotations

import gc
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator

import pytest

from cat.handover import HandOver


class Counting:
    """A loop that gives 1, 2, 3, ... until it is told to stop, and notes what it has done."""

    def __init__(self, last: int = 10, at_end: Callable[[], None] = lambda: None) -> None:
        self.last, self.at_end = last, at_end
        self.begun = 0
        self.stop = False
        self.ended = False
        self.hand_over: HandOver[int] = HandOver()

    def loop(self) -> None:
        for number in range(1, self.last + 1):
            self.begun = number
            self.hand_over.give(number)
            if self.stop:
                break
        self.at_end()
        self.ended = True

    def request_stop(self) -> None:
        self.stop = True

    def __iter__(self) -> Generator[int, None, None]:
        return self.hand_over.iterate(self.loop, on_close=self.request_stop)


def raising(error: BaseException) -> Callable[[], None]:
    def raise_it() -> None:
        raise error

    return raise_it


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "training"] == []


def test_gives_every_value_in_order() -> None:
    counting = Counting(last=100)
    assert list(counting) == list(range(1, 101))
    assert counting.ended
    assert not counting.stop


def test_a_loop_that_gives_nothing() -> None:
    assert list(Counting(last=0)) == []


def test_the_loop_waits_until_the_next_is_asked_for() -> None:
    counting = Counting()
    values = iter(counting)
    assert counting.begun == 0  # nothing begins before the first is asked for
    assert next(values) == 1
    time.sleep(0.05)
    assert counting.begun == 1
    assert next(values) == 2
    assert counting.begun == 2
    values.close()


def test_closing_stops_the_loop_and_waits_for_it() -> None:
    counting = Counting(at_end=lambda: time.sleep(0.1))
    values = iter(counting)
    next(values)
    next(values)
    values.close()
    assert counting.ended
    assert counting.begun == 2


def test_leaving_the_for_loop_is_enough() -> None:
    counting = Counting()
    for value in counting:
        if value == 3:
            break
    gc.collect()
    assert counting.ended
    assert counting.begun == 3


def test_a_generator_that_was_never_asked_runs_nothing() -> None:
    counting = Counting()
    values = iter(counting)
    del values
    gc.collect()
    assert counting.begun == 0


@pytest.mark.parametrize("after", [0, 0.05], ids=["as the thread starts", "while it works"])
def test_an_interrupt_while_the_next_value_is_awaited(after: float) -> None:
    """Ctrl-C comes at any time, not only while a value is being looked at."""
    hand_over: HandOver[int] = HandOver()
    stop = threading.Event()
    given = []

    def loop() -> None:
        time.sleep(after)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
        assert stop.wait(timeout=5)
        for number in (1, 2):  # nobody asks any more: neither may wait
            hand_over.give(number)
            given.append(number)

    with pytest.raises(KeyboardInterrupt):
        next(hand_over.iterate(loop, on_close=stop.set))
    assert given == [1, 2]


@pytest.mark.parametrize("error", [ValueError("no rows"), KeyboardInterrupt(), SystemExit(3)])
def test_what_the_loop_raises_is_raised_where_it_is_iterated(error: BaseException) -> None:
    counting = Counting(last=2, at_end=raising(error))
    got: list[int] = []
    with pytest.raises(type(error)) as caught:
        got.extend(counting)
    assert caught.value is error
    assert got == [1, 2]


def test_what_the_loop_raises_while_it_is_closed_is_not_lost() -> None:
    """The last checkpoint may not fit on the disk."""
    counting = Counting(at_end=raising(OSError("disk full")))
    values = iter(counting)
    next(values)
    with pytest.raises(OSError, match="disk full"):
        values.close()


def test_an_error_of_the_one_who_iterates_stops_the_loop() -> None:
    counting = Counting()

    def consume() -> None:
        for _ in counting:
            raise RuntimeError("consumer")

    with pytest.raises(RuntimeError, match="consumer"):
        consume()
    gc.collect()
    assert counting.ended
    assert counting.begun == 1
