"""A viewer in a browser, handled as a person does: by mouse, keyboard and eye."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from catviz.patterns import AttentionPattern
from catviz.viewer import viewer_page
from tests.browser import Visit, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

DIGITS = 6e-5  # values are shown with five digits

# Read from a copy: reading from the viewer's own canvas would change how the browser draws it.
_COPY = """
  const copy = new OffscreenCanvas(canvas.width, canvas.height);
  const context = copy.getContext("2d", {willReadFrequently: true});
  context.drawImage(canvas, 0, 0);
"""
_PIXEL = f"""(canvas, [x, y]) => {{{_COPY}
  const ratio = devicePixelRatio;
  return [...context.getImageData(x * ratio, y * ratio, 1, 1).data.slice(0, 3)];
}}"""
_COLOURS = f"""canvas => {{{_COPY}
  const {{data}} = context.getImageData(0, 0, canvas.width, canvas.height);
  return new Set(new Uint32Array(data.buffer)).size;
}}"""


class Opened:
    """A drawn viewer in a page."""

    def __init__(self, page: Page, seen: Visit) -> None:
        self.page, self.seen = page, seen
        page.locator("[data-drawn]").first.wait_for(timeout=60_000)
        self.heads: Locator = page.locator("canvas.heads")
        self.map: Locator = page.locator("canvas.map")

    @property
    def theme(self) -> str | None:
        return self.page.locator("[data-drawn]").get_attribute("data-theme")

    @property
    def title(self) -> str:
        return self.page.locator(".map-panel h3").inner_text()

    @property
    def tip(self) -> str:
        return self.page.locator(".tip").inner_text()

    def settle(self) -> None:
        """Wait until what was asked for has been drawn."""
        self.page.evaluate(
            "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
        )

    def choose(self, control: str, option: str) -> None:
        self.page.locator(f"[data-control={control}]").get_by_text(option, exact=True).click()
        self.settle()

    def order(self, value: str) -> None:
        self.page.locator("select").select_option(value)
        self.settle()

    def open_head(self, column: int, row: int, *, modifiers: Any = None) -> None:
        left, top, across, down, _ = self._area(self.heads)
        at = {"x": left + (column + 0.5) * across, "y": top + (row + 0.3) * down}
        self.heads.click(position=at, modifiers=modifiers)  # type: ignore[arg-type]
        self.settle()

    def point(self, row: int, column: int) -> dict[str, float]:
        """The middle of a cell of the map."""
        left, top, side, size = self._area(self.map)
        unit = side / size
        return {"x": left + (column + 0.5) * unit, "y": top + (row + 0.5) * unit}

    def hover(self, row: int, column: int) -> str:
        self.map.hover(position=self.point(row, column))  # type: ignore[arg-type]
        return self.tip

    def value(self, row: int, column: int) -> tuple[float, float]:
        """(value, error) as the tooltip gives them; the first of several."""
        return read_value(self.hover(row, column))

    def colour(self, row: int, column: int) -> list[int]:
        at = self.point(row, column)
        return self.map.evaluate(_PIXEL, [at["x"], at["y"]])

    def n_colours(self, canvas: Locator) -> int:
        return canvas.evaluate(_COLOURS)

    def _area(self, canvas: Locator) -> list[float]:
        area = canvas.get_attribute("data-area")
        assert area
        return [float(number) for number in re.split("[ ,]", area)]


def read_value(text: str) -> tuple[float, float]:
    found = re.search(r"(?:attention|difference|\)) ([+-]?[\d.e-]+)(?: ± ([\d.]+))?", text)
    assert found, text
    return float(found[1]), float(found[2] or 0)


@contextmanager
def opened_page(
    browser: Browser,
    folder: Path,
    pattern: AttentionPattern,
    *,
    after: AttentionPattern | None = None,
    **context: Any,
) -> Iterator[Opened]:
    """The page of a pattern, which in the end has asked for nothing and complained of nothing."""
    path = folder / "heads.html"
    path.write_text(viewer_page(pattern, after=after), encoding="utf-8")
    with visit(browser, path.as_uri(), **context) as seen:
        yield Opened(seen.page, seen)
        seen.check_quiet()
