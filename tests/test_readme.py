"""What the README shows runs."""

import re
from pathlib import Path

import pytest
import torch

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.mark.parametrize("block", BLOCKS, ids=range(len(BLOCKS)))
def test_python_block_runs(block, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    attention = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    exec(block, {"attention": attention, "causes": torch.tensor([[[0, 0], [1, 0]]])})


def test_comments_in_the_game_block_are_true():
    values: dict[str, object] = {}
    lines = next(block for block in BLOCKS if "counterfactual" in block).splitlines()
    exec("\n".join(line for line in lines if "import" in line or line.startswith("person")), values)
    for line in lines:
        if match := re.match(r"(STG_E\..*?)\s+# ('.*')$", line):
            assert eval(match[1], values) == eval(match[2])


def test_every_picture_and_file_that_is_named_exists():
    root = Path(__file__).parent.parent
    named = [*re.findall(r'(?:src|srcset)="([^"]+)"', README), "notebooks/01_first_look.ipynb"]
    assert named
    for name in named:
        assert (root / name).is_file(), name
