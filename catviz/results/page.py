"""All tables and figures of a store: a page, and a file each.

    catviz figures --results results --out outputs/figures

Nothing is computed but from result lines, and nothing typed but the paper's own numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from cat.experiments import RESULTS_VERSION
from catviz.figures.figure import save_all
from catviz.report import Section, write_report
from catviz.results.active_rows import active_rows
from catviz.results.alphas import over_alpha
from catviz.results.attention import densities, maps
from catviz.results.downstream import downstream
from catviz.results.files import save_table
from catviz.results.methods import all_methods
from catviz.results.options import ablation, gammas
from catviz.results.part import Part, origin, runs_label
from catviz.results.reading import Results, read_results
from catviz.results.shift import shift
from catviz.results.sink import sink
from catviz.results.table1 import table1
from catviz.results.varied import over_size, over_strength

__all__ = ["PARTS", "write_results"]

PARTS: tuple[Callable[[Results], Part], ...] = (
    table1,
    all_methods,
    over_alpha,
    active_rows,
    densities,
    maps,
    gammas,
    ablation,
    over_size,
    over_strength,
    sink,
    shift,
    downstream,
)


def write_results(
    folder: str | Path,
    out: str | Path,
    *,
    formats: Sequence[str] = ("svg",),
    say: Callable[[str], None] = print,
) -> Path:
    """Write ``out/index.html``, ``out/figures`` and ``out/tables``; returns the page's path.

    Args:
        folder: of result lines; an empty one gives a page that says how to fill it.
        formats: of the figures' own files, of svg, pdf and png; their numbers are saved as CSV.
    """
    if unknown := sorted(set(formats) - {"svg", "pdf", "png"}):
        raise ValueError(f"expected formats of svg, pdf and png, got {unknown[0]!r}")
    out = Path(out)
    results = read_results(folder)
    say(f"{runs_label(len(results) + len(results.on_tasks))} in {folder}")
    for sentence in results.left_out:
        say(f"  {sentence}")
    parts = [make(results) for make in PARTS]
    say(f"drawing {sum(len(part.figures) for part in parts)} figures, some seconds each")
    for part in parts:
        for name, tabled in part.tables.items():
            save_table(tabled, out / "tables", name)
        save_all(part.figures, out / "figures", suffixes=(*formats, "csv"))
        if part.missing:
            say(f"{part.title}: {part.missing}")
    page = write_report(
        out / "index.html",
        title="Does Causal Attention Tuning work?",
        lead=_lead(results),
        sections=[*map(_section, parts), _left_out(results.left_out)],
        settings={
            "result lines of version": RESULTS_VERSION,
            "runs": {setting: _count(results, setting) for setting in results.settings},
            **({"runs on downstream tasks": len(results.on_tasks)} if results.on_tasks else {}),
        },
    )
    say(f"page: {page}")
    return page


def _lead(results: Results) -> str:
    return (
        "Models tuned on the Spurious Token Game: plainly, with CAT, and with rivals that know "
        f"as much. Everything here was made from result lines. {origin(results)}"
    )


def _section(part: Part) -> Section:
    return Section(
        part.title,
        "\n\n".join(filter(None, [part.text, part.missing])),
        list(part.figures.values()),
        fragment="\n".join(tabled.table.html() for tabled in part.tables.values()),
    )


def _left_out(sentences: Sequence[str]) -> Section:
    return Section(
        "What was left out", "\n\n".join(sentences) or "Nothing: every line could be used."
    )


def _count(results: Results, setting: str) -> int:
    return sum(result.setting == setting for result in results)
