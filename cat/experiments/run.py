"""Declared runs and what they give: one JSON line each.

A :class:`Run` says all that decides a result: model, data, method with its options, seed. Its
:attr:`~Run.key` names it in a result store; :func:`carry_out` trains, evaluates, measures.

>>> run = Run("tiny", "STG_S", "cat", {"alpha": 10.0}, seed=0)
>>> run.key
'tiny STG_S cat alpha=10 seed=0'

A run may also be on a downstream task, see :mod:`cat.experiments.task_data`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from cat.data import digest
from cat.evaluate import Evaluation, references
from cat.experiments.task_data import (
    TASK_SETTINGS,
    asking,
    read_name,
    rules,
    task_digests,
    task_texts,
)
from cat.provenance import provenance
from cat.signals import Example
from cat.stg import annotate, stg_e, stg_h

if TYPE_CHECKING:
    from cat.methods import Method, Tuning
    from cat.records import StepRecord

__all__ = [
    "DATA",
    "RESULTS_VERSION",
    "TRAINING_TEXTS",
    "Run",
    "carry_out",
    "fit_of",
    "is_task",
    "texts_of",
    "training_texts",
    "usual_settings",
]

RESULTS_VERSION = 1
"""Raised by hand whenever a change of the code changes what a run gives; a test tells when."""

TRAINING_TEXTS = {"STG_S": 400, "STG_M": 800, "STG_L": 1600, "STG_H": 3000}
DATA = tuple(TRAINING_TEXTS)
DTYPES = ("float32", "bfloat16")
LORA_RANK = 16
TESTS = ("test_iid", "test_ood")
UNMEASURED = {"left_out": dict.fromkeys(("attention", "effects"), "a task's words have no roles")}


@dataclass(frozen=True)
class Run:
    """Everything that decides a result.

    Attributes:
        model: a name that :func:`cat.models.load_model` knows.
        data: STG_S, STG_M, STG_L (400, 800, 1600 training texts of STG_E) or STG_H; or a downstream
            task with the digest of its texts, as :func:`cat.experiments.task_data.with_digest`
            gives it.
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
        task = read_name(self.data)
        is_full_name = task is not None and task.digest and str(task) == self.data
        if self.data not in DATA and not is_full_name:
            raise ValueError(
                f"expected data as one of {', '.join(DATA)}, got {self.data!r} (a task is named "
                "with the digest of its texts, as in MAWPS#1a2b3c4d; declare adds it)"
            )
        if self.dtype not in DTYPES:
            raise ValueError(f"expected dtype as one of {', '.join(DTYPES)}, got {self.dtype!r}")
        if task is not None and self.strength != 1:
            raise ValueError(f"expected strength 1 on {task.trained_on}, got {self.strength!r}")
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


def is_task(data: str) -> bool:
    """Whether a run's data is a downstream task.

    >>> is_task("MAWPS#1a2b3c4d"), is_task("STG_S")
    (True, False)
    """
    return read_name(data) is not None


def texts_of(run: Run) -> dict[str, list[Example]]:
    """``train``, ``test_iid`` and ``test_ood`` of a run; on a task ``train`` and its tests."""
    texts = task_texts(run.data) if is_task(run.data) else _texts(run.data, run.strength)
    return {name: list(examples) for name, examples in texts.items()}


def training_texts(data: str) -> int:
    """How many training texts there are; of a task, the folder of the tasks tells."""
    return TRAINING_TEXTS[data] if data in TRAINING_TEXTS else len(task_texts(data)["train"])


def usual_settings(data: str) -> Mapping[str, Any]:
    """Of :class:`cat.config.CATConfig`, where the usual ones on this data are not the defaults."""
    return TASK_SETTINGS if is_task(data) else {}


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
    return _scores_of_rules({name: references(texts["train"], texts[name]) for name in TESTS})


@lru_cache(maxsize=8)
def _task_references(data: str) -> Mapping[str, Mapping[str, Mapping[str, float]]]:
    return _scores_of_rules(rules(data))


def _references_of(run: Run) -> Mapping[str, Any]:
    return _task_references(run.data) if is_task(run.data) else _references(run.data, run.strength)


def _digests_of(run: Run) -> Mapping[str, str]:
    return task_digests(run.data) if is_task(run.data) else _digests(run.data, run.strength)


def _asking(run: Run, test: str) -> dict[str, Any]:
    return asking(run.data, test) if is_task(run.data) else {}


def _scores_of_rules(
    found: Mapping[str, Mapping[str, Evaluation]],
) -> dict[str, dict[str, dict[str, float]]]:
    kept = ("accuracy", "mean_absolute_error")
    return {
        name: {
            rule: {score: value for score, value in e.to_dict().items() if score in kept}
            for rule, e in by_rule.items()
        }
        for name, by_rule in found.items()
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
    tests = {test: _asking(run, test) for test in texts if test != "train"}
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
            **usual_settings(run.data),
            **run.settings,
        },
        lora_rank=LORA_RANK if run.lora else None,
        on_record=on_record,
    )
    model = _fit(run, method, tuning)
    trained = time.perf_counter()
    with suitable_threads(model):
        scores = {
            test: method.evaluate(model, tokenizer, texts[test], **how).to_dict()
            for test, how in tests.items()
        }
    answered = time.perf_counter()
    # Every word's score and a whole map are much to keep: those that are drawn are enough.
    drawn = run.seed == 0 and run.strength == 1.0 and run.method in ("plain", "cat")
    measures: Mapping[str, Any] = (
        UNMEASURED if is_task(run.data) else measure(model, tokenizer, method, texts, whole=drawn)
    )
    return {
        "key": run.key,
        "version": RESULTS_VERSION,
        "run": asdict(run),
        "scores": scores,
        "references": _references_of(run),
        "steps": len(tuning.records),
        "training": _epochs(tuning.records),
        "measures": measures,
        "seconds": {
            "training": round(trained - started, 2),
            "answers": round(answered - trained, 2),
            "all": round(time.perf_counter() - started, 2),
        },
        "data": _digests_of(run),
        "device": placement.device,
        **provenance(),
    }


def fit_of(run: Run) -> str:
    """Names the fitted model: methods that only ask otherwise share the plainly tuned one.

    >>> fit_of(Run("tiny", "STG_S", "pasta", seed=1)), fit_of(Run("tiny", "STG_S", "cda", seed=1))
    ('tiny STG_S plain seed=1', 'tiny STG_S cda seed=1')
    """
    from cat.methods import METHODS, Method

    if run.method in METHODS and METHODS[run.method].fit is Method.fit:
        return replace(run, method="plain", options={}).key
    return run.key


_last_plain: dict[str, tuple[Any, Sequence[StepRecord]]] = {}


def _fit(run: Run, method: Method, tuning: Tuning) -> Any:
    """The fitted model; the last plainly tuned one is kept for those that share it."""
    plain = fit_of(run)
    if plain == run.key and run.method != "plain":
        return method.fit(tuning)
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
