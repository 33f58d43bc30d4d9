"""The table's rows are the package's own rankings and shares."""

from __future__ import annotations

import numpy as np
import pytest

from catviz.heads import rank_by_change, rank_by_lift, rank_by_mass
from catviz.widgets.explorer.head_table import HeadTable, rankings
from catviz.words import ROLES
from tests.catviz.viewer.random_patterns import random_pattern

BEFORE, AFTER = random_pattern(), random_pattern(seed=1)
ORDERS = {
    "lift": rank_by_lift(AFTER),
    "causal": rank_by_mass(AFTER, "causal"),
    "irrelevant": rank_by_mass(AFTER, "irrelevant"),
    "change": rank_by_change(BEFORE, AFTER),
}


@pytest.mark.parametrize("by", ORDERS)
def test_the_order_is_that_of_the_ranking(by: str) -> None:
    table = HeadTable()
    table.show([BEFORE, AFTER], by)
    assert [row["name"] for row in table.rows] == [score.name for score in ORDERS[by]]
    best = ORDERS[by][0].score
    wanted = f"{best:.1f} ×" if by == "lift" else f"{100 * best:.0f}%"
    assert table.rows[0]["score"] == wanted


def test_shares_before_and_after() -> None:
    table = HeadTable()
    table.show([BEFORE, AFTER], "layer")
    assert [row["name"] for row in table.rows] == list(AFTER.head_names)
    for at, pattern in enumerate((BEFORE, AFTER)):
        shares = np.array([row["shares"][at] for row in table.rows])
        assert shares.shape == (12, len(ROLES))
        assert np.abs(shares - pattern.role_mass().reshape(-1, len(ROLES))).max() < 1e-4
    assert table.states == ["before", "after"]
    assert table.score_name == ""


def test_ticks_stay_where_the_head_is_still_there() -> None:
    table = HeadTable()
    table.show([BEFORE], "layer")
    assert table.states == [""]
    table.taken = ["L0H1", "L2H3"]
    table.show([random_pattern(layers=1)], "layer")
    assert table.taken == ["L0H1"]


def test_orders_that_make_sense() -> None:
    assert [name for _, name in rankings([BEFORE, AFTER])] == [
        "lift", "causal", "spurious", "irrelevant", "change", "layer",
    ]  # fmt: skip
    assert [name for _, name in rankings([random_pattern(words=())])] == ["layer"]
