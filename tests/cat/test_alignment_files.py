"""`cat.alignment` on every annotated file of the authors, with tokenizers of every kind.

The oracle asks for each character which tokens hold it, and walks over all pairs of occurrences.
The tokenizers are trained here, on the texts themselves.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from cat.alignment import Aligned, AlignmentReport, Pair, align, align_all
from cat.id_search import lost_by_id_search
from cat.signals import Example, Signal, Span, find_phrase, read_examples
from cat.stg import annotate, stg_e, stg_h
from cat.tiny import tiny_tokenizer
from tests.cat.alignment_kit import COARSE, FINE, cells_of, of_words

ANNOTATED = (
    "ARC_E/ARC_E_train",
    "ASDiv/merged_asdiv",
    "GSM8k/gsm8k_val",
    "MAWPS/mawps_ood",
    "MAWPS/mawps_train",
    "MAWPS/mawps_train_gpt4o",
    "MAWPS/mawps_val",
    "STG/spurious_token_game_train3",
    "STG/spurious_token_game_train3_M",
    "STG/spurious_token_game_train3_S",
    "STG_H/STG_H_iid_test",
    "STG_H/STG_H_ood_test",
    "STG_H/STG_H_train",
    "SVAMP/svamp_ood",
    "SVAMP/svamp_train",
    "SVAMP/svamp_val",
)
Data = Mapping[str, Sequence[Example]]


@pytest.fixture(scope="module")
def data(authors_data: Path) -> Data:
    return {name: read_examples(authors_data / f"{name}.jsonl") for name in ANNOTATED}


@pytest.fixture(scope="module")
def tokenizer_named(data: Data) -> Callable[[str], Any]:
    """Trains each kind once, on every twentieth text."""

    @functools.cache
    def make(name: str) -> Any:
        texts = [example.full_text for examples in data.values() for example in examples[::20]]
        return {**FINE, **COARSE}[name](texts)

    return make


# --- the oracle -----------------------------------------------------------------------------------


def by_characters(example: Example, aligned: Aligned) -> tuple[list[str], set[tuple[int, int]]]:
    """(outcomes, cells (row, key)) of a whole text, from the tokens that hold each character."""
    holders: list[set[int]] = [set() for _ in example.full_text]
    for token in range(len(aligned.offsets)):
        for character in characters_of(aligned, token):
            holders[character].add(token)

    def tokens(span: Span) -> set[int]:
        return set().union(*holders[span.start : span.end])

    outcomes, all_cells = [], set()
    for signal in example.signals:
        for cause_phrase in signal.causes:
            effects = find_phrase(example.full_text, str(signal.effect))
            causes = find_phrase(example.full_text, str(cause_phrase))
            cells, in_order, apart = set(), False, False
            for effect in effects:
                for cause in causes:
                    if cause.end > effect.start:
                        continue
                    in_order = True
                    for token in tokens(effect):
                        for key in tokens(cause):
                            apart = True
                            row = token - 1
                            if key <= row:
                                cells.add((row, key))
            all_cells |= cells
            if not (effects and causes):
                outcomes.append("phrase absent")
            elif not in_order:
                outcomes.append("order broken")
            elif cells:
                outcomes.append("aligned")
            else:
                outcomes.append("one token" if apart else "no token")
    return outcomes, all_cells


def characters_of(aligned: Aligned, token: int) -> range:
    """A lone space whose offsets were trimmed away lies just before them."""
    start, end = aligned.offsets[token]
    trimmed = start == end and aligned.example.full_text[:end].endswith(" ")
    return range(start - trimmed, end)


def lost(report: AlignmentReport) -> int:
    return report.alignable - report.outcomes["aligned"]


# --- the authors' files ---------------------------------------------------------------------------


def test_no_annotated_file_is_left_out(authors_data: Path, data: Data) -> None:
    for file in authors_data.glob("*/*.jsonl"):
        if str(file.relative_to(authors_data).with_suffix("")) not in data:
            assert not any(example.signals for example in read_examples(file)), file
    assert all(any(example.signals for example in examples) for examples in data.values())


@pytest.mark.parametrize("file", ANNOTATED)
def test_no_alignable_pair_of_a_whole_file_is_lost(
    file: str, data: Data, tokenizer_named: Callable[[str], Any]
) -> None:
    """Each file with one kind in turn; all kinds on all files is the slow test below."""
    kinds = [kind for kind in FINE if kind != "character"]  # 700 tokens a text: see below
    tokenizer = tokenizer_named(kinds[ANNOTATED.index(file) % len(kinds)])
    aligned, report = align_all(data[file], tokenizer)
    assert lost(report) == 0
    assert report.texts == len(data[file])
    assert report.pairs == sum(len(s.causes) for e in data[file] for s in e.signals)
    assert report.outcomes["aligned"] > 0.75 * report.pairs
    assert report.rows == sum(len(item.rows) for item in aligned)
    assert report.texts_without_signals == sum(
        not any(s.causes for s in e.signals) for e in data[file]
    )


@pytest.mark.parametrize("kind", FINE)
def test_no_alignable_pair_is_lost_whatever_the_tokenizer(
    kind: str, data: Data, tokenizer_named: Callable[[str], Any]
) -> None:
    for file, examples in data.items():
        _, report = align_all(examples[::20], tokenizer_named(kind))
        assert lost(report) == 0, file


@pytest.mark.slow
@pytest.mark.parametrize("file", ANNOTATED)
@pytest.mark.parametrize("kind", FINE)
def test_no_alignable_pair_is_lost_at_all(
    kind: str, file: str, data: Data, tokenizer_named: Callable[[str], Any]
) -> None:
    assert lost(align_all(data[file], tokenizer_named(kind))[1]) == 0


@pytest.mark.parametrize("kind", [*FINE, *COARSE])
def test_rows_causes_and_outcomes_against_characters(
    kind: str, data: Data, tokenizer_named: Callable[[str], Any]
) -> None:
    for examples in data.values():
        for example in examples[7::60]:
            aligned = align(example, tokenizer_named(kind))
            outcomes, cells = by_characters(example, aligned)
            assert [pair.outcome for pair in aligned.pairs] == outcomes
            assert cells_of(aligned) == cells
            assert list(aligned.rows) == sorted({row for row, _ in cells})
            assert aligned.causes.shape == (len(aligned.rows), len(aligned.input_ids))


def test_the_game_is_aligned_in_full_with_the_embedded_tokenizers() -> None:
    for name in ("tiny", "tiny-word"):
        for splits in (stg_e(n_train=40, n_test=20), stg_h(n_train=40, n_test=20)):
            for records in splits.values():
                examples = [annotate(Example.from_record(record)) for record in records]
                aligned, report = align_all(examples, tiny_tokenizer(name))
                assert report.outcomes["aligned"] == report.pairs > 0
                assert all(
                    set(item.rows) <= set(item.answer_rows) | {item.answer_start - 2}
                    for item in aligned
                )


# --- cause and effect in one token ----------------------------------------------------------------


@pytest.mark.parametrize("kind", COARSE)
def test_one_token_is_told_only_where_no_row_could_see_the_cause(
    kind: str, data: Data, tokenizer_named: Callable[[str], Any]
) -> None:
    """Only tokenizers that merge over spaces or punctuation do this to the authors' pairs."""
    coarse, fine = tokenizer_named(kind), tokenizer_named("character")
    found = 0
    for file in ("GSM8k/gsm8k_val", "MAWPS/mawps_train_gpt4o", "SVAMP/svamp_val"):
        for example in data[file]:
            aligned = align(example, coarse)
            unseen = [n for n, pair in enumerate(aligned.pairs) if pair.outcome == "one token"]
            if not unseen:
                continue
            finer = align(example, fine)
            for n in unseen:
                assert finer.pairs[n].outcome == "aligned"
                effects, causes = (
                    find_phrase(example.full_text, phrase)
                    for phrase in (aligned.pairs[n].effect, aligned.pairs[n].cause)
                )
                for effect in effects:
                    for cause in causes:
                        if cause.end <= effect.start:
                            tokens = {*aligned.tokens_of(effect), *aligned.tokens_of(cause)}
                            assert len(tokens) == 1
                found += 1
    assert found >= 3


def test_effect_and_cause_that_share_a_token_may_still_align() -> None:
    """ "$5" and "0" are the tokens of "$50": the second one's row sees the first."""
    tokenizer = of_words("$5", "0", ".")
    aligned = align(Example("$50 .", "", (Signal(Span(1, 3), (Span(0, 1),)),)), tokenizer)
    assert [pair.outcome for pair in aligned.pairs] == ["aligned"]
    assert cells_of(aligned) == {(0, 0)}
    alone = align(Example("$5 .", "", (Signal(Span(1, 2), (Span(0, 1),)),)), tokenizer)
    assert [pair.outcome for pair in alone.pairs] == ["one token"]


def test_characters_that_the_tokenizer_leaves_out_are_told() -> None:
    example = Example("Smoking: 8, Weight: 4 Answer:", "Low Risk", (Signal("Low Risk", (",",)),))
    assert align(example, tiny_tokenizer("tiny")).pairs == (Pair("Low Risk", ",", "no token"),)
    assert align(example, tiny_tokenizer("tiny-word")).pairs[0].outcome == "aligned"


# --- what searching for token ids would lose ------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "file", "share_lost"),
    [
        (
            "byte-level",
            "STG_H/STG_H_iid_test",
            1 / 3,
        ),  # "13.4%" is followed by ";": "%;" is a token
        ("byte-level, digits", "STG_H/STG_H_iid_test", 1 / 3),
        ("WordPiece", "SVAMP/svamp_train", 0.1),  # "?." is a token
        ("Unigram", "GSM8k/gsm8k_val", 0.57),  # after "=" or "$" a number does not begin with ▁
    ],
)
def test_searching_for_token_ids_would_lose_pairs(
    kind: str, file: str, share_lost: float, data: Data, tokenizer_named: Callable[[str], Any]
) -> None:
    """Even with each phrase tried in both forms; SmolLM2's loses a third of STG_H's as well."""
    tokenizer = tokenizer_named(kind)
    aligned, report = align_all(data[file][::5], tokenizer)
    searched = lost_by_id_search(aligned, tokenizer, "either")
    assert lost(report) == 0
    assert searched / report.alignable == pytest.approx(share_lost, abs=0.04)


# --- the answer -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*FINE, "spaced words"])
def test_the_answer_starts_where_the_prompt_alone_ends(
    kind: str, data: Data, tokenizer_named: Callable[[str], Any]
) -> None:
    """Also where a lone space, perhaps without offsets of its own, comes before the answer."""
    tokenizer = tokenizer_named(kind)
    for examples in data.values():
        for example in examples[11::80]:
            aligned = align(example, tokenizer)
            prompt = tokenizer(example.prompt)["input_ids"]
            assert list(aligned.input_ids[: aligned.answer_start]) == prompt
            last = len(aligned.input_ids) - 1  # the end-of-text token
            assert aligned.answer_rows == tuple(range(aligned.answer_start - 1, last - 1))
