"""Reading the plain records that figures are drawn from."""

from __future__ import annotations

import math

__all__ = ["finite_number"]


def finite_number(value: object, where: str) -> float:
    """The number that a record holds; ``where`` begins the error's message.

    >>> finite_number("0.5", "record 3, effect")
    0.5
    """
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        raise ValueError(f"{where}: expected a number, got {value!r}") from None
    if not math.isfinite(number):
        raise ValueError(f"{where}: expected a finite number, got {number}")
    return number
