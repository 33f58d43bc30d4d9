"""`cat.alignment` on small texts, by eye: rows, answers, limits and the report."""

from __future__ import annotations

import json
import logging
from collections import Counter
from collections.abc import Sequence

import numpy as np
import pytest
import torch
from tokenizers import processors
from transformers import ByT5Tokenizer

from cat.alignment import AlignmentReport, Pair, align, align_all, with_cause_rows
from cat.reattention import count_valid_rows
from cat.signals import Example, Signal, Span
from tests.cat.alignment_kit import END, byte_level_digits, cells_of, of_words

# --- small texts, by eye --------------------------------------------------------------------------


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


def test_many_texts_are_aligned_as_each_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    examples = [letters("a b"[:n], "cd", cd=["a"]) for n in (1, 3, 1, 2, 3)]
    monkeypatch.setattr("cat.alignment.AT_ONCE", 2)
    aligned, _ = align_all(iter(examples), LETTERS)
    assert [item.index for item in aligned] == [0, 1, 2, 3, 4]
    for item, example in zip(aligned, examples, strict=True):
        alone = align(example, LETTERS)
        assert (item.input_ids, item.rows) == (alone.input_ids, alone.rows)
        assert (item.causes == alone.causes).all()


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


# --- the causes' own rows -------------------------------------------------------------------------


def test_a_causes_tokens_look_at_the_causes_up_to_them() -> None:
    """a b c d e: the causes of e are b and d; d sees b and itself, b itself alone."""
    aligned = align(letters("a b c d", "e", e=["b", "d"]), LETTERS)
    closed = with_cause_rows(aligned)
    assert closed.rows == (1, 3)  # d is also the token before e
    assert cells_of(aligned) == {(3, 1), (3, 3)}
    assert cells_of(closed) == {(1, 1), (3, 1), (3, 3)}
    assert closed.valid_rows == 2
    assert closed.pairs == aligned.pairs


def test_each_effect_closes_over_its_own_causes() -> None:
    """c is caused by a, g by b and c: b's row has nothing to do with a, c's row has b and c."""
    aligned = align(letters("a b c d", "g", c=["a"], g=["b", "c"]), LETTERS)
    assert cells_of(aligned) == {(1, 0), (3, 1), (3, 2)}
    closed = with_cause_rows(aligned)
    assert cells_of(closed) - cells_of(aligned) == {(0, 0), (1, 1), (2, 1), (2, 2)}


def test_whatever_a_supervised_row_reads_reads_the_same_causes() -> None:
    for example in (
        letters("a b c a b d", "eg", d=["a", "c"], e=["b", "d"], g=["a"]),
        letters("ab c ab d", "e", e=["ab", "d"], d=["c"]),
        letters("a b", "c"),
    ):
        aligned = align(example, LETTERS)
        closed = with_cause_rows(aligned)
        cells = cells_of(closed)
        for row, key in cells_of(aligned):
            wanted = {(key, k) for r, k in cells_of(aligned) if r == row and k <= key}
            assert wanted <= cells
        assert cells_of(aligned) <= cells
        assert all(key <= row for row, key in cells)
        assert list(closed.rows) == sorted({row for row, _ in cells})


def test_cause_rows_of_a_data_set_are_in_its_report() -> None:
    examples = [
        letters("a b c", "d", d=["a", "b"]),
        letters("a", "b"),
        letters("a f", "c", c=["f"]),
    ]
    aligned, report = align_all(examples, LETTERS, cause_rows=True)
    assert [item.index for item in aligned] == [0, 1, 2]
    assert [item.rows for item in aligned] == [(0, 1, 2), (), (1,)]
    assert report.rows == 4
    assert align_all(examples, LETTERS)[1].rows == 2
