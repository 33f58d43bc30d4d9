"""Both alpha panels in a JupyterLab: charts follow the slider at once, whatever the kernel does."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.catviz.widgets.alpha.shown import WAIT, Shown
from tests.jupyter import opened_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

TRAINED = "from catviz.widgets import SteeredAlpha, TrainedAlpha\nTrainedAlpha()"
STEERED = "SteeredAlpha()"
# The kernel is busy while the sliders are moved.
BUSY = """\
import time
from pathlib import Path

while not Path("go").exists():
    time.sleep(0.05)"""


def test_sliders_move_all_charts_at_once_while_the_kernel_is_busy(
    browser: Browser, tmp_path: Path
) -> None:
    with opened_notebook(browser, tmp_path, TRAINED, STEERED, BUSY) as notebook:
        notebook.run_all()
        trained = Shown(notebook, "Trained with alpha")
        trained.board.wait_for(timeout=WAIT)
        trained.wait_for("density", "map", "accuracy", "effects")
        steered = Shown(notebook, "Steered with alpha")
        steered.board.wait_for(timeout=WAIT)
        steered.wait_for("before", "after", "map", "log-odds", "accuracy")

        for panel, still in ((trained, set[str]()), (steered, {"before"})):
            first = panel.looks
            for number in range(1, 9):
                panel.step()
                assert panel.board.get_attribute("data-frame") == str(number)
            last = panel.looks
            assert {name for name in first if first[name] == last[name]} == still
            panel.step("Home")
            assert panel.looks == first
        assert "High Risk" in steered.chart("log-odds").inner_text()

        # Another text: the kernel makes new frames, the slider stays where it is.
        trained.step()
        (tmp_path / "go").touch()
        trained.panel.locator(".catviz-text select").select_option(index=4)
        trained.page.get_by_text("Mean attention, text 5, alpha 0.3").wait_for(timeout=WAIT)
        assert trained.board.get_attribute("data-frame") == "1"
        trained.step()
        assert trained.board.get_attribute("data-frame") == "2"

        # Words that cannot be used are a message; what was to be seen stays.
        before = steered.looks
        steered.panel.locator(".catviz-typed textarea").fill("abc")
        steered.panel.locator(".catviz-use").click()
        alert = steered.panel.get_by_role("alert")
        alert.wait_for(timeout=WAIT)
        assert "expected a text with causal words" in alert.inner_text()
        assert steered.looks == before

        for cell in (0, 1):
            shown = notebook.outputs(cell, seconds=60)[-1]
            assert {"image/png", "application/vnd.jupyter.widget-view+json"} < {*shown["data"]}
        assert notebook.path.stat().st_size < 1_000_000
