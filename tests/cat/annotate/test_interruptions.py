"""Annotating is killed, stopped, or cannot write: what was answered is kept and not asked again."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from cat.annotate import Journal
from cat.signals import read_examples
from tests.cat.annotate.problems import problems, run
from tests.cat.annotate.server import AssistantServer, Request, faulty
from tests.cat.annotate.test_annotator import check_all_ended_once, full

ROOT = Path(__file__).parents[3]
ANNOTATE = """
import sys
from pathlib import Path
from tests.cat.annotate.problems import problems, run

class Server:
    base_url = sys.argv[1]

run(Server, Path(sys.argv[2]), problems(int(sys.argv[3])), in_flight=16)
"""


def annotating(server: AssistantServer, path: Path, n: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", ANNOTATE, server.base_url, str(path), str(n)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )


def wait_for_lines(path: Path, n: int, process: subprocess.Popen[str]) -> None:
    while not path.exists() or path.read_bytes().count(b"\n") < n:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.005)


@pytest.mark.parametrize("share", [0.0, pytest.param(0.2, marks=pytest.mark.slow)])
def test_killed_and_started_again(tmp_path: Path, share: float) -> None:
    """Only what was on its way when it was killed is asked for again."""
    path, records = tmp_path / "out.jsonl", problems(100)
    plan = faulty(share, "server error", "half a JSON", "cut")
    with AssistantServer(plan, delay=0.02) as server:
        with annotating(server, path, 100) as process:
            wait_for_lines(path, 40, process)
            process.kill()
        kept = Journal(path)
        first = dict(server.asked)
        done = {full(records[line["line"] - 1]) for line in kept.answered.values()}
        assert 40 <= len(done) < 100
        run(server, path, records, retry_failed=True)
    asked_again = {text for text in first if server.asked[text] > first[text]}
    assert not asked_again & done
    if share == 0.0:
        assert {server.asked[text] for text in done} == {1}
        assert len(asked_again) <= 16
        check_all_ended_once(path, records)


def test_ctrl_c_waits_for_the_answers_on_their_way(tmp_path: Path) -> None:
    path, records = tmp_path / "out.jsonl", problems(100)

    def plan(asked: Request) -> str:
        if len(server.log) == 30:
            signal.raise_signal(signal.SIGINT)  # is handled in the main thread
        return "answer"

    with AssistantServer(plan, delay=0.2) as server:
        with pytest.raises(KeyboardInterrupt, match=r"stopped: 100 texts: .* not asked for"):
            run(server, path, records, in_flight=10)
        assert len(Journal(path).answered) == sum(server.asked.values()) < 100
        run(server, path, records)
    assert set(server.asked.values()) == {1}
    check_all_ended_once(path, records)


def test_a_second_ctrl_c_waits_no_longer(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    again = threading.Timer(0.3, signal.raise_signal, [signal.SIGINT])

    def plan(asked: Request) -> str:
        if len(server.log) == 1:
            signal.raise_signal(signal.SIGINT)  # is handled in the main thread
            again.start()
        return "hang"

    with (
        AssistantServer(plan) as server,
        pytest.raises(KeyboardInterrupt, match="stopped: 20 texts: 20 not asked for"),
    ):
        run(server, path, problems(20), timeout=600.0)
    assert path.read_bytes() == b""
    assert not [one for one in threading.enumerate() if one.name == "annotation"]


def test_a_full_disk_ends_it_and_keeps_what_is_there(tmp_path: Path) -> None:
    path, records = tmp_path / "out.jsonl", problems(30)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4000, limits[1]))
    try:
        with (
            AssistantServer(delay=0.01) as server,
            pytest.raises(OSError, match="start the same again: only what is missing is asked for"),
        ):
            run(server, path, records, in_flight=4)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    kept = Journal(path).answered
    assert 5 < len(kept) < 15
    assert len(server.log) <= len(kept) + 4
    assert len(read_examples(path)) == len(kept)
    with AssistantServer() as server:
        result = run(server, path, records)
    assert result.before == len(kept)
    check_all_ended_once(path, records)


def test_a_journal_trains_as_it_is(tmp_path: Path) -> None:
    """Of lines with one key the last counts, in the order of the input; failures do not."""
    path = tmp_path / "out.jsonl"
    records = [
        {"key": key, "line": n, "status": status, "input": text, "target": "4"}
        for key, n, status, text in [
            ("c", 3, "annotated", "third"),
            ("a", 1, "annotated", "first, rejected"),
            ("b", 2, "failed", "never"),
            ("a", 1, "annotated", "first"),
            ("c", 3, "failed", "never"),
            ("b", 2, "annotated", "second"),
            ("d", 4, "failed", "never"),
        ]
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    assert [one.text for one in read_examples(path)] == ["first", "second", "third"]


def test_a_file_that_is_no_journal_is_read_as_it_stands(tmp_path: Path) -> None:
    """Others have fields of these names too."""
    path = tmp_path / "in.jsonl"
    records = [
        {"key": "x", "line": line, "status": "ok", "input": f"text {line}", "target": "4"}
        for line in (3, 1, 2)
    ]
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    assert [one.text for one in read_examples(path)] == ["text 3", "text 1", "text 2"]
