"""Structural causal models: variables with equations, that can be sampled and intervened on.

A :class:`CausalModel` is a list of :class:`Variable` in causal order. Each variable draws its own
noise and computes its value from its parents and that noise, so that the three rungs of Pearl's
ladder are one line each: ``model.sample(rng)``, ``model.do({...}).sample(rng)`` and
``model.counterfactual(sample, {...})`` (Pearl 2009, *Causality*, chapter 7).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Literal

__all__ = ["CausalModel", "Role", "Sample", "Variable"]

Role = Literal["causal", "spurious", "irrelevant"]
Values = Mapping[str, Any]


def _no_noise(rng: Random) -> None:
    return None


@dataclass(frozen=True)
class Variable:
    """One node of the graph: ``value = mechanism(values of the parents, noise)``.

    ``equation`` says the mechanism in words, for figures and error messages. A variable without
    parents is exogenous; a mechanism may read only the parents that it names.
    """

    name: str
    role: Role
    equation: str
    mechanism: Callable[[Values, Any], Any]
    parents: tuple[str, ...] = ()
    noise: Callable[[Random], Any] = _no_noise


@dataclass(frozen=True)
class Sample:
    """One draw: the values that one sees, and the noise behind them."""

    values: dict[str, Any]
    noise: dict[str, Any]


@dataclass(frozen=True)
class CausalModel:
    """Variables in causal order, and the rule by which some of them determine the answer.

    ``answer(values)`` may read causal variables only; ``answers`` are those that it can give, as
    texts, where they are known. The first is the one whose probability is measured.

    >>> from cat.stg import STG_E
    >>> STG_E.equations["Clothing size"]
    'Weight'
    >>> forced = STG_E.do({"Smoking": 8}).sample(Random(0)).values
    >>> forced["Smoking"], forced["Yellow fingers"]
    (8, 12)
    """

    name: str
    variables: tuple[Variable, ...]
    answer: Callable[[Values], Any]
    rule: str
    answers: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        seen: set[str] = set()
        for variable in self.variables:
            if variable.name in seen:
                raise ValueError(f"two variables are named {variable.name!r}: rename one of them")
            unknown = [parent for parent in variable.parents if parent not in seen]
            if unknown:
                raise ValueError(
                    f"{variable.name!r} depends on {unknown}, which must stand before it: "
                    "list the variables in causal order (a cycle has no such order)"
                )
            seen.add(variable.name)

    def __getitem__(self, name: str) -> Variable:
        for variable in self.variables:
            if variable.name == name:
                return variable
        raise KeyError(f"{self.name} has no variable {name!r}; it has {list(self.roles)}")

    @property
    def roles(self) -> dict[str, Role]:
        """The role of every variable, in causal order."""
        return {variable.name: variable.role for variable in self.variables}

    @property
    def equations(self) -> dict[str, str]:
        """The structural equation of every variable, in words."""
        return {variable.name: variable.equation for variable in self.variables}

    @property
    def edges(self) -> tuple[tuple[str, str], ...]:
        """(cause, effect) pairs between variables; the causal ones also cause the answer."""
        return tuple((parent, v.name) for v in self.variables for parent in v.parents)

    def named(self, role: Role) -> tuple[str, ...]:
        """The variables of one role, in causal order."""
        return tuple(variable.name for variable in self.variables if variable.role == role)

    def sample(self, rng: Random) -> Sample:
        """Draw every noise in causal order, then solve the equations."""
        return self.solve({variable.name: variable.noise(rng) for variable in self.variables})

    def solve(self, noise: Mapping[str, Any]) -> Sample:
        """The values that given noise leads to; each mechanism is shown its parents only."""
        values: dict[str, Any] = {}
        for variable in self.variables:
            parents = {parent: values[parent] for parent in variable.parents}
            values[variable.name] = variable.mechanism(parents, noise[variable.name])
        return Sample(values, dict(noise))

    def do(self, interventions: Values) -> CausalModel:
        """The model in which the named variables are set from outside: Pearl's ``do``.

        Their equations become constants, they lose their parents; what depends on them follows.
        """
        forced = {name: _constant(self[name], value) for name, value in interventions.items()}
        return self.replace_variables(forced)

    def counterfactual(self, sample: Sample, interventions: Values) -> Sample:
        """What this very sample would have been under ``do(interventions)``: same noise."""
        return self.do(interventions).solve(sample.noise)

    def replace_variables(self, changed: Mapping[str, Variable]) -> CausalModel:
        """The same model with some variables exchanged."""
        return replace(self, variables=tuple(changed.get(v.name, v) for v in self.variables))

    def mix(self, other: CausalModel, names: tuple[str, ...], weight: float) -> CausalModel:
        """Each named variable keeps its equation with probability ``weight``, else takes the
        other model's.

        1 leaves the model (and its random numbers) as it is.
        """
        if not 0 <= weight <= 1:
            raise ValueError(f"expected a strength between 0 and 1, got {weight}")
        if weight == 1:
            return self
        return self.replace_variables({n: _mixture(self[n], other[n], weight) for n in names})

    def shuffled(self, names: tuple[str, ...]) -> CausalModel:
        """Each named variable keeps its distribution but loses its dependence on the others.

        It gets its value from a second, unseen draw of the whole model.
        """

        def independent(variable: Variable) -> Variable:
            return replace(
                variable,
                parents=(),
                equation=f"{variable.equation}, of another sample",
                noise=lambda rng: self.sample(rng).values[variable.name],
                mechanism=lambda values, noise: noise,
            )

        return self.replace_variables({name: independent(self[name]) for name in names})


def _constant(variable: Variable, value: Any) -> Variable:
    return replace(variable, parents=(), equation=f"{value}", mechanism=lambda values, noise: value)


def _mixture(variable: Variable, other: Variable, weight: float) -> Variable:
    def noise(rng: Random) -> tuple[bool, Any, Any]:
        return rng.random() < weight, variable.noise(rng), other.noise(rng)

    def mechanism(values: Values, noise: tuple[bool, Any, Any]) -> Any:
        own, own_noise, other_noise = noise
        if own:
            return variable.mechanism(values, own_noise)
        return other.mechanism(values, other_noise)

    return replace(
        variable,
        equation=f"{variable.equation} with probability {weight}, else {other.equation}",
        parents=tuple(dict.fromkeys(variable.parents + other.parents)),
        noise=noise,
        mechanism=mechanism,
    )
