"""Batches and short trainings of the embedded model, for the tests of the methods."""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from cat.alignment import align_all
from cat.batches import Collator, label_positions
from cat.methods import Tuning
from cat.models import load_model
from cat.objective import Batch
from cat.rows import Keep, enable_rows, forward_with_rows
from cat.signals import Example


def tuning(examples: Sequence[Example], model: str = "tiny", **settings: Any) -> Tuning:
    """Of an embedded model; like the experiments', but short where ``settings`` say so."""
    return Tuning(
        lambda: load_model(model, seed=100)[0],
        load_model("tiny")[1],
        examples,
        settings={"seed": 100, "learning_rate": 2e-3, "use_cpu": True, **settings},
    )


def batch_of(
    model: Any, tokenizer: Any, examples: Sequence[Example], keep: Keep | None = None
) -> Batch:
    """What an objective is called with after the forward pass of these texts."""
    aligned, _ = align_all(examples, tokenizer)
    inputs = Collator(tokenizer.pad_token_id)(aligned)
    predicting = label_positions(inputs["labels"])
    forward = {name: inputs[name] for name in ("input_ids", "attention_mask")}
    forward |= {"logits_to_keep": predicting, "use_cache": False}
    attention = None
    if keep is None:
        outputs = model(**forward)
    else:
        enable_rows(model)
        outputs, attention = forward_with_rows(model, rows=inputs["rows"], keep=keep, **forward)
    return Batch(model, inputs, outputs.logits, inputs["labels"][:, predicting + 1], attention)


def rows_batch(attention: Tensor, causes: list[list[list[int]]], rows: list[list[int]]) -> Any:
    """A batch that has no text: attention as given, every key up to the row visible."""
    n_keys = attention.shape[-1]
    marked = torch.tensor(causes, dtype=torch.bool)
    mask = torch.ones(len(rows), n_keys, dtype=torch.long)
    inputs = {"rows": torch.tensor(rows), "causes": marked, "attention_mask": mask}
    empty = torch.zeros(0)
    return Batch(SimpleNamespace(), inputs, empty, empty, attention)  # type: ignore[arg-type]
