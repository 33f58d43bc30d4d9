"""Texts with their keys: what is asked of the assistant, and what was asked before.

A key is a hash of all that decides an answer: the model, the temperature and the messages, and so
of the text, the instructions and the worked examples. It is not of the URL (one model behind two
URLs is one model), nor of limits of time, tokens or money (raising them does not make what was paid
for worthless).
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from cat.annotate.asking.endpoint import Endpoint, Messages
from cat.annotate.texts import Text
from cat.signals import Example

__all__ = ["Asks", "Question", "key_of", "questions"]


class Asks(Protocol):
    """What :class:`cat.annotate.instructions.Instructions` does here."""

    def messages(self, example: Example, *, plain: bool = False) -> Messages: ...


@dataclass(frozen=True)
class Question:
    """A text and the key of its answer.

    Attributes:
        key: names its line in the journal, and its request in a batch.
        text: where it stands, and what it says.
        copy_of: the key of the first text that says the same; this one is not asked for, it gets
            that one's answer.
    """

    key: str
    text: Text
    copy_of: str | None = None


def key_of(endpoint: Endpoint, messages: Messages) -> str:
    """The key of an answer, 32 hexadecimal digits.

    >>> hello = [{"role": "user", "content": "Hello"}]
    >>> key_of(Endpoint("m"), hello) == key_of(Endpoint("m", "http://localhost:8000/v1"), hello)
    True
    >>> key_of(Endpoint("m"), hello) == key_of(Endpoint("m", temperature=1.0), hello)
    False
    """
    decisive = [endpoint.model, endpoint.temperature, [dict(message) for message in messages]]
    content = json.dumps(decisive, sort_keys=True)  # escaped, so that half a character will do
    return hashlib.sha256(content.encode()).hexdigest()[:32]


def questions(texts: Iterable[Text], instructions: Asks, endpoint: Endpoint) -> list[Question]:
    """A question for each text; of texts that say the same, the first is asked for all.

    The second of them has the first's key with ".2" behind it, the third ".3".
    """
    asked = []
    seen: Counter[str] = Counter()
    for text in texts:
        key = key_of(endpoint, instructions.messages(text.example))
        seen[key] += 1
        if seen[key] == 1:
            asked.append(Question(key, text))
        else:
            asked.append(Question(f"{key}.{seen[key]}", text, copy_of=key))
    return asked
