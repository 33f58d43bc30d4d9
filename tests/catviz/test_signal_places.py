"""The places of a relation's phrases are those that the alignment supervises."""

from __future__ import annotations

from itertools import product
from typing import Any

from cat.alignment import align
from cat.annotate.relations import Relation
from cat.annotate.review import relations_of
from cat.signals import Example, Signal, Span
from catviz.signal_places import place_relation

TEXT = "b a b a c b Answer:"


class Letters:
    """Each character a token."""

    is_fast, eos_token_id = True, None

    def __call__(self, texts: list[str], **_: Any) -> dict[str, Any]:
        return {
            "input_ids": [list(range(len(text))) for text in texts],
            "offset_mapping": [[(at, at + 1) for at in range(len(text))] for text in texts],
        }


def test_effects_and_causes_are_the_rows_and_columns_of_the_alignment() -> None:
    for effect, cause in product("abc", repeat=2):
        example = Example(TEXT, "a", (Signal(effect, (cause,)),))
        (relation,) = relations_of(example)
        placed = place_relation(example, relation)
        aligned = align(example, Letters(), add_eos=False)
        fault = placed.causes[0].fault
        assert (fault == "not before its effect") == (not aligned.rows)
        if not fault:
            assert [place.start - 1 for place in placed.places] == list(aligned.rows)
            columns = aligned.causes.any(axis=0).nonzero()[0].tolist()
            assert [place.start for place in placed.causes[0].places] == columns


def test_what_makes_no_pair_is_shown_everywhere_with_its_fault() -> None:
    placed = place_relation(Example(TEXT, "a"), Relation("c", ("Answer", "d")))
    assert placed.places == (Span(8, 9),)
    late, absent = placed.causes
    assert (late.places, late.fault) == ((Span(12, 18),), "not before its effect")
    assert (absent.places, absent.fault) == ((), "not in the text")
    nowhere = place_relation(Example(TEXT, "a"), Relation("z", ("b",)))
    assert nowhere.places == ()
    assert nowhere.faults == ("“z” is not in the text.",)


def test_case_and_spaces_do_not_hide_a_phrase() -> None:
    example = Example("Two  Pens and more. Answer:", "2")
    placed = place_relation(example, Relation("2", ("two pens",)))
    assert placed.causes[0].places == (Span(0, 9),)
    assert placed.faults == ()
