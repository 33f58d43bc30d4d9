"""do() on a text: what the game would have written, had some factors been set from outside.

The values are read from the text, the noise behind them is kept, and what depends on the factors
that are set follows by the game's equations (Pearl 2009, *Causality*, chapter 7: a counterfactual).
Every other character of the text stays as it was.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from random import Random
from typing import Any

from cat.scm import CausalModel, Values, Variable
from cat.signals import Example
from cat.stg import GAMES, annotate, read_factors

__all__ = ["counterfactual_values", "factor_ends", "intervene"]

_SAMPLES = 1000  # from which the ends of a factor's range are read
_SEED = 42


def intervene(
    text: str | Example, interventions: Mapping[str, float], *, game: CausalModel | None = None
) -> Example:
    """The text under ``do(interventions)``, with the answer that the rule then gives.

    Args:
        text: a text of the game, or an example of which the prompt is taken.
        interventions: factor -> the value to set.
        game: whose equations the other factors follow. None for the out-of-distribution version
            of the text's game, in which no factor depends on another: only those set change. For
            a game of one's own, one of its two models (:attr:`cat.own_game.OwnGame.models`).

    Raises:
        ValueError: a text of no game or of another one; a value that is no number, or broken
            where the game's are whole; a follower whose noise cannot be read from its value.
        KeyError: a factor that the game does not have.

    >>> from cat.stg import STG_E, stg_e
    >>> text = stg_e(seed=42)["test_iid"][1]["input"]
    >>> [factor for factor in text.split(", ") if factor.startswith("Yellow")]
    ['Yellow fingers: 1']
    >>> new = intervene(text, {"Smoking": 9}, game=STG_E)
    >>> [factor for factor in new.text.split(", ") if factor.startswith("Yellow")], new.answer
    (['Yellow fingers: 13'], 'High Risk')
    """
    prompt = text.text if isinstance(text, Example) else text
    game, factors = _read(prompt, game)
    values = {name: value for name, (value, _) in factors.items()}
    changed = counterfactual_values(game, values, interventions)
    written = prompt
    for name in sorted(factors, key=lambda name: factors[name][1].start, reverse=True):
        if changed[name] != values[name]:  # from the end, so that the places before stay right
            start, end = factors[name][1]
            written = written[:start] + _rewrite(prompt[start:end], changed[name]) + written[end:]
    return annotate(Example(written, str(game.answer(changed))), game)


def counterfactual_values(
    game: CausalModel, values: Values, interventions: Mapping[str, float]
) -> dict[str, Any]:
    """The values of one sample, known without its noise, under ``do(interventions)``.

    What does not depend on a factor that is set keeps its value. What does is computed anew from
    its causes; where the game adds noise to it, the same noise is added again.

    >>> from cat.stg import STG_H
    >>> values = dict.fromkeys(STG_H.roles, 50.0)
    >>> new = counterfactual_values(STG_H, values, {"Vehicle Emissions": 60})
    >>> round(new["Public Transport Subscriptions (k)"], 6)  # 50 + 0.15 (60 - 50)
    51.5
    """
    likely = game.sample(Random(_SEED)).values
    for name, value in interventions.items():
        if name not in likely:
            raise KeyError(f"{game.name} has no factor {name!r}; it has {list(likely)}")
        _check_value(name, value, whole=isinstance(likely[name], int))
    new = {**values, **interventions}
    moved = set(interventions)
    for variable in game.variables:
        if variable.name not in interventions and moved & {*variable.parents}:
            new[variable.name] = _follow(variable, values, new)
            moved.add(variable.name)
    return new


def factor_ends(game: CausalModel) -> dict[str, tuple[float, float]]:
    """Factor -> the low and the high end of its values in a game.

    The least and the greatest of whole numbers, else the 5% and 95% quantiles to one decimal; of
    1000 samples from a fixed seed.

    >>> from cat.stg import STG_E, STG_E_OOD
    >>> factor_ends(STG_E)["Hormones"], factor_ends(STG_E_OOD)["Hormones"]
    ((0, 5), (1, 10))
    """
    rng = Random(_SEED)
    samples = [game.sample(rng).values for _ in range(_SAMPLES)]
    return {name: _ends(sorted(sample[name] for sample in samples)) for name in game.roles}


def _ends(values: list[float]) -> tuple[float, float]:
    if isinstance(values[0], int):
        return values[0], values[-1]
    twentieth = len(values) // 20
    return round(values[twentieth], 1), round(values[-1 - twentieth], 1)


def _read(text: str, game: CausalModel | None) -> tuple[CausalModel, Mapping[str, Any]]:
    read = read_factors(text, game)
    if read is None:
        wanted = " or ".join(GAMES) if game is None else game.name
        other = None if game is None else read_factors(text)
        got = f"one of {other[0].name}: give the game of the text" if other else repr(text[:80])
        raise ValueError(f"expected a text of {wanted} with all its factors, got {got}")
    found, factors = read
    return (GAMES[found.name][1] if game is None else game), factors


def _check_value(name: str, value: Any, *, whole: bool) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name}: expected a number to set it to, got {value!r}")
    if whole and value != int(value):
        raise ValueError(f"{name}: expected a whole number, as the game's values are, got {value}")


def _follow(variable: Variable, values: Values, new: Values) -> Any:
    """The value after its causes changed, the noise behind it being the same."""
    before, after = ({name: v[name] for name in variable.parents} for v in (values, new))
    noise = variable.noise(Random(_SEED))
    if noise is None:
        return variable.mechanism(after, None)
    if isinstance(noise, int | float):
        base = variable.mechanism(before, 0.0)
        if math.isclose(variable.mechanism(before, 1.0) - base, 1.0):
            return variable.mechanism(after, values[variable.name] - base)
    raise ValueError(
        f"the noise behind {variable.name!r} ({variable.equation}) cannot be read from its value: "
        "intervene in a game whose noise is added, or absent"
    )


def _rewrite(shown: str, value: float) -> str:
    """ "Coal Dependency: 23.4%" with another number, to as many decimals."""
    number = re.search(r"(?<=: )-?\d+(?:\.(\d+))?", shown)
    assert number is not None, "read_factors found one"
    decimals = len(number[1] or "")
    return shown[: number.start()] + f"{value:.{decimals}f}" + shown[number.end() :]
