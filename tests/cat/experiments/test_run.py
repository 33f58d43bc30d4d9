"""Runs: their names, their texts, and that what they give is what it was."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import pytest

from cat.data import digest
from cat.experiments import RESULTS_VERSION, TRAINING_TEXTS, Run, carry_out, texts_of
from cat.experiments import run as experiments

RAISE_IT = (
    "what a run gives has changed. If that is meant, raise cat.experiments.RESULTS_VERSION, put "
    "the new numbers here, and run the sweeps again; results of both versions must not be mixed"
)


@pytest.mark.parametrize(
    ("run", "key"),
    [
        (Run("tiny", "STG_S"), "tiny STG_S plain seed=0"),
        (
            Run("a/b", "STG_H", "cat", {"form": "div", "alpha": 0.3}, seed=3, lora=True),
            "a/b STG_H cat alpha=0.3 form=div lora seed=3",
        ),
        (
            Run("tiny", "STG_S", strength=0.9, dtype="bfloat16", settings={"max_steps": 3}),
            "tiny STG_S plain strength=0.9 bfloat16 max_steps=3 seed=0",
        ),
    ],
)
def test_a_key_holds_all_that_decides_a_result(run: Run, key: str) -> None:
    assert run.key == key
    assert run.cell == key.rpartition(" seed=")[0]


def test_numbers_that_differ_give_keys_that_differ() -> None:
    alphas = (0.1, 0.1000001, 0.1 + 2**-50, 1e-9)
    assert len({Run("tiny", "STG_S", "cat", {"alpha": a}).key for a in alphas}) == len(alphas)


def test_a_run_comes_back_from_json() -> None:
    options = {"alpha": 1 / 3, "heads": ("L0H1", "L0H2"), "exclude_sink": True}
    run = Run("tiny", "STG_S", "cat", options, settings={"learning_rate": 1e-4})
    assert Run(**json.loads(json.dumps(asdict(run)))).key == run.key


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ({"data": "STG"}, "expected data as one of STG_S, STG_M, STG_L, STG_H, got 'STG'"),
        ({"dtype": "auto"}, "expected dtype as one of float32, bfloat16, got 'auto'"),
        ({"strength": 1.5}, "expected strength as a share in 0..1, got 1.5"),
    ],
)
def test_runs_that_are_none(wrong: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        Run(**{"model": "tiny", "data": "STG_S", **wrong})


# Of the training texts.
DIGESTS = {
    "STG_S": "776118697d392567",
    "STG_M": "ad10281aa94615cc",
    "STG_L": "a5978e41ed56712d",
    "STG_H": "ba916941e6d24ce4",
}


@pytest.mark.parametrize("data", TRAINING_TEXTS)
def test_the_texts_are_what_they_were(data: str) -> None:
    texts = texts_of(Run("tiny", data))
    assert len(texts["train"]) == TRAINING_TEXTS[data]
    assert all(example.roles and example.signals for example in texts["train"])
    assert digest(texts["train"])[:16] == DIGESTS[data], RAISE_IT


def test_texts_are_lists_of_ones_own() -> None:
    run = Run("tiny", "STG_S")
    texts_of(run)["train"].clear()
    assert len(texts_of(run)["train"]) == 400


@pytest.fixture
def few_texts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The first few of each set, so that a run takes half a second."""
    whole = experiments._texts
    monkeypatch.setattr(
        experiments,
        "_texts",
        lambda *which: {
            name: examples[: 64 if name == "train" else 32]
            for name, examples in whole(*which).items()
        },
    )
    cached = (experiments._digests, experiments._references)
    for function in cached:
        function.cache_clear()
    yield
    for function in cached:
        function.cache_clear()


SHORT = {"num_train_epochs": 6, "per_device_train_batch_size": 16}
FIRST_AND_LAST_LOSS = {
    "plain": (5.296588, 2.381303),
    "cat": (5.296588, 2.455028),
    "cda": (5.311133, 3.355761),
    "attention-mse": (5.296588, 2.395092),
}


@pytest.mark.parametrize("method", FIRST_AND_LAST_LOSS)
@pytest.mark.usefixtures("few_texts", "one_torch_thread")
def test_what_a_run_gives_is_what_it_was(method: str) -> None:
    options = {"alpha": 10.0} if method == "cat" else {}
    run = Run("tiny", "STG_S", method, options, settings=SHORT)
    seen = []
    line = carry_out(run, on_record=seen.append)
    assert RESULTS_VERSION == 1, "then the numbers below are those of an older version"
    # Other processors round otherwise: 24 steps of Adam spread that.
    losses = (seen[0].lm_loss, line["training"][-1]["lm_loss"])
    assert losses == pytest.approx(FIRST_AND_LAST_LOSS[method], rel=2e-3), RAISE_IT

    assert json.loads(json.dumps(line, allow_nan=False)) == json.loads(json.dumps(line))
    assert line["key"] == run.key
    assert line["run"] == asdict(run)
    assert line["steps"] == len(seen) == 24
    assert len(line["training"]) == math.ceil(seen[-1].epoch)
    assert set(line["scores"]) == set(line["references"]) == {"test_iid", "test_ood"}
    assert line["scores"]["test_ood"]["texts"] == 32
    assert ("words" in line["measures"]) == (run.seed == 0 and run.method in ("plain", "cat"))
    assert 0 < line["seconds"]["training"] < line["seconds"]["all"]


@pytest.mark.usefixtures("few_texts", "one_torch_thread")
def test_a_run_gives_the_same_again_and_another_seed_something_else() -> None:
    lines = [
        carry_out(Run("tiny", "STG_S", seed=seed, settings={"num_train_epochs": 1}))
        for seed in (1, 1, 2)
    ]
    for name in ("training", "scores", "measures", "data"):
        assert lines[0][name] == lines[1][name]
    assert lines[0]["training"] != lines[2]["training"]
    assert lines[0]["data"] == lines[2]["data"]


def test_a_method_that_is_none_fails_before_it_trains() -> None:
    with pytest.raises(ValueError, match="no option 'beta'"):
        carry_out(Run("tiny", "STG_S", "plain", {"beta": 1}))
