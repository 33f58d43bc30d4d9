"""`cat.alignment`: on every annotated file of the authors, with tokenizers of every kind.

The oracle asks for each character which tokens hold it, and walks over all pairs of occurrences.
The tokenizers are trained here, on the texts themselves.
"""

from __future__ import annotations

import functools
import json
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import ByT5Tokenizer, PreTrainedTokenizerFast

from cat.alignment import Aligned, AlignmentReport, Pair, align, align_all
from cat.reattention import count_valid_rows
from cat.signals import Example, Signal, Span, find_phrase, read_examples
from cat.stg import annotate, stg_e, stg_h
from cat.tiny import tiny_tokenizer

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

# --- tokenizers -----------------------------------------------------------------------------------

END, UNKNOWN = "<end>", "<unk>"
SPECIAL = {"special_tokens": [UNKNOWN, END], "show_progress": False}


def fast(core: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=END, unk_token=UNKNOWN)


def byte_level(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """As GPT-2: the space goes with the word, and the offsets include it."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2000, **SPECIAL, **all_bytes()))
    return fast(core)


def byte_level_digits(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """As SmolLM2 and Llama 3: digits apart, so "Answer: 8" has a lone space; offsets trimmed."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    core.post_processor = processors.ByteLevel(trim_offsets=True)
    core.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2000, **SPECIAL, **all_bytes()))
    return fast(core)


def all_bytes() -> dict[str, list[str]]:
    return {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}


def word_piece(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """As BERT: lower case, accents off, punctuation apart, no tokens for spaces."""
    core = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    core.normalizer = normalizers.BertNormalizer()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=2000, **SPECIAL))
    return fast(core)


def unigram(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """As T5 and the first Llamas: spaces become ▁, one is put before the text."""
    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.train_from_iterator(
        texts, trainers.UnigramTrainer(vocab_size=2000, unk_token=UNKNOWN, **SPECIAL)
    )
    return fast(core)


def character(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Every character a token."""
    core = Tokenizer(models.BPE(unk_token=UNKNOWN))
    core.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=1, **SPECIAL))
    return fast(core)


def spaced_words(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Whatever stands between spaces is a token: "$<<3*4=12>>12" too."""
    core = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.train_from_iterator(texts, trainers.WordLevelTrainer(**SPECIAL))
    return fast(core)


def across_words(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Merges that do not stop at spaces: "Answer: 8.0" may be one token."""
    core = Tokenizer(models.BPE(unk_token=UNKNOWN))
    core.normalizer = normalizers.Replace(" ", "▁")
    core.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2000, **SPECIAL))
    return fast(core)


FINE: dict[str, Callable[[Iterable[str]], Any]] = {
    "byte-level": byte_level,
    "byte-level, digits": byte_level_digits,
    "WordPiece": word_piece,
    "Unigram": unigram,
    "character": character,
}
COARSE: dict[str, Callable[[Iterable[str]], Any]] = {
    "spaced words": spaced_words,
    "across words": across_words,
}


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


def cells_of(aligned: Aligned) -> set[tuple[int, int]]:
    return {(aligned.rows[r], int(key)) for r, key in np.argwhere(aligned.causes)}


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


def lost_by_searching_ids(aligned: Aligned, tokenizer: Any) -> int:
    """Aligned pairs whose phrases, tokenised alone or after a space, are not found in order."""
    ids = list(aligned.input_ids)

    @functools.cache
    def places(phrase: str) -> list[tuple[int, int]]:
        found = []
        for alone in (phrase, f" {phrase}"):
            wanted = tokenizer(alone, add_special_tokens=False)["input_ids"]
            n = len(wanted)
            found += [(i, i + n) for i in range(len(ids)) if ids[i : i + n] == wanted]
        return found

    return sum(
        not any(
            cause[1] <= effect[0]
            for effect in places(pair.effect.strip())
            for cause in places(pair.cause.strip())
        )
        for pair in aligned.pairs
        if pair.outcome == "aligned"
    )


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
    """The way that the authors take; SmolLM2's tokenizer loses a third of STG_H's pairs as well."""
    tokenizer = tokenizer_named(kind)
    aligned, report = align_all(data[file][::5], tokenizer)
    searched = sum(lost_by_searching_ids(item, tokenizer) for item in aligned)
    assert lost(report) == 0
    assert searched / report.alignable == pytest.approx(share_lost, abs=0.04)


# --- small texts, by eye --------------------------------------------------------------------------


def of_words(*words: str, **options: Any) -> PreTrainedTokenizerFast:
    """Exactly these words, longest first; anything else is unknown; spaces are left out."""
    vocabulary = {word: n for n, word in enumerate((UNKNOWN, END, *words))}
    core = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, continuing_subword_prefix=""))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token=UNKNOWN, **{"eos_token": END, **options}
    )


LETTERS = of_words(*"abcdefg")


def letters(text: str, answer: str = "", **signals: Sequence[str]) -> Example:
    found = tuple(Signal(effect, tuple(causes)) for effect, causes in signals.items())
    return Example(text, answer, found)


def test_the_row_before_the_effect_is_supervised_on_its_causes() -> None:
    aligned = align(letters("a b c", "d", d=["a", "c"]), LETTERS)
    assert aligned.input_ids == (2, 3, 4, 5, 1)
    assert aligned.rows == (2,)
    assert aligned.causes.tolist() == [[True, False, True, False, False]]


def test_every_token_of_every_occurrence() -> None:
    """ab twice before the first d, once before both: rows before each d."""
    aligned = align(letters("ab c ab d ab", "d", d=["ab"]), LETTERS)
    assert aligned.rows == (4, 7)  # a b c a b d a b d
    assert aligned.causes.astype(int).tolist() == [
        [1, 1, 0, 1, 1, 0, 0, 0, 0, 0],
        [1, 1, 0, 1, 1, 0, 1, 1, 0, 0],
    ]


def test_an_effect_of_several_tokens_has_a_row_for_each() -> None:
    aligned = align(letters("a b", "cde", cde=["a"]), LETTERS)
    assert aligned.rows == (1, 2, 3)
    assert (aligned.causes.astype(int) == [[1, 0, 0, 0, 0, 0]] * 3).all()


def test_signals_on_one_row_add_up() -> None:
    example = Example("a b c", "d", (Signal("d", ("a",)), Signal("c d", ("b",))))
    aligned = align(example, LETTERS)
    assert aligned.rows == (1, 2)
    assert aligned.causes.astype(int).tolist() == [[0, 1, 0, 0, 0], [1, 1, 0, 0, 0]]


def test_outcomes_by_reason() -> None:
    example = letters("a b c", "d", d=["a", "f"], f=["a"], a=["b"], b=["b"])
    aligned = align(example, LETTERS)
    assert [(pair.effect, pair.cause, pair.outcome) for pair in aligned.pairs] == [
        ("d", "a", "aligned"),
        ("d", "f", "phrase absent"),
        ("f", "a", "phrase absent"),
        ("a", "b", "order broken"),
        ("b", "b", "order broken"),
    ]


def test_spans_stand_for_phrases() -> None:
    by_phrase = align(letters("ab c ab d", "e", e=["c"]), LETTERS)
    spans = (Signal(Span(10, 11), (Span(3, 4),)),)
    by_span = align(Example("ab c ab d", "e", spans), LETTERS)
    assert by_span.rows == by_phrase.rows
    assert np.array_equal(by_span.causes, by_phrase.causes)
    assert by_span.pairs == by_phrase.pairs == (Pair("e", "c", "aligned"),)


def test_a_span_is_one_occurrence_only() -> None:
    aligned = align(Example("a b a", "c", (Signal("c", (Span(4, 5),)),)), LETTERS)
    assert cells_of(aligned) == {(2, 2)}


def test_no_signals() -> None:
    aligned = align(letters("a b", "c"), LETTERS)
    assert (aligned.rows, aligned.pairs, aligned.valid_rows) == ((), (), 0)
    assert aligned.causes.shape == (0, 4)


def test_valid_rows_are_those_that_the_loss_counts() -> None:
    example = letters("a b c", "d", b=["a"], c=["a"], d=["a", "b", "c"])
    aligned = align(example, LETTERS)
    visible = torch.arange(5) <= torch.tensor(aligned.rows)[:, None]
    counted = count_valid_rows(torch.from_numpy(aligned.causes)[None], visible[None])
    assert aligned.rows == (0, 1, 2)
    assert aligned.valid_rows == counted == 1  # row 1: a is the cause, b the other


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


def test_a_lone_space_whose_offsets_are_trimmed_is_the_answers() -> None:
    tokenizer = byte_level_digits(["Answer: 8"] * 9)
    aligned = align(Example("Answer: ", "8"), tokenizer)
    tokens = tokenizer.convert_ids_to_tokens(aligned.input_ids)
    assert tokens == ["Answer", ":", "Ġ", "8", END]
    assert aligned.offsets[2].start == aligned.offsets[2].end
    assert aligned.answer_start == 2
    assert aligned.answer_rows == (1, 2)


def test_without_an_answer_there_are_no_answer_rows() -> None:
    aligned = align(letters("a b"), LETTERS)
    assert aligned.answer_start == 2
    assert aligned.answer_rows == ()


def test_add_eos() -> None:
    with_end = align(letters("a", "b", b=["a"]), LETTERS)
    without = align(letters("a", "b", b=["a"]), LETTERS, add_eos=False)
    assert with_end.input_ids == (*without.input_ids, LETTERS.eos_token_id)
    assert with_end.offsets == (*without.offsets, Span(3, 3))
    assert with_end.rows == without.rows == (0,)
    assert with_end.answer_rows == without.answer_rows == (0,)


def test_special_tokens_of_the_tokenizers_own() -> None:
    """One at the beginning shifts everything by one; one at the end is not put there twice."""
    own = of_words(*"abcd", "<begin>", bos_token="<begin>")
    own.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single=f"<begin> $A {END}", special_tokens=[("<begin>", 6), (END, 1)]
    )
    aligned = align(letters("a b", "cd", cd=["a"]), own)
    assert own.convert_ids_to_tokens(aligned.input_ids) == ["<begin>", *"abcd", END]
    assert aligned.rows == (2, 3)
    assert cells_of(aligned) == {(2, 1), (3, 1)}
    assert aligned.answer_start == 3
    assert aligned.answer_rows == (2, 3)


def test_a_tokenizer_without_an_end_of_text_token() -> None:
    assert align(letters("a", "b"), of_words("a", "b", eos_token=None)).input_ids == (2, 3)


# --- the length limit -----------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [*range(1, 11), 100])
def test_what_falls_off_is_counted(limit: int) -> None:
    example = letters("a b c d e", "fg", c=["a"], e=["d"], fg=["b", "e"], a=["e"])
    whole = align(example, LETTERS)
    aligned = align(example, LETTERS, max_length=limit)
    assert len(whole.input_ids) == 8
    assert aligned.input_ids == whole.input_ids[:limit]
    assert aligned.offsets == whole.offsets[:limit]
    assert aligned.complete == (limit >= 8)
    assert aligned.answer_start == min(5, limit)
    assert cells_of(aligned) == {(row, key) for row, key in cells_of(whole) if row + 1 < limit}
    assert aligned.causes.shape == (len(aligned.rows), min(limit, 8))
    first_token = {"c": 2, "e": 4, "fg": 5}
    for pair in aligned.pairs:
        if pair.effect == "a":
            assert pair.outcome == "order broken"
        else:
            assert pair.outcome == ("aligned" if first_token[pair.effect] < limit else "cut off")


def test_the_report_counts_what_is_cut() -> None:
    examples = [letters("a b", "c", c=["a"]), letters("a b c d", "e", e=["a", "b"])]
    _, report = align_all(examples, LETTERS, max_length=4)
    assert report.texts_cut == 1
    assert report.outcomes["cut off"] == 2
    assert report.alignable == 3


@pytest.mark.parametrize("limit", [0, -1])
def test_refuses_a_limit_that_leaves_nothing(limit: int) -> None:
    with pytest.raises(ValueError, match=f"expected max_length .* at least 1, got {limit}"):
        align(letters("a"), LETTERS, max_length=limit)


def test_texts_beyond_the_models_limit_are_not_cut_by_themselves(
    caplog: pytest.LogCaptureFixture,
) -> None:
    tokenizer = of_words("a", "b", model_max_length=3)
    with caplog.at_level(logging.DEBUG):
        aligned = align(letters("a a a a a", "b", b=["a"]), tokenizer)
    assert len(aligned.input_ids) == 7
    assert not caplog.records


def test_refuses_slow_tokenizers() -> None:
    with pytest.raises(ValueError, match=r"fast tokenizer .*, got ByT5Tokenizer: .*use_fast=True"):
        align(letters("a", "b"), ByT5Tokenizer())


# --- the report -----------------------------------------------------------------------------------


def test_report_counts_and_examples() -> None:
    examples = [
        letters("a b", "c", c=["a", "f"]),
        letters("a b", "c", a=["b"], c=["b"]),
        letters("a b", "c"),
        *[letters("a", "b", b=[letter]) for letter in "cdefg<>"],
    ]
    aligned, report = align_all(examples, LETTERS)
    assert report == AlignmentReport.of(aligned)
    assert (report.texts, report.texts_without_signals, report.texts_cut) == (10, 1, 0)
    assert report.pairs == 11
    assert report.alignable == 2
    assert report.rows == 2
    wanted = {"aligned": 2, "phrase absent": 8, "order broken": 1}
    assert Counter(report.outcomes) == Counter(wanted)
    assert set(report.examples) == {"phrase absent", "order broken"}
    assert len(report.examples["phrase absent"]) == 5
    assert report.examples["order broken"] == ({"effect": "a", "cause": "b", "text": "a b c"},)


def test_report_as_json_and_as_text() -> None:
    _, report = align_all([letters("a b", "c", c=["a", "f"])], LETTERS)
    found = json.loads(json.dumps(report.to_dict()))
    assert found["pairs"] == 2
    assert found["aligned"] == found["phrase_absent"] == found["alignable"] == 1
    assert found["cut_off"] == found["one_token"] == found["no_token"] == found["order_broken"] == 0
    assert found["examples"] == {"phrase_absent": [{"effect": "c", "cause": "f", "text": "a b c"}]}
    lines = str(report).splitlines()
    assert lines[0] == "1 texts (0 without signals, 0 cut at the length limit), 1 supervised rows"
    assert any("1  50.0%  aligned: cause and effect found" in line for line in lines)
    assert lines[-1] == "  'f' -> 'c' in 'a b c'"


def test_report_of_nothing() -> None:
    for examples in ([], [letters("a")]):
        _, report = align_all(examples, LETTERS)
        assert report.pairs == report.alignable == 0
        assert "0 pairs" in str(report)
        assert json.dumps(report.to_dict())


def test_long_texts_are_shortened_in_the_report() -> None:
    _, report = align_all([letters("a " * 500, "b", b=["f"])], LETTERS)
    assert max(map(len, str(report).splitlines())) < 150
    assert len(report.examples["phrase absent"][0]["text"]) == 1001  # whole, in the JSON
