"""The last notebooks, run from top to bottom; the first ones run beside them, on another core."""

from __future__ import annotations

import re

import pytest

from tests.notebooks import FOLDER, NOTEBOOKS, check_run, outputs, run_notebook

LATER = [path for path in NOTEBOOKS if path.name >= "06"]
WORKSHOP, SOLUTIONS = FOLDER / "08_workshop.ipynb", FOLDER / "08_workshop_solutions.ipynb"
EXERCISES = 6

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of the kernel's own machinery
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]


@pytest.mark.parametrize(
    "path",
    [path for path in LATER if path not in (WORKSHOP, SOLUTIONS)],
    ids=lambda path: path.name,
)
def test_notebook_runs(path, tmp_path):
    check_run(run_notebook(path, tmp_path))


def test_the_workshop_runs_without_an_answer(tmp_path):
    notebook = run_notebook(WORKSHOP, tmp_path)
    check_run(notebook)
    assert _told(notebook, r"^Nothing is written here yet") == EXERCISES


def test_every_check_accepts_the_solutions(tmp_path):
    notebook = run_notebook(SOLUTIONS, tmp_path)
    check_run(notebook)
    assert _told(notebook, r"^(Right\.|Noted:)") == EXERCISES


def _told(notebook, pattern) -> int:
    texts = [output.get("data", {}).get("text/plain", "") for output in outputs(notebook)]
    return sum(bool(re.search(pattern, text)) for text in texts)
