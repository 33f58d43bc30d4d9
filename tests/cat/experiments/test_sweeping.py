"""Sweeps: resumed, interrupted, killed, with runs that fail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from cat.experiments import Run
from cat.experiments.store import ResultStore
from cat.experiments.sweeping import sweep
from cat.experiments.workers import Outcome, outcomes
from tests.cat.experiments.results import line_of

ROOT = Path(__file__).parents[2]
RUNS = [Run("tiny", "STG_S", seed=seed) for seed in range(4)]


class CarriedOut:
    """Stands in for trainings; remembers which runs it was asked for."""

    def __init__(self) -> None:
        self.keys: list[str] = []
        self.raises: dict[str, BaseException] = {}

    def __call__(self, run: Run, **watched: Any) -> dict[str, Any]:
        self.keys.append(run.key)
        if run.key in self.raises:
            raise self.raises[run.key]
        return line_of(run)


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> CarriedOut:
    carried_out = CarriedOut()
    monkeypatch.setattr("cat.experiments.workers.carry_out", carried_out)
    return carried_out


@pytest.fixture
def store(tmp_path: Path) -> ResultStore:
    return ResultStore(tmp_path)


def test_finished_runs_are_skipped(store: ResultStore, carried_out: CarriedOut) -> None:
    store.append(line_of(RUNS[1], accuracy=0.9))
    result = sweep(RUNS[:3], store, progress=False)
    assert carried_out.keys == [RUNS[0].key, RUNS[2].key]
    assert str(result) == "3 runs: 1 done before, 2 done"
    assert str(sweep(RUNS[:3], store, progress=False)) == "3 runs: 3 done before"
    assert store.read()[0][RUNS[1].key]["scores"]["test_ood"]["accuracy"] == 0.9


def test_a_run_declared_twice_is_carried_out_once(
    store: ResultStore, carried_out: CarriedOut
) -> None:
    assert sweep([RUNS[0], RUNS[0]], store, progress=False).runs == 1
    assert carried_out.keys == [RUNS[0].key]


def test_a_run_cut_off_in_the_file_runs_again(store: ResultStore, carried_out: CarriedOut) -> None:
    sweep(RUNS[:2], store, progress=False)
    path = store.path("tiny")
    path.write_bytes(path.read_bytes()[:-30])
    sweep(RUNS[:2], store, progress=False)
    assert carried_out.keys == [RUNS[0].key, RUNS[1].key, RUNS[1].key]
    assert len(store.lines()) == 2


def test_a_run_that_fails_is_told_and_the_others_go_on(
    store: ResultStore, carried_out: CarriedOut
) -> None:
    carried_out.raises[RUNS[1].key] = ValueError("no such thing")
    said: list[str] = []
    result = sweep(RUNS[:3], store, progress=False, say=said.append)
    assert said == [f"failed: {RUNS[1].key}: ValueError: no such thing"]
    assert str(result) == "3 runs: 2 done, 1 failed"
    assert result.failed == (Outcome(RUNS[1], error="ValueError: no such thing"),)
    carried_out.raises.clear()
    assert str(sweep(RUNS[:3], store, progress=False)) == "3 runs: 2 done before, 1 done"


def test_ctrl_c_tells_what_was_kept(store: ResultStore, carried_out: CarriedOut) -> None:
    carried_out.raises[RUNS[2].key] = KeyboardInterrupt()
    with pytest.raises(KeyboardInterrupt, match=r"2 of 4 runs done and kept .* goes on"):
        sweep(RUNS, store, progress=False)
    assert len(store.lines()) == 2


def test_a_sweep_ends_where_its_results_cannot_be_kept(
    store: ResultStore, carried_out: CarriedOut, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device.*it alone is lost"):
        sweep(RUNS, store, progress=False)
    assert carried_out.keys == [RUNS[0].key]


def test_the_bar_names_what_runs_and_ends_full(
    store: ResultStore, carried_out: CarriedOut, capsys: pytest.CaptureFixture[str]
) -> None:
    sweep(RUNS, store)
    shown = capsys.readouterr().err
    assert "0/4 runs   0%" in shown
    assert RUNS[3].key in shown
    assert "4/4 runs 100%" in shown


@pytest.mark.parametrize("workers", [0, -1])
def test_fewer_than_one_worker(workers: int) -> None:
    with pytest.raises(ValueError, match=f"at least one worker, got {workers}"):
        outcomes(RUNS, watcher=None, workers=workers)  # type: ignore[arg-type]


KILLED = """
import sys, time
from cat.experiments import workers
from cat.experiments import Run
from cat.experiments.store import ResultStore
from cat.experiments.sweeping import sweep
from tests.cat.experiments.results import line_of

def carry_out(run, **watched):
    time.sleep(0.05)
    return line_of(run, note="x" * 100_000)

workers.carry_out = carry_out
runs = [Run("tiny", "STG_S", seed=seed) for seed in range(int(sys.argv[2]))]
print(sweep(runs, ResultStore(sys.argv[1]), progress=False))
"""


def test_killed_at_any_moment_a_sweep_loses_the_run_in_flight_alone(store: ResultStore) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}

    def start(runs: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", KILLED, str(store.folder), str(runs)]
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)

    file = store.path("tiny")
    with start(1000) as sweeping:
        while not file.exists() or file.stat().st_size < 300_000:
            assert sweeping.poll() is None
            time.sleep(0.01)
        sweeping.send_signal(signal.SIGKILL)
        sweeping.communicate()
    kept = len(store.lines())
    whole = file.read_bytes().count(b"\n")
    assert kept == whole >= 2  # every line that was written stands, whole
    with start(kept + 3) as again:
        told, _ = again.communicate()
    assert told.strip() == f"{kept + 3} runs: {kept} done before, 3 done"
    seeds = [line["run"]["seed"] for line in store.lines()]
    assert sorted(seeds) == list(range(kept + 3))


BY_WORKERS = """
import sys
from cat.experiments import Run
from cat.experiments.store import ResultStore
from cat.experiments.sweeping import sweep

short = {"num_train_epochs": 0.2}
cells = [(method, seed) for method in ("plain", "cda") for seed in (0, 1)]
runs = [Run("tiny", "STG_S", method, seed=seed, settings=short) for method, seed in cells]
runs.append(Run("tiny", "STG_S", "magic"))
result = sweep(runs, ResultStore(sys.argv[1]), workers=int(sys.argv[2]))
print(result)
print(result.failed[0].error)
"""


@pytest.mark.slow
def test_two_workers_give_what_one_gives(tmp_path: Path) -> None:
    """With Ray, whose processes each import torch."""
    pytest.importorskip("ray")
    found = []
    for workers in ("1", "2"):
        folder = tmp_path / workers
        # A process of its own: Ray keeps threads and changes signal handlers.
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", BY_WORKERS, str(folder), workers],
            capture_output=True,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert done.returncode == 0, done.stderr
        counts, error = done.stdout.splitlines()
        assert counts == "5 runs: 4 done, 1 failed"
        assert error.startswith("ValueError: expected a method of")
        lines = sorted(ResultStore(folder).lines(), key=lambda line: line["key"])
        kept = ("key", "scores", "training", "data", "references", "steps", "measures")
        found.append([{name: line[name] for name in kept} for line in lines])
    assert json.dumps(found[0]) == json.dumps(found[1])
    assert not list(Path("/tmp").glob("ray-*/session_*/sockets/*"))
