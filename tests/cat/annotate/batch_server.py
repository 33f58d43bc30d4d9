"""Files and batches for the local endpoint of :mod:`tests.cat.annotate.server`.

``with BatchServer() as server``: batches stay "in_progress" until ``server.end(id)`` answers their
requests, each by the server's plan. What goes wrong is chosen by the attributes ``mangle`` (the
lines of the output file), ``refuse``, and ``lose`` (calls that are carried out, their answer cut
off).
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable
from email.parser import BytesParser
from email.policy import HTTP
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.cat.annotate.server import BEHAVIOURS, AssistantServer, Handler, Request, Response, error

__all__ = ["BatchServer", "share_tls_context"]

PAGE = 2  # batches a page, so that a list has several


class _Routes(dict[tuple[str, str], Handler]):
    """By the path alone, without what follows a question mark."""

    def get(self, key: tuple[str, str], default: Any = None) -> Any:
        return super().get((key[0], urlsplit(key[1]).path), default)


class BatchServer(AssistantServer):
    """The endpoint, with batches.

    Attributes:
        files: id -> content.
        batches: id -> what is told of it, in the order in which they were made.
        calls: "METHOD /path" of each call, in order.
        lose: (method, path) of calls whose next answer is lost.
        refuse: (method, path) -> the answer given in place of the true one.
        mangle: what is done to the lines of an output file.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, Any]] = {}
        self.calls: list[str] = []
        self.lose: set[tuple[str, str]] = set()
        self.refuse: dict[tuple[str, str], Response] = {}
        self.mangle: Callable[[list[str]], list[str]] = list
        self.routes = _Routes(self.routes)
        self._route("POST", "/v1/files", self._upload)
        self._route("POST", "/v1/batches", self._make)
        self._route("GET", "/v1/batches", self._list)

    def end(self, batch_id: str, status: str = "completed", *, done: int | None = None) -> None:
        """End a batch; the first ``done`` of its requests (None: all) have been answered."""
        batch = self.batches[batch_id]
        requests = [json.loads(line) for line in self.files[batch["input_file_id"]].splitlines()]
        output, errors = [], []
        for n, request in enumerate(requests):
            if status == "failed":
                break
            if done is not None and n >= done:
                told = {"code": f"batch_{status}", "message": "not executed in time"}
                errors.append(_result(request, None, told))
                continue
            asked = Request("POST", request["url"], {}, json.dumps(request["body"]).encode(), nth=1)
            answer = BEHAVIOURS[self.plan(asked)](asked)
            response = {"status_code": answer.status, "request_id": "r", "body": answer.body}
            (output if answer.status == 200 else errors).append(_result(request, response, None))
        batch["status"] = status
        batch["request_counts"]["completed"] = len(output)
        batch["request_counts"]["failed"] = len(errors)
        for field, lines in (("output_file_id", self.mangle(output)), ("error_file_id", errors)):
            if lines:
                batch[field] = self._store("\n".join(lines).encode() + b"\n")

    async def _upload(self, asked: Request) -> Response:
        head = f"Content-Type: {asked.headers['content-type']}\r\n\r\n".encode()
        parts = BytesParser(policy=HTTP).parsebytes(head + asked.body)
        fields = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in parts.iter_parts()
        }
        if fields["purpose"] != b"batch":
            return error(400, f"purpose {fields['purpose']!r}")
        file_id = self._store(fields["file"])
        return Response({"id": file_id, "object": "file", "purpose": "batch"})

    async def _make(self, asked: Request) -> Response:
        wanted = asked.json
        if wanted["input_file_id"] not in self.files:
            return error(400, "no such file")
        ids = [
            json.loads(line)["custom_id"]
            for line in self.files[wanted["input_file_id"]].splitlines()
        ]
        if len(set(ids)) < len(ids):
            return error(400, "custom ids are not unique")
        batch_id = f"batch_{len(self.batches)}"
        self.batches[batch_id] = {
            "id": batch_id,
            "object": "batch",
            "created_at": len(self.batches),
            "status": "in_progress",
            "request_counts": {"total": len(ids), "completed": 0, "failed": 0},
            **wanted,
        }
        self._route("GET", f"/v1/batches/{batch_id}", self._tell)
        return Response(self.batches[batch_id])

    async def _tell(self, asked: Request) -> Response:
        return Response(self.batches[asked.path.rsplit("/", 1)[1]])

    async def _list(self, asked: Request) -> Response:
        newest = list(self.batches.values())[::-1]
        after = parse_qs(urlsplit(asked.path).query).get("after", [None])[0]
        start = 1 + [batch["id"] for batch in newest].index(after) if after else 0
        page = newest[start : start + PAGE]
        more = start + PAGE < len(newest)
        return Response({"object": "list", "data": page, "has_more": more})

    async def _content(self, asked: Request) -> Response:
        return Response(self.files[asked.path.split("/")[3]])

    def _store(self, content: bytes) -> str:
        file_id = f"file-{len(self.files)}"
        self.files[file_id] = content
        self._route("GET", f"/v1/files/{file_id}/content", self._content)
        return file_id

    def _route(self, method: str, path: str, handler: Handler) -> None:
        async def served(asked: Request) -> Response:
            self.calls.append(f"{method} {path}")
            if (method, path) in self.refuse:
                return self.refuse[method, path]
            response = await handler(asked)
            if (method, path) in self.lose:
                self.lose.remove((method, path))
                response.cut = 0
            return response

        self.routes[method, path] = served


def _result(request: dict[str, Any], response: Any, told: Any) -> str:
    result = {"id": "x", "custom_id": request["custom_id"], "response": response, "error": told}
    return json.dumps(result)


def share_tls_context(patch: pytest.MonkeyPatch) -> None:
    """Let all clients of a test have one TLS context: each takes a tenth of a second to make, and
    nothing here is encrypted."""
    import httpcore2

    patch.setattr(httpcore2, "default_ssl_context", lambda **_: _tls_context())


@cache
def _tls_context() -> ssl.SSLContext:
    return ssl.create_default_context()
