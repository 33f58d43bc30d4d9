"""What the README shows runs."""

import re
from pathlib import Path

import pytest
import torch

README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """What a reader has who ran every block in order."""
    attention = torch.tensor([[[1.0, 0.0], [0.5, 0.5]]])
    names: dict[str, object] = {
        "attention": attention,
        "causes": torch.tensor([[[0, 0], [1, 0]]]),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path_factory.mktemp("reader"))
        for block in BLOCKS:
            exec(block, names)
        assert {path.name for path in Path().iterdir()} >= {"strip.pdf", "effects.svg"}
    return names


def test_the_python_blocks_run_in_order(session):
    assert session["loss"] >= 0


def test_accuracies_in_comments_are_true(session):
    told = re.findall(r"^(\w+\(.*\).*?)\s+# accuracy ([\d.]+) -> ([\d.]+)", README, re.MULTILINE)
    assert len(told) == 2
    for call, before, after in told:
        found = eval(call, session)
        assert f"{found.accuracy_before:.3f}" == before
        assert f"{found.accuracy_after:.3f}" == after


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
