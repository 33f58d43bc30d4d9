"""The provider's batch interface: many requests in one file, answered within a day, often cheaper.

Three steps, which may be days and processes apart; what is known between them is in
:mod:`cat.annotate.batches.state`:

- :func:`submit` writes the requests, uploads them and makes a batch of them. A call that was
  killed on the way is finished first: a batch that may have been made is looked for, by the file
  that it is made of and by its name, before another one is made.
- :func:`poll` asks how far the batches are.
- :func:`download` fetches the results of those that have ended.

What becomes of the replies is decided where that of all others is: :mod:`cat.annotate.annotator`.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar
from uuid import uuid4

from cat.annotate.asking.background import run_in_background
from cat.annotate.asking.endpoint import Endpoint, Manner, Messages
from cat.annotate.asking.failures import RETRIED, RequestFailed, failure_of_status, shorten
from cat.annotate.batches.results import BatchResults, read_results
from cat.annotate.batches.state import Batch, BatchState
from cat.annotate.cost.budget import Budget
from cat.annotate.cost.money import Money

if TYPE_CHECKING:
    from openai import AsyncOpenAI
    from openai.types import Batch as RemoteBatch

T = TypeVar("T")

__all__ = ["ENDED", "MOST_BYTES", "MOST_REQUESTS", "Submitted", "download", "poll", "submit"]

MOST_REQUESTS = 50_000  # OpenAI's limits on the file of a batch
MOST_BYTES = 200_000_000
RETRIES = 4  # of calls that do no harm when they are repeated
ENDED = ("completed", "expired", "cancelled", "failed")
OURS = "cat-tune-batch"  # the metadata field of our name


@dataclass(frozen=True)
class Submitted:
    """What a call of :func:`submit` did.

    Attributes:
        batches: made by it, or found to have been made by one that was killed.
        left: texts that were not sent, since they could have passed the budget's limit.
    """

    batches: tuple[Batch, ...]
    left: int = 0


def submit(
    texts: Iterable[tuple[str, Messages]],
    endpoint: Endpoint,
    state: BatchState,
    *,
    manner: Manner = Manner(),  # noqa: B008 - frozen
    budget: Budget | None = None,
    most_requests: int = MOST_REQUESTS,
    most_bytes: int = MOST_BYTES,
) -> Submitted:
    """Send texts as one batch or several; those that are on their way already are left out.

    Args:
        texts: (key in the journal, messages).
        manner: in which the endpoint takes requests.
        budget: texts beyond it are left. What a batch may cost at most is kept in its state.
        most_requests, most_bytes: of one batch.

    Raises:
        RequestFailed: the endpoint did not take it; the same call goes on where this one stopped.
        ValueError: there is no key for the endpoint.
        BlockingIOError: another process is at work on these batches.
    """
    packer = _Packer(endpoint, state, manner, budget, most_requests, most_bytes)
    endpoint.api_key()  # there is one, or nothing is begun

    async def advance_all() -> list[Batch]:
        made = []
        async with _client(endpoint) as client:
            for batch in state.open:
                if batch.step != "submitted":
                    made.append(await _advance(client, endpoint, state, batch))
            for batch in packer.batches(texts):
                made.append(await _advance(client, endpoint, state, batch))
        return made

    with state.held():
        return Submitted(tuple(_wait_for(advance_all())), packer.left)


def poll(endpoint: Endpoint, state: BatchState) -> dict[str, RemoteBatch]:
    """Ask how far the batches are: our name -> what the provider says; kept in the state, too.

    Raises:
        RequestFailed: the endpoint does not tell.
    """

    async def ask_for_all() -> dict[str, RemoteBatch]:
        found = {}
        async with _client(endpoint) as client:
            for batch in state.open:
                if batch.id is None:
                    continue
                with _failures(endpoint, f"batch {batch.id}"):
                    remote = await client.batches.retrieve(batch.id)
                found[batch.name] = remote
                state.put(replace(batch, status=remote.status))
        return found

    with state.held():
        return _wait_for(ask_for_all())


def download(
    endpoint: Endpoint, state: BatchState, batch: Batch, remote: RemoteBatch
) -> BatchResults:
    """The results of a batch that has ended; kept beside the output as they came.

    Raises:
        RequestFailed: the endpoint does not give them.
    """
    kinds: tuple[tuple[Literal["output", "errors"], str | None], ...] = (
        ("output", remote.output_file_id),
        ("errors", remote.error_file_id),
    )

    async def fetch_all() -> list[str]:
        lines = []
        async with _client(endpoint) as client:
            for kind, file_id in kinds:
                if not file_id:
                    continue
                with _failures(endpoint, f"the {kind} of batch {batch.id}"):
                    content = (await client.files.content(file_id)).content
                text = endpoint.masked(content.decode("utf-8", errors="replace"))
                _write(state.results_file(batch, kind), text)
                lines += text.split("\n")
        return lines

    errors = remote.errors.data if remote.errors and remote.errors.data else []
    why = "; ".join(error.message or error.code or "" for error in errors[:3])
    why = shorten(endpoint.masked(why))
    return read_results(batch.keys, _wait_for(fetch_all()), status=remote.status, why=why)


def _write(file: Path, text: str) -> None:
    partial = file.with_name(file.name + ".partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(file)


# --- the steps of making a batch ------------------------------------------------------------------


async def _advance(
    client: AsyncOpenAI, endpoint: Endpoint, state: BatchState, batch: Batch
) -> Batch:
    """Take a batch from where it stands to "submitted"; each step is kept before the next."""
    try:
        if batch.step == "prepared":  # killed after the upload, it is uploaded again: that is free
            with _failures(endpoint, "the upload of a batch's requests"):
                file = state.requests_file(batch)
                uploaded = await client.files.create(file=file, purpose="batch")
            batch = state.put(replace(batch, step="uploaded", input_file=uploaded.id))
        made = await _find(client, endpoint, batch) if batch.step == "creating" else None
        if made is None:
            batch = state.put(replace(batch, step="creating"))
            with _failures(endpoint, "making a batch"):
                made = await client.with_options(max_retries=0).batches.create(
                    input_file_id=str(batch.input_file),
                    endpoint="/v1/chat/completions",
                    completion_window="24h",
                    metadata={OURS: batch.name},
                )
    except RequestFailed as failure:
        if failure.sure and failure.reason not in RETRIED:
            state.drop(batch)  # refused for good: its texts are free for another try
        elif failure.sure and batch.step == "creating":
            state.put(replace(batch, step="uploaded"))  # there is none to be looked for
        raise
    return state.put(replace(batch, step="submitted", id=made.id, status=made.status))


async def _find(client: AsyncOpenAI, endpoint: Endpoint, batch: Batch) -> RemoteBatch | None:
    """The batch that a killed call may have made."""
    with _failures(endpoint, "looking for a batch that may have been made"):
        async for made in client.batches.list(limit=100):
            if made.input_file_id == batch.input_file or (made.metadata or {}).get(OURS) == (
                batch.name
            ):
                return made
    return None


@dataclass
class _Packer:
    """Writes the requests of texts into the files of batches."""

    endpoint: Endpoint
    state: BatchState
    manner: Manner
    budget: Budget | None
    most_requests: int
    most_bytes: int
    left: int = 0
    _keys: list[str] = field(default_factory=list)
    _lines: list[bytes] = field(default_factory=list)
    _held: Money | None = None

    def batches(self, texts: Iterable[tuple[str, Messages]]) -> Iterator[Batch]:
        """Batches in the state, ready to be uploaded."""
        seen = self.state.open_keys
        size = 0
        for key, messages in texts:
            if key in seen:
                continue
            seen.add(key)
            body = self.endpoint.body(messages, self.manner)
            request = {"method": "POST", "url": "/v1/chat/completions", "body": body}
            line = json.dumps({"custom_id": key, **request}, ensure_ascii=False).encode() + b"\n"
            full = len(self._keys) == self.most_requests or size + len(line) > self.most_bytes
            if self._keys and full:
                yield self._written()
                size = 0
            if not self._reserved(messages, body.get("response_format")):
                self.left += 1
                continue
            self._keys.append(key)
            self._lines.append(line)
            size += len(line)
        if self._keys:
            yield self._written()

    def _reserved(self, messages: Messages, response_format: Mapping[str, Any] | None) -> bool:
        if self.budget is None:
            return True
        held = self.budget.try_reserve(
            messages,
            max_completion_tokens=self.endpoint.max_tokens,
            response_format=response_format,
        )
        if held is None:
            return False
        self._held = held.amount if self._held is None else self._held + held.amount
        return True

    def _written(self) -> Batch:
        batch = Batch(
            f"{OURS}-{uuid4().hex}",
            keys=tuple(self._keys),
            held=self._held,
            manner=asdict(self.manner),
        )
        self.state.folder.mkdir(parents=True, exist_ok=True)
        self.state.requests_file(batch).write_bytes(b"".join(self._lines))
        self._keys, self._lines, self._held = [], [], None
        return self.state.put(batch)


# --- talking to the endpoint ----------------------------------------------------------------------


def _wait_for(coroutine: Coroutine[Any, Any, T]) -> T:
    """What a coroutine gives; also where an event loop runs already, as in a notebook."""
    found: list[T] = []
    tasks: list[asyncio.Task[None]] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.append(task)
        found.append(await coroutine)

    def stop() -> None:
        for task in tasks:
            task.cancel()

    if run_in_background(main, watch=lambda: None, stop=stop):
        raise KeyboardInterrupt("stopped: the same command goes on where this one was")
    return found[0]


@asynccontextmanager
async def _client(endpoint: Endpoint) -> AsyncIterator[AsyncOpenAI]:
    async with endpoint.client() as client:
        yield client.with_options(max_retries=RETRIES)


@contextmanager
def _failures(endpoint: Endpoint, what: str) -> Iterator[None]:
    """What the client raises, in the words of all other failures."""
    import openai

    try:
        yield
    except openai.APIStatusError as error:
        text = endpoint.masked(error.response.text)
        failure = failure_of_status(error.status_code, error.response.headers, text)
        failure.sure = error.status_code < 500  # a gateway may have passed it on all the same
        detail = f"{what}: {failure.detail}"
        if error.status_code in (404, 405):
            detail += " (has this endpoint batches? Without --batch it is asked text by text)"
        raise RequestFailed(failure.reason, detail, sure=failure.sure) from None
    except openai.APITimeoutError:
        raise RequestFailed("timeout", f"{what}: no answer in {endpoint.timeout:g} s") from None
    except openai.APIConnectionError as error:
        cause = error.__cause__ or error
        told = shorten(endpoint.masked(f"{type(cause).__name__}: {cause}"))
        raise RequestFailed("connection", f"{what}: {told}") from None
    except openai.APIError as error:  # an answer that is no JSON
        raise RequestFailed("not an API", f"{what}: {endpoint.masked(str(error))}") from None
