"""A table as files: CSV and JSON with unrounded numbers, Markdown and LaTeX as people read it."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path

from catviz.files import write_atomically
from catviz.report import Cell, Table
from catviz.results.part import Tabled

__all__ = ["latex", "markdown", "save_table"]


def save_table(tabled: Tabled, folder: str | Path, name: str) -> None:
    """Write ``folder/name`` as .csv, .json, .md and .tex."""
    folder = Path(folder)
    columns = list(dict.fromkeys(key for record in tabled.records for key in record))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(tabled.records)
    write_atomically(folder / f"{name}.csv", buffer.getvalue())
    records = [dict(record) for record in tabled.records]
    write_atomically(
        folder / f"{name}.json",
        json.dumps(records, indent=1, ensure_ascii=False, allow_nan=False) + "\n",
    )
    write_atomically(folder / f"{name}.md", markdown(tabled.table))
    write_atomically(folder / f"{name}.tex", latex(tabled.table))


def markdown(table: Table) -> str:
    """The table with its caption; headings of groups are rows in bold.

    >>> rows = [["plain", Cell("75.00", "74 to 76")]]
    >>> print(markdown(Table("Two.", ("", "OOD"), {"Ours": rows})))
    Two.
    <BLANKLINE>
    |  | OOD |
    |:--|--:|
    | **Ours** |  |
    | plain | 75.00 (74 to 76) |
    <BLANKLINE>
    """
    lines = [table.caption, "", _pipes(table.header), "|:--|" + "--:|" * (len(table.header) - 1)]
    for heading, rows in table.groups.items():
        if heading:
            lines.append(_pipes([f"**{heading}**", *[""] * (len(table.header) - 1)]))
        lines += [_pipes([_flat(cell) for cell in row]) for row in rows]
    return "\n".join([*lines, ""])


def latex(table: Table) -> str:
    """A tabular with the rules of the package booktabs.

    >>> print(latex(Table("Two.", ("", "OOD"), {"": [["a & b", "75%"]]})))
    % Two.
    \\begin{tabular}{lr}
    \\toprule
     & OOD \\\\
    \\midrule
    a \\& b & 75\\% \\\\
    \\bottomrule
    \\end{tabular}
    <BLANKLINE>
    """
    columns = len(table.header)
    lines = [
        f"% {' '.join(table.caption.split())}",
        f"\\begin{{tabular}}{{l{'r' * (columns - 1)}}}",
        "\\toprule",
        _ampersands(table.header),
    ]
    for heading, rows in table.groups.items():
        lines.append("\\midrule")
        if heading:
            lines.append(f"\\multicolumn{{{columns}}}{{l}}{{{_tex(heading)}}} \\\\")
        lines += [_ampersands([_flat(cell) for cell in row]) for row in rows]
    return "\n".join([*lines, "\\bottomrule", "\\end{tabular}", ""])


def _flat(cell: str | Cell) -> str:
    if isinstance(cell, str):
        return cell
    return f"{cell.text} ({cell.note})" if cell.note else cell.text


def _pipes(cells: Sequence[str]) -> str:
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def _ampersands(cells: Sequence[str]) -> str:
    return " & ".join(_tex(str(cell)) for cell in cells) + " \\\\"


_TEX = str.maketrans(
    {char: f"\\{char}" for char in "&%$#_{}"}
    | {"~": "\\textasciitilde{}", "^": "\\textasciicircum{}", "\\": "\\textbackslash{}"}
    | {"\N{EN DASH}": "--"}
)


def _tex(text: str) -> str:
    return text.translate(_TEX)
