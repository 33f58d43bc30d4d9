"""Fine-tuning with or without the Re-Attention loss, on transformers' Trainer.

``L = L_next + gamma * L_attn`` with ``gamma = e^-epoch`` (Han et al. 2025, section 4.2). With
``alpha`` left out the very same code is plain fine-tuning: the attention rows are not computed.

>>> from tempfile import TemporaryDirectory
>>> from cat.models import load_model
>>> from cat.signals import Example
>>> from cat.stg import annotate, stg_e
>>> model, tokenizer = load_model("tiny")
>>> examples = [annotate(Example.from_record(r)) for r in stg_e()["train_S"][:32]]
>>> with TemporaryDirectory() as folder:
...     config = CATConfig(alpha=10.0, max_steps=2, output_dir=folder, save_strategy="no")
...     trainer = CATTrainer(model, config, examples, tokenizer=tokenizer)
...     [record.step for record in trainer.steps()]
[1, 2]
"""

from __future__ import annotations

import json
import signal
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn
from transformers import (
    PrinterCallback,
    Trainer,
    TrainerCallback,
    set_seed,
)

from cat.alignment import Aligned, align_all
from cat.batches import IGNORED, Collator, label_positions, visible_keys
from cat.config import CATConfig, gamma_at
from cat.evaluate import evaluate_answers
from cat.handover import HandOver
from cat.models import add_adapter, quiet_peft
from cat.objective import Batch, Objective
from cat.reattention import (
    Ratios,
    count_valid_rows,
    loss_of_ratios,
    reattention_ratios,
    rows_of_each_map,
)
from cat.records import ROW_MEANS, StepRecord, Tally
from cat.rows import Keep, enable_rows, forward_with_rows
from cat.signals import Example

__all__ = ["CATTrainer", "last_checkpoint", "step_of"]

MOST_UNKNOWN = 0.2  # share of a data set's tokens


class CATTrainer(Trainer):
    """Trains a decoder on examples with causal signals.

    Args:
        model: any decoder that :func:`cat.rows.enable_rows` accepts; full, or a PEFT model.
        args: the settings.
        train_examples: with their signals; aligned here, see :attr:`alignment_report`.
        eval_examples: name -> examples, answered greedily whenever ``eval_strategy`` says so.
        tokenizer: a fast tokenizer.
        peft_config: wraps the model, for example :func:`cat.models.lora_config`.
        callbacks: at a step's end they find its record last in :attr:`records`.
        objective: minimised in place of ``L_next + gamma * L_attn``; the records then tell as
            ``attn_loss`` what it adds to the next-token loss.

    Raises:
        ValueError: ``alpha`` is set and no example has a supervised row, or the model has no
            weights to train, or an objective is given with ``alpha``, gradient accumulation or
            several processes.
    """

    loss_is_scaled_for_ga = True

    def __init__(
        self,
        model: nn.Module,
        args: CATConfig,
        train_examples: Sequence[Example],
        eval_examples: Mapping[str, Sequence[Example]] | None = None,
        *,
        tokenizer: Any,
        peft_config: Any = None,
        callbacks: list[TrainerCallback] | None = None,
        objective: Objective | None = None,
    ) -> None:
        _check_trainable(model)
        _check_objective(objective, args)
        if peft_config is not None:
            set_seed(args.seed)  # the adapter's first weights are random
            model = add_adapter(model, peft_config)
        aligned, self.alignment_report = align_all(
            train_examples, tokenizer, max_length=args.max_length, cause_rows=args.cause_rows
        )
        _check_alignment(aligned, args, str(self.alignment_report))
        _check_vocabulary(aligned, tokenizer)
        self.objective = objective
        asked = objective.keep if objective is not None else None
        self._keep: Keep | None = args.supervise if args.uses_rows else asked
        if self._keep is not None:
            enable_rows(model)
        self.tokenizer = tokenizer
        super().__init__(
            model=model,
            args=args,
            train_dataset=aligned,
            eval_dataset={name: list(e) for name, e in (eval_examples or {}).items()} or None,
            data_collator=Collator(tokenizer.pad_token_id, answer_only=args.answer_only),
            processing_class=tokenizer,
            callbacks=[_Recording(self), *(callbacks or [])],
        )
        self.remove_callback(PrinterCallback)  # the records are there to be shown
        self.model_accepts_loss_kwargs = True  # we divide by the whole step's tokens ourselves
        self.records: list[StepRecord] = []
        self._tally = Tally()
        self._step_rows = 0
        self._stop_requested = False
        self._on_record: HandOver[StepRecord] | None = None

    # -- the objective ---------------------------------------------------------------------

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Tensor],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Tensor | tuple[Tensor, Any]:
        """L_next + gamma * L_attn of a (micro-)batch, each already divided by the whole step's
        tokens or rows, so that the sum over micro-batches is the objective of one large batch."""
        rows, causes = inputs["rows"], inputs["causes"]
        predicting = label_positions(inputs["labels"])  # (position,)
        labels = inputs["labels"][:, predicting + 1]  # (batch, position)
        forward: dict[str, Any] = {"use_cache": False, "logits_to_keep": predicting}
        forward |= {name: inputs[name] for name in ("input_ids", "attention_mask")}
        attention = None
        if self._keep is not None:
            outputs, attention = forward_with_rows(model, rows=rows, keep=self._keep, **forward)
        else:
            outputs = model(**forward)
        if self.objective is not None:
            loss = self._loss_of_objective(Batch(model, inputs, outputs.logits, labels, attention))
            return (loss, outputs) if return_outputs else loss
        lm_loss = _next_token_loss(outputs.logits, labels, num_items_in_batch)
        # Gradients are averaged over processes; the divisors count all of them.
        processes = self.accelerator.num_processes if num_items_in_batch is not None else 1
        loss = lm_loss * processes
        self._tally.add(lm_loss=lm_loss)
        if attention is not None:
            visible = visible_keys(rows, inputs["attention_mask"])
            maps = attention.shape[1:-2].numel()  # 1, or the layers, or the heads of all layers
            attention, causes, visible = rows_of_each_map(attention, causes, visible)
            gamma = gamma_at(self.args.gamma, self.state.epoch or 0.0)
            ratios = reattention_ratios(
                attention, causes, visible=visible, exclude_sink=self.args.exclude_sink
            )
            self._tally.count(ratios, self.args.alpha)
            if self.args.alpha is not None:
                step_rows = self._step_rows * maps if num_items_in_batch is not None else None
                attn_loss = self._attention_loss(ratios, step_rows)
                loss = loss + gamma * attn_loss * processes
                self._tally.add(attn_loss=attn_loss)
                self._tally.gamma = gamma
        return (loss, outputs) if return_outputs else loss

    def floating_point_ops(self, inputs: dict[str, Tensor | Any]) -> int:
        """As transformers' Trainer, without counting the model's weights anew at each step."""
        return 6 * inputs["input_ids"].numel() * self._n_weights

    @cached_property
    def _n_weights(self) -> int:
        return int(
            self.accelerator.unwrap_model(self.model).num_parameters(exclude_embeddings=True)
        )

    def _loss_of_objective(self, batch: Batch) -> Tensor:
        assert self.objective is not None
        loss = self.objective(batch)
        self._tally.add(lm_loss=batch.lm_loss, attn_loss=loss - batch.lm_loss)
        self._tally.gamma = 1.0
        return loss

    def _attention_loss(self, ratios: Ratios, step_rows: int | None) -> Tensor:
        """L_attn of a batch; of a micro-batch, its share of the mean over the whole step's rows."""
        share = step_rows is not None and self.args.reduction == "rows"
        loss = loss_of_ratios(
            ratios,
            self.args.alpha,
            form=self.args.form,
            reduction="sum" if share else self.args.reduction,
        )
        return loss / max(step_rows or 0, 1) if share else loss

    def get_batch_samples(
        self, epoch_iterator: Iterator[dict[str, Tensor]], num_batches: int, device: torch.device
    ) -> tuple[list[dict[str, Tensor]], Tensor | int | None]:
        """The micro-batches of one step; counts their valid rows beside their tokens."""
        batches, num_items = super().get_batch_samples(epoch_iterator, num_batches, device)
        if self.args.alpha is not None:
            rows = sum(
                count_valid_rows(
                    batch["causes"],
                    visible_keys(batch["rows"], batch["attention_mask"]),
                    exclude_sink=self.args.exclude_sink,
                )
                for batch in batches
            )
            if self.accelerator.num_processes > 1:
                rows = int(self.accelerator.gather(torch.tensor(rows, device=device)).sum())
            self._step_rows = rows
        return batches, num_items

    # -- records, stopping, resuming ---------------------------------------------------------

    def steps(self, resume_from: str | Path | None = None) -> Generator[StepRecord, None, None]:
        """Train, yielding a record after each optimizer step.

        Training waits between two records, so that whoever iterates may change
        ``trainer.args.alpha``, pause by not asking for the next, or stop by closing the generator
        (leaving a ``for`` loop does): the run then ends at this step, with a checkpoint unless
        ``save_strategy`` is "no".
        """
        self._on_record = HandOver()
        self._stop_requested = False
        device = self.args.device

        def run() -> None:
            if device.type == "cuda":
                torch.cuda.set_device(device)  # a thread has its own current device
            self.train(resume_from_checkpoint=str(resume_from) if resume_from else None)

        try:
            yield from self._on_record.iterate(run, on_close=self.request_stop)
        finally:
            self._on_record = None

    def request_stop(self) -> None:
        """Ask a running training to end after the current step, leaving a checkpoint."""
        self._stop_requested = True

    def train(self, *args: Any, **kwargs: Any) -> Any:
        """As transformers' Trainer, but Ctrl-C ends the run after the current step and leaves a
        checkpoint; a second Ctrl-C ends it at once."""
        if self._on_record is None:  # steps() cleared it before its thread began
            self._stop_requested = False
        self._tally = Tally()  # a training that broke off may have left half a step in it
        with self._interrupt_at_step_end() as interrupted:
            result = super().train(*args, **kwargs)
        if interrupted:
            raise KeyboardInterrupt(self.where_it_stopped())
        return result

    def where_it_stopped(self) -> str:
        """For the message after an interrupt."""
        checkpoint = last_checkpoint(self.args.output_dir)
        where = f"checkpoint: {checkpoint}" if checkpoint else "no checkpoint was written"
        return f"stopped after step {self.state.global_step} of {self.state.max_steps}; {where}"

    @contextmanager
    def _interrupt_at_step_end(self) -> Iterator[list[int]]:
        """Within: the first SIGINT asks for a stop and is noted in the list that is yielded."""
        received: list[int] = []
        if threading.current_thread() is not threading.main_thread():
            yield received  # a thread gets no signals; whoever started it does
            return

        def on_interrupt(number: int, frame: FrameType | None) -> None:
            if received:
                raise KeyboardInterrupt
            received.append(number)
            self.request_stop()

        before = signal.signal(signal.SIGINT, on_interrupt)
        try:
            yield received
        finally:
            signal.signal(signal.SIGINT, before)

    def _step_ended(self) -> None:
        record = self._tally.record(self)
        self._tally = Tally()
        self.records.append(record)
        if self._on_record is not None:
            self._on_record.give(record)
        if self._stop_requested:
            self.control.should_training_stop = True
            self.control.should_save = self.args.save_strategy != "no"

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """As transformers' Trainer, without peft's warnings about a base that has no files."""
        with quiet_peft():
            super().save_model(output_dir, _internal_call)

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Adds the step's loss terms and attention quantities to each training log line."""
        if "loss" in logs and self.records:
            last = self.records[-1].to_dict()
            names = ("lm_loss", "attn_loss", "gamma", *ROW_MEANS)
            logs.update({name: last[name] for name in names if last[name] is not None})
        super().log(logs, start_time)

    # -- evaluation --------------------------------------------------------------------------

    def evaluate(
        self,
        eval_dataset: Mapping[str, Sequence[Example]] | Sequence[Example] | None = None,
        ignore_keys: list[str] | None = None,
        metric_key_prefix: str = "eval",
    ) -> dict[str, float]:
        """Greedy answers to the evaluation examples: accuracy for each named set."""
        eval_dataset = eval_dataset if eval_dataset is not None else self.eval_dataset
        if not eval_dataset:
            raise ValueError("expected examples to evaluate on: pass eval_examples={'iid': [...]}")
        sets = eval_dataset if isinstance(eval_dataset, Mapping) else {"": eval_dataset}
        metrics: dict[str, float] = {}
        for name, examples in sets.items():
            prefix = f"{metric_key_prefix}_{name}" if name else metric_key_prefix
            evaluation = evaluate_answers(
                self.accelerator.unwrap_model(self.model),
                self.tokenizer,
                examples,
                batch_size=self.args.per_device_eval_batch_size,
            )
            metrics[f"{prefix}_accuracy"] = evaluation.accuracy
        self.log(metrics)
        self.control: Any = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, metrics
        )
        return metrics


def last_checkpoint(output_dir: str | Path) -> Path | None:
    """The newest complete checkpoint of a run; one whose writing was cut off does not count.

    The trainer writes ``trainer_state.json`` last, so a checkpoint with a readable one is whole.
    """
    folders = Path(output_dir).glob("checkpoint-*")
    numbered = {step: folder for folder in folders if (step := step_of(folder)) is not None}
    for _, folder in sorted(numbered.items(), reverse=True):
        try:
            json.loads((folder / "trainer_state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue
        return folder
    return None


def step_of(checkpoint: Path) -> int | None:
    """The optimizer step after which a checkpoint was written; None for other folders.

    >>> step_of(Path("outputs/checkpoint-120")), step_of(Path("checkpoint-best"))
    (120, None)
    """
    number = checkpoint.name.removeprefix("checkpoint-")
    return int(number) if number.isdigit() else None


def _check_trainable(model: nn.Module) -> None:
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise ValueError(
            "expected a model with weights to train, all of this one are frozen. A saved adapter "
            "is loaded for answering: to tune on top of it, merge it into its base and save that "
            "(model.merge_and_unload().save_pretrained(FOLDER))"
        )


def _check_alignment(aligned: Sequence[Aligned], args: CATConfig, report: str) -> None:
    if not aligned:
        raise ValueError("expected at least one training example, got none")
    if args.alpha is not None and not any(item.rows for item in aligned):
        raise ValueError(
            "alpha is set, but no example has a supervised row: the signals could not be aligned. "
            f"Leave alpha out for plain fine-tuning, or mend the signals.\n{report}"
        )
    if all(item.answer_start >= len(item.input_ids) for item in aligned):
        raise ValueError(
            f"no answer fits under max_length={args.max_length} tokens: raise max_length"
        )


def _check_vocabulary(aligned: Sequence[Aligned], tokenizer: Any) -> None:
    """Refuse texts that are mostly unknown words: training on them looks like training."""
    if tokenizer.unk_token_id is None:
        return
    tokens = [token for item in aligned for token in item.input_ids]
    unknown = tokens.count(tokenizer.unk_token_id) / len(tokens)
    if unknown > MOST_UNKNOWN:
        raise ValueError(
            f"expected texts in the tokenizer's words, {unknown:.0%} of the tokens are unknown to "
            f"it ({tokenizer.name_or_path}; tiny and tiny-word read STG_E, tiny:STG_H reads "
            "STG_H): use a pretrained model such as smollm2"
        )


def _check_objective(objective: Objective | None, args: CATConfig) -> None:
    if objective is None:
        return
    if args.alpha is not None:
        raise ValueError("expected alpha or an objective of one's own, got both: leave one out")
    if args.gradient_accumulation_steps > 1 or args.world_size > 1:
        raise ValueError(
            "an objective of one's own is a mean over one batch: it needs "
            "gradient_accumulation_steps=1 and one process"
        )


def _next_token_loss(logits: Tensor, labels: Tensor, num_items: Tensor | int | None) -> Tensor:
    """Cross-entropy of the labels given the logits that predict them, both (batch, position);
    float32."""
    kept = labels != IGNORED
    total = nn.functional.cross_entropy(logits[kept].float(), labels[kept], reduction="sum")
    n = kept.sum() if num_items is None else torch.as_tensor(num_items)
    return total / n.clamp_min(1)  # none where every answer was cut off: a loss of 0, not NaN


class _Recording(TrainerCallback):
    def __init__(self, trainer: CATTrainer) -> None:
        self.trainer = trainer

    def on_pre_optimizer_step(self, *args: Any, **kwargs: Any) -> None:
        # At the step's end the schedule has already moved on to the next.
        self.trainer._tally.learning_rate = self.trainer._get_learning_rate()

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        self.trainer._step_ended()
