"""One attention map of one text, with its words: what a mean over layers and heads leaves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from catviz.words import Role, Word, check_words, roles_of_tokens

__all__ = ["SINK", "MeanMap", "Sink", "check_map", "check_same_tokens"]

Sink = Literal["in", "out", "renormalised"]
"""What became of the first token, on which many models park attention they have no use for:
"in", as the model made it; "out", its column set to zero; "renormalised", the rest of each head's
row scaled to sum to one again (a row that saw nothing else is zero)."""

SINK = 0  # the token that is the sink

_TOLERANCE = {2: 1e-2, 4: 1e-3, 8: 1e-3}  # of a row's sum, by bytes a value


@dataclass(frozen=True, eq=False)
class MeanMap:
    """One text's attention, averaged over layers and heads, with its words.

    ``values[query, key]`` is the share of the query token's attention that goes to the key token:
    the upper triangle is zero and each row sums to one (``sink`` says where the first column was
    taken out). ``words`` are in order and do not overlap; tokens that no word covers count as
    "other". ``answer_row`` is the row that predicts the answer: the last one when the map ends with
    the prompt.

    >>> words = (Word(0, 1, "Smoking: 8", "causal"), Word(1, 2, "Answer:", "other"))
    >>> MeanMap(np.array([[1.0, 0.0], [0.7, 0.3]]), words, model="plain", text="example").size
    2
    """

    values: np.ndarray  # (query, key)
    words: tuple[Word, ...]
    model: str
    text: str
    answer_row: int = -1
    sink: Sink = "in"

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "words", tuple(self.words))
        where = f"map of model {self.model!r}, text {self.text!r}"
        check_map(values, where, sink=self.sink)
        check_words(self.words, len(values), where)
        if not -len(values) <= self.answer_row < len(values):
            raise ValueError(f"{where}: no row {self.answer_row} among {len(values)} rows")
        object.__setattr__(self, "answer_row", self.answer_row % len(values))

    @property
    def size(self) -> int:
        """Number of tokens."""
        return len(self.values)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The role of each token."""
        return roles_of_tokens(self.words, self.size)


def check_map(values: np.ndarray, where: str, *, sink: Sink = "in") -> None:
    """Refuse what is not the attention of a causal decoder, (query, key), and say where."""
    if values.ndim != 2 or values.shape[0] != values.shape[1] or values.size == 0:
        raise ValueError(f"{where}: expected a square (query, key) map, got shape {values.shape}")
    if not np.isfinite(values).all():
        query, key = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"{where}: expected finite values, got {values[query, key]} at row {query}, key {key} "
            "(rows of padding are NaN in some models: cut the padding off)"
        )
    if values.min() < 0:
        query, key = np.argwhere(values < 0)[0]
        raise ValueError(
            f"{where}: attention cannot be negative, got {values[query, key]:.4g} at row {query}, "
            f"key {key}; give the weights after the softmax"
        )
    future = np.triu(values, k=1)
    if future.any():
        query, key = np.argwhere(future != 0)[0]
        raise ValueError(
            f"{where}: row {query} attends to the later key {key} ({values[query, key]:.4g}); "
            "expected zeros above the diagonal (a causal decoder; is the map transposed?)"
        )
    sums = values.sum(axis=1, dtype=np.float64)
    # Without the sink a row may hold less: in a mean, some heads' rows may have seen nothing else.
    off = np.abs(sums - 1) if sink == "in" else np.maximum(sums - 1, 0.0)
    tolerance = _TOLERANCE.get(values.dtype.itemsize, 1e-3)
    worst = int(off.argmax())
    if off[worst] > tolerance:
        raise ValueError(
            f"{where}: row {worst} sums to {sums[worst]:.4f}; expected 1 within {tolerance} "
            "(renormalise after dropping tokens or padding)"
        )


def check_same_tokens(before: tuple[str, ...], after: tuple[str, ...], where: str) -> None:
    """Refuse to compare what two models (or two tokenizers) made of different tokens."""
    if before != after:
        at = next(
            (i for i, (a, b) in enumerate(zip(before, after, strict=False)) if a != b),
            min(len(before), len(after)),
        )
        raise ValueError(
            f"{where}: expected the same tokens on both sides, got {len(before)} and "
            f"{len(after)} tokens that first differ at {at}: "
            f"{before[at : at + 1]} and {after[at : at + 1]}; compare one text under one tokenizer"
        )
