"""A board in a JupyterLab: a slider turns its frames while the kernel is busy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.catviz.widgets.sample_charts import ALPHAS
from tests.jupyter import opened_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = pytest.mark.browser

CELL = """\
import ipywidgets
from catviz.widgets.board import Board
from tests.catviz.widgets.sample_charts import ALPHAS, ORDER, frame

board = Board(order=ORDER)
slider = ipywidgets.SelectionSlider(options=ALPHAS, description="alpha")
link = ipywidgets.jslink((slider, "index"), (board, "frame"))
for at in range(len(ALPHAS)):
    board.add_frame(frame(at))
said = ipywidgets.Label()
board.observe(lambda change: setattr(said, "value", f"The kernel knows of {change.new}"), "frame")
ipywidgets.VBox([slider, said, board])"""
BUSY = """\
import time
from pathlib import Path

while not Path("go").exists():
    time.sleep(0.05)"""


def shown_frame(page: Page, wanted: int) -> None:
    page.locator(f'[data-chart="density"][data-frame="{wanted}"]').wait_for(timeout=30_000)
    label = f"alpha {ALPHAS[wanted]}" if wanted else "plain training"
    cursor = page.locator('[data-chart="accuracy"] .cursor-label', has_text=label)
    cursor.wait_for(timeout=30_000)
    assert cursor.text_content() == label


def test_a_slider_turns_frames_while_the_kernel_is_busy(browser: Browser, tmp_path: Path) -> None:
    with opened_notebook(browser, tmp_path, CELL, BUSY) as notebook:
        page = notebook.page
        notebook.run_all()
        shown_frame(page, 0)
        handle = page.locator(".widget-slider [role=slider], .noUi-handle").first
        handle.focus()
        for wanted in (1, 2, 3):
            page.keyboard.press("ArrowRight")
            shown_frame(page, wanted)
        assert not (tmp_path / "go").exists()  # the kernel has had no time all the while
        (tmp_path / "go").touch()
        page.get_by_text("The kernel knows of 3").wait_for(timeout=30_000)

        notebook.show_theme("Dark")
        page.locator(".catviz-board[data-theme=dark]").wait_for(timeout=30_000)
        notebook.outputs(0)
        assert notebook.path.stat().st_size < 1_000_000

        # A page that is loaded again asks the kernel for all frames.
        page.reload()
        shown_frame(page, 3)
