"""What the page is told of one text: its words, its relations with their places, the faults."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from cat.alignment import align
from cat.annotate.checking import Fault, check
from cat.annotate.relations import Relation
from cat.annotate.review import Review, relations_of
from cat.signals import Example, Span
from catviz.signal_places import ABSENT, LATE, place_relation

__all__ = ["marked_text"]

Record = Mapping[str, Any]
Marked = dict[str, Any]

_TOLD = {
    "absent": ABSENT,
    "order": LATE,
    "answer not covered": "No relation explains the answer.",
    "no relations": "The annotation names no relation.",
}


def marked_text(item: Record | Example, review: Review, tokenizer: Any = None) -> Marked:
    """One text for the page, as JSON.

    Returns:
        ``text``; ``answer``, the character at which the answer begins; ``verdict`` on the whole;
        ``relations``: each with ``effect``, ``causes``, their places as [start, end] in
        characters, ``faults`` in words, ``verdict``, and ``edited``, the same of what stands in
        its place; ``faults`` of the text as it would be trained on now, and the pairs that the
        checks had left out when it was annotated; with a tokenizer, ``tokens`` and their
        supervised ``rows``: [row, its keys].
    """
    example = _example(item)
    now = [_example(one) for one in review.apply([item])]
    marked: Marked = {
        "text": example.full_text,
        "answer": example.answer_span.start,
        "verdict": review.verdict(item).word,
        "relations": [_judged(example, item, one, review) for one in review.relations(item)],
        "faults": [*_faults_now(now), *_left_out(item)],
    }
    if tokenizer is not None:
        marked |= _supervised(now[0] if now else Example(example.text, example.answer), tokenizer)
    return marked


def _example(item: Record | Example) -> Example:
    return item if isinstance(item, Example) else Example.from_record(item)


def _judged(example: Example, item: Record | Example, relation: Relation, review: Review) -> Marked:
    verdict = review.verdict(item, relation)
    edited = None if verdict.edited is None else _placed(example, verdict.edited)
    return {**_placed(example, relation), "verdict": verdict.word, "edited": edited}


def _placed(example: Example, relation: Relation) -> Marked:
    placed = place_relation(example, relation)
    causes = [
        {"phrase": cause.phrase, "places": _plain(cause.places), "fault": cause.fault}
        for cause in placed.causes
    ]
    return {
        "effect": placed.effect,
        "places": _plain(placed.places),
        "causes": causes,
        "faults": list(placed.faults),
    }


def _plain(places: Iterable[Span]) -> list[list[int]]:
    return [list(place) for place in places]


def _faults_now(kept: list[Example]) -> list[str]:
    """What a text lacks; nothing where it is left out."""
    faults = [fault for one in kept for fault in check(one, relations_of(one)).faults]
    return [_TOLD[fault.reason] for fault in faults if fault.effect is None]


def _left_out(item: Record | Example) -> list[str]:
    """The pairs that the checks had rejected: a line of the annotations lists them."""
    listed = [] if isinstance(item, Example) else item.get("faults") or []
    faults = [Fault.from_dict(fault) for fault in listed]
    return [
        f"Left out when it was annotated: “{fault.effect}” because of “{fault.cause}” "
        f"({_TOLD[fault.reason]})."
        for fault in faults
        if fault.effect is not None
    ]


def _supervised(example: Example, tokenizer: Any) -> Marked:
    aligned = align(example, tokenizer, add_eos=False)
    rows = zip(aligned.rows, aligned.causes, strict=True)
    return {
        "tokens": [example.full_text[start:end] for start, end in aligned.offsets],
        "rows": [[row, np.flatnonzero(causes).tolist()] for row, causes in rows],
    }
