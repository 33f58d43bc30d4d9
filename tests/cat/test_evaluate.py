"""Scores, intervals, the rules that learn nothing, and greedy answers."""

import math

import numpy as np
import pytest
from scipy import stats

from cat.evaluate import (
    Evaluation,
    evaluate_answers,
    greedy_answers,
    references,
    same_answer,
    seed_interval,
    wilson_interval,
)
from cat.models import load_model
from cat.signals import Example, read_examples
from cat.stg import annotate, stg_e, stg_h


@pytest.fixture(scope="module")
def published(authors_data):
    folder = authors_data / "STG"
    names = {
        "S": "train3_S",
        "M": "train3_M",
        "L": "train3",
        "iid": "test3",
        "ood": "ood3_2",
    }
    return {n: read_examples(folder / f"spurious_token_game_{f}.jsonl") for n, f in names.items()}


@pytest.mark.parametrize(
    ("train", "test", "table"),
    [
        ("S", "iid", 0.8125),
        ("M", "iid", 0.8850),
        ("L", "iid", 0.9525),
        ("S", "ood", 0.7725),
        ("M", "ood", 0.8550),
        ("L", "ood", 0.9225),
    ],
)
def test_references_on_the_published_files(published, train, test, table):
    found = references(published[train], published[test])
    assert found["table of the causal triples seen"].accuracy == table
    assert found["always Low Risk"].accuracy == {"iid": 0.6875, "ood": 0.6650}[test]
    spurious = {"iid": 0.9525, "ood": 0.6250}[test]
    assert found["spurious values, inverted by hand"].accuracy == pytest.approx(spurious, abs=0.005)


def test_other_tasks_have_the_constant_answer_alone():
    splits = stg_h(1, n_train=200, n_test=50)
    train, test = (
        [Example.from_record(record) for record in splits[name]] for name in ("train", "test_iid")
    )
    (rule, evaluation), *others = references(train, test).items()
    assert not others
    assert rule.startswith("always ")
    wanted = [float(example.answer) for example in test]
    constant = float(rule.removeprefix("always "))
    assert evaluation.mean_absolute_error == pytest.approx(np.abs(np.array(wanted) - constant).mean())


@pytest.mark.parametrize(("right", "n"), [(0, 10), (7, 10), (10, 10), (351, 400)])
def test_wilson_interval_is_the_closed_formula(right, n):
    z, p = stats.norm.ppf(0.975), right / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    interval = wilson_interval(right, n)
    assert interval.low == pytest.approx(max(centre - half, 0), abs=1e-9)
    assert interval.high == pytest.approx(min(centre + half, 1), abs=1e-9)


def test_seed_interval_is_students_t():
    values = [0.91, 0.94, 0.90, 0.96]
    low, high = stats.t.interval(0.95, 3, loc=np.mean(values), scale=stats.sem(values))
    interval = seed_interval(values)
    assert (interval.low, interval.high) == (pytest.approx(low), pytest.approx(high))
    assert seed_interval([0.9]).low is None


@pytest.mark.parametrize(
    ("answer", "target", "same"),
    [
        ("High Risk", "High Risk", True),
        (" High Risk\n", "High Risk", True),
        ("high risk", "High Risk", False),
        ("32", "32.0", True),
        ("032", "32", True),
        ("32 apples", "32", False),
        ("", "32", False),
        ("nan", "nan", True),
        ("nan", "32", False),
    ],
)
def test_same_answer(answer, target, same):
    assert same_answer(answer, target) is same


def test_balanced_accuracy_leaves_rare_labels_out():
    targets = ["Low"] * 150 + ["High"] * 50 + ["Middle"]
    answers = ["Low"] * 150 + ["Low"] * 25 + ["High"] * 25 + ["Low"]
    evaluation = Evaluation(tuple(answers), tuple(targets))
    assert evaluation.balanced_accuracy == pytest.approx((1.0 + 0.5) / 2)
    assert evaluation.accuracy == 175 / 201


def test_numbers_have_an_absolute_error_over_those_that_are_numbers():
    evaluation = Evaluation(("30", "no idea", "50.5"), ("32", "40", "50"))
    assert evaluation.mean_absolute_error == pytest.approx((2 + 0.5) / 2)
    assert evaluation.not_a_number == 1
    assert evaluation.balanced_accuracy is None
    assert evaluation.accuracy == 0


def test_greedy_answers_in_batches_are_those_one_by_one():
    model, tokenizer = load_model("tiny-word", seed=3)  # untrained: answers of many lengths
    records = stg_e(7, n_train=4, n_test=12)["test_iid"]
    prompts = [record["input"].strip() for record in records]
    prompts[3] = "Smoking: 8 Answer:"
    prompts[5] = f"{prompts[4]} {prompts[5]}"

    def ask(batch_size):
        return greedy_answers(model, tokenizer, prompts, max_new_tokens=5, batch_size=batch_size)

    assert ask(12) == ask(5) == ask(1)
    assert tokenizer.padding_side == "left"


@pytest.mark.parametrize("name", ["plain", "alpha-10"])
def test_a_shipped_model_scores_what_its_file_says(name):
    import json

    from cat.models import CHECKPOINTS

    model, tokenizer = load_model(f"tiny/{name}")
    stated = json.loads((CHECKPOINTS / name / "result.json").read_text(encoding="utf-8"))
    for test in ("test_iid", "test_ood"):
        examples = [annotate(Example.from_record(record)) for record in stg_e(42)[test]]
        evaluation = evaluate_answers(model, tokenizer, examples)
        assert evaluation.accuracy == pytest.approx(stated["scores"][test]["accuracy"], abs=0.005)


def test_nothing_to_evaluate_on_is_an_error():
    with pytest.raises(ValueError, match="at least one example"):
        evaluate_answers(None, None, [])
