"""What a call of ``cat-tune annotate`` is about: its texts, what is known of them, its money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from cat.annotate.asking.endpoint import Endpoint, Manner
from cat.annotate.batches.state import BatchState
from cat.annotate.cost.budget import Budget
from cat.annotate.cost.estimate import Estimate, Request, estimate
from cat.annotate.cost.money import Money, Price, Prices, Usage, cost
from cat.annotate.cost.spending import Spending, paid_lines
from cat.annotate.cost.tokens import prompt_token_bound
from cat.annotate.instructions import Instructions
from cat.annotate.journal import Journal
from cat.annotate.questions import Question, questions
from cat.annotate.texts import Text, Texts

__all__ = ["Job"]


@dataclass(frozen=True)
class Job:
    """Texts, who is asked about them, and where the answers go.

    Attributes:
        batch: through the provider's batches.
        max_cost: of the output file in all, in the currency of the price.

    Raises:
        ValueError: there is a limit on the cost, but no price.
    """

    texts: Texts
    instructions: Instructions
    endpoint: Endpoint
    journal: Journal
    state: BatchState
    prices: Prices
    retry_failed: bool = False
    batch: bool = False
    max_cost: Decimal | None = None

    def __post_init__(self) -> None:
        if self.max_cost is not None and self.price is None:
            raise ValueError(
                f"expected a price of {self.endpoint.model!r} for --max-cost, there is none in "
                f"{self.prices.path}: give one in a file with --prices FILE (a model of your own "
                "machine may cost 0), or leave out --max-cost. Nothing was sent"
            )

    @property
    def price(self) -> Price | None:
        """Of the model; None where it is unknown."""
        return self.prices.find(self.endpoint.model)

    @cached_property
    def asked(self) -> Sequence[Question]:
        """All texts with their keys."""
        return questions(self.texts.items, self.instructions, self.endpoint)

    @cached_property
    def on_the_way(self) -> frozenset[str]:
        """Keys of those in batches that are not collected, and of their copies."""
        keys = self.state.open_keys
        return frozenset(one.key for one in self.asked if (one.copy_of or one.key) in keys)

    @property
    def todo(self) -> list[Question]:
        """Those to be asked now: not answered, not failed before (or to be asked again), in no
        batch, and none that says the same as another."""
        known = set(self.journal.answered)
        if not self.retry_failed:
            known |= set(self.journal.failed)
        return [
            one
            for one in self.asked
            if one.copy_of is None and one.key not in known and one.key not in self.on_the_way
        ]

    @property
    def texts_not_on_the_way(self) -> list[Text]:
        """Those that may be asked by the chat endpoint without paying for them twice."""
        return [one.text for one in self.asked if one.key not in self.on_the_way]

    def spending(self) -> Spending:
        """What the output file has cost, lines that others took the place of too."""
        return Spending.of(paid_lines(self.journal.path), self.prices)

    def budget(self) -> Budget | None:
        """What is left of the limit; None without one.

        Spent is what the output file has cost and what open batches may cost. (Of requests in
        flight when a process was killed nothing is known.)
        """
        if self.max_cost is None or self.price is None:
            return None
        currency = self.price.currency
        spent = self.spending().in_currency(currency) + self._unreported(self.price)
        for batch in self.state.open:
            if batch.held is not None and batch.held.currency == currency:
                spent += batch.held
        return Budget(self.max_cost, self.price, batch=self.batch, spent=spent)

    def _unreported(self, price: Price) -> Money:
        """The most that requests can have cost of which the endpoint reported no tokens."""
        lines = paid_lines(self.journal.path)
        n = sum(line.get("requests", 0) for line in lines if Spending.is_unreported(line))
        if not n:
            return Money(Decimal(0), price.currency)
        most = max(
            (prompt_token_bound(messages) for messages in map(self._messages, self.asked)),
            default=0,
        )
        schema = prompt_token_bound(
            [], response_format=self.endpoint.body([]).get("response_format")
        )
        amount = cost(Usage(n * (most + schema), n * self.endpoint.max_tokens), price)
        assert amount is not None
        return amount

    def estimate(self) -> Estimate:
        """What asking for :attr:`todo` will need."""
        response_format = self.endpoint.body([], Manner()).get("response_format")
        requests = (
            Request(self._messages(one), len(one.text.example.full_text.encode()))
            for one in self.todo
        )
        return estimate(
            requests,
            self.price,
            max_completion_tokens=self.endpoint.max_tokens,
            response_format=response_format,
            earlier=self._earlier(),
            batch=self.batch,
        )

    def _messages(self, question: Question) -> list[dict[str, str]]:
        return self.instructions.messages(question.text.example)

    def _earlier(self) -> list[Usage]:
        """What the endpoint reported for texts of this file, their repairs included."""
        asked = {one.key for one in self.asked}
        found = []
        for key, line in self.journal.answered.items():
            if key in asked and line.get("requests"):
                parts = (Usage.from_dict(line.get(name)) for name in ("usage", "batch_usage"))
                usage = sum((part for part in parts if part is not None), Usage())
                if usage.tokens:
                    found.append(usage)
        return found

    def __str__(self) -> str:
        failed = sum(one.key in self.journal.failed for one in self.asked)
        counts = {
            "to be asked": len(self.todo),
            "annotated before": sum(one.key in self.journal.answered for one in self.asked),
            "failed before" + (" and asked again" if self.retry_failed else ""): failed,
            "in batches on their way": len(self.on_the_way),
            "that say the same as another": sum(one.copy_of is not None for one in self.asked),
        }
        told = ", ".join(f"{n} {what}" for what, n in counts.items() if n or what == "to be asked")
        price = str(self.price) if self.price else f"unknown: not in {self.prices.path}"
        lines = [
            f"{self.texts}: {told}",
            f"task {self.instructions.name}, model {self.endpoint.model} at "
            f"{self.endpoint.base_url}{', by batches' if self.batch else ''}",
            f"price: {price}",
        ]
        return "\n".join(lines)
