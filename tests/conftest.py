"""What lies outside the project: the authors' data files and the golden values."""

from __future__ import annotations

from pathlib import Path

import pytest

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
