"""Attention maps together with the words that their tokens belong to."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

import numpy as np

__all__ = ["ROLES", "MeanMap", "Role", "Word"]

Role = Literal["causal", "spurious", "irrelevant", "other"]
ROLES: tuple[Role, ...] = get_args(Role)

_ROW_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class Word:
    """The tokens ``[start, stop)`` that belong together, what to call them, and their role.

    >>> Word(2, 7, "Smoking: 8", "causal").role
    'causal'
    """

    start: int
    stop: int
    label: str
    role: Role

    def __post_init__(self) -> None:
        if not 0 <= self.start < self.stop:
            raise ValueError(
                f"word {self.label!r} needs 0 <= start < stop; got {self.start}..{self.stop}"
            )
        if self.role not in ROLES:
            raise ValueError(
                f"word {self.label!r} has role {self.role!r}; expected one of {', '.join(ROLES)}"
            )

    @property
    def centre(self) -> float:
        """Middle of the word in token units: token i covers i - 0.5 to i + 0.5."""
        return (self.start + self.stop - 1) / 2


@dataclass(frozen=True, eq=False)
class MeanMap:
    """One text's attention, averaged over layers and heads, with its words.

    ``values[query, key]`` is the share of the query token's attention that goes to the key token:
    the upper triangle is zero and each row sums to one. ``words`` are in order and do not overlap;
    tokens that no word covers count as "other". ``answer_row`` is the row that predicts the answer:
    the last one when the map ends with the prompt.

    >>> words = (Word(0, 1, "Smoking: 8", "causal"), Word(1, 2, "Answer:", "other"))
    >>> MeanMap(np.array([[1.0, 0.0], [0.7, 0.3]]), words, model="plain", text="example").size
    2
    """

    values: np.ndarray  # (query, key)
    words: tuple[Word, ...]
    model: str
    text: str
    answer_row: int = -1

    def __post_init__(self) -> None:
        values = np.array(self.values, dtype=np.float64)
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "words", tuple(self.words))
        where = f"map of model {self.model!r}, text {self.text!r}"
        _check_values(values, where)
        _check_words(self.words, len(values), where)
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
        roles: list[str] = ["other"] * self.size
        for word in self.words:
            roles[word.start : word.stop] = [word.role] * (word.stop - word.start)
        return cast(tuple[Role, ...], tuple(roles))


def _check_values(values: np.ndarray, where: str) -> None:
    if values.ndim != 2 or values.shape[0] != values.shape[1] or values.size == 0:
        raise ValueError(f"{where}: expected a square (query, key) map, got shape {values.shape}")
    if not np.isfinite(values).all():
        query, key = np.argwhere(~np.isfinite(values))[0]
        raise ValueError(
            f"{where}: expected finite values, got {values[query, key]} at row {query}, key {key}"
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
    sums = values.sum(axis=1)
    worst = int(np.abs(sums - 1).argmax())
    if abs(sums[worst] - 1) > _ROW_SUM_TOLERANCE:
        raise ValueError(
            f"{where}: row {worst} sums to {sums[worst]:.4f}; expected 1 within "
            f"{_ROW_SUM_TOLERANCE} (renormalise after dropping tokens or padding)"
        )


def _check_words(words: Sequence[Word], size: int, where: str) -> None:
    end = 0
    for word in words:
        if word.start < end:
            raise ValueError(
                f"{where}: word {word.label!r} starts at token {word.start}, before the end of "
                f"the word in front of it ({end}); expected words in order without overlap"
            )
        end = word.stop
    if end > size:
        raise ValueError(f"{where}: words reach token {end}, but the map has {size} tokens")
