"""Roles: from the game, from signals, by phrase, by expression, by place, by hand."""

from __future__ import annotations

import re

import pytest

from cat.alignment import align
from cat.models import load_tokenizer, tiny_tokenizer
from cat.signals import Example, Signal, Span
from cat.stg import stg_e
from catviz.roles import mark_roles, words_by_hand, words_of

TEXT = "Tom smokes 5 packs and owns 15 fish, 5 of them red."


def marked(roles, text=TEXT):
    return [(role.name, role.role) for role in mark_roles(text, roles).roles]


def test_a_phrase_is_marked_wherever_it_stands_and_cuts_no_number():
    assert marked({"causal": "5"}) == [("5", "causal"), ("5", "causal")]


def test_an_expression_marks_its_group_or_its_whole():
    assert marked({"causal": re.compile(r"(\d+) packs")}) == [("5", "causal")]
    assert marked({"spurious": re.compile(r"\d+ fish")}) == [("15 fish", "spurious")]


def test_places_and_phrases_stand_in_the_order_of_the_text():
    roles = {"irrelevant": ["red"], "causal": [Span(4, 10)], "spurious": "fish"}
    assert marked(roles) == [("smokes", "causal"), ("fish", "spurious"), ("red", "irrelevant")]


def test_the_game_knows_its_roles_and_they_may_be_overruled():
    text = stg_e()["test_ood"][0]["input"]
    assert [role for _, role in marked(None, text)].count("causal") == 3
    assert marked({"irrelevant": re.compile(r"Smoking: \d+")}, text) == [
        ("Smoking: 10", "irrelevant")
    ]


def test_signals_name_causes_where_nothing_else_does():
    example = Example(TEXT, "5", (Signal("5", ("smokes 5", "5 packs", "fish")),))
    assert [role.name for role in mark_roles(example).roles] == ["smokes 5", "fish"]


def test_a_text_without_roles_has_none():
    assert marked(None) == []


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ({"causal": "dogs"}, "phrase 'dogs' is not in the text"),
        ({"causal": re.compile("dog")}, "regular expression 'dog' is not in the text"),
        ({"reason": "fish"}, "expected a role of causal"),
        ({"causal": "fish", "spurious": "15 fish"}, "overlap"),
        ({"causal": Span(3, 300)}, "within 0..51"),
    ],
)
def test_what_cannot_be_marked_is_refused(roles, message):
    with pytest.raises(ValueError, match=message):
        mark_roles(TEXT, roles)


def test_by_hand_one_role_a_token():
    words = words_by_hand(["Tom", " smokes", " "], ["other", "causal", "other"])
    assert [(w.start, w.stop, w.label, w.role) for w in words] == [
        (0, 1, "Tom", "other"),
        (1, 2, "smokes", "causal"),
        (2, 3, "·", "other"),
    ]
    with pytest.raises(ValueError, match="one role for each of the 1 tokens, got 2"):
        words_by_hand(["Tom"], ["other", "causal"])


@pytest.mark.parametrize("model", ["tiny", "tiny-word"])
def test_words_cover_every_token_once_and_name_the_factors(model):
    example = mark_roles(Example.from_record(stg_e()["test_ood"][0]))
    aligned = align(example, load_tokenizer(model))
    words = words_of(aligned)
    assert [t for w in words for t in range(w.start, w.stop)] == list(range(len(aligned.input_ids)))
    factors = {word.label: word.role for word in words if word.role != "other"}
    assert len(factors) == 8
    assert factors["Smoking: 10"] == "causal"
    assert factors["Clothing size: 9"] == "spurious"
    assert factors["Room size: 2"] == "irrelevant"


def test_words_of_a_part_end_with_it():
    example = mark_roles(Example.from_record(stg_e()["test_ood"][0]))
    assert words_of(align(example, tiny_tokenizer()), 4)[-1].stop == 4
