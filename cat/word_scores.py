"""The attention score of each word of a text: how much the answer looks at it.

A word's score is the mean attention on its tokens, in the rows that predict the answer: in the mean
map over all layers and heads (the paper's Figures 3 and 9 to 11), in each layer's, or in each
head's.

>>> from cat.models import load_model
>>> from cat.stg import annotate, stg_e
>>> example = annotate(Example.from_record(stg_e()["test_ood"][0]))
>>> model, tokenizer = load_model("tiny")
>>> text = read_text(example, tokenizer)
>>> scores = score_text(text, answer_attention(model, [text])[0])
>>> scores.values.shape, bool(0.5 < scores.on_causes / scores.on_others < 2)  # untrained
((8,), True)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from cat.alignment import align
from cat.modes import evaluating
from cat.scm import Role
from cat.signals import Example

if TYPE_CHECKING:
    from cat.rows import Keep

__all__ = ["SCORED_ROLES", "ReadText", "TextScores", "answer_attention", "read_text", "score_text"]

SCORED_ROLES: tuple[Role, ...] = get_args(Role)


@dataclass(frozen=True)
class ReadText:
    """What there is to score: the rows that predict the answer, and each word's tokens.

    Attributes:
        number: which text it is, for messages.
        input_ids: up to the last row.
        rows: which queries predict the answer's tokens.
        words: role and tokens of each word that has a role, as far as the first row sees them.
    """

    number: int
    input_ids: Sequence[int]
    rows: Sequence[int]
    words: Sequence[tuple[Role, list[int]]]


@dataclass(frozen=True)
class TextScores:
    """The scores of one text; further axes in front where they are per layer or per head.

    Attributes:
        number: of the text.
        roles: (word,), the role of each.
        values: (word,), its score.
        on_causes, on_others: C and N of the loss (section 4.2): the mean attention on a causal
            token and on any other that the rows see; NaN where there is none.
        causal_mass: the attention on all causal tokens together, 0 to 1.
        on_causes_behind_first, on_others_behind_first: C and N with the text's first token, the
            attention sink, left out of both.
    """

    number: int
    roles: np.ndarray
    values: np.ndarray
    on_causes: np.ndarray
    on_others: np.ndarray
    causal_mass: np.ndarray
    on_causes_behind_first: np.ndarray
    on_others_behind_first: np.ndarray


def read_text(
    example: Example,
    tokenizer: Any,
    *,
    number: int = 0,
    longest: int | None = None,
    left_out: Counter[str] | None = None,
) -> ReadText | None:
    """Align a text; None where there is nothing to score.

    Args:
        number: of the text, for messages.
        longest: texts with more tokens up to the answer's last are left out.
        left_out: counts by reason what cannot be scored, texts and words.

    Raises:
        ValueError: a word with an unknown role.
    """
    left_out = Counter() if left_out is None else left_out
    for word in example.roles:
        if word.role not in SCORED_ROLES:
            raise ValueError(
                f"text {number}: word {word.name!r} has role {word.role!r}; expected one of "
                + ", ".join(SCORED_ROLES)
            )
    if not example.roles:
        left_out["texts without roles"] += 1
        return None
    aligned = align(example, tokenizer, add_eos=False)
    rows = [row for row in aligned.answer_rows if row >= 0]
    if not rows:
        left_out["texts without an answer"] += 1
        return None
    if longest is not None and rows[-1] >= longest:
        left_out[f"texts of more than {longest} tokens"] += 1
        return None
    # What stands behind the first row is hidden from it: no score.
    tokens = [[t for t in aligned.tokens_of(w.span) if t <= rows[0]] for w in example.roles]
    words = [(word.role, at) for word, at in zip(example.roles, tokens, strict=True) if at]
    if lost := len(tokens) - len(words):
        left_out["words without a token before the answer"] += lost
    if not words:
        left_out["texts whose roles name no token"] += 1
        return None
    return ReadText(number, aligned.input_ids[: rows[-1] + 1], rows, words)


def answer_attention(model: Any, batch: Sequence[ReadText], per: Keep = "mean") -> np.ndarray:
    """The attention at the rows of each text of a batch, (text, ..., row, key), padded behind."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    from cat.rows import attention_rows

    # Padding behind a text is hidden from its rows as later tokens are: any token will do.
    ids = [torch.tensor(text.input_ids) for text in batch]
    rows = [torch.tensor(text.rows) for text in batch]
    with torch.inference_mode(), evaluating(model):
        attention = attention_rows(
            model,
            pad_sequence(ids, batch_first=True).to(model.device),
            None,
            pad_sequence(rows, batch_first=True, padding_value=-1).to(model.device),
            keep=per,
        )
    values: np.ndarray = attention.cpu().numpy()
    return values


def score_text(text: ReadText, attention: np.ndarray) -> TextScores:
    """The scores of one text's words from its rows, (..., row, key), which may be padded.

    Raises:
        ValueError: attention that is NaN.
    """
    n_keys = len(text.input_ids)
    attention = attention[..., : len(text.rows), :n_keys]
    if not np.isfinite(attention).all():
        raise ValueError(
            f"text {text.number}: expected finite attention, got NaN: are there NaN weights in the "
            "model (did training diverge?)"
        )
    mean_row = attention.mean(axis=-2)  # (..., key)
    causal = np.zeros(n_keys, dtype=bool)
    for role, tokens in text.words:
        causal[tokens] |= role == "causal"
    seen = np.arange(n_keys) <= np.array(text.rows)[:, None]  # (row, key)
    behind_first = np.arange(n_keys) > 0
    return TextScores(
        number=text.number,
        roles=np.array([role for role, _ in text.words]),
        values=np.stack([mean_row[..., at].mean(axis=-1) for _, at in text.words], axis=-1),
        on_causes=_mean_on(attention, seen & causal),
        on_others=_mean_on(attention, seen & ~causal),
        causal_mass=(mean_row * causal).sum(axis=-1),
        on_causes_behind_first=_mean_on(attention, seen & causal & behind_first),
        on_others_behind_first=_mean_on(attention, seen & ~causal & behind_first),
    )


def _mean_on(attention: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """The mean attention on some keys of each row, (row, key), then over rows; NaN for none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        means = (attention * keys).sum(axis=-1) / keys.sum(axis=-1)  # (..., row)
    values: np.ndarray = means.mean(axis=-1).astype(np.float32)
    return values
