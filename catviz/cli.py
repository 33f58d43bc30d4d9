"""``catviz``: demo."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from cat.console import report_errors

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """The ``catviz`` command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="catviz", description="See where a language model looks.")
    commands = parser.add_subparsers(required=True, metavar="demo")
    show = commands.add_parser("demo", help="tune plainly and with CAT, compare, write a page")
    show.add_argument("--model", default="tiny", help="tiny (minutes) or smollm2 (hours)")
    show.add_argument("--out", type=Path, default=Path("outputs/demo"))
    show.set_defaults(command=_demo)
    options = parser.parse_args(argv)
    return report_errors(lambda: options.command(options))


def _demo(options: argparse.Namespace) -> int:
    from catviz.demo import demo

    demo(options.model, options.out)
    return 0
