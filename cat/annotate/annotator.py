"""Annotating texts: many requests in flight, each answer kept at once, nothing asked for twice.

>>> from cat.annotate import INSTRUCTIONS, Endpoint, Journal, annotate, read_texts
>>> result = annotate(  # doctest: +SKIP
...     read_texts("problems.jsonl").items,
...     INSTRUCTIONS["mawps"],
...     Endpoint("qwen2.5:7b", "http://localhost:11434/v1"),
...     Journal("annotated.jsonl"),
... )
>>> print(result)  # doctest: +SKIP
30 texts: 28 annotated, 2 failed (1 no signals, 1 timeout); 37 requests, by schema
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence

from cat.annotate.asking.asker import Asker, Patience, Spent
from cat.annotate.asking.background import run_in_background
from cat.annotate.asking.endpoint import Endpoint, Manner
from cat.annotate.asking.failures import RETRIED, RequestFailed
from cat.annotate.asking.pace import Pace, Stopped
from cat.annotate.conversation import Conversation, Instructing, converse
from cat.annotate.cost.budget import Budget, BudgetSpent
from cat.annotate.cost.money import Usage
from cat.annotate.journal import Journal
from cat.annotate.lines import Line, copied_line
from cat.annotate.questions import Question, questions
from cat.annotate.results import AnnotationResult, AnnotationStopped
from cat.annotate.texts import Text

__all__ = ["annotate"]

ENOUGH_FAILED = 20  # texts in a row
OF_THE_ENDPOINT = RETRIED | {"bad request", "not an API"}  # not a text's own
ADVICE = {
    "authentication": "the key is taken from the variable {variable}",
    "no such model": "the endpoint's own list tells how it calls its models",
    "not an API": "a base URL mostly ends in /v1",
    "connection": "is the endpoint running, is the URL right?",
    "rate limit": "try later, or with fewer requests in flight",
}


def annotate(
    texts: Iterable[Text],
    instructions: Instructing,
    endpoint: Endpoint,
    journal: Journal,
    *,
    in_flight: int = 64,
    budget: Budget | None = None,
    retry_failed: bool = False,
    patience: Patience = Patience(),  # noqa: B008
    progress: bool = True,
    say: Callable[[str], object] | None = None,
    converse: Conversation = converse,
) -> AnnotationResult:
    """Ask for the signals of those texts that the journal has no answer for.

    Each answer is checked against its text; where something is wrong with it, it is asked for once
    more with the faults quoted. A text that gets no signals is kept as failed, with the reason.
    Texts that say the same are asked for once. Works in a script and in a notebook.

    Ctrl-C: nothing more is sent, the answers on their way are waited for and kept; a second one
    gives them up. Killed at any moment, it loses the answers on their way only; the same call goes
    on with what is missing.

    Args:
        texts: see :func:`cat.annotate.texts.read_texts`.
        in_flight: requests at a time.
        budget: ends the annotation before it would be passed.
        retry_failed: ask again for texts that failed before.
        patience: with each text.
        progress: show a progress bar.
        say: is told of each failure when it happens.
        converse: how a text's line is got; another one takes its first reply from elsewhere.

    Raises:
        AnnotationStopped: no other text would fare better: the key is refused, there is no such
            model or no credit left, the URL is no API, nothing answers.
        ValueError: something is to be asked, and there is no key.
        OSError: an answer could not be written, or another process writes to the journal.
        KeyboardInterrupt: Ctrl-C, with a message of what was kept.
    """
    asked = questions(texts, instructions, endpoint)
    if not {one.key for one in asked} <= _known(journal, retry_failed).keys():
        endpoint.api_key()  # there is one, or nothing is begun
    with journal.held():
        run = _Run(asked, instructions, endpoint, journal, converse, retry_failed=retry_failed)
        run.copy_what_is_known()
        pace = Pace(in_flight)
        with _Watcher(run, shown=progress, say=say) as watcher:
            interrupted = run_in_background(
                lambda: run.ask_all(pace, patience, budget), watch=watcher.look, stop=pace.stop
            )
    result = run.result()
    if interrupted:
        raise KeyboardInterrupt(
            f"stopped: {result}; kept in {journal.path}, the same command goes on with the rest"
        )
    if run.fatal is not None:
        advice = ADVICE.get(run.fatal.reason, "").format(variable=endpoint.api_key_variable)
        raise AnnotationStopped(
            f"{endpoint.base_url}, model {endpoint.model!r}: {run.fatal}"
            + (f" ({advice})" if advice else "")
            + f". {result}; all answers are kept in {journal.path}",
            run.fatal.reason,
            result,
        )
    return result


class _Run:
    """One call of :func:`annotate`."""

    def __init__(
        self,
        asked: Sequence[Question],
        instructions: Instructing,
        endpoint: Endpoint,
        journal: Journal,
        converse: Conversation,
        *,
        retry_failed: bool,
    ) -> None:
        self.asked = asked
        self.instructions = instructions
        self.endpoint = endpoint
        self.journal = journal
        self.converse = converse
        self.known = _known(journal, retry_failed)
        self.todo = [one for one in asked if one.key not in self.known]
        self.copies: dict[str, list[Question]] = {}
        for one in self.todo:
            if one.copy_of is not None:
                self.copies.setdefault(one.copy_of, []).append(one)
        self.counts: Counter[str] = Counter()
        self.failed: Counter[str] = Counter()
        self.usage = Usage()
        self.manner = Manner()
        self.news: deque[str] = deque()
        self.fatal: RequestFailed | None = None
        self.stopped: str | None = None
        self._failed_in_a_row = 0
        self._last_failure: RequestFailed | None = None

    @property
    def done(self) -> int:
        return self.counts["annotated"] + self.failed.total()

    def copy_what_is_known(self) -> None:
        """The lines of texts that say the same as one that was asked for before."""
        for key in [key for key in self.copies if key in self.known]:
            self._copy(self.known[key])

    async def ask_all(self, pace: Pace, patience: Patience, budget: Budget | None) -> None:
        """Ask for everything else that is missing."""
        waiting = [one for one in self.todo if one.copy_of is None]
        if not waiting:
            return
        async with self.endpoint.connect() as connection:
            asker = Asker(connection, pace, patience=patience, budget=budget)
            share = iter(waiting)
            try:
                async with asyncio.TaskGroup() as workers:
                    for _ in range(min(pace.in_flight, len(waiting))):
                        workers.create_task(self._work(share, asker))
            except BaseExceptionGroup as group:  # the first of them ended the others
                raise group.exceptions[0] from None

    async def _work(self, share: Iterator[Question], asker: Asker) -> None:
        """Ask for one text after the other, until there are no more or all is stopped."""
        for question in share:
            spent = Spent()
            try:
                self._keep(await self.converse(question, self.instructions, asker, spent))
            except Stopped:
                return
            except BudgetSpent as error:
                self.stopped = str(error)
                return asker.pace.stop()
            except RequestFailed as failure:
                self._end(failure, asker)
            finally:
                self.counts["requests"] += spent.requests
                self.counts["unreported"] += spent.unreported
                self.usage += spent.usage or Usage()
                self.manner = asker.manner
            if self._last_failure is not None and self._failed_in_a_row >= ENOUGH_FAILED:
                self._end(self._last_failure, asker)

    def _end(self, failure: RequestFailed, asker: Asker) -> None:
        self.fatal = self.fatal or failure
        asker.pace.stop()

    def _keep(self, line: Line) -> None:
        """Write a text's line, and those of the texts that say the same."""
        self._append(line)
        # What failed in a batch says nothing of how the endpoint is now.
        of_the_endpoint = line.get("reason") in OF_THE_ENDPOINT and "batch" not in line
        if line["status"] == "failed" and of_the_endpoint:
            self._failed_in_a_row += 1
            self._last_failure = RequestFailed(
                line["reason"], f"{line['detail']}; {self._failed_in_a_row} texts in a row failed"
            )
        else:
            self._failed_in_a_row = 0
        self._copy(line)

    def _copy(self, line: Line) -> None:
        for copy in self.copies.pop(line["key"], []):
            self._append(copied_line(copy, line))
            self.counts["copies"] += 1

    def _append(self, line: Line) -> None:
        self.journal.append(line)
        if line["status"] == "annotated":
            self.counts["annotated"] += 1
        else:
            self.failed[line["reason"]] += 1
            self.news.append(f"line {line['line']}: {line['reason']}: {line['detail']}")

    def result(self) -> AnnotationResult:
        asked = {one.key for one in self.asked}
        before = [one.key for one in self.asked if one.key in self.known]
        return AnnotationResult(
            texts=len(self.asked),
            before=sum(self.known[key]["status"] == "annotated" for key in before),
            failed_before=sum(self.known[key]["status"] == "failed" for key in before),
            annotated=self.counts["annotated"],
            failed=dict(self.failed),
            copies=self.counts["copies"],
            requests=self.counts["requests"],
            usage=self.usage,
            unreported=self.counts["unreported"],
            manner=self.manner,
            others=len(self.journal.answered.keys() - asked),
            stopped=self.stopped,
        )


def _known(journal: Journal, retry_failed: bool) -> dict[str, Line]:
    """The lines of the texts that are not asked for, by key."""
    return dict(journal.answered) if retry_failed else {**journal.answered, **journal.failed}


class _Watcher:
    """Shows a run's progress, from the thread that called."""

    def __init__(self, run: _Run, *, shown: bool, say: Callable[[str], object] | None) -> None:
        from tqdm.auto import tqdm

        self.run = run
        self.say = say
        self.bar = tqdm(
            total=len(run.todo), unit="text", disable=not (shown and run.todo), desc="annotating"
        )

    def __enter__(self) -> _Watcher:
        return self

    def __exit__(self, *exception: object) -> None:
        self.bar.close()

    def look(self) -> None:
        while self.run.news:
            news = self.run.news.popleft()
            if self.say is not None:
                self.say(news)
        if new := self.run.done - self.bar.n:
            if failed := self.run.failed.total():
                self.bar.set_postfix(failed=failed, refresh=False)
            self.bar.update(new)
