"""Steering over alpha: what is drawn, and what is refused."""

from __future__ import annotations

import pytest

from catviz.figures.steering import steering_over_alpha
from tests.catviz.figures.drawn import overlaps, visible_texts

POINTS = [
    {"series": name, "alpha": alpha, "log_odds": odds, **more}
    for name, more in (
        ("text 2", {}),
        ("mean of 100 texts", {"accuracy": 0.9, "accuracy_low": 0.8, "accuracy_high": 0.95}),
    )
    for alpha, odds in ((None, -2.0), (10, 3.0), (0.3, -1.0))
]


def test_alphas_stand_in_order_behind_the_model_that_is_not_edited() -> None:
    figure = steering_over_alpha(POINTS)
    odds, shares = figure.matplotlib().axes
    labels = [tick.get_text() for tick in shares.get_xticklabels()]
    assert labels == ["not edited", "0.3", "10"]
    _, text, mean = odds.lines  # the first is at even odds
    for line in (text, mean):
        assert line.get_ydata().tolist() == [-2.0, -1.0, 3.0]
    assert shares.lines[0].get_ydata() == pytest.approx([90.0] * 3)
    assert overlaps(figure.matplotlib()) == []
    assert "no training" in figure.caption
    assert "plain" not in figure.caption + figure.alt


def test_one_text_alone_has_no_accuracy() -> None:
    figure = steering_over_alpha([p for p in POINTS if p["series"] == "text 2"])
    (only,) = figure.matplotlib().axes
    assert only.get_xlabel() == "alpha that attention is edited to"
    assert "right answers (%)" not in str(visible_texts(figure.matplotlib()))


def test_what_is_no_point_is_refused() -> None:
    with pytest.raises(ValueError, match="no points to draw"):
        steering_over_alpha([])
    with pytest.raises(ValueError, match="point 0: the record has no 'alpha'"):
        steering_over_alpha([{"series": "x", "log_odds": 1}])
    for wrong in (None, "high", float("nan")):
        with pytest.raises(ValueError, match=r"point 0.*expected"):
            steering_over_alpha([{"series": "x", "alpha": 1, "log_odds": wrong}])
