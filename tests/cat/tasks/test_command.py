"""``cat-tune data task``."""

from __future__ import annotations

from pathlib import Path

import pytest

from cat.cli import main
from cat.signals import read_examples
from tests.cat.tasks.kit import write_tasks


def test_a_task_is_read_told_and_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = write_tasks(tmp_path / "tasks")
    argv = ["data", "task", "mawps", "--source", str(tasks), "--out", str(tmp_path / "out")]
    assert main(argv) == 0
    said = capsys.readouterr().out
    assert "MAWPS: 20 train, 4 val, 6 test texts" in said
    assert "1 of the test questions are val questions too" in said
    assert "sum of all numbers in the question" in said
    for name, n in (("train", 20), ("val", 4), ("test", 6)):
        examples = read_examples(tmp_path / "out" / f"{name}.jsonl")
        assert len(examples) == n
        assert all(example.signals for example in examples)


def test_what_goes_wrong_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "task", "mawps", "--source", str(tmp_path / "no")]) == 2
    assert "error: expected a folder or a file with MAWPS's texts" in capsys.readouterr().err
