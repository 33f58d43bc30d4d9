"""From phrase-level signals to supervised rows of tokens, by character offsets.

A text is tokenised once. A phrase's tokens are those whose characters overlap one of its
occurrences; a (cause, effect) pair of occurrences counts when the cause ends at or before the
effect begins. The attention row that predicts token t is row t-1, so an effect token t is
supervised at row t-1, on the columns of its causes up to t-1: the paper's adjacency matrix,
shifted up by one row (Han et al. 2025, sections 4.1 and 4.2). What cannot be aligned is
reported with its reason, never dropped in silence.

Ours, beside the paper's: the causes' own tokens may be supervised too, see
:func:`with_cause_rows`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from itertools import product
from typing import Any, Literal

import numpy as np

from cat.signals import Example, Place, Span, find_phrase

__all__ = ["Aligned", "AlignmentReport", "Pair", "align", "align_all", "with_cause_rows"]

Outcome = Literal["aligned", "phrase absent", "order broken", "cut off", "one token", "no token"]
OUTCOMES: Mapping[Outcome, str] = {
    "aligned": "cause and effect found, in order",
    "phrase absent": "the effect or the cause does not stand in the text",
    "order broken": "every occurrence of the cause ends after the effect begins",
    "cut off": "the tokens lie beyond the length limit",
    "one token": "the tokenizer puts cause and effect into one and the same token",
    "no token": "the tokenizer leaves out the characters of the effect or of the cause",
}
EXAMPLES_KEPT = 5
AT_ONCE = 1000  # texts given to the tokenizer: half the time of one by one


@dataclass(frozen=True)
class Pair:
    """What became of one (effect, cause) pair of a signal."""

    effect: str
    cause: str
    outcome: Outcome


@dataclass(frozen=True)
class Aligned:
    """One tokenised example with its supervised rows.

    Attributes:
        input_ids: token ids, end-of-text token included, cut at the length limit.
        offsets: (start, end) characters of each token in ``example.full_text``.
        answer_start: index of the first token of the answer (= length of the prompt in tokens).
        rows: query positions that are supervised, ascending.
        causes: bool (row, key), True where the key is a cause of what the row predicts (or, on
            the rows that :func:`with_cause_rows` adds, a cause beside the row's own token).
        pairs: the outcome of every pair of the example's signals.
        complete: whether the whole text fitted under the length limit.
        index: which example of its data set it is, counted from 0.
    """

    example: Example
    input_ids: tuple[int, ...]
    offsets: tuple[Span, ...]
    answer_start: int
    rows: tuple[int, ...]
    causes: np.ndarray
    pairs: tuple[Pair, ...]
    complete: bool
    index: int = 0

    @cached_property
    def valid_rows(self) -> int:
        """Rows that see at least one cause and at least one other token: those that can count."""
        visible = np.asarray(self.rows) + 1
        n_causes = self.causes.sum(axis=1)
        return int(((n_causes > 0) & (n_causes < visible)).sum())

    @property
    def answer_rows(self) -> tuple[int, ...]:
        """The rows that predict the answer's tokens (the end-of-text token not among them)."""
        prompt_end, text_end = self.example.boundary, len(self.example.full_text)
        return tuple(
            t - 1
            for t, (start, end) in enumerate(self.offsets)
            if prompt_end < end and start < text_end
        )

    def tokens_of(self, span: Span) -> list[int]:
        """Indices of the tokens whose characters overlap a span."""
        return _overlapping(self.offsets, span)


def align(
    example: Example, tokenizer: Any, *, max_length: int | None = None, add_eos: bool = True
) -> Aligned:
    """Tokenise an example once and find its supervised rows.

    Args:
        tokenizer: any fast Hugging Face tokenizer (it must give character offsets).
        max_length: tokens kept; signals that fall off are counted as "cut off".
        add_eos: append the end-of-text token, so that a tuned model learns to stop.

    Raises:
        ValueError: a tokenizer without character offsets, or a max_length below 1.

    >>> from cat.models import tiny_tokenizer
    >>> from cat.signals import Signal
    >>> example = Example("Smoking: 8, Weight: 4 Answer: ", "High Risk",
    ...                   (Signal("High Risk", ("Smoking: 8",)),))
    >>> aligned = align(example, tiny_tokenizer())
    >>> aligned.rows, aligned.causes.astype(int).tolist()  # four tokens and the end of text
    ((2,), [[1, 0, 0, 0, 0]])
    """
    _check_length(max_length)
    ((ids, offsets),) = _tokenise([example.full_text], tokenizer, add_eos=add_eos)
    return _align_tokens(example, ids, offsets, max_length)


def _align_tokens(
    example: Example, ids: Sequence[int], offsets: Sequence[Span], max_length: int | None
) -> Aligned:
    text = example.full_text
    answer_start = _answer_start(offsets, example.boundary)
    limit = len(ids) if max_length is None else min(max_length, len(ids))

    places = cache(partial(_places, text))
    tokens_of = cache(partial(_overlapping, offsets))
    cells: dict[int, set[int]] = {}  # row -> keys
    pairs = []
    for signal in example.signals:
        for cause in signal.causes:
            outcome, found = _align_pair(places(signal.effect), places(cause), tokens_of, limit)
            pairs.append(Pair(_quote(text, signal.effect), _quote(text, cause), outcome))
            for row, key in found:
                cells.setdefault(row, set()).add(key)

    return Aligned(
        example=example,
        input_ids=tuple(ids[:limit]),
        offsets=tuple(offsets[:limit]),
        answer_start=min(answer_start, limit),
        **_rows_and_causes(cells, limit),
        pairs=tuple(pairs),
        complete=limit == len(ids),
    )


def with_cause_rows(aligned: Aligned) -> Aligned:
    """The same example, supervised also at the tokens of its causes: they look at causes only.

    For each supervised row and each of its causal tokens t, row t is supervised as well, on the
    causal tokens (of the same row) up to t, itself among them. The answer's row alone does not
    keep spurious words out: where a model has several layers, a causal word may have read them
    before the answer reads it. Not in the paper.

    >>> from cat.models import tiny_tokenizer
    >>> from cat.signals import Signal
    >>> example = Example("Smoking: 8, Hormones: 1, Weight: 4 Answer: ", "High Risk",
    ...                   (Signal("High Risk", ("Smoking: 8", "Weight: 4")),))
    >>> closed = with_cause_rows(align(example, tiny_tokenizer()))
    >>> closed.rows, closed.causes.astype(int).tolist()
    ((0, 2, 3), [[1, 0, 0, 0, 0, 0], [1, 0, 1, 0, 0, 0], [1, 0, 1, 0, 0, 0]])
    """
    keys_of = {
        row: np.flatnonzero(causes).tolist()
        for row, causes in zip(aligned.rows, aligned.causes, strict=True)
    }
    cells = {row: set(keys) for row, keys in keys_of.items()}
    for keys in keys_of.values():
        for n, key in enumerate(keys):
            cells.setdefault(key, set()).update(keys[: n + 1])
    return replace(aligned, **_rows_and_causes(cells, len(aligned.input_ids)))


def align_all(
    examples: Iterable[Example],
    tokenizer: Any,
    *,
    max_length: int | None = None,
    add_eos: bool = True,
    cause_rows: bool = False,
) -> tuple[list[Aligned], AlignmentReport]:
    """Align a data set; the report tells what was kept and what was not, and why.

    Args:
        cause_rows: supervise the causes' own tokens too, see :func:`with_cause_rows`.
    """
    _check_length(max_length)
    examples = list(examples)
    aligned: list[Aligned] = []
    for start in range(0, len(examples), AT_ONCE):
        batch = examples[start : start + AT_ONCE]
        tokens = _tokenise([e.full_text for e in batch], tokenizer, add_eos=add_eos)
        for example, (ids, offsets) in zip(batch, tokens, strict=True):
            item = _align_tokens(example, ids, offsets, max_length)
            aligned.append(replace(item, index=len(aligned)))
    if cause_rows:
        aligned = [with_cause_rows(item) for item in aligned]
    return aligned, AlignmentReport.of(aligned)


@dataclass(frozen=True)
class AlignmentReport:
    """Counts over a data set: pairs by outcome, with a few examples of each failure."""

    texts: int
    texts_without_signals: int
    texts_cut: int
    rows: int
    outcomes: Mapping[Outcome, int]
    examples: Mapping[Outcome, tuple[dict[str, str], ...]]

    @classmethod
    def of(cls, aligned: Sequence[Aligned]) -> AlignmentReport:
        outcomes: Counter[Outcome] = Counter()
        examples: dict[Outcome, list[dict[str, str]]] = {}
        for item in aligned:
            for pair in item.pairs:
                outcomes[pair.outcome] += 1
                kept = examples.setdefault(pair.outcome, [])
                if pair.outcome != "aligned" and len(kept) < EXAMPLES_KEPT:
                    text = item.example.full_text
                    kept.append({"effect": pair.effect, "cause": pair.cause, "text": text})
        return cls(
            texts=len(aligned),
            texts_without_signals=sum(not item.pairs for item in aligned),
            texts_cut=sum(not item.complete for item in aligned),
            rows=sum(len(item.rows) for item in aligned),
            outcomes={outcome: outcomes[outcome] for outcome in OUTCOMES},
            examples={outcome: tuple(kept) for outcome, kept in examples.items() if kept},
        )

    @property
    def pairs(self) -> int:
        return sum(self.outcomes.values())

    @property
    def alignable(self) -> int:
        """Pairs whose phrases stand in the text in order: what an ideal alignment keeps."""
        return self.pairs - self.outcomes["phrase absent"] - self.outcomes["order broken"]

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "texts": self.texts,
            "texts_without_signals": self.texts_without_signals,
            "texts_cut": self.texts_cut,
            "rows": self.rows,
            "pairs": self.pairs,
            "alignable": self.alignable,
            **{outcome.replace(" ", "_"): count for outcome, count in self.outcomes.items()},
            "examples": {o.replace(" ", "_"): list(kept) for o, kept in self.examples.items()},
        }

    def __str__(self) -> str:
        lines = [
            f"{self.texts} texts ({self.texts_without_signals} without signals, "
            f"{self.texts_cut} cut at the length limit), {self.rows} supervised rows",
            f"{self.pairs} pairs of a cause and an effect:",
        ]
        for outcome, count in self.outcomes.items():
            share = f"{count / self.pairs:6.1%}" if self.pairs else "     -"
            lines.append(f"  {count:7d} {share}  {outcome}: {OUTCOMES[outcome]}")
        for outcome, kept in self.examples.items():
            lines.append(f"{outcome}, for example:")
            lines += [f"  {e['cause']!r} -> {e['effect']!r} in {_short(e['text'])}" for e in kept]
        return "\n".join(lines)


def _check_length(max_length: int | None) -> None:
    if max_length is not None and max_length < 1:
        raise ValueError(f"expected max_length as a number of tokens, at least 1, got {max_length}")


def _tokenise(
    texts: Sequence[str], tokenizer: Any, *, add_eos: bool
) -> Iterator[tuple[list[int], list[Span]]]:
    """The ids of each text's tokens, and their characters."""
    if not getattr(tokenizer, "is_fast", False):
        raise ValueError(
            f"expected a fast tokenizer (one with character offsets), got "
            f"{type(tokenizer).__name__}: load it with use_fast=True"
        )
    # Not verbose: the report tells of texts beyond the limit that the caller sets.
    encoded = tokenizer(list(texts), return_offsets_mapping=True, verbose=False)
    end = tokenizer.eos_token_id
    for text, ids, places in zip(
        texts, encoded["input_ids"], encoded["offset_mapping"], strict=True
    ):
        offsets = [Span(*place) for place in places]
        if add_eos and end is not None and ids[-1:] != [end]:
            ids = [*ids, end]
            offsets.append(Span(len(text), len(text)))
        yield ids, offsets


def _answer_start(offsets: Sequence[Span], boundary: int) -> int:
    """The first token that is not the prompt's: it ends beyond the boundary, or begins there.

    Some tokenizers trim the space off their offsets, which leaves a lone space token an empty span
    behind the space: it is the answer's all the same. Without an answer it is the end of text.
    """
    beyond = (t for t, (start, end) in enumerate(offsets) if end > boundary or start >= boundary)
    return next(beyond, len(offsets))


def _places(text: str, place: Place) -> tuple[Span, ...]:
    return (place,) if isinstance(place, Span) else find_phrase(text, place)


def _quote(text: str, place: Place) -> str:
    return text[place.start : place.end] if isinstance(place, Span) else place


def _overlapping(offsets: Sequence[Span], span: Span) -> list[int]:
    return [t for t, (start, end) in enumerate(offsets) if start < span.end and span.start < end]


def _align_pair(
    effects: Sequence[Span],
    causes: Sequence[Span],
    tokens_of: Callable[[Span], list[int]],
    limit: int,
) -> tuple[Outcome, set[tuple[int, int]]]:
    """The outcome of one pair, and its cells (row, key) under the limit."""
    if not effects or not causes:
        return "phrase absent", set()
    in_order = [(e, c) for e in effects for c in causes if c.end <= e.start]
    if not in_order:
        return "order broken", set()
    tokens = [(tokens_of(effect), tokens_of(cause)) for effect, cause in in_order]
    cells = {
        (token - 1, key)
        for effect, cause in tokens
        for token, key in product(effect, cause)
        if key < token
    }
    if not cells:
        return ("one token" if any(e and c for e, c in tokens) else "no token"), set()
    kept = {(row, key) for row, key in cells if row + 1 < limit}
    return ("aligned", kept) if kept else ("cut off", set())


def _rows_and_causes(cells: Mapping[int, set[int]], n_keys: int) -> dict[str, Any]:
    """``rows`` and ``causes`` of :class:`Aligned` from row -> its causal keys."""
    rows = tuple(sorted(cells))
    causes = np.zeros((len(rows), n_keys), dtype=bool)
    for r, row in enumerate(rows):
        causes[r, sorted(cells[row])] = True
    return {"rows": rows, "causes": causes}


def _short(text: str, width: int = 100) -> str:
    return repr(text if len(text) <= width else f"{text[: width - 1]}…")
