"""A game of one's own: texts read back by naive means, and every refusal."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from random import Random
from typing import Any

import pytest
import torch

from cat.alignment import align_all
from cat.intervene import intervene
from cat.own_game import BEACH, Factor, GameError, OwnGame, answer_shares
from cat.scm import CausalModel
from cat.signals import Example
from cat.tiny import tiny_tokenizer

SUN = Factor("Sun", "causal", 0, 9, weight=1)
WATER = Factor("Water", "causal", 0, 9, weight=0.5, follows="Sun", slope=-1, offset=9)
HATS = Factor("Hats", "spurious", 0, 30, follows="Sun", slope=3)
SHOPS = Factor("Hat shops", "spurious", 2, 5, follows="Hats", slope=0.2)
FOLLOWING_EACH_OTHER = OwnGame(
    name="Plant",
    question="A plant, 1.5 m high, <b>outside</b>. Will it flower?",
    factors=(SHOPS, HATS, WATER, SUN, Factor("Cars", "irrelevant", -3, 3)),
    threshold=6.7,
    answers=("It will", "It will not"),
    train_texts=300,
    test_texts=300,
)
SMALL = replace(BEACH, train_texts=200, test_texts=200)


def numbers_in(game: OwnGame, text: str) -> dict[str, int]:
    """By splitting at the commas and colons."""
    facts = text.removeprefix(game.question).removesuffix(" Answer: ")
    return {name.strip(): int(value) for name, value in (f.split(":") for f in facts.split(","))}


def every_text(game: OwnGame) -> list[Example]:
    return [example for examples in game.splits().values() for example in examples]


def test_texts_read_back_give_the_answer_of_the_rule() -> None:
    for example in every_text(SMALL):
        numbers = numbers_in(SMALL, example.text)
        busy = numbers["Heat"] + numbers["Waves"] - numbers["Lifeguards"] / 2 > 9
        assert example.answer == ("Busy" if busy else "Quiet")
    for example in every_text(FOLLOWING_EACH_OTHER):
        numbers = numbers_in(FOLLOWING_EACH_OTHER, example.text)
        flowers = numbers["Sun"] + numbers["Water"] / 2 > 6.7
        assert example.answer == ("It will" if flowers else "It will not")


@pytest.mark.parametrize("game", [SMALL, FOLLOWING_EACH_OTHER])
def test_spans_are_the_factors_and_their_roles(game: OwnGame) -> None:
    roles = {factor.name: factor.role for factor in game.factors}
    for example in every_text(game):
        text = example.full_text
        told = {role.name: text[role.span.start : role.span.end] for role in example.roles}
        numbers = numbers_in(game, example.text)
        assert told == {name: f"{name}: {value}" for name, value in numbers.items()}
        assert {role.name: role.role for role in example.roles} == roles
        (signal,) = example.signals
        assert text[signal.effect.start : signal.effect.end] == example.answer
        causes = {text[span.start : span.end] for span in signal.causes}
        assert causes == {told[name] for name, role in roles.items() if role == "causal"}


def test_factors_come_in_random_order_and_within_their_ends() -> None:
    first = Counter(next(iter(numbers_in(SMALL, e.text))) for e in every_text(SMALL))
    assert set(first) == {factor.name for factor in SMALL.factors}
    assert max(first.values()) < 2 * min(first.values())
    for example in every_text(FOLLOWING_EACH_OTHER):
        numbers = numbers_in(FOLLOWING_EACH_OTHER, example.text)
        for factor in FOLLOWING_EACH_OTHER.factors:
            assert factor.lowest <= numbers[factor.name] <= factor.highest


@pytest.mark.parametrize("ratio", [0.0, 0.3, 0.85, 1.0])
def test_companions_follow_at_the_ratio(ratio: float) -> None:
    splits = replace(BEACH, spurious_ratio=ratio, test_texts=10).splits()
    rows = [numbers_in(BEACH, example.text) for example in splits["train"]]
    follows = sum(row["Surfers"] == row["Waves"] for row in rows) / len(rows)
    expected = ratio + (1 - ratio) / 10  # by chance, where it does not follow
    assert follows == pytest.approx(expected, abs=4 * 0.5 / len(rows) ** 0.5)
    assert ratio < 1 or follows == 1


def test_a_ratio_of_0_leaves_no_arrow_to_companions() -> None:
    iid, _ = replace(BEACH, spurious_ratio=0.0).models
    assert iid.edges == ()


def test_causes_and_companions_follow_over_several_steps() -> None:
    splits = FOLLOWING_EACH_OTHER.splits()
    for name, examples in splits.items():
        rows = [numbers_in(FOLLOWING_EACH_OTHER, example.text) for example in examples]
        assert all(row["Water"] == 9 - row["Sun"] for row in rows), "causes do so everywhere"
        if name != "test_ood":
            assert all(row["Hats"] == 3 * row["Sun"] for row in rows)
            nearest = [min(max(int(0.2 * row["Hats"] + 0.5), 2), 5) for row in rows]
            assert [row["Hat shops"] for row in rows] == nearest


def correlation(rows: list[dict[str, int]], one: str, other: str) -> float:
    values = torch.tensor([[row[one], row[other]] for row in rows], dtype=torch.float64)
    return float(torch.corrcoef(values.T)[0, 1])


@pytest.mark.parametrize("ood", ["uniform", "marginals"])
def test_out_of_distribution_companions_are_independent(ood: Any) -> None:
    game = replace(FOLLOWING_EACH_OTHER, ood=ood, test_texts=2000)
    rows = [numbers_in(game, example.text) for example in game.splits()["test_ood"]]
    for one, other in (("Hats", "Sun"), ("Hat shops", "Sun"), ("Hats", "Hat shops")):
        assert abs(correlation(rows, one, other)) < 0.1
    hats = {row["Hats"] for row in rows}
    assert hats == (set(range(31)) if ood == "uniform" else set(range(0, 30, 3)))


def test_the_same_seed_gives_the_same_texts_and_tests_do_not_depend_on_training() -> None:
    splits, fewer = SMALL.splits(), replace(SMALL, train_texts=7).splits()
    assert splits == SMALL.splits()
    assert len(fewer["train"]) == 7
    assert fewer["test_iid"] == splits["test_iid"]
    assert fewer["test_ood"] == splits["test_ood"]
    assert replace(SMALL, seed=43).splits() != splits


def test_rounding_does_not_move_the_threshold() -> None:
    """0.1 + 0.2 is above 0.3 for floats; for the class it is not."""
    causes = (Factor("A", "causal", 1, 2, weight=0.1), Factor("B", "causal", 1, 2, weight=0.2))
    game = OwnGame("Sums", "More?", causes, 0.3, ("More", "Not more"))
    assert game.example({"A": 1, "B": 1}, ["A", "B"]).answer == "Not more"


def test_the_rule_in_words() -> None:
    iid, _ = FOLLOWING_EACH_OTHER.models
    assert iid.rule == "It will when 0.5 Water + Sun > 6.7, else It will not"
    assert iid.equations["Water"] == "-Sun + 9, within 0..9"
    assert BEACH.models[0].rule == "Busy when Heat + Waves - 0.5 Lifeguards > 9, else Quiet"


def test_do_follows_the_arrows() -> None:
    iid, ood = FOLLOWING_EACH_OTHER.models
    forced = iid.do({"Sun": 9}).sample(Random(0)).values
    assert (forced["Water"], forced["Hats"], forced["Hat shops"]) == (0, 27, 5)
    forced = iid.do({"Hats": 0}).sample(Random(0)).values
    assert forced["Hat shops"] == 2
    assert forced["Sun"] == iid.sample(Random(0)).values["Sun"]
    text = FOLLOWING_EACH_OTHER.splits()["test_iid"][0]
    for game, hats in ((iid, 27), (ood, numbers_in(FOLLOWING_EACH_OTHER, text.text)["Hats"])):
        new = intervene(text, {"Sun": 9}, game=game)
        numbers = numbers_in(FOLLOWING_EACH_OTHER, new.text)
        assert (numbers["Sun"], numbers["Hats"], new.answer) == (9, hats, "It will")
        assert len(new.roles) == 5


def test_a_tokenizer_for_the_game_knows_each_factor_as_one_token() -> None:
    for game in (SMALL, FOLLOWING_EACH_OTHER):
        _, tokenizer = game.fresh_model()
        aligned, report = align_all(every_text(game)[:50], tokenizer)
        for item in aligned:
            factors = [
                item.example.full_text[r.span.start : r.span.end] for r in item.example.roles
            ]
            tokens = tokenizer.convert_ids_to_tokens(item.input_ids)
            assert [token for token in tokens if ": " in token] == factors
            assert tokens[-2:] == [item.example.answer, "<eos>"]
            assert tokenizer.unk_token_id not in item.input_ids
            assert item.causes.sum() == len(item.example.signals[0].causes)
        assert "0 " in str(report) or len(aligned) == 50


def test_the_harder_twin_reads_the_game_too() -> None:
    tokenizer = tiny_tokenizer("tiny-word", words=SMALL.words)
    for example in every_text(SMALL)[:20]:
        ids = tokenizer(example.full_text)["input_ids"]
        assert tokenizer.unk_token_id not in ids


def test_fresh_models_are_alike_and_fit_their_tokenizer() -> None:
    (one, tokenizer), (other, _) = SMALL.fresh_model(), SMALL.fresh_model()
    assert one.config.vocab_size == len(tokenizer.get_vocab())
    for name, weights in one.state_dict().items():
        assert torch.equal(weights, other.state_dict()[name])


# ----------------------------------------------------------------------------- files


@pytest.mark.parametrize("game", [BEACH, FOLLOWING_EACH_OTHER])
def test_a_game_survives_saving(game: OwnGame, tmp_path: Path) -> None:
    path = game.save(tmp_path / "game.json")
    assert OwnGame.load(path) == game
    assert game.save(path) == path, "a game may be saved again"
    assert [file.name for file in tmp_path.iterdir()] == ["game.json"]


def test_only_games_are_overwritten(tmp_path: Path) -> None:
    other = tmp_path / "package.json"
    other.write_text('{"name": "not a game"}')
    with pytest.raises(ValueError, match="holds no game"):
        BEACH.save(other)
    assert other.read_text() == '{"name": "not a game"}'
    with pytest.raises(ValueError, match=r"ends in \.json"):
        BEACH.save(tmp_path / "notebook.ipynb")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "broken file"),
        ('{"name": "cut', "broken file"),
        ("[1, 2]", "expected a game as a JSON object, got list"),
        ('{"name": "A"}', "missing: answers, factors, question, threshold"),
        (json.dumps({**asdict(BEACH), "colour": 1}), "unknown: colour"),
        (json.dumps({**asdict(BEACH), "factors": 3}), "factors: expected a list"),
        (json.dumps({**asdict(BEACH), "factors": [3]}), "expected a factor as a JSON object"),
        (json.dumps({**asdict(BEACH), "factors": [{"name": "A"}]}), "missing: role"),
        (json.dumps({**asdict(BEACH), "answers": "Busy"}), "answers: expected two"),
        (json.dumps({**asdict(BEACH), "threshold": "9"}), "threshold: expected a number"),
        (json.dumps({**asdict(BEACH), "seed": 1.5}), "seed: expected a whole number"),
        (json.dumps({**asdict(BEACH), "ood": ["uniform"]}), "ood: expected one of"),
        (json.dumps({**asdict(BEACH), "question": None}), "question: expected a text"),
    ],
)
def test_files_that_hold_no_game(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "game.json"
    path.write_text(content)
    with pytest.raises(ValueError, match=message):
        OwnGame.load(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no such file"):
        OwnGame.load(tmp_path / "none.json")
    with pytest.raises(ValueError, match="no such file"):
        OwnGame.load(tmp_path)


# ----------------------------------------------------------------------------- refusals


def with_factor(row: int, **changed: Any) -> OwnGame:
    factors = list(BEACH.factors)
    factors[row - 1] = replace(factors[row - 1], **changed)
    return replace(BEACH, factors=tuple(factors))


@pytest.mark.parametrize(
    ("row", "changed", "field", "message"),
    [
        (2, {"name": "Heat"}, "name", "'Heat' is the name of factor 1 already"),
        (2, {"name": "HEAT"}, "name", "is the name of factor 1 already"),
        (2, {"name": "Sea heat"}, "name", "cannot be told apart"),
        (4, {"name": "Heat"}, "name", "already"),
        (1, {"name": ""}, "name", "expected a text"),
        (1, {"name": "  "}, "name", "expected a text"),
        (1, {"name": " Heat"}, "name", "without spaces at its ends"),
        (1, {"name": "He\nat"}, "name", "expected one line"),
        (1, {"name": "x" * 41}, "name", "at most 40 letters"),
        (1, {"name": 7}, "name", "expected a text, got 7"),
        (6, {"name": "Dogs 2"}, "name", "no digit at its end"),
        (6, {"name": "Dogs²"}, "name", "no digit at its end"),
        (6, {"name": "Dogs, cats"}, "name", "no comma"),
        (6, {"name": "Dogs: big"}, "name", "no comma and no colon"),
        (6, {"name": "Answer"}, "name", "choose another"),
        (6, {"name": "My answer"}, "name", "choose another"),
        (6, {"name": "<pad> dogs"}, "name", "without '<pad>'"),
        (6, {"role": "other"}, "role", "expected one of"),
        (6, {"lowest": 10}, "highest", "above the lowest, 10, got 10"),
        (6, {"lowest": 11}, "highest", "wrong way round"),
        (6, {"lowest": 1.5}, "lowest", "a whole number"),
        (6, {"highest": True}, "highest", "a whole number"),
        (6, {"highest": 101}, "highest", "at most 100 values, 1 to 100"),
        (6, {"highest": 10**9}, "highest", "from -10000 to 10000"),
        (1, {"weight": 0}, "weight", "other than 0"),
        (1, {"weight": float("nan")}, "weight", "expected a number"),
        (1, {"weight": "much"}, "weight", "expected a number"),
        (6, {"weight": 2}, "weight", "expected 0"),
        (5, {"follows": ""}, "follows", "companion of nothing"),
        (5, {"follows": "Nobody"}, "follows", "expected a cause or a companion"),
        (5, {"follows": "Dogs"}, "follows", "expected a cause or a companion"),
        (1, {"follows": "Surfers"}, "follows", "expected a cause"),
        (6, {"follows": "Heat"}, "follows", "expected nothing"),
        (1, {"follows": "Heat"}, "follows", "'Heat' follows 'Heat'"),
        (5, {"follows": "Surfers"}, "follows", "expected no circle"),
        (5, {"slope": 0}, "slope", "would always be 1"),
        (5, {"offset": 100}, "slope", "would always be 10"),
    ],
)
def test_factors_that_cannot_be(row: int, changed: Any, field: str, message: str) -> None:
    with pytest.raises(GameError, match=message) as caught:
        with_factor(row, **changed)
    assert caught.value.field == field
    if "circle" not in message:
        assert caught.value.factor == row
    assert str(caught.value).startswith(f"factor {caught.value.factor}, {field}: ")


def test_a_circle_of_several() -> None:
    causes = list(BEACH.factors)
    for row, follows in ((0, "Waves"), (1, "Lifeguards"), (2, "Heat")):
        causes[row] = replace(causes[row], follows=follows)
    with pytest.raises(GameError, match="'Heat' follows 'Waves' follows 'Lifeguards' follows") as e:
        replace(BEACH, factors=tuple(causes))
    assert (e.value.factor, e.value.field) == (1, "follows")


@pytest.mark.parametrize(
    ("changed", "field", "message"),
    [
        ({"name": ""}, "name", "expected a text"),
        ({"question": " "}, "question", "expected a text"),
        ({"question": "Two\nlines?"}, "question", "expected one line"),
        ({"question": "If Heat: 5, then?"}, "question", "expected no 'Heat:' in it"),
        ({"answers": ("Busy", "busy")}, "answers", "two different ones"),
        ({"answers": ("Busy", "")}, "answers", "expected a text"),
        ({"answers": ("Busy", "So, so")}, "answers", "no comma"),
        ({"answers": ("Busy",)}, "answers", "expected two"),
        ({"factors": ()}, "factors", "expected 1 to 16, got 0"),
        ({"factors": BEACH.factors[5:]}, "factors", "at least one cause"),
        ({"threshold": float("inf")}, "threshold", "expected a number"),
        ({"spurious_ratio": 1.2}, "spurious_ratio", "expected 0 to 1, got 1.2"),
        ({"spurious_ratio": -0.1}, "spurious_ratio", "expected 0 to 1"),
        ({"ood": "other"}, "ood", "expected one of"),
        ({"train_texts": 0}, "train_texts", "from 1 to 10000, got 0"),
        ({"test_texts": 10**6}, "test_texts", "from 1 to 10000"),
        ({"seed": -1}, "seed", "a whole number from 0"),
    ],
)
def test_games_that_cannot_be(changed: Any, field: str, message: str) -> None:
    with pytest.raises(GameError, match=message) as caught:
        replace(BEACH, **changed)
    assert (caught.value.field, caught.value.factor) == (field, None)


@pytest.mark.parametrize(("threshold", "shares"), [(100, "0%.*100%"), (-50, "100%.*0%")])
def test_a_rule_that_is_always_the_same_is_refused_with_a_better_threshold(
    threshold: float, shares: str
) -> None:
    with pytest.raises(GameError, match=shares) as caught:
        replace(BEACH, threshold=threshold)
    assert caught.value.field == "threshold"
    suggested = re.search(r"Try (-?[\d.]+): 'Busy' in (\d+)%", str(caught.value))
    assert suggested is not None
    better = answer_shares(replace(BEACH, threshold=float(suggested[1])).splits()["train"])
    assert better["Busy"] == pytest.approx(0.5, abs=0.07)
    assert better["Busy"] == pytest.approx(int(suggested[2]) / 100, abs=0.05)


def test_the_suggested_threshold_lies_between_two_sums() -> None:
    small = replace(BEACH, factors=(Factor("A", "causal", 0, 1, weight=0.01),), threshold=0.005)
    with pytest.raises(GameError, match=r"Try 0: 'Busy' in (4|5)\d%"):
        replace(small, threshold=5)
    replace(small, threshold=0)


def test_a_rule_that_is_nearly_always_the_same_is_refused_too() -> None:
    with pytest.raises(GameError, match=r"at least 10% .* 'Busy' comes in [1-9]% of them"):
        replace(BEACH, threshold=16)


def test_causes_that_cancel_out() -> None:
    factors = (SUN, replace(SUN, name="Shade", follows="Sun", weight=-1))
    with pytest.raises(GameError, match="always add up to 0, change a weight"):
        OwnGame("Nil", "More?", factors, 3, ("More", "Less"))


def test_markup_stays_text() -> None:
    game = with_factor(6, name="<script>alert(1)</script>")
    example = game.splits()["train"][0]
    assert "<script>alert(1)</script>: " in example.text
    assert game.models[0].roles["<script>alert(1)</script>"] == "irrelevant"


def test_models_are_causal_models_that_know_their_answers() -> None:
    for model in BEACH.models:
        assert isinstance(model, CausalModel)
        assert model.answers == ("Busy", "Quiet")
