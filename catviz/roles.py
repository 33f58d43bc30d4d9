"""Which tokens make up each factor, and what the factor is to the answer."""

from __future__ import annotations

from cat.alignment import Aligned
from catviz.words import Word

__all__ = ["words_of"]


def words_of(aligned: Aligned, length: int | None = None) -> tuple[Word, ...]:
    """The words of an aligned example, in order: each factor is one, every other token is one.

    Args:
        length: keep the words of the first ``length`` tokens, for example of the prompt alone.

    >>> from cat.alignment import align
    >>> from cat.models import tiny_tokenizer
    >>> from cat.signals import Example
    >>> from cat.stg import annotate, stg_e
    >>> example = annotate(Example.from_record(stg_e()["test_ood"][0]))
    >>> [word.role for word in words_of(align(example, tiny_tokenizer()))][2:5]
    ['irrelevant', 'irrelevant', 'spurious']
    """
    length = len(aligned.input_ids) if length is None else length
    text = aligned.example.full_text
    words: list[Word] = []
    end = 0  # tokens told so far
    for factor in aligned.example.roles:
        tokens = [t for t in aligned.tokens_of(factor.span) if end <= t < length]
        if not tokens:
            continue
        words += _single_tokens(aligned, text, end, tokens[0])
        label = text[factor.span.start : factor.span.end]
        words.append(Word(tokens[0], tokens[-1] + 1, label, factor.role))
        end = tokens[-1] + 1
    return (*words, *_single_tokens(aligned, text, end, length))


def _single_tokens(aligned: Aligned, text: str, start: int, stop: int) -> list[Word]:
    def label(t: int) -> str:
        place = aligned.offsets[t]
        return text[place.start : place.end].strip() or "·"

    return [Word(t, t + 1, label(t), "other") for t in range(start, stop)]
