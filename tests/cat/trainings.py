"""Short trainings of the embedded model, for the tests of `cat.trainer`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from transformers import TrainerCallback

from cat.config import CATConfig
from cat.models import load_model, lora_config
from cat.signals import Example, Signal
from cat.stg import annotate, read_factors, stg_e
from cat.trainer import CATTrainer

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
