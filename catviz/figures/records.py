"""Reading the plain records that figures are drawn from."""

from __future__ import annotations

import math
from collections.abc import Mapping

__all__ = ["finite_number", "interval"]


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


def interval(
    record: Mapping[str, object], field: str, where: str
) -> tuple[float, float] | tuple[None, None]:
    """``low`` and ``high`` of a record, around the number of a field; both may be absent or None.

    >>> interval({"value": 3, "low": 2, "high": 5}, "value", "record 1")
    (2.0, 5.0)
    """
    if record.get("low") is None and record.get("high") is None:
        return None, None
    if record.get("low") is None or record.get("high") is None:
        raise ValueError(f"{where}: give both low and high, or neither")
    low, value, high = (
        finite_number(record[name], f"{where}, {name}") for name in ("low", field, "high")
    )
    if not low <= value <= high:
        raise ValueError(f"{where}: expected low <= {field} <= high, got {low}, {value}, {high}")
    return low, high
