"""Means, intervals and paired differences against numbers worked out by hand."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import pytest
from scipy.stats import spearmanr, t

from cat.evaluate import wilson_interval
from catviz.results.estimates import Estimate, average, cells, difference, gaps, references
from catviz.results.shift import rank_correlation
from tests.catviz.results.stored import REFERENCES, cat, line, results


def test_mean_and_interval_over_seeds() -> None:
    (cell,) = cells(results(*(line(seed=s, ood=o) for s, o in enumerate((0.70, 0.74, 0.78)))))
    estimate = cell.estimate("accuracy", "ood")
    assert estimate is not None
    assert estimate.interval is not None
    assert estimate.mean == pytest.approx(0.74)
    half = t.ppf(0.975, 2) * 0.04 / math.sqrt(3)  # their standard deviation is 0.04
    assert estimate.interval == pytest.approx((0.74 - half, 0.74 + half))
    assert (estimate.seeds, estimate.is_over_texts) == ("3 seeds", False)


def test_an_interval_of_shares_stays_within_them() -> None:
    (cell,) = cells(results(line(seed=0, ood=1.0), line(seed=1, ood=0.9)))
    estimate = cell.estimate("accuracy", "ood")
    assert estimate is not None
    assert estimate.interval == (pytest.approx(0.95 - t.ppf(0.975, 1) * 0.05), 1.0)


def test_one_seed_has_the_interval_over_texts() -> None:
    (cell,) = cells(results(line(ood=0.75)))
    estimate = cell.estimate("accuracy", "ood")
    assert estimate is not None
    assert estimate.interval == (0.72, 0.77)
    assert estimate.is_over_texts


def answered(right: int, texts: int) -> dict[str, Any]:
    """A run's scores, with Wilson's interval over texts."""
    bounds = wilson_interval(right, texts)
    return {"accuracy": right / texts, "interval": [bounds.low, bounds.high]}


def test_one_pair_has_the_interval_over_texts_of_a_difference() -> None:
    """Newcombe's first example (1998, Table II): 56 of 70 less 48 of 80."""
    plain, tuned = line(), cat()
    plain["scores"]["test_ood"] |= answered(48, 80)
    tuned["scores"]["test_ood"] |= answered(56, 70)
    base, cell = cells(results(plain, tuned))
    gain = difference(cell, base, "accuracy", "ood")
    assert gain is not None
    assert gain.interval == pytest.approx((0.0524, 0.3339), abs=5e-5)
    assert gain.note == "1 seed; bar: over texts"
    both = average([gain, Estimate({0: 0.4}, [0], (0.3, 0.5))])
    assert both is not None
    assert both.interval == pytest.approx(((0.0524 + 0.3) / 2, (0.3339 + 0.5) / 2), abs=5e-5)
    unknown = average([gain, Estimate({0: 0.4}, [0])])
    assert unknown is not None
    assert unknown.interval is None


def test_a_missing_seed_is_no_part_of_a_difference_and_is_told() -> None:
    plain, tuned = cells(
        results(
            *(line(seed=s, ood=o) for s, o in ((0, 0.70), (1, 0.60), (2, 0.80))),
            *(cat(seed=s, ood=o) for s, o in ((0, 0.90), (2, 0.86))),
        )
    )
    gain = difference(tuned, plain, "accuracy", "ood")
    assert gain is not None
    assert gain.mean == pytest.approx((0.20 + 0.06) / 2)  # not 0.88 - 0.70
    assert gain.missing == (1,)
    assert tuned.estimate("accuracy", "ood").seeds == "2 of 3 seeds"  # type: ignore[union-attr]
    assert gaps([plain, tuned]) == "Fewer seeds than others: CAT, alpha 10 (2 of 3 seeds)."
    assert gaps([plain]) == ""


def test_the_seeds_wanted_are_those_of_any_cell() -> None:
    plain, tuned = cells(results(line(seed=1), cat(seed=0), cat(seed=1)))
    assert plain.wanted == tuned.wanted == [0, 1]


def test_without_a_shared_seed_there_is_no_difference() -> None:
    plain, tuned = cells(results(line(seed=0), cat(seed=1)))
    assert difference(tuned, plain, "accuracy", "ood") is None
    one, other = (cell.estimate("accuracy", "ood") for cell in (plain, tuned))
    assert one is not None
    assert other is not None
    assert average([one, other]) is None


def test_an_average_is_taken_seed_by_seed() -> None:
    by_data = [
        cells(results(*(line(seed=s, data=d, ood=o) for s, o in enumerate(shares))))[0]
        for d, shares in (("STG_S", (0.5, 0.6)), ("STG_M", (0.7, 1.0, 0.9)))
    ]
    mean = average([e for c in by_data if (e := c.estimate("accuracy", "ood")) is not None])
    assert mean is not None
    assert mean.by_seed == {0: pytest.approx(0.6), 1: pytest.approx(0.8)}
    assert mean.missing == (2,)


def test_plain_stands_first_and_options_stay_apart() -> None:
    found = cells(results(cat(3.0), cat(10.0), cat(10.0, options={"form": "div"}), line()))
    assert [cell.label for cell in found] == [
        "plain", "CAT, alpha 3", "CAT, alpha 10", "CAT, alpha 10, form div",
    ]  # fmt: skip


def test_references_are_numbers_or_scores_by_name() -> None:
    plain = line()
    by_name = {**line(seed=1), "references": {"test_ood": {"always 38": {
        "accuracy": 0.037, "mean_absolute_error": 9.5}}}}  # fmt: skip
    found = references(results(plain, by_name))
    assert found["always Low Risk"]["ood"] == {
        "accuracy": REFERENCES["test_ood"]["always Low Risk"]
    }
    assert found["always 38"] == {"ood": {"accuracy": 0.037, "mean_absolute_error": 9.5}}


def test_rank_correlation() -> None:
    one, other = [0.3, 0.4, 2.0, 9.0, 11.0, 80.0], [30.0, 28.0, 31.0, 9.0, 12.0, 2.0]
    found = rank_correlation(one, other)
    assert found is not None
    assert found[0] == pytest.approx(spearmanr(one, other).statistic)
    low, high = found[1]
    assert -1 < low < found[0] < high < 1
    assert math.atanh(found[0]) - math.atanh(low) == pytest.approx(
        1.96 * math.sqrt((1 + found[0] ** 2 / 2) / 3), rel=1e-3
    )
    assert rank_correlation([1, 1, 1, 1], [1, 2, 3, 4]) is None  # nothing to rank
    assert rank_correlation([1, 2, 3], [3, 2, 1]) is None  # too few
    widths = [
        high - low
        for n in (5, 10, 40)
        for found in [rank_correlation(list(range(n)), [*range(n - 2), n - 1, n - 2])]
        if found
        for low, high in [found[1]]
    ]
    assert len(widths) == 3
    assert all(a > b for a, b in pairwise(widths))
