"""A JupyterLab of a test's own, and a notebook that is open in it."""

from __future__ import annotations

import json
import os
import secrets
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.browser import Visit, visit

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page

ROOT = Path(__file__).parents[1]

# Running cells before would ask for a kernel.
_CONNECTED = """() => {
  const context = jupyterapp.shell.currentWidget?.sessionContext;
  return context?.isReady && context.session?.kernel?.connectionStatus === "connected";
}"""


@contextmanager
def opened_notebook(
    browser: Browser, folder: Path, *cells: str, **context: Any
) -> Iterator[OpenNotebook]:
    """A notebook of these code cells, open in a JupyterLab, its kernel connected.

    In the end nothing has been asked of the network and nothing went wrong in the console.
    """
    path = write_notebook(folder / "notebook.ipynb", *cells)
    with jupyterlab(folder) as server, visit(browser, allowed=server.origin, **context) as seen:
        seen.page.goto(server.address(f"lab/tree/{path.name}"))
        notebook = OpenNotebook(path, seen)
        notebook.wait_until_connected()
        yield notebook
        notebook.check_quiet()


@dataclass
class OpenNotebook:
    """A notebook in a JupyterLab, handled by the application's own commands."""

    path: Path
    seen: Visit

    @property
    def page(self) -> Page:
        return self.seen.page

    def wait_until_connected(self) -> None:
        self.page.wait_for_function("window.jupyterapp !== undefined", timeout=60_000)
        self.page.locator(".jp-Notebook .jp-Cell").first.wait_for(timeout=60_000)
        self.page.wait_for_function(_CONNECTED, timeout=60_000)

    def command(self, name: str, **arguments: Any) -> None:
        """Start a command, without waiting for what it starts."""
        self.page.evaluate(
            "([name, given]) => { void jupyterapp.commands.execute(name, given); }",
            [name, arguments],
        )

    def run_all(self) -> None:
        self.command("notebook:run-all-cells")

    def show_theme(self, name: str) -> None:
        """ "Light" or "Dark"."""
        self.command("apputils:change-theme", theme=f"JupyterLab {name}")
        light = str(name == "Light").lower()
        shown = f"document.body.dataset.jpThemeLight === '{light}'"
        self.page.wait_for_function(shown, timeout=30_000)

    def cell(self, number: int) -> Locator:
        return self.page.locator(".jp-Notebook .jp-Cell").nth(number)

    def outputs(self, number: int, seconds: float = 20) -> list[dict[str, Any]]:
        """Save, and return what the file then holds as a cell's outputs."""
        self.command("docmanager:save")
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            with suppress(json.JSONDecodeError):  # half written
                saved = json.loads(self.path.read_text(encoding="utf-8"))
                if outputs := saved["cells"][number]["outputs"]:
                    return outputs
            self.page.wait_for_timeout(100)  # not sleep: requests pass through this process
        raise AssertionError(f"{self.path} was not saved with the output of cell {number}")

    def check_quiet(self) -> None:
        """Nothing asked of the network, nothing wrong in the console.

        JupyterLab warns there itself where a machine is slow.
        """
        assert self.seen.outside == []
        wrong = ("error: ", "uncaught: ")
        assert [line for line in self.seen.console if line.startswith(wrong)] == []


@dataclass(frozen=True)
class Server:
    """Where a JupyterLab is, and the token that it wants."""

    origin: str
    token: str

    def address(self, path: str) -> str:
        return f"{self.origin}/{path}?token={self.token}"


@contextmanager
def jupyterlab(folder: Path) -> Iterator[Server]:
    """A JupyterLab that serves ``folder``, with the settings of ``make lab``, and keeps its own
    files there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    _leave_out_the_debugger(folder / "jupyter_config_dir")
    running = Server(f"http://127.0.0.1:{port}", secrets.token_hex(16))
    own = {
        name: str(folder / name.lower())
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR")
    }
    env = {**os.environ, **own, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ip=127.0.0.1", f"--port={port}", "--ServerApp.port_retries=0"),
        *(f"--ServerApp.root_dir={folder}", f"--IdentityProvider.token={running.token}"),
        "--LabApp.expose_app_in_browser=True",
        f"--LabApp.app_settings_dir={ROOT / 'notebooks' / '.lab'}",
        *("--LabApp.extension_manager=readonly", "--LabApp.news_url=None"),
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    log = folder / "jupyterlab.log"
    with log.open("wb") as out:
        server = subprocess.Popen(command, env=env, cwd=folder, stdout=out, stderr=out)
    try:
        _wait_for(running.address("api"), server, log)
        yield running
    finally:
        server.terminate()
        server.wait(20)


def _leave_out_the_debugger(config: Path) -> None:
    """JupyterLab's debugger complains in the console, at times, when a kernel ends."""
    settings = config / "labconfig" / "page_config.json"
    settings.parent.mkdir(parents=True, exist_ok=True)
    settings.write_text(
        json.dumps({"disabledExtensions": {"@jupyterlab/debugger-extension": True}})
    )


def _wait_for(url: str, server: subprocess.Popen[bytes], log: Path, seconds: float = 60) -> None:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if server.poll() is not None:
            break
        try:
            with direct.open(url, timeout=5):
                return
        except OSError:
            time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not start:\n{log.read_text(errors='replace')[-3000:]}")


def write_notebook(path: Path, *cells: str) -> Path:
    """Write a notebook of code cells."""
    notebook = {
        "cells": [
            {
                "cell_type": "code",
                "id": f"cell-{at}",
                "metadata": {},
                "execution_count": None,
                "outputs": [],
                "source": source,
            }
            for at, source in enumerate(cells)
        ],
        "metadata": {"kernelspec": {"name": "python3", "display_name": "Python 3"}},
        "nbformat": 4,
        "nbformat_minor": 5,
    }
    path.write_text(json.dumps(notebook), encoding="utf-8")
    return path
