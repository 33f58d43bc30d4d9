"""For the tests of `cat.alignment`: fast tokenizers of every kind, and the cells of a result."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast

from cat.alignment import Aligned

END, UNKNOWN = "<end>", "<unk>"
SPECIAL = {"special_tokens": [UNKNOWN, END], "show_progress": False}


def fast(core: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(tokenizer_object=core, eos_token=END, unk_token=UNKNOWN)


def byte_level(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """As GPT-2: the space goes with the word, and the offsets include it."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2000, **SPECIAL, **all_bytes()))
    return fast(core)


def byte_level_digits(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """As SmolLM2 and Llama 3: digits apart, so "Answer: 8" has a lone space; offsets trimmed."""
    core = Tokenizer(models.BPE())
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(False)]
    )
    core.post_processor = processors.ByteLevel(trim_offsets=True)
    core.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2000, **SPECIAL, **all_bytes()))
    return fast(core)


def all_bytes() -> dict[str, list[str]]:
    return {"initial_alphabet": pre_tokenizers.ByteLevel.alphabet()}


def word_piece(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """As BERT: lower case, accents off, punctuation apart, no tokens for spaces."""
    core = Tokenizer(models.WordPiece(unk_token=UNKNOWN))
    core.normalizer = normalizers.BertNormalizer()
    core.pre_tokenizer = pre_tokenizers.Whitespace()
    core.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=2000, **SPECIAL))
    return fast(core)


def unigram(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """As T5 and the first Llamas: spaces become ▁, one is put before the text."""
    core = Tokenizer(models.Unigram())
    core.pre_tokenizer = pre_tokenizers.Metaspace()
    core.train_from_iterator(
        texts, trainers.UnigramTrainer(vocab_size=2000, unk_token=UNKNOWN, **SPECIAL)
    )
    return fast(core)


def character(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Every character a token."""
    core = Tokenizer(models.BPE(unk_token=UNKNOWN))
    core.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=1, **SPECIAL))
    return fast(core)


def spaced_words(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Whatever stands between spaces is a token: "$<<3*4=12>>12" too."""
    core = Tokenizer(models.WordLevel(unk_token=UNKNOWN))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    core.train_from_iterator(texts, trainers.WordLevelTrainer(**SPECIAL))
    return fast(core)


def across_words(texts: Iterable[str]) -> PreTrainedTokenizerFast:
    """Merges that do not stop at spaces: "Answer: 8.0" may be one token."""
    core = Tokenizer(models.BPE(unk_token=UNKNOWN))
    core.normalizer = normalizers.Replace(" ", "▁")
    core.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=2000, **SPECIAL))
    return fast(core)


FINE: dict[str, Callable[[Iterable[str]], Any]] = {
    "byte-level": byte_level,
    "byte-level, digits": byte_level_digits,
    "WordPiece": word_piece,
    "Unigram": unigram,
    "character": character,
}
COARSE: dict[str, Callable[[Iterable[str]], Any]] = {
    "spaced words": spaced_words,
    "across words": across_words,
}


def of_words(*words: str, **options: Any) -> PreTrainedTokenizerFast:
    """Exactly these words, longest first; anything else is unknown; spaces are left out."""
    vocabulary = {word: n for n, word in enumerate((UNKNOWN, END, *words))}
    core = Tokenizer(models.WordPiece(vocabulary, unk_token=UNKNOWN, continuing_subword_prefix=""))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(
        tokenizer_object=core, unk_token=UNKNOWN, **{"eos_token": END, **options}
    )


def cells_of(aligned: Aligned) -> set[tuple[int, int]]:
    return {(aligned.rows[r], int(key)) for r, key in np.argwhere(aligned.causes)}
