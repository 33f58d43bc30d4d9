"""The kernel's side of a review: which text is shown, what is saved, what is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import traitlets

import catviz
from cat.annotate.review import Review, relations_of
from cat.signals import Example, write_records
from catviz.widgets.review import signal_review
from catviz.widgets.review.signal_review import SignalReview, review_module
from tests.catviz.widgets.review.kit import RECORDS

FOLDER = Path(str(signal_review.__file__)).parent


class Heard(SignalReview):
    """Keeps what it would send to the page."""

    def send(self, content: Any, buffers: Any = None) -> None:
        self.sent = [*getattr(self, "sent", []), json.loads(json.dumps(content))]

    def ask(self, **message: Any) -> dict[str, Any]:
        before = len(self.sent)
        self._hear(self, message, [])
        assert len(self.sent) == before + 1  # one answer to one question
        return self.sent[-1]

    def judge(self, relation: Any, verdict: str, **more: Any) -> dict[str, Any]:
        if relation is not None:
            relation = {"effect": relation.effect, "causes": list(relation.causes)}
        asked = {"id": "1", "number": self.number, "relation": relation, "verdict": verdict}
        return self.ask(kind="judge", **{**asked, **more})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return write_records(tmp_path / "texts.jsonl", RECORDS)


def test_one_text_at_a_time_and_the_next_ones_on_request(path: Path) -> None:
    review = Heard(path)
    (first,) = review.sent
    assert (first["number"], first["total"], first["reviewed"]) == (0, 3, 0)
    assert first["text"].startswith("Mia")
    assert "Tom" not in json.dumps(first)
    assert review.ask(kind="go", to="next")["number"] == 1
    assert review.ask(kind="go", to="next")["number"] == 2
    assert review.ask(kind="go", to="next")["said"] == "This is the last text."
    assert review.ask(kind="go", to=0)["text"] == first["text"]
    assert review.ask(kind="go", to="previous")["said"] == "This is the first text."
    assert review.ask(kind="go", to=99)["number"] == 2
    review.number = 1
    assert review.sent[-1]["number"] == 1
    with pytest.raises(traitlets.TraitError, match="from 0 to 2, got 3"):
        review.number = 3


def test_a_verdict_is_saved_and_the_next_unreviewed_text_found(path: Path) -> None:
    review = Heard(path)
    for relation in relations_of(RECORDS[0]):
        told = review.judge(relation, "accepted")
        assert told["saved"] == "saved in texts.jsonl.review"
        assert told["reply"] == {"id": "1"}
    assert told["reviewed"] == review.reviewed == 1
    assert review.ask(kind="go", to="unreviewed")["number"] == 1
    assert review.ask(kind="go", to="unreviewed")["number"] == 2
    assert review.judge(None, "accepted")["reviewed"] == 2
    assert review.ask(kind="go", to="unreviewed")["number"] == 1  # around the end
    review.judge(relations_of(RECORDS[1])[0], "rejected")
    assert review.ask(kind="go", to="unreviewed")["said"] == "Every text is reviewed."
    assert review.judge(relations_of(RECORDS[1])[0], "open")["reviewed"] == 2
    # Opened again it goes on where something is left.
    assert Heard(path).number == 1
    assert Review(f"{path}.review").apply(RECORDS)[0] is RECORDS[0]


def test_a_verdict_lands_on_the_text_it_was_given_on(path: Path) -> None:
    review = Heard(path)
    asked = relations_of(RECORDS[0])[0]
    review.number = 1
    told = review.judge(asked, "rejected", number=0)
    assert told["number"] == 1  # what is shown stays
    assert review.review.verdict(RECORDS[0], asked).word == "rejected"
    assert "expected a relation of this text" in review.judge(asked, "rejected")["failed"]


def test_what_was_not_saved_is_said(path: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    review = Heard(path, out=tmp_path / "file" / "a.review")
    relation = relations_of(RECORDS[0])[0]
    told = review.judge(relation, "rejected")
    assert "could not be written to" in told["failed"]
    assert "saved" not in told
    assert told["relations"][0]["verdict"] == "open"
    assert told["reviewed"] == 0
    wrong = {"effect": "17", "causes": ["9 stars"]}
    told = Heard(path).judge(relation, "edited", edited=wrong)
    assert told["failed"].startswith("'9 stars' not found in the text")


def test_a_text_that_stands_twice_is_reviewed_once(tmp_path: Path) -> None:
    review = Heard([RECORDS[2], RECORDS[1], RECORDS[2]], out=tmp_path / "v.review")
    assert review.judge(None, "accepted")["reviewed"] == 2
    assert review.ask(kind="go", to="unreviewed")["number"] == 1


def test_lines_of_a_journal_that_count(tmp_path: Path) -> None:
    def line(key: str, number: int, status: str = "annotated", **more: Any) -> dict[str, Any]:
        return {"key": key, "line": number, "status": status, **more}

    lines = [
        line("b", 2, **RECORDS[1]),
        line("a", 1, **RECORDS[2]),
        line("c", 3, "failed", reason="timeout"),
        line("a", 1, **RECORDS[0]),
    ]
    path = write_records(tmp_path / "out.jsonl", lines)
    review = Heard(path)
    assert len(review) == 2
    assert review.ask(kind="go", to="next")["text"].startswith("😀 Tom")
    assert review.ask(kind="go", to="previous")["text"].startswith("Mia")
    review.judge(relations_of(RECORDS[0])[0], "accepted")
    (written,) = (tmp_path / "out.jsonl.review").read_text("utf-8").splitlines()
    assert json.loads(written)["key"] == "a"


def test_bad_input_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a file for the verdicts"):
        SignalReview(RECORDS)
    with pytest.raises(ValueError, match="at least one annotated text"):
        SignalReview([], out=tmp_path / "v.review")
    with pytest.raises(FileNotFoundError, match="no such file"):
        SignalReview(tmp_path / "none.jsonl")
    empty = write_records(tmp_path / "failed.jsonl", [{"key": "a", "status": "failed"}])
    with pytest.raises(ValueError, match="at least one annotated text"):
        SignalReview(empty)
    broken = write_records(tmp_path / "broken.jsonl", [{"input": "a"}])
    with pytest.raises(ValueError, match=r"broken.jsonl:1: expected a field 'target'"):
        SignalReview(broken)


def test_damaged_lines_of_the_verdicts_are_told_at_once(path: Path) -> None:
    Path(f"{path}.review").write_text("{\n")
    assert "texts.jsonl.review:1: no verdict" in Heard(path).sent[0]["said"]


def test_where_widgets_are_not_drawn_there_is_a_picture(path: Path, tmp_path: Path) -> None:
    review = catviz.SignalReview(path)
    assert repr(review) == "<SignalReview of 3 texts, 0 reviewed>"
    bundle = review._repr_mimebundle_()
    assert bundle is not None
    assert bundle[0]["image/png"].startswith("iVBOR")
    bare = SignalReview([Example("Is it? Answer:", "no")], out=tmp_path / "v.review")
    assert "Is it?" in bare.static().alt


def test_the_program_is_whole_and_readable() -> None:
    text = review_module()
    for file in FOLDER.glob("*.js"):
        written = file.read_text(encoding="utf-8")
        assert written in text
        lines = written.splitlines()
        assert lines[0].startswith("// ")
        assert len(lines) < 400
        assert max(map(len, lines)) <= 100
    assert json.dumps((FOLDER / "review.css").read_text(encoding="utf-8")) in text
    assert text.count("export default") == 1
    assert "console." not in text
    assert "innerHTML" not in text
