"""What a game of one's own must be: each refusal names the field, and says what to do."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from itertools import combinations, pairwise
from random import Random
from typing import TYPE_CHECKING, Any, get_args

from cat.scm import Role
from cat.stg import GAMES, Ood
from cat.tiny import SPECIAL_TOKENS

if TYPE_CHECKING:
    from cat.own_game import Factor, OwnGame

__all__ = ["MOST_FACTORS", "GameError", "check_game"]

MOST_FACTORS = 16
MOST_LETTERS = 40  # of a name or an answer
MOST_VALUES = 100  # of a factor; each is a word that the model must have seen in training
MOST_TEXTS = 10_000
FURTHEST = 10_000  # from zero
RAREST = 0.1  # share of the rarer answer
_SAMPLES = 2000  # from which the shares of the answers are counted
_SEED = 42


class GameError(ValueError):
    """Something is wrong with a game.

    Attributes:
        field: of the game or of a factor, as the classes name it.
        factor: which factor it is about, counted from 1; None for the game itself.
    """

    def __init__(self, field: str, said: str, factor: int | None = None) -> None:
        self.field, self.factor = field, factor
        where = field.replace("_", " ")
        super().__init__(f"factor {factor}, {where}: {said}" if factor else f"{where}: {said}")


def check_game(game: OwnGame) -> None:
    """Refuse what is no game, with a :class:`GameError` about the first thing that is wrong."""
    _check_text("name", game.name)
    if game.name in GAMES:
        raise GameError("name", f"{game.name} is another game; choose another name")
    _check_text("question", game.question, most=400)
    _check_answers(game.answers)
    if not 0 < len(game.factors) <= MOST_FACTORS:
        raise GameError("factors", f"expected 1 to {MOST_FACTORS}, got {len(game.factors)}")
    for row, factor in enumerate(game.factors, start=1):
        _check_factor(factor, row)
    _check_names(game.factors, game.question)
    _check_follows(game.factors)
    if not any(factor.role == "causal" for factor in game.factors):
        raise GameError("factors", "expected at least one cause, got none: the rule needs one")
    _check_numbers(game)
    _check_balance(game)


# ----------------------------------------------------------------------------- words


def _check_text(field: str, text: Any, row: int | None = None, most: int = MOST_LETTERS) -> None:
    if not isinstance(text, str) or not text.strip():
        raise GameError(field, f"expected a text, got {text!r}", row)
    if text != text.strip() or not text.isprintable():
        raise GameError(
            field, f"expected one line without spaces at its ends, got {text[:80]!r}", row
        )
    if len(text) > most:
        raise GameError(field, f"expected at most {most} letters, got {len(text)}", row)
    for token in SPECIAL_TOKENS:
        if token in text:
            raise GameError(field, f"expected a text without {token!r}, which means something", row)


def _check_answers(answers: Any) -> None:
    if not isinstance(answers, tuple) or len(answers) != 2:
        raise GameError("answers", f"expected two, got {answers!r}")
    for answer in answers:
        _check_text("answers", answer)
        if re.search("[,:]", answer):
            raise GameError("answers", f"expected no comma and no colon, got {answer!r}")
    if _same(*answers):
        raise GameError("answers", f"expected two different ones, got {answers[0]!r} twice")


def _check_names(factors: Sequence[Factor], question: str) -> None:
    for row, factor in enumerate(factors, start=1):
        name = factor.name
        if re.search("[,:]", name):
            raise GameError("name", f"expected no comma and no colon, got {name!r}", row)
        if name[-1].isdigit():
            raise GameError(
                "name", f"expected no digit at its end, where the value follows, got {name!r}", row
            )
        if _ends_with(name, "Answer"):
            raise GameError(
                "name", f'{name!r}: "Answer:" stands in front of the answer; choose another', row
            )
        if f"{name}:".casefold() in question.casefold():
            raise GameError("question", f"expected no {name + ':'!r} in it, got {question!r}")
    for (row, one), (other_row, other) in combinations(enumerate(factors, start=1), 2):
        if _same(one.name, other.name):
            raise GameError(
                "name", f"{other.name!r} is the name of factor {row} already; change one", other_row
            )
        if _ends_with(one.name, other.name) or _ends_with(other.name, one.name):
            raise GameError(
                "name",
                f"{other.name!r} and {one.name!r} (factor {row}) cannot be told apart in a text, "
                "where one ends as the other; change one",
                other_row,
            )


def _same(one: str, other: str) -> bool:
    return one.casefold() == other.casefold()


def _ends_with(text: str, words: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(words)}$", text, re.IGNORECASE) is not None


# ----------------------------------------------------------------------------- factors


def _check_factor(factor: Factor, row: int) -> None:
    _check_text("name", factor.name, row)
    if factor.role not in get_args(Role):
        raise GameError("role", f"expected one of {get_args(Role)}, got {factor.role!r}", row)
    _check_whole("lowest", factor.lowest, -FURTHEST, FURTHEST, row)
    _check_whole("highest", factor.highest, -FURTHEST, FURTHEST, row)
    if factor.highest <= factor.lowest:
        raise GameError(
            "highest",
            f"expected a number above the lowest, {factor.lowest}, got {factor.highest}; are they "
            "the wrong way round?",
            row,
        )
    if len(factor.values) > MOST_VALUES:
        raise GameError(
            "highest",
            f"expected at most {MOST_VALUES} values, {factor.lowest} to "
            f"{factor.lowest + MOST_VALUES - 1}, got {len(factor.values)}; each is a word that the "
            "model must learn",
            row,
        )
    for field in ("weight", "slope", "offset"):
        _check_number(field, getattr(factor, field), row)
    if factor.role == "causal" and factor.weight == 0:
        raise GameError(
            "weight",
            f"expected a number other than 0, or {factor.name!r} is no cause: make it a companion "
            "or irrelevant",
            row,
        )
    if factor.role != "causal" and factor.weight != 0:
        raise GameError("weight", f"expected 0, only causes count, got {factor.weight:g}", row)


def _check_follows(factors: Sequence[Factor]) -> None:
    by_name = {factor.name: factor for factor in factors}
    for row, factor in enumerate(factors, start=1):
        follows = factor.follows
        if factor.role == "irrelevant" and follows:
            raise GameError(
                "follows",
                f"expected nothing for an irrelevant factor, got {follows!r}",
                row,
            )
        if factor.role == "spurious" and not follows:
            raise GameError(
                "follows", f"{factor.name!r} is a companion of nothing: say which it follows", row
            )
        if not follows:
            continue
        allowed = [
            other.name
            for other in factors
            if other.role == "causal" or other.role == factor.role == "spurious"
        ]
        if follows not in allowed:
            kind = "a cause" if factor.role == "causal" else "a cause or a companion"
            raise GameError(
                "follows", f"expected {kind} ({', '.join(allowed)}), got {follows!r}", row
            )
        if len({factor.following(value) for value in by_name[follows].values}) == 1:
            raise GameError(
                "slope",
                f"{factor.name!r} would always be {factor.following(by_name[follows].lowest)}, "
                f"whatever {follows!r} is: change slope, offset or its ends",
                row,
            )
    for row, factor in enumerate(factors, start=1):
        line = [factor.name]
        while follows := by_name[line[-1]].follows:
            line.append(follows)
            if follows in line[:-1]:
                raise GameError(
                    "follows",
                    f"expected no circle, but {' follows '.join(map(repr, line))}; take one arrow "
                    "out",
                    row,
                )


# ----------------------------------------------------------------------------- numbers


def _check_numbers(game: OwnGame) -> None:
    _check_number("threshold", game.threshold)
    _check_number("spurious_ratio", game.spurious_ratio)
    if not 0 <= game.spurious_ratio <= 1:
        raise GameError("spurious_ratio", f"expected 0 to 1, got {game.spurious_ratio:g}")
    if game.ood not in get_args(Ood):
        raise GameError("ood", f"expected one of {get_args(Ood)}, got {game.ood!r}")
    _check_whole("seed", game.seed, 0, 2**32 - 1)
    for field in ("train_texts", "test_texts"):
        _check_whole(field, getattr(game, field), 1, MOST_TEXTS)


def _check_whole(field: str, number: Any, least: int, most: int, row: int | None = None) -> None:
    if not isinstance(number, int) or isinstance(number, bool) or not least <= number <= most:
        raise GameError(
            field, f"expected a whole number from {least} to {most}, got {number!r}", row
        )


def _check_number(field: str, number: Any, row: int | None = None) -> None:
    wrong_type = isinstance(number, bool) or not isinstance(number, int | float)
    if wrong_type or not math.isfinite(number) or abs(number) > FURTHEST:
        raise GameError(
            field, f"expected a number from {-FURTHEST} to {FURTHEST}, got {number!r}", row
        )


def _check_balance(game: OwnGame) -> None:
    """Refuse a rule that (nearly) always gives one answer, and suggest a threshold."""
    rng = Random(_SEED)
    model, _ = game.models
    scores = [game.score(model.sample(rng).values) for _ in range(_SAMPLES)]
    above = _share_above(scores, game.threshold)
    if min(above, 1 - above) >= RAREST:
        return
    first, second = game.answers
    said = (
        f"expected a rule that gives each answer in at least {RAREST:.0%} of the texts; above "
        f"{game.threshold:g}, {first!r} comes in {above:.0%} of them and {second!r} in "
        f"{1 - above:.0%}"
    )
    distinct = sorted(set(scores))
    if len(distinct) == 1:
        raise GameError(
            "threshold", f"{said}: the causes always add up to {distinct[0]:g}, change a weight"
        )
    better = _balanced_threshold(scores, distinct)
    raise GameError(
        "threshold",
        f"{said}. Try {better:g}: {first!r} in {_share_above(scores, better):.0%}",
    )


def _share_above(scores: Sequence[float], threshold: float) -> float:
    return sum(score > threshold for score in scores) / len(scores)


def _balanced_threshold(scores: Sequence[float], distinct: Sequence[float]) -> float:
    """The shortest number between the two sums that halve the texts best."""
    low, high = min(pairwise(distinct), key=lambda pair: abs(_share_above(scores, pair[0]) - 0.5))
    for decimals in range(9):
        rounded = round((low + high) / 2, decimals)
        if low <= rounded < high:
            return rounded
    return low
