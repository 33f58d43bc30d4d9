"""Where the phrases of a relation stand in its text, and which of them make a pair in order."""

from __future__ import annotations

from dataclasses import dataclass

from cat.annotate.checking import check, spellings
from cat.annotate.relations import Relation
from cat.signals import Example, Span, find_phrase

__all__ = ["PlacedCause", "PlacedRelation", "place_relation"]

ABSENT = "not in the text"
LATE = "not before its effect"


@dataclass(frozen=True)
class PlacedCause:
    """A cause phrase, its places, and what is wrong with it, in words or empty."""

    phrase: str
    places: tuple[Span, ...]
    fault: str


@dataclass(frozen=True)
class PlacedRelation:
    """An effect phrase, its places (none where it is not in the text), and its causes."""

    effect: str
    places: tuple[Span, ...]
    causes: tuple[PlacedCause, ...]

    @property
    def faults(self) -> tuple[str, ...]:
        """A sentence for each phrase that makes no pair."""
        absent = () if self.places else (f"“{self.effect}” is {ABSENT}.",)
        wrong = (f"“{cause.phrase}” is {cause.fault}." for cause in self.causes if cause.fault)
        return (*absent, *wrong)


def place_relation(example: Example, relation: Relation) -> PlacedRelation:
    """Find a relation's phrases, by the rules of :mod:`cat.annotate.checking`.

    Of a pair in order, the places are those that make one: a cause ends at or before a place of
    the effect. Of a phrase that makes no pair they are all, to be shown with the fault.

    >>> example = Example("Ben had 12 figs and ate 4. Left? Answer:", "8")
    >>> placed = place_relation(example, Relation("8", ("12 figs", "3 figs")))
    >>> placed.places, placed.causes[0].places, placed.faults
    ((Span(start=41, end=42),), (Span(start=8, end=15),), ('“3 figs” is not in the text.',))
    """
    effects: set[Span] = set()
    causes = []
    for cause in relation.causes:
        effect_places, placed = _pair(example, relation.effect, cause)
        effects |= effect_places
        causes.append(placed)
    places = sorted(effects) or _everywhere(example.full_text, relation.effect)
    return PlacedRelation(relation.effect, tuple(places), tuple(causes))


def _pair(example: Example, effect: str, cause: str) -> tuple[set[Span], PlacedCause]:
    """The places of an effect that one cause explains, and the cause."""
    text = example.full_text
    checked = check(example, (Relation(effect, (cause,)),))
    if checked.signals:
        (signal,) = checked.signals
        effects = find_phrase(text, str(signal.effect))
        causes = find_phrase(text, str(signal.causes[0]))
        explained = {e for e in effects if any(c.end <= e.start for c in causes)}
        before = tuple(c for c in causes if any(c.end <= e.start for e in effects))
        return explained, PlacedCause(cause, before, "")
    places = _everywhere(text, cause)
    fault = "" if places else ABSENT
    if any(one.reason == "order" for one in checked.faults):
        fault = LATE
    return set(), PlacedCause(cause, tuple(places), fault)


def _everywhere(text: str, phrase: str) -> list[Span]:
    return sorted({p for found in spellings(text, phrase) for p in find_phrase(text, found)})
