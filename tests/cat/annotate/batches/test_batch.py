"""Batches are made once, found again, and downloaded whole, wherever a process is killed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from cat.annotate.asking.endpoint import Endpoint, Manner, Messages
from cat.annotate.asking.failures import RequestFailed
from cat.annotate.batches.batch import download, poll, submit
from cat.annotate.batches.state import Batch, BatchState
from cat.annotate.cost.budget import Budget
from cat.annotate.cost.money import Money, Price, Usage, cost
from cat.annotate.cost.tokens import prompt_token_bound
from tests.cat.annotate.batch_server import BatchServer, share_tls_context
from tests.cat.annotate.server import Response, error

KEY = "sk-a-secret-of-the-tests"
MADE = ("POST", "/v1/batches")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    share_tls_context(monkeypatch)


@pytest.fixture
def server() -> Iterator[BatchServer]:
    with BatchServer() as running:
        yield running


@pytest.fixture
def state(tmp_path: Path) -> BatchState:
    return BatchState(tmp_path / "out.jsonl")


def again(state: BatchState) -> BatchState:
    """As the next process sees it."""
    return BatchState(state.folder.with_suffix(""))


def texts(n: int, start: int = 0) -> list[tuple[str, Messages]]:
    return [
        (f"key{i}", [{"role": "user", "content": f"<text>\nBen has {i} figs Answer: {i}\n</text>"}])
        for i in range(start, start + n)
    ]


def endpoint(server: BatchServer, **more: Any) -> Endpoint:
    return Endpoint("m", server.base_url, **more)


def test_from_requests_to_results(server: BatchServer, state: BatchState) -> None:
    asked, manner = texts(5), Manner("json", "max_completion_tokens")
    made = submit(asked, endpoint(server), state, manner=manner).batches
    (remote,) = server.batches.values()
    assert remote["endpoint"] == "/v1/chat/completions"
    assert remote["completion_window"] == "24h"
    requests = [json.loads(line) for line in server.files[remote["input_file_id"]].splitlines()]
    assert [(one["custom_id"], one["body"]) for one in requests] == [
        (key, endpoint(server).body(messages, manner)) for key, messages in asked
    ]
    assert {(one["method"], one["url"]) for one in requests} == {("POST", "/v1/chat/completions")}

    (told,) = poll(endpoint(server), again(state)).values()
    assert told.status == "in_progress"
    server.end("batch_0")
    server.mangle = list
    state = again(state)
    (told,) = poll(endpoint(server), state).values()
    (batch,) = state.open
    assert (batch.name, batch.status) == (made[0].name, "completed")
    results = download(endpoint(server), state, batch, told)
    assert not results.failures
    assert [json.loads(results.replies[f"key{i}"].text) for i in range(5)] == [
        {"relations": [{"effect": str(i), "causes": ["Ben has"]}]} for i in range(5)
    ]
    assert state.results_file(batch, "output").read_bytes() == server.files["file-1"]


@pytest.mark.parametrize(
    ("limits", "sizes"),
    [({"most_requests": 4}, [4, 4, 2]), ({"most_bytes": 900}, None), ({}, [10])],
)
def test_files_are_split_at_the_providers_limits(
    server: BatchServer, state: BatchState, limits: dict[str, int], sizes: list[int] | None
) -> None:
    made = submit(texts(10), endpoint(server), state, **limits).batches
    assert [key for batch in made for key in batch.keys] == [key for key, _ in texts(10)]
    if sizes is None:
        files = [len(server.files[batch.input_file or ""]) for batch in made]
        assert len(files) > 1
        assert max(files) <= 900
        one = files[0] / len(made[0].keys)
        assert all(size > 900 - 1.1 * one for size in files[:-1])  # as full as may be
    else:
        assert [len(batch.keys) for batch in made] == sizes


def test_texts_on_their_way_are_not_sent_again(server: BatchServer, state: BatchState) -> None:
    submit(texts(3), endpoint(server), state)
    assert submit(texts(3), endpoint(server), again(state)).batches == ()
    (more,) = submit(texts(5), endpoint(server), again(state)).batches
    assert more.keys == ("key3", "key4")
    (twice,) = submit(texts(2, 8) * 2, endpoint(server), again(state)).batches
    assert twice.keys == ("key8", "key9")


class Killed(BaseException):
    """What no handler catches, as a SIGKILL."""


@pytest.mark.parametrize("writes", range(6))
def test_killed_after_any_write_no_batch_is_lost_or_doubled(
    server: BatchServer, state: BatchState, monkeypatch: pytest.MonkeyPatch, writes: int
) -> None:
    """The process ends after its n-th write of the state; the next one submits the same."""
    put, left = BatchState.put, [writes]

    def put_until_killed(self: BatchState, batch: Batch) -> Batch:
        if not left[0]:
            raise Killed
        left[0] -= 1
        return put(self, batch)

    monkeypatch.setattr(BatchState, "put", put_until_killed)
    steps = 4  # prepared, uploaded, creating, submitted
    try:
        submit(texts(4), endpoint(server), state)
    except Killed:
        assert writes < steps
    else:
        assert writes >= steps
    monkeypatch.setattr(BatchState, "put", put)

    after = again(state)
    submit(texts(4), endpoint(server), after)
    assert len(server.batches) == 1
    (batch,) = after.open
    assert (batch.step, batch.id) == ("submitted", "batch_0")
    assert set(batch.keys) == {key for key, _ in texts(4)}


def test_a_batch_whose_making_was_answered_to_nobody_is_found(
    server: BatchServer, state: BatchState
) -> None:
    for n in range(5):  # the list has several pages
        submit(texts(1, 100 + n), endpoint(server), state)
    server.lose.add(MADE)
    with pytest.raises(RequestFailed, match="making a batch"):
        submit(texts(4), endpoint(server), again(state))
    assert len(server.batches) == 6
    for n in range(5):  # others were made since
        server.batches[f"new{n}"] = {**server.batches["batch_0"], "id": f"new{n}"}
    made = submit(texts(4), endpoint(server), again(state)).batches
    assert [batch.id for batch in made] == ["batch_5"]
    assert len(server.batches) == 11


def test_a_batch_that_was_never_made_is_made(server: BatchServer, state: BatchState) -> None:
    server.refuse[MADE] = Response(b"", cut=0)
    with pytest.raises(RequestFailed):
        submit(texts(4), endpoint(server), state)
    assert [batch.step for batch in again(state).open] == ["creating"]
    del server.refuse[MADE]
    submit(texts(4), endpoint(server), again(state))
    assert len(server.batches) == 1
    assert server.calls.count("POST /v1/files") == 1  # it was uploaded before


def test_the_call_that_costs_money_is_never_repeated_by_itself(
    server: BatchServer, state: BatchState
) -> None:
    server.refuse[MADE] = error(500, "oh")
    with pytest.raises(RequestFailed):
        submit(texts(4), endpoint(server), state)
    assert server.calls.count("POST /v1/batches") == 1
    assert [batch.step for batch in again(state).open] == ["creating"]  # it may be there


def test_what_is_refused_for_good_is_free_again(server: BatchServer, state: BatchState) -> None:
    server.refuse[MADE] = error(400, "the model does not take batches")
    with pytest.raises(RequestFailed, match="does not take batches"):
        submit(texts(4), endpoint(server), state)
    assert again(state).open_keys == set()


def test_a_rate_limit_leaves_the_upload_for_the_next_call(
    server: BatchServer, state: BatchState
) -> None:
    server.refuse[MADE] = error(429, "too many batches")
    with pytest.raises(RequestFailed, match="too many batches"):
        submit(texts(4), endpoint(server), state)
    assert [batch.step for batch in again(state).open] == ["uploaded"]


def test_an_endpoint_without_batches_is_told(server: BatchServer, state: BatchState) -> None:
    server.refuse["POST", "/v1/files"] = Response("<html>404</html>", 404)
    with pytest.raises(RequestFailed, match="Without --batch it is asked text by text"):
        submit(texts(4), endpoint(server), state)
    assert again(state).open_keys == set()


def test_a_budget_bounds_what_batches_may_cost(server: BatchServer, state: BatchState) -> None:
    price = Price("m", Decimal(1), Decimal(3), "USD", "2026", "a page", batch_factor=Decimal("0.5"))
    schema = endpoint(server).body([])["response_format"]
    bound = prompt_token_bound(texts(1)[0][1], response_format=schema)
    one = cost(Usage(bound, 200), price, batch=True)
    assert one is not None
    budget = Budget(one.amount * Decimal("3.5"), price, batch=True)
    done = submit(texts(9), endpoint(server, max_tokens=200), state, budget=budget, most_requests=2)
    assert done.left == 6
    assert [batch.held for batch in again(state).open] == [
        Money(one.amount * n, "USD") for n in (2, 1)
    ]


def test_a_failed_batch_says_why(server: BatchServer, state: BatchState) -> None:
    submit(texts(3), endpoint(server), state)
    server.end("batch_0", "failed")
    told = {"code": "token_limit_exceeded", "message": "Enqueued token limit reached"}
    server.batches["batch_0"]["errors"] = {"object": "list", "data": [told]}
    (remote,) = poll(endpoint(server), state).values()
    results = download(endpoint(server), state, state.open[0], remote)
    assert {str(failure) for failure in results.failures.values()} == {
        "batch failed: Enqueued token limit reached"
    }


def test_partial_results_of_an_expired_batch(server: BatchServer, state: BatchState) -> None:
    submit(texts(5), endpoint(server), state)
    server.end("batch_0", "expired", done=2)
    (remote,) = poll(endpoint(server), state).values()
    results = download(endpoint(server), state, state.open[0], remote)
    assert sorted(results.replies) == ["key0", "key1"]
    assert {failure.reason for failure in results.failures.values()} == {"batch expired"}


def test_the_key_is_in_no_file_and_no_error(server: BatchServer, state: BatchState) -> None:
    server.refuse[MADE] = error(400, f"Incorrect key {KEY}")
    with pytest.raises(RequestFailed) as refused:
        submit(texts(2), endpoint(server), state)
    assert KEY not in str(refused.value)
    assert "***" in str(refused.value)
    server.refuse.clear()
    submit(texts(2), endpoint(server), state)
    server.mangle = lambda lines: [*lines, json.dumps({"custom_id": KEY})]
    server.end("batch_0")
    (remote,) = poll(endpoint(server), state).values()
    download(endpoint(server), state, state.open[0], remote)
    files = list(state.folder.iterdir())
    assert len(files) >= 3
    assert not any(KEY.encode() in file.read_bytes() for file in files)


def test_without_a_key_nothing_is_sent(state: BatchState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    with pytest.raises(ValueError, match="OPENAI_API_KEY"):
        submit(texts(2), Endpoint("m", "https://example.invalid/v1"), state)


def test_it_works_where_an_event_loop_runs_already(server: BatchServer, state: BatchState) -> None:
    async def cell() -> int:
        return len(submit(texts(2), endpoint(server), state).batches)

    assert asyncio.run(cell()) == 1


def test_a_collected_batch_is_not_asked_for_any_more(
    server: BatchServer, state: BatchState
) -> None:
    submit(texts(2), endpoint(server), state)
    state.put(replace(state.open[0], step="collected"))
    assert poll(endpoint(server), state) == {}
