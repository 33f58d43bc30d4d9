"""Effects: how much the model's answer moves when a factor is set from outside, do(factor = value).

Attention shows where a model looks; an effect shows what its answer depends on. The game is a
causal model, so the true effect is known: the same intervention, answered by the game's rule.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from cat.intervene import factor_ends, intervene
from cat.scm import CausalModel, Role
from cat.signals import Example
from cat.stg import GAMES, read_factors
from catviz.effects.answers import AnswerScores
from catviz.effects.estimate import Estimate, estimate_mean
from catviz.effects.plain import PlainModel
from catviz.effects.questions import BatchEdit, Questions
from catviz.lens import AttentionLens

__all__ = ["Dose", "Effect", "average_effects", "dose_response"]

_STEPS = 10  # of a dose-response curve


@dataclass(frozen=True)
class Effect:
    """A factor's average causal effect on the answer, by the model and by the rule.

    Attributes:
        start, end: what the factor is set to, first and second.
        effect: mean over texts of outcome(do(factor = end)) - outcome(do(factor = start)), in
            ``unit``, with its 95% interval ``low`` to ``high`` (None for a single text).
        true: the same of the rule's answers to the same texts.
        log_odds: the same of the log-odds of the first answer, in nats; None where the answer is
            a number.
        texts: how many the means are over.
    """

    model: str
    factor: str
    role: Role
    start: float
    end: float
    effect: float
    low: float | None
    high: float | None
    true: float
    unit: str
    log_odds: Estimate | None
    texts: int

    def to_dict(self) -> dict[str, Any]:
        """For tables, figures and JSON."""
        logs = self.log_odds
        return {
            "model": self.model,
            "factor": self.factor,
            "role": self.role,
            "start": self.start,
            "end": self.end,
            "effect": self.effect,
            "low": self.low,
            "high": self.high,
            "true": self.true,
            "unit": self.unit,
            "log_odds": None if logs is None else logs.mean,
            "log_odds_low": None if logs is None else logs.low,
            "log_odds_high": None if logs is None else logs.high,
            "texts": self.texts,
        }


@dataclass(frozen=True)
class Dose:
    """The mean outcome with a factor set to one value, by the model (95% interval) and the rule."""

    model: str
    factor: str
    role: Role
    value: float
    outcome: float
    low: float | None
    high: float | None
    true: float
    unit: str
    texts: int


def average_effects(
    model: AttentionLens | PlainModel,
    examples: Sequence[str | Example],
    *,
    game: CausalModel | None = None,
    factors: Sequence[str] | None = None,
    ends: Mapping[str, tuple[float, float]] | None = None,
    edit: BatchEdit | None = None,
    batch_size: int = 16,
    progress: str | None = None,
) -> list[Effect]:
    """The average causal effect of each factor on a model's answer, in the game's order.

    Every text is written twice, with the factor at the low and at the high end of its range, and
    asked. The outcome is the probability of the game's first answer ("High Risk" in STG_E), or the
    expected index (STG_H); both are then comparable with the rule's answer.

    Args:
        model: a lens, or a :class:`~catviz.effects.plain.PlainModel` where no edit is wanted.
        examples: texts of one game.
        game: whose equations the other factors follow. None for its out-of-distribution version,
            in which they stay as they are: the effect of the factor's own words. With ``STG_E``
            companions follow their causes: the effect of a change in the world. For texts of a
            game of one's own, one of its two models (:attr:`cat.own_game.OwnGame.models`).
        factors: names; None for all.
        ends: factor -> (from, to); those not given go over the factor's range in distribution,
            values that training shows (:func:`cat.intervene.factor_ends`).
        edit: of the attention patterns, for the effects in an ablated or steered model.
        progress: show a progress bar of this name.

    Raises:
        ValueError: texts of no game or of several, a value that the tokenizer does not know.
        KeyError: a factor that the game does not have.

    >>> from cat.data import load_data
    >>> texts = load_data("stg-e")["test_ood"][:20]
    >>> first = average_effects(PlainModel.load("tiny/alpha-10"), texts)[0]
    >>> first.factor, first.start, first.end, first.unit
    ('Smoking', 1, 10, 'probability of High Risk')
    """
    measure = _measure_of(examples, game)
    game = _game_for(measure, game)
    names = list(game.roles) if factors is None else list(factors)
    span = {**factor_ends(measure.game), **(ends or {})}
    for name in (*names, *(ends or {})):
        game[name]  # a KeyError that says which there are
    doses = [(name, value) for name in names for value in span[name]]
    told = _outcomes(model, examples, doses, game, measure, edit, batch_size, progress)
    effects = []
    for i, name in enumerate(names):
        outcome = estimate_mean(told.outcome[2 * i + 1] - told.outcome[2 * i])
        effects.append(
            Effect(
                model=model.name,
                factor=name,
                role=game.roles[name],
                start=span[name][0],
                end=span[name][1],
                effect=outcome.mean,
                low=outcome.low,
                high=outcome.high,
                true=float((told.true[2 * i + 1] - told.true[2 * i]).mean()),
                unit=measure.unit,
                log_odds=None
                if told.log_odds is None
                else estimate_mean(told.log_odds[2 * i + 1] - told.log_odds[2 * i]),
                texts=len(examples),
            )
        )
    return effects


def dose_response(
    model: AttentionLens | PlainModel,
    examples: Sequence[str | Example],
    factor: str,
    values: Sequence[float] | None = None,
    *,
    game: CausalModel | None = None,
    edit: BatchEdit | None = None,
    batch_size: int = 16,
    progress: str | None = None,
) -> list[Dose]:
    """The mean outcome with a factor set to each of several values; see :func:`average_effects`.

    Args:
        values: None for the factor's range in distribution: each whole number of at most ten,
            else ten even steps.

    >>> from cat.data import load_data
    >>> texts = load_data("stg-e")["test_ood"][:20]
    >>> doses = dose_response(PlainModel.load("tiny/alpha-10"), texts, "Hormones")
    >>> [dose.value for dose in doses]
    [0, 1, 2, 3, 4, 5]
    """
    measure = _measure_of(examples, game)
    game = _game_for(measure, game)
    role = game[factor].role
    if values is None:
        values = _steps(*factor_ends(measure.game)[factor])
    doses = [(factor, value) for value in values]
    told = _outcomes(model, examples, doses, game, measure, edit, batch_size, progress)
    means = [estimate_mean(outcome) for outcome in told.outcome]
    return [
        Dose(
            model=model.name,
            factor=factor,
            role=role,
            value=value,
            outcome=mean.mean,
            low=mean.low,
            high=mean.high,
            true=float(true.mean()),
            unit=measure.unit,
            texts=len(examples),
        )
        for value, mean, true in zip(values, means, told.true, strict=True)
    ]


# ----------------------------------------------------------------------------- outcomes


@dataclass(frozen=True)
class _Measure:
    """What is measured of a game's answers, so that the model's and the rule's compare."""

    game: CausalModel  # whose factors' ranges are gone over
    unit: str
    of_model: Callable[[AnswerScores], np.ndarray]
    of_rule: Callable[[str], float]
    of_log_odds: str | None  # the answer


def _measure(game: CausalModel) -> _Measure:
    if game.name == "STG_H":
        unit = "expected air quality index"
        return _Measure(game, unit, AnswerScores.expected_value, float, None)
    if not game.answers:
        raise ValueError(f"expected a game that names its answers, {game.name} has none")
    first = game.answers[0]
    return _Measure(
        game=game,
        unit=f"probability of {first}",
        of_model=lambda scores: scores.shares[:, 0],
        of_rule=lambda answer: float(answer == first),
        of_log_odds=first,
    )


@dataclass(frozen=True, eq=False)
class _Outcomes:
    """(dose, text) each."""

    outcome: np.ndarray
    true: np.ndarray
    log_odds: np.ndarray | None


def _outcomes(
    model: AttentionLens | PlainModel,
    examples: Sequence[str | Example],
    doses: Sequence[tuple[str, float]],
    game: CausalModel,
    measure: _Measure,
    edit: BatchEdit | None,
    batch_size: int,
    progress: str | None,
) -> _Outcomes:
    """Each text under each do(factor = value), answered by the model and by the rule."""
    if not doses:
        raise ValueError("expected at least one factor and value to set, got none")
    written = _written(tuple(examples), tuple(doses), game)
    _check_known(model, examples, written)
    questions = Questions(model, written, game.answers, batch_size=batch_size)
    scores = questions.ask(edit, progress=progress)
    shape = (len(doses), len(examples))
    log_odds = None
    if measure.of_log_odds is not None:
        log_odds = scores.log_odds(measure.of_log_odds).reshape(shape)
    return _Outcomes(
        outcome=measure.of_model(scores).reshape(shape),
        true=np.array([measure.of_rule(one.answer) for one in written]).reshape(shape),
        log_odds=log_odds,
    )


@lru_cache(maxsize=4)  # one model after another is asked about the same texts
def _written(
    examples: tuple[str | Example, ...], doses: tuple[tuple[str, float], ...], game: CausalModel
) -> tuple[Example, ...]:
    """(dose, text), the doses in the outer loop."""
    return tuple(
        intervene(example, {name: value}, game=game)
        for name, value in doses
        for example in examples
    )


def _measure_of(examples: Sequence[str | Example], game: CausalModel | None) -> _Measure:
    if not examples:
        raise ValueError("expected at least one text of a game, got none")
    own = game if game is not None and game.name not in GAMES else None
    found: dict[str, CausalModel] = {}
    for example in examples:
        text = example.text if isinstance(example, Example) else example
        read = read_factors(text, own)
        if read is None:
            wanted = own.name if own else " or ".join(GAMES)
            raise ValueError(
                f"expected texts of {wanted}, whose causal model is known, got {text[:80]!r}"
            )
        found[read[0].name] = read[0]
    if len(found) > 1:
        raise ValueError(f"expected texts of one game, got {sorted(found)}")
    return _measure(*found.values())


def _game_for(measure: _Measure, game: CausalModel | None) -> CausalModel:
    if game is None:
        return GAMES[measure.game.name][1]
    if game.roles != measure.game.roles:
        raise ValueError(
            f"expected a version of {measure.game.name}, the texts' game, got {game.name}"
        )
    return game


def _check_known(
    model: AttentionLens | PlainModel, before: Sequence[str | Example], after: Sequence[Example]
) -> None:
    """Refuse a value that the tokenizer does not know: its effect would be that of any other."""
    unknown = model.tokenizer.unk_token_id
    if unknown is None:
        return
    texts = [example.text if isinstance(example, Example) else example for example in before]
    usual = max(ids.count(unknown) for ids in model.tokenizer(texts)["input_ids"])
    prompts = [example.prompt for example in after]
    for prompt, ids in zip(prompts, model.tokenizer(prompts)["input_ids"], strict=True):
        if ids.count(unknown) > usual:
            raise ValueError(
                f"{model.name}: expected values that the tokenizer knows, but some of {prompt!r} "
                f"become {model.tokenizer.unk_token!r}; set others with ends= or values="
            )


def _steps(low: float, high: float) -> list[float]:
    if isinstance(low, int) and high - low < _STEPS:
        return list(range(low, int(high) + 1))
    steps = np.linspace(low, high, _STEPS)
    if isinstance(low, int):
        return [int(value) for value in dict.fromkeys(steps.round())]
    return [round(float(value), 1) for value in steps]
