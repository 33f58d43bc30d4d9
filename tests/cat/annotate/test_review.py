"""Verdicts on signals: saved at once, never on another relation, applied as they were given."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from cat.annotate.relations import Relation
from cat.annotate.review import Review, Verdict, relations_of, review_path, text_key
from cat.data import load_data
from cat.signals import Example, Signal, Span, read_examples, write_records

TEXT: dict[str, Any] = {
    "input": "Ann has 2 pens and gets 3 more. How many pens? Answer: ",
    "target": "5",
    "important": [{"3 more": ["Ann"]}, {"5": ["2 pens", "3 more", "9 caps"]}],
    "idx": 7,
}
OTHER: dict[str, Any] = {"input": "Is it so? Answer: ", "target": "yes", "important": []}
FIRST, ANSWER = relations_of(TEXT)


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(tmp_path / "texts.jsonl.review")


def again(review: Review) -> Review:
    return Review(review.path)


def lines(review: Review) -> list[dict[str, Any]]:
    return [json.loads(line) for line in review.path.read_text("utf-8").splitlines()]


def test_rejected_ones_go_edited_ones_are_replaced_the_rest_stays(review: Review) -> None:
    better = Relation("5", ("2 pens", "3 more"))
    review.record(TEXT, FIRST, "rejected")
    review.record(TEXT, ANSWER, "edited", better)
    for opened in (review, again(review)):
        kept, other = opened.apply([TEXT, OTHER])
        assert kept == {**TEXT, "important": [{"5": ["2 pens", "3 more"]}]}
        assert other is OTHER
        assert opened.verdict(TEXT, ANSWER) == Verdict("edited", better)
    assert Example.from_record(kept).signals == (Signal("5", ("2 pens", "3 more")),)
    assert len(TEXT["important"]) == 2  # what was given is as it was


def test_accepted_or_not_yet_judged_a_text_stays_as_it_is(review: Review) -> None:
    review.record(TEXT, FIRST, "accepted")
    (kept,) = review.apply([TEXT])
    assert kept is TEXT


def test_the_last_verdict_counts_and_can_be_taken_back(review: Review) -> None:
    for word in ("rejected", "accepted", "rejected"):
        review.record(TEXT, FIRST, word)
    assert len(lines(review)) == 3
    assert again(review).apply([TEXT])[0]["important"] == TEXT["important"][1:]
    review.record(TEXT, FIRST, "open")
    assert again(review).apply([TEXT]) == [TEXT]
    assert again(review).verdict(TEXT, FIRST) == Verdict("open")


def test_verdicts_given_on_a_keyed_line_reach_examples_that_have_lost_the_key(
    tmp_path: Path,
) -> None:
    line = {**TEXT, "key": "abc", "status": "annotated", "line": 1}
    path = write_records(tmp_path / "out.jsonl", [line])
    review = Review(review_path(path), reviewer="Mia")
    review.record(line, FIRST, "rejected")
    (written,) = lines(review)
    assert (written["key"], written["reviewer"]) == ("abc", "Mia")
    assert text_key(TEXT) == written["text"] != "abc"
    for opened in (review, again(review)):
        (example,) = opened.apply(read_examples(path))
        assert [signal.effect for signal in example.signals] == ["5"]
    # Another annotation of the same text, under its own key, has verdicts of its own.
    review.record({**line, "key": "xyz"}, ANSWER, "rejected")
    assert review.verdict(line, ANSWER).word == "open"


def test_spans_stay_spans_where_nothing_else_takes_their_place(review: Review) -> None:
    text = "Smoking: 8, Weight: 4 Answer:"
    spans = (Signal(Span(30, 34), (Span(0, 10),)), Signal("High", ("Weight: 4",)))
    example = Example(text, "High", spans)
    review.record(example, relations_of(example)[1], "rejected")
    assert review.apply([example])[0].signals == spans[:1]
    assert relations_of(example)[0] == Relation("High", ("Smoking: 8",))


@pytest.mark.parametrize(
    ("edited", "why"),
    [
        (Relation("5", ("2 pens", "9 caps")), "'9 caps' not found in the text"),
        (Relation("six", ("2 pens",)), "'six' not found in the text"),
        (Relation("2 pens", ("3 more",)), "'3 more' does not end before '2 pens' begins"),
        (Relation("5", ()), "at least one cause"),
        (Relation("", ("2 pens",)), "not found"),
    ],
)
def test_an_edit_goes_through_the_assistants_checks(
    review: Review, edited: Relation, why: str
) -> None:
    for word, relation, more in (("edited", ANSWER, (edited,)), ("added", edited, ())):
        with pytest.raises(ValueError, match=why):
            review.record(TEXT, relation, word, *more)  # type: ignore[arg-type]
    assert not review.path.exists()
    assert review.apply([TEXT]) == [TEXT]


def test_an_edit_is_kept_as_it_stands_in_the_text(review: Review) -> None:
    review.record(TEXT, ANSWER, "edited", Relation("5", ("2  PENS",)))
    assert review.verdict(TEXT, ANSWER).edited == Relation("5", ("2 pens",))


def test_a_relation_can_be_added_edited_and_removed_again(review: Review) -> None:
    more = Relation("How many pens", ("2 pens",))
    less = Relation("How many pens", ("pens",))
    review.record(TEXT, more, "added")
    assert again(review).relations(TEXT) == (FIRST, ANSWER, more)
    assert again(review).apply([TEXT])[0]["important"][2:] == [{"How many pens": ["2 pens"]}]
    review.record(TEXT, more, "edited", less)
    assert again(review).relations(TEXT) == (FIRST, ANSWER, less)
    review.record(TEXT, less, "rejected")
    assert again(review).apply([TEXT])[0]["important"] == TEXT["important"]


def test_a_text_as_a_whole(review: Review) -> None:
    assert not review.is_reviewed(OTHER)
    review.record(OTHER, None, "accepted")
    assert review.is_reviewed(OTHER)
    review.record(TEXT, None, "rejected")
    assert again(review).apply([TEXT, OTHER]) == [OTHER]
    review.record(TEXT, None, "open")
    assert again(review).apply([TEXT, OTHER]) == [TEXT, OTHER]
    for relation in (FIRST, ANSWER):
        assert not review.is_reviewed(TEXT)
        review.record(TEXT, relation, "accepted")
    assert again(review).is_reviewed(TEXT)


def test_what_makes_no_sense_is_refused(review: Review) -> None:
    with pytest.raises(ValueError, match="a relation of this text"):
        review.record(TEXT, Relation("5", ("Ann",)), "accepted")
    with pytest.raises(ValueError, match="expected a verdict among"):
        review.record(TEXT, FIRST, "perhaps")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="expected a verdict among accepted, rejected, open"):
        review.record(TEXT, None, "edited", FIRST)
    with pytest.raises(ValueError, match="edited relation"):
        review.record(TEXT, FIRST, "edited")
    with pytest.raises(ValueError, match="edited relation"):
        review.record(TEXT, FIRST, "accepted", ANSWER)
    assert not review.path.exists()


def test_a_cut_last_line_is_told_and_the_next_verdict_stands_on_its_own_line(
    review: Review,
) -> None:
    review.record(TEXT, FIRST, "rejected")
    review.record(TEXT, ANSWER, "rejected")
    whole = review.path.read_bytes()
    review.path.write_bytes(whole[:-30])
    cut = again(review)
    assert cut.verdict(TEXT, FIRST).word == "rejected"
    assert cut.verdict(TEXT, ANSWER).word == "open"
    (told,) = cut.unreadable
    assert told.startswith("texts.jsonl.review:2: no verdict")
    cut.record(TEXT, ANSWER, "accepted")
    assert again(review).verdict(TEXT, ANSWER).word == "accepted"
    assert again(review).verdict(TEXT, FIRST).word == "rejected"


@pytest.mark.parametrize(
    "line",
    [
        "[]",
        '{"key": "a"}',
        '{"key": "a", "text": "a", "relation": null, "verdict": "fine"}',
        '{"key": "a", "text": "a", "relation": null, "verdict": "edited"}',
        '{"key": "a", "text": "a", "relation": 3, "verdict": "accepted"}',
    ],
)
def test_a_line_that_is_no_verdict_leaves_the_others(review: Review, line: str) -> None:
    review.record(TEXT, FIRST, "rejected")
    with review.path.open("a", encoding="utf-8") as file:
        file.write(f"{line}\n")
    review.record(TEXT, ANSWER, "rejected")
    opened = again(review)
    assert len(opened.unreadable) == 1
    assert opened.apply([TEXT])[0]["important"] == []


def test_on_the_disk_when_it_returns_and_nothing_half_where_it_cannot_be_written(
    review: Review, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[int] = []
    real = os.fsync
    monkeypatch.setattr(os, "fsync", lambda number: (synced.append(number), real(number)))
    review.record(TEXT, FIRST, "rejected")
    assert len(synced) == 1
    before = review.path.read_bytes()

    def full(number: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"could not be written to .*No space left.*all before it"):
        review.record(TEXT, ANSWER, "rejected")
    assert review.path.read_bytes() == before
    assert review.verdict(TEXT, ANSWER).word == "open"


def test_a_folder_of_training_data_is_read_without_its_reviews(tmp_path: Path) -> None:
    for name in ("train", "test"):
        path = write_records(tmp_path / f"{name}.jsonl", [TEXT])
        Review(review_path(path)).record(TEXT, FIRST, "rejected")
    assert set(load_data(str(tmp_path))) == {"train", "test"}
