"""What was spent on an output file: tokens and cost, from the lines of its journal.

>>> from cat.annotate.cost.money import Prices
>>> usage = Usage(570, 164).to_dict()
>>> lines = [
...     {"model": "gpt-4o", "requests": 1, "usage": usage},
...     {"model": "my-own-model", "requests": 1, "usage": {"prompt_tokens": 500}},
...     {"model": "gpt-4o", "requests": 2, "usage": None},
... ]
>>> print(Spending.of(lines, Prices.load()))
4 requests: 1,070 prompt tokens (0 of them cached) and 164 completion tokens
cost: 0.003065 USD; unknown for my-own-model (500 tokens), which is not in the price table
the endpoint reported no tokens for 1 line: its cost is unknown
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from cat.annotate.cost.money import Money, Prices, Usage, cost

__all__ = ["Spending", "paid_lines"]


@dataclass(frozen=True)
class Spending:
    """Tokens and their cost.

    Attributes:
        requests: all that were sent.
        usage: all tokens that the endpoint reported, those of batches too.
        batch_usage: those of batches.
        costs: currency -> what was spent in it.
        unpriced: model -> tokens, where the price is unknown.
        unreported: lines of texts that were asked for, with no tokens reported.
    """

    requests: int
    usage: Usage
    batch_usage: Usage
    costs: Mapping[str, Money]
    unpriced: Mapping[str, int]
    unreported: int

    @classmethod
    def of(cls, lines: Iterable[Mapping[str, Any]], prices: Prices) -> Spending:
        """Of lines of a journal, each with "model", "usage", "requests"; "batch_usage" where a
        part of its tokens went through a batch."""
        requests = unreported = 0
        total = batched = Usage()
        costs: dict[str, Money] = {}
        unpriced: Counter[str] = Counter()
        for line in lines:
            requests += line.get("requests", 0)
            usage = Usage.from_dict(line.get("usage"))
            batch_usage = Usage.from_dict(line.get("batch_usage"))
            unreported += cls.is_unreported(line)
            if not line.get("requests"):
                continue  # a copy of another text's line, which cost nothing
            model = line.get("model") or ""
            price = prices.find(model)
            for part, batch in ((usage, False), (batch_usage, True)):
                if part is None or not part.tokens:
                    continue
                total += part
                batched += part if batch else Usage()
                amount = cost(part, price, batch=batch)
                if amount is None:
                    unpriced[model] += part.tokens
                else:
                    before = costs.get(amount.currency, Money(Decimal(0), amount.currency))
                    costs[amount.currency] = before + amount
        return cls(requests, total, batched, costs, dict(unpriced), unreported)

    @staticmethod
    def is_unreported(line: Mapping[str, Any]) -> bool:
        """Whether something was asked for a line, and the endpoint reported no tokens."""
        tokens = (line.get("usage"), line.get("batch_usage"))
        return bool(line.get("requests")) and tokens == (None, None)

    def in_currency(self, currency: str) -> Money:
        """What was spent in one currency."""
        return self.costs.get(currency, Money(Decimal(0), currency))

    def __str__(self) -> str:
        usage = self.usage
        lines = [f"{self.requests:,} request{'s' * (self.requests != 1)}"]
        if usage.tokens:
            lines[0] += (
                f": {usage.prompt_tokens:,} prompt tokens ({usage.cached_tokens:,} of them cached) "
                f"and {usage.completion_tokens:,} completion tokens"
            )
        if self.batch_usage.tokens:
            lines[0] += f"; {self.batch_usage.tokens:,} of all went through batches"
        parts = [str(amount) for amount in self.costs.values()]
        parts += [
            f"unknown for {model} ({tokens:,} tokens), which is not in the price table"
            for model, tokens in self.unpriced.items()
        ]
        if parts:
            lines.append(f"cost: {'; '.join(parts)}")
        if n := self.unreported:
            its = "its cost is" if n == 1 else "their cost is"
            lines.append(
                f"the endpoint reported no tokens for {n} line{'s' * (n != 1)}: {its} unknown"
            )
        return "\n".join(lines)


def paid_lines(path: Path) -> list[dict[str, Any]]:
    """All lines of a journal, those too whose place another took later: they were paid for.

    >>> paid_lines(Path("no such file"))
    []
    """
    if not path.exists():
        return []
    lines = []
    for raw in path.read_bytes().split(b"\n"):
        try:
            line = json.loads(raw)
        except ValueError:  # the end that was cut off; what else is damaged, the journal tells
            continue
        if isinstance(line, dict):
            lines.append(line)
    return lines
