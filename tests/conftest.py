"""What lies outside the project: the authors' data, golden values, Ctrl-C, and a browser."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SHARED = Path(__file__).parents[2] / "shared"


def _folder(name: str) -> Path:
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"needs ../shared/{name} beside the repository, which is not there")
    return folder


@pytest.fixture(scope="session")
def authors_data() -> Path:
    """The folder of the authors' data files, one folder a task."""
    return _folder("authors-data")


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of values computed once by independent means."""
    return _folder("golden")


@pytest.fixture(scope="session", autouse=True)
def _listen_to_ctrl_c() -> None:
    """A shell starts what it runs in the background deaf to it, and its children as well."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium, one for all tests: there can be no second one beside it."""
    with chromium() as opened:
        yield opened
