"""``cat-tune sweep``: what its options mean, and what it says."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from cat.experiments.run import Run
from cat.experiments.store import ResultStore
from cat.experiments.sweeping import pending, sweep
from cat.experiments.sweeps import declare
from cat.experiments.workers import leave_what_is_loaded
from cat.tasks.files import TASKS_VARIABLE

__all__ = ["carry_out_sweep", "parse_seeds", "parse_setting"]

FAILED = 1


def carry_out_sweep(options: argparse.Namespace) -> int:
    """The command; returns the exit status, 1 when a run failed."""
    from tqdm import tqdm

    from cat.console import quiet_libraries
    from cat.models import load_tokenizer, place
    from cat.train import check_writable

    quiet_libraries()
    if options.tasks is not None:
        os.environ[TASKS_VARIABLE] = str(options.tasks.resolve())  # the workers' too
    load_tokenizer(options.model)  # an unknown model is told at once, not by every run
    runs = declare(
        options.name,
        options.model,
        seeds=options.seeds,
        methods=options.methods,
        data=options.data,
        lora=[kind == "lora" for kind in options.tuning] if options.tuning else None,
        dtype=place(dtype=options.dtype).dtype,
        settings=_checked(dict(options.set or [])),
    )
    store = ResultStore(options.results)
    for remark in store.read()[1].remarks:
        print(f"{options.results}: {remark}", file=sys.stderr)
    if options.dry_run:
        return _tell(runs, store, options.workers)
    check_writable(options.results)
    leave_what_is_loaded()
    result = sweep(runs, store, workers=options.workers, say=tqdm.write)
    print(f"{result}; results in {store.path(options.model)}")
    for outcome in result.failed:
        print(f"failed: {outcome.run.key}: {outcome.error}", file=sys.stderr)
    return FAILED if result.failed else 0


def _tell(runs: Sequence[Run], store: ResultStore, workers: int) -> int:
    """What would be run, and how long that would take."""
    from cat.experiments.expected_time import expect

    todo = pending(runs, store)
    missing = {run.key for run in todo}
    cells: dict[str, list[Run]] = {}
    for run in runs:
        cells.setdefault(run.cell, []).append(run)
    width = max(map(len, cells))
    for cell, ones in cells.items():
        seeds = " ".join(f"{run.seed}{'' if run.key in missing else ' (done)'}" for run in ones)
        print(f"{cell:{width}}  seed {seeds}")
    print(f"{len(runs)} runs, {len(runs) - len(todo)} done, {len(todo)} to do")
    if todo:
        print(expect(todo, store.lines()).told(workers))
    return 0


def parse_seeds(text: str) -> list[int]:
    """How many seeds, or which.

    >>> parse_seeds("3"), parse_seeds("4,7"), parse_seeds("4,")
    ([0, 1, 2], [4, 7], [4])
    """
    try:
        numbers = [int(part) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0 or (numbers == [0] and "," not in text):
        raise argparse.ArgumentTypeError(
            f"expected how many seeds, as in 5, or which ones, as in 0,3 or 7, (with a comma), got "
            f"{text!r}"
        )
    return list(dict.fromkeys(numbers)) if "," in text else list(range(numbers[0]))


def parse_setting(text: str) -> tuple[str, Any]:
    """``NAME=VALUE``, the value as JSON where it is.

    >>> parse_setting("num_train_epochs=0.5"), parse_setting("optim=sgd")
    (('num_train_epochs', 0.5), ('optim', 'sgd'))
    """
    name, equals, value = text.partition("=")
    if not (name and equals and value):
        raise argparse.ArgumentTypeError(f"expected NAME=VALUE, got {text!r}")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _checked(settings: dict[str, Any]) -> dict[str, Any]:
    from cat.config import CATConfig

    ours = {"seed", "use_cpu", "output_dir", "alpha", "gamma", "bf16"}
    known = {field.name for field in fields(CATConfig)} - ours
    if unknown := sorted(set(settings) - known):
        raise ValueError(
            f"expected the name of a training setting in --set, one that the runs do not fix "
            f"themselves, got {unknown[0]!r}: cat-tune train --help lists them"
        )
    return settings
