"""The text as chips: their shares, their order, their scale."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import Rectangle

from catviz.figures.chips import CHIP, chip_text, flow
from catviz.figures.strips import text_strip
from catviz.figures.style import THEMES
from catviz.maps import MeanMap
from catviz.words import Word
from tests.catviz.figures.drawn import (
    FACTORS,
    large_map,
    pattern_of,
    small_map,
    small_pattern,
    texts_of,
)


def shares(figure) -> list[float]:
    return [record["attention"] for record in figure.data]


def test_chips_are_the_tokens_of_the_answers_row() -> None:
    pattern = pattern_of(large_map())
    expected = sum(pattern.values[i, j, -1] for i in range(2) for j in range(3)) / 6
    figure = text_strip(pattern)
    np.testing.assert_allclose(shares(figure), expected, atol=1e-6)
    assert [record["reads"] for record in figure.data] == list(pattern.tokens)
    assert [record["role"] for record in figure.data] == list(pattern.roles)


def test_word_chips_sum_their_tokens_and_leave_none_out() -> None:
    one = large_map()
    words = one.words[3:]  # the first tokens are in no word
    bare = MeanMap(one.values, words, "m", "t")
    figure = text_strip(bare)
    uncovered = words[0].start
    row = one.values[-1]
    assert shares(figure)[:uncovered] == pytest.approx(row[:uncovered])
    assert shares(figure)[uncovered:] == pytest.approx([row[w.start : w.stop].sum() for w in words])
    assert sum(shares(figure)) == pytest.approx(1)
    assert shares(text_strip(pattern_of(one), chips="word")) == pytest.approx(
        shares(text_strip(pattern_of(one).mean()))
    )


def test_a_row_in_the_middle_looks_at_nothing_later() -> None:
    figure = text_strip(small_pattern(), row=4)
    assert all(share == 0 for share in shares(figure)[5:])
    assert sum(shares(figure)) == pytest.approx(1, abs=1e-5)
    assert "row 4" in figure.title
    assert "come later" in figure.caption
    assert shares(text_strip(small_pattern(), row=4 - 11)) == shares(figure)
    assert "come later" not in text_strip(small_pattern()).caption
    faces = [to_hex(chip.get_facecolor()) for chip in chips_of(figure.matplotlib())]
    assert set(faces[5:]) == {THEMES["light"].void}
    assert THEMES["light"].void not in faces[:5]


def test_the_strongest_shares_are_written_out() -> None:
    figure = text_strip(small_pattern())
    top = sorted(shares(figure))[-5:]
    shown = texts_of(figure)
    for share in top:
        assert any(text in (f"{share:.2f}", f"▲{share:.2f}") for text in shown)


def chips_of(figure: MplFigure) -> list[Rectangle]:
    (sheet,) = (axes for axes in figure.axes if axes.patches)
    return [p for p in sheet.patches if isinstance(p, Rectangle) and p.get_height() == CHIP]


def sink(model: str = "m") -> MeanMap:
    values = np.eye(6)
    values[-1] = [0.4, 0.1, 0.2, 0.1, 0.1, 0.1]
    return MeanMap(values, tuple(Word(t, t + 1, f"t{t}", "other") for t in range(6)), model, "t")


def test_the_sink_is_clipped_and_the_figure_says_so() -> None:
    figure = text_strip(sink())
    assert "Shares above 0.2 (up to 0.4)" in figure.caption
    assert "▲0.40" in texts_of(figure)
    whole = text_strip(sink(), vmax=0.5)
    assert "above" not in whole.caption
    assert "0.40" in texts_of(whole)


def test_chips_of_one_share_have_one_colour_in_all_models() -> None:
    figure = text_strip([small_map(), small_map(model="twin")]).matplotlib()
    chips = chips_of(figure)
    half = len(chips) // 2
    assert half == 11
    for one, twin in zip(chips[:half], chips[half:], strict=True):
        assert one.get_facecolor() == twin.get_facecolor()
        assert one.get_x() == twin.get_x()


def test_the_sink_taken_out_is_told() -> None:
    assert "first token is taken out" in text_strip(small_pattern().drop_sink()).caption
    with pytest.raises(ValueError, match=r"one state.*\['in', 'renormalised'\]"):
        text_strip([small_pattern(), small_pattern().drop_sink()])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sources": []}, "at least one"),
        ({"sources": [3]}, "got int"),
        ({"sources": small_map(), "chips": "token"}, "knows words but no tokens"),
        ({"sources": small_map(), "chips": "letter"}, "'letter'"),
        ({"sources": small_map(), "row": 11}, "no row 11.*11 tokens"),
        ({"sources": small_map(), "vmax": float("nan")}, "vmax"),
    ],
)
def test_strips_refuse(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        text_strip(**options)


def test_chips_flow_as_text_does() -> None:
    tokens = [" one", " two", "s", "\n", "three", *(f" w{at}" for at in range(40))]
    places = flow(tokens, 3.0)
    assert [place.line for place in places[:5]] == [0, 0, 0, 0, 1]
    assert all(place.x + place.width <= 3.0 for place in places)
    for before, after in pairwise(places):
        assert (after.line, after.x) > (before.line, before.x)
        if after.line == before.line:
            assert after.x >= before.x + before.width
        else:
            assert after.x == 0
            assert after.line == before.line + 1
    gaps = [b.x - a.x - a.width for a, b in pairwise(places[:3])]
    assert gaps[0] > 3 * gaps[1]  # "s" belongs to "two"


def test_no_line_is_longer_than_its_room() -> None:
    for room in np.linspace(1, 3, 60):
        places = flow([f" word{at}" for at in range(12)], room)
        assert max(place.x + place.width for place in places) <= room


def test_a_chip_is_never_narrower_than_asked_nor_endless() -> None:
    places = flow(["a", "x" * 10_000], 8.0, narrowest=[1.5, 0.0])
    assert places[0].width == 1.5
    assert places[1].width < 6
    assert len(chip_text("x" * 10_000)) == 40
    assert [chip_text(token) for token in ("", "  ", "\t", "\u200b")] == ["·", "·", "⇥", "·"]


def test_factors_are_underlined_with_their_letter() -> None:
    shown = texts_of(text_strip(small_map()))
    letters = [role[0].upper() for _, role in FACTORS]
    for letter in "CSI":
        assert shown.count(letter) == letters.count(letter) + 1  # and once in the key
