"""Imports run one way: tensor functions, then figures, then what puts them on a page."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import catviz

FOLDER = Path(str(catviz.__file__)).parent
LAYERS = {
    "figures": 1,
    "viewer": 2,
    "report": 2,
    "look": 3,
    "demo": 3,
    "results": 3,
    "widgets": 3,
    "cli": 4,
}
"""First part of a module's name -> its layer; everything else is 0."""

MODULES = sorted(
    path
    for path in FOLDER.rglob("*.py")
    if path.name != "__init__.py"  # which only name things
)


def layer(parts: tuple[str, ...]) -> int:
    return LAYERS.get(parts[0], 0) if parts else 0


def imported(path: Path) -> list[tuple[str, ...]]:
    """The modules of catviz that a file imports, inside functions too, but not for types only."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    typing_only = {
        id(node)
        for block in ast.walk(tree)
        if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
        for node in ast.walk(block)
    }
    return [
        tuple(node.module.split("."))[1:]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and id(node) not in typing_only
        if (node.module or "").split(".")[0] == "catviz"
    ]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_no_module_imports_from_a_layer_above(path: Path) -> None:
    own = layer(path.relative_to(FOLDER).with_suffix("").parts)
    above = [".".join(parts) for parts in imported(path) if layer(parts) > own]
    assert not above


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(FOLDER)))
def test_figures_are_drawn_from_data_not_from_models(path: Path) -> None:
    parts = path.relative_to(FOLDER).parts
    models = {"lens", "bridge", "reading", "density", "effects"}
    if parts[0] == "figures":
        assert not [one for one in imported(path) if one and one[0] in models]
