"""Result lines for the tests: as experiments write them, their scores chosen by the test."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from cat.experiments import RESULTS_VERSION, Run
from cat.experiments.store import ResultStore
from catviz.results.reading import Result, Results, read_results

REFERENCES = {
    "test_iid": {"always Low Risk": 0.6875, "table of the causal triples seen": 0.8125},
    "test_ood": {"always Low Risk": 0.665, "table of the causal triples seen": 0.7725},
}


def line(
    method: str = "plain",
    options: Mapping[str, Any] | None = None,
    *,
    iid: float = 0.9,
    ood: float = 0.75,
    error: float | None = None,
    measures: Mapping[str, Any] | None = None,
    texts: str = "a digest",
    **run: Any,
) -> dict[str, Any]:
    """A line as :func:`cat.experiments.carry_out` returns it."""
    asked = Run(**{"model": "tiny", "data": "STG_S", **run}, method=method, options=options or {})
    scores = {
        name: {"texts": 400, "accuracy": share, "interval": [share - 0.03, share + 0.02]}
        | ({} if error is None else {"mean_absolute_error": error})
        for name, share in (("test_iid", iid), ("test_ood", ood))
    }
    return {
        "key": asked.key,
        "version": RESULTS_VERSION,
        "run": asdict(asked),
        "scores": scores,
        "references": REFERENCES,
        "data": {"test_ood": texts},
        "measures": dict(measures or {}),
        "date": "2026-10-03T10:00:00+00:00",
        "code": "abc123",
        "machine": "a machine",
    }


def cat(alpha: float = 10.0, **fields: Any) -> dict[str, Any]:
    options = {"alpha": alpha, **fields.pop("options", {})}
    return line("cat", options, **fields)


def measures(ratio: float, flips: float) -> dict[str, Any]:
    return {
        "attention": {"test_ood": {"ratio_median": ratio}},
        "effects": {"test_ood": {"spurious_flips": flips, "spurious_nats": 4 * flips}},
    }


def kept(causal: float) -> dict[str, Any]:
    """Words and a map, as the first seed keeps them."""
    rest = (1 - causal) / 2
    return {
        "words": {"causal": [causal, causal / 2, None], "spurious": [0.1, 0.2]},
        "map": {
            "text": 0,
            "tokens": ["Smo", "king: 8", "Answer:", " Low Risk"],
            "roles": ["causal", "causal", "other", "other"],
            "names": ["Smoking", "Smoking", "", ""],
            "answer_row": 2,
            "rows": [[1.0], [0.5, 0.5], [causal, rest, rest], [0.25, 0.25, 0.25, 0.25]],
        },
    }


def store(folder: Path, lines: Sequence[Mapping[str, Any]]) -> Results:
    """Write the lines and read them back."""
    kept_in = ResultStore(folder)
    for one in lines:
        kept_in.append(one)
    return read_results(folder)


def results(*lines: Mapping[str, Any]) -> Results:
    """The same without a disk."""
    return Results([Result(Run(**one["run"]), one) for one in lines])
