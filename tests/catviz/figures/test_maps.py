"""Mean attention maps: their labels, their scale, and the maps that are refused."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest

from catviz.figures.maps import attention_map
from catviz.maps import MeanMap
from catviz.words import Word
from tests.catviz.figures.drawn import (
    FACTORS,
    HOSTILE,
    causal_softmax,
    large_map,
    overlaps,
    small_map,
    visible_texts,
)


@pytest.mark.parametrize("factor_tokens", [1, 2, 3, 9])
def test_map_labels_keep_apart_at_any_token_count(factor_tokens: int) -> None:
    figure = attention_map([large_map(factor_tokens=factor_tokens)]).matplotlib()
    assert overlaps(figure) == []
    shown = {text.get_text() for text in visible_texts(figure)}
    assert {label for label, _ in FACTORS} <= shown


def test_each_word_is_labelled_on_both_axes_of_the_map() -> None:
    figure = attention_map([large_map(model="plain"), large_map(model="alpha 0.35")])
    shown = [text.get_text() for text in visible_texts(figure.matplotlib())]
    for label, _ in FACTORS:
        assert shown.count(label) == 3  # one shared query axis, a key axis for each model
    assert "," not in shown


def test_hostile_tokens_and_labels_are_drawn_as_they_are() -> None:
    figure = attention_map([small_map(model=HOSTILE, first="$x_1$ _b\x00\n<b>")])
    shown = [text.get_text() for text in visible_texts(figure.matplotlib())]
    assert HOSTILE in [text.replace("\n", "") for text in shown]
    assert "$x_1$ _b\N{REPLACEMENT CHARACTER}↵<b>" in shown
    unusual = [text for text in visible_texts(figure.matplotlib()) if "$" in text.get_text()]
    assert not any(text.get_parse_math() for text in unusual)
    assert b"<script" not in figure.render("svg")
    ElementTree.fromstring(figure.render("svg"))


def test_map_records_are_the_lower_triangle() -> None:
    one = small_map()
    data = attention_map([one]).data
    assert len(data) == one.size * (one.size + 1) // 2
    for record in data:
        assert record["attention"] == one.values[int(str(record["query"])), int(str(record["key"]))]
    assert data[-1]["query_word"] == "Answer:"
    assert [data[-9 + at]["key_role"] for at in range(8)] == [role for _, role in FACTORS]


def test_map_scale_leaves_the_sink_out_and_says_what_is_clipped() -> None:
    size = 40
    values = np.tri(size) * 0.01
    values[:, 0] = 1 - values[:, 1:].sum(axis=1)
    one = MeanMap(values, (Word(0, 1, "sink", "other"),), "m", "t")
    assert "Cells above 0.01 (up to 0.99)" in attention_map([one]).caption
    assert "Cells above" not in attention_map([one], vmax=1).caption


def test_map_of_one_token_and_of_no_words() -> None:
    assert attention_map([MeanMap(np.ones((1, 1)), (), "m", "t")]).render("png")


def test_answer_row_may_stand_in_the_middle() -> None:
    one = MeanMap(np.tri(4) / np.tri(4).sum(1, keepdims=True), (), "m", "t", answer_row=-2)
    assert one.answer_row == 2
    with pytest.raises(ValueError, match="no row 4 among 4"):
        MeanMap(one.values, (), "m", "t", answer_row=4)


def changed(query: int, key: int, value: float) -> np.ndarray:
    values = causal_softmax(3)
    values[query, key] = value
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 3)), r"square.*\(2, 3\)"),
        (np.ones((0, 0)), r"square.*\(0, 0\)"),
        (changed(2, 1, np.nan), "finite.*nan at row 2, key 1"),
        (changed(0, 2, 0.5), "row 0 attends to the later key 2"),
        (changed(1, 1, -0.5), "negative.*row 1, key 1"),
        (changed(2, 2, 0.9), r"row 2 sums to 1\.\d+"),
    ],
)
def test_mean_map_refuses_values(values: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"'plain'.*{message}"):
        MeanMap(values, (), "plain", "t")


def test_mean_map_refuses_words() -> None:
    values = causal_softmax(3)
    with pytest.raises(ValueError, match="'b' starts at token 1"):
        MeanMap(values, (Word(0, 2, "a", "other"), Word(1, 3, "b", "other")), "m", "t")
    with pytest.raises(ValueError, match=r"reach token 4.*3 tokens"):
        MeanMap(values, (Word(2, 4, "a", "other"),), "m", "t")
    with pytest.raises(ValueError, match="0 <= start < stop"):
        Word(2, 2, "a", "other")
    with pytest.raises(ValueError, match="role 'cause'"):
        Word(0, 1, "a", "cause")  # type: ignore[arg-type]


def test_map_refuses_nothing_and_doubles() -> None:
    with pytest.raises(ValueError, match="at least one MeanMap"):
        attention_map([])
    with pytest.raises(ValueError, match="two maps"):
        attention_map([small_map(), small_map()])
    with pytest.raises(ValueError, match="vmax"):
        attention_map([small_map()], vmax=0)


def test_mean_map_cannot_be_changed_from_outside() -> None:
    values = causal_softmax(3)
    one = MeanMap(values, (), "m", "t")
    values[0, 0] = 7
    assert one.values[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        one.values[0, 0] = 7
