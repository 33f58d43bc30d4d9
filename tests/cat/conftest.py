"""Fixtures of the tests that train."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from cat.tiny import one_thread


@pytest.fixture
def one_torch_thread() -> Iterator[None]:
    """Two threads are slower than one on models this small."""
    with one_thread():
        yield


@pytest.fixture
def no_training_goes_on() -> Iterator[None]:
    """Fails a test that leaves a training thread behind."""
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "training"] == []
