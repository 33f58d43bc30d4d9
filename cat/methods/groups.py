"""Methods that know of groups of texts, not of causes: controls.

They make much of the texts in which a spurious relation does not hold. Where it holds in every
training text, as in the published games, there is none to make much of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from statistics import median
from typing import Any

import torch
from torch import Tensor

from cat.evaluate import evaluate_answers
from cat.methods.method import Method
from cat.methods.penalised import check_positive
from cat.methods.tuning import Tuning
from cat.objective import Batch
from cat.rows import Keep
from cat.scm import Variable
from cat.signals import Example
from cat.stg import read_factors

__all__ = ["JTT", "GroupDRO", "WorstGroup", "groups_of", "relation_holds"]


@dataclass(frozen=True)
class JTT(Method):
    """Just train twice: briefly, then anew with the texts answered wrongly many times over.

    The first training comes on top of the steps that every method has. It takes for granted that
    a model which trained briefly errs on the texts that contradict the spurious relation.

    Attributes:
        first_epochs: of the first training; of 1, 3 and 6, 6 did best where a companion follows in
            nine texts of ten. After 1, ``tiny`` gives the most frequent answer to every text.
        upweight: how often the second sees a text that the first got wrong.
    """

    name = "jtt"
    source = "Liu et al. 2021, Just Train Twice, ICML, algorithm 1"

    first_epochs: float = 6.0
    upweight: int = 5

    def __post_init__(self) -> None:
        check_positive("first_epochs", self.first_epochs)
        if self.upweight < 2:
            raise ValueError(f"expected upweight of at least 2, got {self.upweight}")

    def fit(self, tuning: Tuning) -> Any:
        settings = {**tuning.settings, "num_train_epochs": self.first_epochs}
        briefly = replace(tuning, settings=settings, records=[])
        first = evaluate_answers(briefly.train(), tuning.tokenizer, tuning.examples)
        wrong = [e for e, right in zip(tuning.examples, first.correct, strict=True) if not right]
        return tuning.train([*tuning.examples, *wrong * (self.upweight - 1)])


@dataclass(frozen=True)
class GroupDRO(Method):
    """The loss of the groups of texts, weighted towards the worst.

    A group holds the texts of one answer in which the spurious relation holds, or does not.

    Attributes:
        step_size: how fast the weights move to the groups of high loss; the source's 0.01.
    """

    name = "group-dro"
    source = "Sagawa et al. 2020, Distributionally Robust Neural Networks, ICLR, algorithm 1"

    step_size: float = 0.01

    def __post_init__(self) -> None:
        check_positive("step_size", self.step_size)

    def fit(self, tuning: Tuning) -> Any:
        return tuning.train(objective=WorstGroup(groups_of(tuning.examples), self.step_size))


class WorstGroup:
    """The groups' losses, weighted: an :class:`cat.objective.Objective`.

    After each batch a group's weight is multiplied by e^(step_size * its loss) and all are divided
    by their sum; a group that is not in a batch counts with a loss of 0.

    Args:
        groups: of each training text; any names.

    >>> WorstGroup(["a", "b", "b"], step_size=0.1).weights
    {'a': 0.5, 'b': 0.5}
    """

    keep: Keep | None = None

    def __init__(self, groups: Sequence[Any], step_size: float) -> None:
        names = list(dict.fromkeys(groups))
        self.step_size = step_size
        self._names = names
        self._group = torch.tensor([names.index(group) for group in groups])
        self._weights = torch.full((len(names),), 1 / len(names))

    @property
    def weights(self) -> dict[Any, float]:
        """Of each group that has a text."""
        return dict(zip(self._names, self._weights.tolist(), strict=True))

    def __call__(self, batch: Batch) -> Tensor:
        losses = batch.lm_losses  # (batch,)
        group = self._group.to(losses.device)[batch.inputs["index"]]
        texts = torch.bincount(group, minlength=len(self._names))
        total = torch.zeros_like(texts, dtype=losses.dtype).index_add(0, group, losses)
        means = total / texts.clamp_min(1)  # (group,)
        weights = self._weights.to(losses.device) * (self.step_size * means.detach()).exp()
        self._weights = weights / weights.sum()
        return (self._weights * means).sum()


def groups_of(examples: Sequence[Example]) -> list[tuple[str, bool]]:
    """The group of each text: its answer, and whether the spurious relation holds in it.

    Answers that are numbers are told apart by the median only.
    """
    answers = [example.answer for example in examples]
    if all(answer.lstrip("-").isdigit() for answer in answers):
        middle = median(map(int, answers))
        answers = ["high" if int(answer) > middle else "low" for answer in answers]
    return list(zip(answers, map(relation_holds, examples), strict=True))


def relation_holds(example: Example) -> bool:
    """Whether every spurious factor of a game's text has the value to which its cause leads.

    Where the game adds noise: whether the difference is one that the noise may have.

    Raises:
        ValueError: a text of no game.

    >>> from cat.stg import stg_e
    >>> splits = stg_e()
    >>> for name in "test_iid", "test_ood":
    ...     sum(relation_holds(Example.from_record(record)) for record in splits[name])
    400
    0
    """
    read = read_factors(example.text)
    if read is None:
        raise ValueError(
            "expected a text of STG_E or STG_H, whose equations tell what is spurious in it, got "
            f"{example.prompt[:60]!r}"
        )
    game, factors = read
    values = {name: value for name, (value, _) in factors.items()}
    return all(_follows(game[name], values) for name in game.named("spurious"))


def _follows(variable: Variable, values: Mapping[str, float]) -> bool:
    parents = {name: values[name] for name in variable.parents}
    largest = _largest_noise(variable)
    if largest is None:
        return bool(values[variable.name] == variable.mechanism(parents, None))
    return bool(abs(values[variable.name] - variable.mechanism(parents, 0.0)) <= largest)


@cache
def _largest_noise(variable: Variable) -> float | None:
    """What noise hardly ever exceeds: half as much again as the largest of 1000 draws."""
    rng = Random(42)
    draws = [variable.noise(rng) for _ in range(1000)]
    return None if draws[0] is None else 1.5 * max(map(abs, draws))
