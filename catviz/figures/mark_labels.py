"""Labels beside marks: each where it covers nothing, or left out.

Places are (x, y) in inches from a panel's lower left corner. What is drawn there is given as many
places along it, closer to one another than a label is high.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product

import numpy as np

from catviz.figures.layout import text_inches

__all__ = ["MarkLabel", "distance", "filled", "free_box", "segment"]

_FINE = 0.03  # inches between places
_HEIGHT = 0.13
_AIR = 0.01


@dataclass(frozen=True, eq=False)
class MarkLabel:
    """A text for marks that lie together.

    Attributes:
        marks: (mark, 2).
        reach: (place, 2), the marks and the ends of their intervals.
    """

    text: str
    marks: np.ndarray
    reach: np.ndarray

    def joined(self, other: MarkLabel) -> MarkLabel:
        """One label for the marks of both, with this one's text."""
        return MarkLabel(
            self.text,
            np.concatenate([self.marks, other.marks]),
            np.concatenate([self.reach, other.reach]),
        )


def free_box(
    label: MarkLabel, taken: np.ndarray, page: np.ndarray, *, font: float, gap: float
) -> tuple[np.ndarray, np.ndarray] | None:
    """Lower left and upper right corner of the first free place for a label; None for none.

    Args:
        taken: (place, 2), what it may not cover.
        page: width and height, which it may not leave.
        font: its size in points.
        gap: between a mark's middle and the label.

    >>> mark, page = np.array([[1.0, 1.0]]), np.array([2.0, 2.0])
    >>> box = free_box(MarkLabel("10", mark, mark), mark, page, font=8, gap=0.1)
    >>> low, high = box
    >>> bool(low[0] > 1.1), bool(np.isclose((low + high)[1] / 2, 1.0))  # to the right of the mark
    (True, True)
    """
    size = np.array([text_inches(label.text, font) + 0.04, _HEIGHT])
    for middle in _places(label, size, gap):
        low, high = middle - size / 2, middle + size / 2
        inside = (low >= 0).all() and (high <= page).all()
        covers = ((taken >= low) & (taken <= high)).all(axis=1).any()
        if inside and not covers:
            return low, high
    return None


def _places(label: MarkLabel, size: np.ndarray, gap: float) -> Iterator[np.ndarray]:
    """The middle of a label beside its marks, above and below their intervals, then aslant."""
    for ends, ways in (
        (label.marks, [(1, 0), (-1, 0)]),
        (label.reach, [(0, 1), (0, -1)]),
        (label.marks, list(product((1, -1), (1, -1)))),
    ):
        low, high = ends.min(axis=0), ends.max(axis=0)
        for way in ways:
            yield (low + high) / 2 + np.array(way) * ((high - low + size) / 2 + gap + _AIR)


def distance(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.hypot(*(one - other)))


def segment(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Places along a line, (place, 2), its ends too."""
    return np.linspace(one, other, int(distance(one, other) / _FINE) + 2)


def filled(low: np.ndarray, high: np.ndarray) -> np.ndarray:
    """Places all over a box, (place, 2), its edges too."""
    across, up = (
        np.linspace(low[axis], high[axis], int((high[axis] - low[axis]) / _FINE) + 2)
        for axis in (0, 1)
    )
    return np.array(list(product(across, up)))
