"""`cat.annotate.texts` and `questions`: which texts there are, and which of them are the same."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cat.annotate.asking.endpoint import Endpoint
from cat.annotate.questions import key_of, questions
from cat.annotate.texts import as_texts, read_texts
from tests.cat.annotate.problems import MAWPS, problems

GOOD = [json.dumps(record) for record in problems(3)]
BROKEN = [
    ('{"input": "Box 1 holds', "expected one JSON record"),
    ("[1]", "expected a JSON object, got list"),
    ('{"input": "Two and two?"}', "expected a field 'target'"),
    ('{"input": " ", "target": "4"}', "expected a text in 'input'"),
    ('{"input": "Two and two?", "target": " "}', "expected an answer in 'target'"),
    ('{"input": "Two and two?", "target": null}', "expected a text or a number in 'target'"),
    ('{"input": "Two and \\ud800?", "target": "4"}', "expected whole characters"),
]


@pytest.mark.parametrize(("broken", "reason"), BROKEN)
def test_broken_lines_are_named_and_the_rest_goes_on(
    tmp_path: Path, broken: str, reason: str
) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text("\n".join([GOOD[0], "", broken, *GOOD[1:]]) + "\n", encoding="utf-8")
    texts = read_texts(path)
    assert [text.line for text in texts.items] == [1, 4, 5]
    assert [text.record for text in texts.items] == problems(3)
    (line,) = texts.broken
    assert line.line == 3
    assert str(line).startswith(f"{path}:3: {reason}")
    assert str(texts) == "3 texts, 1 broken line left out"
    assert str(texts.first(1)) == "1 text, 1 broken line left out"


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(GOOD[0].encode() + b"\n\xff\xfe\n" + GOOD[1].encode())
    texts = read_texts(path)
    assert [text.line for text in texts.items] == [1, 3]
    assert [line.line for line in texts.broken] == [2]


@pytest.mark.parametrize("content", ["", "\n\n", "hello\nyou\n"])
def test_a_file_without_texts(tmp_path: Path, content: str) -> None:
    path = tmp_path / "in.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match="expected at least one text"):
        read_texts(path)
    with pytest.raises(FileNotFoundError, match=r"none.jsonl: no such file"):
        read_texts(tmp_path / "none.jsonl")


def test_earlier_signals_do_not_reach_the_question() -> None:
    record = problems(1)[0]
    (bare,) = as_texts([record]).items
    (annotated,) = as_texts([{**record, "important": "nonsense"}]).items
    assert annotated.example == bare.example


def test_what_makes_a_key() -> None:
    endpoint = Endpoint("m", max_tokens=10, timeout=1.0)
    messages = MAWPS.messages(as_texts(problems(1)).items[0].example)
    key = key_of(endpoint, messages)
    assert len(key) == 32
    same = [
        Endpoint("m", "http://localhost:8000/v1"),
        Endpoint("m", api_key_variable="OTHER_KEY"),
        Endpoint("m", max_tokens=2000, timeout=60.0),
    ]
    assert {key_of(one, messages) for one in same} == {key}
    others = {key_of(Endpoint("n"), messages), key_of(Endpoint("m", temperature=0.5), messages)}
    others |= {key_of(endpoint, messages[:-1]), key_of(endpoint, [*messages[:-1], messages[0]])}
    assert len(others | {key}) == 5


def test_texts_that_say_the_same_have_one_question() -> None:
    a, b = problems(2)
    texts = as_texts([a, b, a, {**a, "target": int(a["target"])}, {**a, "target": "7"}]).items
    asked = questions(texts, MAWPS, Endpoint("m"))
    first = asked[0].key
    assert [one.key for one in asked[2:4]] == [f"{first}.2", f"{first}.3"]
    assert [one.copy_of for one in asked] == [None, None, first, first, None]
    assert len({one.key for one in asked}) == 5
