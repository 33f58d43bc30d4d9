"""Results as JSON lines: one file a model in a folder, one line a run, never rewritten.

>>> from tempfile import TemporaryDirectory
>>> run = Run("tiny", "STG_S")
>>> line = {"key": run.key, "version": RESULTS_VERSION, "run": vars(run), "scores": {}}
>>> with TemporaryDirectory() as folder:
...     store = ResultStore(folder)
...     store.append(line)
...     lines, report = store.read()
>>> list(lines), str(report)
(['tiny STG_S plain seed=0'], '1 run')
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cat.appending import append_to, read_under_lock
from cat.experiments.run import RESULTS_VERSION, Run

__all__ = ["Duplicate", "ResultStore", "StoreReport", "Unreadable"]

Line = dict[str, Any]

NEEDED = ("key", "version", "run", "scores")
FIELDS = {
    *NEEDED,
    *("references", "steps", "training", "measures", "seconds", "data", "device"),
    *("date", "code", "versions", "machine"),
}


@dataclass(frozen=True)
class Unreadable:
    """A line that is no result: where it stands, what is wrong with it."""

    where: str
    reason: str

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}; skipped"


@dataclass(frozen=True)
class Duplicate:
    """A second result of one run; the first is kept."""

    where: str
    key: str
    scores_agree: bool

    def __str__(self) -> str:
        verdict = "with the same scores" if self.scores_agree else "and the scores DIFFER"
        return f"{self.where}: a second result of {self.key!r}, {verdict}; the first is kept"


@dataclass(frozen=True)
class StoreReport:
    """What a store holds, and what is wrong with it.

    Attributes:
        runs: results of the version asked for.
        unreadable: lines skipped.
        duplicates: of the version asked for.
        other_versions: RESULTS_VERSION -> lines, those left aside.
        unknown_fields: name -> lines that have it; such lines are kept, the field too.
    """

    runs: int
    unreadable: tuple[Unreadable, ...] = ()
    duplicates: tuple[Duplicate, ...] = ()
    other_versions: Mapping[int, int] | None = None
    unknown_fields: Mapping[str, int] | None = None

    @property
    def remarks(self) -> tuple[str, ...]:
        """One sentence for each thing that a reader of the results should know."""
        others = sorted((self.other_versions or {}).items())
        fields = sorted((self.unknown_fields or {}).items())
        return (
            *map(str, self.unreadable),
            *map(str, self.duplicates),
            *(f"{_count(n, 'result')} of version {v} of the code left aside" for v, n in others),
            *(f"{_count(n, 'line')} with a field unknown here: {f!r}" for f, n in fields),
        )

    def __str__(self) -> str:
        return "\n".join([_count(self.runs, "run"), *self.remarks])


class ResultStore:
    """The results of a folder.

    Several processes may append at once: a line is written whole, under a lock on its file. (Not
    on Windows, which has no such locks.)

    Args:
        folder: made with the first result.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def path(self, model: str) -> Path:
        """The file of a model's results.

        >>> ResultStore("results").path("Qwen/Qwen2.5-1.5B").as_posix()
        'results/Qwen--Qwen2.5-1.5B.jsonl'
        """
        return self.folder / f"{re.sub(r'[^A-Za-z0-9._@-]+', '--', model).strip('-.')}.jsonl"

    def append(self, line: Mapping[str, Any]) -> None:
        """Keep a run's line; it is on the disk when this returns.

        Raises:
            OSError: it could not be written whole; what was there before is as it was.
        """
        text = json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
        path = self.path(line["run"]["model"])
        try:
            append_to(path, text)
        except OSError as error:
            raise OSError(
                error.errno,
                f"the result of {line['key']!r} could not be written to {path} "
                f"({error.strerror}): it alone is lost, all results before it are kept. Free "
                "space there, or choose another folder, and start again: only what is missing runs",
            ) from error

    def read(self, *, version: int = RESULTS_VERSION) -> tuple[dict[str, Line], StoreReport]:
        """The results of one version of the code, by key, and what is wrong with the files."""
        lines: dict[str, Line] = {}
        unreadable, duplicates = [], []
        versions: Counter[int] = Counter()
        unknown: Counter[str] = Counter()
        for where, raw in self._raw_lines():
            try:
                line = _parsed(raw)
            except ValueError as error:
                unreadable.append(Unreadable(where, str(error)))
                continue
            if line["version"] != version:
                versions[line["version"]] += 1
            elif (first := lines.setdefault(line["key"], line)) is not line:
                agree = first["scores"] == line["scores"]
                duplicates.append(Duplicate(where, line["key"], agree))
            else:
                unknown.update(set(line) - FIELDS)
        report = StoreReport(len(lines), tuple(unreadable), tuple(duplicates), versions, unknown)
        return lines, report

    def lines(self, *, version: int = RESULTS_VERSION) -> list[Line]:
        """The results of one version of the code; what is wrong with the files tells :meth:`read`.

        >>> ResultStore("no such folder").lines()
        []
        """
        return list(self.read(version=version)[0].values())

    def _raw_lines(self) -> Iterator[tuple[str, bytes]]:
        """(file:line, its bytes), empty lines left out."""
        for path in sorted(self.folder.glob("*.jsonl")):
            for number, raw in enumerate(read_under_lock(path).split(b"\n"), start=1):
                if raw.strip():
                    yield f"{path.name}:{number}", raw


def _parsed(raw: bytes) -> Line:
    """The result of a line.

    Raises:
        ValueError: it is none, and why.
    """
    try:
        line = json.loads(raw.decode("utf-8"))
    except ValueError as error:  # of the decoding, too
        raise ValueError("expected one JSON object, the line is cut off or damaged") from error
    if not isinstance(line, dict):
        raise ValueError(f"expected one JSON object, got {type(line).__name__}")
    if missing := [name for name in NEEDED if name not in line]:
        raise ValueError(f"expected the fields {', '.join(NEEDED)}, there is no {missing[0]!r}")
    if line["version"] == RESULTS_VERSION:
        try:
            key = Run(**line["run"]).key
        except (TypeError, AttributeError, ValueError) as error:
            raise ValueError(f"its run cannot be read ({error})") from error
        if key != line["key"]:
            raise ValueError(f"its key {line['key']!r} is not that of its run, {key!r}")
    return line


def _count(n: int, what: str) -> str:
    return f"{n} {what}{'s' * (n != 1)}"
