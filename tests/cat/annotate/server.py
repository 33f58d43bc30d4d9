"""A local endpoint in the manner of OpenAI's, which misbehaves on demand.

Plain asyncio, in a thread: ``with AssistantServer(plan) as server: ... server.base_url``. The plan
tells for each request how it is answered, by the name of a behaviour (:data:`BEHAVIOURS`). A proper
answer names the last word of the text as the effect and its first two words as the cause, so that
it is right for that text only. Further paths are served by adding to ``server.routes``.

As a process of its own, for benchmarks: ``python tests/cat/annotate/server.py --delay 0.2`` prints
its base URL.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from email.utils import formatdate
from functools import cached_property
from typing import Any

TEXT = re.compile(r"<text>\n(.*?)\n</text>", re.DOTALL)
PHRASES = {200: "OK", 400: "Bad Request", 401: "Unauthorized", 404: "Not Found"}


@dataclass(frozen=True)
class Request:
    """A request: ``nth`` counts those with the same text, from 1 (0 where there is no text)."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    nth: int = 0

    @cached_property
    def json(self) -> Any:
        return json.loads(self.body)

    @cached_property
    def text(self) -> str:
        """The text that is asked about: the last one in the messages."""
        return text_of(self.json["messages"])


@dataclass
class Response:
    """What is sent back.

    ``cut``: this many bytes of it, then the connection is closed. ``times``: as often as this.
    ``trickle``: ten bytes at a time, this many seconds between them.
    """

    body: bytes | str | dict[str, Any] = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None
    times: int = 1
    trickle: float = 0.0

    def encoded(self) -> bytes:
        body, kind = self.body, "application/octet-stream"
        if isinstance(body, dict):
            body, kind = json.dumps(body), "application/json"
        if isinstance(body, str):
            body = body.encode()
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), **self.headers}
        head = f"HTTP/1.1 {self.status} {PHRASES.get(self.status, 'Error')}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in headers.items())
        return (f"{head}\r\n".encode() + body) * self.times


Handler = Callable[[Request], Awaitable[Response]]
Plan = Callable[[Request], str]


def text_of(messages: list[dict[str, str]]) -> str:
    found = [text for one in messages for text in TEXT.findall(one["content"])]
    return found[-1] if found else messages[-1]["content"]


def relations_of(text: str) -> dict[str, Any]:
    """The right answer about a text, and about no other one with other words."""
    words = text.split()
    return {"relations": [{"effect": words[-1], "causes": [" ".join(words[:2])]}]}


def completion(content: str | None, *, finish: str = "stop", **message: Any) -> dict[str, Any]:
    """A chat completion that used 100 tokens of the prompt, 40 of them cached, and 20 more."""
    answer = {"role": "assistant", "content": content, **message}
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "served",
        "choices": [{"index": 0, "message": answer, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 40},
        },
    }


def error(status: int, message: str, code: str = "", **headers: str) -> Response:
    body = {"error": {"message": message, "type": "error", "param": None, "code": code or None}}
    return Response(body, status, {name.replace("_", "-"): v for name, v in headers.items()})


def answer(text: str) -> str:
    return json.dumps(relations_of(text))


def _two_choices(text: str) -> Response:
    body = completion(answer(text))
    body["choices"].append({**body["choices"][0], "index": 1})
    return Response(body)


def _half_right(text: str) -> str:
    relations = relations_of(text)
    relations["relations"][0]["causes"].append("the moon")
    return json.dumps(relations)


BEHAVIOURS: dict[str, Callable[[Request], Response]] = {
    "answer": lambda asked: Response(completion(answer(asked.text))),
    "rate limit": lambda _: error(429, "slow down", Retry_After="0.05"),
    "rate limit by date": lambda _: error(
        429, "slow down", Retry_After=formatdate(time.time() + 1, usegmt=True)
    ),
    "no credit": lambda _: error(429, "you exceeded your quota", "insufficient_quota"),
    "server error": lambda _: error(500, "the model stumbled"),
    "cut": lambda asked: Response(completion(answer(asked.text)), cut=200),
    "cut at once": lambda _: Response(cut=0),
    "trickle": lambda asked: Response(completion(answer(asked.text)), trickle=0.05),
    "half a body": lambda asked: Response(json.dumps(completion(answer(asked.text)))[:150]),
    "half a JSON": lambda asked: Response(completion(answer(asked.text)[:30])),
    "wrong schema": lambda _: Response(completion('{"relations": [["effect", "cause"]]}')),
    "twice": lambda asked: Response(completion(answer(asked.text)), times=2),
    "two choices": lambda asked: _two_choices(asked.text),
    "prose": lambda _: Response(completion("The answer follows from the numbers.")),
    "fenced": lambda asked: Response(completion(f"```json\n{answer(asked.text)}\n```")),
    "absent": lambda _: Response(completion(answer("moon and sea and stars"))),
    "half right": lambda asked: Response(completion(_half_right(asked.text))),
    "echoes the key": lambda asked: Response(
        completion(None, refusal=f"I know {asked.headers['authorization']}")
    ),
    "HTML": lambda _: Response("<!doctype html><title>Welcome</title>"),
    "other JSON": lambda _: Response({"hello": "world"}),
    "refusal": lambda _: Response(completion(None, refusal="I would rather not.")),
    "content filter": lambda _: Response(completion("", finish="content_filter")),
    "content filter 400": lambda _: error(400, "flagged by our policy", "content_filter"),
    "truncated": lambda asked: Response(completion(answer(asked.text)[:30], finish="length")),
    "empty": lambda _: Response(completion("")),
    "no choices": lambda _: Response({**completion(""), "choices": []}),
    "error in 200": lambda _: Response({"error": {"message": "overloaded", "code": 503}}),
    "too long": lambda _: error(
        400, "This model's maximum context length is 4096 tokens", "context_length_exceeded"
    ),
    "authentication": lambda asked: error(
        401, f"Incorrect API key provided: {asked.headers.get('authorization', '')}"
    ),
    "no such model": lambda _: error(404, "The model `m` does not exist", "model_not_found"),
    "not found": lambda _: Response('{"detail":"Not Found"}', 404),
    "no response_format": lambda _: error(400, "response_format of this type is not supported"),
    "max_completion_tokens": lambda _: error(
        400, "Unsupported parameter: 'max_tokens'. Use 'max_completion_tokens' instead."
    ),
    "bad request": lambda _: error(400, "no idea what you mean"),
}


def faulty(share: float, *behaviours: str, seed: int = 0) -> Plan:
    """A plan by which this share of the requests meets one of these behaviours, by chance."""

    def plan(asked: Request) -> str:
        rng = random.Random(f"{seed} {asked.nth} {asked.text}")
        return rng.choice(behaviours) if rng.random() < share else "answer"

    return plan


class AssistantServer:
    """The endpoint.

    Args:
        plan: the behaviour for each chat request, "hang" among them.
        delay: seconds that an answer takes.
        at_once: chat requests that are worked on at a time; the others wait. None: any number.

    Attributes:
        asked: chat requests by their text.
        log: all chat requests, in order.
        most_at_once: chat requests that were there together.
        routes: (method, path) -> what serves it.
    """

    def __init__(
        self,
        plan: Plan = lambda asked: "answer",
        *,
        delay: float = 0.0,
        at_once: int | None = None,
    ) -> None:
        self.plan = plan
        self.delay = delay
        self.asked: Counter[str] = Counter()
        self.log: list[Request] = []
        self.now_at_once = self.most_at_once = 0
        self.routes: dict[tuple[str, str], Handler] = {("POST", "/v1/chat/completions"): self.chat}
        self.base_url = ""
        self._slots = asyncio.Semaphore(at_once) if at_once else None
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="server", daemon=True)

    def __enter__(self) -> AssistantServer:
        self._thread.start()
        self._ready.wait()
        return self

    def __exit__(self, *exception: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    async def chat(self, asked: Request) -> Response:
        self.asked[asked.text] += 1
        asked = Request(asked.method, asked.path, asked.headers, asked.body, self.asked[asked.text])
        self.log.append(asked)
        self.now_at_once += 1
        self.most_at_once = max(self.most_at_once, self.now_at_once)
        try:
            behaviour = self.plan(asked)
            if behaviour == "hang":
                await asyncio.Event().wait()
            if self._slots is None:
                await asyncio.sleep(self.delay)
            else:
                async with self._slots:
                    await asyncio.sleep(self.delay)
            return BEHAVIOURS[behaviour](asked)
        finally:
            self.now_at_once -= 1

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        self._stop = asyncio.Event()
        self._talks: set[asyncio.Task[Any]] = set()
        server = await asyncio.start_server(self._talk, "127.0.0.1", 0, backlog=512)
        self.base_url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        self._ready.set()
        await self._stop.wait()
        server.close()
        for talk in self._talks:
            talk.cancel()
        await asyncio.gather(*self._talks, return_exceptions=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        task = asyncio.current_task()
        assert task is not None
        self._talks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                handler = self.routes.get((request.method, request.path), _nothing_there)
                response = await _unless_gone(handler(request), reader)
                if response is None:
                    return
                content = response.encoded()[: response.cut]
                step = 10 if response.trickle else max(1, len(content))
                for begin in range(0, len(content), step):
                    writer.write(content[begin : begin + step])
                    await writer.drain()
                    await asyncio.sleep(response.trickle)
                if response.cut is not None:
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()
            self._talks.discard(task)


async def _read(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.rstrip().split("\r\n")
    method, path, _ = first.split(" ")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, path, headers, body)


async def _unless_gone(
    answering: Awaitable[Response], reader: asyncio.StreamReader
) -> Response | None:
    """The response; None where the client hangs up before."""
    task = asyncio.ensure_future(answering)
    gone = asyncio.ensure_future(_end_of(reader))
    try:
        await asyncio.wait({task, gone}, return_when=asyncio.FIRST_COMPLETED)
        return task.result() if task.done() else None
    finally:
        for one in (task, gone):
            one.cancel()
        await asyncio.gather(task, gone, return_exceptions=True)


async def _end_of(reader: asyncio.StreamReader) -> None:
    """Returns when the other side has closed. (A client waits for its answer before it asks on.)"""
    if await reader.read(1):
        raise ConnectionError("a request before the answer to the last one")


async def _nothing_there(asked: Request) -> Response:
    return Response("<html><title>404</title></html>", 404)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--delay", type=float, default=0.0)
    parser.add_argument("--at-once", type=int)
    options = parser.parse_args()
    with AssistantServer(delay=options.delay, at_once=options.at_once) as server:
        print(server.base_url, flush=True)
        threading.Event().wait()


if __name__ == "__main__":
    main()
