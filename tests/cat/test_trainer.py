"""`cat.trainer`: the objective against a naive one, schedules, records, stopping, evaluation."""

from __future__ import annotations

import copy
import gc
import math
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from transformers import Trainer, TrainerCallback, TrainingArguments

from cat.alignment import align_all
from cat.batches import Collator
from cat.config import CATConfig, gamma_at
from cat.evaluate import evaluate_answers
from cat.models import load_model, lora_config
from cat.records import StepRecord
from cat.signals import Example, Signal
from cat.stg import annotate, read_factors, stg_e, stg_h
from cat.tiny import one_thread
from cat.trainer import CATTrainer, last_checkpoint, step_of

STG = stg_e()
FORMS = ["hinge", "div"]
# Plain gradient descent: Adam divides gradients by their size, which turns rounding into steps.
DESCENT = {
    "optim": "sgd",
    "learning_rate": 0.05,
    "lr_scheduler_type": "constant",
    "warmup_steps": 0,
    "max_grad_norm": 0,
}


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture(autouse=True)
def _no_training_goes_on() -> Iterator[None]:
    yield
    assert [thread.name for thread in threading.enumerate() if thread.name == "training"] == []


def stg(split: str, n: int) -> list[Example]:
    return [annotate(Example.from_record(record)) for record in STG[split][:n]]


def shortened(example: Example, n_factors: int, *, signals: bool = True) -> Example:
    """The same person, described by the first factors only."""
    read = read_factors(example.text)
    assert read is not None
    spans = sorted(span for _, span in read[1].values())
    end = spans[n_factors - 1].end
    text = example.text[:end] + " Answer: "
    causes = [example.text[s.start : s.end] for s in spans[:n_factors:2]]
    signal = Signal(example.answer, tuple(causes))
    return Example(text, example.answer, (signal,) if signals else ())


def uneven(n: int) -> list[Example]:
    """Texts of 3 to 8 factors with 2 to 4 causes; each second group of four has no signals."""
    return [
        shortened(example, 3 + i % 6, signals=i // 4 % 2 == 0)
        for i, example in enumerate(stg("train_S", n))
    ]


def config(folder: Path, **settings: Any) -> CATConfig:
    defaults = {
        "output_dir": str(folder),
        "save_strategy": "no",
        "learning_rate": 2e-3,
        "use_cpu": True,
    }
    return CATConfig(**{**defaults, **settings})


def trainer(
    folder: Path,
    examples: list[Example],
    *,
    model: str = "tiny",
    sharp: float = 1.0,
    lora: dict[str, Any] | None = None,
    callbacks: list[TrainerCallback] | None = None,
    eval_examples: dict[str, list[Example]] | None = None,
    **settings: Any,
) -> CATTrainer:
    """A trainer of an embedded model; ``sharp`` queries make its first attention uneven."""
    weights, tokenizer = load_model(model)
    with torch.no_grad():
        for name, parameter in weights.named_parameters():
            if "q_proj" in name:
                parameter *= sharp
    return CATTrainer(
        weights,
        config(folder, **settings),
        examples,
        eval_examples,
        tokenizer=tokenizer,
        peft_config=None if lora is None else lora_config(weights, **lora),
        callbacks=callbacks,
    )


def weights(model: nn.Module) -> dict[str, Tensor]:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


def assert_same_weights(one: nn.Module, other: nn.Module) -> None:
    """Bit for bit."""
    ours, theirs = weights(one), weights(other)
    assert ours.keys() == theirs.keys()
    assert [name for name in ours if not torch.equal(ours[name], theirs[name])] == []


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


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize("alpha", [0, 0.0, -1, float("nan"), float("inf"), "0.3"])
def test_bad_alphas_are_refused(tmp_path: Path, alpha: Any) -> None:
    with pytest.raises(ValueError, match=r"expected alpha as a positive number .*leave alpha out"):
        config(tmp_path, alpha=alpha)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_length": 1}, "max_length of at least 2 tokens, got 1"),
        ({"form": "square"}, r"expected form of \('hinge', .*got 'square'"),
        ({"reduction": "mean"}, r"expected reduction of \('rows', .*got 'mean'"),
        (
            {
                "alpha": 1.0,
                "activation_checkpointing": True,
                "activation_checkpointing_kwargs": {"use_reentrant": True},
            },
            "reentrant activation checkpointing .*'use_reentrant': False",
        ),
        (
            {
                "log_attention": True,
                "activation_checkpointing": True,
                "activation_checkpointing_kwargs": '{"use_reentrant": true}',
            },
            "reentrant activation checkpointing",
        ),
        (
            {"reduction": "example", "gradient_accumulation_steps": 2},
            "needs gradient_accumulation_steps=1 and one process",
        ),
        ({"label_smoothing_factor": 0.1}, "label_smoothing_factor is not supported"),
    ],
)
def test_settings_that_cannot_work_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        config(tmp_path, **settings)


@pytest.mark.parametrize(
    ("processes", "gpus", "settings", "message"),
    [
        (2, 1, {"reduction": "example"}, "and one process"),
        (2, 1, {"average_tokens_across_devices": False}, "average_tokens_across_devices=True"),
        (1, 2, {}, r"one GPU a process, this one sees 2: start with `accelerate launch"),
    ],
)
def test_several_devices_that_would_weigh_the_loss_wrongly_are_refused(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    processes: int,
    gpus: int,
    settings: dict[str, Any],
    message: str,
) -> None:
    monkeypatch.setattr(CATConfig, "world_size", processes)
    monkeypatch.setattr(CATConfig, "n_gpu", gpus)
    with pytest.raises(ValueError, match=message):
        config(tmp_path, **settings)


def test_reentrant_checkpointing_may_be_had_without_rows(tmp_path: Path) -> None:
    kwargs = {"use_reentrant": True}
    plain = config(tmp_path, activation_checkpointing=True, activation_checkpointing_kwargs=kwargs)
    assert plain.activation_checkpointing_kwargs == kwargs


def test_no_warning_where_there_is_no_gpu(tmp_path: Path) -> None:
    """transformers asks for pinned memory, torch then warns that nobody needs it."""
    assert not config(tmp_path, use_cpu=True).dataloader_pin_memory


def test_no_training_text(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one training example, got none"):
        trainer(tmp_path, [])


def test_alpha_without_any_supervised_row(tmp_path: Path) -> None:
    absent = Example("Smoking: 8 Answer: ", "High Risk", (Signal("High Risk", ("Weight: 4",)),))
    with pytest.raises(ValueError, match=r"no example has a supervised row(.|\n)*phrase absent"):
        trainer(tmp_path, [absent, absent], alpha=1.0)
    assert len(list(trainer(tmp_path, [absent, absent], max_steps=1).steps())) == 1


def test_texts_over_the_limit_are_counted(tmp_path: Path) -> None:
    short, long = shortened(stg("train_S", 1)[0], 3), stg("train_S", 3)
    run = trainer(tmp_path, [short, *long], alpha=1.0, max_length=9)
    report = run.alignment_report
    assert report.texts == 4
    assert report.texts_cut == 3
    assert report.rows == 1
    assert report.outcomes["cut off"] == 9
    with pytest.raises(ValueError, match="no example has a supervised row"):
        trainer(tmp_path, long, alpha=1.0, max_length=9)
    with pytest.raises(ValueError, match="no answer fits under max_length=9 tokens"):
        trainer(tmp_path, long, max_length=9)


def test_a_model_without_weights_to_train(tmp_path: Path) -> None:
    """An adapter that was loaded for answering is one."""
    model, tokenizer = load_model("tiny")
    model.requires_grad_(False)
    for peft_config in (None, lora_config(model)):
        with pytest.raises(ValueError, match=r"all of this one are frozen(.|\n)*merge_and_unload"):
            CATTrainer(
                model,
                config(tmp_path),
                stg("train_S", 4),
                tokenizer=tokenizer,
                peft_config=peft_config,
            )


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
