"""Which answers are right."""

from __future__ import annotations

import pickle
import random
import re
from fractions import Fraction

import pytest

from cat.evaluate import Evaluation
from cat.scoring import CHOICE, EXACT, LAST_NUMBER, NUMBER, Scoring, numbers_in, written


@pytest.mark.parametrize(
    "answer",
    ["84", "84.0", "84.00", "$84", "$ 84", "84 apples", "84 (apples)", "84.", "84%", "084", "+84",
     "84 square feet.", "Answer: 84", "The answer is 84.", "the final answer: 84 pens", "168/2",
     "#### 84", "5 + 79 = 84, so\n#### $84.00\n"],
)  # fmt: skip
def test_one_number_written_in_many_ways(answer: str) -> None:
    for target in ("84", "84.0", "84 (apples)"):
        assert NUMBER.same(answer, target)
        assert LAST_NUMBER.same(answer, target)
    assert NUMBER.read(answer) == "84"


@pytest.mark.parametrize(
    "answer",
    ["85", "-84", "84.1", "8 4", "184", "84,5", "84th", "84:00", "3 apples and 84 pears", "84 = 84",
     "84 of 90", "eighty-four", "", "#### 84\n#### 85"],
)  # fmt: skip
def test_what_is_not_that_number(answer: str) -> None:
    assert not NUMBER.same(answer, "84.0")


@pytest.mark.parametrize(
    ("one", "other"),
    [("1,200", "1200"), ("1,234,567.5", "1234567.5"), ("1/2", "0.5"), ("1 1/2", "1.5"),
     ("-(1/3)", "-1/3"), ("\N{MINUS SIGN}5", "-5"), ("-$5", "-5.0"), ("$-5", "-5"), (".5", "0.5"),
     ("2/3", "0.6666666667"), ("0.6667", "0.6666666667"), ("25%", "25")],
)  # fmt: skip
def test_numbers_that_are_the_same(one: str, other: str) -> None:
    for scoring in (NUMBER, LAST_NUMBER):
        assert scoring.same(one, other)
        assert scoring.same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [("25%", "0.25"), ("1,20", "120"), ("0.67", "0.6666666667"), ("0.67", "2/3"), ("1/0", "0"),
     ("100000", "100001"), ("84.04", "84.0"), ("0.33333", "0.3334")],
)  # fmt: skip
def test_numbers_that_are_not(one: str, other: str) -> None:
    assert not NUMBER.same(one, other)
    assert not NUMBER.same(other, one)


@pytest.mark.parametrize(
    ("answer", "target", "right"),
    [
        ("clara", "Clara", True),
        ("Answer:  they are\nequal.", "They are equal", True),
        ("3:30 p.m", "3:30 p.m.", True),
        ("2:13", "2:13", True),
        ("2:14", "2:13", False),
        ("6", "6th", False),
        ("", ".", False),
    ],
)
def test_answers_that_are_no_numbers_are_compared_as_texts(
    answer: str, target: str, right: bool
) -> None:
    for scoring in (NUMBER, LAST_NUMBER):
        assert scoring.same(answer, target) is right


def test_where_the_mark_is_missing_the_last_number_counts_of_gsm8k_only() -> None:
    said = "He has 4 * 20 = <<4*20=80>>80 pens, and then 84 in all. So that is it."
    assert LAST_NUMBER.same(said, "4 more.\n#### 84")
    assert not NUMBER.same(said, "84")
    assert not LAST_NUMBER.same("80 and 84\n#### 80", "84")  # the mark goes before
    assert not LAST_NUMBER.same("no idea", "84")
    assert LAST_NUMBER.read("no idea") is None
    # The right answer is never guessed: a target that is no number stays a text.
    assert not LAST_NUMBER.same("13", "2:13")


def test_an_answer_of_digits_without_end_is_no_number() -> None:
    endless = "1" * 5000
    for scoring in (NUMBER, LAST_NUMBER):
        assert scoring.read(endless) is None
        assert not scoring.same(f"{endless}.5", "1")
        assert scoring.same("1" * 200, "1" * 200)


@pytest.mark.parametrize(
    "answer",
    ["B", "b", "B.", "B)", "(B)", "(b) television", "B. television", "B: television", "Answer: B",
     "answer B", "The answer is B.", "the correct answer is (B)", "B\nC", " B "],
)  # fmt: skip
def test_letters(answer: str) -> None:
    assert CHOICE.read(answer) == "B"
    assert CHOICE.same(answer, "B")
    assert not CHOICE.same(answer, "C")


@pytest.mark.parametrize(
    "answer",
    ["Because", "B or C", "A cat", "", "television", "Best.", "F", "2", "AB", "Answer: Bee"],
)
def test_no_letters(answer: str) -> None:
    assert CHOICE.read(answer) is None
    assert not any(CHOICE.same(answer, letter) for letter in "ABCDE")


def test_numbers_against_another_reading() -> None:
    """Random numbers, written in every way that is allowed, against plain arithmetic."""
    draw = random.Random(0)
    for _ in range(300):
        value = Fraction(draw.randint(0, 10**7), draw.choice((1, 1, 2, 4, 5, 8, 10)))
        shown = f"{float(value):,.3f}" if draw.random() < 0.5 else f"{float(value):.4f}"
        sign = draw.choice(("", "-"))
        dressed = draw.choice(("{}", "${}", "{} pens", "{}%", "{} (a b)", "Answer: {}")).format(
            f"{sign}{shown}"
        )
        wanted = Fraction(re.sub(r"[^\d.-]", "", shown)) * (-1 if sign else 1)
        assert NUMBER.read(dressed) == written(wanted), dressed
        assert NUMBER.same(dressed, str(wanted))
        assert not NUMBER.same(dressed, str(wanted + 1))


def test_the_numbers_of_a_text() -> None:
    text = "On 3 days he ran 1,200.5 m, 10-3 times, for $2.50 (1/4 of it)."
    assert numbers_in(text) == (3, Fraction("1200.5"), 10, 3, Fraction("2.5"), Fraction(1, 4))


@pytest.mark.parametrize("scoring", [EXACT, NUMBER, LAST_NUMBER, CHOICE])
def test_a_scoring_travels_between_processes(scoring: Scoring) -> None:
    again = pickle.loads(pickle.dumps(scoring))
    assert again.same("B", "B")
    assert again.name == scoring.name


def test_an_evaluation_by_another_scoring() -> None:
    answers = ("84 apples", "85", "none at all", "#### 3")
    evaluation = Evaluation(answers, ("84.0", "84.0", "7", "3 (pens)"), NUMBER)
    scores = evaluation.to_dict()
    assert evaluation.correct == (True, False, False, True)
    assert scores["right"] == "1001"
    assert scores["unreadable"] == 1
    assert scores["scoring"] == "number"
    assert scores["answers"] == {"84": 1, "85": 1, "none that can be read": 1, "3": 1}
    assert "mean_absolute_error" not in scores
    assert "balanced_accuracy" not in scores
    choices = Evaluation(("A", "B.", "A", "x"), ("A", "B", "B", "(B)"), CHOICE).to_dict()
    assert choices["balanced_accuracy"] == pytest.approx((1 + 1 / 3) / 2)
    assert choices["unreadable"] == 1


def test_the_usual_scoring_tells_what_it_always_told() -> None:
    evaluation = Evaluation(("32", "x"), ("32.0", "33"))
    assert set(evaluation.to_dict()) == {
        "texts", "accuracy", "interval", "answers", "mean_absolute_error", "not_a_number",
    }  # fmt: skip
