"""do() on texts: what is written is what the game itself would have written."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from cat.intervene import counterfactual_values, factor_ends, intervene
from cat.signals import Example
from cat.stg import (
    STG_E,
    STG_E_OOD,
    STG_H,
    STG_H_OOD,
    read_factors,
    stg_e,
    stg_e_text,
    stg_h,
    stg_h_text,
)

EASY, HARD = stg_e(7, n_train=4, n_test=40), stg_h(7, n_train=1, n_test=40)
OTHER_TEXT = "Two apples and three pears. How many? Answer: "


def order_of(text: str) -> list[str]:
    read = read_factors(text)
    assert read is not None
    return sorted(read[1], key=lambda name: read[1][name][1].start)


def values_of(text: str) -> dict[str, float]:
    read = read_factors(text)
    assert read is not None
    return {name: value for name, (value, _) in read[1].items()}


@pytest.mark.parametrize("game", [STG_E, STG_E_OOD])
def test_stg_e_texts_are_those_of_the_same_noise(game):
    """Samples of the game, so that their noise is known, and every factor set in turn."""
    rng = Random(3)
    for _ in range(20):
        sample = game.sample(rng)
        order = rng.sample(list(game.roles), 8)
        text = stg_e_text(sample.values, order)
        for name in game.roles:
            value = rng.randint(0, 15)
            wanted = game.counterfactual(sample, {name: value}).values
            new = intervene(text, {name: value}, game=game)
            assert new.text == stg_e_text(wanted, order)
            assert new.answer == game.answer(wanted)


@pytest.mark.parametrize("game", [STG_H, STG_H_OOD])
def test_stg_h_texts_are_those_of_the_same_noise(game):
    """Companions may differ in the last decimal: the noise is read from a rounded value."""
    rng = Random(3)
    for _ in range(20):
        sample = game.sample(rng)
        text = stg_h_text(sample.values)
        for name in game.roles:
            value = game.sample(rng).values[name]
            wanted = game.counterfactual(sample, {name: value}).values
            new = intervene(text, {name: value}, game=game)
            assert order_of(new.text) == order_of(text)
            for factor, shown in values_of(new.text).items():
                places = 0 if factor == "Renewable Stock Index" else 1
                unit = 1.1 * 10**-places if factor in game.named("spurious") else 1e-9
                assert shown == pytest.approx(round(wanted[factor], places), abs=unit + 1e-9)
            assert abs(int(new.answer) - game.answer(wanted)) <= 1
            # The form: units, decimals and everything between the numbers.
            follows = [v.name for v in game.variables if name in v.parents]
            given = {n: wanted[n] if n in (name, *follows) else sample.values[n] for n in wanted}
            if not follows:
                assert new.text == stg_h_text(given)


def test_nothing_set_changes_nothing():
    for record in (*EASY["test_ood"], *EASY["test_iid"], *HARD["test_iid"]):
        assert intervene(record["input"], {}).text == record["input"]


def test_setting_a_factor_to_what_it_is_changes_nothing():
    for record in (*EASY["test_iid"], *HARD["test_iid"]):
        values = values_of(record["input"])
        game = STG_E if "Smoking" in values else STG_H
        for name in game.roles:
            assert (
                intervene(record["input"], {name: values[name]}, game=game).text
                == (record["input"])
            )


def test_by_default_only_what_is_set_changes():
    text = EASY["test_iid"][0]["input"]
    before = values_of(text)
    after = values_of(intervene(text, {"Smoking": 9, "Hormones": 0}).text)
    assert after == {**before, "Smoking": 9, "Hormones": 0}


def test_companions_of_a_text_that_broke_with_its_causes_follow_what_is_set():
    text = EASY["test_ood"][0]["input"]
    before = values_of(text)
    after = values_of(intervene(text, {"Smoking": 9}, game=STG_E).text)
    assert after == {**before, "Smoking": 9, "Yellow fingers": 13}


def test_an_intervention_on_a_companion_wins_over_its_cause():
    text = EASY["test_iid"][0]["input"]
    after = values_of(intervene(text, {"Smoking": 9, "Yellow fingers": 2}, game=STG_E).text)
    assert (after["Smoking"], after["Yellow fingers"]) == (9, 2)


def test_examples_keep_their_roles_and_get_the_new_answer():
    example = Example.from_record(EASY["test_ood"][0])
    new = intervene(example, {"Smoking": 10, "Weight": 10, "Exercise": 1})
    assert new.answer == "High Risk"
    assert {role.name: role.role for role in new.roles} == STG_E.roles
    assert intervene(example, {"Smoking": 1, "Exercise": 10}).answer == "Low Risk"


def test_followers_of_followers_follow():
    """None of the games has a chain; one is made: Room size follows Clothing size."""
    chain = STG_E.replace_variables(
        {
            "Room size": replace(
                STG_E["Room size"],
                parents=("Clothing size",),
                noise=lambda rng: rng.randint(-1, 1),
                mechanism=lambda values, noise: 2 * values["Clothing size"] + noise,
            )
        }
    )
    values = {**dict.fromkeys(STG_E.roles, 4), "Room size": 9}  # 8 + 1
    new = counterfactual_values(chain, values, {"Weight": 5})
    assert (new["Clothing size"], new["Room size"]) == (5, 11)
    assert new["Hormones"] == 4, "what is not below the factor set stays"


@pytest.mark.parametrize(
    ("text", "interventions", "game", "error", "message"),
    [
        (OTHER_TEXT, {}, None, ValueError, "expected a text of STG_E or STG_H"),
        (EASY["test_iid"][0]["input"], {"Age": 3}, None, KeyError, "no factor 'Age'"),
        (EASY["test_iid"][0]["input"], {"Smoking": 2.5}, None, ValueError, "a whole number"),
        (EASY["test_iid"][0]["input"], {"Smoking": float("nan")}, None, ValueError, "a number"),
        (EASY["test_iid"][0]["input"], {"Smoking": "9"}, None, ValueError, "a number to set"),
        (EASY["test_iid"][0]["input"], {"Smoking": 2}, STG_H, ValueError, "got one of STG_E"),
        (HARD["test_iid"][0]["input"], {"City Anniversary": 2.5}, None, ValueError, "whole"),
    ],
)
def test_bad_requests_say_what_was_expected(text, interventions, game, error, message):
    with pytest.raises(error, match=message):
        intervene(text, interventions, game=game)


def test_noise_that_cannot_be_read_is_refused():
    mixed = STG_E.mix(STG_E_OOD, STG_E.named("spurious"), 0.5)
    text = EASY["test_iid"][0]["input"]
    with pytest.raises(ValueError, match="noise behind 'Yellow fingers'"):
        intervene(text, {"Smoking": 9}, game=mixed)
    intervene(text, {"Room size": 9}, game=mixed)  # nothing follows it


def test_ends_are_those_of_the_game():
    easy, spread = factor_ends(STG_E), factor_ends(STG_E_OOD)
    assert spread == dict.fromkeys(STG_E.roles, (1, 10))
    assert easy == {**spread, "Yellow fingers": (1, 15), "Hormones": (0, 5)}
    hard = factor_ends(STG_H)
    assert hard["City Anniversary"] == (1, 100)
    low, high = hard["Coal Dependency"]  # U(10, 50) + N(0, 1.5)
    assert low == pytest.approx(12, abs=0.8)
    assert high == pytest.approx(48, abs=0.8)
    assert factor_ends(STG_H) == hard
