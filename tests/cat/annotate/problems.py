"""Small texts to annotate, each with words of its own, and short ways to annotate them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cat.annotate import INSTRUCTIONS, AnnotationResult, Endpoint, Journal, Patience, annotate
from cat.annotate.texts import as_texts
from tests.cat.annotate.server import AssistantServer

MAWPS = INSTRUCTIONS["mawps"]
SOON = Patience(first_wait=0.01, longest_wait=0.05)


def problems(n: int) -> list[dict[str, Any]]:
    """No two have the same first two words, which is what the server names as the cause."""
    return [
        {
            "input": f"Box {i} holds {i % 37 + 5} figs and 3 are eaten. How many are left? Answer:",
            "target": str(i % 37 + 2),
        }
        for i in range(n)
    ]


def cause_of(record: dict[str, Any]) -> str:
    return " ".join(record["input"].split()[:2])


def run(
    server: AssistantServer, path: Path, records: list[dict[str, Any]], **options: Any
) -> AnnotationResult:
    endpoint = Endpoint("m", server.base_url, timeout=options.pop("timeout", 20.0))
    options = {"patience": SOON, "progress": False, **options}
    return annotate(as_texts(records).items, MAWPS, endpoint, Journal(path), **options)
