"""`cat.annotate.checking`: what is kept finds its place in the text, the rest is told."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cat.alignment import align, align_all
from cat.annotate.checking import Checked, CheckReport, Fault, check, spellings
from cat.annotate.relations import Relation
from cat.signals import Example, Signal, find_phrase, read_examples
from tests.cat.alignment_kit import byte_level_digits, character

FIGS = Example("Ben had 12 figs, ate 4 and gave 4 away. How many are left? Answer: ", "4")


def said(**causes: Iterable[str]) -> list[Relation]:
    return [Relation(effect, tuple(of)) for effect, of in causes.items()]


def reasons(example: Example, *relations: Relation) -> list[str]:
    return [fault.reason for fault in check(example, relations).faults]


# --- finding a phrase -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phrase", "found"),
    [
        ("Ben had 12 figs", "12 figs", ("12 figs",)),
        ("Ben had 12 figs", "  12 figs\n", ("12 figs",)),
        ("Ben had 12 figs", "ben HAD", ("Ben had",)),
        ("Ben  had\n 12 figs", "ben had 12", ("Ben  had\n 12",)),
        ("Figs, figs, FIGS", "fIGS", ("Figs", "figs", "FIGS")),
        ("Figs, figs, FIGS", "figs", ("figs",)),  # as it stands before anything like it
        ("Tim 's cat paid $ 5 .", "Tim's cat paid $5.", ("Tim 's cat paid $ 5 .",)),
        ("Tim's cat paid $5.", "Tim 's cat paid $ 5 .", ("Tim's cat paid $5.",)),
        ("Janet’s “ducks” – 1–2", 'Janet\'s "ducks" - 1-2', ("Janet’s “ducks” – 1–2",)),
        ("Janet's", "Janet’s", ("Janet's",)),
        ("100 - 40=60", "100-40 = 60", ("100 - 40=60",)),
        ("a\u00a0fig", "a fig", ("a\u00a0fig",)),
        ("6, 760 and 3", "6,760", ()),  # another number
        ("6,760 miles", "6, 760 miles", ()),
        ("3. 5 figs", "3.5 figs", ()),
        ("twelve figs", "figs twelve", ()),
        ("figsteak", "FIGS", ()),  # a word is not cut
        ("15.0", "5.0", ()),
        ("schoolbus", "school bus", ()),
        ("school bus", "schoolbus", ()),
        ("school bus", "school-bus", ()),
        ("İzmir has 5 figs", "5 FIGS", ("5 figs",)),  # a letter that is two in lower case
        ("a fig", "", ()),
        ("a fig", " ", ()),
        ("a fig", "a fig that is longer than the text", ()),
    ],
)
def test_how_a_phrase_stands_in_a_text(text: str, phrase: str, found: tuple[str, ...]) -> None:
    assert spellings(text, phrase) == found
    assert all(find_phrase(text, likeness) for likeness in found)


# --- pairs ----------------------------------------------------------------------------------------


def test_kept_pairs_are_written_as_they_stand() -> None:
    checked = check(FIGS, said(**{"4": ["12  FIGS", "ate 4", "12 figs"]}))
    assert checked == Checked((Signal("4", ("12 figs", "ate 4")),), ())


def test_rejected_pairs_are_told_with_what_the_assistant_wrote() -> None:
    relations = said(**{"4": ["13 figs", "ate 4"], "5": ["Plums", "Ate 4"], "Ben": ["ate 4"]})
    checked = check(FIGS, relations)
    assert checked.signals == (Signal("4", ("ate 4",)),)
    assert checked.faults == (
        Fault("absent", "4", "13 figs", ("13 figs",)),
        Fault("absent", "5", "Plums", ("5", "Plums")),
        Fault("absent", "5", "Ate 4", ("5",)),
        Fault("order", "Ben", "ate 4"),
    )


@pytest.mark.parametrize(
    ("text", "effect", "cause", "kept"),
    [
        ("a b", "b", "a", True),
        ("b a", "b", "a", False),
        ("b a b", "b", "a", True),  # one of its places is enough
        ("a b", "a b", "a", False),  # the cause is inside
        ("a b c", "b c", "a b", False),  # they overlap
        ("a a", "a", "a", True),  # what is written again
        ("a", "a", "a", False),
        ("$50", "50", "$", True),  # side by side
        ("b A b", "b", "a", True),
        ("c B a b", "B", "a", False),  # as it stands: not the other b
    ],
)
def test_the_order_of_a_pair(text: str, effect: str, cause: str, kept: bool) -> None:
    checked = check(Example(text, ""), [Relation(effect, (cause,))])
    assert bool(checked.signals) == kept
    assert [fault.reason for fault in checked.faults] == ([] if kept else ["order"])


def test_a_likeness_that_is_in_order_is_taken() -> None:
    """Neither stands as written; only one likeness of each is in order with the other."""
    text = Example("Plums: 3. FIGS: 4. PLUMS or Figs?", "")
    assert check(text, [Relation("plums", ("figs",))]).signals == (Signal("PLUMS", ("FIGS",)),)


# --- the answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("effect", "covered"),
    [("4", True), ("Answer: 4", True), ("Answer", False), ("gave 4", False), ("left?", False)],
)
def test_an_effect_must_be_in_the_answer(effect: str, covered: bool) -> None:
    found = reasons(FIGS, Relation(effect, ("12 figs",)))
    assert found == ([] if covered else ["answer not covered"])


def test_the_place_in_the_answer_needs_its_cause_before_it() -> None:
    example = Example("figs 8 plums Answer:", "8 pears")
    assert reasons(example, Relation("8", ("plums",))) == []
    assert reasons(example, Relation("8", ("pears",))) == ["order", "answer not covered"]


def test_of_a_solution_the_result_must_be_covered() -> None:
    example = Example("Ben had 12 figs and ate 4. Answer:", "12-4=<<12-4=8>>8 figs\n#### 8")
    assert reasons(example, Relation("12-4", ("12 figs", "ate 4"))) == ["answer not covered"]
    assert reasons(example, Relation("8 figs", ("12-4",))) == ["answer not covered"]
    for effect, cause in (("8", "12-4"), ("#### 8", "8 figs"), ("####", "8 figs")):
        assert reasons(example, Relation(effect, (cause,))) == []


def test_the_mark_of_a_result_counts_in_the_answer_only() -> None:
    example = Example("#### Ben had 12 figs. Answer:", "12")
    assert reasons(example, Relation("figs", ("Ben",))) == ["answer not covered"]
    assert reasons(example, Relation("12", ("Ben",))) == []


@pytest.mark.parametrize("relations", [[], said(**{"4": []}), said(**{"nowhere": []})])
def test_no_relations(relations: list[Relation]) -> None:
    assert check(FIGS, relations) == Checked((), (Fault("no relations"),))


def test_a_text_without_an_answer_needs_no_cover() -> None:
    assert reasons(Example("Ben had figs", ""), Relation("figs", ("Ben",))) == []


# --- what is kept always aligns -------------------------------------------------------------------

WORDS = [
    "figs",
    "Figs",
    "$",
    "5",
    "15",
    "1,500",
    "2.5",
    "'s",
    "-",
    ",",
    "=",
    "a",
    "Ben",
    "####",
    "8",
]


def random_text(rng: Random) -> str:
    return "".join(
        rng.choice(WORDS) + rng.choice(["", " ", " ", " ", "  ", "\n"])
        for _ in range(rng.randint(3, 25))
    )


def random_phrase(rng: Random, text: str) -> str:
    """Mostly a piece of the text, often with another case or other spaces."""
    pieces = [match.span() for match in re.finditer(r"\w+|[^\w\s]+", text)]
    first = rng.randrange(len(pieces))
    last = min(first + rng.choice([0, 0, 1, 2]), len(pieces) - 1)
    piece = text[pieces[first][0] : pieces[last][1]]
    changed: list[str] = [
        piece,
        piece,
        piece.upper(),
        piece.replace(" ", "  "),
        "".join(piece.split()),
    ]
    return rng.choice([*changed, rng.choice(WORDS)])


def test_random_pairs_are_kept_just_when_they_align() -> None:
    """With characters for tokens, an order of characters is an order of tokens."""
    rng = Random(6)
    tokenizer = character([*WORDS, " \n"])
    seen: Counter[str] = Counter()
    for _ in range(400):
        example = Example("x " + random_text(rng), random_text(rng).strip())
        text = example.full_text
        for _ in range(4):
            relation = Relation(random_phrase(rng, text), (random_phrase(rng, text),))
            checked = check(example, [relation])
            kept = align(Example(example.text, example.answer, checked.signals), tokenizer).pairs
            assert [pair.outcome for pair in kept] == ["aligned"] * len(checked.signals)
            faults = [fault for fault in checked.faults if fault.reason in ("absent", "order")]
            assert len(kept) + len(faults) == 1  # a pair is either of them
            stands = [find_phrase(text, phrase) for phrase in (relation.effect, *relation.causes)]
            if all(stands):  # as written: then the alignment's own verdict
                signals = (Signal(relation.effect, relation.causes),)
                pairs = align(Example(example.text, example.answer, signals), tokenizer).pairs
                assert (pairs[0].outcome == "aligned") == bool(kept)
                assert (pairs[0].outcome == "order broken") == bool(faults)
                seen["as written", bool(kept)] += 1
            else:
                seen["likeness", bool(kept)] += 1
    assert len(seen) == 4
    assert min(seen.values()) > 90


ANNOTATED = {  # pairs absent as they are written, by the likenesses too, and out of order (percent)
    "ARC_E/ARC_E_train": (2.9, 2.5, 10.8),
    "ASDiv/merged_asdiv": (2.7, 2.4, 4.6),
    "GSM8k/gsm8k_val": (9.4, 8.8, 11.6),
    "MAWPS/mawps_train": (6.9, 1.4, 9.7),
    "MAWPS/mawps_train_gpt4o": (1.9, 1.1, 5.0),
    "SVAMP/svamp_train": (2.5, 0.6, 7.2),
    "STG_H/STG_H_iid_test": (0.0, 0.0, 0.0),
}


def rechecked(example: Example) -> Checked:
    """As if an assistant had just said what the file says."""
    causes = [(str(s.effect), tuple(str(cause) for cause in s.causes)) for s in example.signals]
    return check(example, [Relation(*one) for one in causes])


def assert_faults_are_found_and_all_else_aligns(
    file: str, examples: Sequence[Example], tokenizer: Any, within: float
) -> None:
    checked = [rechecked(example) for example in examples]
    pairs = {(n, s.effect, c) for n, e in enumerate(examples) for s in e.signals for c in s.causes}
    nowhere = sum(
        not all(find_phrase(examples[n].full_text, str(phrase)) for phrase in phrases)
        for n, *phrases in pairs
    )
    shares = CheckReport.of(checked).shares
    found = (nowhere / len(pairs), shares["absent"] or 0, shares["order"] or 0)
    assert [100 * share for share in found] == pytest.approx(ANNOTATED[file], abs=within)

    kept = [
        Example(example.text, example.answer, one.signals)
        for example, one in zip(examples, checked, strict=True)
    ]
    report = align_all(kept, tokenizer)[1]
    assert report.outcomes["aligned"] == report.pairs > 0


@pytest.mark.parametrize("file", ANNOTATED)
def test_the_authors_annotations(file: str, authors_data: Path) -> None:
    examples = read_examples(authors_data / f"{file}.jsonl")[::8]
    tokenizer = byte_level_digits(example.full_text for example in examples)  # as SmolLM2's
    assert_faults_are_found_and_all_else_aligns(file, examples, tokenizer, within=2)


@pytest.mark.slow
@pytest.mark.parametrize("file", ANNOTATED)
def test_all_of_the_authors_annotations(file: str, authors_data: Path) -> None:
    from cat.models import load_tokenizer
    from cat.smollm2 import fetch_smollm2

    fetch_smollm2()
    examples = read_examples(authors_data / f"{file}.jsonl")
    tokenizer = load_tokenizer("smollm2")
    assert_faults_are_found_and_all_else_aligns(file, examples, tokenizer, within=0.06)


# --- records and rates ----------------------------------------------------------------------------


def test_a_checked_text_comes_back_from_its_record() -> None:
    checked = check(FIGS, said(**{"Answer": ["12 figs", "plums"], "Ben": ["ate 4"]}))
    assert [fault.reason for fault in checked.faults] == ["absent", "order", "answer not covered"]
    record: dict[str, Any] = {
        "important": [{signal.effect: list(signal.causes)} for signal in checked.signals],
        "faults": [fault.to_dict() for fault in checked.faults],
    }
    assert record["faults"][0] == {
        "reason": "absent",
        "effect": "Answer",
        "cause": "plums",
        "missing": ["plums"],
    }
    assert record["faults"][2] == {"reason": "answer not covered"}
    assert Checked.from_record(record) == checked
    assert Checked.from_record({}) == Checked((), ())


def test_rates_over_texts() -> None:
    report = CheckReport.of(
        [
            check(FIGS, said(**{"4": ["12 figs", "ate 4", "plums"]})),
            check(FIGS, said(**{"Ben": ["ate 4"]})),
            check(FIGS, []),
            check(FIGS, said(**{"4": ["12 figs"]})),
        ]
    )
    assert (report.texts, report.pairs, report.kept) == (4, 5, 3)
    assert report.shares == {
        "absent": 1 / 5,
        "order": 1 / 5,
        "answer not covered": 1 / 4,
        "no relations": 1 / 4,
    }
    assert report.to_dict()["rejected"] == {"absent": 1, "order": 1}
    lines = str(report).splitlines()
    assert lines[0] == "5 pairs of a cause and an effect, 3 kept; rejected:"
    assert lines[1].split()[:4] == ["1", "20.0%", "absent:", "the"]
    assert lines[3] == "4 texts; lacking:"


def test_rates_over_nothing() -> None:
    report = CheckReport.of([])
    assert set(report.shares.values()) == {None}
    assert "-  absent" in str(report)
