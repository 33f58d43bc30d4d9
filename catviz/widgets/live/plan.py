"""What a live run trains, on what, and how; and what is known of it before its first step."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cat.signals import Example

if TYPE_CHECKING:
    from cat.trainer import CATTrainer
    from catviz.snapshots import Constant, SupervisedRows, Watched

__all__ = ["Outline", "TrainingPlan", "computing_on", "make_trainer", "outline_of"]

_WATCHED = {"texts": 8, "scored": 8}  # of a large model, of which each text takes its time
_TESTED = 40


@dataclass(frozen=True)
class TrainingPlan:
    """What is trained, on what, and how.

    Attributes:
        fresh_model: gives (model, tokenizer); called once a run.
        train: with signals, unless ``alpha`` is to stay None.
        tests: name -> examples.
        alpha: the ratio C/N to reach; None for plain training.
        gamma: "epoch" for e^-epoch (the paper), or a constant.
        lora: train an adapter, not all weights.
        learning_rate: None for the usual one, see :func:`cat.train.usual_learning_rate`.
        seconds_a_step: to wait after each step, for the eye.
        threads: that torch computes on; None for one on a small model, else torch's choice.
    """

    fresh_model: Callable[[], tuple[Any, Any]]
    train: Sequence[Example]
    tests: Mapping[str, Sequence[Example]]
    alpha: float | None = None
    gamma: str = "epoch"
    lora: bool = False
    epochs: float = 6.0
    learning_rate: float | None = None
    seed: int = 42
    seconds_a_step: float = 0.0
    threads: int | None = None


@dataclass(frozen=True, eq=False)
class Outline:
    """What is known of a run before its first step.

    Attributes:
        total_steps: of the whole run.
        watched: the texts that snapshots are taken on.
        rows: those of the training texts that have a cause.
        constant: what always giving the most frequent answer scores.
        tests: name -> the texts that the trained model is to answer: all, or those that a large
            one has time for.
    """

    total_steps: int
    watched: Watched
    rows: SupervisedRows
    constant: Constant
    tests: Mapping[str, Sequence[Example]]


def make_trainer(plan: TrainingPlan, model: Any, tokenizer: Any) -> CATTrainer:
    """The trainer of a plan; nothing has been trained yet."""
    from tempfile import TemporaryDirectory

    from cat.models import lora_config
    from cat.trainer import CATConfig, CATTrainer

    # Nothing is saved: the folder that the trainer wants is gone before training begins, so that
    # a kernel that is killed leaves none behind.
    with TemporaryDirectory(prefix="catviz-") as folder:
        settings = CATConfig(
            output_dir=folder,
            save_strategy="no",
            alpha=plan.alpha,
            gamma=plan.gamma,
            log_attention=True,
            num_train_epochs=plan.epochs,
            learning_rate=plan.learning_rate or _usual_learning_rate(model, plan.lora),
            seed=plan.seed,
            use_cpu=next(model.parameters()).device.type == "cpu",
        )
        return CATTrainer(
            model,
            settings,
            plan.train,
            tokenizer=tokenizer,
            peft_config=lora_config(model) if plan.lora else None,
        )


def outline_of(plan: TrainingPlan, trainer: CATTrainer) -> Outline:
    """What is known before the first step."""
    from catviz.snapshots import SupervisedRows, choose_watched, constant_answer

    batches = math.ceil(len(plan.train) / trainer.args.train_batch_size)
    small = _is_small(trainer.model)
    return Outline(
        total_steps=math.ceil(plan.epochs * batches),
        watched=choose_watched(plan.tests, trainer.tokenizer, **({} if small else _WATCHED)),
        rows=SupervisedRows.of(trainer.train_dataset),
        constant=constant_answer(plan.train, plan.tests),
        tests={name: texts if small else texts[:_TESTED] for name, texts in plan.tests.items()},
    )


def _usual_learning_rate(model: Any, lora: bool) -> float:
    from cat.train import usual_learning_rate

    return usual_learning_rate("tiny" if _is_small(model) else "", lora=lora)


def _is_small(model: Any) -> bool:
    from cat.tiny import SMALL

    return sum(parameter.numel() for parameter in model.parameters()) < SMALL


@contextmanager
def computing_on(model: Any, threads: int | None) -> Iterator[None]:
    """Within: torch computes on so many threads; None for what suits the model."""
    import torch

    from cat.tiny import suitable_threads

    before = torch.get_num_threads()
    with suitable_threads(model):
        try:
            if threads is not None:
                torch.set_num_threads(threads)
            yield
        finally:
            torch.set_num_threads(before)
