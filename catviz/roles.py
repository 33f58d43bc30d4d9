"""Which tokens make up each word, and what the word is to the answer.

Roles come from an :class:`~cat.signals.Example` that knows them (the game's texts do), from
phrases, from regular expressions, from places in the text, or by hand, one a token.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from cat.alignment import Aligned
from cat.signals import Example, RoleSpan, Span, find_phrase
from cat.stg import annotate
from catviz.words import ROLES, Role, Word

__all__ = ["Roles", "mark_roles", "words_by_hand", "words_of"]

Place = str | re.Pattern[str] | Span
Roles = Mapping[Role, Place | Iterable[Place]]
"""Role -> what has it: phrases (every occurrence), regular expressions (every match; the first
group where there is one), or character spans."""


def mark_roles(text: str | Example, roles: Roles | None = None) -> Example:
    """The text as an example that knows the roles of its words.

    Args:
        roles: None to take those that the example brings, or else those of the game's factors, or
            else the causes that its signals name.

    Raises:
        ValueError: an empty text, an unknown role, a phrase or expression that is not in the text,
            places of two roles that overlap.

    >>> example = mark_roles("Smoking: 8, Room: 3", {"causal": "Smoking: 8",
    ...                                              "irrelevant": re.compile(r"Room: (\\d)")})
    >>> [(role.name, role.role) for role in example.roles]
    [('Smoking: 8', 'causal'), ('3', 'irrelevant')]
    """
    example = text if isinstance(text, Example) else Example(text, "")
    if roles is None:
        if not example.roles:
            example = annotate(example)
        return example if example.roles else replace(example, roles=_causes(example))
    found = [
        RoleSpan(span, example.full_text[span.start : span.end], role)
        for role, places in roles.items()
        for place in _places(places)
        for span in _spans(example.full_text, place, role)
        if role != "other"
    ]
    return replace(example, roles=_in_order(found))


def words_of(aligned: Aligned, length: int | None = None) -> tuple[Word, ...]:
    """The words of an aligned example, in order: each factor is one, every other token is one.

    Args:
        length: keep the words of the first ``length`` tokens, for example of the prompt alone.

    >>> from cat.alignment import align
    >>> from cat.models import tiny_tokenizer
    >>> from cat.stg import stg_e
    >>> example = annotate(Example.from_record(stg_e()["test_ood"][0]))
    >>> [word.role for word in words_of(align(example, tiny_tokenizer()))][2:5]
    ['irrelevant', 'irrelevant', 'spurious']
    """
    length = len(aligned.input_ids) if length is None else length
    text = aligned.example.full_text
    words: list[Word] = []
    end = 0  # tokens told so far
    for factor in aligned.example.roles:
        tokens = [t for t in aligned.tokens_of(factor.span) if end <= t < length]
        if not tokens:
            continue
        words += _single_tokens(aligned, text, end, tokens[0])
        label = text[factor.span.start : factor.span.end]
        words.append(Word(tokens[0], tokens[-1] + 1, label, factor.role))
        end = tokens[-1] + 1
    return (*words, *_single_tokens(aligned, text, end, length))


def words_by_hand(tokens: Sequence[str], roles: Sequence[Role]) -> tuple[Word, ...]:
    """One word a token, with the role given for it.

    >>> [word.role for word in words_by_hand(["Smoking", ":", "8"], ["causal", "other", "causal"])]
    ['causal', 'other', 'causal']
    """
    if len(tokens) != len(roles):
        raise ValueError(
            f"expected one role for each of the {len(tokens)} tokens, got {len(roles)} roles"
        )
    return tuple(
        Word(t, t + 1, token.strip() or "·", role)
        for t, (token, role) in enumerate(zip(tokens, roles, strict=True))
    )


def _single_tokens(aligned: Aligned, text: str, start: int, stop: int) -> list[Word]:
    def label(t: int) -> str:
        place = aligned.offsets[t]
        return text[place.start : place.end].strip() or "·"

    return [Word(t, t + 1, label(t), "other") for t in range(start, stop)]


def _causes(example: Example) -> tuple[RoleSpan, ...]:
    """Every place that a signal of the example names as a cause, once."""
    text = example.full_text
    spans = {
        span
        for signal in example.signals
        for cause in signal.causes
        for span in ((cause,) if isinstance(cause, Span) else find_phrase(text, cause))
    }
    kept: list[Span] = []
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if not kept or span.start >= kept[-1].end:
            kept.append(span)
    return tuple(RoleSpan(span, text[span.start : span.end], "causal") for span in kept)


def _places(places: Place | Iterable[Place]) -> list[Place]:
    if isinstance(places, str | re.Pattern | Span):
        return [places]
    return list(places)


def _spans(text: str, place: Place, role: Role) -> list[Span]:
    if role not in ROLES:
        raise ValueError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
    if isinstance(place, Span):
        if not 0 <= place.start < place.end <= len(text):
            raise ValueError(
                f"{role}: expected characters within 0..{len(text)}, got {tuple(place)}"
            )
        return [place]
    if isinstance(place, re.Pattern):
        group = 1 if place.groups else 0
        spans = [Span(*match.span(group)) for match in place.finditer(text) if match[group]]
        kind, said = "regular expression", place.pattern
    else:
        spans, kind, said = list(find_phrase(text, place)), "phrase", place
    if not spans:
        raise ValueError(
            f"{role}: the {kind} {said!r} is not in the text {_short(text)}; upper and lower case "
            "count, and a phrase does not cut words or numbers"
        )
    return spans


def _in_order(found: Iterable[RoleSpan]) -> tuple[RoleSpan, ...]:
    ordered = sorted(set(found), key=lambda role: role.span)
    for one, other in pairwise(ordered):
        if other.span.start < one.span.end:
            raise ValueError(
                f"{one.name!r} ({one.role}) and {other.name!r} ({other.role}) overlap in the "
                "text: give each character one role"
            )
    return tuple(ordered)


def _short(text: str, width: int = 80) -> str:
    return repr(text if len(text) <= width else f"{text[: width - 1]}…")
