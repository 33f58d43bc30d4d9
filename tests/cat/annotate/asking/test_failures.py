"""`cat.annotate.asking.failures` and `replies`: what several providers' answers mean."""

from __future__ import annotations

import json
import time
from email.utils import formatdate
from typing import Any

import pytest

from cat.annotate.asking.failures import RequestFailed, failure_of_status, retry_after
from cat.annotate.asking.replies import read_body, read_completion
from tests.cat.annotate.server import completion


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, {"error": {"code": "invalid_api_key", "message": "Incorrect"}}, "authentication"),
        (403, {"error": {"message": "not for your country"}}, "authentication"),
        (400, [{"error": {"code": 400, "message": "API key not valid."}}], "authentication"),
        (402, {"error": {"message": "Insufficient Balance"}}, "no credit"),
        (429, {"error": {"code": "1113", "message": "..."}}, "no credit"),
        (429, {"error": {"code": "1302", "message": "..."}}, "rate limit"),
        (429, {"error": {"code": "insufficient_quota"}}, "no credit"),
        (429, "Too Many Requests", "rate limit"),
        (404, {"error": {"code": "model_not_found"}}, "no such model"),
        (404, {"object": "error", "message": "The model `x` does not exist."}, "no such model"),
        (404, {"error": "model 'x' not found, try pulling it first"}, "no such model"),
        (404, "<html>a model page</html>", "not an API"),
        (404, {"detail": "Not Found"}, "not an API"),
        (405, {"detail": "Method Not Allowed"}, "not an API"),
        (413, "", "too long"),
        (400, {"message": "This model's maximum context length is 2048 tokens."}, "too long"),
        (400, {"error": {"code": "1261", "message": "Prompt"}}, "too long"),
        (400, {"error": {"code": "content_filter"}}, "content filter"),
        (400, {"error": {"code": "1301", "message": "..."}}, "content filter"),
        (400, {"error": {"message": "what?"}}, "bad request"),
        (422, {"detail": [{"loc": ["body", "messages"], "msg": "bad"}]}, "bad request"),
        (500, "oops", "server error"),
        (503, "<html>busy</html>", "server error"),
        (529, {"error": {"type": "overloaded_error"}}, "server error"),
        (409, "", "server error"),
        (408, "", "timeout"),
    ],
)
def test_statuses(status: int, body: Any, reason: str) -> None:
    said = body if isinstance(body, str) else json.dumps(body)
    failed = failure_of_status(status, {}, said)
    assert failed.reason == reason
    assert failed.detail.startswith(f"HTTP {status}: ")


def test_what_may_have_been_charged() -> None:
    """A gateway that gave up waiting does not know what the model did."""
    sure = {status: failure_of_status(status, {}, "").sure for status in (400, 429, 500, 502, 504)}
    assert sure == {400: True, 429: True, 500: True, 502: False, 504: False}


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"retry-after": "20"}, 20.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "20", "retry-after-ms": "150"}, 0.15),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "later"}, None),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({}, None),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers) == seconds


def test_retry_after_a_date() -> None:
    date = formatdate(time.time() + 3600, usegmt=True)
    found = retry_after({"retry-after": date})
    assert found is not None
    assert 3000 < found <= 3600


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"choices": None}, "not an API"),
        ({"choices": ["text"]}, "not an API"),
        ({"choices": []}, "empty"),
        ({"choices": [{"finish_reason": "stop", "message": None}]}, "empty"),
        ({"choices": [{"finish_reason": "length", "message": {"content": ""}}]}, "truncated"),
        ({"choices": [{"finish_reason": "sensitive", "message": {}}]}, "content filter"),
        ({"choices": [{"finish_reason": "network_error", "message": {}}]}, "server error"),
        ({"error": {"message": "slow down", "code": 429}}, "rate limit"),
        ({"error": "out of memory"}, "bad request"),
    ],
)
def test_completions_without_an_answer(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(RequestFailed) as caught:
        read_completion({**completion("hello"), **change})
    assert caught.value.reason == reason


@pytest.mark.parametrize("body", ["[]", "null", '"text"', "{}", "3"])
def test_json_that_is_no_completion(body: str) -> None:
    with pytest.raises(RequestFailed, match="not an API"):
        read_body(body)


def test_an_answer_in_parts() -> None:
    parts = [{"type": "text", "text": "one "}, {"type": "image"}, {"type": "text", "text": "two"}]
    choice = {"message": {"content": parts}, "finish_reason": "stop"}
    assert read_completion({"choices": [choice]}).text == "one two"


@pytest.mark.parametrize(
    "usage",
    [None, 3, {}, {"prompt_tokens": 5}, {"prompt_tokens": -1, "completion_tokens": 1}],
)
def test_tokens_that_make_no_sense_are_unknown(usage: Any) -> None:
    assert read_completion({**completion("hello"), "usage": usage}).usage is None
