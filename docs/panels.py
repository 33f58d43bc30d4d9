"""Pictures of the panels for the README, light and dark, as JupyterLab shows them.

make pictures
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.browser import chromium
from tests.jupyter import OpenNotebook, opened_notebook

HERE = Path(__file__).parent
SIZE = {"width": 1180, "height": 1900}

TRAINED = """\
from catviz.widgets import TrainedAlpha
TrainedAlpha(alpha=10)"""
LIVE = """\
from catviz.widgets import LiveTraining
live = LiveTraining()
live.train()
live.wait()
live"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        for name, cell in {"trained": TRAINED, "live": LIVE}.items():
            own = Path(folder) / name
            own.mkdir()
            with opened_notebook(
                browser, own, cell, viewport=SIZE, device_scale_factor=1.5
            ) as notebook:
                notebook.command("application:toggle-left-area")
                notebook.run_all()
                for theme in ("Light", "Dark"):
                    notebook.show_theme(theme)
                    take(notebook, HERE / f"{name}{'-dark' if theme == 'Dark' else ''}.png")


def take(notebook: OpenNotebook, path: Path) -> None:
    panel = notebook.page.locator(".catviz-panel").first
    panel.locator("[data-drawn]").first.wait_for(timeout=120_000)
    notebook.page.wait_for_timeout(1000)  # until what glides has arrived
    panel.screenshot(path=path)
    print(path)


if __name__ == "__main__":
    main()
