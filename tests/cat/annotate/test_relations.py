"""`cat.annotate.relations`: a reply is read as it stands, or refused with its reason."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from random import Random
from typing import Any

import pytest

from cat.annotate.relations import (
    SCHEMA,
    Relation,
    UnreadableReply,
    read_relations,
    relations_in,
    write_relations,
)

FIGS = (
    Relation("#### 8", ("12 figs", 'ate "four"')),
    Relation("{8}", ("a\\b",)),
    Relation("c", ()),
)
ALPHABET = 'ab 12\n\t"\\{}[]:,`’é木😀'


def reason_of(reply: str) -> str:
    with pytest.raises(UnreadableReply) as refused:
        read_relations(reply)
    assert str(refused.value) == f"{refused.value.reason}: {refused.value.detail}"
    return refused.value.reason


def test_what_is_written_is_read() -> None:
    rng = Random(6)

    def phrase() -> str:
        return "".join(rng.choices(ALPHABET, k=rng.randint(1, 12)))

    for _ in range(300):
        relations = tuple(
            Relation(phrase(), tuple(phrase() for _ in range(rng.randint(0, 3))))
            for _ in range(rng.randint(0, 4))
        )
        assert read_relations(write_relations(relations)) == relations


@pytest.mark.parametrize(
    "around",
    [
        "{}",
        "\ufeff  {}\n",
        "```json\n{}\n```",
        "```\n{}```",
        "Here are the relations:\n\n{}\n\nLet me know if you need more.",
        "We halve it, \\frac{{1}}{{2}}, so {{x}} is the cause.\n{}",
    ],
)
def test_what_stands_around_the_object_is_left_aside(around: str) -> None:
    assert read_relations(around.format(write_relations(FIGS))) == FIGS
    spread = json.dumps(json.loads(write_relations(FIGS)), indent=2)
    assert read_relations(around.format(spread)) == FIGS


def test_a_reply_cut_anywhere_is_never_read() -> None:
    for reply in (write_relations(FIGS), f"```json\n{write_relations(FIGS)}"):
        for end in range(1, len(reply)):
            assert reason_of(reply[:end]) == "invalid JSON"


@pytest.mark.parametrize("reply", ["", " \n\t"])
def test_an_empty_reply(reply: str) -> None:
    assert reason_of(reply) == "empty"


@pytest.mark.parametrize(
    "reply",
    [
        "I cannot help with that.",
        "{'relations': []}",
        '{"relations": [{"effect": "8", "causes": ["12"]},]}',
        '{"relations": []} {"relations": []}',
        '{"relations": [{"effect": "8", "causes": ["12"}]}',
        "[" * 100_000,
    ],
)
def test_what_is_no_json(reply: str) -> None:
    assert reason_of(reply) == "invalid JSON"


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        ("[]", "an object with 'relations' in the reply, got []"),
        ("null", "an object with 'relations' in the reply, got None"),
        ('{"8": ["12 figs"]}', "an object with 'relations' in the reply"),
        ('Sure: {"signals": []}', "an object with 'relations' in the reply"),
        ('{"relations": {"8": ["12"]}}', "a list in 'relations'"),
        ('{"relations": ["8"]}', "an object with 'effect' in relations[0], got '8'"),
        ('{"relations": [{"effect": "8"}]}', "an object with 'causes' in relations[0]"),
        ('{"relations": [{"effect": 8, "causes": []}]}', "a text in relations[0].effect, got 8"),
        ('{"relations": [{"effect": "8", "causes": "12"}]}', "a list in relations[0].causes"),
        (
            '{"relations": [{"effect": "8", "causes": ["12", null]}]}',
            "a text in relations[0].causes[1], got None",
        ),
        (
            '{"relations": [{"effect": "8", "causes": [], "effect": "9"}]}',
            "each key once, got ['effect', 'causes', 'effect']",
        ),
        (
            '{"relations": [{"effect": "\\ud83d", "causes": []}]}',
            "whole characters in relations[0]",
        ),
    ],
)
def test_what_is_json_of_another_form(reply: str, detail: str) -> None:
    assert reason_of(reply) == "wrong schema"
    with pytest.raises(UnreadableReply) as refused:
        read_relations(reply)
    assert f"expected {detail}" in refused.value.detail


def test_other_keys_and_escaped_characters_do_no_harm() -> None:
    reply = '{"why": "?", "relations": [{"effect": "\\ud83d\\ude00", "causes": [], "note": 1}]}'
    assert read_relations(reply) == (Relation("😀", ()),)


def test_a_long_value_is_shortened_in_the_error() -> None:
    with pytest.raises(UnreadableReply) as refused:
        relations_in({"relations": "x" * 10_000})
    assert len(str(refused.value)) < 200


def objects_in(schema: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(schema, Mapping):
        if schema.get("type") == "object":
            yield schema
        for part in schema.values():
            yield from objects_in(part)


def test_the_schema_is_strict_and_says_what_is_read() -> None:
    """OpenAI's strict mode asks for these two of every object."""
    found = list(objects_in(SCHEMA))
    assert len(found) == 2
    for one in found:
        assert one["additionalProperties"] is False
        assert one["required"] == list(one["properties"])
    json.dumps(SCHEMA)
    written = json.loads(write_relations(FIGS))
    assert set(written) == set(SCHEMA["properties"])
    items = SCHEMA["properties"]["relations"]["items"]
    assert all(set(relation) == set(items["properties"]) for relation in written["relations"])
