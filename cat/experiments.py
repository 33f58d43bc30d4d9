"""Declared runs and what they give: one JSON line each.

A :class:`Run` says all that decides a result: model, data, method with its options, seed. Its
:attr:`~Run.key` names it in a result store; :func:`carry_out` trains, evaluates, measures.

>>> run = Run("tiny", "STG_S", "cat", {"alpha": 10.0}, seed=0)
>>> run.key
'tiny STG_S cat alpha=10 seed=0'
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from cat.data import digest
from cat.evaluate import references
from cat.methods import Tuning, make_method
from cat.models import load_model, place
from cat.provenance import provenance
from cat.records import StepRecord
from cat.signals import Example
from cat.stg import annotate, stg_e, stg_h
from cat.train import usual_learning_rate

__all__ = ["RESULTS_VERSION", "Run", "carry_out", "texts_of"]

RESULTS_VERSION = 1
"""Raised by hand whenever a change of the code changes what a run gives; a test tells when."""

LORA_RANK = 16


@dataclass(frozen=True)
class Run:
    """Everything that decides a result.

    Attributes:
        model: a name that :func:`cat.models.load_model` knows.
        data: STG_S, STG_M, STG_L (400, 800, 1600 training texts of STG_E) or STG_H.
        method: of :data:`cat.methods.METHODS`.
        options: the method's.
        seed: of the training (and of fresh weights); the texts are always those of seed 42.
        lora: tune a LoRA adapter, not all weights.
        strength: how often a spurious factor follows its cause in the IID texts.
        dtype: what is computed in; see :func:`cat.models.place`.
        settings: of :class:`cat.config.CATConfig` where they differ from the usual ones.
    """

    model: str
    data: str
    method: str = "plain"
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    lora: bool = False
    strength: float = 1.0
    dtype: str = "auto"
    settings: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Names the run; two runs with one key give one result."""
        parts = [self.model, self.data, self.method]
        parts += [f"{name}={_shown(value)}" for name, value in sorted(self.options.items())]
        parts += ["lora"] * self.lora
        parts += [f"strength={_shown(self.strength)}"] * (self.strength != 1.0)
        parts += [self.dtype] * (self.dtype != "auto")
        parts += [f"{name}={_shown(value)}" for name, value in sorted(self.settings.items())]
        return " ".join([*parts, f"seed={self.seed}"])

    @property
    def cell(self) -> str:
        """Names what runs of other seeds have in common."""
        return self.key.rpartition(" ")[0]


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def texts_of(run: Run) -> dict[str, list[Example]]:
    """``train``, ``test_iid`` and ``test_ood`` of a run."""
    if run.data == "STG_H":
        splits = stg_h(spurious_strength=run.strength)
        train = splits["train"]
    elif run.data in ("STG_S", "STG_M", "STG_L"):
        splits = stg_e(spurious_strength=run.strength)
        train = splits[f"train_{run.data[-1]}"]
    else:
        raise ValueError(f"expected data STG_S, STG_M, STG_L or STG_H, got {run.data!r}")
    chosen = {"train": train, **{name: splits[name] for name in ("test_iid", "test_ood")}}
    return {name: [annotate(Example.from_record(r)) for r in rs] for name, rs in chosen.items()}


def carry_out(run: Run, *, on_record: Callable[[StepRecord], None] | None = None) -> dict[str, Any]:
    """Train, evaluate and measure; returns the run's line for the result store."""
    started = time.perf_counter()
    placement = place(dtype=run.dtype)
    method = make_method(run.method, **run.options)
    texts = texts_of(run)
    model, tokenizer = load_model(run.model, seed=run.seed)

    def fresh_model() -> Any:
        return load_model(run.model, seed=run.seed)[0].to(placement.device)

    tuning = Tuning(
        fresh_model,
        tokenizer,
        texts["train"],
        settings={
            "seed": run.seed,
            "learning_rate": usual_learning_rate(run.model, lora=run.lora),
            "use_cpu": placement.device == "cpu",
            "bf16": placement.dtype == "bfloat16",
            **run.settings,
        },
        lora_rank=LORA_RANK if run.lora else None,
        on_record=on_record,
    )
    model = method.fit(tuning)
    trained = time.perf_counter()
    tests = {name: texts[name] for name in ("test_iid", "test_ood")}
    scores = {name: method.evaluate(model, tokenizer, e).to_dict() for name, e in tests.items()}
    return {
        "key": run.key,
        "version": RESULTS_VERSION,
        "run": asdict(run),
        "scores": scores,
        "references": {
            name: {rule: e.accuracy for rule, e in references(texts["train"], examples).items()}
            for name, examples in tests.items()
        },
        "steps": len(tuning.records),
        "training": _epochs(tuning.records),
        "seconds": {
            "training": round(trained - started, 2),
            "all": round(time.perf_counter() - started, 2),
        },
        "data": {name: digest(examples) for name, examples in texts.items()},
        **provenance(),
    }


def _epochs(records: list[StepRecord]) -> list[dict[str, Any]]:
    """The mean of each quantity over the steps of each epoch."""
    epochs: dict[int, list[StepRecord]] = {}
    for record in records:
        epochs.setdefault(max(0, -int(-record.epoch // 1) - 1), []).append(record)
    names = ("lm_loss", "attn_loss", "gamma", "ratio_mean", "active_row_share", "causal_mass")
    return [
        {
            name: round(sum(values) / len(values), 6)
            for name in names
            if (values := [v for r in steps if (v := getattr(r, name)) is not None])
        }
        for _, steps in sorted(epochs.items())
    ]
