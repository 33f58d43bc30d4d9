"""Asking until there is an answer or none can be had: retries, the manner of asking, the budget."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import NamedTuple

from cat.annotate.asking.endpoint import Connection, Manner, Messages
from cat.annotate.asking.failures import FATAL, FATAL_AT_FIRST, RETRIED, RequestFailed
from cat.annotate.asking.pace import Pace, Stopped
from cat.annotate.asking.replies import Reply
from cat.annotate.cost.budget import Budget
from cat.annotate.cost.money import Usage

__all__ = ["Answer", "Asker", "Patience", "Spent"]

log = logging.getLogger(__name__)

ENOUGH_UNREADABLE = 3  # replies, before a mode is given up that gave no readable one


@dataclass(frozen=True)
class Patience:
    """How long a text is tried.

    Attributes:
        attempts: requests that fail by themselves (server errors, timeouts, cut connections); rate
            limits do not count, they are waited out.
        first_wait: seconds after the first of them, doubled each time, less a random part.
        longest_wait: seconds.
        deadline: seconds from a text's first request; no retry begins after it.
    """

    attempts: int = 5
    first_wait: float = 0.5
    longest_wait: float = 30.0
    deadline: float = 900.0

    def __post_init__(self) -> None:
        if self.attempts < 1 or min(self.first_wait, self.longest_wait, self.deadline) <= 0:
            raise ValueError(f"expected attempts >= 1 and times > 0, got {self}")

    def wait(self, failures: int) -> float:
        """Seconds to wait after so many failures."""
        most = min(self.first_wait * 2.0 ** (failures - 1), self.longest_wait)
        return most * random.uniform(0.5, 1.0)  # so that those who failed together part


@dataclass
class Spent:
    """What one text has used by now.

    Attributes:
        requests: those sent.
        usage: of all that reported some, None where none did.
        unreported: requests that may have been charged without our knowing how much.
        began: the event loop's time of the first request.
    """

    requests: int = 0
    usage: Usage | None = None
    unreported: int = 0
    began: float | None = None

    def add(self, usage: Usage | None, *, sure: bool = False) -> None:
        if usage is not None:
            self.usage = usage + (self.usage or Usage())
        else:
            self.unreported += not sure


class Answer(NamedTuple):
    """A reply, and the manner and messages by which it was got."""

    reply: Reply
    manner: Manner
    messages: Messages


class Asker:
    """Asks one endpoint, with what was learned about it by all requests before.

    Attributes:
        manner: in which it is asked now. The first requests go one by one until there was a
            readable reply: one that is refused or unreadable is enough to learn from, sixty-four
            would be paid for.
        answers: replies by now.
    """

    def __init__(
        self,
        connection: Connection,
        pace: Pace,
        *,
        patience: Patience,
        budget: Budget | None = None,
    ) -> None:
        self.connection = connection
        self.pace = pace
        self.patience = patience
        self.budget = budget
        self.manner = Manner()
        self.answers = 0
        self._settled = False
        self._one_by_one = asyncio.Lock()
        self._unreadable: dict[Manner, int | None] = {}  # replies; None once one was readable

    async def ask(self, write: Callable[[bool], Messages], spent: Spent) -> Answer:
        """The reply to messages, which ``write(plain)`` gives for the manner in use.

        Args:
            spent: is added to, whether there is a reply or not.

        Raises:
            RequestFailed: there is none, and why.
            Stopped: before it was sent (again).
            BudgetSpent: it could have passed the limit.
        """
        failures = 0
        while True:
            began = 0.0
            async with self._until_settled():
                async with self.pace.turn() as began:
                    manner = self.manner
                    messages = write(manner.plain)
                    try:
                        reply = await self._send(messages, manner, spent)
                    except RequestFailed as failure:
                        failed = failure
                    else:
                        self.answers += 1
                        self.pace.answered()
                        return Answer(reply, manner, messages)
                if self._other_manner(manner, failed):
                    continue
                self._settled = True
            if not self._worth_retrying(failed):
                raise failed
            if failed.reason == "rate limit" or failed.retry_after is not None:
                wait = self.pace.slow_down(began, failed.retry_after)
            else:
                wait = self.patience.wait(failures + 1)
            failures += failed.reason != "rate limit"
            self._check_patience(failed, failures, wait, spent)
            log.info("%s; again in %.1f s", failed, wait)
            if failed.reason != "rate limit":
                await self.pace.sleep(wait)

    def heard(self, manner: Manner, *, readable: bool) -> None:
        """Whether a reply could be read: an endpoint may take a manner and not keep to it.

        To be told of each reply before anything else is awaited.
        """
        if readable:
            self._settled = True
            self._unreadable[manner] = None
            return
        unreadable = self._unreadable.get(manner, 0)
        if unreadable is None:  # it can do it
            return
        self._unreadable[manner] = unreadable + 1
        if unreadable + 1 < ENOUGH_UNREADABLE:
            return
        if simpler := manner.simpler():
            self._change(manner, simpler, f"{unreadable + 1} replies, none of them readable")
        else:
            self._settled = True

    async def _send(self, messages: Messages, manner: Manner, spent: Spent) -> Reply:
        """One request, its tokens counted."""
        held = None
        if self.budget is not None:
            body = self.connection.endpoint.body(messages, manner)
            held = await self.budget.reserve(
                messages,
                max_completion_tokens=self.connection.endpoint.max_tokens,
                response_format=body.get("response_format"),
            )
            if self.pace.stopped.is_set():  # it may have waited long
                held.release()
                raise Stopped
        if spent.began is None:
            spent.began = asyncio.get_running_loop().time()
        spent.requests += 1
        usage, sure = None, False
        try:
            reply = await self.connection.ask(messages, manner)
            usage = reply.usage
            return reply
        except RequestFailed as failure:
            usage, sure = failure.usage, failure.sure
            raise
        finally:  # broken off as well: it may have been charged
            spent.add(usage, sure=sure)
            if held is not None and sure and usage is None:
                held.release()
            elif held is not None:
                held.settle(usage)

    @asynccontextmanager
    async def _until_settled(self) -> AsyncIterator[None]:
        """One by one as long as the manner is not known, all together from then on."""
        if not self._settled:
            async with self._one_by_one:
                if not self._settled:
                    yield
                    return
        yield

    def _worth_retrying(self, failed: RequestFailed) -> bool:
        # Among answers, a web page is a proxy's hiccup.
        return failed.reason in RETRIED or (failed.reason == "not an API" and self.answers > 0)

    def fatal(self, failed: RequestFailed) -> bool:
        """Whether all other texts would fail like this one."""
        return failed.reason in FATAL or (failed.reason in FATAL_AT_FIRST and not self.answers)

    def _other_manner(self, manner: Manner, failed: RequestFailed) -> bool:
        """Whether there is another manner to ask in after this failure."""
        other = manner.after(failed)
        if other is None:
            return False
        self._change(manner, other, str(failed))
        return True

    def _change(self, manner: Manner, other: Manner, why: str) -> None:
        if self.manner == manner:  # else somebody has changed it meanwhile
            self.manner = other
            log.info("asking by %s from now on: %s", other, why)

    def _check_patience(
        self, failed: RequestFailed, failures: int, wait: float, spent: Spent
    ) -> None:
        """Raises the failure where it was the last."""
        now = asyncio.get_running_loop().time()
        late = now + wait > (spent.began or now) + self.patience.deadline
        if failures >= self.patience.attempts or late:
            if late:
                failed.detail += f"; given up after {self.patience.deadline:g} s"
            raise failed
