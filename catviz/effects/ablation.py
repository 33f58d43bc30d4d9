"""Ablation: what becomes of the right answer without a head, a layer, or the attention to a role.

Attention that goes somewhere need not decide anything; what is lost without it did.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cat.signals import Example
from catviz.choice import choose
from catviz.effects.comparison import Comparison, compare_edits
from catviz.effects.edits import in_turn, without_head, without_keys, without_layer
from catviz.effects.questions import Batch, BatchEdit, Rows, check_rows
from catviz.heads import HeadScore
from catviz.lens import AttentionLens, Edit
from catviz.patterns import head_name
from catviz.roles import mark_roles
from catviz.words import ROLES, Role

__all__ = [
    "HeadAblation",
    "ablate_heads",
    "ablate_layers",
    "ablate_roles",
    "without_all",
    "without_role",
]


@dataclass(frozen=True, eq=False)
class HeadAblation:
    """Each head's worth: the answers without it, beside those of the whole model.

    Attributes:
        layers, heads: the model's numbers of what was taken out.
        change: (layer, head), change of the right answer's log-odds in nats, mean over texts;
            negative where the head is missed.
        low, high: (layer, head), its 95% interval over texts; NaN for a single text.
        accuracy: (layer, head), share of right answers without the head.
        accuracy_before: the same of the whole model.
    """

    model: str
    layers: tuple[int, ...]
    heads: tuple[int, ...]
    change: np.ndarray
    low: np.ndarray
    high: np.ndarray
    accuracy: np.ndarray
    accuracy_before: float
    texts: int

    def ranked(self) -> list[HeadScore]:
        """Heads with the change of the log-odds, the most missed first."""
        order = np.argsort(self.change, axis=None, kind="stable")
        return [
            HeadScore(self.layers[i], self.heads[j], float(self.change[i, j]))
            for i, j in zip(*np.unravel_index(order, self.change.shape), strict=True)
        ]

    def __repr__(self) -> str:
        return (
            f"<HeadAblation {self.model!r}: {len(self.layers)} layers x {len(self.heads)} heads, "
            f"{self.texts} texts>"
        )


def ablate_heads(
    lens: AttentionLens,
    examples: Sequence[Example],
    *,
    layers: int | Iterable[int] | None = None,
    heads: int | Iterable[int] | None = None,
    **options: Any,
) -> HeadAblation:
    """Take out each head by itself: its pattern set to zero, so that it adds nothing.

    As many passes over the examples as there are heads, and one more: few texts will do for a
    large model, or ``layers=`` and ``heads=``.

    Args:
        options: ``answers``, ``batch_size``, ``progress`` of
            :func:`catviz.effects.comparison.compare_edits`.

    >>> from cat.data import load_data
    >>> texts = load_data("stg-e")["test_ood"][:8]
    >>> ablate_heads(AttentionLens.load("tiny/alpha-10"), texts).change.shape
    (1, 4)
    """
    at_layers = choose(layers, lens.n_layers, "layer")
    at_heads = choose(heads, lens.n_heads, "head")
    names = [[head_name(layer, head) for head in at_heads] for layer in at_layers]
    edits = {name: _always(without_head(name)) for row in names for name in row}
    found = compare_edits(lens, examples, edits, **options)

    def table(of: Callable[[Comparison], float | None]) -> np.ndarray:
        return np.array([[of(found[name]) for name in row] for row in names], dtype=np.float64)

    return HeadAblation(
        model=lens.name,
        layers=at_layers,
        heads=at_heads,
        change=table(lambda one: one.change.mean),
        low=table(lambda one: one.change.low),
        high=table(lambda one: one.change.high),
        accuracy=table(lambda one: one.accuracy_after),
        accuracy_before=found[names[0][0]].accuracy_before,
        texts=len(examples),
    )


def ablate_layers(
    lens: AttentionLens,
    examples: Sequence[Example],
    *,
    layers: int | Iterable[int] | None = None,
    **options: Any,
) -> dict[int, Comparison]:
    """Take out the attention of each layer by itself; options as for :func:`ablate_heads`.

    >>> from cat.data import load_data
    >>> texts = load_data("stg-e")["test_ood"][:8]
    >>> list(ablate_layers(AttentionLens.load("tiny/alpha-10"), texts))
    [0]
    """
    at_layers = choose(layers, lens.n_layers, "layer")
    edits = {f"without layer {layer}": _always(without_layer(layer)) for layer in at_layers}
    found = compare_edits(lens, examples, edits, **options)
    return dict(zip(at_layers, found.values(), strict=True))


def ablate_roles(
    lens: AttentionLens,
    examples: Sequence[Example],
    roles: Sequence[Role] | None = None,
    *,
    rows: Rows = "all",
    renormalise: bool = True,
    **options: Any,
) -> dict[Role, Comparison]:
    """Take all attention off the words of each role by itself, in every layer and head.

    Args:
        roles: None for causal, spurious and irrelevant, as far as the texts have them.
        rows: "all", or "answer" for those that predict the answer; what other rows have read
            from the words then still reaches the answer.
        renormalise: scale what is left of each row to sum to one again.
        options: as for :func:`ablate_heads`.

    Raises:
        ValueError: a role that no word of the texts has.

    >>> from cat.data import load_data
    >>> texts = load_data("stg-e")["test_ood"][:8]
    >>> list(ablate_roles(AttentionLens.load("tiny/alpha-10"), texts))
    ['causal', 'spurious', 'irrelevant']
    """
    there = {factor.role for example in examples for factor in mark_roles(example).roles}
    wanted = [role for role in ROLES if role in there] if roles is None else list(roles)
    missing = [role for role in wanted if role not in {*there, "other"}]
    if missing or not wanted:
        raise ValueError(
            f"expected roles that words of the texts have, {sorted(there)}, got {wanted}; see "
            "catviz.roles for giving words roles"
        )
    edits = {
        f"no attention to {role} words": without_role(role, rows=rows, renormalise=renormalise)
        for role in wanted
    }
    found = compare_edits(lens, examples, edits, **options)
    return dict(zip(wanted, found.values(), strict=True))


def without_role(role: Role, *, rows: Rows = "all", renormalise: bool = True) -> BatchEdit:
    """No attention to the words of a role; see :func:`ablate_roles`.

    >>> from cat.data import load_data
    >>> from catviz.effects.questions import score_answers
    >>> texts, lens = load_data("stg-e")["test_ood"][:8], AttentionLens.load("tiny/plain")
    >>> scores = score_answers(lens, texts, ["High Risk", "Low Risk"], edit=without_role("causal"))
    """
    check_rows(rows)

    def edit(batch: Batch) -> Edit:
        return without_keys(batch.tokens_of(role), rows=batch.rows(rows), renormalise=renormalise)

    return edit


def without_all(heads: Sequence[str], roles: Sequence[Role]) -> BatchEdit:
    """Several heads at once, and all attention to the words of several roles.

    Args:
        heads: such as "L5H3".
        roles: what is left of each row is scaled to sum to one again.

    Raises:
        ValueError: nothing to take out, the name of no head, an unknown role.

    >>> from cat.data import load_data
    >>> from catviz.effects.comparison import compare_edits
    >>> texts, lens = load_data("stg-e")["test_ood"][:8], AttentionLens.load("tiny/plain")
    >>> list(compare_edits(lens, texts, {"both": without_all(["L0H1"], ["spurious"])}))
    ['both']
    """
    if not heads and not roles:
        raise ValueError("expected heads or roles to take out, got neither")
    fixed = [without_head(*heads)] if heads else []
    by_role = [without_role(role) for role in roles]
    return lambda batch: in_turn(*(edit(batch) for edit in by_role), *fixed)


def _always(edit: Edit) -> BatchEdit:
    return lambda batch: edit
