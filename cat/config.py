"""The settings of a training run: transformers' own, the paper's defaults, and the loss's."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, get_args

from transformers import TrainingArguments

from cat.reattention import Form, Reduction, check_alpha
from cat.rows import Keep

__all__ = ["CATConfig", "gamma_at"]


@dataclass
class CATConfig(TrainingArguments):
    """transformers' TrainingArguments with the paper's defaults and the loss's own settings.

    Paper (sections 4.2, 5.1, appendix F): AdamW, warm-up 0.1, cosine, learning rate 5e-5 (full) or
    1e-4 (LoRA), 6 epochs on STG, gamma = e^-epoch, seed 42. Not in the paper, and off unless asked
    for: ``supervise``, ``cause_rows``, ``exclude_sink``, a constant gamma, the forms "log",
    "share" and "each".
    """

    alpha: float | None = field(
        default=None, metadata={"help": "ratio C/N to reach; leave out for plain fine-tuning"}
    )
    gamma: str = field(
        default="epoch", metadata={"help": '"epoch" for e^-epoch (the paper) or a constant'}
    )
    form: Form = field(default="hinge", metadata={"help": "what a violating row costs"})
    reduction: Reduction = field(
        default="rows", metadata={"help": "rows (mean), sum (the paper's formula) or example"}
    )
    exclude_sink: bool = field(
        default=False, metadata={"help": "leave the first token out of the ratio"}
    )
    supervise: Keep = field(
        default="mean",
        metadata={
            "help": "what must reach alpha: the mean map (the paper), each layer or each head"
        },
    )
    cause_rows: bool = field(
        default=False,
        metadata={"help": "the causes' own tokens must look at causes too, not the answer alone"},
    )
    answer_only: bool = field(
        default=True, metadata={"help": "next-token loss on the answer, not on the prompt"}
    )
    max_length: int = field(default=512, metadata={"help": "tokens kept of a text"})
    log_attention: bool = field(
        default=False, metadata={"help": "also without alpha, compute and log the ratio C/N"}
    )

    learning_rate: float = field(default=5e-5, metadata={"help": "5e-5 full, 1e-4 LoRA"})
    num_train_epochs: float = field(default=6.0, metadata={"help": "6 on STG, 4 downstream"})
    per_device_train_batch_size: int = field(default=16, metadata={"help": "texts a step"})
    per_device_eval_batch_size: int = field(default=64, metadata={"help": "texts a batch"})
    warmup_steps: float = field(default=0.1, metadata={"help": "below 1: share of all steps"})
    lr_scheduler_type: str = field(default="cosine", metadata={"help": "learning rate schedule"})
    logging_steps: float = field(default=10, metadata={"help": "steps between two log lines"})
    save_strategy: str = field(default="epoch", metadata={"help": "no, steps or epoch"})
    save_total_limit: int | None = field(default=2, metadata={"help": "checkpoints kept"})
    # HfArgumentParser reads the members of this union by their place.
    report_to: None | str | list[str] = field(  # noqa: RUF036
        default="none", metadata={"help": "trackers"}
    )
    disable_tqdm: bool | None = field(default=True, metadata={"help": "the CLI shows its own bar"})

    def __post_init__(self) -> None:
        self._check_loss()
        self.remove_unused_columns = False  # rows and causes are columns of ours
        super().__post_init__()
        if self.device.type == "cpu":
            self.dataloader_pin_memory = False  # pinned for whom? torch would warn
        if self.uses_rows and self.activation_checkpointing:
            kwargs = {"use_reentrant": False, **(self.activation_checkpointing_kwargs or {})}
            if kwargs["use_reentrant"]:
                raise ValueError(
                    "reentrant activation checkpointing gives attention rows without a gradient: "
                    "set activation_checkpointing_kwargs={'use_reentrant': False}"
                )
            self.activation_checkpointing_kwargs: Any = kwargs
        self._check_divisors()

    def _check_loss(self) -> None:
        if self.alpha is not None:
            check_alpha(self.alpha)
        gamma_at(self.gamma, epoch=0.0)
        for name, choices in (("form", Form), ("reduction", Reduction), ("supervise", Keep)):
            if getattr(self, name) not in (options := get_args(choices)):
                raise ValueError(f"expected {name} of {options}, got {getattr(self, name)!r}")
        if self.max_length < 2:
            raise ValueError(f"expected max_length of at least 2 tokens, got {self.max_length}")
        if self.label_smoothing_factor:
            raise ValueError("label_smoothing_factor is not supported: leave it at 0")

    def _check_divisors(self) -> None:
        """The loss is divided by the tokens and rows of a whole step, over all processes."""
        several = self.gradient_accumulation_steps > 1 or self.world_size > 1
        if self.reduction == "example" and several:
            raise ValueError(
                'reduction "example" divides by the violating examples of the batch, a number '
                "known only after its forward pass: it needs gradient_accumulation_steps=1 and "
                "one process"
            )
        if not self.average_tokens_across_devices and self.world_size > 1:
            raise ValueError(
                "expected average_tokens_across_devices=True: the loss is divided by the tokens of "
                "all processes"
            )
        if self.n_gpu > 1:
            raise ValueError(
                f"expected one GPU a process, this one sees {self.n_gpu}: start with `accelerate "
                "launch -m cat.train`, or choose one GPU with CUDA_VISIBLE_DEVICES=0"
            )

    @property
    def uses_rows(self) -> bool:
        """Whether attention rows are computed at all."""
        return self.alpha is not None or self.log_attention


def gamma_at(gamma: str | float, epoch: float) -> float:
    """The weight of the attention loss: e^-floor(epoch), or a constant.

    >>> gamma_at("epoch", 1.7) == math.exp(-1), gamma_at("0.5", 3)
    (True, 0.5)
    """
    if gamma == "epoch":
        return math.exp(-math.floor(epoch))
    try:
        constant = float(gamma)
    except (TypeError, ValueError):
        constant = math.nan
    if not math.isfinite(constant) or constant < 0:
        raise ValueError(f'expected gamma "epoch" (e^-epoch) or a number >= 0, got {gamma!r}')
    return constant
