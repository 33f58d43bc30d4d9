"""Densities of attention scores by role."""

from __future__ import annotations

import re

import numpy as np
import pytest

from catviz.figures.density import attention_density
from catviz.figures.figure import Figure
from tests.catviz.figures.drawn import overlaps, visible_texts
from tests.catviz.figures.samples import CUT, scores


def test_density_of_degenerate_scores_draws_lines_and_notes() -> None:
    figure = attention_density(
        {"m": {"causal": [0.2] * 5, "spurious": [0.1], "irrelevant": []}, "n": {"causal": [0.0]}}
    )
    texts = [text.get_text() for text in visible_texts(figure.matplotlib())]
    assert texts.count("no words") == 3
    assert figure.render("png")
    assert len(figure.data) == 7


def test_density_marks_the_medians_and_cut_peaks() -> None:
    figure = attention_density(CUT, scale="linear")
    texts = [text.get_text() for text in visible_texts(figure.matplotlib())]
    assert any(text.startswith("▲ S peaks at ") for text in texts)
    assert "causal 0.27" in re.sub(r"0\.2\d+", "0.27", figure.alt)


def test_density_takes_a_log_axis_only_where_it_can() -> None:
    uneven = scores(causal=0.3, spurious=0.003)
    assert "per tenfold" in label_of(attention_density({"m": uneven}))
    uneven["spurious"][0] = 0.0
    assert "per tenfold" not in label_of(attention_density({"m": uneven}))
    with pytest.raises(ValueError, match="1 scores are exactly 0"):
        attention_density({"m": uneven}, scale="log")


@pytest.mark.parametrize("spread", [0.01, 0.3, 1.0, 2.0])
def test_a_log_axis_has_numbers_at_any_width(spread: float) -> None:
    values = 0.2 * np.exp(-spread * np.abs(np.random.default_rng(0).normal(size=50)))
    figure = attention_density({"m": {"causal": values}, "n": {"causal": values}}, scale="log")
    drawn = figure.matplotlib()
    assert overlaps(drawn) == []
    ticks = drawn.axes[2].xaxis
    low, high = drawn.axes[2].get_xlim()
    assert sum(low <= tick.get_loc() <= high for tick in ticks.get_major_ticks()) >= 2


def label_of(figure: Figure) -> str:
    return "".join(axes.get_ylabel() for axes in figure.matplotlib().axes)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({}, "at least one model"),
        ({"m": {}}, "no scores in any role"),
        ({"m": {"causal": []}}, "no scores in any role"),
        ({"m": {"causal": [0.1, float("nan")]}}, r"'m', role 'causal'.*nan at index 1"),
        ({"m": {"causal": [1.5]}}, r"between 0 and 1, got 1\.5"),
        ({"m": {"causal": [[0.1]]}}, r"flat list.*\(1, 1\)"),
        ({"m": {"cause": [0.1]}}, r"unknown role 'cause'; expected causal"),
    ],
)
def test_density_refuses(bad: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attention_density(bad)


def test_hostile_labels_of_densities_are_drawn_as_they_are() -> None:
    figure = attention_density({"_hidden $a$": scores(causal=0.1, spurious=0.2)})
    assert "_hidden $a$" in [text.get_text() for text in visible_texts(figure.matplotlib())]
