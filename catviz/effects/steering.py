"""Steering: at inference, give causes at least alpha times the attention of other tokens.

The condition is the one that Causal Attention Tuning trains for (Han et al. 2025, section 4.2),
C >= alpha N: C is what a row pays to an average cause, N to an average other token. Here it is
brought about by hand, in the patterns of a model that stays as it is. It is an edit, no training:
what the layers above make of the attention was learnt without it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from cat.signals import Example
from catviz.choice import choose
from catviz.effects.comparison import Comparison, compare_edits
from catviz.effects.edits import check_mask, in_rows
from catviz.effects.questions import Batch, BatchEdit, Rows, check_rows
from catviz.lens import AttentionLens, Edit
from catviz.maps import SINK

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["favour", "steer", "steered"]


def favour(
    causes: Tensor,
    alpha: float,
    *,
    rows: Tensor | None = None,
    layers: Iterable[int] | None = None,
    heads: Iterable[int] | None = None,
    exclude_sink: bool = False,
) -> Edit:
    """The smallest edit after which every row that sees a cause has C >= alpha N.

    Rows that have it stay as they are. In the others the weights on causes grow in proportion and
    those on other tokens shrink in proportion, until C = alpha N; rows keep their sums. With k
    causes and n other tokens in sight, causes then hold alpha k / (alpha k + n) of what both
    held. Causes that hold nothing share it evenly.

    Args:
        causes: bool (batch, key).
        alpha: above 0.
        rows: bool (batch, query), the rows to edit; None for all.
        layers, heads: numbers of those to edit; None for all.
        exclude_sink: leave the first token, the attention sink, out of C and N, its weight
            untouched.

    >>> import torch
    >>> causes = torch.tensor([[False, True, False]])
    >>> pattern = torch.tensor([[[[1.0, 0.0, 0.0], [0.5, 0.5, 0.0], [0.4, 0.2, 0.4]]]])
    >>> favour(causes, 2.0)(0, pattern)[0, 0, 1:]
    tensor([[0.3333, 0.6667, 0.0000],
            [0.2500, 0.5000, 0.2500]])
    """
    _check_alpha(alpha)
    in_layers = None if layers is None else frozenset(layers)
    in_heads = None if heads is None else tuple(heads)

    def edit(layer: int, pattern: Tensor) -> Tensor | None:
        if in_layers is not None and layer not in in_layers:
            return None
        check_mask("causes", causes, (pattern.shape[0], pattern.shape[3]))
        edited = in_rows(rows, _favour(pattern, causes, alpha, exclude_sink=exclude_sink), pattern)
        if in_heads is None:
            return edited
        kept = pattern.clone()
        at = list(choose(in_heads, pattern.shape[1], "head"))
        kept[:, at] = edited[:, at]
        return kept

    return edit


def steered(
    alpha: float,
    *,
    rows: Rows = "answer",
    layers: Iterable[int] | None = None,
    heads: Iterable[int] | None = None,
    exclude_sink: bool = False,
) -> BatchEdit:
    """:func:`favour` for the causal words of every text.

    Args:
        rows: "answer", those that predict the answer's tokens, or "all".
        layers, heads, exclude_sink: as for :func:`favour`.

    >>> from cat.data import load_data
    >>> from catviz.effects.questions import score_answers
    >>> texts, lens = load_data("stg-e")["test_ood"][:8], AttentionLens.load("tiny/plain")
    >>> scores = score_answers(lens, texts, ["High Risk", "Low Risk"], edit=steered(10))
    """
    _check_alpha(alpha)
    check_rows(rows)
    options: dict[str, Any] = {
        "layers": None if layers is None else tuple(layers),  # read again for each batch
        "heads": None if heads is None else tuple(heads),
        "exclude_sink": exclude_sink,
    }

    def edit(batch: Batch) -> Edit:
        causes = batch.tokens_of("causal")
        if not causes.any(dim=1).all():
            b = int(causes.any(dim=1).long().argmin())
            raise ValueError(
                "expected texts with causal words to steer to, got none in "
                f"{batch.aligned[b].example.prompt[:80]!r}; see catviz.roles for giving words roles"
            )
        return favour(causes, alpha, rows=batch.rows(rows), **options)

    return edit


def steer(
    lens: AttentionLens,
    examples: Sequence[Example],
    alpha: float,
    *,
    rows: Rows = "answer",
    layers: int | Iterable[int] | None = None,
    heads: int | Iterable[int] | None = None,
    exclude_sink: bool = False,
    **options: Any,
) -> Comparison:
    """The answers with every chosen head's attention steered to the causes, and without.

    Where all heads of all layers are steered, C >= alpha N holds in their mean map as well.

    Args:
        alpha, rows, exclude_sink: see :func:`steered`.
        layers, heads: numbers of those to steer; None for all.
        options: ``answers``, ``batch_size``, ``progress`` of
            :func:`catviz.effects.comparison.compare_edits`.

    Raises:
        ValueError: an alpha that is not above 0, a text without causal words, a layer or head
            that the model does not have.
        CannotEditError: the model's attention cannot be edited.

    >>> from cat.data import load_data
    >>> texts = load_data("stg-e")["test_ood"][:8]
    >>> steer(AttentionLens.load("tiny/plain"), texts, 10).edit
    'steered to alpha 10, not trained'
    """
    edit = steered(
        alpha,
        rows=rows,
        layers=choose(layers, lens.n_layers, "layer"),
        heads=choose(heads, lens.n_heads, "head"),
        exclude_sink=exclude_sink,
    )
    name = f"steered to alpha {alpha:g}, not trained"
    return compare_edits(lens, examples, {name: edit}, **options)[name]


def _favour(pattern: Tensor, causes: Tensor, alpha: float, *, exclude_sink: bool) -> Tensor:
    import torch

    weights = pattern.float()
    n_rows, n_keys = pattern.shape[2:]
    sees = torch.ones(n_rows, n_keys, dtype=torch.bool, device=pattern.device).tril()
    causal = causes[:, None, None, :] & sees  # (batch, 1, query, key)
    other = ~causes[:, None, None, :] & sees
    if exclude_sink:
        causal[..., SINK] = other[..., SINK] = False
    k, n = causal.sum(-1, keepdim=True), other.sum(-1, keepdim=True)  # (batch, 1, query, 1)
    to_causes = (weights * causal).sum(-1, keepdim=True)  # (batch, head, query, 1)
    to_others = (weights * other).sum(-1, keepdim=True)
    both = to_causes + to_others
    due = both / (1 + n / (alpha * k))  # alpha k / (alpha k + n) of both
    short = (k > 0) & (n > 0) & (to_causes * n < alpha * to_others * k)

    tiny = torch.finfo(weights.dtype).tiny
    even = causal / k.clamp(min=1)
    grown = torch.where(to_causes > tiny, weights / to_causes.clamp(min=tiny), even) * due
    shrunk = weights / to_others.clamp(min=tiny) * (both - due)
    edited = torch.where(causal, grown, torch.where(other, shrunk, weights))
    return torch.where(short, edited, weights).to(pattern.dtype)


def _check_alpha(alpha: float) -> None:
    if not math.isfinite(alpha) or alpha <= 0:
        raise ValueError(f"expected alpha as a number above 0, got {alpha}")
