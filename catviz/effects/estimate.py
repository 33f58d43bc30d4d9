"""A mean over texts, with its 95% interval."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Estimate", "estimate_mean"]


@dataclass(frozen=True)
class Estimate:
    """A mean and its 95% interval; without bounds where one text allows none."""

    mean: float
    low: float | None
    high: float | None


def estimate_mean(values: Sequence[float] | np.ndarray) -> Estimate:
    """The mean of one value a text, with Student's t interval over the choice of texts.

    Raises:
        ValueError: no value, or one that is not finite.

    >>> estimate = estimate_mean([1.0, 2.0, 3.0])
    >>> estimate.mean, round(estimate.low, 3), round(estimate.high, 3)
    (2.0, -0.484, 4.484)
    """
    from scipy.stats import t

    values = np.asarray(values, dtype=np.float64)
    n = len(values)
    if n == 0 or not np.isfinite(values).all():
        raise ValueError(f"expected one finite number a text, got {values[~np.isfinite(values)]}")
    mean = float(values.mean())
    if n == 1:
        return Estimate(mean, None, None)
    half = float(t.ppf(0.975, n - 1) * values.std(ddof=1) / np.sqrt(n))
    return Estimate(mean, mean - half, mean + half)
