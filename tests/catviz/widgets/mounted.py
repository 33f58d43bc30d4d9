"""A board's charts in a bare page: the real program and messages, without a notebook."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catviz.widgets.board import Board
from catviz.widgets.front import board_module
from tests.browser import Visit, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

# A stand-in for the model that a notebook gives: state, listeners, and a kernel that may be gone.
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Charts</title>
<link rel="icon" href="data:,"><style>
body { margin: 12px; background: #fff; }
@media (prefers-color-scheme: dark) { body { background: #14171a; } }
</style><body><div id="views"></div><script type="module">
const bytesOf = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
const listeners = [];
window.sent = [];
window.kernel = true;
window.state = {frame: -1, order: [], n_frames: 0};
const model = {
  get: (name) => window.state[name],
  on: (name, call) => listeners.push({name, call}),
  off(name, call) {
    const at = listeners.findIndex((one) => one.name === name && one.call === call);
    if (at >= 0) listeners.splice(at, 1);
  },
  send(message) {
    if (!window.kernel) throw new Error("no kernel");
    window.sent.push(message);
  },
};
const fire = (name, ...given) => {
  for (const one of [...listeners]) if (one.name === name) one.call(...given);
};
window.change = (name, value) => {
  window.state[name] = value;
  fire(`change:${name}`);
};
window.deliver = (message, buffers) =>
  fire("msg:custom", message, buffers.map((text) => new DataView(bytesOf(text).buffer)));
window.nListeners = () => listeners.length;
window.load = async (program) => {
  const url = URL.createObjectURL(new Blob([program], {type: "text/javascript"}));
  const widget = (await import(url)).default();
  await widget.initialize({model});
  window.addView = async () => {
    const el = document.createElement("div");
    document.querySelector("#views").append(el);
    const cleanup = await widget.render({model, el});
    return () => { cleanup(); el.remove(); };
  };
};
window.ready = true;
</script></body></html>"""


class Mounted:
    """A board, and the page that shows it."""

    def __init__(self, board: Board, page: Page, seen: Visit) -> None:
        self.board, self.page, self.seen = board, page, seen
        board.send = self._deliver  # type: ignore[method-assign]
        board.observe(self._change, names=["frame", "n_frames", "order"])

    def chart(self, name: str) -> Locator:
        return self.page.locator(f'[data-chart="{name}"]')

    def add_view(self) -> None:
        self.page.evaluate("async () => { window.removeView = await addView(); }")

    def answer(self) -> int:
        """Let the kernel answer what the page has asked; how many questions there were."""
        asked = self.page.evaluate("() => window.sent.splice(0)")
        for message in asked:
            self.board._answer(self.board, message, [])
        return len(asked)

    def settle(self) -> None:
        """Wait until everything that was asked for is drawn and nothing moves any more."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )
        self.page.wait_for_function(
            "[...document.querySelectorAll('.catviz-board')].every("
            "root => !root.shadowRoot.querySelector('[data-gliding]'))"
        )

    def hover(self, name: str, *, across: float, down: float, part: str = ".plot") -> str:
        """What is said of a place of a chart, given in shares of its drawing."""
        plot = self.chart(name).locator(part)
        box = plot.bounding_box()
        assert box
        at = {"x": across * box["width"], "y": down * box["height"]}
        plot.hover(position=at)  # type: ignore[arg-type]
        return self.page.locator(".tip").inner_text()

    def numbers(self, name: str) -> list[list[str]]:
        """The chart's table, opened."""
        details = self.chart(name).locator("details")
        if details.get_attribute("open") is None:
            details.locator("summary").click()
        return details.locator("table").evaluate(
            "table => [...table.rows].map(row => [...row.cells].map(cell => cell.textContent))"
        )

    def _deliver(self, content: Any, buffers: Any = None) -> None:
        encoded = [b64encode(one).decode() for one in buffers or []]
        self.page.evaluate("([message, buffers]) => deliver(message, buffers)", [content, encoded])

    def _change(self, change: Any) -> None:
        self.page.evaluate("([name, value]) => change(name, value)", [change.name, change.new])


@contextmanager
def mounted(browser: Browser, folder: Path, board: Board, **context: Any) -> Iterator[Mounted]:
    """A page with one view of a board, which in the end has complained of nothing."""
    path = folder / "charts.html"
    path.write_text(_PAGE, encoding="utf-8")
    with visit(browser, path.as_uri(), **context) as seen:
        seen.page.wait_for_function("window.ready")
        state = {"frame": board.frame, "order": board.order, "n_frames": board.n_frames}
        seen.page.evaluate("state => { window.state = state; }", state)
        seen.page.evaluate("program => load(program)", board_module())
        shown = Mounted(board, seen.page, seen)
        shown.add_view()
        yield shown
        seen.check_quiet()
