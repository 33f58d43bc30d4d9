"""`cat.id_search`: which pairs a search for token ids misses, on texts where it can be told."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from cat.alignment import Aligned, align
from cat.id_search import lost_by_id_search
from cat.signals import Example, Signal, find_phrase
from tests.cat.alignment_kit import byte_level, character, of_words


def aligned(text: str, effect: str, cause: str, tokenizer: Any) -> list[Aligned]:
    return [align(Example(text, "", (Signal(effect, (cause,)),)), tokenizer)]


@pytest.mark.parametrize(
    ("text", "effect", "cause", "spaced", "either"),
    [
        ("so a b", "b", "a", 0, 0),
        ("a b", "b", "a", 1, 0),  # nothing before the first word
        ("so\na b", "b", "a", 1, 0),
        ("so (a) b", "b", "a", 1, 0),
        ("so b a", "b", "a", 0, 0),  # not in order: not the search's fault
        ("so a b", "c", "a", 0, 0),  # nor what is not there
        ("so a b a", "a", "b", 0, 0),  # a later place is found
        ("so (b) a b", "a", "b", 1, 0),  # found, but behind the effect
    ],
)
def test_with_a_space_before_it_or_either_way(
    text: str, effect: str, cause: str, spaced: int, either: int
) -> None:
    tokenizer = character(["so ab()\n"])
    items = aligned(text, effect, cause, tokenizer)
    assert lost_by_id_search(items, tokenizer) == spaced
    assert lost_by_id_search(items, tokenizer, "either") == either


def test_a_token_over_the_phrases_end_is_not_found_either_way() -> None:
    """As "%;" in STG_H."""
    tokenizer = of_words("13%;", "13", "%", ";", "bad")
    items = aligned("13%; bad", "bad", "13%", tokenizer)
    assert items[0].pairs[0].outcome == "aligned"
    assert lost_by_id_search(items, tokenizer, "either") == 1


def test_against_a_search_in_text() -> None:
    """With characters for tokens, ids are found where the characters are."""
    rng = Random(6)
    tokenizer = character(["ab "])
    lost = 0
    for _ in range(500):
        text = "a" + "".join(rng.choices("ab  ", k=12)).rstrip()
        effect, cause = rng.choices(["a", "b", "ab", "a b"], k=2)
        items = aligned(text, effect, cause, tokenizer)
        expected = False
        if items[0].pairs[0].outcome == "aligned":
            ends = [
                i + len(cause) + 1 for i in range(len(text)) if text[i:].startswith(f" {cause}")
            ]
            starts = [i for i in range(len(text)) if text[i:].startswith(f" {effect}")]
            expected = not any(end <= start for end in ends for start in starts)
        assert lost_by_id_search(items, tokenizer) == expected
        lost += expected
    assert lost > 10


def test_either_way_never_loses_more() -> None:
    rng = Random(6)
    words = ["figs", "12", "$5.", "Ben", "(8)", "=8", "\n"]
    texts = [" ".join(rng.choices(words, k=12)) for _ in range(60)]
    tokenizer = byte_level(texts)
    items = [
        align(Example(text, "", (Signal(effect, tuple(words)),)), tokenizer)
        for text in texts
        for effect in ("8", "figs", "5")
        if find_phrase(text, effect)
    ]
    spaced = lost_by_id_search(items, tokenizer)
    either = lost_by_id_search(items, tokenizer, "either")
    assert 0 <= either < spaced
