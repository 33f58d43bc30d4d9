"""The attention scores of words by role: in the mean map, per layer or per head."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cat.word_scores import SCORED_ROLES as WORD_ROLES
from catviz.words import Role

if TYPE_CHECKING:
    from cat.rows import Keep

__all__ = ["PER", "SCORED_ROLES", "RoleScores"]

SCORED_ROLES: tuple[Role, ...] = WORD_ROLES

PER: tuple[Keep, ...] = ("mean", "layer", "head")
"""What a score belongs to: the mean map, a layer, a head; one axis more each."""


@dataclass(frozen=True, eq=False)
class RoleScores(Mapping[Role, np.ndarray]):
    """The attention scores of words by role: a mapping from role to scores, and whose they are.

    Attributes:
        scores: role -> the score of each word, float32 in 0..1; (word,) in the mean map, (layer,
            word) or (layer, head, word). Roles without a word are left out.
        texts: role -> (word,), which text each word stands in, counted from 0 as they came.
        numbers: (text,), the texts whose scores are here, ascending.
        on_causes, on_others: C and N of each of these texts, (text,) with the same axes in front:
            the mean attention on a causal token and on any other that the rows see, which is what
            the loss compares (section 4.2). NaN where a text has no cause, or nothing else.
        texts_seen: how many texts could be scored; more than there are in ``numbers`` where these
            are a random sample.
        left_out: what could not be scored, counted by reason.

    >>> scores = RoleScores({"causal": np.array([0.2, 0.4])}, {"causal": np.array([0, 1])},
    ...                     numbers=np.array([0, 1]), on_causes=np.array([0.2, 0.4]),
    ...                     on_others=np.array([0.1, 0.1]), texts_seen=2, left_out={})
    >>> scores
    <RoleScores in the mean map of 2 texts: causal 0.3 (2 words); C/N 3>
    """

    scores: Mapping[Role, np.ndarray]
    texts: Mapping[Role, np.ndarray]
    numbers: np.ndarray
    on_causes: np.ndarray
    on_others: np.ndarray
    texts_seen: int
    left_out: Mapping[str, int]

    def __getitem__(self, role: Role) -> np.ndarray:
        return self.scores[role]

    def __iter__(self) -> Iterator[Role]:
        return iter(self.scores)

    def __len__(self) -> int:
        return len(self.scores)

    def __repr__(self) -> str:
        flat = self.at()
        roles = ", ".join(
            f"{role} {flat.medians[role]:.2g} ({flat[role].size} words)" for role in flat
        )
        known = flat.ratios[~np.isnan(flat.ratios)]
        ratio = f"; C/N {np.median(known):.2g}" if known.size else ""
        of = "" if self.texts_seen == len(self.numbers) else f" of {self.texts_seen}"
        place = {"mean": "in the mean map", "layer": "per layer", "head": "per head"}[self.per]
        return f"<RoleScores {place} of {len(self.numbers)}{of} texts: {roles}{ratio}>"

    @property
    def per(self) -> Keep:
        """What one score belongs to: the "mean" map, a "layer" or a "head"."""
        return PER[self.on_causes.ndim - 1]

    @property
    def means(self) -> dict[Role, np.ndarray]:
        """Role -> the mean over its words; a number, (layer,) or (layer, head)."""
        return {role: values.mean(axis=-1) for role, values in self.items()}

    @property
    def medians(self) -> dict[Role, np.ndarray]:
        """Role -> the median over its words; a number, (layer,) or (layer, head)."""
        return {role: np.median(values, axis=-1) for role, values in self.items()}

    @property
    def ratios(self) -> np.ndarray:
        """C/N of each text, the ratio that alpha bounds in training: (..., text) as C and N."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.on_causes / self.on_others)

    def at(self, *, layer: int | None = None, head: int | None = None) -> RoleScores:
        """One layer's or one head's scores, (word,); what is not named is averaged.

        >>> scores.at(layer=5, head=3), scores.at(layer=5), scores.at()  # doctest: +SKIP
        """
        shape = self.on_causes.shape[:-1]
        if head is not None and layer is None:
            raise ValueError(f"expected the layer of head {head}, got none: at(layer=, head=)")
        for at, (name, number) in enumerate((("layer", layer), ("head", head))):
            if number is None:
                continue
            if len(shape) <= at:
                raise ValueError(
                    f"expected scores per {name}, got scores per {self.per}: compute them with "
                    f'role_scores(..., per="{name}")'
                )
            if not 0 <= number < shape[at]:
                raise ValueError(f"no {name} {number}: expected one of 0..{shape[at] - 1}")

        def flat(values: np.ndarray) -> np.ndarray:
            for number in (layer, head):
                values = values if number is None else values[number]
            return values.reshape(-1, values.shape[-1]).mean(axis=0)

        return self._each(flat)

    def by_layer(self) -> RoleScores:
        """Scores per layer: of scores per head the mean over heads."""
        if self.per == "mean":
            raise ValueError(
                "expected scores per layer or head, got scores in the mean map: compute them with "
                'role_scores(..., per="layer")'
            )
        return self if self.per == "layer" else self._each(lambda values: values.mean(axis=1))

    def _each(self, change: Callable[[np.ndarray], np.ndarray]) -> RoleScores:
        """The same with every score changed by a linear function of layers and heads."""
        return replace(
            self,
            scores={role: change(values) for role, values in self.items()},
            on_causes=change(self.on_causes),
            on_others=change(self.on_others),
        )
