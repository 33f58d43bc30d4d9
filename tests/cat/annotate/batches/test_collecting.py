"""What batches bring is checked, repaired and kept as all other replies are."""

from __future__ import annotations

import contextlib
import random
from collections import Counter
from collections.abc import Iterator, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cat.annotate import Endpoint, Journal
from cat.annotate.batches.batch import submit
from cat.annotate.batches.collecting import Collected, collect
from cat.annotate.batches.state import BatchState
from cat.annotate.cost.budget import Budget
from cat.annotate.cost.money import Money, Price
from cat.annotate.cost.spending import paid_lines
from cat.annotate.questions import questions
from cat.annotate.texts import Text, as_texts
from cat.signals import read_examples
from tests.cat.annotate.batch_server import BatchServer, share_tls_context
from tests.cat.annotate.problems import MAWPS, cause_of, problems
from tests.cat.annotate.server import Request

PRICE = Price("m", Decimal(1), Decimal(3), "USD", "2026-01-01", "a page")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[BatchServer]:
    share_tls_context(monkeypatch)
    with BatchServer() as running:
        yield running


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out.jsonl"


def send(server: BatchServer, out: Path, texts: Sequence[Text], **options: Any) -> None:
    endpoint = Endpoint("m", server.base_url)
    asked = questions(texts, MAWPS, endpoint)
    first = [(one.key, MAWPS.messages(one.text.example)) for one in asked if not one.copy_of]
    submit(first, endpoint, BatchState(out), **options)


def fetch(server: BatchServer, out: Path, texts: Sequence[Text], **options: Any) -> Collected:
    endpoint = Endpoint("m", server.base_url)
    state, journal = BatchState(out), Journal(out)
    return collect(texts, MAWPS, endpoint, journal, state, progress=False, **options)


def test_results_reach_their_own_texts(server: BatchServer, out: Path) -> None:
    """Reordered, some twice, some of nobody; several batches, one of them running still."""
    records = problems(12)
    texts = as_texts(records).items
    send(server, out, texts, most_requests=5)
    server.mangle = lambda lines: random.Random(0).sample(lines * 2, 2 * len(lines))
    server.end("batch_0")
    server.end("batch_2")
    found = fetch(server, out, texts)
    assert [result.annotated for result in found.results.values()] == [5, 2]
    assert list(found.running.values()) == ["in_progress, 0 of 5 done"]
    assert "second results, left aside" in found.remarks[0]
    assert server.asked == {}  # nothing was asked by chat
    lines = Journal(out).answered.values()
    for line in lines:
        record = records[line["line"] - 1]
        assert (line["input"], line["target"]) == (record["input"], record["target"])
        assert line["important"] == [{record["target"]: [cause_of(record)]}]
        assert line["batch_usage"] == {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "cached_tokens": 40,
        }
        assert set(line["usage"].values()) == {0}
    server.end("batch_1")
    assert [result.annotated for result in fetch(server, out, texts).results.values()] == [5]
    assert len(read_examples(out)) == 12
    assert fetch(server, out, texts) == Collected({}, {})


def test_a_faulty_reply_is_repaired_by_chat(server: BatchServer, out: Path) -> None:
    texts = as_texts(problems(6)).items
    faulty = texts[2].example.full_text
    in_batch = True

    def plan(asked: Request) -> str:
        return "absent" if in_batch and asked.text == faulty else "answer"

    server.plan = plan
    send(server, out, texts)
    server.end("batch_0")
    in_batch = False
    fetch(server, out, texts)
    assert server.asked == {faulty: 1}
    (asked,) = server.log
    assert "does not stand in the text" in asked.json["messages"][-1]["content"]
    lines = {line["line"]: line for line in Journal(out).answered.values()}
    assert len(lines) == 6
    assert lines[3]["requests"] == 2
    assert lines[3]["usage"]["prompt_tokens"] == lines[3]["batch_usage"]["prompt_tokens"] == 100
    assert lines[3]["faults"] == []
    assert lines[3]["faults_before"]


def test_failures_of_a_batch_are_recorded_and_sent_again_on_request(
    server: BatchServer, out: Path
) -> None:
    texts = as_texts(problems(30)).items
    send(server, out, texts)
    server.plan = lambda asked: "server error"  # each of them: more than a run would stand
    server.end("batch_0", "expired", done=25)
    (result,) = fetch(server, out, texts).results.values()
    assert result.failed == {"server error": 25, "batch expired": 5}
    assert result.left == 0
    journal = Journal(out)
    assert len(journal.failed) == 30
    assert all("input" not in line for line in journal.failed.values())

    server.plan = lambda asked: "answer"
    send(server, out, texts)
    server.end("batch_1")
    (result,) = fetch(server, out, texts).results.values()
    assert result.annotated == 30
    assert len(read_examples(out)) == 30


def test_missing_results_are_told(server: BatchServer, out: Path) -> None:
    texts = as_texts(problems(6)).items
    send(server, out, texts)
    server.mangle = lambda lines: [*lines[:4], lines[4][:50]]
    server.end("batch_0")
    found = fetch(server, out, texts)
    (result,) = found.results.values()
    assert (result.annotated, result.failed) == (4, {"missing": 2})
    assert found.remarks == ("batch batch_0: 1 line of the results is broken",)


def test_texts_that_say_the_same_are_sent_once(server: BatchServer, out: Path) -> None:
    texts = as_texts([*problems(3), *problems(2)]).items
    send(server, out, texts)
    server.end("batch_0")
    fetch(server, out, texts)
    lines = paid_lines(out)
    assert Counter(line["line"] for line in lines) == Counter(range(1, 6))
    assert sum(line["requests"] for line in lines) == 3


@pytest.mark.parametrize("lines", range(9))
def test_killed_while_collecting_nothing_is_kept_twice(
    server: BatchServer, out: Path, monkeypatch: pytest.MonkeyPatch, lines: int
) -> None:
    texts = as_texts([*problems(6), *problems(2)[:1], *problems(3)[2:]]).items
    server.plan = lambda asked: "refusal" if "Box 1 " in asked.text else "answer"
    send(server, out, texts)
    server.end("batch_0")
    append, left = Journal.append, [lines]

    def append_until_killed(self: Journal, line: Any) -> None:
        if not left[0]:
            raise OSError("killed")
        left[0] -= 1
        append(self, line)

    monkeypatch.setattr(Journal, "append", append_until_killed)
    with contextlib.suppress(OSError):
        fetch(server, out, texts)
    monkeypatch.setattr(Journal, "append", append)
    assert len(paid_lines(out)) == min(lines, 8)
    fetch(server, out, texts)
    assert Counter(line["line"] for line in paid_lines(out)) == Counter(range(1, 9))
    assert not BatchState(out).open
    assert server.asked == {}


def test_without_money_for_a_repair_the_batchs_reply_counts(server: BatchServer, out: Path) -> None:
    texts = as_texts(problems(3)).items
    server.plan = lambda asked: "absent" if "Box 0 " in asked.text else "answer"
    send(server, out, texts)
    server.end("batch_0")
    budget = Budget(Decimal(1), PRICE, spent=Money(Decimal(1), "USD"))
    (result,) = fetch(server, out, texts, budget=budget).results.values()
    assert (result.annotated, result.failed, result.left) == (2, {"no signals": 1}, 0)
    assert server.asked == {}
    assert not BatchState(out).open


def test_other_texts_than_those_submitted_are_refused(server: BatchServer, out: Path) -> None:
    texts = as_texts(problems(5)).items
    send(server, out, texts)
    server.end("batch_0")
    with pytest.raises(ValueError, match="5 texts, of which 2 are not among these"):
        fetch(server, out, texts[:3])
    assert not out.exists()
    assert BatchState(out).open  # nothing is lost by it
    fetch(server, out, texts)
    assert len(read_examples(out)) == 5
