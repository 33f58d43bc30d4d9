"""What the page is told of a text is JSON, and follows the verdicts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cat.annotate.relations import Relation
from cat.annotate.review import Review, relations_of
from cat.models import tiny_tokenizer
from cat.signals import Example
from catviz.widgets.review.marked import marked_text
from tests.catviz.widgets.review.kit import RECORDS

STG: dict[str, Any] = {
    "input": "Smoking: 8, Weight: 4, Exercise: 2 Answer: ",
    "target": "High Risk",
    "important": [{"High Risk": ["Smoking: 8", "Weight: 4"]}, {"Weight: 4": ["Smoking: 8"]}],
}


@pytest.fixture
def review(tmp_path: Path) -> Review:
    return Review(tmp_path / "verdicts.review")


def test_places_are_characters_of_the_text(review: Review) -> None:
    for record in RECORDS:
        marked = json.loads(json.dumps(marked_text(record, review)))
        text = marked["text"]
        assert text[marked["answer"] :] == record["target"]
        for relation in marked["relations"]:
            for place in relation["places"]:
                assert text[slice(*place)] == relation["effect"]
            for cause in relation["causes"]:
                for place in cause["places"]:
                    assert text[slice(*place)] == cause["phrase"]


def test_faults_follow_the_verdicts(review: Review) -> None:
    record = RECORDS[0]
    relations = relations_of(record)
    told = marked_text(record, review)
    assert told["faults"] == []
    assert [one["faults"] for one in told["relations"]] == [
        [],
        ["“9 stars” is not in the text."],
        ["“5 more” is not before its effect."],
    ]
    review.record(record, relations[1], "rejected")
    told = marked_text(record, review)
    assert told["faults"] == ["No relation explains the answer."]
    review.record(record, relations[1], "edited", Relation("17", ("12 shells",)))
    told = marked_text(record, review)
    assert told["faults"] == []
    assert told["relations"][1]["edited"]["causes"][0]["phrase"] == "12 shells"
    assert told["relations"][1]["effect"] == "17"  # what the assistant said is there as well
    review.record(record, None, "rejected")
    assert marked_text(record, review)["verdict"] == "rejected"


def test_pairs_that_the_checks_left_out_are_told(review: Review) -> None:
    faults = [
        {"reason": "absent", "effect": "17", "cause": "9 stars", "missing": ["9 stars"]},
        {"reason": "answer not covered"},
    ]
    told = marked_text({**RECORDS[0], "faults": faults}, review)
    assert told["faults"] == [
        "Left out when it was annotated: “17” because of “9 stars” (not in the text)."
    ]
    assert marked_text(RECORDS[2], review)["faults"] == ["The annotation names no relation."]


def test_supervised_tokens_are_those_of_what_is_kept(review: Review) -> None:
    told = marked_text(STG, review, tiny_tokenizer())
    assert "".join(told["tokens"]).startswith("Smoking: 8")
    assert len(told["tokens"]) == 5
    assert told["rows"] == [[0, [0]], [3, [0, 1]]]
    review.record(STG, relations_of(STG)[1], "rejected")
    assert marked_text(STG, review, tiny_tokenizer())["rows"] == [[3, [0, 1]]]
    review.record(STG, None, "rejected")
    assert marked_text(STG, review, tiny_tokenizer())["rows"] == []
    example = Example.from_record(STG)
    assert marked_text(example, review, tiny_tokenizer())["verdict"] == "rejected"
