"""`cat.trainer`: its objective against a naive one, and what it does to attention."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import Trainer, TrainingArguments

from cat.alignment import align_all
from cat.batches import Collator
from cat.evaluate import evaluate_answers
from cat.models import load_model
from cat.signals import Example
from tests.cat.trainings import (
    DESCENT,
    FORMS,
    assert_same_weights,
    stg,
    trainer,
    uneven,
    weights,
)

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")


# --- the objective --------------------------------------------------------------------------------


def naive_objective(
    model: nn.Module,
    tokenizer: Any,
    examples: list[Example],
    *,
    alpha: float,
    gamma: float,
    form: str = "hinge",
    exclude_sink: bool = False,
) -> dict[str, Any]:
    """Text by text and row by row, from whole eager maps."""
    aligned, _ = align_all(examples, tokenizer)
    token_losses, row_costs, ratios, masses = [], [], [], []
    for item in aligned:
        ids = torch.tensor([item.input_ids])
        outputs = model(input_ids=ids, output_attentions=True, use_cache=False)
        log_probabilities = outputs.logits[0].log_softmax(-1)
        for t in range(item.answer_start, len(item.input_ids)):
            token_losses.append(-log_probabilities[t - 1, item.input_ids[t]])
        mean_map = torch.stack(outputs.attentions).mean(dim=(0, 2))[0]  # (query, key)
        for r, row in enumerate(item.rows):
            keys = range(1 if exclude_sink else 0, row + 1)
            causal = [mean_map[row, key] for key in keys if item.causes[r, key]]
            other = [mean_map[row, key] for key in keys if not item.causes[r, key]]
            if not causal or not other:
                continue
            c, n = torch.stack(causal).mean(), torch.stack(other).mean()
            cost = alpha - c / n if form == "hinge" else -torch.log(1 + c) / torch.log(1 + n)
            row_costs.append(cost if c / n < alpha else 0.0 * cost)
            ratios.append((c / n).item())
            masses.append(torch.stack(causal).sum().item())
    lm_loss = torch.stack(token_losses).mean()
    attn_loss = torch.stack(row_costs).mean()
    return {
        "objective": lm_loss + gamma * attn_loss,
        "loss": (lm_loss + gamma * attn_loss).item(),
        "lm_loss": lm_loss.item(),
        "attn_loss": attn_loss.item(),
        "ratio_mean": sum(ratios) / len(ratios),
        "active_row_share": sum(ratio < alpha for ratio in ratios) / len(ratios),
        "causal_mass": sum(masses) / len(masses),
    }


@pytest.mark.parametrize("model", ["tiny", "tiny-word"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("accumulation", [1, 4])
@pytest.mark.parametrize("exclude_sink", [False, True], ids=["", "no sink"])
def test_a_step_is_one_of_gradient_descent_on_the_objective(
    tmp_path: Path, model: str, form: str, accumulation: int, exclude_sink: bool
) -> None:
    examples = uneven(16)
    trained = trainer(
        tmp_path,
        examples,
        model=model,
        sharp=50,
        alpha=0.8,
        gamma="0.7",
        form=form,
        exclude_sink=exclude_sink,
        gradient_accumulation_steps=accumulation,
        per_device_train_batch_size=16 // accumulation,
        train_sampling_strategy="sequential",
        max_steps=1,
        **DESCENT,
    )
    oracle = copy.deepcopy(trained.model)
    oracle.set_attn_implementation("eager")
    (record,) = trained.steps()

    expected = naive_objective(
        oracle,
        trained.tokenizer,
        examples,
        alpha=0.8,
        gamma=0.7,
        form=form,
        exclude_sink=exclude_sink,
    )
    expected.pop("objective").backward()
    assert 0 < record.active_row_share < 1
    for name, value in expected.items():
        assert getattr(record, name) == pytest.approx(value, abs=1e-5), name
    for name, parameter in oracle.named_parameters():
        expected_value = parameter.detach() - DESCENT["learning_rate"] * parameter.grad
        value = trained.model.get_parameter(name).detach()
        torch.testing.assert_close(value, expected_value, atol=1e-5, rtol=0, msg=name)


@pytest.mark.parametrize("model", ["tiny", "tiny-word"])
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lora", [None, {"dropout": 0.0}], ids=["full", "lora"])
def test_accumulation_leaves_the_objective_unchanged(
    tmp_path: Path, model: str, form: str, lora: dict[str, Any] | None
) -> None:
    """Batches of 4 among which every second has no valid row, and texts of unequal length."""
    examples = uneven(48)
    runs = {}
    for size, accumulation in ((16, 1), (4, 4)):
        runs[accumulation] = trainer(
            tmp_path,
            examples,
            model=model,
            lora=lora,
            sharp=20,
            alpha=0.8,
            form=form,
            per_device_train_batch_size=size,
            gradient_accumulation_steps=accumulation,
            train_sampling_strategy="sequential",
            num_train_epochs=2,
            **DESCENT,
        )
        start = weights(runs[accumulation].model)
        assert len(list(runs[accumulation].steps())) == 6
    whole, parts = weights(runs[1].model), weights(runs[4].model)
    assert max(float((whole[name] - start[name]).abs().max()) for name in start) > 1e-3
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, atol=1e-5, rtol=0, msg=name)
    for one, other in zip(runs[1].records, runs[4].records, strict=True):
        ours, theirs = other.to_dict(), one.to_dict()
        assert ours.pop("ratio_mean") == pytest.approx(theirs.pop("ratio_mean"), rel=1e-4)
        assert ours == pytest.approx(theirs, abs=1e-5)


def test_the_papers_sum_over_rows_is_accumulated_as_a_sum(tmp_path: Path) -> None:
    records = []
    for size, accumulation in ((16, 1), (4, 4)):
        run = trainer(
            tmp_path,
            uneven(16),
            alpha=1.1,
            reduction="sum",
            per_device_train_batch_size=size,
            gradient_accumulation_steps=accumulation,
            max_steps=1,
            train_sampling_strategy="sequential",
        )
        records += list(run.steps())
    assert records[0].attn_loss == pytest.approx(records[1].attn_loss, abs=1e-5)
    assert records[0].attn_loss > 0.1


def test_the_authors_per_example_loss(tmp_path: Path) -> None:
    """One supervised row a text: the sum over violating texts, divided by their number."""
    examples = stg("train_S", 16)
    run = trainer(tmp_path, examples, sharp=100, alpha=1.0, reduction="example", max_steps=1)
    oracle = copy.deepcopy(run.model)
    oracle.set_attn_implementation("eager")
    (record,) = run.steps()
    naive = naive_objective(oracle, run.tokenizer, examples, alpha=1.0, gamma=1.0)
    assert 0 < record.active_row_share < 1
    expected = naive["attn_loss"] / record.active_row_share
    assert record.attn_loss == pytest.approx(expected, abs=1e-5)


def test_compute_loss_outside_of_a_training_divides_by_its_own_batch(tmp_path: Path) -> None:
    examples = stg("train_S", 8)
    run = trainer(tmp_path, examples, alpha=1.1, gamma="0.7")
    oracle = copy.deepcopy(run.model)
    oracle.set_attn_implementation("eager")
    loss = run.compute_loss(run.model, run.data_collator(run.train_dataset))
    naive = naive_objective(oracle, run.tokenizer, examples, alpha=1.1, gamma=0.7)
    assert loss.item() == pytest.approx(naive["loss"], abs=1e-5)
    for record in run.steps():
        assert record.lm_loss < 2 * naive["lm_loss"]  # the call before is not counted in
        break


def test_activation_checkpointing_gives_the_same_weights(tmp_path: Path) -> None:
    runs = [
        trainer(
            tmp_path,
            uneven(16),
            model="tiny-word",
            alpha=10.0,
            max_steps=3,
            activation_checkpointing=checkpointing,
        )
        for checkpointing in (False, True)
    ]
    assert runs[1].args.activation_checkpointing_kwargs["use_reentrant"] is False
    for run in runs:
        list(run.steps())
    assert_same_weights(runs[0].model, runs[1].model)


def test_a_step_whose_answers_were_all_cut_off_does_no_harm(tmp_path: Path) -> None:
    """0 / 0 would be NaN, and with it every weight from then on."""
    n_tokens = len(load_model("tiny")[1](stg("train_S", 1)[0].prompt)["input_ids"])
    short, long = uneven(4)[:1], stg("train_S", 3)
    run = trainer(
        tmp_path,
        [*long, *short],
        max_length=n_tokens,
        per_device_train_batch_size=1,
        train_sampling_strategy="sequential",
        max_steps=4,
        warmup_steps=0,
    )
    before = weights(run.model)
    assert run.alignment_report.texts_cut == 3
    losses = [record.lm_loss for record in run.steps()]
    assert losses[:3] == [0.0, 0.0, 0.0]
    assert losses[3] > 1
    assert all(bool(value.isfinite().all()) for value in weights(run.model).values())
    assert any(not torch.equal(before[n], value) for n, value in weights(run.model).items())


# --- alpha left out -------------------------------------------------------------------------------


@pytest.mark.parametrize("answer_only", [True, False])
@pytest.mark.parametrize("accumulation", [1, 2])
def test_without_alpha_it_is_plain_fine_tuning_bit_for_bit(
    tmp_path: Path, answer_only: bool, accumulation: int
) -> None:
    examples = uneven(50)
    shared: dict[str, Any] = {
        "output_dir": str(tmp_path),
        "per_device_train_batch_size": 8,
        "gradient_accumulation_steps": accumulation,
        "num_train_epochs": 2,
        "learning_rate": 2e-3,
        "warmup_steps": 0.1,
        "lr_scheduler_type": "cosine",
        "seed": 3,
        "save_strategy": "no",
        "report_to": "none",
        "disable_tqdm": True,
        "use_cpu": True,
    }
    ours = trainer(tmp_path, examples, answer_only=answer_only, **shared)
    list(ours.steps())

    model, tokenizer = load_model("tiny")
    aligned, _ = align_all(examples, tokenizer)
    collate = Collator(tokenizer.pad_token_id, answer_only=answer_only)

    def plain_columns(items: Any) -> dict[str, Tensor]:
        batch = collate(items)
        return {name: batch[name] for name in ("input_ids", "attention_mask", "labels")}

    plain = Trainer(
        model,
        TrainingArguments(**shared, remove_unused_columns=False),
        train_dataset=aligned,
        data_collator=plain_columns,
    )
    plain.train()
    assert ours.state.global_step == plain.state.global_step > 6
    assert_same_weights(ours.model, plain.model)


def test_without_alpha_no_rows_are_computed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("rows were computed")

    monkeypatch.setattr("cat.trainer.forward_with_rows", refuse)
    run = trainer(tmp_path, stg("train_S", 32), max_steps=2)
    records = list(run.steps())
    assert run.model.config._attn_implementation == "sdpa"
    for record in records:
        assert record.loss == record.lm_loss
        assert record.attn_loss is record.gamma is record.ratio_mean is None
        assert record.active_row_share is record.causal_mass is None


def test_attention_may_be_logged_without_being_trained(tmp_path: Path) -> None:
    examples = uneven(32)
    plain = trainer(tmp_path, examples, max_steps=4)
    watched = trainer(tmp_path, examples, max_steps=4, log_attention=True)
    list(plain.steps())
    for record in watched.steps():
        assert 0 < record.causal_mass < 1
        assert record.ratio_mean > 0
        assert record.attn_loss is record.gamma is record.active_row_share is None
    assert_same_weights(plain.model, watched.model)


# --- the effect -----------------------------------------------------------------------------------


def test_it_moves_attention_to_the_causes_and_the_answers_with_it(tmp_path: Path) -> None:
    """STG_S, a few epochs: out of distribution the companions mislead the plain model."""
    train, test = stg("train_S", 400), stg("test_ood", 400)
    accuracy, records = {}, {}
    for alpha in (None, 10.0):
        run = trainer(tmp_path, train, alpha=alpha, num_train_epochs=6, log_attention=True)
        records[alpha] = list(run.steps())
        accuracy[alpha] = evaluate_answers(run.model, run.tokenizer, test).accuracy
    tuned = records[10.0]
    assert tuned[0].causal_mass < 0.4
    assert tuned[-1].causal_mass > 0.9
    assert records[None][-1].causal_mass < 0.7
    assert tuned[0].active_row_share == 1
    assert tuned[-1].active_row_share < 0.1
    assert accuracy[10.0] > accuracy[None] + 0.05
