"""Both alpha panels in a JupyterLab: charts follow the slider at once, whatever the kernel does."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.jupyter import OpenNotebook, opened_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator

pytestmark = pytest.mark.browser

TRAINED = "from catviz.widgets import SteeredAlpha, TrainedAlpha\nTrainedAlpha()"
STEERED = "SteeredAlpha()"
# The kernel is busy while the sliders are moved.
BUSY = """\
import time
from pathlib import Path

while not Path("go").exists():
    time.sleep(0.05)"""

FIRST_PANEL = 15.0  # seconds
A_STEP = 150.0  # milliseconds from a key to the next frame
WAIT = 90_000  # milliseconds; a machine may be busy with other things

# Press a key in the slider that has the focus, and tell how long the board took to change.
_WATCH = """board => {
  window.step = new Promise(done => {
    let pressed;
    document.addEventListener("keydown", () => { pressed = performance.now(); },
                              {once: true, capture: true});
    const watcher = new MutationObserver(() => {
      watcher.disconnect();
      requestAnimationFrame(() => done(performance.now() - pressed));
    });
    watcher.observe(board, {attributes: true, attributeFilter: ["data-frame"]});
  });
}"""


class Shown:
    """One of the panels, with a board and a slider."""

    def __init__(self, notebook: OpenNotebook, title: str) -> None:
        self.page = notebook.page
        self.panel = self.page.locator(".catviz-panel", has_text=title)
        self.board = self.panel.locator(".catviz-board")
        self.handle = self.panel.locator(".catviz-alpha .noUi-handle")

    def wait_for(self, *charts: str) -> None:
        for name in charts:
            self.chart(name).locator(".plot").wait_for(timeout=WAIT)

    def chart(self, name: str) -> Locator:
        return self.panel.locator(f'[data-chart="{name}"]')

    @property
    def looks(self) -> dict[str, str]:
        """What each chart shows, by name, when nothing moves any more."""
        self.page.wait_for_function(
            "board => !board.shadowRoot.querySelector('[data-gliding]')",
            arg=self.board.element_handle(),
        )
        found: list[tuple[str, str]] = self.board.locator("figure").evaluate_all(
            "figures => figures.map(figure => [figure.dataset.chart, figure.innerHTML])"
        )
        return dict(found)

    def step(self, key: str = "ArrowRight") -> float:
        """Milliseconds from the key to the next frame."""
        self.handle.focus()
        self.board.evaluate(_WATCH)
        self.page.keyboard.press(key)
        taken: float = self.page.evaluate("() => window.step")
        return taken


def slowness() -> float:
    """How many programs share each core: what is measured takes so much longer."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def test_sliders_move_all_charts_at_once_while_the_kernel_is_busy(
    browser: Browser, tmp_path: Path
) -> None:
    with opened_notebook(browser, tmp_path, TRAINED, STEERED, BUSY) as notebook:
        start = time.monotonic()
        notebook.run_all()
        trained = Shown(notebook, "Trained with alpha")
        trained.board.wait_for(timeout=WAIT)
        assert time.monotonic() - start < FIRST_PANEL * slowness()
        trained.wait_for("density", "map", "accuracy", "effects")
        steered = Shown(notebook, "Steered with alpha")
        steered.board.wait_for(timeout=WAIT)
        steered.wait_for("before", "after", "map", "log-odds", "accuracy")

        for panel, still in ((trained, set[str]()), (steered, {"before"})):
            first = panel.looks
            steps = []
            for number in range(1, 9):
                steps.append(panel.step())
                assert panel.board.get_attribute("data-frame") == str(number)
            last = panel.looks
            assert {name for name in first if first[name] == last[name]} == still
            assert sorted(steps)[len(steps) // 2] < A_STEP * slowness()
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
