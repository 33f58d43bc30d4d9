"""A text as a model reads it: its tokens, their words, and the mean map of all heads.

The mean map goes through :func:`cat.rows.attention_rows`, the attention that training supervises.
It needs no TransformerLens, and holds no head's whole map: a long text is read some rows at a time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cat.alignment import Aligned, align
from cat.modes import evaluating
from cat.signals import Example
from catviz.maps import MeanMap
from catviz.roles import Roles, mark_roles, words_by_hand, words_of
from catviz.words import Role, Word

__all__ = ["Reading", "TextRoles", "mean_map", "read_text"]

TextRoles = Roles | Sequence[Role] | None
"""Roles by phrase, expression or place (:data:`catviz.roles.Roles`), or one role a token; None for
those that the example or the game gives."""

_ROWS_AT_ONCE = 1024


@dataclass(frozen=True)
class Reading:
    """A text's tokens, what each of them says, their words, and the rows that predict."""

    input_ids: tuple[int, ...]
    tokens: tuple[str, ...]
    words: tuple[Word, ...]
    answer_rows: tuple[int, ...]


def read_text(
    text: str | Example, tokenizer: Any, roles: TextRoles = None, *, answer: bool = False
) -> Reading:
    """Tokenise a prompt once, as training does, and find its words.

    Args:
        answer: the example's answer as well as its prompt.

    Raises:
        ValueError: an empty text, roles that name nothing, roles of another length.

    >>> from cat.models import tiny_tokenizer
    >>> read_text("Smoking: 8 Answer:", tiny_tokenizer(), {"causal": "Smoking: 8"}).words[0]
    Word(start=0, stop=1, label='Smoking: 8', role='causal')
    """
    by_hand = isinstance(roles, Sequence)
    example = mark_roles(text, None if by_hand else roles)  # type: ignore[arg-type]
    aligned = align(example, tokenizer, add_eos=False)
    length = len(aligned.input_ids) if answer else aligned.answer_start
    if not length:
        raise ValueError(f"expected a text with at least one token, got {example.text!r}")
    if roles is not None and not by_hand:
        _check_roles_have_tokens(aligned, length)
    tokens = tuple(_token(aligned, t, tokenizer) for t in range(length))
    words = words_by_hand(tokens, roles) if by_hand else words_of(aligned, length)  # type: ignore[arg-type]
    rows = tuple(row for row in aligned.answer_rows if row < length) if answer else ()
    return Reading(aligned.input_ids[:length], tokens, words, rows or (length - 1,))


def mean_map(
    model: Any,
    tokenizer: Any,
    text: str | Example,
    roles: TextRoles = None,
    *,
    name: str,
    label: str = "text",
    answer: bool = False,
) -> MeanMap:
    """The mean attention over all layers and heads on one text; see :func:`read_text`.

    Args:
        name: what to call the model in the figure.
        label: what to call the text, for example "OOD text".
    """
    import torch

    from cat.rows import attention_rows

    reading = read_text(text, tokenizer, roles, answer=answer)
    input_ids = torch.tensor([reading.input_ids], device=next(model.parameters()).device)
    n = input_ids.shape[1]
    values = np.empty((n, n), dtype=np.float32)
    with torch.inference_mode(), evaluating(model):
        for start in range(0, n, _ROWS_AT_ONCE):
            rows = torch.arange(start, min(start + _ROWS_AT_ONCE, n), device=input_ids.device)
            some = attention_rows(model, input_ids, None, rows[None])[0]  # (row, key)
            values[start : start + len(rows)] = some.cpu().numpy()
    return MeanMap(values, reading.words, model=name, text=label, answer_row=reading.answer_rows[0])


def _check_roles_have_tokens(aligned: Aligned, length: int) -> None:
    for word in aligned.example.roles:
        if not any(t < length for t in aligned.tokens_of(word.span)):
            raise ValueError(
                f"{word.role}: {word.name!r} stands in the text, but in none of the {length} "
                "tokens that are read: the tokenizer leaves it out, or it belongs to the answer "
                "(answer=True reads that as well)"
            )


def _token(aligned: Aligned, t: int, tokenizer: Any) -> str:
    """What token t reads in the text; its name where it is none of the text's (a BOS token)."""
    start, end = aligned.offsets[t]
    if start == end:
        return str(tokenizer.convert_ids_to_tokens(aligned.input_ids[t]))
    return aligned.example.full_text[start:end]
