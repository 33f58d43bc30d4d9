"""Patterns of random heads, with roles and a sink, for the viewer's tests."""

from __future__ import annotations

from typing import Any

import numpy as np

from catviz.patterns import AttentionPattern
from catviz.words import Role, Word

ROLE_ORDER: tuple[Role, ...] = ("causal", "spurious", "irrelevant")


def random_pattern(
    layers: int = 3,
    heads: int = 4,
    size: int = 12,
    *,
    seed: int = 0,
    tokens: tuple[str, ...] | None = None,
    words: tuple[Word, ...] | None = None,
    **about: Any,
) -> AttentionPattern:
    """Softmax of random scores; the first token gets a third to nearly all of each row."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(layers, heads, size, size), scale=1.5)
    later = np.triu(np.ones((size, size), dtype=bool), k=1)
    scores[..., 0] += rng.uniform(1, 8, size=(layers, heads, 1))
    weights = np.where(later, 0, np.exp(scores))
    values = (weights / weights.sum(axis=-1, keepdims=True)).astype(np.float32)
    return AttentionPattern(
        values,
        tokens or tuple(f" t{i}" for i in range(size)),
        every_third_word(size) if words is None else words,
        **{"model": "random", "text": "a text", **about},
    )


def every_third_word(size: int) -> tuple[Word, ...]:
    """Words of two tokens with a token between them, roles in turn."""
    starts = range(2, size - 2, 3)
    return tuple(
        Word(start, start + 2, f"word {start}", ROLE_ORDER[at % 3])
        for at, start in enumerate(starts)
    )
