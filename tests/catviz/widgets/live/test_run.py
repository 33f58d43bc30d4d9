"""A run's states, and what it leaves: records, snapshots, and nothing else."""

from __future__ import annotations

import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from catviz.snapshots import Snapshot
from catviz.widgets.live import run as training_run
from catviz.widgets.live.run import Setting, TrainingRun
from tests.catviz.widgets.live.live_runs import (
    plan,
    press_ctrl_c,
    slow_model,
    small_data,
    tiny,
    wait_until,
)


@pytest.fixture(autouse=True)
def _nothing_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Neither a thread nor a file."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield
    ours = {"live training", "training"}
    wait_until(lambda: not [one for one in threading.enumerate() if one.name in ours], 5)
    assert list(tmp_path.glob("catviz-*")) == []  # torch has a folder of its own there


@pytest.fixture
def looks_at_every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_BETWEEN_LOOKS", "_TRAINING_OVER_LOOKING", "_MOST_OF_ALL"):
        monkeypatch.setattr(training_run, name, 0)


def test_a_run_to_its_end() -> None:
    states: list[str] = []
    run = TrainingRun(on_state=lambda: states.append(run.state))
    assert run.start(plan())
    assert run.wait(60)
    assert states == ["running", "finished"]
    assert [record.step for record in run.records] == list(range(1, 9))
    assert run.outline is not None
    assert run.outline.total_steps == run.records[-1].total_steps == 8
    assert [run.snapshots[0].step, run.snapshots[-1].step] == [0, 8]
    assert run.settings == [Setting(1, 10.0, "epoch")]
    assert {len(e.answers) for e in run.evaluations.values()} == {20}
    assert run.error is None
    assert not run.model.training
    assert run.model.config._attn_implementation == "sdpa"


@pytest.mark.usefixtures("looks_at_every_step")
def test_it_is_looked_at_from_the_thread_that_trains() -> None:
    seen: list[tuple[int, str, int]] = []

    def look(snapshot: Snapshot) -> None:
        seen.append((snapshot.step, threading.current_thread().name, torch.get_num_threads()))

    run = TrainingRun(on_snapshot=look)
    before = torch.get_num_threads()
    run.start(plan(epochs=1))
    run.wait()
    assert seen == [(step, "live training", 1) for step in range(5)]
    run.start(plan(epochs=1, threads=2))
    run.wait()
    assert seen[-1] == (4, "live training", 2)
    assert torch.get_num_threads() == before


def test_looks_are_rationed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_run, "_BETWEEN_LOOKS", 1000)
    run = TrainingRun()
    run.start(plan())
    run.wait()
    assert [snapshot.step for snapshot in run.snapshots] == [0, 8]


def test_a_second_start_does_nothing() -> None:
    calls: list[int] = []

    def fresh() -> Any:
        calls.append(1)
        return tiny()

    run = TrainingRun()
    assert run.start(plan(fresh_model=fresh, seconds_a_step=0.01))
    assert not run.start(plan(fresh_model=fresh))
    run.wait()
    assert len(calls) == 1
    assert len(run.records) == 8


@pytest.mark.parametrize("moment", ["forward", "pause", "pace"])
def test_stop_comes_within_half_a_second(moment: str) -> None:
    """In a step of 1.6 seconds; while paused; while it waits for the eye."""
    run = TrainingRun()
    slow = {"fresh_model": slow_model(0.2), "epochs": 1, "tests": one_text()}
    fast = {"seconds_a_step": 30.0 if moment == "pace" else 0.0, "epochs": 100}
    run.start(plan(**(slow if moment == "forward" else fast)))
    wait_until(lambda: run.snapshots)
    if moment == "pause":
        run.pause()
        wait_until(lambda: run.records)
    elif moment == "pace":
        wait_until(lambda: run.records)
    else:
        time.sleep(0.3)
    done = len(run.records)
    began = time.monotonic()
    run.stop()
    assert run.state in ("stopping", "finished")
    run.wait()
    assert (
        time.monotonic() - began < 1.0
    )  # a step takes 1.6 s; the half second is measured in the page
    assert run.state == "finished"
    assert len(run.records) == done
    assert run.evaluations == {}


def one_text() -> dict[str, Any]:
    return {"test_ood": small_data()["test_ood"][:1]}


def test_a_pause_holds_it_and_shows_the_step_it_holds_at() -> None:
    run = TrainingRun()
    run.start(plan(epochs=100))
    wait_until(lambda: len(run.records) > 5)
    run.pause()
    wait_until(lambda: run.snapshots[-1].step == run.records[-1].step)
    held = len(run.records)
    time.sleep(0.1)
    assert (run.state, len(run.records)) == ("paused", held)
    run.resume()
    wait_until(lambda: len(run.records) > held)
    run.stop()
    run.wait()


def test_alpha_and_gamma_moved_while_it_trains() -> None:
    run = TrainingRun()
    run.start(plan(alpha=None, epochs=100))

    def change(alpha: float | None, gamma: str) -> int:
        """Returns the first step that was taken with them."""
        run.pause()
        wait_until(lambda: run.snapshots[-1].step == run.records[-1].step)
        run.set_alpha(alpha)
        run.set_gamma(gamma)
        first = len(run.records) + 1
        run.resume()
        wait_until(lambda: len(run.records) > first + 3)
        return first

    wait_until(lambda: run.records)
    asked = change(1e6, "0.5")
    plain = change(None, "0.5")
    run.stop()
    run.wait()
    assert [(one.alpha, one.gamma) for one in run.settings] == [
        (None, "epoch"), (1e6, "0.5"), (None, "0.5"),
    ]  # fmt: skip
    assert [one.first_step for one in run.settings] == [1, asked, plain]
    for record in run.records:
        assert record.causal_mass is not None
        if asked <= record.step < plain:
            assert (record.gamma, record.active_row_share) == (0.5, 1.0)
            assert record.attn_loss is not None
            assert record.loss == pytest.approx(record.lm_loss + 0.5 * record.attn_loss)
        else:
            assert record.attn_loss is None


def test_without_signals_only_plain_training() -> None:
    train = [replace(example, signals=()) for example in small_data()["train"]]
    run = TrainingRun()
    run.start(plan(alpha=None, train=train, epochs=100))
    wait_until(lambda: run.records)
    with pytest.raises(ValueError, match="no training text has a causal signal"):
        run.set_alpha(3.0)
    assert run.active
    run.stop()
    run.wait()
    assert run.error is None


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan")])
def test_what_is_no_alpha_is_refused(alpha: float) -> None:
    with pytest.raises(ValueError, match="alpha"):
        TrainingRun().set_alpha(alpha)


def test_a_failure_keeps_what_was_recorded() -> None:
    def failing() -> Any:
        model, tokenizer = tiny()

        def fail_in_training(module: Any, inputs: Any) -> None:
            if module.training and len(run.records) == 3:
                raise RuntimeError("out of memory")

        model.model.register_forward_pre_hook(fail_in_training)
        return model, tokenizer

    states: list[str] = []
    run = TrainingRun(on_state=lambda: states.append(run.state))
    run.start(plan(fresh_model=failing))
    run.wait()
    assert states[-1] == run.state == "failed"
    assert str(run.error) == "out of memory"
    assert len(run.records) == 3
    assert run.snapshots
    assert run.start(plan())  # it can be begun again
    run.wait()
    assert (run.state, run.error) == ("finished", None)


def test_a_model_that_cannot_be_loaded() -> None:
    def missing() -> Any:
        raise ValueError("no model 'tyni'")

    run = TrainingRun()
    run.start(plan(fresh_model=missing))
    run.wait()
    assert (run.state, str(run.error)) == ("failed", "no model 'tyni'")


def test_reset_in_the_middle() -> None:
    run = TrainingRun()
    run.start(plan(epochs=100))
    wait_until(lambda: run.records)
    run.reset()
    assert (run.state, run.records, run.snapshots, run.model) == ("idle", [], [], None)


class TestBlock:
    def test_it_returns_when_the_run_has_ended(self) -> None:
        seen: list[str] = []
        run = TrainingRun(on_snapshot=lambda _: seen.append(threading.current_thread().name))
        assert run.start(plan(), block=True)
        assert run.state == "finished"
        assert set(seen) == {threading.current_thread().name}
        assert run.wait()

    def test_ctrl_c_ends_it_with_what_was_recorded(self) -> None:
        def interrupt() -> None:
            wait_until(lambda: len(run.records) > 3)
            press_ctrl_c()

        run = TrainingRun()
        thread = threading.Thread(target=interrupt)
        thread.start()
        run.start(plan(epochs=1000), block=True)
        thread.join()
        assert run.state == "finished"
        assert 3 < len(run.records) < 4000
        assert run.evaluations == {}
        assert not run.model.training

    def test_ctrl_c_while_waiting_stops_the_run(self) -> None:
        run = TrainingRun()
        run.start(plan(epochs=1000))
        wait_until(lambda: run.records)
        threading.Timer(0.1, press_ctrl_c).start()
        assert run.wait()
        assert run.state == "finished"
