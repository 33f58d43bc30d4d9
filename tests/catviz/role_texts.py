"""Texts with roles, to score, and when two scores are the same."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

from cat.signals import Example
from cat.stg import annotate, stg_e
from catviz.roles import mark_roles
from catviz.scores import RoleScores

ROLES = ("causal", "spurious", "irrelevant")


@cache
def game_texts() -> tuple[Example, ...]:
    return tuple(annotate(Example.from_record(record)) for record in stg_e(42)["test_ood"][:7])


def marked(text: str, answer: str = "High Risk", **roles: Any) -> Example:
    return mark_roles(Example(text, answer), roles)


def uneven_texts() -> list[Example]:
    """Texts of many lengths, answers of several tokens, words of several tokens, missing roles."""
    long = "Exercise: 3, Weight: 2, Smoking: 5, Hormones: 1, Room size: 9 " * 2
    return [
        *game_texts()[:3],
        marked("Weight: 3 Answer:", causal="Weight: 3"),
        marked(f"{long}Answer:", "High Risk Low Risk High Risk", causal="Weight: 2, Smoking: 5",
               irrelevant=["Room size: 9"]),
        marked("Room size: 1, Smoking: 4 Answer:", "Low Risk", spurious=["Smoking: 4"]),
        *game_texts()[3:5],
    ]  # fmt: skip


def stream(count: int) -> Iterator[Example]:
    for number in range(count):
        yield game_texts()[number % 7]


def uneven_stream(count: int) -> Iterator[Example]:
    """Texts of which a later one is often shorter, and so is run before."""
    for number in range(count):
        yield marked(
            "Room size: 1, " * (number * 7 % 11) + "Smoking: 8 Answer:", causal="Smoking: 8"
        )


def same(one: RoleScores, other: RoleScores) -> bool:
    return all(np.allclose(one[role], other[role], atol=1e-6) for role in ROLES) and all(
        np.array_equal(one.texts[role], other.texts[role]) for role in ROLES
    )
