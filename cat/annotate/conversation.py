"""The conversation about one text: a question, its reply checked, at most one repair."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from cat.annotate.asking.asker import Answer, Asker, Spent
from cat.annotate.asking.endpoint import Messages
from cat.annotate.asking.failures import RequestFailed
from cat.annotate.asking.pace import Stopped
from cat.annotate.checking import Checked, Fault, check
from cat.annotate.cost.budget import BudgetSpent
from cat.annotate.lines import Line, annotated_line, failed_line
from cat.annotate.questions import Question
from cat.annotate.relations import UnreadableReply, read_relations
from cat.signals import Example

__all__ = ["NO_SIGNALS", "Conversation", "Instructing", "Reading", "converse"]

log = logging.getLogger(__name__)

NO_SIGNALS = "no signals"


class Instructing(Protocol):
    """What :class:`cat.annotate.instructions.Instructions` does here."""

    def messages(self, example: Example, *, plain: bool = False) -> Messages: ...

    def repair(
        self, messages: Messages, reply: str, faults: Sequence[Fault] | UnreadableReply
    ) -> Messages: ...


class Conversation(Protocol):
    """What :func:`converse` does."""

    async def __call__(
        self, question: Question, instructions: Instructing, asker: Asker, spent: Spent
    ) -> Line: ...


@dataclass(frozen=True)
class Reading:
    """What a reply's text says: checked relations, or why it cannot be read.

    >>> example = Example("Two and two make? Answer:", "4")
    >>> Reading.of('{"relations": [{"effect": "4", "causes": ["Two"]}]}', example).checked.signals
    (Signal(effect='4', causes=('Two',)),)
    >>> Reading.of("I cannot tell.", example).unreadable.reason
    'invalid JSON'
    """

    checked: Checked | None = None
    unreadable: UnreadableReply | None = None

    @classmethod
    def of(cls, text: str, example: Example) -> Reading:
        try:
            return cls(checked=check(example, read_relations(text)))
        except UnreadableReply as unreadable:
            return cls(unreadable=unreadable)

    @property
    def to_mend(self) -> Sequence[Fault] | UnreadableReply:
        """What a repair is to quote; empty where all is well."""
        return self.unreadable or (self.checked.faults if self.checked else ())

    @property
    def rank(self) -> tuple[bool, bool, int]:
        """Greater is better: can be read, covers the answer, pairs kept."""
        if self.checked is None:
            return False, False, 0
        lacking = {fault.reason for fault in self.checked.faults}
        covered = not lacking & {"answer not covered", "no relations"}
        return True, covered, sum(len(signal.causes) for signal in self.checked.signals)

    @property
    def usable(self) -> bool:
        return self.checked is not None and bool(self.checked.signals)

    @property
    def failure(self) -> tuple[str, str]:
        """Reason and detail, where it is not usable."""
        if self.unreadable is not None:
            return self.unreadable.reason, self.unreadable.detail
        return NO_SIGNALS, "none of what the assistant named passed the check"


async def converse(
    question: Question, instructions: Instructing, asker: Asker, spent: Spent
) -> Line:
    """Ask about a text, and once more with the faults quoted; its line for the journal.

    Of the two replies the better one is kept; where the second cannot be had, the first.

    Args:
        spent: is added to.

    Raises:
        RequestFailed: one that all other texts would meet too.
        Stopped: it is to be asked another time.
        BudgetSpent: likewise.
    """
    example, endpoint = question.text.example, asker.connection.endpoint
    try:
        answer = await asker.ask(lambda plain: instructions.messages(example, plain=plain), spent)
    except RequestFailed as failure:
        if asker.fatal(failure):
            raise
        return failed_line(
            question,
            failure.reason,
            failure.detail,
            mode=asker.manner.mode,
            model=endpoint.model,
            usage=spent.usage,
            requests=spent.requests,
        )
    first = best = Reading.of(answer.reply.text, example)
    asker.heard(answer.manner, readable=first.checked is not None)
    if first.to_mend:
        second, answer = await _repaired(first, answer, example, instructions, asker, spent)
        best = second if second.rank >= first.rank else first
    about: dict[str, Any] = {
        "faults_before": first.checked.faults if best is not first and first.checked else None,
        "mode": answer.manner.mode,
        "model": endpoint.model,  # its price is that of the name asked for
        "usage": spent.usage,
        "requests": spent.requests,
    }
    if answer.reply.model not in ("", endpoint.model):
        about["served_by"] = answer.reply.model
    if best.checked is not None and best.usable:
        return annotated_line(question, best.checked, **about)
    faults = best.checked.faults if best.checked is not None else ()
    return failed_line(question, *best.failure, faults=faults, **about)


async def _repaired(
    first: Reading,
    answer: Answer,
    example: Example,
    instructions: Instructing,
    asker: Asker,
    spent: Spent,
) -> tuple[Reading, Answer]:
    """The second reply; the first where there is none."""

    def write(plain: bool) -> Messages:
        messages = instructions.messages(example, plain=plain)
        return instructions.repair(messages, answer.reply.text, first.to_mend)

    try:
        second = await asker.ask(write, spent)
    except RequestFailed as failure:
        log.info("no repair: %s", failure)
        return first, answer
    except (Stopped, BudgetSpent):
        if not first.usable:
            raise  # next time it may be mended
        return first, answer
    reading = Reading.of(second.reply.text, example)
    asker.heard(second.manner, readable=reading.checked is not None)
    return reading, second
