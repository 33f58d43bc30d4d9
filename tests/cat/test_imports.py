"""What importing the packages costs, and which way the imports go."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cat

ROOT = Path(cat.__file__).parents[1]
SOURCES = sorted((ROOT / "cat").rglob("*.py"))
# What `cat` may not need: it neither draws nor shows, and knows nothing of those who do.
ABOVE = {
    "catviz",
    "transformer_lens",
    "matplotlib",
    "seaborn",
    "plotly",
    "ipywidgets",
    "IPython",
    "anywidget",
}
HEAVY = {"torch", "transformers", "peft", "numpy", "scipy", "matplotlib"}


def fresh_import(statement: str) -> tuple[float, set[str]]:
    """Seconds, and the top-level modules that a fresh interpreter then holds."""
    code = (
        "import json, sys, time; begin = time.perf_counter()\n"
        f"{statement}\n"
        "seconds = time.perf_counter() - begin\n"
        "print(json.dumps([seconds, sorted({name.split('.')[0] for name in sys.modules})]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT.anchor,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    seconds, modules = json.loads(done.stdout)
    return seconds, set(modules)


@pytest.mark.parametrize("package", ["cat", "catviz"])
def test_importing_costs_nothing(package: str) -> None:
    seconds, modules = fresh_import(f"import {package}")
    assert seconds < 1
    assert modules & HEAVY == set()


def test_cat_stands_on_its_own() -> None:
    assert fresh_import("import cat")[1] & ABOVE == set()
    # All of it, not only the package's door.
    everything = [f"cat.{path.stem}" for path in SOURCES if path.parent.name == "cat"]
    everything = [name for name in everything if not name.endswith("__init__")]
    assert fresh_import(f"import {', '.join(everything)}")[1] & ABOVE == set()


def imported(tree: ast.AST) -> set[str]:
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names.add((node.module or "").split(".")[0])
    return names


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_no_source_of_cat_imports_what_is_above_it(path: Path) -> None:
    """Inside functions too."""
    assert imported(ast.parse(path.read_text(encoding="utf-8"))) & ABOVE == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_every_module_names_what_it_offers(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree)
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    assert "__all__" in assigned or path.name == "__init__.py"
