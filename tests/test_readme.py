"""What the README shows runs."""

import re
from pathlib import Path

import pytest
import torch

from cat.experiments import DATA
from cat.experiments.sweeps import OURS, larger_alpha, paper_alpha
from catviz.results.estimates import average, cells, difference
from catviz.results.reading import read_results

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
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
    named = [*re.findall(r'(?:src|srcset)="([^"]+)"', README), "notebooks/01_first_look.ipynb"]
    assert named
    for name in named:
        assert (ROOT / name).is_file(), name


METHODS = {
    "plain fine-tuning": ("plain", lambda model, data: {}),
    "CAT, the paper's alpha": ("cat", lambda model, data: {"alpha": paper_alpha(data, lora=False)}),
    "CAT, an alpha that binds": ("cat", lambda model, data: {"alpha": larger_alpha(model)}),
    "CAT, ours": ("cat", lambda model, data: dict(OURS)),
    "CDA": ("cda", lambda model, data: {}),
    "attention MSE": ("attention-mse", lambda model, data: {}),
    "attention cross-entropy": ("attention-ce", lambda model, data: {}),
    "causal words only": ("causal-only", lambda model, data: {}),
}
COLUMNS = [*(("tiny", data) for data in DATA), *(("smollm2", data) for data in DATA[:3])]


@pytest.mark.parametrize("name", METHODS)
def test_the_table_of_results_is_what_the_runs_gave(name):
    section = README.split("## Does it work?")[1]
    results = [r for r in read_results(ROOT / "results") if not r.run.lora and r.run.strength == 1]
    (row,) = re.findall(rf"^\| {re.escape(name)} \| (.*) \|$", section, re.MULTILINE)
    method, options = METHODS[name]
    for (model, data), told in zip(COLUMNS, row.split(" | "), strict=True):
        found = [
            r.score("accuracy", "ood")
            for r in results
            if (r.run.model, r.run.data, r.run.method) == (model, data, method)
            and dict(r.run.options) == options(model, data)
        ]
        if not found:
            assert told == "\N{EN DASH}", (model, data)
            continue
        percent = 100 * sum(found) / len(found)
        assert float(told) == pytest.approx(percent, abs=0.0501), (model, data)


def test_what_cat_gains_on_smollm2_is_what_the_runs_gave():
    results = [r for r in read_results(ROOT / "results") if r.run.model == "smollm2"]

    def cell(data, method, options):
        wanted = (data, method, options, False)
        (found,) = cells(
            r
            for r in results
            if (r.run.data, r.run.method, dict(r.run.options), r.run.lora) == wanted
        )
        return found

    pairs = [(cell(d, "cat", dict(OURS)), cell(d, "plain", {})) for d in DATA[:3]]
    gains = [difference(ours, plain, "accuracy", "ood") for ours, plain in pairs]
    mean = average(gains)
    told = re.search(
        r"gains\s+([\d.]+) points on STG_S, ([\d.]+) on STG_M and ([\d.]+) on STG_L "
        r"\(([\d.]+) on average; 95% over texts: ([\d.]+) to ([\d.]+)\)",
        README,
    )
    found = [*(gain.mean for gain in (*gains, mean)), *mean.over_texts]
    assert [float(number) for number in told.groups()] == pytest.approx(
        [100 * value for value in found], abs=0.0501
    )
