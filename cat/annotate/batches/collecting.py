"""Collecting batches: their replies are read, checked and kept as all others are.

The reply that a batch brought takes the place of a text's first request; what follows is the
conversation of :mod:`cat.annotate.conversation`. So a text whose reply has faults is asked
about again at once, through the chat endpoint and at its full price: with a second batch it would
wait for another day, and these are few.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from cat.annotate.annotator import annotate
from cat.annotate.asking.asker import Answer, Asker, Spent
from cat.annotate.asking.endpoint import Endpoint, Manner, Messages
from cat.annotate.asking.failures import RequestFailed
from cat.annotate.batches.batch import ENDED, download, poll
from cat.annotate.batches.results import BatchResults
from cat.annotate.batches.state import Batch, BatchState
from cat.annotate.conversation import Instructing, converse
from cat.annotate.cost.budget import Budget, BudgetSpent
from cat.annotate.cost.money import Usage
from cat.annotate.journal import Journal
from cat.annotate.lines import Line
from cat.annotate.questions import Question, questions
from cat.annotate.results import AnnotationResult
from cat.annotate.texts import Text

if TYPE_CHECKING:
    from openai.types import Batch as RemoteBatch

__all__ = ["Collected", "collect"]


@dataclass(frozen=True)
class Collected:
    """What a call of :func:`collect` found.

    Attributes:
        results: name of a batch -> what became of its texts.
        running: batches that have not ended, with what the provider says of them.
        remarks: a sentence for each thing that is not as it should be.
    """

    results: Mapping[str, AnnotationResult]
    running: Mapping[str, str]
    remarks: tuple[str, ...] = ()


def collect(
    texts: Sequence[Text],
    instructions: Instructing,
    endpoint: Endpoint,
    journal: Journal,
    state: BatchState,
    *,
    in_flight: int = 64,
    budget: Budget | None = None,
    progress: bool = True,
    say: Callable[[str], object] | None = None,
) -> Collected:
    """Put the results of the batches that have ended into the journal.

    Killed at any moment, the same call goes on: a batch counts as collected when the journal holds
    a line for each of its texts, and what the provider has is downloaded again for nothing.

    Args:
        texts: all those of the file that the batches were made of.
        instructions, endpoint: as when they were submitted.
        in_flight, budget, progress, say: as for :func:`cat.annotate.annotator.annotate`; of the
            repairs.

    Raises:
        RequestFailed: the endpoint does not give the results.
        ValueError: a batch holds texts that are not among these.
        BlockingIOError: another process is at work on these batches.
    """
    asked = questions(texts, instructions, endpoint)
    results: dict[str, AnnotationResult] = {}
    running: dict[str, str] = {}
    remarks: list[str] = []
    with state.held():
        for batch in state.open:
            _check_texts(batch, asked)
        remotes = poll(endpoint, state)
        for batch in state.open:
            remote = remotes.get(batch.name)
            if remote is None or remote.status not in ENDED:
                running[batch.name] = _how_far(batch, remote)
                continue
            found = download(endpoint, state, batch, remote)
            remarks += [f"batch {batch.id}: {remark}" for remark in found.remarks]
            result = annotate(
                [one.text for one in _without_line(asked, batch, journal)],
                instructions,
                endpoint,
                journal,
                in_flight=in_flight,
                budget=budget,
                retry_failed=True,
                progress=progress,
                say=say,
                converse=_Conversation(batch, found),
            )
            results[batch.name] = result
            if not result.left:
                state.put(replace(batch, step="collected"))
    return Collected(results, running, tuple(remarks))


def _check_texts(batch: Batch, asked: Sequence[Question]) -> None:
    if missing := set(batch.keys) - {one.key for one in asked}:
        raise ValueError(
            f"batch {batch.id or batch.name} was made of {len(batch.keys)} texts, of which "
            f"{len(missing)} are not among these: give the same file, task, model and temperature "
            "as when it was submitted"
        )


def _without_line(asked: Sequence[Question], batch: Batch, journal: Journal) -> list[Question]:
    """The batch's texts that have no line from this batch (another call may have been killed on the
    way), each with the texts that say the same."""
    lines = {**journal.failed, **journal.answered}
    missing = {
        one.copy_of or one.key for one in asked if lines.get(one.key, {}).get("batch") != batch.id
    }
    wanted = missing & set(batch.keys)
    return [one for one in asked if (one.copy_of or one.key) in wanted]


def _how_far(batch: Batch, remote: RemoteBatch | None) -> str:
    if remote is None:
        return f"{batch.step}, not made yet: submit again to go on with it"
    counts = remote.request_counts
    done = f", {counts.completed + counts.failed} of {counts.total} done" if counts else ""
    return f"{remote.status}{done}"


class _Conversation:
    """As :func:`cat.annotate.conversation.converse`, the first reply taken from a batch."""

    def __init__(self, batch: Batch, found: BatchResults) -> None:
        self.batch = batch
        self.found = found
        self.manner = Manner(**batch.manner)

    async def __call__(
        self, question: Question, instructions: Instructing, asker: Asker, spent: Spent
    ) -> Line:
        first: Answer | RequestFailed
        if reply := self.found.replies.get(question.key):
            messages = instructions.messages(question.text.example, plain=self.manner.plain)
            first, usage, free = Answer(reply, self.manner, messages), reply.usage, False
        else:
            first = self.found.failures[question.key]
            usage, free = first.usage, first.sure
        given: Any = _FirstGiven(asker, first, self.manner)
        line = await converse(question, instructions, given, spent)
        if not spent.requests and (usage or free):
            line["usage"] = Usage().to_dict()  # nothing at the full price
        line |= {"requests": spent.requests + 1, "batch": self.batch.id}
        if usage is not None:
            line["batch_usage"] = usage.to_dict()
        return line


class _FirstGiven:
    """An :class:`~cat.annotate.asking.asker.Asker` whose first answer is there already."""

    def __init__(self, asker: Asker, first: Answer | RequestFailed, manner: Manner) -> None:
        self.asker = asker
        self.first: Answer | RequestFailed | None = first
        self.connection = asker.connection
        self.manner = manner

    async def ask(self, write: Callable[[bool], Messages], spent: Spent) -> Answer:
        first, self.first = self.first, None
        if isinstance(first, RequestFailed):
            raise first
        if first is not None:
            return first
        try:
            return await self.asker.ask(write, spent)
        except BudgetSpent as error:  # the batch's reply is paid for: it counts as it is
            raise RequestFailed("bad request", f"no repair: {error}") from error

    def heard(self, manner: Manner, *, readable: bool) -> None:
        """A batch's replies say nothing of how the chat endpoint is to be asked."""

    def fatal(self, failure: RequestFailed) -> bool:
        """Nor do its failures end anything: they are over."""
        return False
