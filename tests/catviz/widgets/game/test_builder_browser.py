"""A class at work: a name twice, mended, previewed, trained on; in a real browser."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import soon
from tests.jupyter import opened_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

CELL = """\
from catviz.widgets import GameBuilder

builder = GameBuilder()
builder"""


def test_in_jupyterlab(browser: Browser, tmp_path: Path) -> None:
    with opened_notebook(
        browser, tmp_path, CELL, viewport={"width": 1280, "height": 3400}
    ) as notebook:
        page = notebook.page
        notebook.run_all()
        texts = page.locator(".catviz-texts")
        texts.get_by_text("Surfers: 9,").first.wait_for(timeout=60_000)

        name = page.locator(".catviz-factor .catviz-name input").nth(4)
        name.fill("waves")
        name.press("Tab")
        page.locator(".catviz-preview").click()
        page.get_by_text("factor 5, name: 'waves' is the name of factor 2").wait_for()
        soon(page.locator(".catviz-wrong input")).to_have_value("waves")
        assert texts.get_by_text("Surfers: 9,").count() == 1

        name.fill("Swimmers & <b>")
        name.press("Tab")
        page.locator(".catviz-preview").click()
        texts.get_by_text("Swimmers & <b>: 9,").wait_for()
        soon(page.locator(".catviz-failed")).to_have_count(0)
        graph = page.locator(".catviz-picture img:visible")
        soon(graph).to_have_attribute("alt", re.compile("Waves to Swimmers & <b>"))
        assert graph.evaluate("image => image.decode().then(() => image.naturalWidth > 200)")

        light = graph.get_attribute("src")
        notebook.show_theme("Dark")
        soon(graph).to_have_count(1)
        soon(graph).not_to_have_attribute("src", light or "")

        page.locator(".catviz-train-texts input").fill("320")
        page.locator(".catviz-train-texts input").press("Tab")
        page.locator(".catviz-game-train").click()
        page.locator(".catviz-train").click(timeout=60_000)
        page.get_by_text("Done: 120 steps").wait_for(timeout=120_000)
        assert page.locator(".catviz-failed").count() == 0

        (shown,) = notebook.outputs(0)
        assert {"image/png", "text/plain"} < {*shown["data"]}
        assert notebook.path.stat().st_size < 1_000_000
