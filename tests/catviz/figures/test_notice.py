"""Words in place of a picture: all of them, in lines."""

from __future__ import annotations

from catviz.figures.notice import notice
from tests.catviz.figures.drawn import overlaps, visible_texts


def test_all_words_are_drawn_and_none_over_another() -> None:
    text = "No finished run is in <this> folder, which holds $nothing_1$. " * 5 + "\nSecond."
    figure = notice(text, title="Trained with alpha")
    drawn = figure.matplotlib()
    said = " ".join(one.get_text() for one in visible_texts(drawn))
    assert said.split() == text.split()
    assert overlaps(drawn) == []
    assert figure.data == [{"says": text}]
