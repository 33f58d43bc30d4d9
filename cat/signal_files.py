"""How well the signals of many files stand in their texts: one line a file.

>>> from tempfile import TemporaryDirectory
>>> from cat.signals import write_records
>>> from cat.stg import stg_e
>>> from cat.tiny import tiny_tokenizer
>>> with TemporaryDirectory() as folder:
...     for name, records in stg_e(n_train=8, n_test=4).items():
...         _ = write_records(f"{folder}/{name}.jsonl", records)
...     rows = [read_row(file, tiny_tokenizer()) for file in files_in([folder])]
>>> print(table(rows[2:4]))
file           texts  empty  pairs  absent  out of order  alignable  lost
train_L.jsonl      8      0     24    0.0%          0.0%         24     0
train_M.jsonl      4      0     12    0.0%          0.0%         12     0
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cat.alignment import AlignmentReport, align_all
from cat.id_search import SEARCHES, Search, lost_by_id_search
from cat.signals import read_examples

__all__ = ["FileRow", "files_in", "legend", "read_row", "table"]

COLUMNS = {
    "file": "the file, from the folder that all have in common",
    "texts": "all of its texts",
    "empty": "those without a pair",
    "pairs": "pairs of a cause and an effect",
    "absent": "share of the pairs of which a phrase does not stand in the text",
    "out of order": "share of the pairs whose cause never ends before the effect begins",
    "alignable": "the other pairs",
    "lost": "alignable pairs without a supervised row: the alignment's failures",
    "by ids": "share of the alignable pairs that are lost when the ids of a phrase, with a space "
    "before it, are searched instead",
    "either way": "the same, where the ids without the space are searched too",
}


@dataclass(frozen=True)
class FileRow:
    """What became of a file's signals.

    Attributes:
        searched: how many of the aligned pairs each id search loses; None where not asked for.
    """

    file: Path
    report: AlignmentReport
    searched: Mapping[Search, int] | None = None

    @property
    def lost(self) -> int:
        """Pairs that stand in the text in order and have no supervised row all the same."""
        return self.report.alignable - self.report.outcomes["aligned"]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        searched = {} if self.searched is None else {"lost_by_id_search": dict(self.searched)}
        return {"file": str(self.file), "lost": self.lost, **searched, **self.report.to_dict()}


def files_in(paths: Iterable[str | Path]) -> list[Path]:
    """The files named, and those of the folders named: every ``.jsonl`` below them, sorted.

    Raises:
        ValueError: a folder without such a file.
    """
    found = []
    for path in map(Path, paths):
        inside = sorted(path.rglob("*.jsonl")) if path.is_dir() else [path]
        if not inside:
            raise ValueError(f"{path}: expected .jsonl files in this folder, got none")
        found += inside
    return list(dict.fromkeys(found))


def read_row(
    file: Path, tokenizer: Any, *, max_length: int | None = None, compare: bool = False
) -> FileRow:
    """Align a file's signals, as :func:`cat.alignment.align_all` does.

    Args:
        compare: also count what a search for token ids would lose; see :mod:`cat.id_search`.
    """
    aligned, report = align_all(read_examples(file), tokenizer, max_length=max_length)
    searched = None
    if compare:
        searched = {search: lost_by_id_search(aligned, tokenizer, search) for search in SEARCHES}
    return FileRow(file, report, searched)


def table(rows: Sequence[FileRow]) -> str:
    """The rows as text, for a terminal."""
    columns = list(_columns(rows))
    files = [row.file.resolve() for row in rows]
    folder = Path(os.path.commonpath([file.parent for file in files]))
    names = [str(file.relative_to(folder)) for file in files]
    cells = [columns, *([name, *_cells(row)] for name, row in zip(names, rows, strict=True))]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        )
        for line in cells
    )


def legend(rows: Sequence[FileRow]) -> str:
    """What the table's columns say, a line each."""
    return "\n".join(f"{name}: {meaning}" for name, meaning in _columns(rows).items())


def _columns(rows: Sequence[FileRow]) -> dict[str, str]:
    compared = rows[0].searched is not None
    return dict(list(COLUMNS.items())[: None if compared else -len(SEARCHES)])


def _cells(row: FileRow) -> list[str]:
    report = row.report
    return [
        str(report.texts),
        str(report.texts_without_signals),
        str(report.pairs),
        _share(report.outcomes["phrase absent"], report.pairs),
        _share(report.outcomes["order broken"], report.pairs),
        str(report.alignable),
        str(row.lost),
        *(_share(lost, report.outcomes["aligned"]) for lost in (row.searched or {}).values()),
    ]


def _share(count: int, of: int) -> str:
    return f"{count / of:.1%}" if of else "-"
