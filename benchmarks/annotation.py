"""What the client costs when an assistant annotates, and how near it comes to the server's limit.

    python -m benchmarks.annotation                       # 2048 texts, 64 in flight, answers in 3 s
    python -m benchmarks.annotation --texts 128 --delay 1

A local server that answers each request after a fixed delay, in a process of its own. Its limit is
texts / in flight x delay; a bare loop over the openai client and the annotation take turns, so that
a busy machine meets both. CPU time is that of this process, all threads, and is told by parts:

- bare: the openai client alone, as its documentation uses it (typed responses);
- connection: a request as the annotation sends it (raw response, a connection of its own);
- own: the annotation without any request, each answered at once from memory;
- annotation: all of it. It holds the journal's writing too.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from tqdm import tqdm

from cat.annotate import INSTRUCTIONS, Endpoint, Journal, annotate, as_texts
from cat.annotate.asking.endpoint import Connection, Manner, Messages
from cat.annotate.asking.replies import Reply, read_completion
from cat.annotate.texts import Text
from cat.provenance import provenance
from tests.cat.annotate.problems import problems
from tests.cat.annotate.server import answer, completion, text_of

ROOT = Path(__file__).parents[1]
MAWPS = INSTRUCTIONS["mawps"]
Cost = dict[str, float]


@contextmanager
def served(delay: float) -> Iterator[Endpoint]:
    """A server in a process of its own, so that its CPU time is not ours."""
    command = [sys.executable, "-m", "tests.cat.annotate.server", "--delay", str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        try:
            yield Endpoint("m", process.stdout.readline().strip())
        finally:
            process.kill()


def costs(texts: int, work: Callable[[], Any]) -> Cost:
    """Seconds, and milliseconds of CPU time a text."""
    seconds, cpu = time.perf_counter(), time.process_time()
    work()
    return {
        "seconds": time.perf_counter() - seconds,
        "cpu_ms_a_text": (time.process_time() - cpu) / texts * 1e3,
    }


def in_flight(
    n: int, texts: Sequence[Text], ask: Callable[[Messages], Awaitable[Any]]
) -> Awaitable[Any]:
    """All texts asked for, so many at a time."""
    share = iter(texts)

    async def work() -> None:
        for text in share:
            await ask(MAWPS.messages(text.example))

    return asyncio.gather(*(work() for _ in range(n)))


def bare(endpoint: Endpoint, texts: Sequence[Text], n: int) -> None:
    async def main() -> None:
        from openai import AsyncOpenAI

        async with AsyncOpenAI(api_key="none", base_url=endpoint.base_url) as client:
            create: Any = client.chat.completions.create
            await in_flight(n, texts, lambda asked: create(**endpoint.body(asked)))

    asyncio.run(main())


def connection(endpoint: Endpoint, texts: Sequence[Text], n: int) -> None:
    async def main() -> None:
        async with endpoint.connect() as opened:
            await in_flight(n, texts, lambda asked: opened.ask(asked, Manner()))

    asyncio.run(main())


def annotation(endpoint: Endpoint, texts: Sequence[Text], n: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        journal = Journal(Path(folder) / "out.jsonl")
        result = annotate(texts, MAWPS, endpoint, journal, in_flight=n, progress=False)
    if result.annotated != len(texts):
        raise RuntimeError(f"expected all texts to be annotated, got {result}")


def own(endpoint: Endpoint, texts: Sequence[Text], n: int) -> None:
    async def at_once(self: Connection, messages: Any, manner: Manner) -> Reply:
        await asyncio.sleep(0)
        return read_completion(completion(answer(text_of(messages))))

    with patch.object(Connection, "ask", at_once):
        annotation(endpoint, texts, n)


def measure(options: argparse.Namespace) -> dict[str, Any]:
    kinds = (bare, connection, own, annotation)
    found: dict[str, list[Cost]] = {kind.__name__: [] for kind in kinds}
    texts = as_texts(problems(options.texts)).items
    with served(options.delay) as endpoint, tqdm(total=options.turns * len(kinds)) as bar:
        for kind in kinds:  # imports, the first connections
            kind(endpoint, texts[:4], 4)
        for _ in range(options.turns):
            for kind in kinds:
                cost = costs(len(texts), lambda k=kind: k(endpoint, texts, options.in_flight))
                found[kind.__name__].append(cost)
                bar.update()
    median = {
        kind: {name: statistics.median(cost[name] for cost in costs) for name in costs[0]}
        for kind, costs in found.items()
    }
    limit = -(-options.texts // options.in_flight) * options.delay
    return {
        **provenance(),
        "command": f"python -m benchmarks.annotation {' '.join(sys.argv[1:])}".strip(),
        "settings": {name: value for name, value in vars(options).items() if name != "out"},
        "load": os.getloadavg()[0],
        "limit_seconds": limit,
        "median": median,
        "throughput_over_the_limit": limit / median["annotation"]["seconds"],
        "throughput_over_the_bare_client": statistics.median(
            one["seconds"] / other["seconds"]
            for one, other in zip(found["bare"], found["annotation"], strict=True)
        ),
        "turns": found,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--texts", type=int, default=2048)
    parser.add_argument("--in-flight", type=int, default=64)
    parser.add_argument("--delay", type=float, default=3.0, help="seconds that an answer takes")
    parser.add_argument("--turns", type=int, default=1)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    found = measure(options)
    for kind, cost in found["median"].items():
        print(f"{kind}: {cost['cpu_ms_a_text']:.2f} ms CPU a text, {cost['seconds']:.1f} s")
    print(
        f"limit {found['limit_seconds']:.1f} s; throughput "
        f"{found['throughput_over_the_limit']:.3f} of the limit, "
        f"{found['throughput_over_the_bare_client']:.3f} of the bare client's"
    )
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
