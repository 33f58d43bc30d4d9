"""Notebooks, run headless from top to bottom as "Run all" does, without a network."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))

LARGEST = {True: 1_000_000, False: 2_000_000}  # bytes when saved, with panels and without
_PANEL = "application/vnd.jupyter.widget-view+json"

# A kernel imports this by itself as it starts. Who asks for the network is written down, as what is
# refused may well be caught.
_NO_NETWORK = """\
import os, socket

def refuse(address):
    with open(os.environ["ASKED"], "a") as asked:
        print(address, file=asked)
    raise OSError("this test has no network")

def connect(self, address, connect=socket.socket.connect):
    if self.family in (socket.AF_INET, socket.AF_INET6) and not address[0].startswith("127."):
        refuse(address)
    return connect(self, address)

def getaddrinfo(host, *args, getaddrinfo=socket.getaddrinfo, **kwargs):
    if host not in (None, "", "localhost", "127.0.0.1"):
        refuse(host)
    return getaddrinfo(host, *args, **kwargs)

socket.socket.connect, socket.getaddrinfo = connect, getaddrinfo
"""


def run_notebook(path: Path, folder: Path, *, small: bool = True, seconds: int = 240) -> Any:
    """The notebook with its outputs, run in ``folder``; nothing was asked of the network.

    Args:
        small: few texts and steps, see :mod:`catviz.small`.
        seconds: how long one cell may take.
    """
    import nbformat
    from nbclient import NotebookClient

    asked = folder / "asked.txt"
    beside = folder / "notebooks"  # where a reader runs it: beside the results
    beside.mkdir()
    (folder / "results").symlink_to(ROOT / "results")
    (beside / "data").symlink_to(FOLDER / "data")
    (folder / "sitecustomize.py").write_text(_NO_NETWORK, encoding="utf-8")
    env = {
        **{name: value for name, value in os.environ.items() if not name.lower().endswith("proxy")},
        "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]),
        "ASKED": str(asked),
        "CATVIZ_SMALL": "1" if small else "0",
        "OMP_NUM_THREADS": "1",
        "IPYTHONDIR": str(folder / "ipython"),
    }
    notebook = nbformat.read(path, as_version=4)
    client = NotebookClient(
        notebook,
        timeout=seconds,
        kernel_name="python3",
        store_widget_state=False,
        resources={"metadata": {"path": str(beside)}},
    )
    client.execute(env=env)
    assert not asked.exists(), f"{path.name} asked the network for {asked.read_text()}"
    return notebook


def outputs(notebook: Any) -> Iterator[Any]:
    """Every output of every cell."""
    for cell in notebook.cells:
        yield from cell.get("outputs", [])


def check_run(notebook: Any) -> None:
    """It shows figures, nothing that would alarm a beginner, and stays small when saved."""
    import nbformat

    shown = [mime for output in outputs(notebook) for mime in output.get("data", {})]
    assert "image/png" in shown, "a notebook without a picture"
    alarming = [
        output
        for output in outputs(notebook)
        if output["output_type"] == "error" or output.get("name") == "stderr"
    ]
    assert alarming == []
    assert "widgets" not in notebook["metadata"]
    has_panels = any(_PANEL in output.get("data", {}) for output in outputs(notebook))
    assert len(nbformat.writes(notebook)) < LARGEST[has_panels]
