"""The declared sweeps."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cat.experiments import Run
from cat.experiments.sweeps import OURS, SWEEPS, declare, paper_alpha
from cat.methods import METHODS, make_method
from cat.tasks.files import TASKS_VARIABLE
from tests.cat.tasks.kit import write_tasks


@pytest.fixture(autouse=True, scope="module")
def _tasks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(TASKS_VARIABLE, str(write_tasks(tmp_path_factory.mktemp("tasks"))))
        yield


@pytest.mark.parametrize("sweep", SWEEPS)
@pytest.mark.parametrize("model", ["tiny", "Qwen/Qwen2.5-1.5B"])
def test_every_declared_run_is_one_that_can_be_carried_out(sweep: str, model: str) -> None:
    runs = declare(sweep, model, seeds=[0, 3])
    assert len({run.key for run in runs}) == len(runs)
    for run in runs:
        make_method(run.method, **run.options)
    assert {run.lora for run in runs} == ({False} if model == "tiny" else {False, True})
    # Stopped half-way, a sweep has every cell with one seed.
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)


def test_table1_has_every_method_on_every_data_set() -> None:
    runs = declare("table1", "tiny", seeds=[0])
    for data in ("STG_S", "STG_M", "STG_L", "STG_H"):
        here = [run for run in runs if run.data == data]
        assert {run.method for run in here} == set(METHODS)
        cat = [run.options for run in here if run.method == "cat"]
        forms = {"hinge", "div", "div2", "nll", "each"}
        assert {options.get("form", "hinge") for options in cat} == forms
        assert len({options["alpha"] for options in cat}) == 3


def test_the_ablation_takes_away_each_option_of_ours() -> None:
    runs = declare("ablation", "smollm2", seeds=[0], lora=[False])
    cells = [run.options for run in runs if set(run.options) == set(OURS)]
    assert OURS in cells
    changed = [{name for name in OURS if cell[name] != OURS[name]} for cell in cells]
    assert sorted(map(sorted, changed)) == sorted(
        [[], *([name] for name in OURS if name != "alpha")]
    )


@pytest.mark.parametrize(
    ("data", "lora", "alpha"), [("STG_H", True, 0.3), ("STG_H", False, 0.2), ("STG_L", False, 0.6)]
)
def test_the_papers_alpha(data: str, lora: bool, alpha: float) -> None:
    assert paper_alpha(data, lora=lora) == alpha  # section 5.1 and appendix F


@pytest.mark.parametrize(
    ("model", "data", "lora", "rate"),
    [
        ("smollm2", "STG_M", True, 1e-3),
        ("Qwen/Qwen2.5-1.5B", "STG_M", True, 1e-3),
        ("Qwen/Qwen2.5-1.5B", "STG_M", False, 1e-4),
        ("smollm2", "STG_M", False, None),
        ("smollm2", "STG_H", True, None),
        ("meta-llama/Llama-3.1-8B-Instruct", "STG_M", True, None),
        ("TinyLlama/TinyLlama-1.1B-Chat-v1.0", "STG_L", True, 1e-3),
        ("some/other-model", "STG_M", True, None),
        ("tiny", "STG_M", True, None),
    ],
)
def test_the_papers_learning_rates(model: str, data: str, lora: bool, rate: float | None) -> None:
    (run,) = declare("core", model, seeds=[0], methods=["plain"], data=[data], lora=[lora])
    assert run.settings == ({"learning_rate": rate} if rate else {})  # appendix F; else the usual
    given = declare("core", model, data=[data], lora=[lora], settings={"learning_rate": 3e-4})
    assert {run.settings["learning_rate"] for run in given} == {3e-4}


def test_the_curves_hold_the_papers_grid() -> None:
    runs = declare("alpha", "smollm2", seeds=[0], data=["STG_S"], lora=[False])
    alphas = [run.options["alpha"] for run in runs if run.method == "cat"]
    assert alphas[:7] == [0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.35]
    assert alphas == sorted(alphas)


def test_sweeps_share_their_runs() -> None:
    table = {run.key for run in declare("table1", "tiny")}
    for part in ("sizes", "core"):
        assert {run.key for run in declare(part, "tiny")} < table
    shared = {run.key for run in declare("strength", "tiny", data=["STG_M"])} & table
    assert "tiny STG_M jtt seed=0" in shared  # all of those at strength 1
    assert len(shared) == len(declare("strength", "tiny", data=["STG_M"])) / 6


def test_a_part_of_a_sweep() -> None:
    runs = declare(
        "table1",
        "tiny",
        seeds=[7],
        methods=["cda", "plain"],
        data=["STG_H"],
        lora=[True],
        dtype="bfloat16",
        settings={"num_train_epochs": 1},
    )
    assert [run.key for run in runs] == [
        "tiny STG_H plain lora bfloat16 num_train_epochs=1 seed=7",
        "tiny STG_H cda lora bfloat16 num_train_epochs=1 seed=7",
    ]
    assert runs[0] == Run(
        "tiny",
        "STG_H",
        seed=7,
        lora=True,
        dtype="bfloat16",
        settings={"num_train_epochs": 1},
    )


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"sweep": "table9"}, "expected a sweep of table1, core, alpha"),
        ({"seeds": []}, "at least one seed"),
        ({"methods": ["plain", "magic"]}, "got 'magic'"),
        ({"data": ["STG_X"]}, "expected data as one of STG_S"),
        ({"dtype": "float8"}, "expected dtype as one of float32, bfloat16"),
    ],
)
def test_what_cannot_be_declared(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        declare(**{"sweep": "sizes", "model": "tiny", **wrong})
