"""What is lost where a phrase is tokenised by itself and its token ids are searched in the text's.

Most implementations find causal words so. But a tokenizer cuts a phrase otherwise in a text than
alone: at the beginning of a line there is no space before it, and "13.4%" before ";" ends in the
token "%;". :mod:`cat.alignment` goes by character offsets instead; here the difference is counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any, Literal

from cat.alignment import Aligned, Pair

__all__ = ["SEARCHES", "Search", "lost_by_id_search"]

Search = Literal["spaced", "either"]
SEARCHES: Mapping[Search, tuple[str, ...]] = {"spaced": (" ",), "either": (" ", "")}
"""What is put before a phrase: a space, as within a line, or first this and then nothing."""


def lost_by_id_search(aligned: Iterable[Aligned], tokenizer: Any, search: Search = "spaced") -> int:
    """How many aligned pairs are not found, in order, by searching for the phrases' token ids.

    Every place of a phrase counts, and "either" takes every place of both forms.

    >>> from cat.alignment import align
    >>> from cat.signals import Example, Signal
    >>> from cat.tiny import tiny_tokenizer
    >>> signal = Signal("High Risk", ("Smoking: 8", "8, Weight"))
    >>> example = Example("Smoking: 8, Weight: 4 Answer:", "High Risk", (signal,))
    >>> item = align(example, tiny_tokenizer())  # "Smoking: 8" is one token
    >>> lost_by_id_search([item], tiny_tokenizer())
    1
    """

    @cache
    def forms(phrase: str) -> tuple[tuple[int, ...], ...]:
        alone = (before + phrase.strip() for before in SEARCHES[search])
        return tuple(tuple(tokenizer(one, add_special_tokens=False)["input_ids"]) for one in alone)

    def found(item: Aligned, pair: Pair) -> bool:
        effects, causes = (
            [place for ids in forms(phrase) for place in _places(item.input_ids, ids)]
            for phrase in (pair.effect, pair.cause)
        )
        return any(cause[1] <= effect[0] for effect in effects for cause in causes)

    return sum(
        pair.outcome == "aligned" and not found(item, pair)
        for item in aligned
        for pair in item.pairs
    )


def _places(ids: Sequence[int], wanted: Sequence[int]) -> list[tuple[int, int]]:
    """(start, end) of every stretch of ``ids`` that is ``wanted``."""
    n = len(wanted)
    starts = range(len(ids) - n + 1) if n else ()
    return [(i, i + n) for i in starts if ids[i : i + n] == wanted]
