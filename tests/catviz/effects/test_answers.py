"""What is made of log-probabilities."""

from __future__ import annotations

import numpy as np
import pytest

from cat.signals import Example
from cat.stg import stg_e, stg_h
from catviz.effects.answers import AnswerScores, game_answers

PROBS = np.array([[0.5, 0.2, 0.1], [0.1, 0.1, 0.6]])


@pytest.fixture
def scores():
    return AnswerScores((("2", "4", "8"),) * 2, np.log(PROBS), np.array([[1, 0, 0], [0, 0, 0]]) > 0)


def test_log_odds_are_against_the_other_answers_together(scores):
    np.testing.assert_allclose(np.exp(scores.log_odds("2")), [0.5 / 0.3, 0.1 / 0.7])
    np.testing.assert_allclose(np.exp(scores.log_odds(["4", "8"])), [0.2 / 0.6, 0.6 / 0.2])


def test_a_pair_is_one_log_probability_minus_the_other():
    pair = AnswerScores((("yes", "no"),), np.array([[-1.25, -3.0]]), np.array([[True, False]]))
    np.testing.assert_allclose(pair.log_odds("yes"), [1.75])
    np.testing.assert_allclose(pair.log_odds("no"), [-1.75])


def test_a_lone_answer_is_against_all_else():
    lone = AnswerScores((("a",), ("b",)), np.log([[0.8], [0.1]]), np.array([[True], [False]]),
                        np.log([0.2, 0.9]))  # fmt: skip
    np.testing.assert_allclose(np.exp(lone.log_odds(["a", "b"])), [4, 1 / 9])
    assert lone.correct(["a", "b"]).tolist() == [True, False]


def test_shares_coverage_best_and_mean(scores):
    np.testing.assert_allclose(scores.shares, PROBS / PROBS.sum(1, keepdims=True))
    np.testing.assert_allclose(scores.coverage, [0.8, 0.8])
    assert scores.best == ("2", "8")
    assert scores.correct(["2", "4"]).tolist() == [True, False]
    np.testing.assert_allclose(scores.expected_value(), [2.6 / 0.8, 5.4 / 0.8])


def test_log_odds_keep_their_precision_where_answers_are_unlikely():
    pair = AnswerScores((("yes", "no"),), np.array([[-1000.0, -1003.0]]), np.zeros((1, 2), bool))
    np.testing.assert_allclose(pair.log_odds("yes"), [3])
    np.testing.assert_allclose(pair.shares.sum(), 1)


@pytest.mark.parametrize(
    ("of", "message"),
    [("16", "one of the answers that were asked about"), (["2"], "for each of the 2 texts")],
)
def test_answers_that_were_not_asked_about(scores, of, message):
    with pytest.raises(ValueError, match=message):
        scores.log_odds(of)


def test_answers_of_the_games():
    easy = [Example.from_record(r) for r in stg_e()["train_L"]]
    assert game_answers(easy) == ("High Risk", "Low Risk", "Middle Risk")
    assert game_answers(easy[:1]) == ("High Risk", "Low Risk")
    hard = [Example.from_record(r) for r in stg_h(n_train=1, n_test=1)["train"]]
    assert game_answers(hard) == tuple(str(index) for index in range(101))
    assert game_answers([*easy, *hard]) is None
    assert game_answers([Example("Two and two? Answer: ", "4")]) is None
