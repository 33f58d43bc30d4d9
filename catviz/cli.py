"""``catviz``: demo, report, figures."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cat.console import report_errors

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """The ``catviz`` command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="catviz", description="See where a language model looks.")
    commands = parser.add_subparsers(required=True, metavar="demo|report|figures")
    show = commands.add_parser("demo", help="tune plainly and with CAT, compare, write a page")
    show.add_argument("--model", default="tiny", help="tiny (minutes) or smollm2 (hours)")
    show.add_argument("--out", type=Path, default=Path("outputs/demo"))
    show.set_defaults(command=_demo)
    report = commands.add_parser("report", help="one page about what a model reads in a text")
    report.add_argument("model", help="a name such as tiny/alpha-10 or smollm2, or a path")
    report.add_argument(
        "text", nargs="?", help="the text, or a .txt or .jsonl file; by default the game's"
    )
    report.add_argument("--before", metavar="MODEL", help="compare with this model")
    for role in _MARKED:
        report.add_argument(
            f"--{role}", action="append", default=[], metavar="PHRASE", help=f"a {role} phrase"
        )
    report.add_argument("--out", type=Path, default=Path("outputs/look.html"))
    report.set_defaults(command=_report)
    figures = commands.add_parser("figures", help="tables and figures of what sweeps have left")
    figures.add_argument("--results", type=Path, default=Path("results"), metavar="DIR")
    figures.add_argument("--out", type=Path, default=Path("outputs/figures"), metavar="DIR")
    figures.add_argument(
        "--formats",
        nargs="+",
        default=["svg"],
        choices=("svg", "pdf", "png"),
        help="of the figures",
    )
    figures.set_defaults(command=_figures)
    options = parser.parse_args(argv)
    return report_errors(lambda: options.command(options))


_MARKED = ("causal", "spurious", "irrelevant")


def _demo(options: argparse.Namespace) -> int:
    from catviz.demo import demo

    demo(options.model, options.out)
    return 0


def _report(options: argparse.Namespace) -> int:
    from catviz.look import look

    roles = {role: phrases for role in _MARKED if (phrases := getattr(options, role))}
    look(
        options.model,
        options.text,
        before=options.before,
        roles=roles or None,  # type: ignore[arg-type]
        out=options.out,
    )
    return 0


def _figures(options: argparse.Namespace) -> int:
    from catviz.results.page import write_results

    write_results(options.results, options.out, formats=options.formats)
    return 0
