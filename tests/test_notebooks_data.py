"""The files beside the notebooks: what was recorded still answers what is asked."""

from __future__ import annotations

import json
from collections import Counter
from itertools import product

import pytest

from cat.annotate import Endpoint, Journal, check, read_instructions, read_texts
from cat.annotate.questions import questions
from cat.annotate.review import relations_of
from cat.data import digest
from cat.signals import read_examples
from tests.notebooks import FOLDER

DATA = FOLDER / "data"
TEXTS = {
    "train": DATA / "help_desk.jsonl",
    "IID": DATA / "help_desk_test_iid.jsonl",
    "OOD": DATA / "help_desk_test_ood.jsonl",
}
METHODS = ("plain", "CAT, alpha 0.3", "CAT, ours", "plain, causes alone")
CHANGED = (
    "the recorded replies answer other questions than are asked now: the texts or the instructions "
    "were changed. Have an assistant answer the new ones, or take the change back"
)


@pytest.mark.parametrize("name", TEXTS)
def test_each_file_has_thirty_texts_half_of_them_urgent(name):
    answers = Counter(example.answer for example in read_examples(TEXTS[name]))
    assert answers == {"Urgent": 15, "Can wait": 15}


def test_no_text_is_in_two_files():
    texts = [example.text for path in TEXTS.values() for example in read_examples(path)]
    assert len(set(texts)) == len(texts)


def test_worked_examples_are_none_of_the_texts():
    worked = read_instructions(DATA / "help_desk.yaml").worked
    asked = {example.prompt for path in TEXTS.values() for example in read_examples(path)}
    assert not asked & {one.example.prompt for one in worked}


def test_the_recorded_assistant_answered_every_text():
    asked = questions(
        read_texts(TEXTS["train"]).items,
        read_instructions(DATA / "help_desk.yaml"),
        Endpoint("recorded", "http://localhost:8000/v1"),
    )
    journal = Journal(DATA / "help_desk_annotated.jsonl")
    assert [one.key for one in asked if one.key not in journal.answered] == [], CHANGED
    assert len(journal.answered) == len(asked)


def test_its_signals_pass_the_check():
    texts = read_examples(TEXTS["train"])
    annotated = read_examples(DATA / "help_desk_annotated.jsonl")
    assert [one.full_text for one in annotated] == [one.full_text for one in texts]
    assert not any(check(one, relations_of(one)).faults for one in annotated)


def test_the_kept_scores_are_of_these_texts_and_signals():
    lines = (DATA / "help_desk_scores.jsonl").read_text(encoding="utf-8").splitlines()
    kept = [json.loads(line) for line in lines]
    digests = {name: digest(read_examples(path)) for name, path in TEXTS.items()}
    assert all(line["data"] == digests for line in kept)
    carried_out = [(line["method"], line["seed"]) for line in kept]
    assert sorted(carried_out) == sorted(product(METHODS, range(3)))
