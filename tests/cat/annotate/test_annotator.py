"""`cat.annotate.annotator`: every text ends once, whatever the endpoint does."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cat.annotate import (
    AnnotationResult,
    AnnotationStopped,
    Budget,
    Endpoint,
    Journal,
    Patience,
    Prices,
    annotate,
    as_texts,
)
from cat.signals import read_examples
from tests.cat.annotate.problems import MAWPS, SOON, cause_of, problems, run
from tests.cat.annotate.server import AssistantServer, Request, faulty

FAULTS = (
    *("rate limit", "server error", "hang", "cut", "half a body"),
    *("half a JSON", "wrong schema", "twice", "two choices"),
)


def lines_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def full(record: dict[str, Any]) -> str:
    return f"{record['input']} {record['target']}"


def check_all_ended_once(path: Path, records: list[dict[str, Any]]) -> None:
    """Every text has one line, with its own words."""
    lines = lines_of(path)
    assert sorted(line["line"] for line in lines) == list(range(1, len(records) + 1))
    assert len({line["key"] for line in lines}) == len(records)
    for line in lines:
        record = records[line["line"] - 1]
        if line["status"] == "annotated":
            assert {name: line[name] for name in record} == record
            assert line["important"] == [{record["target"]: [cause_of(record)]}]
        else:
            assert line["reason"]
            assert not {"input", "target", "important"} & set(line)


def storm(path: Path, n: int) -> AnnotationResult:
    """A fifth of the requests go wrong, in all ways."""
    records = problems(n)
    with AssistantServer(faulty(0.2, *FAULTS), delay=0.01) as server:
        result = run(server, path, records, timeout=1.0)
    check_all_ended_once(path, records)
    assert result.annotated + sum(result.failed.values()) == n
    assert result.annotated > 0.9 * n
    assert result.requests > 1.1 * n
    assert 1 < server.most_at_once <= 64
    sent = Counter({full(records[line["line"] - 1]): line["requests"] for line in lines_of(path)})
    assert sent.total() == result.requests
    assert sent >= server.asked  # on a busy machine one may time out before it arrives
    assert len(read_examples(path)) == result.annotated
    return result


def test_an_endpoint_of_many_faults(tmp_path: Path) -> None:
    storm(tmp_path / "out.jsonl", 100)


@pytest.mark.slow
def test_two_thousand_texts_and_many_faults(tmp_path: Path) -> None:
    storm(tmp_path / "out.jsonl", 2000)


def test_a_good_endpoint_is_asked_once_for_each(tmp_path: Path) -> None:
    path, records = tmp_path / "out.jsonl", problems(20)
    with AssistantServer() as server:
        first = run(server, path, records)
        again = run(server, path, [*records, *problems(21)[20:]])
    assert str(first) == "20 texts: 20 annotated; 20 requests, by schema"
    assert str(again) == "21 texts: 20 annotated before, 1 annotated; 1 request, by schema"
    assert set(server.asked.values()) == {1}
    assert first.usage.to_dict() == {
        "prompt_tokens": 2000,
        "completion_tokens": 400,
        "cached_tokens": 800,
    }
    examples = read_examples(path)  # in the order of the input, not in that of the answers
    assert [one.text for one in examples] == [one["input"] for one in problems(21)]
    assert lines_of(path)[0]["usage"]["prompt_tokens"] == 100


# --- the manner of asking -------------------------------------------------------------------------


def taking(*modes: str, other: str = "answer") -> Callable[[Request], str]:
    """An endpoint that refuses all modes but these."""

    def plan(asked: Request) -> str:
        kind = asked.json.get("response_format", {}).get("type", "text")
        return other if kind in modes else "no response_format"

    return plan


@pytest.mark.parametrize(
    ("takes", "mode", "refused"),
    [("json_schema", "schema", 0), ("json_object", "json", 1), ("text", "text", 2)],
)
def test_the_mode_is_found_out_by_the_first_text(
    tmp_path: Path, takes: str, mode: str, refused: int
) -> None:
    with AssistantServer(taking(takes), delay=0.01) as server:
        result = run(server, tmp_path / "out.jsonl", problems(30))
    assert (result.mode, result.annotated, result.requests) == (mode, 30, 30 + refused)
    assert sum(server.asked.values()) == 30 + refused
    assert {line["mode"] for line in lines_of(tmp_path / "out.jsonl")} == {mode}
    system = server.log[-1].json["messages"][0]["content"]
    assert ("Reply with JSON only" in system) == (mode != "schema")


def test_an_endpoint_that_takes_a_schema_and_ignores_it(tmp_path: Path) -> None:
    plan = lambda asked: "answer" if "response_format" not in asked.json else "prose"  # noqa: E731
    with AssistantServer(plan) as server:
        result = run(server, tmp_path / "out.jsonl", problems(40))
    assert result.mode == "text"
    # Three unreadable replies to a mode, not one from each text in flight; all are mended.
    assert (result.annotated, result.requests) == (40, 40 + 3 + 3)


def test_a_new_name_for_the_limit_of_tokens(tmp_path: Path) -> None:
    plan = lambda asked: "max_completion_tokens" if "max_tokens" in asked.json else "answer"  # noqa: E731
    with AssistantServer(plan) as server:
        result = run(server, tmp_path / "out.jsonl", problems(5))
    assert (result.mode, result.annotated, result.requests) == ("schema", 5, 6)


# --- one repair -----------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["prose", "half a JSON", "wrong schema", "absent"])
def test_one_repair_quotes_what_is_wrong(tmp_path: Path, first: str) -> None:
    path = tmp_path / "out.jsonl"
    with AssistantServer(lambda asked: first if asked.nth == 1 else "answer") as server:
        result = run(server, path, problems(3))
    assert (result.annotated, result.requests) == (3, 6)
    quoted = server.log[-1].json["messages"][-1]["content"]
    assert ('"moon and" does not stand in the text' in quoted) == (first == "absent")
    assert ("cannot be read" in quoted) == (first != "absent")
    for line in lines_of(path):
        assert line["requests"] == 2
        assert line["usage"]["completion_tokens"] == 40
        assert line["faults"] == []
        before = [fault["reason"] for fault in line.get("faults_before", [])]
        assert before == (["absent", "answer not covered"] if first == "absent" else [])


@pytest.mark.parametrize(
    ("always", "reason"),
    [
        ("prose", "invalid JSON"),
        ("wrong schema", "wrong schema"),
        ("absent", "no signals"),
        ("refusal", "refusal"),
        ("content filter", "content filter"),
        ("truncated", "truncated"),
        ("too long", "too long"),
        ("server error", "server error"),
        ("half a body", "not JSON"),
        ("empty", "empty"),
    ],
)
def test_a_failure_is_kept_as_one_and_asked_again_on_request(
    tmp_path: Path, always: str, reason: str
) -> None:
    path, records = tmp_path / "out.jsonl", problems(3)
    told: list[str] = []
    with AssistantServer(lambda asked: always) as server:
        result = run(server, path, records, say=told.append)
        assert result.failed == {reason: 3}
        sent = sum(server.asked.values())
        assert result.requests == sent == sum(line["requests"] for line in lines_of(path))
        again = run(server, path, records)
        assert str(again) == "3 texts: 3 failed before and left at that"
        assert sum(server.asked.values()) == sent
        server.plan = lambda asked: "answer"
        mended = run(server, path, records, retry_failed=True)
    assert (mended.annotated, mended.failed) == (3, {})
    assert sorted(told)[0].startswith(f"line 1: {reason}: ")
    assert len(read_examples(path)) == 3
    failed_only = path.with_name("failed.jsonl")
    failed_only.write_text("".join(path.read_text().splitlines(keepends=True)[:3]))
    with pytest.raises(ValueError, match="3 failed annotations only"):
        read_examples(failed_only)


def test_the_better_reply_is_kept(tmp_path: Path) -> None:
    """A repair that makes it worse, or does not come, does not lose the first reply."""
    for second in ("absent", "prose", "refusal", "server error"):
        path = tmp_path / f"{second}.jsonl"
        with AssistantServer(lambda asked, s=second: "half right" if asked.nth == 1 else s) as one:
            assert run(one, path, problems(2)).annotated == 2
        for line in lines_of(path):
            record = problems(2)[line["line"] - 1]
            assert line["important"] == [{record["target"]: [cause_of(record)]}]
            assert [fault["reason"] for fault in line["faults"]] == ["absent"]
            assert "faults_before" not in line


# --- one fault is everybody's ---------------------------------------------------------------------


@pytest.mark.parametrize(
    ("behaviour", "reason", "advice"),
    [
        ("authentication", "authentication", "the variable OPENAI_API_KEY"),
        ("no credit", "no credit", "quota"),
        ("no such model", "no such model", "how it calls its models"),
        ("HTML", "not an API", "ends in /v1"),
        ("other JSON", "not an API", "ends in /v1"),
        ("not found", "not an API", "ends in /v1"),
        ("cut at once", "connection", "is the endpoint running"),
    ],
)
def test_what_meets_all_texts_ends_the_annotation(
    tmp_path: Path, behaviour: str, reason: str, advice: str
) -> None:
    path = tmp_path / "out.jsonl"
    with (
        AssistantServer(lambda asked: behaviour) as server,
        pytest.raises(AnnotationStopped, match=advice) as stopped,
    ):
        run(server, path, problems(50))
    assert stopped.value.reason == reason
    assert stopped.value.result.left == 50
    assert len(server.asked) == 1 or behaviour == "cut at once"
    assert path.read_bytes() == b""


def test_a_key_that_is_withdrawn_half_way(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    gone = lambda asked: "authentication" if len(server.log) > 20 else "answer"  # noqa: E731
    with AssistantServer(gone, delay=0.01) as server:
        with pytest.raises(AnnotationStopped, match="20 annotated, 30 not asked for"):
            run(server, path, problems(50), in_flight=4)
        assert len(server.log) < 30
        server.plan = lambda asked: "answer"
        run(server, path, problems(50))
    check_all_ended_once(path, problems(50))


def test_an_endpoint_that_dies_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    dying = lambda asked: "server error" if len(server.log) > 10 else "answer"  # noqa: E731
    with (
        AssistantServer(dying) as server,
        pytest.raises(AnnotationStopped, match="texts in a row failed") as stopped,
    ):
        run(server, path, problems(200), in_flight=4, patience=Patience(2, 0.001, 0.001))
    assert stopped.value.result.left > 100
    assert lines_of(path)[-1]["reason"] == "server error"


def test_a_long_rate_limit_ends_it(tmp_path: Path) -> None:
    """As long as the endpoint asks for, nobody will wait."""
    patience = Patience(deadline=0.01, first_wait=0.001)
    with (
        AssistantServer(lambda asked: "rate limit") as server,
        pytest.raises(AnnotationStopped, match=r"given up after 0.01 s \(try later") as stopped,
    ):
        run(server, tmp_path / "out.jsonl", problems(50), patience=patience)
    assert stopped.value.reason == "rate limit"
    assert len(server.log) == 1


def test_rate_limits_are_waited_out_and_are_no_failures(tmp_path: Path) -> None:
    often = lambda asked: "answer" if asked.nth > 8 else "rate limit"  # noqa: E731
    with AssistantServer(often) as server:
        result = run(server, tmp_path / "out.jsonl", problems(3), patience=Patience(attempts=1))
    assert (result.annotated, result.requests) == (3, 27)


def test_no_key_nothing_begun(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLM_KEY", raising=False)
    endpoint = Endpoint("glm", "https://glm.example.com/v4", api_key_variable="GLM_KEY")
    with pytest.raises(ValueError, match="GLM_KEY, which is not set"):
        annotate(as_texts(problems(1)).items, MAWPS, endpoint, Journal(tmp_path / "out.jsonl"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_ask_needs_no_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    path = tmp_path / "out.jsonl"
    with AssistantServer() as server:
        run(server, path, problems(2))
    far = Endpoint("m", "https://api.example.com/v1")  # its URL is no part of a line's key
    result = annotate(as_texts(problems(2)).items, MAWPS, far, Journal(path), progress=False)
    assert (result.before, result.requests) == (2, 0)


def test_the_key_is_in_no_line_and_no_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    key = "sk-do-not-show-me-0123456789"
    monkeypatch.setenv("OPENAI_API_KEY", key)
    caplog.set_level(logging.DEBUG)
    path = tmp_path / "out.jsonl"
    told: list[str] = []
    with AssistantServer(lambda asked: "echoes the key") as server:
        run(server, path, problems(2), say=told.append)
    assert server.log[0].headers["authorization"] == f"Bearer {key}"
    assert "Bearer ***" in path.read_text(encoding="utf-8")
    assert key not in path.read_text(encoding="utf-8") + caplog.text + "".join(told)


# --- the same text twice, other questions, money --------------------------------------------------


@pytest.mark.parametrize("behaviour", ["answer", "refusal"])
def test_texts_that_say_the_same_are_asked_for_once(tmp_path: Path, behaviour: str) -> None:
    path = tmp_path / "out.jsonl"
    a, b = problems(2)
    with AssistantServer(lambda asked: behaviour) as server:
        result = run(server, path, [a, b, a, a])
        assert (result.requests, result.copies, result.left) == (2, 2, 0)
        run(server, path, [a, b, a, a, a])
    assert set(server.asked.values()) == {1}
    lines = lines_of(path)
    assert sorted(line["line"] for line in lines) == [1, 2, 3, 4, 5]
    assert sum(line["requests"] for line in lines) == 2
    assert sum(line["usage"]["prompt_tokens"] for line in lines) == 200
    if behaviour == "answer":
        assert [one.text for one in read_examples(path)] == [
            one["input"] for one in (a, b, a, a, a)
        ]


def test_answers_to_other_questions_are_told(tmp_path: Path) -> None:
    path = tmp_path / "out.jsonl"
    with AssistantServer() as server:
        run(server, path, problems(3))
        result = run(server, path, problems(5)[2:])
    assert (result.before, result.annotated, result.others) == (1, 2, 2)
    assert "also holds 2 annotations of other texts" in str(result)


def test_the_budget_is_not_passed(tmp_path: Path) -> None:
    price = Prices.load()["gpt-4o"]
    budget = Budget(Decimal("0.04"), price)
    with AssistantServer() as server:
        result = run(server, tmp_path / "out.jsonl", problems(100), budget=budget, in_flight=4)
    assert budget.spent <= budget.limit
    assert result.stopped is not None
    assert 0 < result.annotated == len(server.log) < 100
    assert result.left == 100 - result.annotated
    assert "stopped: a request was not sent" in str(result)
    assert budget.spent == budget.cost(result.usage)


# --- where it is called from ----------------------------------------------------------------------


def test_in_a_cell_of_a_notebook(tmp_path: Path) -> None:
    """There a loop runs already in the thread that calls."""

    async def cell() -> AnnotationResult:
        with AssistantServer() as server:
            return run(server, tmp_path / "out.jsonl", problems(3), progress=False)

    assert asyncio.run(cell()).annotated == 3


def test_nothing_to_do_asks_nobody(tmp_path: Path) -> None:
    with AssistantServer() as server:
        assert str(run(server, tmp_path / "out.jsonl", [])) == "0 texts: nothing to do"


def test_the_progress_is_shown(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with AssistantServer(lambda asked: "refusal", delay=0.01) as server:
        run(server, tmp_path / "out.jsonl", problems(5), progress=True, patience=SOON)
    assert "5/5" in capsys.readouterr().err
