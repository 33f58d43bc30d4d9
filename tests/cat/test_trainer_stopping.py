"""`cat.trainer`: stopping, changing alpha on the way, and failing."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import TrainerCallback

from cat.config import CATConfig
from cat.models import load_model
from cat.records import StepRecord
from cat.signals import Example
from cat.stg import stg_h
from cat.trainer import CATTrainer, last_checkpoint, step_of
from tests.cat.trainings import DESCENT, assert_same_weights, stg, trainer, uneven, weights

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")


# --- stopping, changing, failing ------------------------------------------------------------------


@pytest.mark.parametrize("save_strategy", ["epoch", "steps", "no"])
def test_closing_leaves_a_checkpoint(tmp_path: Path, save_strategy: str) -> None:
    run = trainer(tmp_path, stg("train_S", 64), alpha=10.0, save_strategy=save_strategy)
    records = run.steps()
    for _ in range(3):
        next(records)
    records.close()
    checkpoint = last_checkpoint(tmp_path)
    if save_strategy == "no":
        assert checkpoint is None
        assert "no checkpoint" in run.where_it_stopped()
    else:
        assert checkpoint == tmp_path / "checkpoint-3"
        assert str(checkpoint) in run.where_it_stopped()
    assert "after step 3 of 24" in run.where_it_stopped()


def test_a_closed_training_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    whole = trainer(tmp_path / "whole", stg("train_S", 64), alpha=10.0, num_train_epochs=2)
    list(whole.steps())

    settings = {"alpha": 10.0, "num_train_epochs": 2, "save_strategy": "epoch"}
    first = trainer(tmp_path / "parts", stg("train_S", 64), **settings)
    for record in first.steps():
        if record.step == 3:
            break
    gc.collect()
    second = trainer(tmp_path / "parts", stg("train_S", 64), **settings)
    rest = list(second.steps(resume_from=last_checkpoint(tmp_path / "parts")))
    assert rest == whole.records[3:]
    assert_same_weights(second.model, whole.model)


def test_dropping_the_generator_ends_the_training(tmp_path: Path) -> None:
    run = trainer(tmp_path, stg("train_S", 64), alpha=10.0, save_strategy="epoch")
    records = run.steps()
    next(records)
    del records
    gc.collect()
    assert run.state.global_step == 1
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-1"


def test_a_stop_may_be_asked_for_from_outside(tmp_path: Path) -> None:
    """As a button does: the generator then ends by itself."""
    run = trainer(tmp_path, stg("train_S", 64), alpha=10.0, save_strategy="epoch")
    seen = []
    for record in run.steps():
        seen.append(record.step)
        if record.step == 2:
            run.request_stop()
    assert seen == [1, 2]
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
    assert len(list(run.steps())) == 24  # the request was for that training only


def test_a_stop_may_come_before_the_thread_has_begun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trainer(tmp_path, stg("train_S", 64), alpha=10.0)
    train = run.train

    def stopped_at_once(**kwargs: Any) -> Any:
        run.request_stop()
        return train(**kwargs)

    monkeypatch.setattr(run, "train", stopped_at_once)
    assert [record.step for record in run.steps()] == [1]


def test_alpha_may_change_between_records(tmp_path: Path) -> None:
    run = trainer(tmp_path, stg("train_S", 64), alpha=10.0, max_steps=4)
    records = run.steps()
    assert next(records).active_row_share == 1
    run.args.alpha = 1e-6
    lenient = next(records)
    assert lenient.active_row_share == 0
    assert lenient.attn_loss == 0
    run.args.alpha = None  # plain from here on
    assert next(records).attn_loss is None
    run.args.alpha = 20.0
    assert next(records).attn_loss > 10
    records.close()


def test_a_bad_alpha_between_records_is_an_error_there(tmp_path: Path) -> None:
    run = trainer(tmp_path, stg("train_S", 64), alpha=10.0)
    records = run.steps()
    next(records)
    run.args.alpha = -1.0
    with pytest.raises(ValueError, match=r"expected alpha as a positive number .*got -1\.0"):
        next(records)


class Failing(TrainerCallback):
    def on_step_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        if state.global_step == 2:
            raise ArithmeticError("in a callback")


def test_an_error_inside_training_surfaces(tmp_path: Path) -> None:
    run = trainer(tmp_path, stg("train_S", 64), alpha=10.0, callbacks=[Failing()])
    seen: list[StepRecord] = []
    with pytest.raises(ArithmeticError, match="in a callback"):
        seen.extend(run.steps())
    assert [record.step for record in seen] == [1, 2]


def test_train_is_transformers_train(tmp_path: Path) -> None:
    """Without a generator: the same weights, and the records are there afterwards."""
    stepwise = trainer(tmp_path, stg("train_S", 64), alpha=10.0, max_steps=3)
    list(stepwise.steps())
    at_once = trainer(tmp_path, stg("train_S", 64), alpha=10.0, max_steps=3)
    output = at_once.train()
    assert output.global_step == 3
    assert at_once.records == stepwise.records
    assert_same_weights(at_once.model, stepwise.model)


@pytest.mark.gpu
@pytest.mark.parametrize("lora", [None, {"dropout": 0.0}], ids=["full", "lora"])
def test_on_a_gpu(tmp_path: Path, lora: dict[str, Any] | None) -> None:
    """The same records as on the CPU, a checkpoint, and the rest of the run from it."""
    settings: dict[str, Any] = {
        "model": "tiny-word",
        "lora": lora,
        "alpha": 10.0,
        "num_train_epochs": 2,
        "gradient_accumulation_steps": 2,
        "save_strategy": "epoch",
        **DESCENT,
    }
    on_cpu = trainer(tmp_path / "cpu", uneven(96), **settings)
    list(on_cpu.steps())
    on_gpu = trainer(tmp_path / "gpu", uneven(96), use_cpu=False, **settings)
    assert on_gpu.args.device.type == "cuda"
    records = []
    for record in on_gpu.steps():
        records.append(record)
        if record.step == 4:
            break
    gc.collect()
    again = trainer(tmp_path / "gpu", uneven(96), use_cpu=False, **settings)
    records += again.steps(resume_from=last_checkpoint(tmp_path / "gpu"))
    for ours, theirs in zip(records, on_cpu.records, strict=True):
        assert ours.to_dict() == pytest.approx(theirs.to_dict(), rel=1e-2, abs=1e-3)


@pytest.mark.gpu
def test_bfloat16_on_a_gpu(tmp_path: Path) -> None:
    """Autocast: the attention rows stay float32, and the causes win all the same."""
    run = trainer(
        tmp_path, stg("train_S", 400), alpha=10.0, num_train_epochs=3, use_cpu=False, bf16=True
    )
    records = list(run.steps())
    assert records[-1].causal_mass > 0.9
    assert records[-1].lm_loss < 0.5 * records[0].lm_loss


# --- LoRA and checkpoints -------------------------------------------------------------------------


def test_an_adapters_first_weights_come_from_the_seed(tmp_path: Path) -> None:
    def first_weights(seed: int) -> dict[str, Tensor]:
        return weights(trainer(tmp_path, stg("train_S", 4), lora={}, seed=seed).model)

    first, again, other = first_weights(1), first_weights(1), first_weights(2)
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert [name for name in first if not torch.equal(first[name], other[name])]


def test_lora_leaves_the_base_as_it_is(tmp_path: Path) -> None:
    base, _ = load_model("tiny")
    run = trainer(tmp_path, stg("train_S", 32), alpha=10.0, lora={}, max_steps=3)
    list(run.steps())
    with run.model.disable_adapter():
        inputs = torch.tensor([[3, 4, 5, 6]])
        torch.testing.assert_close(run.model(inputs).logits, base(inputs).logits)
    tuned = {name for name, p in run.model.named_parameters() if p.requires_grad}
    assert tuned
    assert all("lora" in name for name in tuned)


def test_last_checkpoint_is_the_newest_complete_one(tmp_path: Path) -> None:
    assert last_checkpoint(tmp_path / "nowhere") is None
    assert last_checkpoint(tmp_path) is None
    for name, state in {
        "checkpoint-9": "{}",
        "checkpoint-10": "{}",
        "checkpoint-90": '{"global_step": 9',  # killed while it was written
        "checkpoint-100": "",
        "checkpoint-best": "{}",
        "checkpoint-": "{}",
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "trainer_state.json").write_text(state)
    (tmp_path / "checkpoint-200").mkdir()
    (tmp_path / "checkpoint-300").write_text("a file")
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-10"
    assert step_of(tmp_path / "checkpoint-90") == 90


def test_texts_in_words_that_the_tokenizer_does_not_know_are_refused(tmp_path: Path) -> None:
    model, tokenizer = load_model("tiny")
    examples = [Example.from_record(record) for record in stg_h(1, n_train=8, n_test=1)["train"]]
    settings = CATConfig(output_dir=str(tmp_path), use_cpu=True)
    with pytest.raises(ValueError, match="smollm2"):
        CATTrainer(model, settings, examples, tokenizer=tokenizer)
