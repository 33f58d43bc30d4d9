"""The explorer in a JupyterLab, as somebody uses it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import soon
from tests.catviz.viewer.opened import Opened
from tests.jupyter import opened_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

CELL = "from catviz.widgets import Explorer\n\nExplorer()"


def test_in_jupyterlab(browser: Browser, tmp_path: Path) -> None:
    with opened_notebook(browser, tmp_path, CELL) as notebook:
        page = notebook.page
        notebook.run_all()
        viewer = Opened(page, notebook.seen)
        assert viewer.title == "Mean of all 4 heads"
        answers = page.locator(".catviz-answers-table")
        answers.get_by_text("tiny/plain").wait_for(timeout=30_000)

        # Another text.
        words = page.locator(".words-panel .tokens")
        before, read = viewer.map.screenshot(), words.inner_text()
        page.locator(".catviz-number .noUi-handle").press("ArrowRight")
        page.get_by_text("OOD text 3", exact=True).wait_for(timeout=30_000)
        soon(words).not_to_have_text(read)
        viewer.settle()
        assert viewer.map.screenshot() != before

        # The table opens heads in the viewer, and the viewer marks them in the table.
        page.get_by_role("button", name="L0H1", exact=True).click()
        page.get_by_role("heading", name="Layer 0, head 1").wait_for(timeout=30_000)
        viewer.open_head(2, 0)
        page.locator("[aria-pressed=true]", has_text="L0H2").wait_for(timeout=30_000)

        # A head and words are taken out.
        page.get_by_label("Take out L0H1").check()
        answers.get_by_text("without head L0H1").first.wait_for(timeout=30_000)
        page.locator(".catviz-take-spurious input").check()
        told = answers.get_by_text("without head L0H1, without attention to spurious words")
        told.first.wait_for(timeout=30_000)
        rows = [row.inner_text().split("\t")[3] for row in answers.locator("tbody tr").all()]
        assert rows[0] != rows[1]  # log-odds
        assert page.get_by_label("Take out L0H1").is_checked()

        # A text of nothing: a message, and what was there stays.
        page.get_by_role("button", name="My own text").click()
        typed = page.locator(".catviz-text textarea")
        typed.fill("  ")
        page.locator(".catviz-show").click()
        page.get_by_text("expected a text, got nothing").wait_for(timeout=30_000)
        assert viewer.title == "Layer 0, head 2"

        # Markup stays text; the answers can no longer be asked for.
        typed.fill("<script>alert(1)</script> Tom smokes")
        page.locator(".catviz-show").click()
        page.get_by_text("There are no answers to compare").wait_for(timeout=30_000)
        soon(words).to_contain_text("<script>")
        viewer.settle()
        assert viewer.title == "Layer 0, head 2"  # what was open stays open

        (shown,) = notebook.outputs(0)
        assert {"image/png", "text/plain"} < {*shown["data"]}
        assert notebook.path.stat().st_size < 1_000_000
