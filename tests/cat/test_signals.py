"""`cat.signals`: the forms that annotations come in, where phrases stand, and files cut in two."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cat.signals import (
    Example,
    Signal,
    Span,
    find_phrase,
    parse_signals,
    read_examples,
    read_records,
    write_records,
)

# --- the forms of an annotation -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "signals"),
    [
        ([{"e": ["a", "b"]}], (Signal("e", ("a", "b")),)),
        ([{"e": ["a"]}, {"f": ["b"]}], (Signal("e", ("a",)), Signal("f", ("b",)))),
        ([{"e": ["a"], "f": ["b"]}], (Signal("e", ("a",)), Signal("f", ("b",)))),
        ({"e": ["a"]}, (Signal("e", ("a",)),)),
        ([{"e": "a, b"}], (Signal("e", ("a, b",)),)),
        ([{"e": {"a": "x", "b": []}}], (Signal("e", ("a", "b")),)),
        ([{"e": []}], (Signal("e", ()),)),
        ([{"e": ""}], (Signal("e", ("",)),)),
        ([{}], ()),
        ([], ()),
        ({}, ()),
        (None, ()),
    ],
)
def test_parse_signals(raw: Any, signals: tuple[Signal, ...]) -> None:
    assert parse_signals(raw) == signals


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ("e", "here: expected 'important' as a list of {effect: .causes.}, got 'e'"),
        (3, "got 3"),
        (["e"], r"got \['e'\]"),
        ([{"e": None}], "here: expected a list of cause phrases, got None"),
        ([{"e": 3}], "cause phrases, got 3"),
        ([{"e": ["a", 3]}], r"cause phrases, got \['a', 3\]"),
    ],
)
def test_parse_signals_refuses(raw: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse_signals(raw, "here")


def test_the_authors_annotations_are_all_read(authors_data: Path) -> None:
    """Every cause phrase of every file, counted in the raw JSON."""
    forms: Counter[str] = Counter()
    for file in sorted(authors_data.glob("*/*.jsonl")):
        for (_, record), example in zip(read_records(file), read_examples(file), strict=True):
            groups = record.get("important") or []
            forms["empty"] += "important" in record and not groups
            wanted = [
                (effect, [causes] if isinstance(causes, str) else list(causes))
                for group in groups
                for effect, causes in group.items()
            ]
            assert [(s.effect, list(s.causes)) for s in example.signals] == wanted
            forms.update(type(causes).__name__ for g in groups for causes in g.values())
    assert forms["str"] > 50
    assert forms["dict"] == 1
    assert forms["empty"] == 177


def test_empty_annotations_of_mawps(authors_data: Path) -> None:
    examples = read_examples(authors_data / "MAWPS/mawps_train.jsonl")
    assert len(examples) == 1239
    assert sum(not example.signals for example in examples) == 55


# --- where a phrase stands ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "phrase", "starts"),
    [
        ("5 apples", "5", [0]),
        ("15 apples", "5", []),
        ("51 apples", "5", []),
        ("5.0 apples", "5", []),
        ("1.5 apples", "5", []),
        ("5.0 apples", "5.0", [0]),
        ("15.0 apples", "5.0", []),
        ("5.05 apples", "5.0", []),
        ("1,500 apples", "1", []),
        ("1,500 apples", "500", []),
        ("1,500 apples", "1,500", [0]),
        ("1,500,000 apples", "500", []),
        ("He has 5.", "5", [7]),
        ("He has 5, she 6.", "5", [7]),
        ("He has 5, she 6.", "6", [14]),
        ("$5", "5", [1]),
        ("5%", "5", [0]),
        ("(5)", "5", [1]),
        ("7+5=12", "5", [2]),
        ("5 and 5 and 5", "5", [0, 6, 12]),
        ("5", "5", [0]),
        ("apples", "apple", []),
        ("pineapple", "apple", []),
        ("apple-tree", "apple", [0]),
        ("Apple", "apple", []),
        ("a a a", "a a", [0, 2]),
        ("now  now", "now", [0, 5]),
        ("of the five", "the", [3]),
        ("the five", " the ", [0]),
        ("the five", "the\n", [0]),
        ("A. one", "A.", [0]),
        ("A.one", "A.", [0]),
        ("3.one", "3.", [0]),
        ("3.5", "3.", []),
        ("3.5", ".5", []),
        ("", "a", []),
        ("a", "", []),
        ("a", "  ", []),
        ("a", "ab", []),
        ("Zoë’s café, 3 µg", "café", [6]),
        ("Zoë’s café, 3 µg", "caf", []),
        ("Zoë’s café, 3 µg", "Zoë", [0]),
        ("Straße", "Stra", []),
        ("😀 joy 😀", "😀", [0, 6]),
        ("٣٥ ٥", "٥", [3]),
        ("a_b", "a", [0]),
        ("a*b (c)", "*b (", [1]),
    ],
)
def test_find_phrase(text: str, phrase: str, starts: list[int]) -> None:
    length = len(phrase.strip())
    assert find_phrase(text, phrase) == tuple(Span(s, s + length) for s in starts)


def test_find_phrase_against_a_pattern(authors_data: Path) -> None:
    """Words and numbers as one pattern matches them; no occurrence may end inside of one."""
    word = re.compile(r"[^\W_]+(?:(?<=\d)[.,](?=\d)[^\W_]+)*")
    found = 0
    for file in ("GSM8k/gsm8k_val", "ARC_E/ARC_E_train", "SVAMP/svamp_train"):
        for example in read_examples(authors_data / f"{file}.jsonl")[::4]:
            text = example.full_text
            inside = {i for m in word.finditer(text) for i in range(m.start() + 1, m.end())}
            phrases = {p for signal in example.signals for p in (signal.effect, *signal.causes)}
            for phrase in map(str.strip, map(str, phrases)):
                starts = [i for i in range(len(text)) if phrase and text.startswith(phrase, i)]
                wanted = [i for i in starts if not {i, i + len(phrase)} & inside]
                assert [span.start for span in find_phrase(text, phrase)] == wanted
                found += len(wanted)
    assert found > 10_000


# --- Example --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["How many? Answer: ", "How many? Answer:", "How many? Answer:\n "]
)
@pytest.mark.parametrize("answer", ["8", "High Risk", ""])
def test_prompt_and_answer_are_joined_by_one_space(text: str, answer: str) -> None:
    example = Example(text, answer)
    assert example.prompt == "How many? Answer:"
    assert example.full_text == f"How many? Answer: {answer}".rstrip()
    assert example.full_text[: example.boundary] == example.prompt
    start, end = example.answer_span
    assert example.full_text[start:end] == answer
    assert end == len(example.full_text)


def test_an_example_needs_a_prompt() -> None:
    with pytest.raises(ValueError, match="expected a prompt, got an empty text"):
        Example(" \n", "8")


def test_from_record() -> None:
    record = {"input": "Two?  ", "target": 2.0, "important": [{"2.0": ["Two"]}], "idx": 7}
    assert Example.from_record(record) == Example("Two?  ", "2.0", (Signal("2.0", ("Two",)),))
    assert Example.from_record({"input": "Two?", "target": " 2 "}).answer == "2"


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"target": "8"}, r"f:3: expected a field 'input', got \['target'\]"),
        ({"input": "How?"}, r"f:3: expected a field 'target', got \['input'\]"),
        ({"input": "", "target": "8"}, "f:3: expected a text in 'input', got ''"),
        ({"input": None, "target": "8"}, "f:3: expected a text in 'input', got None"),
        ({"input": ["How?"], "target": "8"}, "f:3: expected a text in 'input'"),
        ({"input": "How?", "target": None}, "f:3: expected a text or a number in 'target', got N"),
        ({"input": "How?", "target": ["8"]}, r"text or a number in 'target', got \['8'\]"),
        ({"input": "How?", "target": "8", "important": "How"}, "f:3: expected 'important' as"),
    ],
)
def test_from_record_refuses(record: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Example.from_record(record, "f:3")


# --- files ----------------------------------------------------------------------------------------

RECORDS = [{"input": "Zoë’s? Answer: ", "target": str(n), "important": []} for n in range(3)]


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = write_records(tmp_path / "new" / "folder" / "data.jsonl", RECORDS)
    assert [record for _, record in read_records(path)] == RECORDS
    assert [where for where, _ in read_records(path)] == [f"{path}:{n}" for n in (1, 2, 3)]
    assert [example.answer for example in read_examples(path)] == ["0", "1", "2"]
    text = path.read_bytes().decode("utf-8")
    assert "Zoë’s" in text  # readable, not \u-escaped
    assert text.count("\n") == 3
    assert "\r" not in text
    assert list(path.parent.iterdir()) == [path]


def test_empty_lines_are_passed_over_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    lines = [json.dumps(record) for record in RECORDS]
    path.write_text(f"{lines[0]}\n\n  \r\n{lines[1]}\r\n{lines[2]}", encoding="utf-8")
    assert [where for where, _ in read_records(path)] == [f"{path}:{n}" for n in (1, 4, 5)]


def test_a_file_cut_anywhere_names_its_last_line(tmp_path: Path) -> None:
    """At every byte of the last line, in the middle of a character too."""
    whole = write_records(tmp_path / "whole.jsonl", RECORDS).read_bytes().rstrip(b"\n")
    last = whole.rindex(b"\n") + 1
    cut = tmp_path / "cut.jsonl"
    for length in range(last + 1, len(whole)):
        cut.write_bytes(whole[:length])
        records = read_records(cut)
        assert next(records)[1] == RECORDS[0]
        assert next(records)[1] == RECORDS[1]
        with pytest.raises(ValueError, match=rf"{re.escape(str(cut))}:3: .* was the file cut off"):
            next(records)


def test_a_broken_line_names_its_column(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"input": "a", "target": "b"}\n{"input": oops}\n', encoding="utf-8")
    with pytest.raises(ValueError, match=r"data\.jsonl:2: .*\(Expecting value at column 11\)"):
        read_examples(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected at least one record, got an empty file"),
        ("\n \n", "expected at least one record, got an empty file"),
        ("[1, 2]\n", "data.jsonl:1: expected a JSON object, got list"),
        ('"text"\n', "data.jsonl:1: expected a JSON object, got str"),
        ("null\n", "data.jsonl:1: expected a JSON object, got NoneType"),
        ('{"target": "8"}\n', "data.jsonl:1: expected a field 'input'"),
    ],
)
def test_read_examples_refuses(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_examples(path)


def test_a_missing_file_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"none\.jsonl: no such file.*cat-tune data stg-e"):
        read_examples(tmp_path / "none.jsonl")
    with pytest.raises(FileNotFoundError, match="no such file"):
        read_examples(tmp_path)  # a folder is no file


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = write_records(tmp_path / "data.jsonl", RECORDS)
    before = path.read_bytes()

    def breaks_off() -> Iterator[dict[str, Any]]:
        yield {"input": "new", "target": "new"}
        raise RuntimeError("power failure")

    for target in (path, tmp_path / "new.jsonl"):
        with pytest.raises(RuntimeError, match="power failure"):
            write_records(target, breaks_off())
    assert path.read_bytes() == before
    assert not (tmp_path / "new.jsonl").exists()
    assert list(tmp_path.glob("*.jsonl")) == [path]
    write_records(path, RECORDS[:1])
    assert len(read_examples(path)) == 1
