"""Choosing layers and heads of a model by number."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

__all__ = ["choose"]


def choose(asked: int | Iterable[int] | None, count: int, kind: str) -> tuple[int, ...]:
    """The numbers asked for, all ``count`` by default; refuses those that a model does not have.

    >>> choose(None, 3, "layer"), choose([2, 0], 3, "layer"), choose(1, 3, "layer")
    ((0, 1, 2), (2, 0), (1,))
    """
    if asked is None:
        return tuple(range(count))
    numbers = (asked,) if isinstance(asked, int | np.integer) else tuple(asked)
    if not numbers:
        raise ValueError(f"expected at least one {kind}, got none")
    for number in numbers:
        if not 0 <= number < count:
            raise ValueError(f"no {kind} {number}: the model has {count}, from 0 to {count - 1}")
    if len(set(numbers)) != len(numbers):
        raise ValueError(f"expected every {kind} once, got {numbers}")
    return tuple(int(number) for number in numbers)
