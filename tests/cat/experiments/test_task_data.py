"""Downstream tasks as the data of declared runs."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from cat.cli import main
from cat.data import digest
from cat.experiments import Run, carry_out, is_task, texts_of
from cat.experiments.run import training_texts
from cat.experiments.store import ResultStore
from cat.experiments.sweeps import PAPER_GRID, declare
from cat.experiments.task_data import asking, read_name, rules, with_digest
from cat.scoring import CHOICE, LAST_NUMBER, NUMBER
from cat.tasks import load_task
from cat.tasks.files import TASKS_VARIABLE
from tests.cat.experiments.results import line_of
from tests.cat.tasks.kit import write_tasks


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tasks(tmp_path_factory.mktemp("tasks"))


@pytest.fixture(autouse=True)
def _tasks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TASKS_VARIABLE, str(folder))


# --- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "full"),
    [("MAWPS", "MAWPS#"), ("arc_e", None), ("arc-e", "ARC-E#"), ("mawps~other", "MAWPS~other#"),
     ("gsm8k:svamp+asdiv", "GSM8K:SVAMP+ASDiv#"), ("GSM8K:GSM8K+MAWPS", "GSM8K:GSM8K+MAWPS#")],
)  # fmt: skip
def test_a_name_gets_the_digest_of_its_texts(data: str, full: str | None) -> None:
    named = with_digest(data)
    if full is None:  # left for the run to refuse
        assert named == data
        return
    assert named.startswith(full)
    assert len(named) == len(full) + 8
    assert with_digest(named) == named
    assert is_task(named)
    assert str(read_name(named)) == named


@pytest.mark.parametrize("data", ["STG_S", "STG_H", "MATH", "MAWPS:MATH", "", "MAWPS#12"])
def test_what_names_no_task(data: str) -> None:
    assert not is_task(data)


def test_the_digest_is_that_of_texts_and_signals_not_of_the_folder(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ("MAWPS", "MAWPS~other", "GSM8K:MAWPS", "SVAMP")
    before = [with_digest(name) for name in names]
    assert len({name.rpartition("#")[2] for name in before}) == len(names)
    copy = shutil.copytree(folder, tmp_path / "elsewhere")
    monkeypatch.setenv(TASKS_VARIABLE, str(copy))
    assert [with_digest(name) for name in names] == before
    run = Run("m", before[0])
    texts_of(run)

    train = copy / "MAWPS" / "mawps_train.jsonl"
    train.write_text(train.read_text("utf-8").replace('"more"', '"finds"', 1), "utf-8")
    changed = shutil.copytree(copy, tmp_path / "changed")
    monkeypatch.setenv(TASKS_VARIABLE, str(changed))
    after = [with_digest(name) for name in names]
    assert after[0] != before[0]  # one cause of one signal
    assert after[2:] == before[2:]
    with pytest.raises(ValueError, match=r"holds other texts .* of MAWPS than this run's"):
        texts_of(run)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"data": "MAWPS"}, "got 'MAWPS' .*named with the digest of its texts"),
        ({"data": "mawps#01234567"}, "got 'mawps#01234567'"),
        ({"data": "MAWPS#01234567", "strength": 0.5}, "expected strength 1 on MAWPS, got 0.5"),
    ],
)
def test_runs_that_are_none(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Run(**{"model": "tiny", **wrong})


# --- texts, and how they are asked ----------------------------------------------------------------


def test_a_task_is_asked_its_test_and_validation_texts(folder: Path) -> None:
    texts = texts_of(Run("m", with_digest("MAWPS")))
    splits = load_task("MAWPS", folder)
    assert list(texts) == ["train", "MAWPS", "MAWPS val"]
    assert texts["MAWPS"] == [text.example for text in splits.test]
    assert texts["MAWPS val"] == [text.example for text in splits.val]
    assert training_texts(with_digest("MAWPS")) == 20
    assert not texts_of(Run("m", with_digest("MAWPS~other")))["train"][19].signals


def test_other_tasks_are_asked_as_a_whole(folder: Path) -> None:
    texts = texts_of(Run("m", with_digest("GSM8K:GSM8K+ASDiv+MAWPS")))
    assert {name: len(found) for name, found in texts.items()} == {
        "train": 12, "GSM8K": 5, "ASDiv": 10, "MAWPS": 30,
    }  # fmt: skip
    assert texts["ASDiv"] == [text.example for text in load_task("ASDiv", folder).whole]


@pytest.mark.parametrize(
    ("data", "test", "most", "scoring"),
    [
        ("MAWPS#01234567", "MAWPS", None, NUMBER),
        ("MAWPS#01234567", "MAWPS val", None, NUMBER),
        ("ARC-E#01234567", "ARC-E", None, CHOICE),
        ("GSM8K#01234567", "GSM8K", 512, LAST_NUMBER),
        ("GSM8K:SVAMP#01234567", "SVAMP", 512, LAST_NUMBER),
        ("GSM8K:ARC-E#01234567", "ARC-E", 512, CHOICE),
        ("SVAMP:MAWPS#01234567", "MAWPS", None, NUMBER),
    ],
)
def test_how_texts_are_asked(data: str, test: str, most: int | None, scoring: Any) -> None:
    assert asking(data, test) == {"max_new_tokens": most, "scoring": scoring}


def test_every_test_has_its_rules() -> None:
    found = rules(with_digest("GSM8K:GSM8K+ARC-E+SVAMP"))
    assert list(found) == ["GSM8K", "ARC-E", "SVAMP"]
    assert "the longest choice" in found["ARC-E"]
    assert len(found["SVAMP"]["sum of all numbers in the question"].answers) == 10


# --- sweeps ---------------------------------------------------------------------------------------


def test_the_sweeps_hold_what_the_paper_has() -> None:
    runs = declare("downstream", "TinyLlama/TinyLlama_v1.1", seeds=[42])
    assert {run.data.partition("#")[0] for run in runs} == {
        "MAWPS", "SVAMP", "ARC-E", "GSM8K:GSM8K+ASDiv+MAWPS+SVAMP",
    }  # fmt: skip
    assert {run.options.get("alpha") for run in runs} == {None, 0.2, 3.0}  # appendix F, and ours
    assert {run.options.get("alpha") for run in declare("downstream", "Qwen/Qwen2.5-1.5B")} == {
        None, 0.3, 3.0,
    }  # fmt: skip
    over_alpha = declare("downstream_alpha", "smollm2", seeds=[0], data=["ARC-E"], lora=[True])
    alphas = [run.options["alpha"] for run in over_alpha if run.method == "cat"]
    assert tuple(alphas[:7]) == PAPER_GRID
    gammas = declare("downstream_gamma", "smollm2", seeds=[0], data=["SVAMP"], lora=[False])
    alphas = ({"alpha": 0.3}, {"alpha": 3.0})
    assert [run.options for run in gammas] == [
        {}, *alphas, *({**alpha, "gamma": "1"} for alpha in alphas)
    ]  # fmt: skip
    plain_and_cat = declare("downstream", "smollm2", seeds=[0], lora=[True], data=["ARC-E"])
    assert {run.key for run in plain_and_cat} <= {run.key for run in over_alpha}  # run once


def test_a_task_that_is_not_there_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(TASKS_VARIABLE, str(tmp_path))
    with pytest.raises(FileNotFoundError, match="expected files of SVAMP"):
        declare("downstream", "tiny", data=["SVAMP"])
    monkeypatch.delenv(TASKS_VARIABLE)
    with pytest.raises(ValueError, match="--tasks FOLDER"):
        declare("downstream", "tiny", data=["SVAMP"])


def test_the_command_takes_the_folder(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(TASKS_VARIABLE, "")  # restored at the end
    monkeypatch.setattr("cat.experiments.workers.carry_out", lambda run, **watched: line_of(run))
    command = ["sweep", "downstream", "--model", "tiny", "--data", "MAWPS", "gsm8k:svamp"]
    command += ["--seeds", "1", "--tasks", os.path.relpath(folder), "--results", str(tmp_path)]
    assert main(command) == 0
    keys = [line["key"] for line in ResultStore(tmp_path).lines()]
    assert len(keys) == 6
    assert keys[3] == f"tiny {with_digest('GSM8K:SVAMP')} plain seed=0"
    assert not any(str(folder) in json.dumps(line) for line in ResultStore(tmp_path).lines())


# --- a run ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def model(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A Llama of two layers with fresh weights, and a tokenizer that knows the texts."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from tests.cat.alignment_kit import byte_level_digits

    texts = [text.example.full_text for text in load_task("MAWPS", folder).whole]
    tokenizer = byte_level_digits(texts)
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        eos_token_id=tokenizer.eos_token_id,
        bos_token_id=None,
    )
    path = tmp_path_factory.mktemp("model")
    LlamaForCausalLM(config).save_pretrained(path)
    tokenizer.save_pretrained(path)
    return str(path)


@pytest.mark.usefixtures("one_torch_thread")
def test_a_run_on_a_task(model: str) -> None:
    data = with_digest("MAWPS")
    seen: list[Any] = []
    settings = {"per_device_train_batch_size": 10}
    run = Run(model, data, "cat", {"alpha": 5.0}, settings=settings)
    line = carry_out(run, on_record=seen.append)
    assert (
        line["key"]
        == run.key
        == f"{model} {data} cat alpha=5 {'per_device_train_batch_size=10'} seed=0"
    )
    assert line["run"] == asdict(run)
    assert line["steps"] == len(seen) == 4 * 2  # the paper's 4 epochs
    assert seen[0].attn_loss > 0
    assert list(line["scores"]) == ["MAWPS", "MAWPS val"]
    assert line["scores"]["MAWPS"]["texts"] == len(line["scores"]["MAWPS"]["right"]) == 6
    assert line["scores"]["MAWPS"]["scoring"] == "number"
    assert set(line["references"]) == {"MAWPS", "MAWPS val"}
    assert line["references"]["MAWPS"]["sum of all numbers in the question"] == {"accuracy": 1.0}
    assert set(line["data"]) == {"train", "MAWPS", "MAWPS val", "signals"}
    assert line["data"]["train"] == digest(texts_of(run)["train"])
    assert "no roles" in line["measures"]["left_out"]["effects"]
    assert json.loads(json.dumps(line, allow_nan=False)) == json.loads(json.dumps(line))


@pytest.mark.usefixtures("one_torch_thread")
def test_a_run_tested_on_other_tasks(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Answers of 4 tokens in place of 512."""
    monkeypatch.setattr(
        "cat.experiments.run.asking", lambda *which: {**asking(*which), "max_new_tokens": 4}
    )
    run = Run(model, with_digest("GSM8K:SVAMP+ARC-E"), settings={"num_train_epochs": 1})
    line = carry_out(run)
    assert line["steps"] == 1
    assert {name: (s["texts"], s["scoring"]) for name, s in line["scores"].items()} == {
        "SVAMP": (10, "last number"),
        "ARC-E": (17, "choice"),
    }
    assert "balanced_accuracy" in line["scores"]["ARC-E"]
