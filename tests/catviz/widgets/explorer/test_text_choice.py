"""Texts of the game and texts that are typed, with their roles."""

from __future__ import annotations

import pytest

from cat.data import load_data
from catviz.widgets.explorer.text_choice import TextChoice, parse_phrases


def test_texts_of_the_game_are_those_of_the_data() -> None:
    choice = TextChoice()
    data = load_data("stg-e")
    choice.number.value = 7
    chosen = choice.read()
    assert (chosen.example, chosen.label) == (data["test_ood"][7], "OOD text 7")
    choice.split.value = "test_iid"
    chosen = choice.read()
    assert (chosen.example, chosen.label) == (data["test_iid"][7], "IID text 7")
    assert choice.number.max == len(data["test_iid"]) - 1
    assert choice.asked == 2


def test_one_starts_to_type_from_a_text_of_the_game() -> None:
    choice = TextChoice()
    choice.source.value = "My own text"
    assert choice.asked == 0  # nothing is looked at before the button is pressed
    chosen = choice.read()
    assert chosen.example.prompt == load_data("stg-e")["test_ood"][2].prompt
    assert {role.role for role in chosen.example.roles} == {"causal", "spurious", "irrelevant"}
    choice.show.click()
    choice.source.value = "A text of the game"
    assert choice.asked == 2


def test_typed_roles_and_answers() -> None:
    choice = TextChoice("Tom smokes 1,500 packs, has yellow fingers, and will")
    choice.phrases["causal"].value = "smokes\n1,500"
    choice.phrases["spurious"].value = " yellow fingers ,"
    choice.answers.value = "get cancer, stay healthy"
    chosen = choice.read()
    found = [(role.name, role.role) for role in chosen.example.roles]
    assert found == [("smokes", "causal"), ("1,500", "causal"), ("yellow fingers", "spurious")]
    assert chosen.answers == ("get cancer", "stay healthy")


def test_what_cannot_be_read_is_said() -> None:
    choice = TextChoice("  \n ")
    choice.typed.value = " "
    with pytest.raises(ValueError, match="expected a text, got nothing"):
        choice.read()
    choice.typed.value = "Tom smokes"
    choice.phrases["causal"].value = "drinks"
    with pytest.raises(ValueError, match="causal: the phrase 'drinks' is not in the text"):
        choice.read()
    choice.phrases["causal"].value = choice.phrases["spurious"].value = "smokes"
    with pytest.raises(ValueError, match="overlap"):
        choice.read()


def test_phrases() -> None:
    assert parse_phrases("") == parse_phrases(" ,\n,") == ()
    assert parse_phrases("a,b, a\nc, 1,500, 3,x") == ("a", "b", "c", "1,500", "3", "x")
