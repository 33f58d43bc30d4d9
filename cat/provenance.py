"""Where a result comes from: code revision, library versions, machine, time."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from cat import __version__

__all__ = ["provenance"]

LIBRARIES = ("torch", "transformers", "peft", "tokenizers")


def provenance() -> dict[str, Any]:
    """What every result file says of its origin."""
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "code": _revision(Path(__file__).parent),
        "versions": {
            "python": platform.python_version(),
            **{library: metadata.version(library) for library in LIBRARIES},
        },
        "machine": machine(),
    }


def machine() -> str:
    """The processor, its cores, and the GPU if there is one."""
    import torch

    parts = [f"{_processor()}, {os.cpu_count()} cores"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


@cache  # what runs is what was imported, whatever the files say by now
def _revision(here: Path) -> str:
    """The commit of a checkout, marked where it was changed; else the version."""
    if not (here.parent / ".git").exists():  # installed, perhaps inside another project's checkout
        return __version__
    try:
        found = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return __version__
    return found.stdout.strip()
