"""How long a sweep will take."""

from __future__ import annotations

import pytest

from cat.experiments import Run, expected_time
from cat.experiments.expected_time import expect, time_few_steps
from cat.provenance import machine
from tests.cat.experiments.results import line_of

PLAIN = [Run("tiny", "STG_S", seed=seed) for seed in range(4)]
CAT = [Run("tiny", "STG_S", "cat", {"alpha": alpha}) for alpha in (1.0, 2.0)]


def no_timing(run: Run) -> float:
    raise AssertionError(f"{run.key} was timed, its like are known")


def finished(run: Run, seconds: float, on: str = "") -> dict:
    return line_of(run, seconds=seconds, machine=on or machine())


def test_other_seeds_of_a_cell_tell_first_and_other_options_of_the_method_next() -> None:
    lines = [finished(PLAIN[0], 10), finished(PLAIN[1], 20), finished(CAT[0], 7)]
    expected = expect([*PLAIN[2:], *CAT], lines, timed=no_timing)
    assert (expected.seconds, expected.by_like_runs, expected.by_steps) == (15 + 15 + 7 + 7, 4, 0)


def test_what_is_not_known_is_timed_once_for_each_data_set() -> None:
    timed = []

    def time_it(run: Run) -> float:
        timed.append(run.key)
        return 3.0

    large = Run("tiny", "STG_L")
    expected = expect([*PLAIN, *CAT, large], [finished(CAT[0], 7)], timed=time_it)
    assert timed == [PLAIN[0].key, large.key]
    assert (expected.seconds, expected.by_like_runs, expected.by_steps) == (4 * 3 + 14 + 3, 2, 5)


def test_another_machines_seconds_do_not_count() -> None:
    lines = [finished(run, 1000, on="a faster one") for run in PLAIN]
    assert expect(PLAIN[:1], lines, timed=lambda run: 3.0).seconds == 3.0


def test_it_is_told_with_what_it_rests_on() -> None:
    told = expected_time.Expectation(7300.0, 12, 3).told(workers=2)
    assert told.startswith("about 1 h 0 min with 2 workers, on this machine as busy as it was:")
    assert "12 runs by what runs like them took here, 3 by timing 4 steps" in told
    assert "timing" not in expected_time.Expectation(50.0, 1, 0).told()


def test_a_few_steps_stand_for_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a clock on which a step takes 2 s and all else 5."""
    now = 0.0

    def carry_out(run: Run, *, on_record):  # type: ignore[no-untyped-def]
        nonlocal now
        steps = round(run.settings["num_train_epochs"] * 25)  # 400 texts, 16 a step
        for _ in range(steps):
            now += 2.0
            on_record(None)
        return line_of(run, seconds=5.0 + 2.0 * steps)

    monkeypatch.setattr(expected_time, "carry_out", carry_out)
    monkeypatch.setattr(expected_time.time, "perf_counter", lambda: now)
    assert time_few_steps(CAT[0]) == pytest.approx(5 + 2 * 150)  # 6 epochs of 25 steps
    short = Run("tiny", "STG_S", settings={"num_train_epochs": 2})
    assert time_few_steps(short) == pytest.approx(5 + 2 * 50)
