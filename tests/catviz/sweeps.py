"""Folders of runs as ``cat-tune train`` leaves them, made of the shipped ones."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from cat.models import CHECKPOINTS


def copied_run(folder: Path, name: str, *, of: str = "alpha-3", **changes: Any) -> Path:
    """A run of the shipped sweep under another name; ``changes`` as "settings__seed=43"."""
    run = folder / name
    shutil.copytree(CHECKPOINTS / of, run)
    found = json.loads((run / "result.json").read_text("utf-8"))
    for place, value in changes.items():
        section, _, key = place.partition("__")
        if key:
            found[section][key] = value
        else:
            found[section] = value
    (run / "result.json").write_text(json.dumps(found), encoding="utf-8")
    return run


def small_sweep(folder: Path) -> Path:
    """Plain training and alpha 10."""
    copied_run(folder, "plain", of="plain")
    copied_run(folder, "alpha-10", of="alpha-10")
    return folder
