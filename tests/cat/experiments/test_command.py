"""``cat-tune sweep``."""

from __future__ import annotations

from argparse import ArgumentTypeError
from pathlib import Path
from typing import Any

import pytest

from cat.cli import main
from cat.experiments import Run
from cat.experiments.command import parse_seeds, parse_setting
from cat.experiments.store import ResultStore
from cat.provenance import machine
from tests.cat.experiments.results import line_of

SWEEP = ["sweep", "sizes", "--model", "tiny", "--data", "STG_S", "--methods", "plain", "cda"]


@pytest.fixture
def carried_out(monkeypatch: pytest.MonkeyPatch) -> list[Run]:
    """No training: the runs that were asked for; those with seed 9 fail."""
    asked: list[Run] = []

    def carry_out(run: Run, **watched: Any) -> dict[str, Any]:
        asked.append(run)
        if run.seed == 9:
            raise ValueError("nine is too many")
        return line_of(run, machine=machine())

    monkeypatch.setattr("cat.experiments.workers.carry_out", carry_out)
    return asked


def test_a_sweep_and_the_same_again(
    tmp_path: Path, carried_out: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    command = [*SWEEP, "--seeds", "2", "--results", str(tmp_path / "new")]
    assert main(command) == 0
    keys = [f"tiny STG_S {method} seed={seed}" for seed in (0, 1) for method in ("plain", "cda")]
    assert [run.key for run in carried_out] == keys
    assert [line["key"] for line in ResultStore(tmp_path / "new").lines()] == keys
    assert "4 runs: 4 done; results in" in capsys.readouterr().out
    assert main(command) == 0
    assert len(carried_out) == 4
    assert "4 runs: 4 done before; results in" in capsys.readouterr().out


def test_the_options_reach_the_runs(tmp_path: Path, carried_out: list[Run]) -> None:
    parts = ["--seeds", "7,", "--lora", "--dtype", "bfloat16", "--set", "num_train_epochs=0.5"]
    assert main([*SWEEP, *parts, "--results", str(tmp_path)]) == 0
    assert [run.key for run in carried_out] == [
        f"tiny STG_S {method} lora bfloat16 num_train_epochs=0.5 seed=7"
        for method in ("plain", "cda")
    ]


def test_a_failure_is_told_and_is_the_exit_status(
    tmp_path: Path, carried_out: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([*SWEEP, "--seeds", "9,0", "--results", str(tmp_path)]) == 1
    shown = capsys.readouterr()
    assert "4 runs: 2 done, 2 failed" in shown.out
    assert "failed: tiny STG_S cda seed=9: ValueError: nine is too many" in shown.err


def test_a_dry_run_tells_and_carries_nothing_out(
    tmp_path: Path, carried_out: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    store = ResultStore(tmp_path)
    for method in ("plain", "cda"):
        store.append(line_of(Run("tiny", "STG_S", method), seconds=30, machine=machine()))
    command = [*SWEEP, "--seeds", "3", "--dry-run", "--workers", "2", "--results", str(tmp_path)]
    assert main(command) == 0
    assert carried_out == []
    assert capsys.readouterr().out.splitlines() == [
        "tiny STG_S plain  seed 0 (done) 1 2",
        "tiny STG_S cda    seed 0 (done) 1 2",
        "6 runs, 2 done, 4 to do",
        "about 1 min 0 s with 2 workers, on this machine as busy as it was: 4 runs by what runs "
        "like them took here",
    ]


def test_what_is_wrong_with_the_results_is_told(
    tmp_path: Path, carried_out: list[Run], capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "tiny.jsonl").write_text('{"key": "ti', encoding="utf-8")
    assert main([*SWEEP, "--seeds", "1", "--results", str(tmp_path)]) == 0
    assert "tiny.jsonl:1: expected one JSON object, the line is cut" in capsys.readouterr().err
    assert len(ResultStore(tmp_path).lines()) == 2


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (["--methods", "magic"], "got 'magic'"),
        (["--data", "STG_X"], "expected data as one of"),
        (["--set", "colour=red"], "got 'colour'"),
        (["--set", "seed=3"], "one that the runs do not fix"),
        (["--model", "tiny/none"], "no shipped checkpoint"),
        (["--workers", "0"], "at least one worker"),
        (["--dtype", "float8"], "expected dtype"),
        (["--results", "/dev/null/results"], "expected an output folder that can be written"),
    ],
)
def test_what_cannot_be_carried_out_is_told_in_a_line(
    tmp_path: Path,
    carried_out: list[Run],
    capsys: pytest.CaptureFixture[str],
    wrong: list[str],
    told: str,
) -> None:
    assert main([*SWEEP, "--results", str(tmp_path), *wrong]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert "Traceback" not in error
    assert carried_out == []


@pytest.mark.parametrize("text", ["", "0", "-1", "a", "1,x", ","])
def test_seeds_that_are_none(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected how many seeds"):
        parse_seeds(text)


@pytest.mark.parametrize("text", ["", "a", "=3", "a="])
def test_settings_that_are_none(text: str) -> None:
    with pytest.raises(ArgumentTypeError, match="expected NAME=VALUE"):
        parse_setting(text)
