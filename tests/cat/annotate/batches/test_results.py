"""Results are put to their texts by id, whatever order or state they come in."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from cat.annotate.batches.results import read_results

KEYS = tuple(f"key{n}" for n in range(20))


def completion(text: str, finish: str = "stop", **message: Any) -> dict[str, Any]:
    return {
        "model": "m",
        "choices": [{"message": {"content": text, **message}, "finish_reason": finish}],
        "usage": {"prompt_tokens": 500, "completion_tokens": 100},
    }


def result(key: str, body: Any, status: int = 200) -> str:
    response = {"status_code": status, "request_id": "r", "body": body}
    return json.dumps({"id": "x", "custom_id": key, "response": response, "error": None})


def error(key: str, code: str) -> str:
    told = {"code": code, "message": "This request could not be executed"}
    return json.dumps({"id": "x", "custom_id": key, "response": None, "error": told})


def test_reordered_results_go_to_their_own_texts() -> None:
    lines = [result(key, completion(f"answer of {key}")) for key in KEYS]
    random.Random(1).shuffle(lines)
    results = read_results(KEYS, lines)
    assert {key: reply.text for key, reply in results.replies.items()} == {
        key: f"answer of {key}" for key in KEYS
    }
    assert not results.failures
    assert not results.remarks


def test_every_text_is_a_reply_or_a_failure_and_never_both() -> None:
    """Whatever is done to the lines of the two files."""
    chance = random.Random(2)
    for _ in range(200):
        lines = [result(key, completion(key)) for key in KEYS]
        lines += [error(chance.choice(KEYS), "server_error") for _ in range(3)]
        lines += [result(f"foreign{n}", completion("?")) for n in range(2)]
        lines = [line for line in lines * 2 if chance.random() < 0.6]
        lines = [
            line[: chance.randrange(len(line))] if chance.random() < 0.1 else line for line in lines
        ]
        chance.shuffle(lines)
        results = read_results(KEYS, lines)
        assert set(results.replies) | set(results.failures) == set(KEYS)
        assert not set(results.replies) & set(results.failures)
        for key, reply in results.replies.items():
            assert reply.text == key


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (result("key0", {"error": {"code": "context_length_exceeded"}}, 400), "too long"),
        (result("key0", {"error": {"message": "slow down"}}, 429), "rate limit"),
        (result("key0", {"error": {"message": "oh"}}, 500), "server error"),
        (result("key0", completion("", "content_filter")), "content filter"),
        (result("key0", completion("", refusal="I cannot help with that")), "refusal"),
        (result("key0", completion('{"relations": [', "length")), "truncated"),
        (result("key0", completion("")), "empty"),
        (result("key0", "<html>"), "not an API"),
        (error("key0", "batch_expired"), "batch expired"),
        (error("key0", "batch_cancelled"), "batch cancelled"),
        (json.dumps({"custom_id": "key0"}), "bad request"),
        (json.dumps({"custom_id": "key0", "response": None, "error": None}), "bad request"),
        ("", "missing"),
    ],
)
def test_failures_keep_their_reason(line: str, reason: str) -> None:
    results = read_results(("key0",), [line])
    assert results.failures["key0"].reason == reason
    assert not results.replies


def test_what_was_counted_for_a_failure_is_kept() -> None:
    results = read_results(("key0",), [result("key0", completion("", "length"))])
    usage = results.failures["key0"].usage
    assert usage is not None
    assert usage.tokens == 600


@pytest.mark.parametrize("status", ["expired", "cancelled", "failed"])
def test_a_batch_that_ended_early_gives_what_it_has(status: str) -> None:
    lines = [result("key3", completion("done in time"))]
    results = read_results(KEYS, lines, status=status, why="token limit")
    assert list(results.replies) == ["key3"]
    assert {failure.reason for failure in results.failures.values()} == {f"batch {status}"}
    assert all(failure.sure and failure.detail for failure in results.failures.values())


def test_what_is_not_as_it_should_be_is_told() -> None:
    good = result("key0", completion("first"))
    lines = [
        good,
        result("key0", completion("second")),
        result("key1", completion("lost"))[:-20],
        "[1, 2]",
        result("other", completion("whose?")),
        json.dumps({"custom_id": 7, "response": None}),
        json.dumps({"custom_id": ["key1"], "response": None}),
        "",
    ]
    results = read_results(("key0", "key1"), lines)
    assert results.replies["key0"].text == "first"
    assert results.failures["key1"].reason == "missing"
    assert results.remarks == (
        "2 lines of the results are broken",
        "3 results are of no text of the batch",
        "1 text has a second result, left aside",
    )


def test_an_answer_wins_over_a_failure_of_the_same_text() -> None:
    lines = [error("key0", "server_error"), result("key0", completion("after all"))]
    for order in (lines, lines[::-1]):
        results = read_results(("key0",), order)
        assert results.replies["key0"].text == "after all"
        assert not results.failures
