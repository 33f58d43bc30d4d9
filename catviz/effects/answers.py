"""What a model thinks of given answers: log-odds, shares, the best one, the expected value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from cat.signals import Example
from cat.stg import GAMES, read_factors

__all__ = ["GAME_ANSWERS", "AnswerScores", "game_answers"]

GAME_ANSWERS: Mapping[str, tuple[str, ...]] = {
    name: game.answers for name, (game, _) in GAMES.items()
}
"""What each game's rule can answer."""


@dataclass(frozen=True, eq=False)
class AnswerScores:
    """How likely a model finds the answers that it was asked about, text by text.

    Attributes:
        answers: (text, answer), the answers of each text.
        log_probs: (text, answer), log P(answer | prompt) in nats: of the model's text beginning
            with the answer, the sum over the answer's tokens.
        greedy: bool (text, answer), whether greedy decoding begins with the answer.
        log_rest: (text,), log P(anything else) where one answer a text was asked about.

    >>> scores = AnswerScores((("High Risk", "Low Risk"),), np.log([[0.6, 0.2]]),
    ...                       np.array([[True, False]]))
    >>> np.exp(scores.log_odds("High Risk")), scores.shares, scores.coverage, scores.best
    (array([3.]), array([[0.75, 0.25]]), array([0.8]), ('High Risk',))
    """

    answers: tuple[tuple[str, ...], ...]
    log_probs: np.ndarray
    greedy: np.ndarray
    log_rest: np.ndarray | None = None

    def log_odds(self, of: str | Sequence[str]) -> np.ndarray:
        """(text,): log P(of) - log P(the other answers together), in nats.

        Where no other answer was asked about: against anything else that the model could say,
        the logit of P(of).

        Args:
            of: one answer for all texts, or one for each.
        """
        at = (np.arange(len(self.answers)), self._places(of))
        if self.log_rest is not None:
            return np.asarray(self.log_probs[at] - self.log_rest)
        others = self.log_probs.copy()
        others[at] = -np.inf
        return np.asarray(self.log_probs[at] - np.logaddexp.reduce(others, axis=1))

    @property
    def shares(self) -> np.ndarray:
        """(text, answer): probabilities among the answers asked about; rows sum to one."""
        together = np.logaddexp.reduce(self.log_probs, axis=1, keepdims=True)
        return np.asarray(np.exp(self.log_probs - together))

    @property
    def coverage(self) -> np.ndarray:
        """(text,): the probability, of all that the model could say, that the answers make up."""
        return np.asarray(np.exp(self.log_probs).sum(axis=1))

    @property
    def best(self) -> tuple[str, ...]:
        """The likeliest of each text's answers."""
        at = self.log_probs.argmax(axis=1)
        return tuple(asked[k] for asked, k in zip(self.answers, at, strict=True))

    def correct(self, targets: Sequence[str]) -> np.ndarray:
        """Bool (text,): the right answer is the likeliest of those asked about.

        Where it was the only one: greedy decoding begins with it.
        """
        at = self._places(targets)
        if self.log_rest is not None:
            return self.greedy[:, 0]
        return np.asarray(self.log_probs.argmax(axis=1) == at)

    def expected_value(self) -> np.ndarray:
        """(text,): the mean of the answers, which must be numbers, weighted by their shares."""
        return np.asarray((self.shares * np.asarray(self.answers, dtype=np.float64)).sum(axis=1))

    def _places(self, of: str | Sequence[str]) -> list[int]:
        each = [of] * len(self.answers) if isinstance(of, str) else of
        if len(each) != len(self.answers):
            raise ValueError(
                f"expected one answer for each of the {len(self.answers)} texts, got {len(each)}"
            )
        for answer, asked in zip(each, self.answers, strict=True):
            if answer not in asked:
                raise ValueError(
                    f"expected one of the answers that were asked about, {asked}, got {answer!r}"
                )
        return [asked.index(answer) for answer, asked in zip(each, self.answers, strict=True)]


def game_answers(examples: Sequence[Example]) -> tuple[str, ...] | None:
    """The answers of the game of these texts, the examples' own among them; None if of no game.

    >>> from cat.stg import stg_e
    >>> game_answers([Example.from_record(stg_e()["test_ood"][0])])
    ('High Risk', 'Low Risk')
    """
    found = [read_factors(example.text) for example in examples]
    games = {"" if read is None else read[0].name for read in found}
    if len(games) != 1 or "" in games:
        return None
    own = [example.answer for example in examples if example.answer]
    return tuple(dict.fromkeys((*GAME_ANSWERS[games.pop()], *own)))
