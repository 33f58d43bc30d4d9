"""The journal of an annotation: every answer that was paid for, and every failure, one a line.

It is the output as well: :func:`cat.signals.read_examples` reads the annotated lines. And it is the
cache: a text whose key it holds is not asked for again.

>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     journal = Journal(f"{folder}/out.jsonl")
...     journal.append({"key": "a", "status": "failed", "reason": "timeout"})
...     journal.append({"key": "a", "status": "annotated", "important": []})
...     again = Journal(journal.path)
...     list(again.answered), list(again.failed)
(['a'], [])
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from cat.appending import append_whole, lock

__all__ = ["Journal"]

Line = dict[str, Any]
SYNC_SECONDS = 1.0


class Journal:
    """An append-only file of JSON lines, each with a "key" and a "status".

    A killed process loses nothing that was appended; a power cut may lose the last second (what
    waits for the disk at every line would wait for it with all requests in flight).

    Args:
        path: made with the first line. A last line that was cut off counts as not there.

    Raises:
        ValueError: it holds something else, or a line is damaged; which one.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.answered: dict[str, Line] = {}
        self.failed: dict[str, Line] = {}
        self._file: BinaryIO | None = None
        self._synced = 0.0
        if self.path.exists():
            with self.path.open("rb") as file:
                self._read(file)

    @contextmanager
    def held(self) -> Iterator[Journal]:
        """Within: nobody else appends to it, and what others appended before is known.

        Raises:
            BlockingIOError: another process holds it.
            OSError: it cannot be written.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b", buffering=0) as file:
            try:
                lock(file, wait=False)
            except BlockingIOError:
                raise BlockingIOError(
                    f"{self.path}: another process is writing to it: wait until it has ended, or "
                    "choose another file"
                ) from None
            whole = self._read(file)
            if whole < file.seek(0, os.SEEK_END):  # a write that was killed half-way
                file.truncate(whole)
            self._file, self._synced = file, time.monotonic()
            try:
                yield self
            finally:
                self._file = None
                os.fsync(file.fileno())

    def append(self, line: Mapping[str, Any]) -> None:
        """Keep a line; where the process is killed after this, it is there.

        Raises:
            OSError: it could not be written whole; what was there before is as it was.
        """
        if self._file is None:
            with self.held():
                return self.append(line)
        text = json.dumps(line, ensure_ascii=False, allow_nan=False) + "\n"
        now = time.monotonic()
        sync = now - self._synced >= SYNC_SECONDS
        try:
            append_whole(self._file, text.encode("utf-8", "backslashreplace"), sync=sync)
        except OSError as error:
            raise OSError(
                error.errno,
                f"the answer for line {line.get('line')} could not be written to {self.path} "
                f"({error.strerror}); all answers before it are kept. Free space there and start "
                "the same again: only what is missing is asked for",
            ) from error
        self._synced = now if sync else self._synced
        self._note(dict(line))
        return None

    def _note(self, line: Line) -> None:
        """An answer is not undone by a later failure."""
        key = line["key"]
        if line["status"] == "annotated":
            self.answered[key] = line
            self.failed.pop(key, None)
        elif key not in self.answered:
            self.failed[key] = line

    def _read(self, file: BinaryIO) -> int:
        """Note all lines of the file; the bytes of the whole ones among them."""
        self.answered, self.failed = {}, {}
        file.seek(0)
        whole = 0
        lines = file.read().split(b"\n")
        for number, raw in enumerate(lines, start=1):
            ended = number < len(lines)
            if raw.strip():
                try:
                    self._note(_parsed(raw))
                except ValueError as error:
                    if not ended and _may_become_a_line(raw):
                        break  # cut off
                    raise ValueError(
                        f"{self.path}:{number}: expected a line of annotations (a key, and the "
                        f"status annotated or failed), got {error}: choose another file for the "
                        "output, or mend or remove this line"
                    ) from None
            whole += len(raw) + ended
        return whole


def _may_become_a_line(raw: bytes) -> bool:
    """Whether it can be the beginning of a line of ours: nothing else is ever cut away."""
    beginning = b'{"key": "'
    return raw.startswith(beginning) or beginning.startswith(raw)


def _parsed(raw: bytes) -> Line:
    try:
        line = json.loads(raw.decode("utf-8"))
    except ValueError:
        raise ValueError("a damaged one") from None
    if not isinstance(line, dict):
        raise ValueError(f"{type(line).__name__}")
    if not isinstance(line.get("key"), str) or line.get("status") not in ("annotated", "failed"):
        raise ValueError(f"an object with {sorted(line)}")
    return line
