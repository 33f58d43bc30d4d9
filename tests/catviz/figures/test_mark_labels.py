"""Labels of marks find free places, or none."""

from __future__ import annotations

import numpy as np
import pytest

from catviz.figures.mark_labels import MarkLabel, filled, free_box, segment

PAGE = np.array([2.0, 1.0])


@pytest.mark.parametrize("at", [(0, 0), (0, 1), (2, 0), (2, 1), (1, 0), (1.95, 0.5)])
def test_a_label_stays_on_the_page(at: tuple[float, float]) -> None:
    mark = np.array([at], dtype=float)
    box = free_box(MarkLabel("0.35", mark, mark), mark, PAGE, font=8, gap=0.06)
    assert box is not None
    low, high = box
    assert (low >= 0).all()
    assert (high <= PAGE).all()
    assert not ((mark >= low) & (mark <= high)).all()


def test_a_line_beside_the_mark_sends_the_label_aslant() -> None:
    mark = np.array([[1.0, 0.5]])
    taken = segment(np.array([0, 0.5]), np.array([2, 0.5]))
    box = free_box(MarkLabel("10", mark, mark), taken, PAGE, font=8, gap=0.06)
    assert box is not None
    assert box[0][1] > 0.5 or box[1][1] < 0.5


def test_an_interval_is_stepped_over_where_the_sides_are_taken() -> None:
    mark, top = np.array([[1.0, 0.3]]), np.array([[1.0, 0.7]])
    label = MarkLabel("10", mark, np.concatenate([mark, top]))
    sides = np.concatenate(
        [
            filled(np.array([0, 0]), np.array([0.95, 0.7])),
            filled(np.array([1.05, 0]), np.array([2, 0.7])),
        ]
    )
    box = free_box(label, sides, PAGE, font=8, gap=0.06)
    assert box is not None
    assert box[0][1] > 0.7


def test_without_a_free_place_there_is_none() -> None:
    mark = np.array([[1.0, 0.5]])
    taken = filled(np.zeros(2), PAGE)
    assert free_box(MarkLabel("10", mark, mark), taken, PAGE, font=8, gap=0.06) is None
