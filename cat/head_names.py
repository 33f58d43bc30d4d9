"""Heads by name: L5H3 is head 3 of layer 5, both counted from 0."""

from __future__ import annotations

import re

__all__ = ["head_name", "read_head_name"]


def head_name(layer: int, head: int) -> str:
    """The usual short name of a head.

    >>> head_name(5, 3)
    'L5H3'
    """
    return f"L{layer}H{head}"


def read_head_name(name: str) -> tuple[int, int]:
    """(layer, head) of a short name.

    >>> read_head_name("L5H3")
    (5, 3)
    """
    match = re.fullmatch(r"L(\d+)H(\d+)", str(name))
    if match is None:
        raise ValueError(f"expected the name of a head such as 'L5H3', got {name!r}")
    return int(match[1]), int(match[2])
