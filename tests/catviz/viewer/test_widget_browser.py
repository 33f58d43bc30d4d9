"""The widget in a JupyterLab that this test starts, with a kernel, in a real browser."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import jupyterlab, visit, write_notebook
from tests.catviz.viewer.opened import DIGITS, Opened
from tests.catviz.viewer.random_patterns import random_pattern

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CELL = """\
from catviz.viewer import AttentionViewer
from tests.catviz.viewer.random_patterns import random_pattern

AttentionViewer(random_pattern(4, 4, 190))"""
# The kernel is busy with the next cell when the viewer is shown: it draws all the same.
BUSY = """\
import time
from pathlib import Path

while not Path("go").exists():
    time.sleep(0.05)"""

# Running cells before would ask for a kernel.
CONNECTED = """() => {
  const context = jupyterapp.shell.currentWidget?.sessionContext;
  return context?.isReady && context.session?.kernel?.connectionStatus === "connected";
}"""


def test_in_jupyterlab(browser: Browser, tmp_path: Path) -> None:
    notebook = write_notebook(tmp_path / "heads.ipynb", CELL, BUSY)
    pattern = random_pattern(4, 4, 190)
    with jupyterlab(tmp_path) as server, visit(browser, allowed=server.origin) as seen:
        page = seen.page
        page.goto(server.address("lab/tree/heads.ipynb"))
        page.wait_for_function("window.jupyterapp !== undefined", timeout=60_000)
        page.locator(".jp-Notebook .jp-Cell").nth(1).wait_for(timeout=60_000)
        page.wait_for_function(CONNECTED, timeout=60_000)
        # Without `void` this would wait for the cells, of which one never ends by itself.
        page.evaluate("void jupyterapp.commands.execute('notebook:run-all-cells')")
        viewer = Opened(page, seen)
        assert viewer.n_colours(viewer.heads) > 100
        assert viewer.title == "Mean of all 16 heads"
        viewer.open_head(2, 1)
        value, error = viewer.value(100, 40)
        wanted = pattern.values[1, 2, 100, 40]
        assert abs(value - wanted) <= max(error, DIGITS * wanted)

        # Exact as soon as the kernel has time.
        (tmp_path / "go").touch()
        page.get_by_text("Exact values.").wait_for(timeout=30_000)
        value, error = viewer.value(100, 40)
        assert error == 0
        assert abs(value - wanted) <= DIGITS * wanted

        dark = (
            "void jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab Dark'})"
        )
        page.evaluate(dark)
        page.locator("[data-drawn][data-theme=dark]").wait_for(timeout=30_000)
        viewer.settle()
        assert viewer.colour(20, 170) == [0x24, 0x29, 0x2E]

        page.evaluate("void jupyterapp.commands.execute('docmanager:save')")
        shown = saved_output(page, notebook)

        # A page that is loaded again asks the kernel for the patterns.
        page.reload()
        viewer = Opened(page, seen)
        assert viewer.title == "Mean of all 16 heads"

        # Without a kernel what has been drawn goes on working.
        page.evaluate("void jupyterapp.commands.execute('kernelmenu:shutdown')")
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=unknown]").wait_for()
        viewer.open_head(3, 3)
        assert viewer.title == "Layer 3, head 3"
        value, error = viewer.value(100, 40)
        assert abs(value - pattern.values[3, 3, 100, 40]) <= error
        assert seen.outside == []
        assert [line for line in seen.console if not line.startswith("debug: ")] == []
    assert notebook.stat().st_size < 1_000_000
    assert {"image/png", "text/plain"} < {*shown}


def saved_output(page: Page, notebook: Path, seconds: float = 20) -> dict[str, object]:
    """The first cell's output in the file, as soon as it has been saved."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(json.JSONDecodeError):  # half written
            outputs = json.loads(notebook.read_text(encoding="utf-8"))["cells"][0]["outputs"]
            if outputs:
                return outputs[0]["data"]
        page.wait_for_timeout(100)  # not sleep: the page's requests pass through this process
    raise AssertionError(f"{notebook} was not saved with its output")
