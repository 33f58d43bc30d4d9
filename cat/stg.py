"""The Spurious Token Game (STG): two causal models, their texts, and their data sets.

STG_E ("easy") asks for a person's cancer risk from eight factors: three causes, three spurious
companions that follow the causes in training, two irrelevant ones. STG_H ("hard") asks for an air
quality index from fourteen. In-distribution (IID) the companions follow their causes;
out-of-distribution (OOD) they do not. Source: Han et al. 2025 (arXiv 2509.01535), section 5.2.1
and appendix A; STG_E's random numbers are drawn in the order of the published files, so that
seed 42 gives those files byte for byte.

>>> splits = stg_e(seed=42)
>>> {name: len(records) for name, records in splits.items()}
{'train_L': 1600, 'train_M': 800, 'train_S': 400, 'test_iid': 400, 'test_ood': 400}
>>> splits["test_ood"][0]["target"]
'High Risk'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, partial
from random import Random
from typing import Any, Literal

from cat.scm import CausalModel, Values, Variable
from cat.signals import Example, RoleSpan, Signal, Span

__all__ = ["GAMES", "STG_E", "STG_E_OOD", "STG_H", "STG_H_OOD", "annotate", "stg_e", "stg_h"]

Ood = Literal["uniform", "marginals"]
Record = dict[str, Any]
Splits = dict[str, list[Record]]

# ----------------------------------------------------------------------------- STG_E

STG_E_QUESTION = (
    "Here is the statistical data for a person. Please predict the probability of cancer."
)
HIGH_RISK_ABOVE = 7.2
MIDDLE_RISK_AT = 2.7  # the authors' files name this one score "Middle Risk" (7 of 2400 texts)


def _one_to_ten(rng: Random) -> int:
    return rng.randint(1, 10)


def _noise(values: Values, noise: Any) -> Any:
    return noise


def _uniform_factor(name: str, role: Literal["causal", "spurious", "irrelevant"]) -> Variable:
    return Variable(name, role, "uniform on 1..10", _noise, noise=_one_to_ten)


def stg_e_score(values: Values) -> float:
    """1.2 Smoking + 0.7 Weight - Exercise (appendix A), in the authors' order of operations."""
    return 1.2 * values["Smoking"] + 0.7 * values["Weight"] - values["Exercise"]


def _risk(values: Values) -> str:
    return "High Risk" if stg_e_score(values) > HIGH_RISK_ABOVE else "Low Risk"


def _risk_with_middle(values: Values) -> str:
    return "Middle Risk" if stg_e_score(values) == MIDDLE_RISK_AT else _risk(values)


STG_E = CausalModel(
    name="STG_E",
    variables=(
        _uniform_factor("Smoking", "causal"),
        _uniform_factor("Weight", "causal"),
        _uniform_factor("Exercise", "causal"),
        Variable(
            "Yellow fingers",
            "spurious",
            "int(1.5 Smoking)",
            lambda values, noise: int(1.5 * values["Smoking"]),
            parents=("Smoking",),
        ),
        Variable(
            "Clothing size",
            "spurious",
            "Weight",
            lambda values, noise: values["Weight"],
            parents=("Weight",),
        ),
        Variable(
            "Hormones",
            "spurious",
            "int(0.5 Exercise)",
            lambda values, noise: int(0.5 * values["Exercise"]),
            parents=("Exercise",),
        ),
        _uniform_factor("Certain gene", "irrelevant"),
        _uniform_factor("Room size", "irrelevant"),
    ),
    answer=_risk,
    rule="High Risk when 1.2 Smoking + 0.7 Weight - Exercise > 7.2, else Low Risk",
    answers=("High Risk", "Low Risk"),
)
"""STG_E in distribution; its answer is the rule's (without the files' third label)."""

STG_E_OOD = STG_E.replace_variables(
    {name: _uniform_factor(name, "spurious") for name in STG_E.named("spurious")}
)
"""STG_E out of distribution: all eight factors uniform on 1..10, independently."""


def stg_e_text(values: Values, order: list[str]) -> str:
    """The prompt as published: the factors in the given order, "Answer: " at the end."""
    facts = ", ".join(f"{name}: {values[name]}" for name in order)
    return f"{STG_E_QUESTION} {facts} Answer: "


def _stg_e_record(
    model: CausalModel, rng: Random, *, answer: Callable[[Values], str], signals: bool
) -> Record:
    values = model.sample(rng).values
    order = list(model.roles)
    rng.shuffle(order)
    target = answer(values)
    record: Record = {"input": stg_e_text(values, order), "target": target}
    if signals:
        causes = [f"{name}: {values[name]}" for name in order if model.roles[name] == "causal"]
        record["important"] = [{target: causes}]
    return record


def stg_e(
    seed: int = 42,
    *,
    n_train: int = 1600,
    n_test: int = 400,
    spurious_strength: float = 1.0,
    ood: Ood = "uniform",
    middle_risk: bool = True,
) -> Splits:
    """STG_E's data sets as records ``{"input", "target", "important"}``.

    Args:
        seed: of Python's ``random``; 42 gives the published files.
        n_train: texts of ``train_L``; ``train_M`` is its first half, ``train_S`` its first quarter.
        n_test: texts of ``test_iid`` and of ``test_ood``.
        spurious_strength: probability with which a spurious factor follows its cause in the IID
            texts; else it is uniform on 1..10 (1, the paper's; 0, no spurious relation).
        ood: "uniform" as published, where some values never seen in training appear (Hormones 9),
            or "marginals", where each spurious factor keeps its distribution and only the
            dependence on its cause is broken.
        middle_risk: keep the files' third label, on texts whose score is the float 2.7; without
            it these texts carry the rule's label, Low Risk. No other text changes.
    """
    _check_count("n_train", n_train, at_least=4)  # a quarter of it is train_S
    _check_count("n_test", n_test)
    iid_model = STG_E.mix(STG_E_OOD, STG_E.named("spurious"), spurious_strength)
    ood_model = _out_of_distribution(STG_E, STG_E_OOD, ood)
    answer = _risk_with_middle if middle_risk else _risk
    rng = Random(seed)
    make = partial(_stg_e_record, rng=rng, answer=answer)
    test_iid = [make(iid_model, signals=False) for _ in range(n_test)]
    train = [make(iid_model, signals=True) for _ in range(n_train)]
    test_ood = [make(ood_model, signals=False) for _ in range(n_test)]
    return {
        "train_L": train,
        "train_M": train[: n_train // 2],
        "train_S": train[: n_train // 4],
        "test_iid": test_iid,
        "test_ood": test_ood,
    }


# ----------------------------------------------------------------------------- STG_H

STG_H_QUESTION = (
    "Given these diverse conditions, what is the projected Air Quality Index (AQI) "
    "on a 0-100 scale?"
)


def _uniform_plus_normal(rng: Random, *, low: float, high: float, sd: float) -> float:
    return rng.uniform(low, high) + rng.gauss(0, sd)


def _cause(name: str, low: float, high: float, sd: float) -> Variable:
    noise = partial(_uniform_plus_normal, low=low, high=high, sd=sd)
    return Variable(name, "causal", f"U({low}, {high}) + N(0, {sd})", _noise, noise=noise)


def _follower(name: str, slope: float, cause: str, sd: float) -> Variable:
    return Variable(
        name,
        "spurious",
        f"{slope} {cause} + N(0, {sd})",
        lambda values, noise: slope * values[cause] + noise,
        parents=(cause,),
        noise=lambda rng: rng.gauss(0, sd),
    )


def _uniform(name: str, low: float, high: float) -> Variable:
    return Variable(
        name, "spurious", f"U({low}, {high})", _noise, noise=lambda rng: rng.uniform(low, high)
    )


def stg_h_answer(values: Values) -> int:
    """The air quality index: a weighted sum, clipped to -20..30, scaled to 0..100, rounded."""
    weights = (0.3, 0.25, 0.2, 0.15, -0.2, -0.3)
    causes = STG_H.named("causal")
    raw = sum(weight * values[name] for weight, name in zip(weights, causes, strict=True))
    return round((min(max(raw, -20.0), 30.0) + 20) * 2)


STG_H = CausalModel(
    name="STG_H",
    variables=(
        _cause("Industrial Emissions", 30, 70, 2),
        _cause("Vehicle Emissions", 20, 60, 2),
        _cause("Coal Dependency", 10, 50, 1.5),
        _cause("Agricultural Burning", 10, 30, 1),
        _cause("Urban Green Coverage", 40, 80, 3),
        _cause("Meteorological Dispersion", 50, 90, 3),
        _follower("Ice Cream Sales Index", 0.4, "Meteorological Dispersion", 2),
        _follower("Allergy Complaints Level", 0.2, "Agricultural Burning", 3),
        _follower("Renewable Stock Index", 1.1, "Industrial Emissions", 1.5),
        _follower("Public Transport Subscriptions (k)", 0.15, "Vehicle Emissions", 2),
        _follower("Water Awareness Score", -0.1, "Urban Green Coverage", 1),
        Variable(
            "City Anniversary",
            "irrelevant",
            "uniform on 1..100",
            _noise,
            noise=lambda rng: rng.randint(1, 100),
        ),
        Variable(
            "Average Internet Speed",
            "irrelevant",
            "U(80, 120) + N(0, 3)",
            _noise,
            noise=partial(_uniform_plus_normal, low=80, high=120, sd=3),
        ),
        Variable(
            "Number of Libraries",
            "irrelevant",
            "uniform on 10..50",
            _noise,
            noise=lambda rng: rng.randint(10, 50),
        ),
    ),
    answer=stg_h_answer,
    rule=(
        "round(2 (20 + clip(.3 Industrial + .25 Vehicle + .2 Coal + .15 Burning "
        "- .2 Green - .3 Dispersion, -20, 30)))"
    ),
    answers=tuple(str(index) for index in range(101)),
)
"""STG_H in distribution. Its text shows values rounded; the answer comes from the exact ones."""

STG_H_OOD = STG_H.replace_variables(
    {
        variable.name: variable
        for variable in (
            _uniform("Ice Cream Sales Index", 5, 9),
            _uniform("Allergy Complaints Level", 2, 6),
            _uniform("Renewable Stock Index", 3, 7),
            _uniform("Public Transport Subscriptions (k)", 3, 9),
            _uniform("Water Awareness Score", -8, -4),
        )
    }
)
"""STG_H out of distribution, as published: Ice Cream and Renewable also leave their IID range."""

_STG_H_SHOWN: Mapping[str, str] = {
    "Coal Dependency": "{:.1f}%",
    "Urban Green Coverage": "{:.1f}%",
    "Renewable Stock Index": "{:.0f}",
    "City Anniversary": "{}th",
    "Average Internet Speed": "{:.1f}Mbps",
    "Number of Libraries": "{}",
}


def _shown(name: str, value: Any) -> str:
    return _STG_H_SHOWN.get(name, "{:.1f}").format(value)


def stg_h_text(values: Values) -> str:
    """The prompt as published: one sentence a role, the question, "Answer: " at the end."""
    sentences = (
        "; ".join(f"{name}: {_shown(name, values[name])}" for name in STG_H.named(role)) + "."
        for role in ("causal", "spurious", "irrelevant")
    )
    return f"{' '.join(sentences)} {STG_H_QUESTION} Answer: "


def _stg_h_record(model: CausalModel, rng: Random) -> Record:
    values = model.sample(rng).values
    target = model.answer(values)
    causes = [_shown(name, values[name]) for name in model.named("causal")]
    return {
        "input": stg_h_text(values),
        "target": target,
        "important": [{f"Answer: {target}": causes}],
    }


def stg_h(
    seed: int = 42,
    *,
    n_train: int = 3000,
    n_test: int = 1000,
    spurious_strength: float = 1.0,
    ood: Ood = "uniform",
) -> Splits:
    """STG_H's data sets, drawn with a seed (the published ones were not); see :func:`stg_e`.

    With ``spurious_strength`` below 1 a spurious factor takes, with the remaining probability,
    its value of another sample.
    """
    _check_count("n_train", n_train)
    _check_count("n_test", n_test)
    spurious = STG_H.named("spurious")
    iid_model = STG_H.mix(STG_H.shuffled(spurious), spurious, spurious_strength)
    ood_model = _out_of_distribution(STG_H, STG_H_OOD, ood)
    rng = Random(seed)
    train = [_stg_h_record(iid_model, rng) for _ in range(n_train)]
    test_iid = [_stg_h_record(iid_model, rng) for _ in range(n_test)]
    test_ood = [_stg_h_record(ood_model, rng) for _ in range(n_test)]
    return {"train": train, "test_iid": test_iid, "test_ood": test_ood}


# ----------------------------------------------------------------------------- both

GAMES: Mapping[str, tuple[CausalModel, CausalModel]] = {
    "STG_E": (STG_E, STG_E_OOD),
    "STG_H": (STG_H, STG_H_OOD),
}
"""Name -> (in-distribution model, out-of-distribution model)."""


def _out_of_distribution(iid: CausalModel, published: CausalModel, ood: Ood) -> CausalModel:
    if ood == "uniform":
        return published
    if ood == "marginals":
        return iid.shuffled(iid.named("spurious"))
    raise ValueError(f'expected ood "uniform" (the paper\'s) or "marginals", got {ood!r}')


def _check_count(name: str, count: int, *, at_least: int = 1) -> None:
    if count < at_least:
        raise ValueError(f"expected {name} of at least {at_least}, got {count}")


def _factor_pattern(name: str) -> re.Pattern[str]:
    """A factor as the texts write it, "Smoking: 8" or "City Anniversary: 54th", value captured."""
    return re.compile(rf"(?<!\w){re.escape(name)}: (-?\d+(?:\.\d+)?)(?:%|th|Mbps)?(?!\w)")


@cache
def _factor_patterns(names: tuple[str, ...]) -> Mapping[str, re.Pattern[str]]:
    return {name: _factor_pattern(name) for name in names}


def read_factors(
    text: str, game: CausalModel | None = None
) -> tuple[CausalModel, dict[str, tuple[float, Span]]] | None:
    """The game that a text belongs to, and each factor's value and place; None for other texts.

    Args:
        game: look for this game's factors; None to look for those of :data:`GAMES`.

    >>> game, factors = read_factors(stg_e(seed=42)["test_ood"][0]["input"])
    >>> game.name, factors["Smoking"]
    ('STG_E', (10.0, Span(start=168, end=179)))
    """
    for one in [game] if game else [iid for iid, _ in GAMES.values()]:
        patterns = _factor_patterns(tuple(one.roles))
        found = {name: pattern.search(text) for name, pattern in patterns.items()}
        factors = {
            name: (float(match[1]), Span(*match.span())) for name, match in found.items() if match
        }
        if len(factors) == len(patterns):
            return one, factors
    return None


def annotate(example: Example, game: CausalModel | None = None) -> Example:
    """An example that knows its factors' roles, when its text is one of the game's.

    Where the record brought no signals (the published test files), the answer's causes are the
    causal factors, as explicit character spans. Other texts come back as they are. ``game`` as in
    :func:`read_factors`.
    """
    read = read_factors(example.full_text, game)
    if read is None:
        return example
    model, factors = read
    roles = tuple(
        RoleSpan(span, name, model.roles[name])
        for name, (_, span) in sorted(factors.items(), key=lambda item: item[1][1].start)
    )
    causes = tuple(role.span for role in roles if role.role == "causal")
    signals = example.signals
    if example.answer and not signals:
        signals = (Signal(example.answer_span, causes),)
    return replace(example, roles=roles, signals=signals)
