"""A Chromium that reaches no network: pages as a person sees them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, LocatorAssertions, Page, Route

_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_LOCAL = ("file://", "data:", "blob:", "about:")
_OFFLINE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


def find_chromium() -> str:
    """The browser's path, from the variable CHROMIUM or by its usual names."""
    for name in (os.environ.get("CHROMIUM", ""), *_NAMES):
        if name and (found := shutil.which(name)):
            return found
    raise RuntimeError(
        "the browser tests need Chromium and found none: apt-get install chromium, or give its "
        "path in the variable CHROMIUM"
    )


@contextmanager
def chromium() -> Iterator[Browser]:
    """A headless Chromium."""
    from playwright.sync_api import sync_playwright

    executable = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=["--no-sandbox", _OFFLINE]
        )
        try:
            yield browser
        finally:
            browser.close()


def soon(locator: Locator) -> LocatorAssertions:
    """What a place in a page comes to: asserted again and again until it holds.

    For what a kernel changes: its messages come one by one, and each is drawn by itself.
    """
    from playwright.sync_api import expect

    expect.set_options(timeout=30_000)
    return expect(locator)


@dataclass
class Visit:
    """A page, with what it asked the network for and what it said in the console."""

    page: Page
    outside: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)

    def check_quiet(self) -> None:
        """Nothing was asked of the network, nothing went wrong, nothing was said."""
        assert self.outside == []
        assert self.console == []


@contextmanager
def visit(browser: Browser, url: str = "", *, allowed: str = "", **context: Any) -> Iterator[Visit]:
    """Open a page; requests to anything but files and ``allowed`` fail and are written down."""
    opened = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
    seen = Visit(opened.new_page())

    def guard(route: Route) -> None:
        target = route.request.url
        if target.startswith(_LOCAL) or (allowed and target.startswith(allowed)):
            route.continue_()
        else:
            seen.outside.append(target)
            route.abort()

    opened.route("**/*", guard)
    seen.page.on("console", lambda message: seen.console.append(f"{message.type}: {message.text}"))
    seen.page.on("pageerror", lambda error: seen.console.append(f"uncaught: {error}"))
    try:
        if url:
            seen.page.goto(url)
        yield seen
    finally:
        opened.close()
