"""What is seen of a model in training, and that looking leaves no trace."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from cat.alignment import align_all
from cat.config import CATConfig
from cat.data import load_data
from cat.evaluate import evaluate_answers
from cat.models import load_model, lora_config
from cat.signals import Example, RoleSpan, Signal, Span
from cat.tiny import one_thread, tiny_tokenizer
from cat.trainer import CATTrainer
from catviz.density import role_scores
from catviz.reading import mean_map
from catviz.scores import RoleScores
from catviz.snapshots import (
    SupervisedRows,
    choose_watched,
    constant_answer,
    role_densities,
    take_snapshot,
)

Tests = Mapping[str, Sequence[Example]]


@pytest.fixture(scope="module")
def data() -> dict[str, list[Example]]:
    return {name: texts[:60] for name, texts in load_data("stg-e", "S").items()}


@pytest.fixture
def tests(data: dict[str, list[Example]]) -> Tests:
    return {name: texts for name, texts in data.items() if name != "train"}


def test_a_snapshot_holds_what_each_measure_says(tests: Tests) -> None:
    model, tokenizer = load_model("tiny/alpha-3")
    watched = choose_watched(tests, tokenizer, texts=25, scored=10)
    with one_thread():
        seen = take_snapshot(model, tokenizer, watched, step=5)
        for name, texts in tests.items():
            assert len(watched.tests[name]) == 25
            evaluation = evaluate_answers(model, tokenizer, texts[:25])
            assert seen.accuracies[name] == evaluation.accuracy
        scores = role_scores(model, tokenizer, tests["test_ood"][:10])
        shown = mean_map(model, tokenizer, tests["test_ood"][0], name="model")
    assert seen.step == 5
    assert seen.scores is not None
    assert seen.map is not None
    assert np.allclose(seen.scores["spurious"], scores["spurious"])
    assert np.allclose(seen.map.values, shown.values)


def trained(data: dict[str, list[Example]], folder: Path, *, lora: bool, looking: bool) -> Any:
    """A model after eight steps; the adapter draws dropout from torch's generator."""
    model, tokenizer = load_model("tiny")
    config = CATConfig(
        output_dir=str(folder), save_strategy="no", use_cpu=True, alpha=10.0, max_steps=8
    )
    adapter = lora_config(model) if lora else None
    trainer = CATTrainer(model, config, data["train"], tokenizer=tokenizer, peft_config=adapter)
    tests = {name: texts for name, texts in data.items() if name != "train"}
    watched = choose_watched(tests, tokenizer, texts=4, scored=4)
    for record in trainer.steps():
        if looking:
            before = (torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tolist())
            modes = [module.training for module in trainer.model.modules()]
            gradients = [p.grad for p in trainer.model.parameters()]
            take_snapshot(trainer.model, tokenizer, watched, step=record.step)
            assert torch.equal(torch.get_rng_state(), before[0])
            assert (random.getstate(), np.random.get_state()[1].tolist()) == before[1:]
            assert [module.training for module in trainer.model.modules()] == modes
            after = [p.grad for p in trainer.model.parameters()]
            assert all(a is b for a, b in zip(after, gradients, strict=True))
            assert tokenizer.padding_side == "left"
    return trainer.model


@pytest.mark.parametrize("lora", [False, True], ids=["full", "lora"])
def test_looking_leaves_no_trace(data: Any, tmp_path: Path, lora: bool) -> None:
    with one_thread():
        looked_at = trained(data, tmp_path, lora=lora, looking=True).state_dict()
        left_alone = trained(data, tmp_path, lora=lora, looking=False).state_dict()
    assert looked_at.keys() == left_alone.keys()
    assert all(torch.equal(looked_at[name], left_alone[name]) for name in looked_at)


def test_texts_that_cannot_be_scored_are_passed_over(tests: Tests) -> None:
    first, *others = tests["test_ood"]
    unknown = RoleSpan(Span(0, 4), "Here", "other")
    behind = RoleSpan(first.answer_span, first.answer, "causal")
    given = [
        replace(first, roles=(*first.roles, unknown)),
        replace(first, roles=(*first.roles, behind)),
        *others[:3],
    ]
    watched = choose_watched({"test_ood": given}, tiny_tokenizer(), scored=2)
    assert [example.text for example in watched.scored] == [e.text for e in others[:2]]


def test_texts_without_roles_have_answers_and_a_map() -> None:
    texts = [Example("Room size: 3, Exercise: 1 Answer:", "Low Risk")]
    model, tokenizer = load_model("tiny")
    plain = [replace(texts[0], text=texts[0].text.replace("Exercise", "Dancing"))]
    watched = choose_watched({"test": plain}, tokenizer)
    seen = take_snapshot(model, tokenizer, watched, step=0)
    assert watched.home == "test"
    assert seen.scores is None
    assert seen.map is not None
    assert set(seen.accuracies) == {"test"}


def test_a_text_too_long_for_a_map_is_not_drawn() -> None:
    texts = [Example(f"{'Smoking: 8, ' * 200} Answer:", "High Risk")]
    watched = choose_watched({"test": texts}, tiny_tokenizer())
    assert watched.text is None


@pytest.mark.parametrize("tests", [{}, {"test_ood": []}])
def test_without_texts_it_says_so(tests: Tests) -> None:
    with pytest.raises(ValueError, match="expected at least one test set and texts in each"):
        choose_watched(tests, tiny_tokenizer())


def test_the_constant_answer_is_the_most_frequent_of_training(data: Any, tests: Tests) -> None:
    constant = constant_answer(data["train"], tests)
    assert constant.answer == "Low Risk"
    right = sum(example.answer == "Low Risk" for example in tests["test_ood"])
    assert constant.accuracies["test_ood"] == right / len(tests["test_ood"])


@pytest.mark.parametrize("alpha", [0.3, 1.0, 10.0])
def test_the_share_that_alpha_asks_for_makes_the_ratio_alpha(data: Any, alpha: float) -> None:
    aligned, _ = align_all(data["train"][:5], tiny_tokenizer())
    rows = SupervisedRows.of(aligned)
    assert len(rows.causes) == sum(item.valid_rows for item in aligned)
    k, n = rows.causes[0], rows.visible[0]
    share = SupervisedRows(rows.causes[:1], rows.visible[:1]).share_asked(alpha)
    assert (share / k) / ((1 - share) / (n - k)) == pytest.approx(alpha)


def test_rows_that_see_only_causes_do_not_count() -> None:
    example = Example("Smoking: 8", "High Risk", (Signal("High Risk", ("Smoking: 8",)),))
    aligned, _ = align_all([example], tiny_tokenizer())
    assert SupervisedRows.of(aligned).causes.size == 0
    assert np.isnan(SupervisedRows.of(aligned).share_asked(1.0))


def test_densities_have_area_one_wherever_the_scores_lie() -> None:
    rng = np.random.default_rng(0)
    values = {"causal": rng.uniform(0.2, 0.4, 50), "spurious": np.zeros(50)}
    scores = RoleScores(
        {role: v.astype(np.float32) for role, v in values.items()},  # type: ignore[misc]
        dict.fromkeys(values, np.arange(50)),  # type: ignore[arg-type]
        numbers=np.arange(50),
        on_causes=np.ones(50),
        on_others=np.ones(50),
        texts_seen=50,
        left_out={},
    )
    for x, y in role_densities(scores, end=0.5).values():
        assert (x[0], x[-1]) == (0.0, 0.5)
        assert np.trapezoid(y, x) == pytest.approx(1.0, abs=0.01)
