"""``cat-tune annotate``: what its options mean, and what it says."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

from cat.annotate.annotator import annotate
from cat.annotate.asking.endpoint import Endpoint, Manner
from cat.annotate.asking.failures import RequestFailed
from cat.annotate.batches.batch import submit
from cat.annotate.batches.collecting import collect
from cat.annotate.batches.state import BatchState
from cat.annotate.checking import Checked, CheckReport
from cat.annotate.cost.money import Prices
from cat.annotate.cost.spending import Spending, paid_lines
from cat.annotate.instructions import INSTRUCTIONS, Instructions, read_instructions
from cat.annotate.job import Job
from cat.annotate.journal import Journal
from cat.annotate.results import AnnotationStopped
from cat.annotate.texts import read_texts

__all__ = ["add_arguments", "carry_out_annotation"]

FAILED = 1
BROKEN_SHOWN = 5
FAILURES_SHOWN = 20
MODES = {
    "schema": "by a JSON schema",
    "json": "in JSON mode, the schema told in words",
    "text": "in plain text, the JSON told in words",
}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of the command."""
    parser.add_argument("file", type=Path, nargs="?", help='JSON lines with "input" and "target"')
    parser.add_argument("--task", help=f"{', '.join(INSTRUCTIONS)}, or a YAML file of your own")
    parser.add_argument("--out", type=Path, required=True, help="JSON lines, appended to")
    parser.add_argument("--model", help="as the endpoint calls it")
    parser.add_argument(
        "--base-url",
        default=Endpoint.base_url,
        help="of the endpoint, up to /v1; default: %(default)s",
    )
    parser.add_argument(
        "--api-key-variable",
        default="OPENAI_API_KEY",
        metavar="NAME",
        help="the environment variable with the key; default: %(default)s",
    )
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--max-tokens", type=int, default=Endpoint.max_tokens, help="of a reply")
    parser.add_argument("--timeout", type=float, default=Endpoint.timeout, help="seconds")
    parser.add_argument("--in-flight", type=int, default=64, help="requests at a time")
    parser.add_argument("--limit", type=int, help="only the first so many texts")
    parser.add_argument("--retry-failed", action="store_true", help="ask again for those")
    parser.add_argument(
        "--max-cost",
        type=_amount,
        metavar="AMOUNT",
        help="of the output file in all, earlier runs included; in the currency of the price",
    )
    parser.add_argument("--prices", type=Path, metavar="FILE", help="a YAML file of your own")
    parser.add_argument(
        "--batch",
        choices=("submit", "collect"),
        help="through the provider's batches: cheaper, within a day",
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument("--dry-run", action="store_true", help="tell the texts and the cost only")
    instead.add_argument("--report", action="store_true", help="tell what the output file holds")


def _amount(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except ArithmeticError:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise argparse.ArgumentTypeError(f"expected an amount above 0, as in 2.50, got {text!r}")
    return amount


def carry_out_annotation(options: argparse.Namespace) -> int:
    """The command; returns the exit status, 1 when texts failed or were left."""
    prices = Prices.load(options.prices)
    if options.report:
        if not options.out.exists():
            raise FileNotFoundError(f"{options.out}: no such file, nothing was annotated yet")
        return _report(Journal(options.out), prices)
    job = _job(options, prices)
    print(job)
    for broken in job.texts.broken[:BROKEN_SHOWN]:
        print(f"left out: {broken}", file=sys.stderr)
    if len(job.texts.broken) > BROKEN_SHOWN:
        more = len(job.texts.broken) - BROKEN_SHOWN
        print(f"left out: {more} more broken lines", file=sys.stderr)
    if options.dry_run:
        print(job.estimate())
        print("nothing was sent")
        return 0
    try:
        if options.batch == "submit":
            return _submit(job, options)
        if options.batch == "collect":
            return _collect(job, options)
        return _annotate(job, options)
    except RequestFailed as failure:
        raise RuntimeError(f"{job.endpoint.base_url}: {failure}") from failure


def _job(options: argparse.Namespace, prices: Prices) -> Job:
    for name in ("file", "task", "model"):
        if getattr(options, name) is None:
            flag = "IN.jsonl, the texts to annotate" if name == "file" else f"--{name}"
            raise ValueError(f"expected {flag} (only --report goes without), got none")
    texts = read_texts(options.file)
    if options.limit is not None and options.batch != "collect":
        if options.limit < 1:
            raise ValueError(f"expected a --limit of at least one text, got {options.limit}")
        texts = texts.first(options.limit)
    if options.out.resolve() == options.file.resolve():
        raise ValueError(f"expected an --out other than the texts themselves, got {options.out}")
    endpoint = Endpoint(
        options.model,
        options.base_url,
        options.api_key_variable,
        temperature=options.temperature,
        max_tokens=options.max_tokens,
        timeout=options.timeout,
    )
    return Job(
        texts,
        _instructions(options.task),
        endpoint,
        Journal(options.out),
        BatchState(options.out),
        prices,
        retry_failed=options.retry_failed,
        batch=options.batch == "submit",
        max_cost=options.max_cost,
    )


def _instructions(task: str) -> Instructions:
    if task in INSTRUCTIONS:
        return INSTRUCTIONS[task]
    if not task.endswith((".yaml", ".yml")):
        raise ValueError(
            f"expected a --task among {', '.join(INSTRUCTIONS)}, or a YAML file that describes "
            f"your own, got {task!r}"
        )
    return read_instructions(task)


class _Failures:
    """Tells of failed texts as they come, the first few of them."""

    def __init__(self) -> None:
        self.told = 0

    def __call__(self, news: str) -> None:
        from tqdm import tqdm

        self.told += 1
        if self.told <= FAILURES_SHOWN:
            tqdm.write(news, file=sys.stderr)
        elif self.told == FAILURES_SHOWN + 1:
            tqdm.write("further failures stand in the file only", file=sys.stderr)


def _annotate(job: Job, options: argparse.Namespace) -> int:
    """Ask text by text."""
    if waiting := len(job.on_the_way):
        print(f"{waiting} texts are in batches and left to --batch collect")
    try:
        result = annotate(
            job.texts_not_on_the_way,
            job.instructions,
            job.endpoint,
            job.journal,
            in_flight=options.in_flight,
            budget=job.budget(),
            retry_failed=job.retry_failed,
            say=_Failures(),
        )
    except AnnotationStopped as stopped:
        if stopped.result.annotated:
            _report(job.journal, job.prices)
        raise
    print(result)
    if result.requests:
        print(f"the endpoint answers {MODES[result.mode]}")
    return max(_report(job.journal, job.prices), FAILED if result.left else 0)


def _submit(job: Job, options: argparse.Namespace) -> int:
    """Send the texts as batches. The first is asked directly: it tells in which manner the endpoint
    takes requests, and that key and model are right, before a file full of them is sent."""
    manner, result = Manner(), None
    if first := [one.key for one in job.todo[:1]]:
        result = annotate(
            [one.text for one in job.asked if (one.copy_of or one.key) in first],
            job.instructions,
            job.endpoint,
            job.journal,
            budget=replace(job, batch=False).budget(),
            retry_failed=job.retry_failed,
            progress=False,
            say=_Failures(),
        )
        manner = result.manner
        if result.stopped:
            raise RuntimeError(f"no batch was made: {result.stopped}")
        print(f"the first text was asked directly; the endpoint answers {MODES[manner.mode]}")
    made = submit(
        [
            (one.key, job.instructions.messages(one.text.example, plain=manner.plain))
            for one in job.todo
            if one.key not in first
        ],
        job.endpoint,
        job.state,
        manner=manner,
        budget=job.budget(),
    )
    for batch in made.batches:
        print(f"batch {batch.id}: {len(batch.keys)} texts, {batch.status}")
    if not made.batches:
        print("no batch was made: there is nothing to ask for")
    if made.left:
        print(f"{made.left} texts are left: they could have cost more than --max-cost allows")
    if job.state.open:
        print("next, within a day: the same command with --batch collect")
    failed = bool(result and result.failed)
    return FAILED if made.left or failed else 0


def _collect(job: Job, options: argparse.Namespace) -> int:
    """Fetch what has ended."""
    if not job.state.open:
        print("no batch is on its way")
        return 0
    found = collect(
        job.texts.items,
        job.instructions,
        job.endpoint,
        job.journal,
        job.state,
        in_flight=options.in_flight,
        budget=job.budget(),
        say=_Failures(),
    )
    for remark in found.remarks:
        print(remark, file=sys.stderr)
    for batch in job.state.batches.values():
        if batch.name in found.results:
            print(f"batch {batch.id}: {batch.status}, collected")
        elif batch.name in found.running:
            print(f"batch {batch.id or batch.name}: {found.running[batch.name]}")
    if found.running:
        print("next: the same command again, until all batches have ended")
    return _report(job.journal, job.prices) if found.results else 0


# --- what an output file holds --------------------------------------------------------------------


def _report(journal: Journal, prices: Prices) -> int:
    """Tell what the file holds; the exit status."""
    annotated, failed = journal.answered.values(), journal.failed.values()
    print(f"{journal.path}: {len(annotated)} annotated, {len(failed)} failed")
    for reason, n in Counter(line.get("reason") for line in failed).most_common():
        print(f"  {n:7d}  {reason}")
    checked = [*annotated, *(line for line in failed if line.get("faults"))]
    if checked:
        print(CheckReport.of(Checked.from_record(line) for line in checked))
    print(Spending.of(paid_lines(journal.path), prices))
    if failed:
        print("the same command with --retry-failed asks for the failed ones again")
    if annotated:
        print(f"next: {_next_step(journal.path)}")
    return FAILED if failed else 0


def _next_step(path: Path) -> str:
    """How to train on a file."""
    train = f"cat-tune train --data {path.parent} --model MODEL --output_dir FOLDER"
    if path.match("train*.jsonl"):
        return train
    return f"name the file train.jsonl, then {train}"
