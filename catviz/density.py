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
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from cat.signals import Example
from cat.word_scores import ReadText, TextScores, answer_attention, read_text, score_text
from catviz.scores import PER, SCORED_ROLES, RoleScores

if TYPE_CHECKING:
    from cat.rows import Keep

__all__ = ["role_scores"]

_WINDOW = 8  # batches that are sorted by length together


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
    kept: dict[int, TextScores] = {}  # by their places in the sample
    slots: dict[int, int] = {}  # of the texts that are on their way
    total = len(examples) if isinstance(examples, Sized) else None
    bar = tqdm(total=total, desc=progress, unit="text", disable=progress is None)

    def drawn() -> Iterator[ReadText]:
        for number, example in enumerate(examples):
            _check_example(example, number)
            text = read_text(example, tokenizer, number=number, longest=longest, left_out=left_out)
            slot = sample.place() if text else None
            if text is None or slot is None:
                bar.update()
            else:
                slots[number] = slot
                yield text

    with bar:
        for batch in _batches(drawn(), batch_size):
            for text, attention in zip(batch, answer_attention(model, batch, per), strict=True):
                slot = slots.pop(text.number)
                before = kept.get(slot)
                if before is None or before.number < text.number:
                    kept[slot] = score_text(text, attention)
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


def _check_example(example: Any, number: int) -> None:
    if not isinstance(example, Example):
        raise ValueError(
            f"text {number}: expected a cat.signals.Example with roles, got "
            f"{type(example).__name__}; catviz.roles.mark_roles(text, ...) makes one of a text"
        )


def _batches(texts: Iterator[ReadText], batch_size: int) -> Iterator[list[ReadText]]:
    """Batches of texts of about one length, to pad little."""
    while window := list(islice(texts, _WINDOW * batch_size)):
        window.sort(key=lambda text: len(text.input_ids))
        for start in range(0, len(window), batch_size):
            yield window[start : start + batch_size]


def _collect(kept: Sequence[TextScores], seen: int, left_out: Counter[str]) -> RoleScores:
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


def _report(left_out: Counter[str], kept: Mapping[int, TextScores]) -> None:
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
