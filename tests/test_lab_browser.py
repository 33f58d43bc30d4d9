"""What ``make lab`` opens: the table of contents, and from there the first notebook, run whole."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import visit
from tests.jupyter import OpenNotebook, jupyterlab
from tests.notebooks import FOLDER, LARGEST

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def test_from_the_table_of_contents_to_the_first_panel(browser: Browser, tmp_path: Path) -> None:
    for path in FOLDER.glob("*.*"):
        if path.is_file():
            shutil.copy(path, tmp_path)
    first = tmp_path / "01_first_look.ipynb"
    with jupyterlab(tmp_path) as server, visit(browser, allowed=server.origin) as seen:
        seen.page.goto(server.address("lab/tree/README.md"))
        seen.page.get_by_role("link", name="01 First look").click(timeout=60_000)
        notebook = OpenNotebook(first, seen)
        notebook.wait_until_connected()
        notebook.run_all()
        seen.page.locator(".catviz-panel [data-drawn]").first.wait_for(timeout=120_000)
        seen.page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(
            timeout=120_000
        )
        notebook.outputs(2)  # saved
        cells = json.loads(first.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        assert {output["output_type"] for output in outputs} == {"stream", "execute_result"}
        assert first.stat().st_size < LARGEST[True]
        notebook.check_quiet()
