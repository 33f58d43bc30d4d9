"""`cat.experiments.measures`: against maps of the eager model and answers asked one by one."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from cat.alignment import align
from cat.evaluate import evaluate_answers, greedy_answers
from cat.experiments import measures
from cat.experiments.measures import TESTS, measure
from cat.methods import make_method
from cat.models import load_model
from cat.own_game import BEACH
from cat.redraw import redraw
from cat.signals import Example
from cat.stg import STG_E, annotate, stg_e, stg_h
from cat.tiny import name_for

pytestmark = pytest.mark.usefixtures("one_torch_thread")

N = 24
STG = stg_e(n_test=N)
TEXTS = {name: [annotate(Example.from_record(r)) for r in STG[name]] for name in TESTS}
OOD = TEXTS["test_ood"]
PLAIN = make_method("plain")
ROLES = ("causal", "spurious", "irrelevant")


@pytest.fixture(scope="module")
def tiny() -> tuple[Any, Any]:
    return load_model("tiny/alpha-10")


@pytest.fixture(scope="module")
def measured(tiny: tuple[Any, Any]) -> dict[str, Any]:
    return measure(*tiny, PLAIN, TEXTS, whole=True)


def mean_map(model: Any, tokenizer: Any, example: Example) -> np.ndarray:
    """(query, key), by transformers' eager attention."""
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    ids = torch.tensor([align(example, tokenizer, add_eos=False).input_ids])
    with torch.no_grad():
        maps = model(input_ids=ids, output_attentions=True).attentions
    model.set_attn_implementation(before)
    return np.asarray(torch.stack(maps).mean(dim=(0, 1, 2)))


def log_probability(model: Any, tokenizer: Any, prompt: str, answer: str) -> float:
    """Of an answer that is one token."""
    ids = tokenizer(prompt.rstrip(), return_tensors="pt")["input_ids"]
    (token,) = tokenizer(answer)["input_ids"]
    with torch.no_grad():
        return float(model(input_ids=ids).logits[0, -1].log_softmax(-1)[token])


def test_attention_against_eager_maps(tiny: Any, measured: dict[str, Any]) -> None:
    scores: dict[str, list[float]] = {role: [] for role in ROLES}
    ratios, behind, masses = [], [], []
    for example in OOD:
        row = mean_map(*tiny, example)[-2]  # the last token is the answer
        tokens = align(example, tiny[1], add_eos=False)
        causal = []
        for word in example.roles:
            (token,) = tokens.tokens_of(word.span)
            scores[word.role].append(row[token])
            causal += [token] * (word.role == "causal")
        others = [t for t in range(len(row) - 1) if t not in causal]
        ratios.append(row[causal].mean() / row[others].mean())
        behind.append(row[causal].mean() / row[others[1:]].mean())
        masses.append(row[causal].sum())
    found = measured["attention"]["test_ood"]
    for role in ROLES:
        assert found[role] == pytest.approx(np.mean(scores[role]), rel=1e-3)
        assert measured["words"][role] == pytest.approx(scores[role], rel=1e-3)
    assert found["ratio_mean"] == pytest.approx(np.mean(ratios), rel=1e-3)
    assert found["ratio_median"] == pytest.approx(np.median(ratios), rel=1e-3)
    assert found["ratio_median_per_layer"] == [found["ratio_median"]]  # tiny has one layer
    assert found["ratio_median_behind_first"] == pytest.approx(np.median(behind), rel=1e-3)
    assert found["causal_mass"] == pytest.approx(np.mean(masses), rel=1e-3)
    assert found["texts"] == N


def test_effects_against_single_questions(tiny: Any, measured: dict[str, Any]) -> None:
    model, tokenizer = tiny
    before = [greedy_answers(*tiny, [e.prompt], max_new_tokens=3)[0] for e in OOD]
    effects = measured["effects"]["test_ood"]
    for role in ROLES:
        new = redraw(OOD, (role,), seed=0)  # type: ignore[arg-type]
        after = [greedy_answers(*tiny, [e.prompt], max_new_tokens=3)[0] for e in new]
        assert effects[f"{role}_flips"] == np.mean([a != b for a, b in zip(after, before)])  # noqa: B905
        changes = [
            log_probability(model, tokenizer, one.prompt, answer)
            - log_probability(model, tokenizer, other.prompt, answer)
            for one, other, answer in zip(new, OOD, before, strict=True)
        ]
        assert effects[f"{role}_nats"] == pytest.approx(np.abs(changes).mean(), rel=1e-3)
    by_rule = redraw(OOD, ("causal",), seed=0, game=STG_E)
    assert effects["causal_accuracy"] == evaluate_answers(*tiny, by_rule).accuracy
    assert "causal_mean_absolute_error" not in effects  # the answers are no numbers


def test_log_probabilities_of_answers_and_texts_of_several_lengths(tiny: Any) -> None:
    model, tokenizer = tiny
    short = Example("Smoking: 8, Weight: 4 Answer:", "")
    asked = [
        (short, "High Risk Low Risk"),
        (OOD[0], "Low Risk"),
        (OOD[1], ""),
        (short, "High Risk"),
    ]
    examples, answers = zip(*asked, strict=True)
    found = measures._log_probabilities(model, tokenizer, examples, answers)
    first = log_probability(model, tokenizer, short.prompt, "High Risk")
    then = log_probability(model, tokenizer, f"{short.prompt} High Risk", "Low Risk")
    other = log_probability(model, tokenizer, OOD[0].prompt, "Low Risk")
    assert found[[0, 1, 3]] == pytest.approx([first + then, other, first], rel=1e-4)
    assert np.isnan(found[2])  # nothing was said


def test_the_map_of_the_first_text(tiny: Any, measured: dict[str, Any]) -> None:
    kept = measured["map"]
    wanted = mean_map(*tiny, OOD[0])
    assert [len(row) for row in kept["rows"]] == list(range(1, len(wanted) + 1))
    assert kept["tokens"][kept["answer_row"]] == "Answer:"
    for row, whole in zip(kept["rows"], wanted, strict=True):
        assert row == pytest.approx(whole[: len(row)], rel=1e-3)
    assert kept["tokens"] == tiny[1].tokenize(OOD[0].full_text)
    named = zip(kept["tokens"], kept["names"], kept["roles"], strict=True)
    assert {(name, role) for _, name, role in named if name} == set(STG_E.roles.items())
    assert all(token.startswith(name) for token, name in zip(kept["tokens"], kept["names"]))  # noqa: B905
    assert [role for role, name in zip(kept["roles"], kept["names"]) if not name] == ["other"] * 4  # noqa: B905


def test_it_is_small_and_the_same_each_time(tiny: Any, measured: dict[str, Any]) -> None:
    assert len(json.dumps(measured, allow_nan=False)) < 6000
    again = measure(*tiny, PLAIN, TEXTS, whole=False)
    assert again == {name: measured[name] for name in ("attention", "effects")}
    assert "left_out" not in measured


def test_a_method_is_asked_in_its_own_way(tiny: Any) -> None:
    found = measure(*tiny, make_method("causal-only"), TEXTS, whole=True)
    assert set(found) == {"attention", "effects", "left_out"}
    assert found["attention"] == {}
    assert "causal-only asks in a way of its own" in found["left_out"]["attention"]
    ood = found["effects"]["test_ood"]
    assert ood["spurious_flips"] == ood["irrelevant_flips"] == 0  # it never sees them
    assert ood["causal_flips"] > 0
    assert not [name for name in ood if name.endswith("_nats")]


def test_numbers_and_a_fresh_model() -> None:
    """STG_H, whose first word is a cause: the sink is then left out of C."""
    splits = stg_h(n_train=1, n_test=12)
    texts = {name: [annotate(Example.from_record(r)) for r in splits[name]] for name in TESTS}
    model, tokenizer = load_model(name_for("tiny", texts["test_ood"]))
    found = measure(model, tokenizer, PLAIN, texts, whole=False)
    ood = found["attention"]["test_ood"]
    assert ood["ratio_median"] == pytest.approx(1, abs=0.05)  # it looks everywhere alike
    assert ood["causal_mass"] == pytest.approx(6 / 16, abs=0.02)
    effects = found["effects"]["test_ood"]
    assert effects["causal_accuracy"] == 0
    json.dumps(found, allow_nan=False)


def test_a_game_without_a_known_rule() -> None:
    model, tokenizer = BEACH.fresh_model()
    splits = BEACH.splits()
    texts = {name: splits[name][:8] for name in TESTS}
    effects = measure(model, tokenizer, PLAIN, texts, whole=False)["effects"]["test_ood"]
    assert "causal_accuracy" not in effects
    assert set(effects) > {f"{role}_flips" for role in ROLES}


def test_texts_that_cannot_be_measured_are_said(tiny: Any) -> None:
    bare = [Example(example.text, example.answer) for example in OOD]
    texts = {"test_iid": [*TEXTS["test_iid"][:3], bare[0]], "test_ood": OOD[:4]}
    found = measure(*tiny, PLAIN, texts, whole=True)
    assert found["left_out"] == {"test_iid": "1 of 4 texts have no roles or no answer"}
    assert set(found["attention"]) == set(found["effects"]) == {"test_ood"}
    found = measure(*tiny, PLAIN, {**texts, "test_ood": []}, whole=True)
    assert found["left_out"]["test_ood"] == "no text"
    assert "words" not in found


def test_a_diverged_model_is_said() -> None:
    model, tokenizer = load_model("tiny")
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[3, 3] = torch.nan
    found = measure(model, tokenizer, PLAIN, TEXTS, whole=True)
    assert set(found) == {"left_out"}
    assert "training diverged" in found["left_out"]["effects"]


def test_fewer_texts_of_a_large_model(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measures, "LARGE", 1000)
    monkeypatch.setattr(measures, "MOST_TEXTS_LARGE", 3)
    found = measure(*tiny, PLAIN, TEXTS, whole=True)
    assert found["attention"]["test_iid"]["texts"] == found["effects"]["test_ood"]["texts"] == 3
    assert len(found["words"]["causal"]) == 9
