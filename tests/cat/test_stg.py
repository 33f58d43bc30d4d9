"""`cat.stg`: the published files byte for byte, and the causal claims by statistics."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections import Counter
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pytest
from scipy.stats import chi2_contingency, ks_2samp

from cat.scm import CausalModel
from cat.signals import Example, Signal, read_examples, read_records, write_records
from cat.stg import GAMES, STG_E, STG_E_OOD, STG_H, STG_H_OOD, annotate, read_factors, stg_e, stg_h

STG_E_FILES = {
    "train_L": "spurious_token_game_train3",
    "train_M": "spurious_token_game_train3_M",
    "train_S": "spurious_token_game_train3_S",
    "test_iid": "spurious_token_game_test3",
    "test_ood": "spurious_token_game_ood3_2",
}
STG_H_FILES = {"train": "STG_H_train", "test_iid": "STG_H_iid_test", "test_ood": "STG_H_ood_test"}
LABELS = {  # Low, High, Middle; counted in the authors' files
    "train_L": (1049, 545, 6),
    "train_M": (528, 271, 1),
    "train_S": (258, 141, 1),
    "test_iid": (275, 124, 1),
    "test_ood": (266, 134, 0),
}
FOLLOWERS = {  # the published relations, written out again
    "Yellow fingers": ("Smoking", lambda cause: cause * 3 // 2),
    "Clothing size": ("Weight", lambda cause: cause),
    "Hormones": ("Exercise", lambda cause: cause // 2),
}
STG_H_CAUSES = {  # weight in the air quality index, support of the uniform part, sd of the noise
    "Industrial Emissions": (0.3, 30, 70, 2),
    "Vehicle Emissions": (0.25, 20, 60, 2),
    "Coal Dependency": (0.2, 10, 50, 1.5),
    "Agricultural Burning": (0.15, 10, 30, 1),
    "Urban Green Coverage": (-0.2, 40, 80, 3),
    "Meteorological Dispersion": (-0.3, 50, 90, 3),
}
STG_H_FOLLOWERS = {  # slope, cause, sd of the noise, uniform support out of distribution
    "Ice Cream Sales Index": (0.4, "Meteorological Dispersion", 2, (5, 9)),
    "Allergy Complaints Level": (0.2, "Agricultural Burning", 3, (2, 6)),
    "Renewable Stock Index": (1.1, "Industrial Emissions", 1.5, (3, 7)),
    "Public Transport Subscriptions (k)": (0.15, "Vehicle Emissions", 2, (3, 9)),
    "Water Awareness Score": (-0.1, "Urban Green Coverage", 1, (-8, -4)),
}


def values_of(text: str) -> dict[str, float]:
    """The factors of a text, by splitting at its punctuation: no pattern, no list of names."""
    facts: dict[str, float] = {}
    for part in re.split(r", |; |\. | Answer", text):
        name, colon, value = part.partition(": ")
        if colon and value:
            facts[name] = float(re.sub(r"[^\d.-]", "", value).rstrip("."))
    return facts


def columns(records: list[dict[str, Any]]) -> dict[str, np.ndarray]:
    """Every factor's values over a data set."""
    rows = [values_of(record["input"]) for record in records]
    return {name: np.array([row[name] for row in rows]) for name in rows[0]}


def rule_of_stg_e(values: dict[str, float]) -> str:
    """In tenths, so that nothing is rounded: 1.2 s + 0.7 w - e > 7.2."""
    tenths = 12 * values["Smoking"] + 7 * values["Weight"] - 10 * values["Exercise"]
    return "High Risk" if tenths > 72 else "Low Risk"


def air_quality(values: dict[str, float]) -> float:
    raw = sum(weight * values[name] for name, (weight, *_) in STG_H_CAUSES.items())
    return (np.clip(raw, -20, 30) + 20) / 50 * 100


@pytest.fixture(scope="module")
def easy() -> dict[str, list[dict[str, Any]]]:
    return stg_e()


@pytest.fixture(scope="module")
def hard() -> dict[str, list[dict[str, Any]]]:
    return stg_h()


# --- STG_E as published ---------------------------------------------------------------------------


def test_digests_of_the_published_files(
    golden: Path, tmp_path: Path, easy: dict[str, list[dict[str, Any]]]
) -> None:
    digests = json.loads((golden / "stg_e_digests.json").read_text())["42"]
    published = {"train_L": "train3", "test_iid": "test3", "test_ood": "ood3"}
    for name, file in published.items():
        written = write_records(tmp_path / file, easy[name]).read_bytes()
        assert hashlib.sha256(written).hexdigest() == digests[f"spurious_token_game_{file}.jsonl"]


@pytest.mark.parametrize("name", STG_E_FILES)
def test_the_published_files_byte_for_byte(
    name: str, authors_data: Path, tmp_path: Path, easy: dict[str, list[dict[str, Any]]]
) -> None:
    written = write_records(tmp_path / "ours", easy[name]).read_bytes()
    published = (authors_data / "STG" / f"{STG_E_FILES[name]}.jsonl").read_bytes()
    assert written.endswith(b"\n")
    assert written.removesuffix(b"\n") == published.removesuffix(b"\n")  # M and S lack the last one


def test_m_and_s_are_the_first_lines_of_l(easy: dict[str, list[dict[str, Any]]]) -> None:
    assert easy["train_M"] == easy["train_L"][:800]
    assert easy["train_S"] == easy["train_L"][:400]


@pytest.mark.parametrize("name", LABELS)
def test_label_counts(name: str, easy: dict[str, list[dict[str, Any]]]) -> None:
    counts = Counter(record["target"] for record in easy[name])
    assert tuple(counts[f"{level} Risk"] for level in ("Low", "High", "Middle")) == LABELS[name]


def test_the_labels_follow_the_rule(easy: dict[str, list[dict[str, Any]]]) -> None:
    for record in (r for records in easy.values() for r in records):
        values = values_of(record["input"])
        assert len(values) == 8
        if record["target"] != "Middle Risk":
            assert record["target"] == rule_of_stg_e(values)


@pytest.mark.parametrize("name", ["train_L", "test_iid"])
def test_in_distribution_every_row_follows(
    name: str, easy: dict[str, list[dict[str, Any]]]
) -> None:
    factors = columns(easy[name])
    for follower, (cause, equation) in FOLLOWERS.items():
        assert (factors[follower] == equation(factors[cause])).all()


def test_the_signals_are_the_causal_factors(easy: dict[str, list[dict[str, Any]]]) -> None:
    for record in easy["train_L"]:
        ((effect, causes),) = record["important"][0].items()
        assert effect == record["target"]
        stated = [cause for cause in causes if cause in record["input"]]
        assert sorted(cause.split(":")[0] for cause in stated) == ["Exercise", "Smoking", "Weight"]
    assert not any("important" in record for record in easy["test_iid"] + easy["test_ood"])


# --- STG_E's options ------------------------------------------------------------------------------


def test_without_middle_risk_seven_labels_change_and_nothing_else(
    easy: dict[str, list[dict[str, Any]]],
) -> None:
    without = stg_e(middle_risk=False)
    changed = 0
    for name in ("train_L", "test_iid", "test_ood"):
        for ours, theirs in zip(without[name], easy[name], strict=True):
            assert ours["input"] == theirs["input"]
            assert ours["target"] == rule_of_stg_e(values_of(ours["input"]))
            if ours == theirs:
                continue
            changed += 1
            assert (theirs["target"], ours["target"]) == ("Middle Risk", "Low Risk")
            assert {**ours, "target": 0, "important": 0} == {**theirs, "target": 0, "important": 0}
            if "important" in ours:
                assert ours["important"][0]["Low Risk"] == theirs["important"][0]["Middle Risk"]
    assert changed == 7


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_spurious_strength_is_how_often_the_companion_follows(strength: float) -> None:
    splits = stg_e(7, n_train=3000, n_test=1000, spurious_strength=strength)
    for name in ("train_L", "test_iid"):
        factors = columns(splits[name])
        for follower, (cause, equation) in FOLLOWERS.items():
            followed = equation(factors[cause])
            # a companion that is free hits its cause's value by chance, where that is in 1..10
            by_chance = (1 - strength) / 10 * np.isin(followed, range(1, 11)).mean()
            share = (factors[follower] == followed).mean()
            assert share == pytest.approx(strength + by_chance, abs=0.04)  # > 2.5 s.e. at n = 1000


def test_spurious_strength_leaves_ood_alone_and_1_is_the_default() -> None:
    small = {"n_train": 8, "n_test": 8}
    assert stg_e(3, **small) == stg_e(3, **small, spurious_strength=1.0)
    factors = columns(stg_e(3, n_train=8, n_test=500, spurious_strength=0.5)["test_ood"])
    for values in factors.values():
        assert set(values) == set(range(1, 11))


def test_out_of_distribution_all_are_uniform_and_independent(
    easy: dict[str, list[dict[str, Any]]],
) -> None:
    factors = columns(stg_e(11, n_train=4, n_test=3000)["test_ood"])
    for values in factors.values():
        counts = [int((values == value).sum()) for value in range(1, 11)]
        assert sum(counts) == 3000
        assert min(counts) > 225  # 300 expected, sd 16
        assert max(counts) < 375
    assert_independent(factors)
    assert 9 in columns(easy["test_ood"])["Hormones"]
    assert columns(easy["train_L"])["Hormones"].max() == 5


def test_ood_marginals_keep_each_distribution_and_break_the_dependence() -> None:
    splits = stg_e(11, n_train=3000, n_test=3000, ood="marginals")
    iid, ood = columns(splits["test_iid"]), columns(splits["test_ood"])
    for name in iid:
        levels = sorted({*iid[name], *ood[name]})
        table = [
            [int((values == level).sum()) for level in levels] for values in (iid[name], ood[name])
        ]
        assert chi2_contingency(table).pvalue > 1e-3, name
    assert np.abs(np.corrcoef([ood[name] for name in ood])[np.triu_indices(8, 1)]).max() < 0.08
    assert_independent(ood)
    for name, (cause, _) in FOLLOWERS.items():
        assert np.corrcoef(iid[name], iid[cause])[0, 1] > 0.9


def assert_independent(factors: dict[str, np.ndarray]) -> None:
    for name, (cause, _) in FOLLOWERS.items():
        table = np.array(
            [
                [((factors[name] == a) & (factors[cause] == b)).sum() for a in set(factors[name])]
                for b in range(1, 11)
            ]
        )
        assert chi2_contingency(table).pvalue > 1e-3, name


def test_another_seed_gives_other_texts_and_the_same_seed_the_same() -> None:
    small = {"n_train": 8, "n_test": 8}
    assert stg_e(1, **small) == stg_e(1, **small)
    assert stg_e(1, **small) != stg_e(2, **small)


def test_a_seed_leaves_the_global_generator_alone() -> None:
    import random

    before = random.getstate()
    stg_e(1, n_train=8, n_test=8)
    stg_h(1, n_train=8, n_test=8)
    assert random.getstate() == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_train": 3}, "n_train of at least 4, got 3"),
        ({"n_test": 0}, "n_test of at least 1, got 0"),
        ({"spurious_strength": 1.5}, "between 0 and 1, got 1.5"),
        ({"ood": "normal"}, "\"marginals\", got 'normal'"),
    ],
)
def test_refuses_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        stg_e(**settings)
    if "n_train" not in settings:
        with pytest.raises(ValueError, match=message):
            stg_h(**settings)


def test_stg_h_needs_a_text() -> None:
    with pytest.raises(ValueError, match="n_train of at least 1, got 0"):
        stg_h(n_train=0)


# --- interventions on the games -------------------------------------------------------------------


@pytest.mark.parametrize("smoking", range(1, 11))
def test_do_on_a_cause_moves_its_companion_and_the_answer(smoking: int) -> None:
    sample = STG_E.sample(Random(smoking))
    would_be = STG_E.counterfactual(sample, {"Smoking": smoking}).values
    assert would_be["Yellow fingers"] == smoking * 3 // 2
    unchanged = set(would_be) - {"Smoking", "Yellow fingers"}
    assert all(would_be[name] == sample.values[name] for name in unchanged)
    assert STG_E.answer(would_be) == rule_of_stg_e(would_be)


@pytest.mark.parametrize("model", [STG_E, STG_H], ids=lambda model: model.name)
def test_do_on_what_is_not_causal_leaves_the_answer(model: CausalModel) -> None:
    sample = model.sample(Random(5))
    for name, role in model.roles.items():
        if role != "causal":
            forced = model.counterfactual(sample, {name: 999}).values
            assert forced[name] == 999
            assert model.answer(forced) == model.answer(sample.values)


def test_out_of_distribution_do_on_a_cause_moves_nothing_else() -> None:
    for model in (STG_E_OOD, STG_H_OOD):
        sample = model.sample(Random(5))
        for cause in model.named("causal"):
            forced = model.counterfactual(sample, {cause: 1}).values
            assert forced == {**sample.values, cause: 1}


def test_a_partly_spurious_companion_follows_only_where_it_did() -> None:
    """The counterfactual keeps the coin as well: a companion that was free stays as it is."""
    model = STG_E.mix(STG_E_OOD, STG_E.named("spurious"), 0.5)
    followed, stayed = 0, 0
    rng = Random(0)
    for _ in range(300):
        sample = model.sample(rng)
        values = model.counterfactual(sample, {"Weight": 77}).values
        followed += values["Clothing size"] == 77
        stayed += values["Clothing size"] == sample.values["Clothing size"]
    assert followed + stayed == 300
    assert 110 < followed < 190


# --- STG_H ----------------------------------------------------------------------------------------


def shape_of(text: str) -> str:
    """A text with its numbers taken out, decimals kept apart from whole numbers."""
    return re.sub(r"\d+", "9", re.sub(r"-(?=\d)", "", text))


@pytest.mark.parametrize("name", STG_H_FILES)
def test_stg_h_has_the_published_format(
    name: str, authors_data: Path, hard: dict[str, list[dict[str, Any]]]
) -> None:
    theirs = [r for _, r in read_records(authors_data / "STG_H" / f"{STG_H_FILES[name]}.jsonl")]
    ours = hard[name]
    assert len(ours) == len(theirs)
    assert {tuple(record) for record in ours} == {tuple(record) for record in theirs}
    assert {shape_of(r["input"]) for r in ours} == {shape_of(r["input"]) for r in theirs}
    assert {type(r["target"]) for r in ours} == {type(r["target"]) for r in theirs} == {int}
    for record in (*ours, *theirs):
        (signal,) = record["important"]
        ((effect, causes),) = signal.items()
        assert effect == f"Answer: {record['target']}"
        shown = values_of(record["input"])
        assert [float(cause.rstrip("%")) for cause in causes] == [shown[n] for n in STG_H_CAUSES]


@pytest.mark.parametrize("name", STG_H_FILES)
def test_stg_h_labels_follow_the_rule_on_shown_values(
    name: str, authors_data: Path, hard: dict[str, list[dict[str, Any]]]
) -> None:
    """The labels were made from unrounded values: theirs and ours agree within 1."""
    theirs = [r for _, r in read_records(authors_data / "STG_H" / f"{STG_H_FILES[name]}.jsonl")]
    for records in (theirs, hard[name]):
        errors = [abs(air_quality(values_of(r["input"])) - r["target"]) for r in records]
        assert max(errors) <= 1
        shown = [STG_H.answer(values_of(r["input"])) for r in records]
        assert max(abs(a - r["target"]) for a, r in zip(shown, records, strict=True)) <= 1


@pytest.mark.parametrize("name", STG_H_FILES)
def test_stg_h_has_the_published_distribution(
    name: str, authors_data: Path, hard: dict[str, list[dict[str, Any]]]
) -> None:
    theirs = [r for _, r in read_records(authors_data / "STG_H" / f"{STG_H_FILES[name]}.jsonl")]
    ours_by_name, theirs_by_name = columns(hard[name]), columns(theirs)
    assert list(ours_by_name) == list(theirs_by_name)
    for factor, values in ours_by_name.items():
        assert ks_2samp(values, theirs_by_name[factor]).pvalue > 1e-4, factor
    targets = ([r["target"] for r in records] for records in (hard[name], theirs))
    assert ks_2samp(*targets).pvalue > 1e-4


def test_stg_h_relations_in_distribution(hard: dict[str, list[dict[str, Any]]]) -> None:
    factors = columns(hard["train"])
    for name, (_, low, high, sd) in STG_H_CAUSES.items():
        values = factors[name]
        assert values.mean() == pytest.approx((low + high) / 2, abs=1)
        outside = ((values < low) | (values > high)).mean()  # which only the noise brings about
        expected = 2 * sd / math.sqrt(2 * math.pi) / (high - low)
        assert outside == pytest.approx(expected, abs=4 * math.sqrt(expected / len(values)))
    for name, (slope, cause, sd, _) in STG_H_FOLLOWERS.items():
        noise = factors[name] - slope * factors[cause]
        assert noise.mean() == pytest.approx(0, abs=0.25)
        assert noise.std() == pytest.approx(sd, abs=0.15)


def test_stg_h_out_of_distribution_supports(hard: dict[str, list[dict[str, Any]]]) -> None:
    factors = columns(hard["test_ood"])
    iid = columns(hard["train"])
    for name, (_, cause, _, (low, high)) in STG_H_FOLLOWERS.items():
        values = factors[name]
        assert values.min() >= low
        assert values.max() <= high
        assert values.max() - values.min() > 0.95 * (high - low)
        assert abs(np.corrcoef(values, factors[cause])[0, 1]) < 0.13  # 4 standard errors
        if name in ("Ice Cream Sales Index", "Renewable Stock Index"):
            assert values.max() < iid[name].min()  # the support shifts as well
    for cause in STG_H_CAUSES:
        assert ks_2samp(factors[cause], iid[cause]).pvalue > 1e-4


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_stg_h_spurious_strength(strength: float) -> None:
    factors = columns(stg_h(3, n_train=3000, n_test=1, spurious_strength=strength)["train"])
    full = columns(stg_h(3, n_train=3000, n_test=1)["train"])
    for name, (_, cause, _, _) in STG_H_FOLLOWERS.items():
        follows = np.corrcoef(factors[name], factors[cause])[0, 1]
        assert follows == pytest.approx(
            strength * np.corrcoef(full[name], full[cause])[0, 1], abs=0.1
        )
        assert ks_2samp(factors[name], full[name]).pvalue > 1e-4  # whatever the strength


def test_stg_h_marginals() -> None:
    splits = stg_h(3, n_train=1, n_test=3000, ood="marginals")
    iid, ood = columns(splits["test_iid"]), columns(splits["test_ood"])
    for name, (_, cause, _, _) in STG_H_FOLLOWERS.items():
        assert ks_2samp(iid[name], ood[name]).pvalue > 1e-4
        assert abs(np.corrcoef(ood[name], ood[cause])[0, 1]) < 0.08


def test_stg_h_is_seeded() -> None:
    small = {"n_train": 8, "n_test": 8}
    assert stg_h(1, **small) == stg_h(1, **small)
    assert stg_h(1, **small) != stg_h(2, **small)
    assert stg_h(42, **small) == stg_h(**small)


# --- reading texts --------------------------------------------------------------------------------


@pytest.mark.parametrize("game", ["STG", "STG_H"])
def test_read_factors_on_all_the_authors_texts(game: str, authors_data: Path) -> None:
    files = sorted((authors_data / game).glob("*.jsonl"))
    assert len(files) == {"STG": 5, "STG_H": 3}[game]
    for file in files:
        for _, record in read_records(file):
            read = read_factors(record["input"])
            assert read is not None
            model, factors = read
            assert model is {"STG": STG_E, "STG_H": STG_H}[game]
            assert {n: value for n, (value, _) in factors.items()} == values_of(record["input"])
            for name, (value, span) in factors.items():
                shown = record["input"][span.start : span.end]
                assert shown.startswith(f"{name}: ")
                assert float(re.sub(r"(%|th|Mbps)$", "", shown.split(": ")[1])) == value


def test_other_texts_are_of_no_game(authors_data: Path) -> None:
    for file in ("MAWPS/mawps_train", "ARC_E/ARC_E_train", "GSM8k/gsm8k_val", "SVAMP/svamp_train"):
        for example in read_examples(authors_data / f"{file}.jsonl"):
            assert read_factors(example.text) is None
            assert annotate(example) is example


def test_read_factors_wants_all_factors_whole(easy: dict[str, list[dict[str, Any]]]) -> None:
    text = easy["test_iid"][0]["input"]
    assert read_factors(text) is not None
    for spoilt in (
        text.replace("Weight: ", "Weight "),
        text.replace("Weight: ", "Heavyweight: "),
        text.replace("Smoking: ", "Smoking: x"),
        re.sub(r"Hormones: \d+", r"\g<0>kg", text),
    ):
        assert read_factors(spoilt) is None


@pytest.mark.parametrize("make", [stg_e, stg_h])
def test_annotate_names_every_factor_in_the_order_of_the_text(make: Any) -> None:
    for records in make(5, n_train=20, n_test=20).values():
        for record in records:
            example = annotate(Example.from_record(record))
            read = read_factors(record["input"])
            assert read is not None
            model = read[0]
            assert {role.name: role.role for role in example.roles} == model.roles
            spans = [role.span for role in example.roles]
            assert spans == sorted(spans)
            for role in example.roles:
                phrase = example.full_text[role.span.start : role.span.end]
                assert phrase.startswith(role.name)
            given = Example.from_record(record).signals
            causes = tuple(role.span for role in example.roles if role.role == "causal")
            assert example.signals == (given or (Signal(example.answer_span, causes),))


def test_annotate_without_an_answer_gives_roles_and_no_signal() -> None:
    example = annotate(Example(stg_e(n_train=4, n_test=1)["test_iid"][0]["input"], ""))
    assert len(example.roles) == 8
    assert example.signals == ()


def test_games_pairs_share_their_causes() -> None:
    for name, (iid, ood) in GAMES.items():
        assert iid.name == name
        assert iid.roles == ood.roles
        assert all(iid[cause] == ood[cause] for cause in iid.named("causal"))
