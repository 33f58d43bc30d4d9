"""Why a request to an assistant gave no answer: one exception, one word for each reason."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, Literal, get_args

from cat.annotate.cost.money import Usage

__all__ = [
    "FATAL",
    "FATAL_AT_FIRST",
    "RETRIED",
    "Reason",
    "RequestFailed",
    "failure_of_error",
    "failure_of_status",
    "looks_like_html",
    "retry_after",
    "shorten",
]

Reason = Literal[
    "rate limit",
    "server error",
    "timeout",
    "connection",
    "not JSON",
    "empty",
    "truncated",
    "refusal",
    "content filter",
    "too long",
    "bad request",
    "authentication",
    "no credit",
    "no such model",
    "not an API",
    "missing",
    "batch expired",
    "batch cancelled",
    "batch failed",
]
REASONS: tuple[Reason, ...] = get_args(Reason)
# The same request may succeed a moment later.
RETRIED = frozenset({"rate limit", "server error", "timeout", "connection", "not JSON", "empty"})
# No other text would fare better. (A rate limit: once patience with it has ended.)
FATAL = frozenset({"authentication", "no credit", "no such model", "rate limit"})
# Nor here, where the endpoint has not answered a single request.
FATAL_AT_FIRST = frozenset({"not an API", "connection"})


class RequestFailed(Exception):
    """A request that gave no answer.

    Attributes:
        reason: one of :data:`Reason`.
        detail: what the endpoint said, for people to read; a key in it is masked.
        retry_after: seconds that the endpoint asks to wait, None where it says nothing.
        usage: what it says that it counted, None where it says nothing.
        sure: whether the request was certainly not worked on, so that it cost nothing.
    """

    def __init__(
        self,
        reason: Reason,
        detail: str = "",
        *,
        retry_after: float | None = None,
        usage: Usage | None = None,
        sure: bool = False,
    ) -> None:
        super().__init__(reason, detail)
        self.reason: Reason = reason
        self.detail = detail
        self.retry_after = retry_after
        self.usage = usage
        self.sure = sure

    def __str__(self) -> str:
        return f"{self.reason}: {self.detail}" if self.detail else self.reason


TOO_LONG = (
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "max_model_len",
    "maximum input length",
    "prompt is too long",
    "too many tokens",
    "string_above_max_length",
    "1261",  # GLM
)
FILTERED = ("content_filter", "content_policy", "content policy", "data_inspection", "1301")
NO_MODEL = ("model_not_found", "model not found", "model does not exist", "unknown model", "1211")
NO_CREDIT = ("insufficient_quota", "billing", "insufficient balance", "1113")
NO_KEY = ("invalid_api_key", "api key not valid", "incorrect api key")


def failure_of_status(status: int, headers: Mapping[str, str], body: str) -> RequestFailed:
    """What an HTTP answer with a status of 400 or more means.

    >>> failure_of_status(400, {}, '{"error": {"code": "context_length_exceeded"}}').reason
    'too long'
    >>> failure_of_status(429, {"retry-after": "2"}, "").retry_after
    2.0
    """
    said, words = _said(body)
    reason = _reason(status, words, html=looks_like_html(body))
    return RequestFailed(
        reason,
        f"HTTP {status}: {said}",
        retry_after=retry_after(headers),
        sure=status not in (408, 502, 504, 524),  # a gateway's: the model may have answered it
    )


def failure_of_error(error: Any) -> RequestFailed:
    """What an error object means that came with status 200, or for one request of a batch."""
    body = json.dumps({"error": error}, ensure_ascii=False)
    said, words = _said(body)
    code = str(error.get("code")) if isinstance(error, Mapping) else ""
    status = int(code) if re.fullmatch("[45][0-9][0-9]", code) else 400
    return RequestFailed(_reason(status, words, html=False), said, sure=True)


def _reason(status: int, words: str, *, html: bool) -> Reason:
    def says(marks: tuple[str, ...]) -> bool:
        return any(mark in words for mark in marks)

    if status >= 500:
        return "server error"
    if status in (408, 409, 425):
        return "timeout" if status == 408 else "server error"
    if status == 402 or (status in (403, 429) and says(NO_CREDIT)):
        return "no credit"
    if status == 429:
        return "rate limit"
    if status == 413 or says(TOO_LONG):
        return "too long"
    if says(FILTERED):
        return "content filter"
    if status in (401, 403) or says(NO_KEY):
        return "authentication"
    if says(NO_MODEL) or (status == 404 and "model" in words and not html):
        return "no such model"
    if html or status in (404, 405) or status < 400:
        return "not an API"
    return "bad request"


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that a server asks to wait: a number of seconds or a date.

    >>> retry_after({"retry-after-ms": "1500"}), retry_after({"retry-after": "soon"})
    (1.5, None)
    """
    for name, unit in (("retry-after-ms", 1e-3), ("retry-after", 1.0)):
        said = headers.get(name)
        if said is None:
            continue
        try:
            seconds = float(said) * unit
        except ValueError:
            try:
                seconds = parsedate_to_datetime(said).timestamp() - time.time()
            except ValueError:
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def looks_like_html(body: str) -> bool:
    return body.lstrip()[:1] == "<"


def _said(body: str) -> tuple[str, str]:
    """What an error's body says, for people and (with its codes, in lower case) for us."""
    try:
        error = json.loads(body)
    except ValueError:
        return shorten(body) or "no text", body[:2000].lower()
    if isinstance(error, list) and error:  # Gemini wraps its error in a list
        error = error[0]
    while isinstance(error, Mapping) and isinstance(error.get("error"), Mapping):
        error = error["error"]
    if not isinstance(error, Mapping):
        return shorten(body), body.lower()
    for name in ("message", "error", "detail", "msg", "title"):
        if error.get(name):
            message = error[name]
            break
    else:
        message = body
    parts = [message if isinstance(message, str) else json.dumps(message, ensure_ascii=False)]
    parts += [str(error[name]) for name in ("code", "type", "param") if error.get(name)]
    told = parts[0] + (f" ({', '.join(parts[1:])})" if parts[1:] else "")
    return shorten(told), told.lower()


def shorten(text: str, most: int = 300) -> str:
    """One line of at most so many characters.

    >>> shorten("much  to\\nsay", 8)
    'much to…'
    """
    text = " ".join(text.split())
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"
