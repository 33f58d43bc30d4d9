"""`cat.methods.counterfactuals`: what changes in a text and what does not, and what it helps."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from cat.alignment import align_all
from cat.evaluate import evaluate_answers
from cat.methods import Tuning
from cat.methods.counterfactuals import (
    CDA,
    CausalOnly,
    Invariant,
    Twins,
    causes_only,
    counterfactuals,
)
from cat.models import load_model
from cat.own_game import BEACH
from cat.signals import Example, RoleSpan, Signal, Span
from cat.stg import annotate, read_factors, stg_h
from tests.cat.methods.kit import batch_of, tuning
from tests.cat.trainings import stg

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")

STG_H = [annotate(Example.from_record(r)) for r in stg_h(n_train=40, n_test=40)["train"]]
BEACH_TEXTS = replace(BEACH, train_texts=40, test_texts=1).splits()["train"]
GAMES = {"STG_E": stg("train_S", 40), "STG_H": STG_H, "own": BEACH_TEXTS}


def written(example: Example, *roles: str) -> dict[str, str]:
    """Factor -> how it stands in the text."""
    return {r.name: example.full_text[slice(*r.span)] for r in example.roles if r.role in roles}


def values(examples: list[Example]) -> dict[str, np.ndarray]:
    read = [read_factors(example.text) for example in examples]
    assert all(read)
    names = read[0][1]  # type: ignore[index]
    return {name: np.array([r[1][name][0] for r in read]) for name in names}  # type: ignore[index]


# --- copies ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", GAMES)
def test_causes_answer_order_and_words_stay(game: str) -> None:
    examples = GAMES[game]
    copies = counterfactuals(examples, seed=0, copies=2)
    assert len(copies) == 2 * len(examples)
    for example, copy in zip(examples * 2, copies, strict=True):
        assert copy.answer == example.answer
        assert written(copy, "causal") == written(example, "causal")
        assert [(r.name, r.role) for r in copy.roles] == [(r.name, r.role) for r in example.roles]
        old, new = example.text, copy.text
        for name, shown in written(example, "spurious", "irrelevant").items():
            old = old.replace(shown, name)
            new = new.replace(written(copy, "spurious", "irrelevant")[name], name)
        assert new == old


def test_redrawn_values_are_those_of_the_texts_and_follow_nothing() -> None:
    examples = stg("train_S", 400)
    copies = counterfactuals(examples, seed=0, copies=5)
    before, after = values(examples), values(copies)
    followed = {"Yellow fingers": "Smoking", "Clothing size": "Weight", "Hormones": "Exercise"}
    for companion, cause in followed.items():
        assert np.corrcoef(before[companion], before[cause])[0, 1] > 0.95
        for other in before:
            if other != companion:
                assert abs(np.corrcoef(after[companion], after[other])[0, 1]) < 0.08
        assert {*after[companion]} == {*before[companion]}
        assert after[companion].mean() == pytest.approx(before[companion].mean(), abs=0.3)
    for cause in followed.values():
        assert after[cause].tolist() == before[cause].tolist() * 5


def test_copies_differ_from_one_another_and_by_seed_only() -> None:
    examples = stg("train_S", 20)
    once, again, other = (counterfactuals(examples, seed=s, copies=2) for s in (0, 0, 1))
    assert once == again != other
    assert once[:20] != once[20:]


def test_texts_without_roles_are_refused() -> None:
    with pytest.raises(ValueError, match="expected a factor that is irrelevant or spurious"):
        CDA().fit(tuning([Example("Two and two make? ", "4")]))
    with pytest.raises(ValueError, match="expected a text with factors that are marked as causes"):
        CausalOnly().fit(tuning([Example("Two and two make? ", "4")]))


# --- the causes alone -----------------------------------------------------------------------------


@pytest.mark.parametrize("game", GAMES)
def test_no_other_factor_is_left(game: str) -> None:
    for example in GAMES[game]:
        kept = causes_only(example)
        assert written(kept, "causal") == written(example, "causal") != {}
        assert written(kept, "spurious", "irrelevant") == {}
        for name in written(example, "spurious", "irrelevant"):
            assert name not in kept.full_text
        assert kept.answer == example.answer


def test_the_texts_read_well() -> None:
    e, h, own = (causes_only(examples[0]).text for examples in GAMES.values())
    question = "Please predict the probability of cancer."
    assert e.endswith(f"{question} Exercise: 2, Weight: 4, Smoking: 8 Answer: ")
    assert h.count(";") == 5
    assert h.count(": ") == 7
    before_question = written(STG_H[0], "causal")["Meteorological Dispersion"]
    assert f"{before_question}. Given these diverse conditions, what is" in h
    facts = ", ".join(written(BEACH_TEXTS[0], "causal").values())
    assert own == f"{BEACH.question} {facts} Answer: "


def test_a_list_of_none_but_other_factors_goes_as_a_whole() -> None:
    text = "A: 1, B: 2. C: 3; D: 4. So? "
    places = {"A": (0, "causal"), "B": (6, "spurious"), "C": (12, "spurious"), "D": (18, "causal")}
    roles = tuple(RoleSpan(Span(at, at + 4), n, role) for n, (at, role) in places.items())
    assert causes_only(Example(text, "yes", roles=roles)).text == "A: 1. D: 4. So? "
    irrelevant = tuple(r if r.name == "A" else replace(r, role="irrelevant") for r in roles)
    assert causes_only(Example(text, "yes", roles=irrelevant)).text == "A: 1. So? "


def test_marked_places_move_along() -> None:
    (example,) = stg("test_ood", 1)
    assert isinstance(example.signals[0].effect, Span)
    kept = causes_only(example)
    (signal,) = kept.signals
    assert kept.full_text[slice(*signal.effect)] == example.answer  # type: ignore[misc]
    causes = [kept.full_text[slice(*cause)] for cause in signal.causes]  # type: ignore[misc]
    assert causes == list(written(example, "causal").values())
    phrases = replace(example, signals=(Signal("Low Risk", tuple(causes)),))
    assert causes_only(phrases).signals == phrases.signals


def test_it_is_asked_without_the_other_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Example] = []

    def answers(model: Any, tokenizer: Any, examples: list[Example]) -> str:
        asked.extend(examples)
        return "answers"

    monkeypatch.setattr("cat.methods.counterfactuals.evaluate_answers", answers)
    assert CausalOnly().evaluate(None, None, stg("test_ood", 3)) == "answers"  # type: ignore
    assert asked == [causes_only(example) for example in stg("test_ood", 3)]


# --- training -------------------------------------------------------------------------------------


def test_it_trains_on_texts_and_copies_for_as_many_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Example] = []

    def noted(self: Tuning, examples: list[Example], **options: Any) -> str:
        assert options == {}
        given.extend(examples)
        return "model"

    monkeypatch.setattr(Tuning, "train", noted)
    examples = stg("train_S", 10)
    assert CDA(copies=3).fit(tuning(examples)) == "model"
    assert given == [*examples, *counterfactuals(examples, seed=100, copies=3)]


def test_copies_help_out_of_distribution() -> None:
    """Both go on from a model that learned the companions, with the same texts and steps."""
    run = tuning(stg("train_S", 200), "tiny/plain", num_train_epochs=2)
    accuracy = {}
    for name, model in {"plain": run.train(), "cda": CDA().fit(run)}.items():
        accuracy[name] = evaluate_answers(model, run.tokenizer, stg("test_ood", 200)).accuracy
        assert len(run.records) == run.steps == 26
    assert accuracy["cda"] > accuracy["plain"] + 0.04


# --- twins ----------------------------------------------------------------------------------------


def divergence(examples: list[Example], twins: list[Example]) -> tuple[float, Any]:
    model, tokenizer = load_model("tiny/plain")
    batch = batch_of(model, tokenizer, examples)
    return Twins([twins], tokenizer, seed=0)(batch).item(), model


def test_a_text_that_is_its_own_twin_costs_nothing() -> None:
    examples = stg("test_ood", 8)
    assert divergence(examples, examples)[0] == pytest.approx(0, abs=1e-6)


def test_the_divergence_text_by_text() -> None:
    """Twins of other lengths than their texts, in a batch whose texts are not in order."""
    examples = stg("test_ood", 12)
    twins = [causes_only(e) if i % 2 else e for i, e in enumerate(examples)]
    twins = counterfactuals(twins[:1], seed=1, copies=1) + twins[1:]
    cost, model = divergence(examples, twins)
    tokenizer = load_model("tiny")[1]
    terms = []
    for pair in zip(examples, twins, strict=True):
        aligned = align_all(pair, tokenizer)[0]
        p, q = (
            model(torch.tensor([item.input_ids]))
            .logits[0]
            .double()
            .log_softmax(-1)[item.answer_start - 1 : -1]
            for item in aligned
        )
        terms.append((p.exp() * (p - q)).sum(dim=-1))
    assert cost == pytest.approx(torch.cat(terms).mean().item(), rel=1e-3)
    assert cost > 0.01


def test_the_twin_is_that_of_the_text() -> None:
    """A batch tells by its index which texts it holds."""
    examples = stg("test_ood", 6)
    model, tokenizer = load_model("tiny/plain")
    whole = batch_of(model, tokenizer, examples)
    order = torch.tensor([4, 1, 5])
    inputs = {name: tensor[order] for name, tensor in whole.inputs.items()}
    part = replace(whole, inputs=inputs, logits=whole.logits[order], labels=whole.labels[order])
    assert Twins([examples], tokenizer, seed=0)(part).item() == pytest.approx(0, abs=1e-6)


def test_twins_that_end_otherwise_are_refused() -> None:
    (example,) = stg("test_ood", 1)
    other = {"High Risk": "Low Risk", "Low Risk": "High Risk"}[example.answer]
    with pytest.raises(ValueError, match="end in the same answer, token by token"):
        divergence([example], [replace(example, answer=other, signals=())])


def test_training_with_twins_makes_them_answer_alike() -> None:
    examples = stg("train_S", 80)
    steady = {"lr_scheduler_type": "constant", "warmup_steps": 0}
    run = tuning(examples, "tiny/plain", num_train_epochs=2, **steady)
    Invariant(weight=10).fit(run)
    added = [record.attn_loss for record in run.records]
    assert added[-1] < added[0] / 3  # type: ignore[operator]


@pytest.mark.parametrize("copies", [0, 1.5, True])
@pytest.mark.parametrize("kind", [CDA, Invariant])
def test_copies_are_counted(kind: type, copies: object) -> None:
    with pytest.raises(ValueError, match="expected copies as a whole number of at least 1"):
        kind(copies=copies)
