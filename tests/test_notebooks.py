"""Notebooks as files: without outputs, of short cells, listed with their time, solved elsewhere."""

from __future__ import annotations

import json
import re
import sysconfig
from pathlib import Path

import nbformat
import pytest

from tests.notebooks import FOLDER, NOTEBOOKS, ROOT

LONGEST_CELL = 15  # lines of code; what is longer belongs into the package
CONTENTS = (FOLDER / "README.md").read_text(encoding="utf-8")
each = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)


def _cells(path, kind):
    notebook = json.loads(path.read_text(encoding="utf-8"))
    return [cell for cell in notebook["cells"] if cell["cell_type"] == kind]


@each
def test_notebook_is_valid_and_clean(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    check_clean(notebook)


def check_clean(notebook):
    assert "widgets" not in notebook["metadata"]
    for cell in notebook["cells"]:
        assert not cell.get("outputs")
        assert cell.get("execution_count") is None
        assert set(cell["metadata"]) <= {"tags"}


@pytest.mark.parametrize("spoilt", ["outputs", "execution_count", "widgets"])
def test_the_check_finds_what_a_run_leaves(spoilt):
    notebook = nbformat.read(NOTEBOOKS[0], as_version=4)
    cell = next(cell for cell in notebook.cells if cell.cell_type == "code")
    if spoilt == "outputs":
        cell.outputs = [nbformat.v4.new_output("stream", text="seen")]
    elif spoilt == "execution_count":
        cell.execution_count = 1
    else:
        notebook.metadata["widgets"] = {"application/vnd.jupyter.widget-state+json": {}}
    with pytest.raises(AssertionError):
        check_clean(notebook)


@each
def test_cells_are_short(path):
    for cell in _cells(path, "code"):
        lines = "".join(cell["source"]).splitlines()
        assert 0 < len(lines) <= LONGEST_CELL, lines[0]


@each
def test_the_top_says_what_for_and_how_long(path):
    top = "".join(_cells(path, "markdown")[0]["source"])
    assert top.startswith("# ")
    assert re.search(r"\*\*Time:\*\* .*(second|minute)", top)
    assert re.search(r"\*\*(Needed|Before):\*\*", top)


@each
def test_the_table_of_contents_names_it_with_its_time(path):
    line = next(line for line in CONTENTS.splitlines() if f"]({path.name})" in line)
    assert re.search(r"\d+ (s|min)\b", line), line


def test_the_table_of_contents_names_nothing_else():
    linked = re.findall(r"\]\(([^)#]+)\)", CONTENTS)
    assert [name for name in linked if not name.startswith("http")]
    for name in linked:
        assert name.startswith("http") or (FOLDER / name).is_file(), name


def test_make_lab_opens_the_table_of_contents_as_a_page():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    settings = re.search(r"--LabApp\.app_settings_dir=(\S+)", makefile)
    page = re.search(r"--LabApp\.default_url=/lab/tree/(\S+) notebooks\n", makefile)
    assert settings
    assert page
    assert (FOLDER / page[1]).read_text(encoding="utf-8") == CONTENTS
    chosen = json.loads((ROOT / settings[1] / "overrides.json").read_text(encoding="utf-8"))
    schemas = Path(sysconfig.get_path("data")) / "share" / "jupyter" / "lab" / "schemas"
    for name, values in chosen.items():
        package, _, plugin = name.partition(":")
        schema = json.loads((schemas / package / f"{plugin}.json").read_text(encoding="utf-8"))
        assert set(values) <= set(schema["properties"]), name


def test_solutions_differ_in_the_answers_alone():
    workshop, solutions = (
        _cells(FOLDER / name, "code")
        for name in ("08_workshop.ipynb", "08_workshop_solutions.ipynb")
    )
    for asked, solved in zip(workshop, solutions, strict=True):
        question, answer = "".join(asked["source"]), "".join(solved["source"])
        if "exercise" in asked["metadata"].get("tags", ()):
            dots = re.escape(question).replace(re.escape("..."), ".+")
            assert "..." in question
            assert "..." not in answer
            assert re.fullmatch(dots, answer)
        else:
            assert question == answer
