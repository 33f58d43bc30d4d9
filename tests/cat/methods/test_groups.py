"""`cat.methods.groups`: which texts JTT repeats, and where GroupDRO's weights go."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from math import exp
from typing import Any

import pytest
import torch

from cat.evaluate import Evaluation, evaluate_answers
from cat.methods import Tuning
from cat.methods.groups import JTT, GroupDRO, WorstGroup, groups_of, relation_holds
from cat.own_game import BEACH
from cat.signals import Example
from cat.stg import annotate, stg_e, stg_h
from tests.cat.methods.kit import batch_of, tuning
from tests.cat.trainings import stg

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")


class Losses:
    """A batch of which the losses are known."""

    def __init__(self, losses: list[float], index: list[int]) -> None:
        self.lm_losses = torch.tensor(losses, requires_grad=True)
        self.inputs = {"index": torch.tensor(index)}


# --- JTT ------------------------------------------------------------------------------------------


def test_the_second_training_repeats_just_the_wrong_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    trainings: list[tuple[int, list[Example], Any]] = []
    train = Tuning.train

    def noted(self: Tuning, examples: Any = None, **options: Any) -> Any:
        model = train(self, examples, **options)
        trainings.append((len(self.records), list(examples or self.examples), model))
        return model

    monkeypatch.setattr(Tuning, "train", noted)
    given = stg("train_S", 48)
    run = tuning(given, "tiny/plain", num_train_epochs=2)
    JTT(first_epochs=1, upweight=3).fit(run)
    (first_steps, first_texts, first), (steps, texts, _) = trainings
    assert (first_steps, steps, run.steps) == (3, 6, 6)
    assert first_texts == given
    right = evaluate_answers(first, run.tokenizer, given).correct
    assert 0 < sum(right) < 48
    seen = Counter(example.text for example in texts)
    for example, ok in zip(given, right, strict=True):
        assert seen[example.text] == (1 if ok else 3)
    assert len(run.records) == 6  # those of the training that made the model


def test_where_nothing_was_wrong_it_is_plain_training(monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[list[Example]] = []

    def noted(self: Tuning, examples: Any = None) -> None:
        given.append(list(examples or self.examples))

    def all_right(model: Any, tokenizer: Any, examples: list[Example]) -> Evaluation:
        answers = tuple(example.answer for example in examples)
        return Evaluation(answers, answers)

    monkeypatch.setattr(Tuning, "train", noted)
    monkeypatch.setattr("cat.methods.groups.evaluate_answers", all_right)
    JTT().fit(tuning(stg("train_S", 8)))
    assert given == [stg("train_S", 8)] * 2


# --- groups ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("game", ["STG_E", "STG_H"])
def test_the_relation_holds_in_distribution_only(game: str) -> None:
    splits = stg_e() if game == "STG_E" else stg_h(n_train=1, n_test=300)
    iid, ood = (
        [relation_holds(Example.from_record(r)) for r in splits[s]]
        for s in ("test_iid", "test_ood")
    )
    assert all(iid)
    assert not any(ood)


def test_the_relation_holds_as_often_as_the_game_says() -> None:
    """0.9 for each of three companions, and a drawn value may equal the one it should have."""
    texts = stg_e(n_train=1600, spurious_strength=0.9)["train_L"]
    holds = sum(relation_holds(Example.from_record(record)) for record in texts) / len(texts)
    one = 0.9 + 0.1 / 10  # Hormones and Yellow fingers: less often, they leave 1..10
    assert 0.9**3 - 0.03 < holds < one**3 + 0.03


def test_a_companion_that_differs_is_seen() -> None:
    text = "Smoking: 4, Weight: 5, Exercise: 6, Yellow fingers: {}, Clothing size: 5, Hormones: {}"
    text += ", Certain gene: 1, Room size: 1 Answer: "
    holds = {
        (y, h): relation_holds(Example(text.format(y, h), "Low Risk"))
        for y in (5, 6, 7)
        for h in (2, 3, 4)
    }
    assert [values for values, held in holds.items() if held] == [(6, 3)]


def test_groups_are_answer_by_relation() -> None:
    mixed = [*stg("train_S", 40), *stg("test_ood", 40)]
    groups = groups_of(mixed)
    assert {name for name, _ in groups} == {"High Risk", "Low Risk"}
    assert [holds for _, holds in groups] == [True] * 40 + [False] * 40
    assert [name for name, _ in groups] == [example.answer for example in mixed]


def test_numbers_are_told_apart_by_the_median() -> None:
    records = stg_h(n_train=101, n_test=1)["train"]
    examples = [annotate(Example.from_record(record)) for record in records]
    groups = groups_of(examples)
    high = [int(e.answer) for e, (name, _) in zip(examples, groups, strict=True) if name == "high"]
    low = [int(e.answer) for e, (name, _) in zip(examples, groups, strict=True) if name == "low"]
    assert max(low) < min(high)
    assert abs(len(high) - len(low)) < 10


def test_a_text_of_no_game_has_no_group() -> None:
    with pytest.raises(ValueError, match="expected a text of STG_E or STG_H"):
        GroupDRO().fit(tuning(replace(BEACH, train_texts=5).splits()["train"]))


# --- GroupDRO -------------------------------------------------------------------------------------


def test_one_step_of_the_weights_by_hand() -> None:
    worst = WorstGroup(["a", "b", "c", "a"], step_size=0.5)
    batch = Losses([2.0, 4.0, 1.0], index=[0, 3, 1])
    loss = worst(batch)  # type: ignore[arg-type]
    raw = {"a": exp(0.5 * 3), "b": exp(0.5 * 1), "c": 1.0}
    assert worst.weights == pytest.approx({g: w / sum(raw.values()) for g, w in raw.items()})
    assert loss.item() == pytest.approx(3 * worst.weights["a"] + 1 * worst.weights["b"])
    loss.backward()
    of_a = worst.weights["a"] / 2
    assert batch.lm_losses.grad.tolist() == pytest.approx([of_a, of_a, worst.weights["b"]])


def test_the_weights_move_to_the_worst_group() -> None:
    worst = WorstGroup([0, 1, 2], step_size=0.1)
    for _ in range(50):
        worst(Losses([0.2, 2.0, 0.5], index=[0, 1, 2]))  # type: ignore[arg-type]
    assert worst.weights[1] > 0.99
    assert sum(worst.weights.values()) == pytest.approx(1)


def test_of_one_group_it_is_the_mean_loss() -> None:
    examples = [e for e in stg("train_S", 30) if e.answer == "Low Risk"]
    assert {*groups_of(examples)} == {("Low Risk", True)}  # the other groups have no text
    run = tuning(examples)
    batch = batch_of(run.fresh_model(), run.tokenizer, examples)
    loss = WorstGroup(groups_of(examples), step_size=0.1)(batch)
    assert loss.item() == pytest.approx(batch.lm_loss.item(), rel=1e-5)


def test_it_trains_where_the_relation_always_holds() -> None:
    run = tuning(stg("train_S", 64), num_train_epochs=2)
    GroupDRO().fit(run)
    assert run.records[-1].lm_loss < run.records[0].lm_loss - 0.5


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (JTT, {"upweight": 1}, "expected upweight of at least 2, got 1"),
        (JTT, {"first_epochs": 0}, "expected first_epochs as a positive number, got 0"),
        (GroupDRO, {"step_size": float("inf")}, "expected step_size as a positive number"),
    ],
)
def test_options_that_mean_nothing(kind: type, options: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind(**options)
