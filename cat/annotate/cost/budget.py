"""A limit on what is spent: each request reserves the most that it can cost before it is sent.

The reservation is an upper bound (:func:`cat.annotate.cost.tokens.prompt_token_bound` and the most
completion tokens that the request allows), replaced by the true cost when the endpoint reports
the tokens used. So what is spent does not pass the limit, whatever is in flight, as long as the
endpoint keeps to the completion tokens allowed.

>>> import asyncio
>>> from cat.annotate.cost.money import Prices
>>> async def ask(budget):
...     question = [{"role": "user", "content": "Two and two?"}]
...     reservation = await budget.reserve(question, max_completion_tokens=1000)
...     reservation.settle(Usage(prompt_tokens=12, completion_tokens=4))
>>> budget = Budget(Decimal("0.02"), Prices.load()["gpt-4o"])
>>> asyncio.run(ask(budget))
>>> print(budget.spent)
0.00007000 USD
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from cat.annotate.cost.money import Money, Price, Usage, cost
from cat.annotate.cost.tokens import prompt_token_bound

__all__ = ["Budget", "BudgetSpent", "Reservation"]


class BudgetSpent(Exception):
    """A request was not sent: it could have cost more than is left of the limit."""


class Reservation:
    """The most that one request may cost, held until it is known what it did cost.

    End it once, by :meth:`settle` or :meth:`release`.
    """

    def __init__(self, budget: Budget, amount: Money) -> None:
        self.amount = amount
        self._budget = budget

    def settle(self, usage: Usage | None) -> None:
        """The request was answered, or may have been.

        Args:
            usage: as the endpoint reports it; None (it reports none, or the answer was lost on the
                way) keeps the whole reservation spent.
        """
        self._budget._end(self, self.amount if usage is None else self._budget.cost(usage))
        self._budget.unreported += usage is None

    def release(self) -> None:
        """The request surely cost nothing: it was refused before a model read it."""
        self._budget._end(self, Money(Decimal(0), self.amount.currency))


class Budget:
    """What may be spent, in the price's currency. For one event loop at a time.

    Args:
        limit: the most that may be spent, what was spent before included.
        price: of the model.
        batch: the requests go through the provider's batch interface.
        spent: before, on the same texts.

    Attributes:
        spent: by now; requests in flight are not in it.
        unreported: requests whose usage the endpoint did not report: their reservations stay spent.
    """

    def __init__(
        self, limit: Decimal, price: Price, *, batch: bool = False, spent: Money | None = None
    ) -> None:
        if not limit.is_finite() or limit <= 0:
            raise ValueError(f"expected a limit > 0 on the cost, got {limit}")
        self.limit = Money(limit, price.currency)
        self.price = price
        self.batch = batch
        self.spent = Money(Decimal(0), price.currency) + (spent or self.limit - self.limit)
        self.unreported = 0
        self._open: set[Reservation] = set()
        self._held = self.limit - self.limit  # by the open ones
        self._waiting: list[asyncio.Future[None]] = []
        self._excess = Decimal(1)  # the most that a request cost, as a multiple of its reservation

    @property
    def left(self) -> Money:
        """What a further request may cost."""
        return self.limit - self.spent - self._held

    def cost(self, usage: Usage) -> Money:
        """What a usage costs here."""
        amount = cost(usage, self.price, batch=self.batch)
        assert amount is not None
        return amount

    async def reserve(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_completion_tokens: int,
        response_format: Mapping[str, Any] | None = None,
    ) -> Reservation:
        """Hold the most that a request may cost; waits while others are open that may free some.

        Args:
            messages: as they are sent.
            max_completion_tokens: as the request allows.
            response_format: as it is sent.

        Raises:
            BudgetSpent: it does not fit, and nothing is open that could make place.
        """
        while True:
            held = self.try_reserve(
                messages,
                max_completion_tokens=max_completion_tokens,
                response_format=response_format,
            )
            if held is not None:
                return held
            if not self._open:
                raise BudgetSpent(
                    "a request was not sent: it could have cost more than what is left, "
                    f"{self.left} of {self.limit}"
                )
            settled = asyncio.get_running_loop().create_future()
            self._waiting.append(settled)
            await settled

    def try_reserve(
        self,
        messages: Sequence[Mapping[str, str]],
        *,
        max_completion_tokens: int,
        response_format: Mapping[str, Any] | None = None,
    ) -> Reservation | None:
        """As :meth:`reserve`, at once: None where it does not fit now."""
        most = Usage(
            prompt_token_bound(messages, response_format=response_format), max_completion_tokens
        )
        amount = Money(self.cost(most).amount * self._excess, self.price.currency)
        if not amount <= self.left:
            return None
        reservation = Reservation(self, amount)
        self._open.add(reservation)
        self._held += amount
        return reservation

    def _end(self, reservation: Reservation, cost: Money) -> None:
        if reservation not in self._open:
            raise RuntimeError("expected a reservation to end once, this one has ended")
        self._open.remove(reservation)
        self._held -= reservation.amount
        self.spent += cost
        if reservation.amount < cost:  # the bound was none: the next reservations are larger
            self._excess *= cost.amount / reservation.amount.amount
        waiting, self._waiting = self._waiting, []
        for settled in waiting:
            if not settled.done():
                settled.set_result(None)
