"""Reading a chat completion: its text and its tokens, or why there is no answer in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from cat.annotate.asking.failures import RequestFailed, failure_of_error, looks_like_html, shorten
from cat.annotate.cost.money import Usage

__all__ = ["Reply", "read_body", "read_completion"]


@dataclass(frozen=True)
class Reply:
    """What the assistant answered.

    Attributes:
        text: never empty.
        usage: None where the endpoint reports none.
        model: as the endpoint names it.
        finish: why it ended, "stop" as a rule.
    """

    text: str
    usage: Usage | None
    model: str
    finish: str


def read_body(body: str) -> Reply:
    """The answer in the body of an HTTP answer with status 200.

    Raises:
        RequestFailed: "not an API" (a web page, JSON that is no chat completion), "not JSON" (cut
            off), or as for :func:`read_completion`.
    """
    if looks_like_html(body):
        raise RequestFailed("not an API", f"a web page: {shorten(body, 120)}", sure=True)
    try:
        completion = json.loads(body)
    except ValueError as error:
        raise RequestFailed("not JSON", f"{error}: {shorten(body, 120) or 'no text'}") from None
    return read_completion(completion)


def read_completion(completion: Any) -> Reply:
    """The answer in a chat completion, parsed from JSON.

    >>> answer = {"message": {"role": "assistant", "content": "4"}, "finish_reason": "stop"}
    >>> read_completion({"model": "m", "choices": [answer]})
    Reply(text='4', usage=None, model='m', finish='stop')

    Raises:
        RequestFailed: "refusal", "content filter", "truncated", "empty", "not an API", or the
            reason of an error that came in its place. It carries the tokens that were counted.
    """
    if isinstance(completion, Mapping) and completion.get("error"):
        raise failure_of_error(completion["error"])
    choices = completion.get("choices") if isinstance(completion, Mapping) else None
    if not isinstance(choices, list) or not all(isinstance(choice, Mapping) for choice in choices):
        told = shorten(json.dumps(completion, ensure_ascii=False), 120)
        raise RequestFailed("not an API", f"expected a chat completion, got {told}")
    usage = _usage(completion.get("usage"))
    if not choices:
        raise RequestFailed("empty", "a completion without choices", usage=usage)
    finish = str(choices[0].get("finish_reason") or "")
    message = choices[0].get("message")
    message = message if isinstance(message, Mapping) else {}
    text = _text(message.get("content"))
    if message.get("refusal"):
        raise RequestFailed("refusal", shorten(str(message["refusal"])), usage=usage)
    if finish in ("content_filter", "sensitive"):  # the latter: GLM
        raise RequestFailed("content filter", f"finish_reason {finish!r}", usage=usage)
    if finish in ("length", "model_context_window_exceeded"):
        tokens = f" after {usage.completion_tokens} tokens" if usage else ""
        raise RequestFailed("truncated", f"cut off{tokens}; allow more", usage=usage)
    if finish == "network_error":  # GLM
        raise RequestFailed("server error", f"finish_reason {finish!r}", usage=usage)
    if not text.strip():
        raise RequestFailed("empty", f"no text, finish_reason {finish!r}", usage=usage)
    return Reply(text, usage, str(completion.get("model") or ""), finish)


def _text(content: Any) -> str:
    """A message's text; some endpoints send it in parts."""
    if isinstance(content, list):
        parts = [part.get("text") for part in content if isinstance(part, Mapping)]
        return "".join(part for part in parts if isinstance(part, str))
    return content if isinstance(content, str) else ""


def _usage(raw: Any) -> Usage | None:
    """None where the counts are missing or make no sense: unknown, not zero."""
    if not isinstance(raw, Mapping):
        return None
    details = raw.get("prompt_tokens_details")
    cached = details.get("cached_tokens") if isinstance(details, Mapping) else 0
    try:
        return Usage(raw["prompt_tokens"], raw["completion_tokens"], cached or 0)
    except (KeyError, TypeError, ValueError):
        return None
