"""A Chromium that reaches no network, and a JupyterLab for it: pages as a person sees them."""

from __future__ import annotations

import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page, Route

ROOT = Path(__file__).parents[1]
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


@dataclass(frozen=True)
class Server:
    """Where a JupyterLab is, and the token that it wants."""

    origin: str
    token: str

    def address(self, path: str) -> str:
        return f"{self.origin}/{path}?token={self.token}"


@contextmanager
def jupyterlab(folder: Path) -> Iterator[Server]:
    """A JupyterLab that serves ``folder`` and keeps its settings there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
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
