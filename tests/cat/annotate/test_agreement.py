"""Agreement of two annotators, beside a count of every cell by hand."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from cat.annotate.agreement import MEASURES, Agreement, agreement
from cat.models import tiny_tokenizer
from cat.signals import Example, Signal, find_phrase, read_examples

WORDS = ["ann", "bob", "cut", "dug", "eat", "fig", "gem", "hat", "ink", "jam"]


def annotated(rng: random.Random, text: str) -> Example:
    """Up to three relations between words of the text, in order or not."""
    words = text.split()
    signals = tuple(
        Signal(rng.choice([*words, "yes"]), tuple(rng.sample(words, rng.randint(1, 3))))
        for _ in range(rng.randint(1, 3))
    )
    return Example(text, "yes", signals)


def two_annotations(seed: int, texts: int = 6) -> tuple[list[Example], list[Example]]:
    rng = random.Random(seed)
    words = [" ".join(rng.sample(WORDS, rng.randint(4, 8))) for _ in range(texts)]
    return [annotated(rng, text) for text in words], [annotated(rng, text) for text in words]


def naive_cells(example: Example) -> set[tuple[int, int]]:
    """Over characters: (row, key) by the definition, each letter a token."""
    text = example.full_text
    return {
        (row, key)
        for signal in example.signals
        for cause in signal.causes
        for e in find_phrase(text, str(signal.effect))
        for c in find_phrase(text, str(cause))
        if c.end <= e.start
        for row in range(e.start - 1, e.end - 1)
        for key in range(c.start, c.end)
    }


def naive_measures(pairs: list[tuple[Example, Example]]) -> dict[str, float]:
    """From the 2 x 2 table of every visible cell of every text."""
    table = {(a, b): 0 for a in (True, False) for b in (True, False)}
    for one, other in pairs:
        first, second = naive_cells(one), naive_cells(other)
        for row in range(len(one.full_text) - 1):
            for key in range(row + 1):
                table[(row, key) in first, (row, key) in second] += 1
    both, first_only = table[True, True], table[True, False]
    second_only, neither = table[False, True], table[False, False]
    n = sum(table.values())
    observed = (both + neither) / n
    expected = sum(
        (table[a, True] + table[a, False]) / n * (table[True, a] + table[False, a]) / n
        for a in (True, False)
    )
    return {
        "precision": both / (both + second_only),
        "recall": both / (both + first_only),
        "f1": both / (both + (first_only + second_only) / 2),
        "jaccard": both / (both + first_only + second_only),
        "kappa": (observed - expected) / (1 - expected),
    }


@pytest.mark.parametrize("seed", range(4))
def test_cells_are_those_of_a_count_by_hand(seed: int) -> None:
    ones, others = two_annotations(seed)
    found = agreement(ones, others)
    for name, value in naive_measures(list(zip(ones, others, strict=True))).items():
        assert found.pooled[name].value == pytest.approx(value)
    for text, one, other in zip(found.texts, ones, others, strict=True):
        if naive_cells(one) & naive_cells(other):
            for name, value in naive_measures([(one, other)]).items():
                assert text.measures[name] == pytest.approx(value)
    defined = [t.measures["f1"] for t in found.texts if not math.isnan(t.measures["f1"])]
    assert found.per_text["f1"].value == pytest.approx(sum(defined) / len(defined))


def test_kappa_of_a_table_worked_out_on_paper() -> None:
    # "a b c": 5 characters, 10 cells. One: c from a and from b; the other: c from a.
    # Table: both 1, first only 1, other only 0, neither 8: observed 0.9, expected
    # 0.2 * 0.1 + 0.8 * 0.9 = 0.74, kappa 0.16 / 0.26.
    first = [Example("a b", "c", (Signal("c", ("a", "b")),))]
    second = [Example("a b", "c", (Signal("c", ("a",)),))]
    found = agreement(first, second)
    assert found.texts[0].visible == 10
    assert found.pooled["kappa"].value == pytest.approx(0.16 / 0.26)
    assert found.pooled["same causes of same effects"].value == 0.5


def test_tokens_count_as_tokens() -> None:
    text = "Smoking: 8, Weight: 4, Exercise: 2 Answer: "
    first = Example(text, "High Risk", (Signal("High Risk", ("Smoking: 8", "Weight: 4")),))
    second = Example(text, "High Risk", (Signal("High Risk", ("Smoking: 8",)),))
    found = agreement([first], [second], tiny_tokenizer())
    (counts,) = found.texts
    assert (counts.both, counts.one_only, counts.other_only) == (1, 1, 0)
    assert counts.visible == 10  # five tokens
    assert "compared over tokens" in str(found)


def test_who_is_first_changes_only_precision_and_recall() -> None:
    ones, others = two_annotations(5)
    there, back = agreement(ones, others).pooled, agreement(others, ones).pooled
    for name in MEASURES:
        mirrored = {"precision": "recall", "recall": "precision"}.get(name, name)
        assert there[name].value == back[mirrored].value  # type: ignore[index]
    same = agreement(ones, ones)
    assert {one.value for one in same.pooled.values()} == {1.0}


def test_phrases_are_the_same_without_case_and_spaces() -> None:
    text = "Ann has 2 pens. Answer: "
    first = Example(text, "2", (Signal("2 pens", ("Ann has",)), Signal("2", ("Ann",))))
    second = Example(text, "2", (Signal("2  Pens", ("ann HAS", "Ann")),))
    (counts,) = agreement([first], [second]).texts
    assert (counts.effects_both, counts.effects_any) == (1, 2)
    assert (counts.causes_both, counts.causes_any) == (1, 2)


def test_texts_of_one_annotator_only_are_counted_and_left_out() -> None:
    def one(text: str, *signals: Signal) -> Example:
        return Example(text, "c", signals)

    signal = Signal("c", ("a",))
    first = [one("a b", signal), one("a d", signal), one("a e"), one("a f"), one("a g", signal)]
    second = [one("a f"), one("a e", signal), one("a d"), one("a b", signal), one("a h", signal)]
    found = agreement(first, second)
    assert [text.text for text in found.texts] == ["a b c"]
    assert found.pooled["f1"].value == 1
    assert (found.only_in_one, found.only_in_other) == (1, 1)
    assert (found.annotated_by_one_only, found.annotated_by_other_only) == (1, 1)
    assert found.annotated_by_neither == 1
    assert "left out: 1 that neither annotated" in str(found)
    assert found.to_dict()["annotated_by_neither"] == 1
    with pytest.raises(ValueError, match="texts that both annotated, got none: 5 texts"):
        agreement(first, [one("quite another", signal)])


def test_a_text_that_stands_twice_is_compared_occurrence_by_occurrence() -> None:
    def example(*causes: str) -> Example:
        return Example("a b", "c", (Signal("c", causes),))

    found = agreement([example("a"), example("b")], [example("a"), example("b"), example("a")])
    assert found.pooled["f1"].value == 1
    assert (len(found.texts), found.only_in_other) == (2, 1)


def test_the_interval_is_over_texts() -> None:
    # One text agrees, one does not: a resample has both (half of them), or one twice.
    def example(answer: str, cause: str) -> Example:
        return Example("a b", answer, (Signal(answer, (cause,)),))

    found = agreement(
        [example("c", "a"), example("d", "a")], [example("c", "a"), example("d", "b")]
    )
    for estimate in (found.pooled["recall"], found.per_text["jaccard"]):
        assert estimate.value == 0.5
        assert (estimate.interval.low, estimate.interval.high) == (0.0, 1.0)
    alone = agreement([example("c", "a")], [example("c", "b")])
    assert alone.pooled["recall"].interval.low is None


def test_more_texts_narrow_the_interval_and_a_seed_repeats_it() -> None:
    def width(found: Agreement) -> float:
        interval = found.pooled["f1"].interval
        assert interval.low is not None
        assert interval.high is not None
        assert interval.low <= found.pooled["f1"].value <= interval.high
        return interval.high - interval.low

    ones, others = two_annotations(1, 8)
    few, many = agreement(ones, others), agreement(ones * 16, others * 16)
    assert width(many) < width(few) / 2  # a quarter, where the few were many
    assert str(agreement(ones, others)) == str(few)
    assert json.dumps(few.to_dict(), allow_nan=False)


def test_nothing_shared_to_measure_is_undefined_not_zero() -> None:
    absent = [Example("a b", "c", (Signal("c", ("z",)),))]
    found = agreement(absent, absent)
    assert math.isnan(found.pooled["f1"].value)
    assert found.to_dict()["pooled"]["f1"] == [None, None, None]
    assert "undefined" in str(found)


def test_the_authors_two_assistants(authors_data: Path, tmp_path: Path) -> None:
    files = {}
    for name in ("mawps_train", "mawps_train_gpt4o"):
        lines = (authors_data / "MAWPS" / f"{name}.jsonl").read_text("utf-8").splitlines()[:150]
        files[name] = tmp_path / f"{name}.jsonl"
        files[name].write_text("\n".join(lines), encoding="utf-8")
    glm, gpt = map(read_examples, files.values())
    empty = sum(not example.signals for example in glm)
    found = agreement(glm, gpt)
    assert empty > 0
    assert found.annotated_by_other_only == empty
    assert len(found.texts) == 150 - empty
    assert 0.2 < found.pooled["kappa"].value < 0.6
