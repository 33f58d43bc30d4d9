"""`cat.annotate.journal`: what was appended stays, what is anybody else's is not touched."""

from __future__ import annotations

import errno
import json
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cat.annotate.journal import Journal

ROOT = Path(__file__).parents[3]


def line(key: str, status: str = "annotated", **more: Any) -> dict[str, Any]:
    return {"key": key, "line": 1, "status": status, **more}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "out" / "annotated.jsonl"
    journal = Journal(path)
    for one in (line("a", text="Zoë ate ½"), line("b", "failed"), line("c")):
        journal.append(one)
    return path


def test_what_is_appended_is_read(path: Path) -> None:
    journal = Journal(path)
    assert journal.answered == {"a": line("a", text="Zoë ate ½"), "c": line("c")}
    assert journal.failed == {"b": line("b", "failed")}
    assert "Zoë ate ½" in path.read_text(encoding="utf-8")


def test_an_answer_follows_a_failure_and_is_not_undone(path: Path) -> None:
    journal = Journal(path)
    journal.append(line("b"))
    journal.append(line("c", "failed"))
    for one in (journal, Journal(path)):
        assert sorted(one.answered) == ["a", "b", "c"]
        assert one.failed == {}


@pytest.mark.parametrize("kept", range(-60, 0, 7))
def test_a_last_line_cut_off_is_not_there(path: Path, kept: int) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + json.dumps(line("d", text="x" * 30)).encode()[:kept])
    journal = Journal(path)
    assert sorted(journal.answered) == ["a", "c"]
    journal.append(line("e"))
    assert path.read_bytes() == whole + json.dumps(line("e")).encode() + b"\n"


def test_a_last_line_without_its_newline_is_there(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])
    journal = Journal(path)
    journal.append(line("e"))
    assert sorted(Journal(path).answered) == ["a", "c", "e"]


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b'{"input": "Two and two?", "target": "4"}\n', ":1: .*got an object with"),
        (b'{"input": "Two and two?", "tar', ":1: .*got a damaged one"),
        (b"my notes", ":1: .*got a damaged one"),
        (b'{"key": "a", "status": "annot\n{"key": "b", "status": "failed"}\n', ":1: .*damaged"),
        (b'{"key": "b", "status": "failed"}\n[1, 2]\n', ":2: .*got list"),
        (b'{"key": "b", "status": "failed"}\n{"key": 3, "status": "failed"}\n', ":2: "),
        (b'{"key": "b", "status": "done"}\n', ":1: "),
        (b"\xff\xfe\n", ":1: .*damaged"),
    ],
)
def test_what_is_no_journal_is_refused_and_left_alone(
    tmp_path: Path, content: bytes, where: str
) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"other.jsonl{where}"):
        Journal(path)
    assert path.read_bytes() == content


def test_one_process_at_a_time(path: Path) -> None:
    code = (
        "import sys; from cat.annotate.journal import Journal\n"
        "with Journal(sys.argv[1]).held(): print('held', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError, match=r"annotated.jsonl: another process is writing"):
            Journal(path).append(line("e"))
        other.communicate("")
    Journal(path).append(line("e"))
    assert "e" in Journal(path).answered


def test_what_another_appended_meanwhile_is_known(path: Path) -> None:
    journal = Journal(path)
    Journal(path).append(line("e"))
    with journal.held():
        assert "e" in journal.answered


@pytest.fixture
def _full_disk(path: Path) -> Iterator[None]:
    """No file may grow beyond what the journal has and 100 bytes."""
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 100, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, limits)


@pytest.mark.usefixtures("_full_disk")
def test_a_full_disk_loses_one_answer(path: Path) -> None:
    before = path.read_bytes()
    journal = Journal(path)
    with pytest.raises(OSError, match="the answer for line 1 could not be written to") as caught:
        journal.append(line("d", text="x" * 200))
    assert caught.value.errno == errno.EFBIG
    assert path.read_bytes() == before
    assert "d" not in journal.answered
    journal.append(line("e"))
    assert sorted(Journal(path).answered) == ["a", "c", "e"]


def test_a_line_is_with_the_operating_system_at_once(path: Path) -> None:
    """So that a killed process has not lost it: another reads it while the file is open."""
    with Journal(path).held() as journal:
        journal.append(line("e"))
        assert "e" in Journal(path).answered
