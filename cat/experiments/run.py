"""Declared runs and what they give: one JSON line each.

A :class:`Run` says all that decides a result: model, data, method with its options, seed. Its
:attr:`~Run.key` names it in a result store; :func:`carry_out` trains, evaluates, measures.

>>> run = Run("tiny", "STG_S", "cat", {"alpha": 10.0}, seed=0)
>>> run.key
'tiny STG_S cat alpha=10 seed=0'
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cat.data import digest
from cat.evaluate import references
from cat.provenance import provenance
from cat.signals import Example
from cat.stg import annotate, stg_e, stg_h

if TYPE_CHECKING:
    from cat.methods import Method, Tuning
    from cat.records import StepRecord

__all__ = ["DATA", "RESULTS_VERSION", "TRAINING_TEXTS", "Run", "carry_out", "texts_of"]

RESULTS_VERSION = 1
"""Raised by hand whenever a change of the code changes what a run gives; a test tells when."""

TRAINING_TEXTS = {"STG_S": 400, "STG_M": 800, "STG_L": 1600, "STG_H": 3000}
DATA = tuple(TRAINING_TEXTS)
DTYPES = ("float32", "bfloat16")
LORA_RANK = 16
TESTS = ("test_iid", "test_ood")


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
        dtype: float32, or bfloat16 for mixed precision; the same on every machine.
        settings: of :class:`cat.config.CATConfig` where they differ from the usual ones.

    Raises:
        ValueError: no such data or dtype, or a strength outside 0..1.
    """

    model: str
    data: str
    method: str = "plain"
    options: Mapping[str, Any] = field(default_factory=dict)
    seed: int = 0
    lora: bool = False
    strength: float = 1.0
    dtype: str = "float32"
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, known in (("data", DATA), ("dtype", DTYPES)):
            if getattr(self, name) not in known:
                raise ValueError(
                    f"expected {name} as one of {', '.join(known)}, got {getattr(self, name)!r}"
                )
        if not 0 <= self.strength <= 1:
            raise ValueError(f"expected strength as a share in 0..1, got {self.strength!r}")

    @property
    def key(self) -> str:
        """Names the run; two runs with one key give one result."""
        parts = [self.model, self.data, self.method]
        parts += [f"{name}={_shown(value)}" for name, value in sorted(self.options.items())]
        parts += ["lora"] * self.lora
        parts += [f"strength={_shown(self.strength)}"] * (self.strength != 1.0)
        parts += [self.dtype] * (self.dtype != "float32")
        parts += [f"{name}={_shown(value)}" for name, value in sorted(self.settings.items())]
        return " ".join([*parts, f"seed={self.seed}"])

    @property
    def cell(self) -> str:
        """Names what runs of other seeds have in common."""
        return self.key.rpartition(" ")[0]


def _shown(value: Any) -> str:
    """As short as it is exact, and the same before and after a journey through JSON.

    >>> _shown(10.0), _shown(10), _shown(0.1234567), _shown((0, 2))
    ('10', '10', '0.1234567', '0,2')
    """
    if isinstance(value, float):
        short = f"{value:g}"
        return short if float(short) == value else repr(value)
    if isinstance(value, tuple | list):
        return ",".join(map(_shown, value))
    return str(value)


def texts_of(run: Run) -> dict[str, list[Example]]:
    """``train``, ``test_iid`` and ``test_ood`` of a run."""
    return {name: list(examples) for name, examples in _texts(run.data, run.strength).items()}


@lru_cache(maxsize=8)
def _texts(data: str, strength: float) -> Mapping[str, tuple[Example, ...]]:
    game = (stg_h if data == "STG_H" else stg_e)(spurious_strength=strength)
    splits = {"train": game["train" if data == "STG_H" else f"train_{data[-1]}"]}
    splits |= {name: game[name] for name in TESTS}
    return {
        name: tuple(annotate(Example.from_record(record)) for record in records)
        for name, records in splits.items()
    }


@lru_cache(maxsize=8)
def _digests(data: str, strength: float) -> Mapping[str, str]:
    return {name: digest(examples) for name, examples in _texts(data, strength).items()}


@lru_cache(maxsize=8)
def _references(data: str, strength: float) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    """Test set -> rule without a model -> its scores."""
    texts = _texts(data, strength)
    found = {name: references(texts["train"], texts[name]) for name in TESTS}
    kept = ("accuracy", "mean_absolute_error")
    return {
        name: {
            rule: {score: value for score, value in e.to_dict().items() if score in kept}
            for rule, e in rules.items()
        }
        for name, rules in found.items()
    }


def carry_out(run: Run, *, on_record: Callable[[StepRecord], None] | None = None) -> dict[str, Any]:
    """Train, evaluate and measure; returns the run's line for the result store."""
    from cat.experiments.measures import measure
    from cat.methods import Tuning, make_method
    from cat.models import load_model, place
    from cat.tiny import name_for, suitable_threads
    from cat.train import usual_learning_rate

    started = time.perf_counter()
    placement = place(dtype=run.dtype)
    method = make_method(run.method, **run.options)
    texts = texts_of(run)
    name = name_for(run.model, texts["train"])
    tokenizer = load_model(name, seed=run.seed)[1]

    def fresh_model() -> Any:
        return load_model(name, seed=run.seed)[0].to(placement.device)

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
    model = _fit(run, method, tuning)
    trained = time.perf_counter()
    with suitable_threads(model):
        scores = {test: method.evaluate(model, tokenizer, texts[test]).to_dict() for test in TESTS}
    answered = time.perf_counter()
    # Every word's score and a whole map are much to keep: those that are drawn are enough.
    drawn = run.seed == 0 and run.strength == 1.0 and run.method in ("plain", "cat")
    measures = measure(model, tokenizer, method, texts, whole=drawn)
    return {
        "key": run.key,
        "version": RESULTS_VERSION,
        "run": asdict(run),
        "scores": scores,
        "references": _references(run.data, run.strength),
        "steps": len(tuning.records),
        "training": _epochs(tuning.records),
        "measures": measures,
        "seconds": {
            "training": round(trained - started, 2),
            "answers": round(answered - trained, 2),
            "all": round(time.perf_counter() - started, 2),
        },
        "data": _digests(run.data, run.strength),
        "device": placement.device,
        **provenance(),
    }


_last_plain: dict[str, tuple[Any, Sequence[StepRecord]]] = {}


def _fit(run: Run, method: Method, tuning: Tuning) -> Any:
    """The fitted model. Methods that only ask otherwise share the last plainly tuned one."""
    from cat.methods import Method

    if type(method).fit is not Method.fit:
        return method.fit(tuning)
    plain = replace(run, method="plain", options={}).key
    if plain not in _last_plain:
        _last_plain.clear()  # one model is kept, not all
        _last_plain[plain] = method.fit(tuning), tuple(tuning.records)
    model, tuning.records[:] = _last_plain[plain]
    return model


def _epochs(records: Sequence[StepRecord]) -> list[dict[str, float | None]]:
    """The mean of each quantity over the steps of each epoch; None where it is not finite."""
    epochs: dict[int, list[StepRecord]] = {}
    for record in records:
        epochs.setdefault(max(0, math.ceil(record.epoch) - 1), []).append(record)
    names = ("lm_loss", "attn_loss", "gamma", "ratio_mean", "active_row_share", "causal_mass")
    return [
        {
            name: _rounded(sum(values) / len(values))
            for name in names
            if (values := [v for r in steps if (v := getattr(r, name)) is not None])
        }
        for _, steps in sorted(epochs.items())
    ]


def _rounded(value: float) -> float | None:
    return round(value, 6) if math.isfinite(value) else None
