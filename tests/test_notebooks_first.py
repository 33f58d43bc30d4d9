"""The first notebooks, run from top to bottom; the others run beside them, on another core."""

import pytest

from tests.notebooks import NOTEBOOKS, check_run, run_notebook

MINE = [path for path in NOTEBOOKS if path.name < "06"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of the kernel's own machinery
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.parametrize("path", MINE, ids=lambda path: path.name)
def test_notebook_runs(path, tmp_path):
    check_run(run_notebook(path, tmp_path))
