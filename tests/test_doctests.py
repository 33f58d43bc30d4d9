"""The examples in the docstrings hold."""

from __future__ import annotations

import doctest
import importlib
from pathlib import Path

import numpy as np
import pytest

import cat
import catviz

WITH_EXAMPLES = sorted(
    ".".join((package.__name__, *file.relative_to(folder).with_suffix("").parts))
    for package in (cat, catviz)
    for folder in [Path(str(package.__file__)).parent]
    for file in folder.rglob("*.py")
    if ">>> " in file.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("module", WITH_EXAMPLES)
def test_examples(module: str) -> None:
    names = {"np": np, "MeanMap": catviz.MeanMap, "Word": catviz.Word}  # taken as imported
    found = doctest.testmod(
        importlib.import_module(module.removesuffix(".__init__")), extraglobs=names
    )
    assert found.failed == 0


def test_the_main_modules_have_examples() -> None:
    assert {"cat.scm", "cat.stg", "cat.alignment", "cat.reattention"} <= {*WITH_EXAMPLES}
    assert {"catviz.lens", "catviz.patterns", "catviz.roles", "catviz.density"} <= {*WITH_EXAMPLES}
