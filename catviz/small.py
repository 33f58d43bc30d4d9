"""Small sizes for tests: the notebooks run on fewer texts where CATVIZ_SMALL is set."""

from __future__ import annotations

import os

__all__ = ["unless_small"]


def unless_small(full: int, small: int) -> int:
    """``full``; or ``small`` where the environment variable CATVIZ_SMALL is set to 1.

    >>> unless_small(400, 40) in (400, 40)
    True
    """
    return small if os.environ.get("CATVIZ_SMALL") == "1" else full
