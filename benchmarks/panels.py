"""How long a notebook's first panel takes to appear in JupyterLab, and a step of its slider.

    python -m benchmarks.panels --out outputs/panels.json

Each run starts a JupyterLab and a kernel of its own, in a Chromium without a network, and clocks
from "run all" to the drawn charts; then the slider takes its steps while the kernel is busy.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

from cat.provenance import provenance
from tests.browser import chromium
from tests.catviz.widgets.alpha.shown import WAIT, Shown
from tests.jupyter import opened_notebook

CELL = "from catviz import TrainedAlpha\nTrainedAlpha()"
BUSY = "import time; time.sleep(60)"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    first: list[float] = []
    steps: list[float] = []
    with chromium() as browser:
        for _ in range(options.runs):
            with (
                tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder,
                opened_notebook(browser, Path(folder), CELL, BUSY) as notebook,
            ):
                began = time.monotonic()
                notebook.run_all()
                panel = Shown(notebook, "Trained with alpha")
                panel.board.wait_for(timeout=WAIT)
                panel.wait_for("density", "map", "accuracy", "effects")
                first.append(time.monotonic() - began)
                steps += [panel.step() for _ in range(8)]
    found = {
        **provenance(),
        "load_average": os.getloadavg()[0],
        "first_panel_seconds": first,
        "step_milliseconds": {"median": statistics.median(steps), "longest": max(steps)},
    }
    print(json.dumps(found, indent=1))
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
