"""``cat-tune data task``: a task's texts read, split, written, and what its splits share."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

__all__ = ["add_task_parser"]


def add_task_parser(kinds: Any) -> None:
    """Add the command to the kinds of ``cat-tune data``."""
    task = kinds.add_parser(
        "task",
        help="read MAWPS, SVAMP, ASDiv, GSM8K or ARC-E, split it, tell what its splits share",
    )
    task.add_argument("name", help="MAWPS, SVAMP, ASDiv, GSM8K or ARC-E")
    task.add_argument(
        "--source",
        help="a folder, a file, or a hub name as in openai/gsm8k:main; else $CAT_TUNE_TASKS",
    )
    task.add_argument("--out", type=Path, help="folder for train.jsonl, val.jsonl, test.jsonl")
    task.add_argument(
        "--seed", type=int, default=42, help="of the split 6:2:2, where no test split is given"
    )
    task.add_argument(
        "--annotator", default="", help="whose signals: gpt4o for a file train_gpt4o.jsonl"
    )
    task.add_argument(
        "--remove-overlap",
        action="store_true",
        help="leave out training texts whose question is a validation or test question",
    )
    task.set_defaults(command=_read_task)


def _read_task(options: argparse.Namespace) -> int:
    from cat.tasks import load_task, task_references, write_task

    splits = load_task(
        options.name,
        options.source,
        seed=options.seed,
        annotator=options.annotator,
        remove_overlap=options.remove_overlap,
    )
    print(splits)
    print("right answers on the test texts without any model:")
    for rule, scored in task_references(splits.task, splits.train, splits.test).items():
        print(f"  {scored.accuracy:6.1%}  {rule}")
    for path in write_task(splits, options.out) if options.out else ():
        print(path)
    return 0
