"""Texts to judge, and a review in a bare page: the real program and messages, no notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catviz.widgets.review.signal_review import SignalReview, review_module
from tests.browser import Visit, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

RECORDS: list[dict[str, Any]] = [
    {
        "input": "Mia has 12 shells. She finds 5 more. How many shells does she have? Answer: ",
        "target": "17",
        "important": [
            {"5 more": ["She finds"]},
            {"17": ["12 shells", "5 more", "9 stars"]},
            {"12 shells": ["5 more"]},
        ],
    },
    {
        "input": "😀 Tom ate 3 of 8 <script>alert(1)</script> figs. How many are left? Answer: ",
        "target": "5",
        "important": [{"5": ["8 <script>alert(1)</script> figs", "ate 3"]}],
    },
    {"input": "Is this one annotated? Answer: ", "target": "no", "important": []},
]

# A stand-in for the model that a notebook gives: listeners, and a kernel that may be gone.
_PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Review</title>
<link rel="icon" href="data:,"><style>
body { margin: 12px; background: #fff; }
@media (prefers-color-scheme: dark) { body { background: #14171a; } }
</style><body><div id="views"></div><script type="module">
const listeners = [];
window.sent = [];
window.kernel = true;
window.heard = [];
document.addEventListener("keydown", (event) => window.heard.push(event.key));
const model = {
  on: (name, call) => listeners.push({name, call}),
  send(message) {
    if (!window.kernel) throw new Error("no kernel");
    window.sent.push(message);
  },
};
window.deliver = (message) => listeners.forEach((one) => one.call(message));
window.load = async (program) => {
  const url = URL.createObjectURL(new Blob([program], {type: "text/javascript"}));
  const widget = (await import(url)).default();
  await widget.initialize({model});
  const el = document.createElement("div");
  document.querySelector("#views").append(el);
  await widget.render({model, el});
};
window.ready = true;
</script></body></html>"""


class Reviewed:
    """A review, and the page that shows it; the kernel answers when :meth:`answer` is called."""

    def __init__(self, review: SignalReview, page: Page, seen: Visit) -> None:
        self.review, self.page, self.seen = review, page, seen
        review.send = self._deliver  # type: ignore[method-assign]

    def answer(self) -> list[str]:
        """Let the kernel hear what the page has sent; the kinds of the messages."""
        asked = self.page.evaluate("() => window.sent.splice(0)")
        for message in asked:
            self.review._hear(self.review, message, [])
        return [message["kind"] for message in asked]

    def press(self, *keys: str) -> None:
        """Press keys one after the other, the kernel answering each."""
        for key in keys:
            self.page.keyboard.press(key)
            self.answer()

    def find(self, selector: str) -> Locator:
        return self.page.locator(f".catviz-review {selector}")

    @property
    def status(self) -> str:
        return self.find(".status").inner_text()

    def marked(self, kind: str) -> list[str]:
        """The words marked as effect, cause, faulty or other, without the letters before them."""
        found = self.find(f".words .{kind}")
        return found.evaluate_all("all => all.map(one => one.lastChild.textContent)")

    def _deliver(self, content: Any, buffers: Any = None) -> None:
        self.page.evaluate("message => deliver(message)", content)


@contextmanager
def reviewed(
    browser: Browser, folder: Path, review: SignalReview, **context: Any
) -> Iterator[Reviewed]:
    """A page with a review in focus, which in the end has complained of nothing."""
    path = folder / "review.html"
    path.write_text(_PAGE, encoding="utf-8")
    with visit(browser, path.as_uri(), **context) as seen:
        seen.page.wait_for_function("window.ready")
        seen.page.evaluate("program => load(program)", review_module())
        shown = Reviewed(review, seen.page, seen)
        shown.answer()  # it asks for the text
        shown.find(".words").click()
        yield shown
        seen.check_quiet()
