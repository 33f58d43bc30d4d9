"""Records of every form become one form."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cat.alignment import align_all
from cat.signals import read_examples, read_records
from cat.tasks import read_record
from cat.tasks.records import tidy
from tests.cat.alignment_kit import byte_level_digits

STEM = "What is hot?"
CHOICES = [("1", "ice"), ("2", "the sun"), ("3", "a cloud")]
LETTERED = "What is hot?\nA. ice\nB. the sun\nC. a cloud\nAnswer:"


@pytest.mark.parametrize(
    ("record", "prompt", "answer"),
    [
        ({"input": "Has 3. How many?", "target": "Answer: 3.0"}, "Has 3. How many? Answer:", "3.0"),
        ({"input": "How many? Answer: ", "target": "3.0"}, "How many? Answer:", "3.0"),
        ({"Body": "Tom has 3", "Question": "How many?", "Answer": 3.0},
         "Tom has 3. How many? Answer:", "3.0"),
        ({"body": "If he has 3,", "question": "how many?", "answer": "3 (pens)"},
         "If he has 3, how many? Answer:", "3 (pens)"),
        ({"body": 'It said "3 off."', "question": "How many", "answer": 3},
         'It said "3 off." How many. Answer:', "3"),
        ({"question": "How  many?", "answer": "1+2=<<1+2=3>>3\n#### 3"},
         "How many? Answer:", "1+2=<<1+2=3>>3\n#### 3"),
        ({"iIndex": 4, "sQuestion": " How many? ", "lEquations": ["x=3"], "lSolutions": [3.0]},
         "How many? Answer:", "3.0"),
        ({"Question": "Tom has number0 and number10 .", "Numbers": "3.0 " * 10 + "2.5",
          "Equation": "+", "Answer": 5.5}, "Tom has 3 and 2.5 . Answer:", "5.5"),
        ({"Question": "Tom has number0", "Numbers": [3], "Answer": 3}, "Tom has 3 Answer:", "3"),
        ({"id": "Q", "answerKey": "2", "question": {
            "stem": STEM, "choices": [{"text": t, "label": n} for n, t in CHOICES]}},
         LETTERED, "B"),
        ({"question": STEM, "answerKey": "B",
          "choices": {"text": [t for _, t in CHOICES], "label": ["A", "B", "C"]}}, LETTERED, "B"),
        ({"input": f"{STEM}\n1. ice\n2. the sun\n3. a cloud\nAnswer: ", "target": "2"},
         LETTERED, "B"),
        ({"input": LETTERED, "target": "B"}, LETTERED, "B"),
    ],
)  # fmt: skip
def test_every_form_becomes_one(record: dict[str, Any], prompt: str, answer: str) -> None:
    example = read_record(record, "file.json:1").example
    assert (example.text, example.answer) == (prompt, answer)
    assert example.full_text == f"{prompt} {answer}"


def test_ids_and_origin() -> None:
    asked = {"input": "a", "target": "b"}
    ids = [read_record({**asked, **one}, "f:3").id for one in ({"ID": "x"}, {"idx": 7}, {})]
    assert ids == ["x", "7", "f:3"]
    assert read_record(asked, "f:3").where == "f:3"


def test_signals_are_tidied_as_the_text_is() -> None:
    record = {
        "input": "Tom\u2019s  house.. He paid ?.",
        "target": "3.0",
        "important": [{"3.0": "Tom\u2019s  house.."}],
    }
    text = read_record(record, "f:1")
    assert text.example.text == "Tom's house. He paid ? Answer:"
    assert text.example.signals[0].causes == ("Tom's house.",)
    assert tidy("Wait... (a.. b) c?.") == "Wait... (a. b) c?"
    again = read_record(json.loads(json.dumps(text.to_record())), "g:9")
    assert again.example == text.example
    assert again.id == text.id


def test_labels_become_letters_in_signals_too() -> None:
    record = {
        "input": "Which of the 3 is hot?\n1. ice\n2. the sun\n3. 2 clouds\nAnswer: ",
        "target": "2",
        "important": [
            {"Answer: 2": ["1.", "1. ice", "the sun"]},
            {"2": ["3", "1", "2 clouds", "of the 3"]},
        ],
    }
    signals = read_record(record, "f:1").example.signals
    assert [signal.effect for signal in signals] == ["Answer: B", "B"]
    assert signals[0].causes == ("A.", "A. ice", "the sun")
    assert signals[1].causes == ("3", "A", "2 clouds", "of the 3")  # the stem has a 3 of its own


def test_a_numbered_list_is_no_choice() -> None:
    record = {"input": "Do:\n1. add 2\n2. halve\nWhat comes out?", "target": "Answer: 5.0"}
    assert read_record(record, "f:1").example.answer == "5.0"
    assert "1. add 2" in read_record(record, "f:1").example.text


@pytest.mark.parametrize(
    ("record", "told"),
    [
        ({"text": "x"}, r"f:1: expected a record with the fields input and .*got \['text'\]"),
        ({"question": "x", "answer": None}, "expected a record with the fields"),
        ({"question": "x", "answer": ""}, "as answer, got an empty one"),
        ({"question": "x", "answer": float("nan")}, "as answer, got nan"),
        ({"question": "x", "answer": True}, "as answer, got True"),
        ({"question": " ", "answer": "1"}, "as question, got an empty one"),
        ({"input": "x", "target": "Answer: "}, "as target, got an empty one"),
        ({"sQuestion": "x", "lSolutions": [1, 2]}, r"one answer, got \[1, 2\]"),
        ({"Question": "x number1", "Numbers": "3", "Answer": 3}, "at least 2 numbers"),
        ({"question": "x", "choices": {"text": ["a", "b"], "label": ["A", "C"]}, "answerKey": "A"},
         r"labels A, B, ... or 1, 2, ..., got \['A', 'C'\]"),
        ({"question": "x", "choices": {"text": ["a", "b"], "label": ["A", "B"]}, "answerKey": "C"},
         "the right one among them"),
        ({"question": "x", "choices": "a b", "answerKey": "C"}, "choices with a label and a text"),
        ({"question": {"stem": "x"}, "answerKey": "C"}, "choices with a label and a text"),
    ],
)  # fmt: skip
def test_bad_records_are_named(record: dict[str, Any], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_record(record, "f:1")


# --- the authors' files ---------------------------------------------------------------------------

FILES = ("ARC_E/ARC_E_train", "ASDiv/merged_asdiv", "GSM8k/gsm8k_val", "MAWPS/mawps_train",
         "SVAMP/svamp_train", "SVAMP/svamp_val")  # fmt: skip


@pytest.mark.parametrize("file", FILES)
def test_reading_loses_no_signal_of_the_authors(authors_data: Path, file: str) -> None:
    """As many pairs as by reading the file as it is, and as many or more that align."""
    path = authors_data / f"{file}.jsonl"
    plainly = read_examples(path)[::40]
    here = [read_record(record, where).example for where, record in read_records(path)][::40]
    tokenizer = byte_level_digits([example.full_text for example in plainly])
    before, after = (align_all(examples, tokenizer)[1] for examples in (plainly, here))
    assert after.pairs == before.pairs > 0
    assert after.alignable >= before.alignable
    assert after.outcomes["aligned"] == after.alignable


def test_svamp_is_the_same_from_its_own_fields(authors_data: Path) -> None:
    """The authors' text against what is made of Body and Question: all of 1000 but one, whose
    body ends in two full stops already."""
    differ = []
    for where, record in read_records(authors_data / "SVAMP" / "svamp_ood.jsonl"):
        public = {name: record[name] for name in ("Body", "Question", "Answer", "ID")}
        theirs, ours = (read_record(one, where).example for one in (record, public))
        if theirs != replace(ours, signals=theirs.signals):
            differ.append(record["Body"][-2:])
    assert differ == [".."]


def test_asdiv_is_the_same_from_its_own_fields(authors_data: Path) -> None:
    for where, record in read_records(authors_data / "ASDiv" / "merged_asdiv.jsonl"):
        public = {name: record[name] for name in ("body", "question", "answer")}
        theirs, ours = (read_record(one, where).example for one in (record, public))
        assert (theirs.text, theirs.answer) == (ours.text, ours.answer)


def test_every_choice_of_the_authors_has_a_letter(authors_data: Path) -> None:
    letters = set()
    for path in sorted((authors_data / "ARC_E").glob("*.jsonl")):
        for where, record in read_records(path):
            example = read_record(record, where).example
            labels = re.findall(r"^([A-E1-5])\.\s", example.text, re.MULTILINE)
            assert "".join(labels) in ("ABC", "ABCD", "ABCDE"), where
            assert example.answer in labels
            assert example.text.endswith("\nAnswer:")
            letters.add(example.answer)
    assert letters == set("ABCDE")
