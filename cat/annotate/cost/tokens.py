"""How many tokens a prompt has, without the provider's tokenizer: a bound and an expectation.

The bound: the tokenizers of today's language models cut a text into byte sequences, so no text has
more tokens than bytes in UTF-8. Around each message stand a few tokens of the chat's template, and
some templates add a sentence of their own at the beginning. A response schema is counted too.

The expectation: about 3.5 bytes a token, as measured on word problems with SmolLM2's tokenizer.
What an endpoint reported for earlier texts is the better guide where there is some.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

__all__ = ["BYTES_PER_TOKEN", "expected_tokens", "prompt_bytes", "prompt_token_bound"]

BYTES_PER_TOKEN = 3.5
PER_MESSAGE = 16
PER_PROMPT = 64


def prompt_bytes(
    messages: Iterable[Mapping[str, str]], *, response_format: Mapping[str, Any] | None = None
) -> int:
    """The bytes of a prompt that become tokens: the messages' texts and the response schema."""
    schema = json.dumps(response_format) if response_format else ""
    return sum(
        len(message["content"].encode("utf-8", "surrogatepass")) for message in messages
    ) + len(schema)


def prompt_token_bound(
    messages: Iterable[Mapping[str, str]], *, response_format: Mapping[str, Any] | None = None
) -> int:
    """A number of tokens that a prompt surely does not pass.

    Args:
        messages: each with its text in "content".
        response_format: as it is sent, with its JSON schema.

    >>> prompt_token_bound([{"role": "user", "content": "Two and two?"}])
    92
    """
    messages = list(messages)
    text = prompt_bytes(messages, response_format=response_format)
    return text + PER_MESSAGE * len(messages) + PER_PROMPT


def expected_tokens(n_bytes: int) -> int:
    """About how many tokens so many bytes of English are.

    >>> expected_tokens(len("How many apples has she?"))
    7
    """
    return round(n_bytes / BYTES_PER_TOKEN)
