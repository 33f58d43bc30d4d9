"""`cat.scm`: the three rungs on a small model whose values are known, and on the two games."""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import numpy as np
import pytest

from cat.scm import CausalModel, Variable
from cat.stg import GAMES, STG_E, STG_H


def chain() -> CausalModel:
    """X = noise, Y = 2 X + noise, Z = Y - X; the answer is Z's sign."""
    return CausalModel(
        name="chain",
        variables=(
            Variable(
                "X", "causal", "noise", lambda v, noise: noise, noise=lambda r: r.randint(0, 99)
            ),
            Variable(
                "Y",
                "causal",
                "2 X + noise",
                lambda v, noise: 2 * v["X"] + noise,
                parents=("X",),
                noise=lambda r: r.randint(0, 9),
            ),
            Variable("Z", "spurious", "Y - X", lambda v, _: v["Y"] - v["X"], parents=("Y", "X")),
        ),
        answer=lambda values: values["Z"] > 0,
        rule="Z > 0",
    )


def descendants(model: CausalModel, names: set[str]) -> set[str]:
    """By walking the edges until nothing is added."""
    found = set(names)
    while more := {effect for cause, effect in model.edges if cause in found} - found:
        found |= more
    return found


MODELS = [chain(), STG_E, STG_H]
each_model = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.name)


def test_solve_follows_the_equations() -> None:
    values = chain().solve({"X": 5, "Y": 3, "Z": None}).values
    assert values == {"X": 5, "Y": 13, "Z": 8}


def test_do_cuts_the_parents_and_what_depends_follows() -> None:
    forced = chain().do({"Y": 100})
    assert forced.solve({"X": 5, "Y": 3, "Z": None}).values == {"X": 5, "Y": 100, "Z": 95}
    assert forced.edges == (("Y", "Z"), ("X", "Z"))
    assert forced.equations["Y"] == "100"


def test_counterfactual_keeps_the_noise() -> None:
    model = chain()
    sample = model.solve({"X": 5, "Y": 3, "Z": None})
    assert model.counterfactual(sample, {"X": 6}).values == {"X": 6, "Y": 15, "Z": 9}
    assert model.counterfactual(sample, {"Y": 13}).values == sample.values


@each_model
@pytest.mark.parametrize("seed", range(5))
def test_do_changes_descendants_only(model: CausalModel, seed: int) -> None:
    """The same seed gives the same noise, intervened on or not."""
    plain = model.sample(Random(seed))
    for name in model.roles:
        forced = model.do({name: 1234}).sample(Random(seed))
        assert forced.noise == plain.noise
        changed = {other for other in model.roles if forced.values[other] != plain.values[other]}
        assert changed == descendants(model, {name})


@each_model
@pytest.mark.parametrize("seed", range(5))
def test_a_counterfactual_of_what_happened_is_what_happened(model: CausalModel, seed: int) -> None:
    sample = model.sample(Random(seed))
    assert model.counterfactual(sample, {}) == sample
    for name, value in sample.values.items():
        assert model.counterfactual(sample, {name: value}).values == sample.values


@each_model
def test_several_interventions_are_one_after_the_other(model: CausalModel) -> None:
    first, last = next(iter(model.roles)), list(model.roles)[-1]
    at_once = model.do({first: 3, last: 4}).sample(Random(1)).values
    assert at_once == model.do({first: 3}).do({last: 4}).sample(Random(1)).values
    assert (at_once[first], at_once[last]) == (3, 4)


class Asked(dict[str, Any]):
    """A dictionary that remembers what it was asked for."""

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.names: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        self.names.add(name)
        return super().__getitem__(name)


@pytest.mark.parametrize("model", [model for pair in GAMES.values() for model in pair])
def test_the_games_answers_read_all_causes_and_nothing_else(model: CausalModel) -> None:
    values = Asked(model.sample(Random(0)).values)
    model.answer(values)
    assert values.names == set(model.named("causal"))


def test_a_mechanism_sees_the_parents_that_it_names_only() -> None:
    secret = Variable("Y", "causal", "X", lambda values, noise: values["X"])
    model = CausalModel("m", (chain()["X"], secret), answer=lambda values: 0, rule="")
    with pytest.raises(KeyError, match="X"):
        model.sample(Random(0))


@each_model
def test_roles_named_and_equations_agree(model: CausalModel) -> None:
    names = [variable.name for variable in model.variables]
    assert list(model.roles) == list(model.equations) == names
    parts = [model.named(role) for role in ("causal", "spurious", "irrelevant")]
    assert sorted(name for part in parts for name in part) == sorted(names)
    assert all(model[name].role == role for name, role in model.roles.items())


# --- mix and shuffled -----------------------------------------------------------------------------


def test_mix_takes_each_equation_as_often_as_asked() -> None:
    never = chain().do({"Z": -1})
    mixed = chain().mix(never, ("Z",), 0.3)
    rng = Random(0)
    drawn = Counter(mixed.sample(rng).values["Z"] == -1 for _ in range(4000))
    assert drawn[True] / 4000 == pytest.approx(0.7, abs=0.03)  # 4 standard errors
    assert set(mixed["Z"].parents) == {"X", "Y"}
    assert mixed.equations["Z"] == "Y - X with probability 0.3, else -1"


def test_mix_at_its_ends() -> None:
    never = chain().do({"Z": -1})
    assert chain().mix(never, ("Z",), 0).sample(Random(3)).values["Z"] == -1
    model = chain()
    assert model.mix(never, ("Z",), 1) is model


@pytest.mark.parametrize("weight", [-0.1, 1.1, float("nan")])
def test_mix_refuses_what_is_no_probability(weight: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1, got"):
        chain().mix(chain(), ("Z",), weight)


def test_shuffled_keeps_the_distribution_and_breaks_the_dependence() -> None:
    model = chain()
    shuffled = model.shuffled(("Y",))
    assert shuffled["Y"].parents == ()
    rng = Random(0)
    samples = [shuffled.sample(rng).values for _ in range(3000)]
    own = [model.sample(rng).values for _ in range(3000)]
    assert correlation(own, "X", "Y") > 0.99
    assert abs(correlation(samples, "X", "Y")) < 0.08  # 4 standard errors
    for quantile in (0.1, 0.5, 0.9):
        ours, theirs = (sorted(s["Y"] for s in drawn) for drawn in (samples, own))
        assert ours[int(quantile * 3000)] == pytest.approx(theirs[int(quantile * 3000)], abs=12)


def correlation(samples: list[dict[str, Any]], one: str, other: str) -> float:
    return float(np.corrcoef([s[one] for s in samples], [s[other] for s in samples])[0, 1])


# --- what is refused ------------------------------------------------------------------------------


def test_refuses_two_variables_of_one_name() -> None:
    x = chain()["X"]
    with pytest.raises(ValueError, match="two variables are named 'X'"):
        CausalModel("m", (x, x), answer=lambda values: 0, rule="")


def test_refuses_an_effect_before_its_cause() -> None:
    with pytest.raises(ValueError, match=r"'Y' depends on \['X'\], which must stand before it"):
        CausalModel("m", (chain()["Y"], chain()["X"]), answer=lambda values: 0, rule="")


def test_unknown_names_are_told_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match=r"chain has no variable 'W'; it has \['X', 'Y', 'Z'\]"):
        chain()["W"]
    with pytest.raises(KeyError, match="no variable 'W'"):
        chain().do({"W": 1})
