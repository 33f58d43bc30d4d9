"""Heads in order: by mass on a role, by lift of causes over companions, by change under tuning."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from catviz.maps import check_same_tokens
from catviz.patterns import AttentionPattern, head_name
from catviz.words import ROLES, Role

__all__ = ["HeadScore", "attention_moved", "rank_by_change", "rank_by_lift", "rank_by_mass"]

Patterns = AttentionPattern | Sequence[AttentionPattern]


@dataclass(frozen=True)
class HeadScore:
    """One head and its score."""

    layer: int
    head: int
    score: float

    @property
    def name(self) -> str:
        """L5H3: layer 5, head 3."""
        return head_name(self.layer, self.head)

    def __repr__(self) -> str:
        return f"{self.name} {self.score:.3g}"


def rank_by_mass(patterns: Patterns, role: Role = "causal") -> list[HeadScore]:
    """Heads by the share of attention that the answer's row pays to a role's tokens.

    Of several texts (one model's patterns with the same layers and heads) the mean counts.

    >>> rank_by_mass(pattern, "causal")[:2]  # doctest: +SKIP
    [L0H1 0.97, L0H0 0.96]
    """
    if role not in ROLES:
        raise ValueError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
    each = _patterns(patterns)
    return _ranked(each, [p.role_mass()[..., ROLES.index(role)] for p in each])


def rank_by_lift(
    patterns: Patterns, of: Role = "causal", over: Role = "spurious"
) -> list[HeadScore]:
    """Heads by how many times an average ``over`` token's attention an ``of`` token gets.

    Of several texts the geometric mean counts, as it should for ratios.
    """
    each = _patterns(patterns)
    with np.errstate(divide="ignore"):
        logs = [np.log(p.lift(of, over)) for p in each]
    return [HeadScore(s.layer, s.head, float(np.exp(s.score))) for s in _ranked(each, logs)]


def rank_by_change(before: Patterns, after: Patterns) -> list[HeadScore]:
    """Heads by the share of the answer row's attention that went elsewhere, from 0 to 1."""
    olds, news = _patterns(before), _patterns(after)
    moved = [attention_moved(old, new) for old, new in zip(olds, news, strict=True)]
    return _ranked(olds, moved)


def attention_moved(before: AttentionPattern, after: AttentionPattern) -> np.ndarray:
    """The share of attention that went to other tokens, (layer, head): total variation distance.

    Mean over the rows that predict the answer.
    """
    check_same_tokens(before.tokens, after.tokens, f"{before.model!r} and {after.model!r}")
    if (before.layers, before.heads) != (after.layers, after.heads):
        raise ValueError(
            f"expected the same layers and heads on both sides, got {before} and {after}"
        )
    difference = np.abs(after.rows(before.answer_rows) - before.rows())
    return np.asarray(difference.sum(axis=-1).mean(axis=-1) / 2)


def _patterns(patterns: Patterns) -> list[AttentionPattern]:
    each = [patterns] if isinstance(patterns, AttentionPattern) else list(patterns)
    if not each:
        raise ValueError("expected at least one pattern, got none")
    shapes = {(p.layers, p.heads) for p in each}
    if len(shapes) > 1:
        raise ValueError(
            f"expected patterns with the same layers and heads, got {len(shapes)} kinds"
        )
    return each


def _ranked(patterns: Sequence[AttentionPattern], scores: Sequence[np.ndarray]) -> list[HeadScore]:
    """Highest first; NaN (nothing to compare) last."""
    mean = np.mean(scores, axis=0)
    one = patterns[0]
    found = [
        HeadScore(layer, head, float(mean[i, j]))
        for i, layer in enumerate(one.layers)
        for j, head in enumerate(one.heads)
    ]
    return sorted(found, key=lambda s: (np.isnan(s.score), -s.score, s.layer, s.head))
