"""`cat.trainer`: gamma, the records of each step, and evaluation."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from cat.config import gamma_at
from cat.evaluate import evaluate_answers
from tests.cat.trainings import (
    DESCENT,
    assert_same_weights,
    config,
    shortened,
    stg,
    trainer,
    uneven,
    weights,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")


# --- gamma ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("batch", "accumulation", "steps_an_epoch"),
    [(8, 1, 4), (8, 2, 2), (12, 1, 3), (8, 3, 2)],
    ids=["", "accumulated", "short last batch", "short last step"],
)
def test_gamma_is_that_of_the_epoch_which_the_step_belongs_to(
    tmp_path: Path, batch: int, accumulation: int, steps_an_epoch: int
) -> None:
    run = trainer(
        tmp_path,
        stg("train_S", 32),
        alpha=10.0,
        num_train_epochs=3,
        per_device_train_batch_size=batch,
        gradient_accumulation_steps=accumulation,
    )
    gammas = [record.gamma for record in run.steps()]
    assert gammas == [math.exp(-(i // steps_an_epoch)) for i in range(3 * steps_an_epoch)]


def test_gamma_may_be_constant(tmp_path: Path) -> None:
    run = trainer(tmp_path, stg("train_S", 32), alpha=10.0, gamma="0.25", num_train_epochs=2)
    for record in run.steps():
        assert record.gamma == 0.25
        assert record.loss == pytest.approx(record.lm_loss + 0.25 * record.attn_loss)


def test_gamma_zero_is_plain_fine_tuning(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"max_steps": 4, **DESCENT}
    plain = trainer(tmp_path, uneven(32), **settings)
    weighted = trainer(tmp_path, uneven(32), alpha=10.0, gamma="0", **settings)
    list(plain.steps())
    assert all(record.attn_loss > 1 for record in weighted.steps())
    for name, value in weights(plain.model).items():
        torch.testing.assert_close(weights(weighted.model)[name], value, atol=1e-7, rtol=0)


@pytest.mark.parametrize(
    ("gamma", "epoch", "expected"),
    [("epoch", 0.0, 1.0), ("epoch", 0.99, 1.0), ("epoch", 2.5, math.exp(-2)), (0.3, 5.0, 0.3)],
)
def test_gamma_at(gamma: str | float, epoch: float, expected: float) -> None:
    assert gamma_at(gamma, epoch) == expected


@pytest.mark.parametrize("gamma", ["epochs", "", "-1", "nan", "inf", -0.5, None])
def test_bad_gammas_are_refused(tmp_path: Path, gamma: Any) -> None:
    with pytest.raises(ValueError, match=r'expected gamma "epoch" .* or a number >= 0, got'):
        config(tmp_path, alpha=1.0, gamma=gamma)


# --- records and logs -----------------------------------------------------------------------------


def test_records_tell_what_each_step_used(tmp_path: Path) -> None:
    run = trainer(
        tmp_path, stg("train_S", 40), alpha=10.0, num_train_epochs=2, logging_steps=1
    )  # 3 steps an epoch
    records = list(run.steps())
    assert run.records == records
    assert [record.step for record in records] == [1, 2, 3, 4, 5, 6]
    assert [record.epoch for record in records] == pytest.approx([i / 3 for i in range(1, 7)], 1e-5)
    assert {record.total_steps for record in records} == {6}

    logged = [entry for entry in run.state.log_history if "lm_loss" in entry]
    assert len(logged) == 6
    for entry, record in zip(logged, records, strict=True):
        # The Trainer's own log has the rate with which the step was made, and its loss.
        assert record.learning_rate == entry["learning_rate"]
        assert record.loss == pytest.approx(entry["loss"], abs=1e-4)
        names = ("lm_loss", "attn_loss", "gamma", "ratio_mean", "active_row_share", "causal_mass")
        assert {name: entry[name] for name in names} == {n: getattr(record, n) for n in names}
    assert records[0].learning_rate == 0  # the warm-up's first


def test_a_step_without_any_valid_row(tmp_path: Path) -> None:
    """Its loss term is 0 and its ratios are unknown, not NaN."""
    examples = [*uneven(4), *(shortened(e, 4, signals=False) for e in stg("train_S", 4))]
    run = trainer(
        tmp_path,
        examples,
        alpha=10.0,
        per_device_train_batch_size=4,
        train_sampling_strategy="sequential",
        num_train_epochs=1,
    )
    first, second = run.steps()
    assert first.attn_loss > 0
    assert second.attn_loss == 0
    assert second.loss == second.lm_loss
    assert second.ratio_mean is second.active_row_share is second.causal_mass is None


def test_a_second_training_starts_with_clean_records(tmp_path: Path) -> None:
    run = trainer(tmp_path, stg("train_S", 32), alpha=10.0, max_steps=2)
    assert [record.step for record in run.steps()] == [1, 2]
    assert [record.step for record in run.steps()] == [1, 2]


# --- evaluation -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"eval_strategy": "epoch"},
        {"eval_strategy": "steps", "eval_steps": 3},
        {"eval_strategy": "epoch", "eval_on_start": True},
    ],
    ids=["epoch", "steps", "on start"],
)
def test_evaluation_leaves_the_training_as_it_is(tmp_path: Path, settings: dict[str, Any]) -> None:
    """Dropout would show it if evaluation drew random numbers, or left the model in eval mode."""
    sets = {"iid": stg("test_iid", 20), "ood": stg("test_ood", 30)}
    shared = {"alpha": 10.0, "num_train_epochs": 2, "lora": {"dropout": 0.2}}
    quiet = trainer(tmp_path, stg("train_S", 64), **shared)
    list(quiet.steps())
    watched = trainer(tmp_path, stg("train_S", 64), eval_examples=sets, **shared, **settings)
    list(watched.steps())
    assert watched.records == quiet.records
    assert_same_weights(watched.model, quiet.model)

    logged = [entry for entry in watched.state.log_history if "eval_iid_accuracy" in entry]
    expected = {"epoch": [4, 8], "steps": [3, 6, 8]}[settings["eval_strategy"]]
    at_start = [0] if settings.get("eval_on_start") else []
    assert [entry["step"] for entry in logged] == at_start + expected
    assert all({"eval_iid_accuracy", "eval_ood_accuracy"} <= entry.keys() for entry in logged)


def test_the_best_model_may_be_kept(tmp_path: Path) -> None:
    sets = {"ood": stg("test_ood", 50)}
    run = trainer(
        tmp_path,
        stg("train_S", 96),
        alpha=10.0,
        eval_examples=sets,
        num_train_epochs=3,
        eval_strategy="epoch",
        save_strategy="epoch",
        save_total_limit=None,
        load_best_model_at_end=True,
        metric_for_best_model="ood_accuracy",
    )
    list(run.steps())
    scores = [e["eval_ood_accuracy"] for e in run.state.log_history if "eval_ood_accuracy" in e]
    assert len(scores) == 3
    assert run.state.best_metric == max(scores)
    assert run.evaluate()["eval_ood_accuracy"] == max(scores)


def test_evaluate_one_set_or_several(tmp_path: Path) -> None:
    run = trainer(tmp_path, stg("train_S", 16))
    texts = stg("test_iid", 12)
    expected = evaluate_answers(run.model, run.tokenizer, texts).accuracy
    assert run.evaluate(texts)["eval_accuracy"] == expected
    assert run.evaluate({"a": texts}, metric_key_prefix="test")["test_a_accuracy"] == expected
    with pytest.raises(ValueError, match="expected examples to evaluate on"):
        run.evaluate()
