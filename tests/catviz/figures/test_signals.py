"""The signals of a text: every relation's marks are where its phrases are."""

from __future__ import annotations

import pytest
from matplotlib.colors import to_hex
from matplotlib.patches import Rectangle

from cat.signals import Example, Signal, find_phrase
from catviz.figures.signals import signal_text
from catviz.figures.style import THEMES, series_style
from tests.catviz.figures.drawn import texts_of
from tests.catviz.figures.samples import signals_example

EXAMPLE = signals_example()
FRAME, BAR = 0.21, 0.04


def marks(example: Example, height: float) -> list[Rectangle]:
    sheet = signal_text(example).matplotlib().axes[0]
    return [patch for patch in sheet.patches if abs(patch.get_height() - height) < 1e-9]


def test_the_data_tell_places_and_faults() -> None:
    text = EXAMPLE.full_text
    data = signal_text(EXAMPLE).data
    assert [record["relation"] for record in data] == [1, 1, 2, 2, 2, 3, 3, 4, 5, 5, 5]
    faults = {(r["effect"], r["cause"]): r["fault"] for r in data if r["fault"]}
    assert faults == {
        ("5 more", "9 stars"): "not in the text",
        ("12 shells", "Answer"): "not before its effect",
    }
    for record in data:
        if record["fault"]:
            continue
        for name in ("effect", "cause"):
            for place in str(record[f"{name}_places"]).split():
                start, end = map(int, place.split("-"))
                assert text[start:end] == record[name]


def test_frames_and_bars_lie_over_the_words_they_belong_to() -> None:
    example = Example(
        "one two three. Answer:", "four", (Signal("four", ("two",)), Signal("three", ("one",)))
    )
    sheet = signal_text(example).matplotlib().axes[0]
    left = {text.get_text(): text.get_position()[0] for text in sheet.texts}
    frames = sorted(round(frame.get_x() + 0.03, 6) for frame in marks(example, FRAME))
    assert frames == sorted(round(left[word], 6) for word in ("four", "three"))
    ends = sorted(bar.get_x() + bar.get_width() for bar in marks(example, BAR))
    assert left["one"] < ends[0] < left["two"] < ends[1] < left["three"]
    light = THEMES["light"]
    assert {to_hex(bar.get_facecolor()) for bar in marks(example, BAR)} == {
        series_style(at, light).colour for at in (0, 1)
    }


def test_every_occurrence_that_makes_a_pair_is_marked() -> None:
    example = Example("a b a b Answer:", "a", (Signal("a", ("b",)),))
    causes = find_phrase(example.full_text, "b")
    assert len(marks(example, BAR)) == len(causes) == 2
    assert len(marks(example, FRAME)) == 2  # the first "a" has no "b" before it


def test_a_phrase_that_makes_no_pair_has_no_bar_and_its_fault_in_the_list() -> None:
    example = Example("one two Answer:", "three", (Signal("one", ("two",)),))
    assert marks(example, BAR) == []
    told = [text for text in texts_of(signal_text(example)) if "←" in text]
    assert told == ["one ← two   (“two” is not before its effect.)"]


def test_numbers_tell_relations_apart_where_colours_repeat() -> None:
    words = "one two three four five six seven"
    signals = tuple(Signal("yes", (word,)) for word in words.split())
    shown = texts_of(signal_text(Example(f"{words} Answer:", "yes", signals)))
    assert "1,2,3,4,5,6,7" in shown
    for number in range(1, 8):
        assert shown.count(str(number)) == 2  # at its bar, and in the list


def test_a_text_without_signals_is_drawn_alone() -> None:
    figure = signal_text(Example("a b Answer:", "c"))
    assert [text for text in texts_of(figure) if text] == ["a", "b", "Answer:", "c"]
    assert figure.caption == "No relation is annotated."
    with pytest.raises(ValueError, match="got str"):
        signal_text("a b")  # type: ignore[arg-type]
