"""Results are kept whole or not at all, and what is wrong with a file is told."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import resource
import signal
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from cat.experiments import RESULTS_VERSION, Run
from cat.experiments.store import ResultStore, StoreReport
from tests.cat.experiments.results import line_of

RUNS = [Run("tiny", "STG_S", seed=seed) for seed in range(4)]
LINES = [line_of(run) for run in RUNS]


def stored(folder: Path, *lines: dict[str, Any]) -> ResultStore:
    store = ResultStore(folder)
    for line in lines:
        store.append(line)
    return store


def test_what_is_appended_is_read(tmp_path: Path) -> None:
    store = stored(tmp_path / "results", *LINES)
    assert store.lines() == json.loads(json.dumps(LINES))
    assert str(store.read()[1]) == "4 runs"


def test_a_folder_that_is_not_there_has_no_results(tmp_path: Path) -> None:
    assert ResultStore(tmp_path / "none").read() == ({}, StoreReport(0, (), (), {}, {}))


@pytest.mark.parametrize("model", ["Qwen/Qwen2.5-1.5B", "/a/b", "../up", "a b", "..", "c:\\d"])
def test_a_models_name_makes_a_file_in_the_folder(tmp_path: Path, model: str) -> None:
    store = stored(tmp_path, line_of(Run(model, "STG_S")))
    assert [path.parent for path in tmp_path.rglob("*.jsonl")] == [tmp_path]
    assert store.lines()[0]["run"]["model"] == model


@pytest.mark.parametrize("kept", [1, 40, -2])
def test_a_line_cut_off_is_told_and_the_next_begins_afresh(tmp_path: Path, kept: int) -> None:
    store = stored(tmp_path, *LINES[:2])
    path = store.path("tiny")
    first, second, _ = path.read_bytes().split(b"\n")
    path.write_bytes(first + b"\n" + second[:kept])
    lines, report = store.read()
    assert list(lines) == [RUNS[0].key]
    (remark,) = report.remarks
    assert remark.startswith("tiny.jsonl:2: expected one JSON object, the line is cut off")
    store.append(LINES[1])
    lines, report = store.read()
    assert list(lines) == [RUNS[0].key, RUNS[1].key]
    assert len(report.unreadable) == 1


def test_a_cut_inside_a_character_is_a_cut(tmp_path: Path) -> None:
    store = stored(tmp_path, LINES[0], line_of(RUNS[1], note="é"))
    path = store.path("tiny")
    content = path.read_bytes()
    path.write_bytes(content[: content.index("é".encode()) + 1])
    assert len(store.lines()) == 1


@pytest.mark.parametrize(
    ("raw", "told"),
    [
        ("[1, 2]", "got list"),
        ('{"key": "tiny"}', "there is no 'version'"),
        (json.dumps({**LINES[0], "key": "other"}), "'other' is not that of its run"),
        (json.dumps({**LINES[0], "run": {"colour": 1}}), "its run cannot be read"),
        (json.dumps({**LINES[0], "run": {**vars(RUNS[0]), "data": "X"}}), "expected data as"),
    ],
)
def test_what_is_no_result_is_told_and_left_out(tmp_path: Path, raw: str, told: str) -> None:
    store = stored(tmp_path, LINES[1])
    with store.path("tiny").open("a", encoding="utf-8") as file:
        file.write(raw + "\n")
    lines, report = store.read()
    assert list(lines) == [RUNS[1].key]
    assert "tiny.jsonl:2" in str(report)
    assert told in str(report)


@pytest.mark.parametrize(("accuracy", "verdict"), [(0.5, "with the same"), (0.6, "DIFFER")])
def test_of_two_results_of_a_run_the_first_is_kept(
    tmp_path: Path, accuracy: float, verdict: str
) -> None:
    store = stored(tmp_path, LINES[0], LINES[1], line_of(RUNS[0], accuracy=accuracy))
    lines, report = store.read()
    assert lines[RUNS[0].key]["scores"]["test_ood"]["accuracy"] == 0.5
    assert [d.scores_agree for d in report.duplicates] == [accuracy == 0.5]
    assert verdict in report.remarks[0]
    assert report.runs == 2


def test_results_of_another_version_are_kept_apart_and_told(tmp_path: Path) -> None:
    older = RESULTS_VERSION - 1
    # Its run may have fields that this version does not know.
    old = [{**LINES[0], "version": older, "run": {"colour": 1, "model": "tiny"}}] * 2
    store = stored(tmp_path, LINES[0], *old)
    lines, report = store.read()
    assert list(lines) == [RUNS[0].key]
    assert report.other_versions == {older: 2}
    assert f"2 results of version {older}" in report.remarks[0]
    assert [line["version"] for line in store.lines(version=older)] == [older]


def test_a_field_that_is_not_known_stays_and_is_told(tmp_path: Path) -> None:
    store = stored(tmp_path, line_of(RUNS[0], colour="red"), LINES[1])
    assert store.lines()[0]["colour"] == "red"
    assert store.read()[1].remarks == ("1 line with a field unknown here: 'colour'",)


def test_json_knows_no_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        stored(tmp_path, line_of(RUNS[0], loss=float("nan")))
    assert ResultStore(tmp_path).lines() == []


def check_that_one_result_alone_is_lost(store: ResultStore, before: bytes) -> None:
    with pytest.raises(OSError, match="it alone is lost, all results before it are kept") as error:
        store.append(LINES[2])
    assert repr(LINES[2]["key"]) in str(error.value)
    assert store.path("tiny").read_bytes() == before


def test_a_full_disk_leaves_the_file_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = stored(tmp_path, *LINES[:2])
    before = store.path("tiny").read_bytes()

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)  # where a network disk tells that it is full
        check_that_one_result_alone_is_lost(store, before)
    store.append(LINES[2])
    assert str(store.read()[1]) == "3 runs"


def test_a_write_that_ends_half_way_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    store = stored(tmp_path, *LINES[:2])
    before = store.path("tiny").read_bytes()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 50, hard))  # 50 bytes do get written
    try:
        check_that_one_result_alone_is_lost(store, before)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, ignored)
    store.append(LINES[2])
    assert str(store.read()[1]) == "3 runs"


def test_an_append_waits_for_another_to_end(tmp_path: Path) -> None:
    """Which may be about to take half a line back."""
    store = stored(tmp_path, LINES[0])
    appending = threading.Thread(target=store.append, args=(LINES[1],))
    with store.path("tiny").open("ab") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        appending.start()
        appending.join(0.2)
        assert appending.is_alive()
    appending.join()
    assert len(store.lines()) == 2


APPENDING = """
import sys
from cat.experiments import Run
from cat.experiments.store import ResultStore
from tests.cat.experiments.results import line_of

store = ResultStore(sys.argv[1])
for seed in range(int(sys.argv[2]), int(sys.argv[2]) + 25):
    store.append(line_of(Run("tiny", "STG_S", seed=seed), training="x" * 100_000))
"""


def test_several_processes_may_append_at_once(tmp_path: Path) -> None:
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", APPENDING, str(tmp_path), first],
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )
        for first in ("0", "25", "50")
    ]
    assert [writer.wait() for writer in writers] == [0, 0, 0]
    assert str(ResultStore(tmp_path).read()[1]) == "75 runs"
