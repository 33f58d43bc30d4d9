"""Exercises: what is right passes, what is wrong is told without the answer, nothing raises."""

from __future__ import annotations

import math
from collections.abc import Callable
from random import Random

import pytest
import torch

from cat.reattention import reattention_loss
from cat.stg import STG_E
from catviz.workshop import (
    LOSS_ROW,
    STATEMENTS,
    Feedback,
    check_best_alpha,
    check_do,
    check_guess,
    check_loss_by_hand,
    check_spurious,
    check_steering,
)

SPURIOUS = ["Yellow fingers", "Clothing size", "Hormones"]
ROW = {"on_causes": LOSS_ROW.on_causes, "on_others": LOSS_ROW.on_others, "loss": LOSS_ROW.loss(2.0)}
DONE = {"by_fingers": ["Yellow fingers"], "by_smoking": ["Smoking", "Yellow fingers"]}

ONE_VALUE: list[Callable[[object], Feedback]] = [
    check_spurious,
    check_best_alpha,
    check_steering,
    lambda written: check_guess(iid=written, ood=90),
    lambda written: check_guess(iid=90, ood=written),
    *(lambda written, key=key: check_loss_by_hand(**{**ROW, key: written}) for key in ROW),
    *(lambda written, key=key: check_do(**{**DONE, key: written}) for key in DONE),
]


@pytest.mark.parametrize("check", ONE_VALUE)
@pytest.mark.parametrize("written", [..., None, "", " ", "...", "…", [], (), [...], {""}])
def test_nothing_written_is_said(check, written):
    feedback = check(written)
    assert not feedback
    assert str(feedback).startswith("Nothing is written here yet")


@pytest.mark.parametrize("check", ONE_VALUE)
@pytest.mark.parametrize(
    "written",
    [math.nan, math.inf, 1e9, -1, True, "abc", object(), {"a": 1}, [1, 2], len, b"x",
     torch.zeros(2, 2), {1}, [["Smoking"]]],
)  # fmt: skip
def test_whatever_is_written_gets_an_answer(check, written):
    feedback = check(written)
    assert not feedback
    assert str(feedback).startswith("Not yet. ")


@pytest.mark.parametrize(
    "names",
    [SPURIOUS, set(SPURIOUS), "yellow fingers,  clothing   size, HORMONES", tuple(SPURIOUS)],
)
def test_the_spurious_factors(names):
    assert check_spurious(names)


@pytest.mark.parametrize(
    ("names", "hint"),
    [
        (["Smoking", *SPURIOUS], "One of your names stands in the rule"),
        (["Smoking", "Weight"], "2 of your names stand in the rule"),
        ([*SPURIOUS, "Room size"], "One of your names follows no other factor"),
        (SPURIOUS[:2], "there is more"),
        (["Hormon"], "Did you mean 'Hormones'?"),
        (["zzz"], "There are Smoking, Weight"),
        (7, "Write a list of names"),
    ],
)
def test_wrong_names_get_a_hint(names, hint):
    assert hint in str(check_spurious(names))


def test_hints_keep_the_answer_to_themselves():
    told = " ".join(
        str(check_spurious(names)) for names in (["Smoking"], ["Room size"], ["Hormones"])
    )
    assert not any(name in told for name in STG_E.named("spurious"))
    for key in ROW:
        told = str(check_loss_by_hand(**{**ROW, key: 0.77}))
        assert f"{ROW[key]:g}" not in told.replace("alpha = 2", "")


def test_a_guess_is_noted_whatever_it_is():
    assert check_guess(iid=0, ood="99,5").text.startswith("Noted: 0% in distribution, 99.5% out")
    assert "write 100 times" in str(check_guess(iid=0.9, ood=90))
    assert "between 0 and 100" in str(check_guess(iid=90, ood=101))
    assert "yours is True" in str(check_guess(iid=True, ood=90))


def test_alphas_that_chance_cannot_tell_from_the_best_are_right():
    verdicts = {alpha: bool(check_best_alpha(alpha)) for alpha in (0.3, 1, 2, 3, 5, 10, 20)}
    assert verdicts == {0.3: False, 1: False, 2: False, 3: False, 5: True, 10: True, 20: True}
    assert "So are 3 others: on 400 texts" in str(check_best_alpha(20))
    assert "left end" in str(check_best_alpha("plain"))
    assert "no alpha 7; it has 0.3, 1, 2" in str(check_best_alpha(7))


@pytest.mark.parametrize("alpha", [0.3, 2.0, 5.0])
def test_the_row_is_what_the_loss_computes(alpha):
    attention = torch.zeros(1, 7, 7)
    attention[0, -1] = torch.tensor(LOSS_ROW.attention)
    attention[0, :-1, 0] = 1.0
    causes = torch.zeros(1, 7, 7)
    causes[0, -1] = torch.tensor(LOSS_ROW.causes)
    assert sum(LOSS_ROW.attention) == pytest.approx(1)
    loss = float(reattention_loss(attention, causes, alpha))
    assert loss == pytest.approx(LOSS_ROW.loss(alpha), abs=1e-6)
    assert check_loss_by_hand(**{**ROW, "loss": loss}, alpha=alpha)


@pytest.mark.parametrize(
    ("changed", "hint"),
    [
        ({"on_causes": 0.2}, "this is the sum over the causes"),
        ({"on_causes": 0.2 / 7}, "number of causes"),
        ({"on_causes": 0.2, "on_others": 0.1}, "on_causes"),  # one thing at a time
        ({"on_causes": LOSS_ROW.on_others}, "this is N"),
        ({"on_others": 0.8}, "this is the sum over the other tokens"),
        ({"on_others": 1 / 7}, "mean over all tokens"),
        ({"on_others": 0.8 / 7}, "not by that of all"),
        ({"loss": 0.625}, "this is C/N"),
        ({"loss": -1.375}, "the other way round"),
        ({"loss": 0.4}, "here the ratio is N/C"),
        ({"loss": 9}, "subtract C/N"),
    ],
)  # fmt: skip
def test_usual_slips_are_recognised(changed, hint):
    assert hint in str(check_loss_by_hand(**{**ROW, **changed}))


def test_what_do_changes_agrees_with_the_game():
    for key, name, value in (("by_fingers", "Yellow fingers", 15), ("by_smoking", "Smoking", 11)):
        person = STG_E.sample(Random(1))
        after = STG_E.counterfactual(person, {name: value}).values
        changed = [factor for factor in after if after[factor] != person.values[factor]]
        assert changed == [factor for factor in STG_E.roles if factor in DONE[key]]
    assert check_do(**DONE)
    assert "one name too many" in str(
        check_do(**{**DONE, "by_fingers": ["Yellow fingers", "Weight"]})
    )
    assert "something is missing" in str(check_do(**{**DONE, "by_smoking": ["Smoking"]}))


@pytest.mark.parametrize("letters", ["BC", "c, b", ["B", "C"], {"C", "B"}])
def test_the_true_statements(letters):
    assert check_steering(letters)


@pytest.mark.parametrize(
    ("letters", "hint"),
    [("A", "A: look again"), ("ABC", "A: look again"), ("B", "one more"), ("D", "no statement D")],
)
def test_untrue_statements_get_a_hint(letters, hint):
    assert hint in str(check_steering(letters))
    assert set(STATEMENTS) == {"A", "B", "C"}


def test_feedback_shows_text_as_text():
    shown = check_spurious(["<script>alert(1)</script>"])._repr_html_()
    assert "<script>" not in shown
    assert "&lt;script&gt;" in shown
