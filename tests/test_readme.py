"""What the README shows runs."""

import re
from pathlib import Path
from statistics import fmean

import pytest
import torch

from cat.experiments import DATA
from cat.experiments.sweeps import OURS, larger_alpha, paper_alpha, paper_settings
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
    "plain fine-tuning": ("plain", lambda run: {}),
    "CAT, the paper's alpha": ("cat", lambda run: {"alpha": paper_alpha(run.data, lora=run.lora)}),
    "CAT, an alpha that binds": ("cat", lambda run: {"alpha": larger_alpha(run.model)}),
    "CAT, ours": ("cat", lambda run: dict(OURS)),
    "CDA": ("cda", lambda run: {}),
    "attention MSE": ("attention-mse", lambda run: {}),
    "attention cross-entropy": ("attention-ce", lambda run: {}),
    "causal words only": ("causal-only", lambda run: {}),
}
TABLES = {  # what the head starts with -> the model, its tests, (data, LoRA) per column
    "`tiny`": ("tiny", ["ood"], [(data, False) for data in DATA]),
    "SmolLM2": (
        "smollm2",
        ["iid", "ood"],
        [*((data, False) for data in DATA[:3]), *((data, True) for data in DATA[:2])],
    ),
}


@pytest.mark.parametrize("head", TABLES)
def test_the_tables_of_results_are_what_the_runs_gave(head):
    model, tests, columns = TABLES[head]
    results = [
        r
        for r in read_results(ROOT / "results")
        if r.run.model == model
        and r.run.strength == 1
        and r.run.settings == paper_settings(model, r.run.data, lora=r.run.lora)
    ]
    (table,) = re.findall(rf"^\| {head}: .*\n\|-.*\n((?:\|.*\n)+)", README, re.MULTILINE)
    for line in table.splitlines():
        name, *told = line.strip("| ").split(" | ")
        method, options = METHODS[name]
        for (data, lora), percents in zip(columns, told, strict=True):
            found = [
                r
                for r in results
                if (r.run.data, r.run.lora, r.run.method) == (data, lora, method)
                and dict(r.run.options) == options(r.run)
            ]
            if not found:
                assert percents == "\N{EN DASH}", (name, data, lora)
                continue
            means = [100 * fmean(r.score("accuracy", test) for r in found) for test in tests]
            given = [float(percent) for percent in percents.split(" / ")]
            assert given == pytest.approx(means, abs=0.0501), (name, data, lora)


def gain(data, options, *, lora):
    """What CAT has more than plain training on SmolLM2, out of distribution."""
    runs = [
        r
        for r in read_results(ROOT / "results")
        if (r.run.model, r.run.data, r.run.lora) == ("smollm2", data, lora)
        and r.run.settings == paper_settings("smollm2", data, lora=lora)
    ]
    (cat,) = cells(r for r in runs if r.run.method == "cat" and dict(r.run.options) == options)
    (plain,) = cells(r for r in runs if r.run.method == "plain")
    return difference(cat, plain, "accuracy", "ood")


def test_what_cat_gains_on_smollm2_is_what_the_runs_gave():
    gains = [gain(data, dict(OURS), lora=False) for data in DATA[:3]]
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


def test_what_cat_gains_with_lora_is_what_the_runs_gave():
    paper, binding = (
        [gain(data, {"alpha": alpha}, lora=True) for data in DATA[:2]]
        for alpha in (paper_alpha("STG_S", lora=True), larger_alpha("smollm2"))
    )
    number, whole = r"(-?\d+\.\d)", r"(-?\d+)"
    told = re.search(
        rf"the paper's 0\.35\s+gives\s+{number}\s+and\s+{number}\s+points\s+"
        rf"\({whole} to {whole}, {whole} to {whole}\),\s+alpha 3\s+{number}\s+and\s+{number}\s+"
        rf"\({whole} to {whole}, {whole} to {whole}\)",
        README,
    )
    means = [told[n] for n in (1, 2, 7, 8)]
    intervals = [told[n] for n in (3, 4, 5, 6, 9, 10, 11, 12)]
    gains = [*paper, *binding]
    assert [*map(float, means)] == pytest.approx([100 * g.mean for g in gains], abs=0.0501)
    bounds = [100 * bound for g in gains for bound in g.over_texts]
    assert [*map(float, intervals)] == pytest.approx(bounds, abs=0.501)
