"""One piece of work at a time; the last request wins."""

from __future__ import annotations

import threading

from catviz.widgets.worker import Check, Worker


def test_what_is_asked_for_last_is_done_last() -> None:
    wanted, done, entered, go = [0], [], threading.Event(), threading.Event()

    def work(check: Check) -> None:
        number = wanted[0]
        entered.set()
        assert go.wait(20)
        check()
        done.append(number)

    worker = Worker(work, failed=done.append)
    worker.ask()
    assert entered.wait(20)
    assert not worker.wait(0)
    for number in (1, 2, 3):
        wanted[0] = number
        worker.ask()
    go.set()
    assert worker.wait(20)
    assert done == [3]


def test_it_works_in_one_thread_only() -> None:
    threads, at_once, most = set(), [0], [0]

    def work(check: Check) -> None:
        threads.add(threading.current_thread())
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        at_once[0] -= 1

    worker = Worker(work, failed=print)
    for _ in range(50):
        worker.ask()
    assert worker.wait(20)
    assert most == [1]
    assert threading.current_thread() not in threads


def test_what_goes_wrong_is_told_and_the_next_request_is_served() -> None:
    told: list[object] = []
    wanted = ["bad"]

    def work(check: Check) -> None:
        if wanted[0] == "bad":
            raise ValueError("no")
        told.append("good")

    worker = Worker(work, failed=told.append, block=True)
    worker.ask()
    wanted[0] = "good"
    worker.ask()
    assert [str(one) for one in told] == ["no", "good"]


def test_blocking_it_works_where_it_is_asked() -> None:
    threads = []
    worker = Worker(
        lambda check: threads.append(threading.current_thread()), failed=print, block=True
    )
    worker.ask()
    assert threads == [threading.current_thread()]
