"""An endpoint that speaks OpenAI's chat API: OpenAI, GLM, vLLM, Ollama, by their base URL.

The key is read from an environment variable when it is needed; no object here keeps it, so that
it is in no repr, no file and no error. What an endpoint says is masked before anyone sees it.
"""

from __future__ import annotations

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import urlsplit

from cat.annotate.asking.failures import RequestFailed, failure_of_status, shorten
from cat.annotate.asking.replies import Reply, read_body
from cat.annotate.relations import SCHEMA

if TYPE_CHECKING:
    from ssl import SSLContext

    from openai import AsyncOpenAI

__all__ = ["Connection", "Endpoint", "Manner", "Mode"]

Mode = Literal["schema", "json", "text"]
MODES: tuple[Mode, ...] = get_args(Mode)
OPENAI = "https://api.openai.com/v1"
NO_KEY = "none"  # what endpoints are sent that ask for no key
CONNECT_SECONDS = 10.0

Messages = Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Manner:
    """In which manner an endpoint takes a request; found out by asking.

    Attributes:
        mode: "schema" (structured output), "json" (JSON mode) or "text".
        length_field: how it calls the most tokens of a reply.
        temperature: whether it takes a temperature.
    """

    mode: Mode = "schema"
    length_field: Literal["max_tokens", "max_completion_tokens"] = "max_tokens"
    temperature: bool = True

    @property
    def plain(self) -> bool:
        """Whether the messages must describe the JSON themselves."""
        return self.mode != "schema"

    def simpler(self) -> Manner | None:
        """With the next mode; None after the last.

        >>> Manner("schema").simpler().mode, Manner("text").simpler()
        ('json', None)
        """
        rest = MODES[MODES.index(self.mode) + 1 :]
        return replace(self, mode=rest[0]) if rest else None

    def after(self, failure: RequestFailed) -> Manner | None:
        """What to try after a refused request; None where the manner was not what it objected to.

        >>> Manner().after(RequestFailed("bad request", "unknown field: response_format")).mode
        'json'
        """
        if failure.reason != "bad request":
            return None
        said = failure.detail.lower()
        if any(word in said for word in ("response_format", "json_schema", "json_object")):
            return self.simpler()
        if "max_completion_tokens" in said and self.length_field == "max_tokens":
            return replace(self, length_field="max_completion_tokens")
        if "temperature" in said and self.temperature:
            return replace(self, temperature=False)
        return None


@dataclass(frozen=True)
class Endpoint:
    """A model behind a URL, and how it is asked.

    Args:
        model: as the endpoint calls it.
        base_url: up to and without ``/chat/completions``, mostly ending in ``/v1``.
        api_key_variable: the environment variable that holds the key; None where the endpoint
            needs none. Endpoints of this machine or its network work without one anyway.
        temperature: None leaves it to the endpoint.
        max_tokens: the most tokens of a reply.
        timeout: seconds until a request is given up.

    >>> Endpoint("qwen2.5", "http://localhost:11434/v1").local
    True
    """

    model: str
    base_url: str = OPENAI
    api_key_variable: str | None = "OPENAI_API_KEY"
    temperature: float | None = 0.0
    max_tokens: int = 1024
    timeout: float = 120.0

    def __post_init__(self) -> None:
        if not self.model.strip():
            raise ValueError("expected the name of a model, got an empty one")
        url = urlsplit(self.base_url)
        if url.scheme not in ("http", "https") or not url.hostname or url.query or url.fragment:
            shown = f"{url.scheme}://{url.hostname or ''}{url.path}" if url.scheme else url.path
            raise ValueError(
                f"expected a base URL such as {OPENAI} or http://localhost:11434/v1, got {shown!r}"
            )
        if url.username or url.password:
            raise ValueError(
                f"expected a base URL without a user and a password, got one for {url.hostname}: "
                "put the key into an environment variable"
            )
        if self.max_tokens < 1 or not self.timeout > 0:
            raise ValueError(
                f"expected max_tokens >= 1 and a timeout > 0, got {self.max_tokens} and "
                f"{self.timeout}"
            )

    @property
    def local(self) -> bool:
        """Whether it is on this machine or in its network, where no key is the rule."""
        host = urlsplit(self.base_url).hostname or ""
        try:
            return ipaddress.ip_address(host).is_private
        except ValueError:
            return "." not in host or host.endswith((".local", ".localhost", ".lan", ".internal"))

    def api_key(self) -> str:
        """The key, read anew; never keep it.

        Raises:
            ValueError: there is none, or what is there cannot be one.
        """
        key = os.environ.get(self.api_key_variable or "", "").strip()
        if not key:
            if self.local or self.api_key_variable is None:
                return NO_KEY
            raise ValueError(
                f"expected a key for {self.base_url} in the environment variable "
                f"{self.api_key_variable}, which is not set: set it, or name another one "
                "(endpoints on this machine need none)"
            )
        if not key.isascii() or not key.isprintable() or " " in key:
            raise ValueError(
                f"expected a key in the environment variable {self.api_key_variable}, got "
                f"{len(key)} characters with some among them that no key has (spaces, line "
                "breaks, accents): set it again"
            )
        return key

    def masked(self, text: str) -> str:
        """The text without the key."""
        key = os.environ.get(self.api_key_variable or "", "").strip()
        return text.replace(key, "***") if len(key) >= 8 else text

    def body(self, messages: Messages, manner: Manner = Manner()) -> dict[str, Any]:
        """The JSON of a request, for one call or for a line of a batch."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": list(messages),
            manner.length_field: self.max_tokens,
        }
        if self.temperature is not None and manner.temperature:
            body["temperature"] = self.temperature
        if manner.mode == "schema":
            schema = {"name": "relations", "strict": True, "schema": SCHEMA}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        elif manner.mode == "json":
            body["response_format"] = {"type": "json_object"}
        return body

    def client(self) -> AsyncOpenAI:
        """A client of its own, to be closed by the caller. It retries nothing by itself.

        It opens a connection for each request. On one that is used again, a server that answers
        twice would answer the next request with the last one's answer.

        Raises:
            ValueError: there is no key.
        """
        from httpx2 import Limits
        from openai import AsyncOpenAI, DefaultAsyncHttpxClient, Timeout

        timeout = Timeout(self.timeout, connect=min(CONNECT_SECONDS, self.timeout))
        http_client = DefaultAsyncHttpxClient(
            timeout=timeout, limits=Limits(max_keepalive_connections=0), verify=_tls_context()
        )
        return AsyncOpenAI(
            api_key=self.api_key(),
            base_url=self.base_url,
            max_retries=0,
            timeout=timeout,
            http_client=http_client,
        )

    @asynccontextmanager
    async def connect(self) -> AsyncIterator[Connection]:
        """What can be asked, in one event loop.

        Raises:
            ValueError: there is no key.
        """
        connection = Connection(self)
        try:
            yield connection
        finally:
            await connection.close()


@cache
def _tls_context() -> SSLContext:
    """One for all clients: making it costs as much as some thirty requests."""
    from httpx2 import create_ssl_context

    return create_ssl_context()


class Connection:
    """An endpoint that can be asked; see :meth:`Endpoint.connect`."""

    def __init__(self, endpoint: Endpoint) -> None:
        import httpx2
        import openai

        self.endpoint = endpoint
        self._errors = openai
        self._response = httpx2.Response
        self._all: list[AsyncOpenAI] = []
        self._free: list[AsyncOpenAI] = []

    async def close(self) -> None:
        for client in self._all:
            await client.close()

    @contextmanager
    def _client(self) -> Iterator[AsyncOpenAI]:
        """A client that has no other request in flight: a pool looks through all of its
        connections at each request, with 64 of them this is the greater part of the cost."""
        if self._free:
            client = self._free.pop()
        else:
            client = self.endpoint.client()
            self._all.append(client)
        try:
            yield client
        finally:
            self._free.append(client)

    async def ask(self, messages: Messages, manner: Manner) -> Reply:
        """Send one request.

        Raises:
            RequestFailed: whatever kept it from being answered.
        """
        errors, endpoint = self._errors, self.endpoint
        body = endpoint.body(messages, manner)
        try:
            # The client's own timeout starts anew with each byte; this one does not.
            with self._client() as client:
                async with asyncio.timeout(endpoint.timeout):
                    # The raw response: building the typed one doubles the cost of a request.
                    response = await client.post(
                        "/chat/completions", cast_to=self._response, body=body
                    )
        except (TimeoutError, errors.APITimeoutError):
            raise RequestFailed("timeout", f"no answer in {endpoint.timeout:g} s") from None
        except errors.APIStatusError as error:
            text = endpoint.masked(error.response.text)
            headers = error.response.headers
            raise failure_of_status(error.status_code, headers, text) from None
        except errors.APIConnectionError as error:
            cause = error.__cause__ or error
            told = shorten(endpoint.masked(f"{type(cause).__name__}: {cause}"))
            raise RequestFailed("connection", told) from None
        return read_body(endpoint.masked(response.text))
