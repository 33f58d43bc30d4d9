"""The widget in a JupyterLab that this test starts, with a kernel, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.catviz.viewer.opened import DIGITS, Opened
from tests.catviz.viewer.random_patterns import random_pattern
from tests.jupyter import opened_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

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


def test_in_jupyterlab(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern(4, 4, 190)
    with opened_notebook(browser, tmp_path, CELL, BUSY) as notebook:
        page = notebook.page
        notebook.run_all()
        viewer = Opened(page, notebook.seen)
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

        notebook.show_theme("Dark")
        page.locator("[data-drawn][data-theme=dark]").wait_for(timeout=30_000)
        viewer.settle()
        assert viewer.colour(20, 170) == [0x24, 0x29, 0x2E]

        (shown,) = notebook.outputs(0)
        assert {"image/png", "text/plain"} < {*shown["data"]}
        assert notebook.path.stat().st_size < 1_000_000

        # A page that is loaded again asks the kernel for the patterns; the head is still open.
        page.reload()
        viewer = Opened(page, notebook.seen)
        assert viewer.title == "Layer 1, head 2"

        # Without a kernel what has been drawn goes on working.
        notebook.command("kernelmenu:shutdown")
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=unknown]").wait_for()
        viewer.open_head(3, 3)
        assert viewer.title == "Layer 3, head 3"
        value, error = viewer.value(100, 40)
        assert abs(value - pattern.values[3, 3, 100, 40]) <= error
