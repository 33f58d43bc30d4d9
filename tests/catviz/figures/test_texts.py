"""Texts written out, each word with its role."""

from __future__ import annotations

import pytest

from cat.own_game import BEACH
from cat.signals import Example
from catviz.figures.texts import marked_texts, text_pieces

TEXTS = BEACH.splits()["test_ood"][:3]


def test_pieces_put_together_are_the_text() -> None:
    for example in TEXTS:
        pieces = text_pieces(example)
        assert "".join(text for text, _ in pieces) == example.full_text
        roles = {text.strip().rstrip(","): role for text, role in pieces if role != "other"}
        text = example.full_text
        assert roles == {text[r.span.start : r.span.end]: r.role for r in example.roles}


def test_a_text_without_roles() -> None:
    assert text_pieces(Example("Two  and two?", "4")) == [
        ("Two", "other"), ("  and", "other"), (" two?", "other"), (" 4", "other"),
    ]  # fmt: skip


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_drawing(theme: str) -> None:
    figure = marked_texts({"<b>": TEXTS, "none": []})
    assert [record["answer"] for record in figure.data] == [one.answer for one in TEXTS]
    assert figure.data[0] == {"heading": "<b>", "text": TEXTS[0].prompt, "answer": TEXTS[0].answer}
    drawn = figure.matplotlib(theme=theme)  # type: ignore[arg-type]
    written = [text.get_text() for text in drawn.axes[0].texts]
    for role in TEXTS[0].roles:
        label = TEXTS[0].full_text[role.span.start : role.span.end]
        assert any(text.startswith(label) for text in written)
    for text in drawn.axes[0].texts:
        assert text.get_position()[0] <= 8.2


def test_no_texts() -> None:
    with pytest.raises(ValueError, match="no texts"):
        marked_texts({"iid": []})
