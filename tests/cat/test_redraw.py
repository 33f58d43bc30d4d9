"""`cat.redraw`: what changes in a text, what does not, and where things stand afterwards."""

from __future__ import annotations

from collections import Counter

import pytest

from cat.alignment import align_all
from cat.game_words import WORDS
from cat.own_game import BEACH
from cat.redraw import redraw, values_as_written
from cat.signals import Example, RoleSpan, Signal, Span
from cat.stg import STG_E, STG_H, annotate, read_factors, stg_e, stg_h
from cat.tiny import tiny_tokenizer

TEXTS = {
    "STG_E": [annotate(Example.from_record(r)) for r in stg_e()["test_iid"]],
    "STG_H": [annotate(Example.from_record(r)) for r in stg_h(n_train=100, n_test=1)["train"]],
}
GAMES = {"STG_E": STG_E, "STG_H": STG_H}
both = pytest.mark.parametrize("game", list(GAMES))


def values(example: Example) -> dict[str, float]:
    read = read_factors(example.text)
    assert read is not None
    return {name: value for name, (value, _) in read[1].items()}


@both
@pytest.mark.parametrize("role", ["causal", "spurious", "irrelevant"])
def test_only_the_factors_of_the_role_change(game: str, role: str) -> None:
    old = TEXTS[game]
    new = redraw(old, (role,), seed=1)  # type: ignore[arg-type]
    moved = {
        name
        for before, after in zip(old, new, strict=True)
        for name, value in values(after).items()
        if value != values(before)[name]
    }
    assert moved == {*GAMES[game].named(role)}  # type: ignore[arg-type]
    assert [e.answer for e in new] == [e.answer for e in old]
    # What is no factor stays, letter by letter.
    for before, after in zip(old, new, strict=True):
        rest = [before.text, after.text]
        for name, written in values_as_written([before]).items():
            rest[0] = rest[0].replace(written[0], name, 1)
            rest[1] = rest[1].replace(values_as_written([after])[name][0], name, 1)
        assert rest[0] == rest[1]


@both
def test_places_are_those_of_a_text_read_anew(game: str) -> None:
    for example in redraw(TEXTS[game], ("spurious", "irrelevant"), seed=2):
        assert example.roles == annotate(Example(example.text, example.answer)).roles


def test_a_factor_keeps_its_values_and_loses_its_cause() -> None:
    old = TEXTS["STG_E"]
    new = redraw(old, ("spurious",), seed=3)
    counts = [Counter(values(e)["Clothing size"] for e in texts) for texts in (old, new)]
    assert set(counts[1]) == set(counts[0])
    assert sum((counts[0] - counts[1]).values()) < 60  # of 400, drawn with replacement
    follows = [
        sum(values(e)["Clothing size"] == values(e)["Weight"] for e in t) for t in (old, new)
    ]
    assert follows[0] == 400
    assert 15 < follows[1] < 80  # 40 are expected
    both_follow = sum(
        values(e)["Clothing size"] == values(e)["Weight"]
        and values(e)["Hormones"] == values(e)["Exercise"] // 2
        for e in new
    )
    assert both_follow < 25  # each on its own: 8 are expected


def test_the_rule_gives_the_new_answer() -> None:
    for game, model in GAMES.items():
        for example in redraw(TEXTS[game], ("causal",), seed=4, game=model):
            assert example.answer == str(model.answer(values(example)))
            (signal,) = example.signals
            assert signal.effect == example.answer_span
            assert [example.full_text[s.start : s.end] for s in signal.causes] == [  # type: ignore
                values_as_written([example])[name][0]
                for name in sorted(model.named("causal"), key=example.text.index)
            ]


@both
def test_no_cause_is_lost(game: str) -> None:
    tokenizer = tiny_tokenizer(words=WORDS[game])
    for roles in (("spurious",), ("causal",), ("causal", "irrelevant")):
        _, report = align_all(redraw(TEXTS[game][:50], roles, seed=5), tokenizer)  # type: ignore
        assert report.pairs == report.outcomes["aligned"] > 0


def test_the_seed_and_nothing_else_decides() -> None:
    old = TEXTS["STG_E"][:20]
    assert redraw(old, ("spurious",), seed=6) == redraw(old, ("spurious",), seed=6)
    assert redraw(old, ("spurious",), seed=6) != redraw(old, ("spurious",), seed=7)


def test_values_may_come_from_elsewhere() -> None:
    given = {name: [f"{name}: 7"] for name in STG_E.named("spurious")}
    for example in redraw(TEXTS["STG_E"][:5], ("spurious",), seed=0, values=given):
        assert {values(example)[name] for name in given} == {7.0}
    with pytest.raises(ValueError, match=r"values to draw '.*' from, got \['Hormones'\]"):
        redraw(TEXTS["STG_E"][:5], ("spurious",), seed=0, values={"Hormones": ["Hormones: 1"]})


def test_places_of_signals_move_and_phrases_stay() -> None:
    text = "Wind: 10, Rain: 3, Sun: 1 Answer:"
    roles = (
        RoleSpan(Span(0, 8), "Wind", "spurious"),
        RoleSpan(Span(10, 17), "Rain", "causal"),
    )
    effect = Example(text, "wet").answer_span
    example = Example(text, "wet", (Signal(effect, (Span(10, 17), "Sun: 1")),), roles)
    (new,) = redraw([example], ("spurious",), seed=0, values={"Wind": ["Wind: 5"]})
    assert new.text == "Wind: 5, Rain: 3, Sun: 1 Answer:"
    assert new.signals == (Signal(new.answer_span, (Span(9, 16), "Sun: 1")),)
    assert [role.span for role in new.roles] == [Span(0, 7), Span(9, 16)]


def test_a_game_of_ones_own() -> None:
    old = BEACH.splits()["test_ood"][:30]
    game = BEACH.models[0]
    new = redraw(old, ("causal",), seed=0, game=game)
    for example in new:
        read = read_factors(example.text, game)
        assert read is not None
        assert example.answer == game.answer({name: v for name, (v, _) in read[1].items()})
    assert any(one.answer != other.answer for one, other in zip(old, new, strict=True))


def test_what_cannot_be_redrawn() -> None:
    bare = Example("What is two and two?", "4")
    with pytest.raises(ValueError, match="text 1: expected a factor that is spurious, got no rol"):
        redraw([TEXTS["STG_E"][0], bare], ("spurious",), seed=0)
    with pytest.raises(ValueError, match="expected a text of STG_H with all its factors"):
        redraw(TEXTS["STG_E"][:1], ("causal",), seed=0, game=STG_H)
