"""`cat.trainer`: what is refused, and how it is said."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cat.config import CATConfig
from cat.models import load_model, lora_config
from cat.signals import Example, Signal
from cat.trainer import CATTrainer
from tests.cat.trainings import config, shortened, stg, trainer

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")


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
