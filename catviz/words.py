"""Words: the tokens that belong together, what to call them, and their role for the answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

__all__ = ["ROLES", "Role", "Word", "check_words", "roles_of_tokens"]

Role = Literal["causal", "spurious", "irrelevant", "other"]
ROLES: tuple[Role, ...] = get_args(Role)


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


def roles_of_tokens(words: Sequence[Word], size: int) -> tuple[Role, ...]:
    """The role of each of ``size`` tokens; a token that no word covers is "other".

    >>> roles_of_tokens([Word(1, 2, "Smoking: 8", "causal")], 3)
    ('other', 'causal', 'other')
    """
    roles: list[str] = ["other"] * size
    for word in words:
        roles[word.start : word.stop] = [word.role] * (word.stop - word.start)
    return cast(tuple[Role, ...], tuple(roles))


def check_words(words: Sequence[Word], size: int, where: str) -> None:
    """Refuse words that overlap, stand out of order, or reach beyond the last token."""
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
