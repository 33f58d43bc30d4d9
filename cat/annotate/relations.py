"""What the assistant says: relations of an effect phrase and its cause phrases, as JSON.

A reply is ``{"relations": [{"effect": "84", "causes": ["89 apples", "gives away 5"]}]}``. It is
read as it stands or not at all: what is broken is told by reason, never mended by guessing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

__all__ = [
    "SCHEMA",
    "Relation",
    "UnreadableReply",
    "read_relations",
    "relations_in",
    "write_relations",
]

Reason = Literal["empty", "invalid JSON", "wrong schema"]

SCHEMA: Mapping[str, Any] = {
    "type": "object",
    "properties": {
        "relations": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "effect": {"type": "string"},
                    "causes": {"type": "array", "items": {"type": "string"}},
                },
                "required": ["effect", "causes"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["relations"],
    "additionalProperties": False,
}
"""The JSON schema of a reply, in the form that strict structured output asks for."""


@dataclass(frozen=True)
class Relation:
    """An effect phrase and the phrases that determine it, as the assistant wrote them."""

    effect: str
    causes: tuple[str, ...]


class UnreadableReply(ValueError):
    """A reply that is no list of relations.

    Attributes:
        reason: "empty", "invalid JSON" or "wrong schema".
        detail: what was expected, and what came.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason: Reason = reason
        self.detail = detail


def read_relations(text: str) -> tuple[Relation, ...]:
    """The relations of a reply.

    Words or a code fence around one JSON object are left aside, and so are keys beside those of
    the schema; nothing else is mended.

    Raises:
        UnreadableReply: "empty", "invalid JSON" (also a half or a second object), "wrong schema".

    >>> read_relations('{"relations": [{"effect": "84", "causes": ["89 apples"]}]}')
    (Relation(effect='84', causes=('89 apples',)),)
    """
    if not text.strip():
        raise UnreadableReply("empty", "the reply has no text")
    return relations_in(_json_object(text))


def relations_in(data: object) -> tuple[Relation, ...]:
    """The relations of decoded JSON or YAML.

    Raises:
        UnreadableReply: "wrong schema", with the place of the fault.
    """
    listed = _field(data, "relations", "the reply")
    if not isinstance(listed, list):
        raise _wrong("a list in 'relations'", listed)
    relations = []
    for n, item in enumerate(listed):
        where = f"relations[{n}]"
        effect, causes = _field(item, "effect", where), _field(item, "causes", where)
        if not isinstance(causes, list):
            raise _wrong(f"a list in {where}.causes", causes)
        relations.append(
            Relation(
                _phrase(effect, f"{where}.effect"),
                tuple(_phrase(cause, f"{where}.causes[{c}]") for c, cause in enumerate(causes)),
            )
        )
    return tuple(relations)


def write_relations(relations: tuple[Relation, ...]) -> str:
    """A reply as :func:`read_relations` reads it, on one line.

    >>> write_relations((Relation("84", ("89 apples",)),))
    '{"relations": [{"effect": "84", "causes": ["89 apples"]}]}'
    """
    listed = [{"effect": one.effect, "causes": list(one.causes)} for one in relations]
    return json.dumps({"relations": listed}, ensure_ascii=False)


def _json_object(text: str) -> object:
    """The reply's one JSON value: all of the text, or the one object with relations in it."""
    try:
        return _DECODER.decode(text.strip())
    except (json.JSONDecodeError, RecursionError):
        pass  # something stands around it, or it is broken
    starts = [match.start() for match in _BEGINNING.finditer(text)]
    if not starts and "{" in text:
        starts = [text.index("{")]  # an object of another kind: decoded, to say so
    if len(starts) != 1:
        raise UnreadableReply("invalid JSON", f"expected one JSON object, got {len(starts)}")
    try:
        return _DECODER.raw_decode(text, starts[0])[0]
    except (json.JSONDecodeError, RecursionError) as error:
        raise UnreadableReply("invalid JSON", str(error)) from error


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Python's decoder would keep the last of two equal keys in silence."""
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise UnreadableReply("wrong schema", f"expected each key once, got {keys}")
    return found


_DECODER = json.JSONDecoder(object_pairs_hook=_unique_keys)
_BEGINNING = re.compile(r'\{\s*"relations"\s*:')


def _field(data: object, name: str, where: str) -> object:
    if not isinstance(data, Mapping) or name not in data:
        raise _wrong(f"an object with {name!r} in {where}", data)
    return data[name]


def _phrase(data: object, where: str) -> str:
    if not isinstance(data, str):
        raise _wrong(f"a text in {where}", data)
    if any("\ud800" <= letter <= "\udfff" for letter in data):  # JSON may hold half a character
        raise _wrong(f"whole characters in {where}", data)
    return data


def _wrong(expected: str, got: object) -> UnreadableReply:
    shown = repr(got)
    shown = shown if len(shown) <= 80 else f"{shown[:79]}…"
    return UnreadableReply("wrong schema", f"expected {expected}, got {shown}")
