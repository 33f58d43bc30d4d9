"""Means with their intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import ttest_1samp

from catviz.effects.estimate import Estimate, estimate_mean


def test_the_interval_is_students_t():
    values = np.random.default_rng(0).normal(3, 2, size=17)
    estimate = estimate_mean(values)
    bounds = ttest_1samp(values, 0).confidence_interval(0.95)
    assert estimate.mean == pytest.approx(values.mean())
    assert (estimate.low, estimate.high) == pytest.approx((bounds.low, bounds.high))


def test_one_value_has_no_interval():
    assert estimate_mean([2.5]) == Estimate(2.5, None, None)


def test_equal_values_have_an_interval_of_no_width():
    assert estimate_mean([0.5, 0.5]) == Estimate(0.5, 0.5, 0.5)


@pytest.mark.parametrize("values", [[], [1.0, math.nan], [math.inf, 0.0]])
def test_what_has_no_mean_is_refused(values):
    with pytest.raises(ValueError, match="expected one finite number a text"):
        estimate_mean(values)
