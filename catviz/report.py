"""One self-contained HTML page with figures, tables and the settings they were made with.

The page needs no network and no script, follows the reader's light or dark preference, and prints.

>>> figure = attention_density(scores)  # doctest: +SKIP
>>> write_report(  # doctest: +SKIP
...     "report.html",
...     title="Causal Attention Tuning on STG_E",
...     lead="Does the model look at the causes, and does it help out of distribution?",
...     sections=[Section("Where the model looks", figures=[figure])],
...     settings={"seed": 42, "alpha": 0.3},
... )
PosixPath('report.html')
"""

import math
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from catviz.figures.figure import Figure
from catviz.figures.page import html_page
from catviz.figures.text import escape
from catviz.files import write_atomically

__all__ = ["Cell", "Section", "Table", "accuracy_table", "write_report"]

_SPLITS = ("iid", "ood")


@dataclass(frozen=True)
class Cell:
    """A table cell with a small note under its text, such as an interval."""

    text: str
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Rows of cells under a header; the first column names the row, numbers stand at the right.

    ``groups`` splits the rows into parts, each with a heading; an empty heading is not shown.
    """

    caption: str
    header: Sequence[str]
    groups: Mapping[str, Sequence[Sequence[str | Cell]]]

    def __post_init__(self) -> None:
        for rows in self.groups.values():
            for row in rows:
                if len(row) != len(self.header):
                    raise ValueError(
                        f"table {self.caption!r}: a row of {len(row)} cells under a header of "
                        f"{len(self.header)}: {[_cell(cell).text for cell in row]}"
                    )

    def _repr_html_(self) -> str:
        return self.html()

    def html(self) -> str:
        """Return the table as an HTML fragment that scrolls when the page is too narrow."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.header)
        body = "\n".join(self._group_html(*group) for group in self.groups.items())
        return (
            f'<div class="table"><table>\n<caption>{escape(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n{body}\n</table></div>"
        )

    def _group_html(self, heading: str, rows: Sequence[Sequence[str | Cell]]) -> str:
        lines = []
        if heading:
            lines.append(
                f'<tr><th scope="rowgroup" colspan="{len(self.header)}" class="group" '
                'style="text-align: left">'  # in a notebook, too
                f"{escape(heading)}</th></tr>"
            )
        for first, *rest in rows:
            name = f'<th scope="row">{_cell_html(first)}</th>'
            lines.append(
                f"<tr>{name}{''.join(f'<td>{_cell_html(cell)}</td>' for cell in rest)}</tr>"
            )
        return "<tbody>\n" + "\n".join(lines) + "\n</tbody>"


@dataclass(frozen=True)
class Section:
    """A heading, plain text (an empty line starts a paragraph), figures, and perhaps a table.

    ``fragment`` is HTML that stands after the text as it is: it must come from this package.
    """

    title: str
    text: str = ""
    figures: Sequence[Figure] = ()
    table: Table | None = None
    fragment: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.figures, Figure):
            object.__setattr__(self, "figures", (self.figures,))


def write_report(
    path: str | os.PathLike[str],
    title: str,
    lead: str,
    sections: Sequence[Section],
    settings: Mapping[str, object],
) -> Path:
    """Write the page and return its path; the file appears whole or not at all.

    ``settings`` may hold mappings, which become groups of their own.
    """
    names = _anchors([*(section.title for section in sections), "Settings"])
    contents = "\n".join(
        f'<li><a href="#{name}">{escape(heading)}</a></li>'
        for heading, name in zip([*(s.title for s in sections), "Settings"], names, strict=True)
    )
    parts = [
        f"<header>\n<h1>{escape(title)}</h1>\n{_paragraphs(lead, css='lead')}\n</header>",
        f'<nav aria-label="Contents">\n<ol>\n{contents}\n</ol>\n</nav>',
        *(_section_html(s, name) for s, name in zip(sections, names, strict=False)),
        f'<section id="{names[-1]}">\n<h2>Settings</h2>\n<details>\n'
        "<summary>What this page was made with</summary>\n"
        f"{_settings_html(settings)}\n</details>\n</section>",
    ]
    return write_atomically(path, html_page(title=title, body="\n".join(parts), css=_CSS))


def accuracy_table(
    results: Sequence[Mapping[str, object]],
    *,
    references: Mapping[str, Mapping[str, float]] | None = None,
    caption: str = "Accuracy in percent, with 95% intervals.",
) -> Table:
    """Return a table with IID beside OOD, and rules that learn nothing beneath.

    A result is ``{"model", "split": "iid" | "ood", "accuracy", "low", "high"}`` with shares from 0
    to 1; ``low`` and ``high`` may be absent. References are as in ``accuracy_over_alpha``.

    >>> table = accuracy_table([{"model": "plain", "split": "iid", "accuracy": 0.9525}])
    >>> table.groups[""][0]
    ['plain', Cell(text='95.25', note=''), Cell(text='\N{EN DASH}', note='')]
    """
    by_model: dict[str, dict[str, Cell]] = {}
    for at, record in enumerate(results):
        for key in ("model", "split"):
            if key not in record:
                raise ValueError(f"result {at}: the record has no {key!r}, only {sorted(record)}")
        model, split = str(record["model"]), str(record["split"])
        cells = by_model.setdefault(model, {})
        if split in cells:
            raise ValueError(f"two accuracies of {model!r} for {split.upper()}; average them first")
        cells[split] = _accuracy_cell(record, f"{model}, {split.upper()}")
    groups = {"": by_model}
    if references:
        groups["Rules that learn nothing"] = {
            name: {
                split: _accuracy_cell({"accuracy": value}, f"{name}, {split.upper()}")
                for split, value in by_split.items()
            }
            for name, by_split in references.items()
        }
    for rows in groups.values():
        for name, cells in rows.items():
            if unknown := set(cells) - set(_SPLITS):
                raise ValueError(f"{name}: unknown split {min(unknown)!r}; expected iid or ood")
    absent = Cell("\N{EN DASH}")
    return Table(
        caption=caption,
        header=("", "IID", "OOD"),
        groups={
            heading: [
                [name, *(cells.get(split, absent) for split in _SPLITS)]
                for name, cells in rows.items()
            ]
            for heading, rows in groups.items()
        },
    )


def _accuracy_cell(record: Mapping[str, object], where: str) -> Cell:
    shares = {}
    for key in ("accuracy", "low", "high"):
        value = record.get(key)
        if value is None and key != "accuracy":
            continue
        if not isinstance(value, (int, float)) or not 0 <= value <= 1:
            raise ValueError(f"{where}: expected {key} as a share from 0 to 1, got {value!r}")
        shares[key] = 100 * float(value)
    note = ""
    if "low" in shares and "high" in shares:
        note = f"{shares['low']:.1f} to {shares['high']:.1f}"
    return Cell(f"{shares['accuracy']:.2f}", note)


def _cell(cell: str | Cell) -> Cell:
    return cell if isinstance(cell, Cell) else Cell(str(cell))


def _cell_html(cell: str | Cell) -> str:
    cell = _cell(cell)
    note = f" <small>{escape(cell.note)}</small>" if cell.note else ""
    return escape(cell.text) + note


def _section_html(section: Section, name: str) -> str:
    parts = [f"<h2>{escape(section.title)}</h2>", _paragraphs(section.text)]
    parts.append(section.fragment)
    if section.table is not None:
        parts.append(section.table.html())
    parts += [figure.html() for figure in section.figures]
    return f'<section id="{name}">\n' + "\n".join(filter(None, parts)) + "\n</section>"


def _paragraphs(text: str, *, css: str = "") -> str:
    opening = f'<p class="{css}">' if css else "<p>"
    return "\n".join(
        f"{opening}{escape(' '.join(part.split()))}</p>"
        for part in re.split(r"\n\s*\n", text)
        if part.strip()
    )


def _settings_html(settings: Mapping[str, object]) -> str:
    """Return a definition list; a mapping inside becomes a list inside."""
    if not settings:
        return "<p>None were given.</p>"
    lines = []
    for name, value in settings.items():
        shown = _settings_html(value) if isinstance(value, Mapping) else _setting_html(value)
        lines.append(f"<div><dt>{escape(name)}</dt><dd>{shown}</dd></div>")
    return "<dl>\n" + "\n".join(lines) + "\n</dl>"


def _setting_html(value: object) -> str:
    if isinstance(value, (list, tuple)):
        return ", ".join(map(_setting_html, value))
    if isinstance(value, float) and math.isfinite(value):
        return escape(f"{value:g}")
    return escape(value)


def _anchors(titles: Sequence[str]) -> list[str]:
    """Return one fragment name per title, told apart by a number where they would be equal."""
    names: list[str] = []
    for title in titles:
        base = re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-") or "section"
        name, number = base, 2
        while name in names:
            name, number = f"{base}-{number}", number + 1
        names.append(name)
    return names


_CSS = """\
h1 { font-size: 2rem; line-height: 1.2; letter-spacing: -.01em; margin: 0 0 .75rem; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 0 0 .75rem; }
h1, h2, p, nav, details { max-width: 70ch; }
.lead { font-size: 1.1rem; max-width: 63ch; color: var(--muted); margin: 0 0 .75rem; }
a { color: var(--link); text-underline-offset: .15em; }
nav { margin: 2rem 0 0; padding: .9rem 0; border-block: 1px solid var(--rule); }
nav ol { margin: 0; padding-left: 1.4rem; }
section { margin-top: 3rem; scroll-margin-top: 1rem; }
.table { overflow-x: auto; margin: 1.75rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
caption { text-align: left; padding-bottom: .5rem; color: var(--muted); font-size: .9rem; }
th, td { padding: .35rem 0 .35rem 2rem; text-align: right; vertical-align: baseline; }
th:first-child { padding-left: 0; text-align: left; }
th { font-weight: 500; }
thead th { border-bottom: 1.5px solid var(--ink); font-weight: 600; }
tbody tr { border-bottom: 1px solid var(--rule); }
th.group { padding-top: 1rem; color: var(--muted); font-size: .9rem; }
small { color: var(--muted); font-size: .8rem; display: block; white-space: nowrap; }
summary { cursor: pointer; color: var(--link); }
dl { margin: .75rem 0 0; font-size: .9rem; }
dl div { display: grid; grid-template-columns: minmax(8rem, 14rem) 1fr; gap: 0 1rem; }
dl div { padding: .3rem 0; border-bottom: 1px solid var(--rule); }
dt { color: var(--muted); }
dd { margin: 0; overflow-wrap: anywhere; }
dd dl { margin: 0; }
dd dl div:last-child { border-bottom: 0; }
@media (max-width: 40rem) { main { padding-inline: 1rem; } h1 { font-size: 1.6rem; } }
@media print {
  h2 { break-after: avoid; }
  details::details-content { content-visibility: visible; height: auto; }
}
"""
