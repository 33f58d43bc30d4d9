"""How much attention the words of each role get, streamed over a whole data set.

A word's score is the mean attention on its tokens, in the rows that predict the answer: in the mean
map over all layers and heads (the paper's Figures 3 and 9 to 11), in each layer's, or in each
head's. The texts pass through the model in batches, on fused attention; only their scores are kept,
4 bytes a word (times layers and heads), and of at most ``max_texts`` texts.

    >>> from cat.data import load_data
    >>> from cat.models import load_model
    >>> texts = load_data("stg-e")["test_ood"][:40]
    >>> scores = role_scores(*load_model("tiny/alpha-10"), texts, per="head")
    >>> scores["causal"].shape  # (layer, head, word): one layer, four heads, three causes a text
    (1, 4, 120)
    >>> scores.at(layer=0, head=2)["causal"].shape
    (120,)
"""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from cat.alignment import align
from cat.modes import evaluating
from cat.signals import Example
from catviz.scores import PER, SCORED_ROLES, RoleScores
from catviz.words import Role

if TYPE_CHECKING:
    from cat.rows import Keep

__all__ = ["role_scores"]

_WINDOW = 8  # batches that are sorted by length together
_NO_ROLES, _NO_ANSWER = "texts without roles", "texts without an answer"
_NO_TOKENS, _LOST_WORDS = (
    "texts whose roles name no token",
    "words without a token before the answer",
)


def role_scores(
    model: Any,
    tokenizer: Any,
    examples: Iterable[Example],
    *,
    per: Keep = "mean",
    batch_size: int = 32,
    max_texts: int | None = 10_000,
    max_length: int | None = None,
    seed: int = 0,
    progress: str | None = None,
) -> RoleScores:
    """The attention score of every word that has a role, in every text (the paper's Figure 3).

    Args:
        model: a transformers decoder or a PEFT model around one; it is left as it was.
        examples: texts with roles and answers: a list, or an iterator over a file of any length.
        per: scores in the "mean" map over layers and heads, in each "layer"'s mean over heads, or
            in each "head".
        max_texts: of more texts a uniform random sample of this many is kept, drawn as they pass
            (reservoir sampling; Vitter 1985, Algorithm R), so that memory does not grow with their
            number; texts that are not drawn are not run. None keeps all.
        max_length: texts with more tokens up to the answer's last are left out; by default those
            beyond the model's own limit.
        seed: of the sample.
        progress: show a progress bar of this name.

    Raises:
        ValueError: no text can be scored; a word with an unknown role; attention that is NaN.

    Warns:
        UserWarning: some texts or words were left out; ``left_out`` of the result counts them.
    """
    import torch
    from tqdm.auto import tqdm

    if per not in PER:
        raise ValueError(f"expected per as one of {', '.join(PER)}, got {per!r}")
    numbers = {"batch_size": batch_size, "max_texts": max_texts, "max_length": max_length}
    for name, number in numbers.items():
        if number is not None and number < 1:
            raise ValueError(f"expected {name} of at least 1, got {number}")
    longest = max_length or _longest(model)
    sample = _Sample(max_texts, seed)
    left_out: Counter[str] = Counter()
    kept: dict[int, _Scored] = {}
    total = len(examples) if isinstance(examples, Sized) else None
    bar = tqdm(total=total, desc=progress, unit="text", disable=progress is None)

    def drawn() -> Iterator[_Text]:
        for number, example in enumerate(examples):
            text = _read(example, number, tokenizer, longest, left_out)
            slot = sample.place() if text else None
            if text is None or slot is None:
                bar.update()
            else:
                yield replace(text, slot=slot)

    with bar, torch.inference_mode(), evaluating(model):
        for batch in _batches(drawn(), batch_size):
            for text, attention in zip(batch, _attention(model, batch, per), strict=True):
                before = kept.get(text.slot)
                if before is None or before.number < text.number:
                    kept[text.slot] = _score(text, attention)
            bar.update(len(batch))
    _report(left_out, kept)
    return _collect(sorted(kept.values(), key=lambda s: s.number), sample.seen, left_out)


class _Sample:
    """Places for at most ``limit`` texts of a stream, each as likely to be kept as any other."""

    def __init__(self, limit: int | None, seed: int) -> None:
        self.limit, self.seen = limit, 0
        self._random = random.Random(seed)

    def place(self) -> int | None:
        """Where the next text goes, in place of what is there; None where it is not drawn."""
        self.seen += 1
        if self.limit is None or self.seen <= self.limit:
            return self.seen - 1
        slot = self._random.randrange(self.seen)
        return slot if slot < self.limit else None


@dataclass(frozen=True)
class _Text:
    """What there is to score: the rows that predict the answer, and each word's tokens."""

    number: int
    input_ids: Sequence[int]  # up to the last row
    rows: Sequence[int]
    words: Sequence[tuple[Role, list[int]]]
    slot: int = -1


@dataclass(frozen=True)
class _Scored:
    """The scores of one text."""

    number: int
    roles: np.ndarray  # (word,)
    values: np.ndarray  # (..., word)
    on_causes: np.ndarray  # (...)
    on_others: np.ndarray  # (...)


def _read(
    example: Example, number: int, tokenizer: Any, longest: int | None, left_out: Counter[str]
) -> _Text | None:
    """Align a text; None, and one more in ``left_out``, where there is nothing to score."""
    if not isinstance(example, Example):
        raise ValueError(
            f"text {number}: expected a cat.signals.Example with roles, got "
            f"{type(example).__name__}; catviz.roles.mark_roles(text, ...) makes one of a text"
        )
    for word in example.roles:
        if word.role not in SCORED_ROLES:
            raise ValueError(
                f"text {number}: word {word.name!r} has role {word.role!r}; expected one of "
                + ", ".join(SCORED_ROLES)
            )
    if not example.roles:
        left_out[_NO_ROLES] += 1
        return None
    aligned = align(example, tokenizer, add_eos=False)
    rows = [row for row in aligned.answer_rows if row >= 0]
    if not rows:
        left_out[_NO_ANSWER] += 1
        return None
    if longest is not None and rows[-1] >= longest:
        left_out[f"texts of more than {longest} tokens"] += 1
        return None
    # What stands behind the first row is hidden from it: no score.
    tokens = [[t for t in aligned.tokens_of(w.span) if t <= rows[0]] for w in example.roles]
    words = [(word.role, at) for word, at in zip(example.roles, tokens, strict=True) if at]
    if lost := len(tokens) - len(words):
        left_out[_LOST_WORDS] += lost
    if not words:
        left_out[_NO_TOKENS] += 1
        return None
    return _Text(number, aligned.input_ids[: rows[-1] + 1], rows, words)


def _batches(texts: Iterator[_Text], batch_size: int) -> Iterator[list[_Text]]:
    """Batches of texts of about one length, to pad little."""
    while window := list(islice(texts, _WINDOW * batch_size)):
        window.sort(key=lambda text: len(text.input_ids))
        for start in range(0, len(window), batch_size):
            yield window[start : start + batch_size]


def _attention(model: Any, batch: Sequence[_Text], per: Keep) -> np.ndarray:
    """The attention at the rows of each text, (text, ..., row, key)."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    from cat.rows import attention_rows

    # Padding behind a text is hidden from its rows as later tokens are: any token will do.
    ids = [torch.tensor(text.input_ids) for text in batch]
    rows = [torch.tensor(text.rows) for text in batch]
    attention = attention_rows(
        model,
        pad_sequence(ids, batch_first=True).to(model.device),
        None,
        pad_sequence(rows, batch_first=True, padding_value=-1).to(model.device),
        keep=per,
    )
    values: np.ndarray = attention.cpu().numpy()
    return values


def _score(text: _Text, attention: np.ndarray) -> _Scored:
    """The scores of one text's words from its rows, (..., row, key), which may be padded."""
    n_keys = len(text.input_ids)
    attention = attention[..., : len(text.rows), :n_keys]
    if not np.isfinite(attention).all():
        raise ValueError(
            f"text {text.number}: expected finite attention, got NaN: are there NaN weights in the "
            "model (did training diverge)?"
        )
    mean_row = attention.mean(axis=-2)  # (..., key)
    causal = np.zeros(n_keys, dtype=bool)
    for role, tokens in text.words:
        causal[tokens] |= role == "causal"
    others = (np.arange(n_keys) <= np.array(text.rows)[:, None]) & ~causal  # (row, key)
    with np.errstate(divide="ignore", invalid="ignore"):
        on_causes = (mean_row * causal).sum(axis=-1) / causal.sum()
        on_others = ((attention * others).sum(axis=-1) / others.sum(axis=-1)).mean(axis=-1)
    return _Scored(
        number=text.number,
        roles=np.array([role for role, _ in text.words]),
        values=np.stack([mean_row[..., at].mean(axis=-1) for _, at in text.words], axis=-1),
        on_causes=on_causes.astype(np.float32),
        on_others=on_others.astype(np.float32),
    )


def _collect(kept: Sequence[_Scored], seen: int, left_out: Counter[str]) -> RoleScores:
    """Join the texts' scores, role by role."""
    numbers = np.array([scored.number for scored in kept])
    roles = np.concatenate([scored.roles for scored in kept])  # (word,)
    texts = np.repeat(numbers, [scored.roles.size for scored in kept])
    values = np.concatenate([scored.values for scored in kept], axis=-1)  # (..., word)
    there = [role for role in SCORED_ROLES if (roles == role).any()]
    return RoleScores(
        scores={role: values[..., roles == role] for role in there},
        texts={role: texts[roles == role] for role in there},
        numbers=numbers,
        on_causes=np.stack([scored.on_causes for scored in kept], axis=-1),
        on_others=np.stack([scored.on_others for scored in kept], axis=-1),
        texts_seen=seen,
        left_out=dict(left_out),
    )


def _report(left_out: Counter[str], kept: Mapping[int, _Scored]) -> None:
    """Warn of what was left out; refuse when nothing remains."""
    counts = ", ".join(f"{reason} ({count})" for reason, count in left_out.items())
    if not kept:
        raise ValueError(
            f"expected texts with roles and an answer, got {counts or 'no text at all'}. Roles: "
            "cat.stg.annotate adds the game's, catviz.roles.mark_roles(text, "
            '{"causal": [...], ...}) those of any text; the answer belongs into Example(answer=).'
        )
    if counts:
        warnings.warn(f"left out of the scores: {counts}", stacklevel=3)


def _longest(model: Any) -> int | None:
    """The number of tokens that the model has positions for, where it has a limit."""
    limit = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return None if limit is None else int(limit)
