"""The examples in the docstrings of `cat` hold."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import pytest

import cat

WITH_EXAMPLES = sorted(
    file.stem
    for file in Path(cat.__file__).parent.glob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples(module: str) -> None:
    found = doctest.testmod(importlib.import_module(f"cat.{module}"))
    assert found.attempted > 0
    assert found.failed == 0


def test_the_main_modules_have_examples() -> None:
    assert {"scm", "stg", "signals", "alignment", "reattention", "evaluate"} <= {*WITH_EXAMPLES}
