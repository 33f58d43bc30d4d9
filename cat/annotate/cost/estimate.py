"""What annotating texts will cost, before anything is sent.

Tokens are expected from what the endpoint reported for earlier texts where there are some
(``earlier``), else from the prompts' bytes (:mod:`cat.annotate.cost.tokens`) and the paper's mean
reply.

>>> from cat.annotate.cost.money import Prices
>>> texts = [Request([{"role": "user", "content": "x" * 2000}], source_bytes=600)] * 1000
>>> print(estimate(texts, Prices.load()["gpt-4o"], max_completion_tokens=1024))
1,000 requests
expected: 571,000 prompt and 164,000 completion tokens, 3.07 USD
    from 3.5 bytes a token and the paper's 164 tokens a reply; second requests come on top
at most: 2,080,000 prompt and 1,024,000 completion tokens, 15.44 USD for one request a text
per million tokens of these texts: 17.89 USD
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cat.annotate.cost.money import Money, Price, Usage, cost, cost_per_million_source_tokens
from cat.annotate.cost.tokens import (
    BYTES_PER_TOKEN,
    expected_tokens,
    prompt_bytes,
    prompt_token_bound,
)

__all__ = ["PAPER_REPLY_TOKENS", "Estimate", "Request", "estimate"]

PAPER_REPLY_TOKENS = 164  # of a mean reply on ten GSM8K texts: 163.9 (appendix D)


@dataclass(frozen=True)
class Request:
    """A text's first request: its messages, and the bytes of the text itself."""

    messages: Sequence[Mapping[str, str]]
    source_bytes: int


@dataclass(frozen=True)
class Estimate:
    """What requests will need.

    Attributes:
        requests: texts to be asked.
        expected: tokens, all requests together.
        most: tokens that one request a text surely does not pass.
        source_tokens: of the texts themselves, expected.
        guide: where the expectation comes from.
        price: None where it is unknown.
        batch: by the provider's batch interface.
    """

    requests: int
    expected: Usage
    most: Usage
    source_tokens: int
    guide: str
    price: Price | None
    batch: bool = False

    @property
    def cost(self) -> Money | None:
        """Expected; None where the price is unknown."""
        return cost(self.expected, self.price, batch=self.batch)

    @property
    def most_cost(self) -> Money | None:
        """Of one request a text; None where the price is unknown."""
        return cost(self.most, self.price, batch=self.batch)

    @property
    def cost_per_million(self) -> Money | None:
        """For a million tokens of the texts themselves, as the paper counts (appendix D)."""
        if self.price is None or not self.source_tokens:
            return None
        counts = (self.expected.prompt_tokens, self.expected.completion_tokens, self.source_tokens)
        return cost_per_million_source_tokens(*counts, self.price, batch=self.batch)

    def __str__(self) -> str:
        lines = [
            f"{self.requests:,} request{'s' * (self.requests != 1)}",
            f"expected: {_tokens(self.expected)}, {self.cost or 'cost unknown'}",
            f"    from {self.guide}",
            f"at most: {_tokens(self.most)}, {self.most_cost or 'cost unknown'} for one request a "
            "text",
        ]
        if self.cost_per_million is not None:
            lines.append(f"per million tokens of these texts: {self.cost_per_million}")
        return "\n".join(lines)


def _tokens(usage: Usage) -> str:
    return f"{usage.prompt_tokens:,} prompt and {usage.completion_tokens:,} completion tokens"


def estimate(
    requests: Iterable[Request],
    price: Price | None,
    *,
    max_completion_tokens: int,
    response_format: Mapping[str, Any] | None = None,
    earlier: Sequence[Usage] = (),
    batch: bool = False,
) -> Estimate:
    """What requests will need and cost.

    Args:
        requests: of the texts to be asked.
        price: of the model; None where it is unknown.
        max_completion_tokens: as each request allows.
        response_format: as it is sent with each.
        earlier: what texts of the same kind took, with their second requests and retries.
        batch: by the provider's batch interface.
    """
    n = source = 0
    expected = most = Usage()
    for request in requests:
        n += 1
        source += request.source_bytes
        size = prompt_bytes(request.messages, response_format=response_format)
        bound = prompt_token_bound(request.messages, response_format=response_format)
        expected += Usage(expected_tokens(size), min(PAPER_REPLY_TOKENS, max_completion_tokens))
        most += Usage(bound, max_completion_tokens)
    guide = (
        f"{BYTES_PER_TOKEN} bytes a token and the paper's {PAPER_REPLY_TOKENS} tokens a reply; "
        "second requests come on top"
    )
    if earlier:
        expected = _scaled(sum(earlier, Usage()), n / len(earlier))
        guide = f"what the endpoint reported for {len(earlier)} texts before"
    return Estimate(n, expected, most, expected_tokens(source), guide, price, batch)


def _scaled(usage: Usage, factor: float) -> Usage:
    return Usage(
        round(usage.prompt_tokens * factor),
        round(usage.completion_tokens * factor),
        round(usage.cached_tokens * factor),
    )
