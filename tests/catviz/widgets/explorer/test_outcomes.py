"""Answers under a cut, and the table that tells them."""

from __future__ import annotations

import re
from html import unescape

import numpy as np
import pytest

from catviz.effects.answers import AnswerScores
from catviz.widgets.explorer.outcomes import Cut, Outcome, outcome_table


def scores(answers: tuple[str, ...], probabilities: list[float]) -> AnswerScores:
    rest = np.log([1 - probabilities[0]]) if len(answers) == 1 else None
    return AnswerScores(
        (answers,), np.log([probabilities]), np.zeros((1, len(answers)), dtype=bool), rest
    )


def rows(html: str) -> list[list[str]]:
    found = re.findall(r"<tr.*?</tr>", html, re.S)
    return [
        [unescape(re.sub("<.*?>", "", cell)) for cell in re.findall(r"<t[hd].*?</t[hd]>", row)]
        for row in found
    ]


def test_two_answers_and_counts() -> None:
    cut = Cut(("L0H1",), ("spurious",))
    found = [
        Outcome("plain", Cut(), scores(("yes", "no"), [0.6, 0.2]), right=7),
        Outcome("plain", cut, scores(("yes", "no"), [0.1, 0.3])),
    ]
    html = outcome_table(found, "yes", is_right=True, counted=9)
    head, first, second = rows(html)
    assert head[1:] == ["yes", "no", "log-odds of “yes”", "right on 9 OOD texts of the game"]
    assert first == ["plain, as it is", "75.0%", "25.0%", "+1.10", "7"]
    assert second == [
        "… without head L0H1, without attention to spurious words", "25.0%", "75.0%", "-1.10", "…",
    ]  # fmt: skip
    assert "The right answer is “yes”" in html


@pytest.mark.parametrize(
    ("answers", "probabilities", "cells"),
    [
        (("yes",), [0.9], ["90.0%", "+2.20"]),
        (tuple("abcdef"), [0.1, 0.5, 0.1, 0.1, 0.1, 0.1], ["b", "-2.20"]),
    ],
)
def test_one_answer_and_many(
    answers: tuple[str, ...], probabilities: list[float], cells: list[str]
) -> None:
    html = outcome_table(
        [Outcome("m", Cut(), scores(answers, probabilities))], answers[0], is_right=False
    )
    assert rows(html)[1][1:] == cells
    assert "right answer" not in html


def test_names_and_answers_stay_text() -> None:
    bad = "<img src=x onerror=alert(1)>"
    html = outcome_table([Outcome(bad, Cut(), scores((bad, "b"), [0.5, 0.5]))], bad, is_right=True)
    assert "<img" not in html


def test_a_cut_says_what_it_is() -> None:
    assert not Cut()
    assert str(Cut(tuple(f"L0H{n}" for n in range(9)))).endswith("L0H5, …")
    assert str(Cut(roles=("causal", "irrelevant"))) == (
        "without attention to causal and irrelevant words"
    )
