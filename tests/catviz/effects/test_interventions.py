"""Effects: of models that answer by known rules they are known; of the game's own rule, true."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from cat.intervene import factor_ends, intervene
from cat.own_game import BEACH, OwnGame
from cat.signals import Example
from cat.stg import STG_E, STG_E_OOD, STG_H, annotate, read_factors, stg_e, stg_h
from catviz.effects.interventions import average_effects, dose_response
from catviz.effects.plain import PlainModel
from catviz.effects.questions import score_answers
from catviz.effects.steering import steered
from catviz.lens import AttentionLens, CannotEditError
from tests.catviz.effects.rule_models import SURE, digit_model, risk_model

PAIR = ("High Risk", "Low Risk")
EASY, HARD = stg_e(), stg_h(3, n_train=1, n_test=2)
RULE = risk_model(lambda v: 1.2 * v["Smoking"] + 0.7 * v["Weight"] - v["Exercise"] > 7.2)


@pytest.fixture(scope="module")
def ood():
    return [annotate(Example.from_record(r)) for r in EASY["test_ood"][:40]]


@pytest.fixture(scope="module")
def iid():
    return [annotate(Example.from_record(r)) for r in EASY["test_iid"][:40]]


def by_factor(effects):
    return {effect.factor: effect for effect in effects}


def share_high(texts, **changed) -> float:
    """How many of the texts the rule calls "High Risk", counted by hand."""
    found = []
    for text in texts:
        v = {n: int(x) for n, x in re.findall(r"([A-Z][a-z ]+): (\d+)", text.text)} | changed
        found.append(1.2 * v["Smoking"] + 0.7 * v["Weight"] - v["Exercise"] > 7.2)
    return float(np.mean(found))


def test_a_model_that_knows_the_rule_has_the_true_effects(ood):
    effects = average_effects(RULE, ood)
    assert [effect.factor for effect in effects] == list(STG_E.roles)
    assert {e.factor: e.role for e in effects} == STG_E.roles
    for effect in effects:
        assert effect.effect == pytest.approx(effect.true, abs=1e-9)
        wanted = 0.0
        if effect.role == "causal":
            wanted = share_high(ood, **{effect.factor: 10}) - share_high(ood, **{effect.factor: 1})
        assert effect.true == pytest.approx(wanted)
        assert effect.log_odds.mean == pytest.approx(2 * SURE * wanted, abs=1e-6)
        assert (effect.unit, effect.texts) == ("probability of High Risk", 40)
    true = {e.factor: e.true for e in effects}
    assert true["Smoking"] > true["Weight"] > 0.2 > -0.2 > true["Exercise"]


def test_a_model_that_reads_a_companion_is_found_out(ood):
    fooled = risk_model(lambda v: v["Yellow fingers"] > 6)
    effects = by_factor(average_effects(fooled, ood))
    assert effects["Yellow fingers"].effect == pytest.approx(1.0)
    assert effects["Yellow fingers"].true == 0.0
    others = [e.effect for name, e in effects.items() if name != "Yellow fingers"]
    assert np.abs(others).max() < 1e-9
    assert effects["Smoking"].true > 0.5


def test_in_the_world_companions_follow_so_the_same_model_seems_right(iid):
    fooled = risk_model(lambda v: v["Yellow fingers"] > 6)
    effects = by_factor(average_effects(fooled, iid, game=STG_E))
    assert effects["Smoking"].effect == pytest.approx(1.0)
    assert effects["Weight"].effect == pytest.approx(0.0)
    assert effects["Yellow fingers"].true == 0.0


def test_effects_equal_texts_written_and_asked_one_by_one(iid):
    model = PlainModel.load("tiny/plain")
    for game in (STG_E, STG_E_OOD):
        effect = average_effects(
            model, iid, game=game, factors=["Exercise"], ends={"Exercise": (2, 9)}
        )[0]
        changes, logs = [], []
        for text in iid:
            two = [intervene(text, {"Exercise": value}, game=game).text for value in (2, 9)]
            scores = [score_answers(model, [one], PAIR) for one in two]
            changes.append(scores[1].shares[0, 0] - scores[0].shares[0, 0])
            logs.append(scores[1].log_odds("High Risk")[0] - scores[0].log_odds("High Risk")[0])
        assert effect.effect == pytest.approx(np.mean(changes), abs=1e-6)
        assert effect.log_odds.mean == pytest.approx(np.mean(logs), abs=1e-5)
        half = 2.0226908 * np.std(changes, ddof=1) / np.sqrt(40)  # Student's t, 39 degrees
        assert effect.high - effect.effect == pytest.approx(half, rel=1e-4)
        assert (effect.start, effect.end) == (2, 9)


def test_training_with_causes_takes_the_companions_effect_away(ood):
    """Measured on 400 texts: Yellow fingers 0.50 and 0.12, Smoking 0.48 and 0.76 (true 0.80)."""
    plain, tuned = (
        by_factor(average_effects(PlainModel.load(f"tiny/{name}"), ood))
        for name in ("plain", "alpha-10")
    )
    for name in STG_E.named("spurious"):
        assert abs(tuned[name].effect) < abs(plain[name].effect) / 2
    for name in STG_E.named("causal"):
        assert abs(tuned[name].effect - tuned[name].true) < abs(
            plain[name].effect - plain[name].true
        )


def test_a_steered_model_has_effects_of_its_own(ood):
    lens = AttentionLens.load("tiny/plain")
    factors = STG_E.named("spurious")
    plain = average_effects(lens, ood, factors=factors)
    edited = average_effects(lens, ood, factors=factors, edit=steered(1e4))
    for before, after in zip(plain, edited, strict=True):
        assert abs(after.effect) < abs(before.effect) / 4
    with pytest.raises(CannotEditError):
        average_effects(PlainModel.load("tiny/plain"), ood[:2], edit=steered(10))


def test_ranges_are_those_that_training_shows(ood):
    effects = by_factor(average_effects(RULE, ood[:3]))
    assert {n: (e.start, e.end) for n, e in effects.items()} == factor_ends(STG_E)
    wide = average_effects(RULE, ood[:3], ends=factor_ends(STG_E_OOD))
    assert {(e.start, e.end) for e in wide} == {(1, 10)}


def test_batches_change_nothing(ood):
    model = PlainModel.load("tiny/plain")
    one = average_effects(model, ood[:5], factors=["Weight"], batch_size=1)[0]
    many = average_effects(model, ood[:5], factors=["Weight"], batch_size=50)[0]
    assert one.effect == pytest.approx(many.effect, abs=1e-6)


def test_prompts_alone_will_do(ood):
    as_texts = average_effects(RULE, [example.text for example in ood[:5]])
    assert as_texts == average_effects(RULE, ood[:5])


def test_rows_are_plain_mappings(ood):
    row = average_effects(RULE, ood[:1])[0].to_dict()
    assert {"model", "factor", "role", "effect", "low", "high", "true"} <= row.keys()
    assert row["low"] is None, "one text has no interval"
    assert all(isinstance(value, str | float | int | None) for value in row.values())


# ------------------------------------------------------------------------------ dose and response


def test_doses_of_the_rule_are_counted_by_hand(ood):
    doses = dose_response(RULE, ood, "Smoking")
    assert [dose.value for dose in doses] == list(range(1, 11))
    for dose in doses:
        assert dose.true == pytest.approx(share_high(ood, Smoking=dose.value))
        assert dose.outcome == pytest.approx(dose.true, abs=1e-9)
        assert (dose.role, dose.texts) == ("causal", 40)


def test_the_ends_of_the_doses_are_the_average_effect(ood):
    model = PlainModel.load("tiny/plain")
    doses = dose_response(model, ood, "Hormones", [0, 5])
    effect = average_effects(model, ood, factors=["Hormones"])[0]
    assert doses[1].outcome - doses[0].outcome == pytest.approx(effect.effect, abs=1e-9)
    assert doses[0].low < doses[0].outcome < doses[0].high


def test_steps_of_a_wide_range_are_ten(ood):
    assert [d.value for d in dose_response(RULE, ood[:2], "Yellow fingers")] == [
        1, 3, 4, 6, 7, 9, 10, 12, 13, 15,
    ]  # fmt: skip


# ------------------------------------------------------------------------------ numeric answers


def index_of(prompt: str) -> str:
    """STG_H's rule on the shown values, written out again."""
    value = {n: float(x) for n, x in re.findall(r"([A-Z][\w ()]+): (-?[\d.]*\d)", prompt)}
    raw = (
        0.3 * value["Industrial Emissions"]
        + 0.25 * value["Vehicle Emissions"]
        + 0.2 * value["Coal Dependency"]
        + 0.15 * value["Agricultural Burning"]
        - 0.2 * value["Urban Green Coverage"]
        - 0.3 * value["Meteorological Dispersion"]
    )
    return str(round(2 * (20 + min(max(raw, -20), 30))))


def test_a_model_that_computes_the_index_has_the_true_effects():
    """Digit by digit: the answers 0 to 100 begin one another."""
    effects = average_effects(
        digit_model(index_of),
        [record["input"] for record in HARD["test_iid"]],
        factors=["Coal Dependency", "Urban Green Coverage", "Renewable Stock Index"],
    )
    for effect in effects:
        assert effect.effect == pytest.approx(effect.true, abs=1e-6)
        assert (effect.unit, effect.log_odds) == ("expected air quality index", None)
    assert (effects[0].start, effects[0].end) == factor_ends(STG_H)["Coal Dependency"]
    # 0.2 an index point and unit, times two; rounded at both ends.
    assert effects[0].true == pytest.approx(0.4 * (effects[0].end - effects[0].start), abs=1)
    assert effects[1].true < -5
    assert effects[2].true == 0


# ------------------------------------------------------------------------------ bad input


@pytest.mark.parametrize(
    ("texts", "options", "error", "message"),
    [
        ([], {}, ValueError, "at least one text"),
        (["How many apples? Answer: "], {}, ValueError, "expected texts of STG_E or STG_H"),
        (
            [EASY["test_ood"][0]["input"], HARD["test_iid"][0]["input"]],
            {},
            ValueError,
            "texts of one game",
        ),
        (None, {"factors": ["Age"]}, KeyError, "no variable 'Age'"),
        (None, {"factors": []}, ValueError, "at least one factor"),
        (None, {"ends": {"Age": (1, 2)}}, KeyError, "no variable 'Age'"),
        (None, {"ends": {"Smoking": (1, 40)}}, ValueError, "values that the tokenizer knows"),
        (None, {"ends": {"Smoking": (1, 2.5)}}, ValueError, "a whole number"),
        (None, {"game": STG_H}, ValueError, "the texts' game, got STG_H"),
        ([HARD["test_iid"][0]["input"]], {}, ValueError, "answers that the tokenizer knows"),
    ],
)
def test_bad_requests_say_what_was_expected(texts, options, error, message):
    texts = [EASY["test_ood"][0]["input"]] if texts is None else texts
    with pytest.raises(error, match=message):
        average_effects(RULE, texts, **options)


def test_bad_doses_say_what_was_expected(ood):
    with pytest.raises(KeyError, match="no variable 'Age'"):
        dose_response(RULE, ood[:1], "Age")
    with pytest.raises(ValueError, match="at least one factor and value"):
        dose_response(RULE, ood[:1], "Smoking", [])


def test_a_game_of_ones_own():
    game = replace(BEACH, train_texts=1, test_texts=12)
    texts = game.splits()["test_ood"]
    iid, ood = game.models
    model, tokenizer = game.fresh_model()
    found = average_effects(PlainModel(model, tokenizer, "fresh"), texts, game=ood)
    assert [effect.factor for effect in found] == list(ood.roles)
    assert {effect.unit for effect in found} == {"probability of Busy"}
    for effect in found:
        answers = [
            [ood.answer({**values_of(game, text), effect.factor: end}) == "Busy" for text in texts]
            for end in (effect.start, effect.end)
        ]
        assert effect.true == pytest.approx((sum(answers[1]) - sum(answers[0])) / 12)
    world = average_effects(
        PlainModel(model, tokenizer, "fresh"), texts, game=iid, factors=["Heat"]
    )
    assert world[0].true == found[0].true
    assert world[0].effect != found[0].effect, "there the ice cream follows"


def values_of(game: OwnGame, text: Example) -> dict[str, int]:
    read = read_factors(text.text, game.models[0])
    assert read is not None
    return {name: int(value) for name, (value, _) in read[1].items()}


def test_texts_of_another_game_than_ones_own():
    with pytest.raises(ValueError, match="expected texts of A day at the beach"):
        average_effects(None, [EASY["test_ood"][0]["input"]], game=BEACH.models[0])
    nameless, texts = replace(BEACH.models[0], answers=()), BEACH.splits()["test_ood"][:1]
    with pytest.raises(ValueError, match="names its answers"):
        average_effects(None, texts, game=nameless)
