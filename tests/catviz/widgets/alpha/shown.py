"""One of the alpha panels in a JupyterLab, handled by its slider."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.jupyter import OpenNotebook

if TYPE_CHECKING:
    from playwright.sync_api import Locator


__all__ = ["WAIT", "Shown"]

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
