"""What every method is given: a fresh model, the training texts, and one and the same budget."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from transformers import TrainerCallback

from cat.config import CATConfig
from cat.models import lora_config
from cat.objective import Objective
from cat.records import StepRecord
from cat.signals import Example
from cat.tiny import suitable_threads
from cat.trainer import CATTrainer

__all__ = ["Tuning"]


@dataclass(frozen=True, eq=False)
class Tuning:
    """The model to tune and the means to do it, the same for every method.

    Attributes:
        fresh_model: makes the untuned model; the same weights at each call.
        tokenizer: the model's.
        examples: the training texts, with their signals.
        settings: of :class:`cat.config.CATConfig`: learning rate, epochs, batch size, seed, ...
        lora_rank: of the adapter that is tuned; None to tune all weights.
        on_record: called after each optimizer step.
        records: what the steps of the last training saw.
    """

    fresh_model: Callable[[], Any]
    tokenizer: Any
    examples: Sequence[Example]
    settings: Mapping[str, Any] = field(default_factory=dict)
    lora_rank: int | None = None
    on_record: Callable[[StepRecord], None] | None = None
    records: list[StepRecord] = field(default_factory=list)

    @property
    def seed(self) -> int:
        """Of the training, and of what a method draws at random."""
        return int(self.settings.get("seed", 42))

    @property
    def steps(self) -> int:
        """The optimizer steps of plain training; every method's training has as many, whatever
        texts it adds."""
        config = self._config()
        batches = math.ceil(len(self.examples) / config.per_device_train_batch_size)
        return math.ceil(batches * config.num_train_epochs)

    def train(
        self,
        examples: Sequence[Example] | None = None,
        *,
        objective: Objective | None = None,
        **settings: Any,
    ) -> Any:
        """Tune a fresh model on the examples (by default those given) and return it, in eval mode.

        Args:
            objective: minimised in place of the next-token loss.
            settings: of :class:`cat.config.CATConfig`, over those of all methods: ``alpha``, ...
        """
        model = self.fresh_model()
        with tempfile.TemporaryDirectory() as scratch, suitable_threads(model):
            trainer = CATTrainer(
                model,
                self._config(max_steps=self.steps, output_dir=scratch, **settings),
                self.examples if examples is None else examples,
                tokenizer=self.tokenizer,
                peft_config=lora_config(model, rank=self.lora_rank) if self.lora_rank else None,
                objective=objective,
            )
            if self.on_record is not None:
                trainer.add_callback(_Telling(trainer, self.on_record))
            trainer.train()
        self.records[:] = trainer.records
        return trainer.model.eval()

    def _config(self, **settings: Any) -> CATConfig:
        return CATConfig(**{"save_strategy": "no", **self.settings, **settings})


class _Telling(TrainerCallback):
    """Tells of each step's record in the thread that trains: a change of threads at every step
    costs the embedded models up to a sixth of their time where the machine is busy."""

    def __init__(self, trainer: CATTrainer, on_record: Callable[[StepRecord], None]) -> None:
        self.trainer, self.on_record = trainer, on_record

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.on_record(self.trainer.records[-1])
