"""The embedded models: a Llama-shaped decoder small enough to train live, over a game's texts.

``tiny`` reads each factor with its value as one token ("Smoking: 8"), so that nothing has to be
bound and the effect of the loss shows within seconds. ``tiny-word`` is its harder twin: the name,
the colon, the number and the comma are tokens, and the model must bind each name to its number.

Their words (:mod:`cat.game_words`) are STG_E's, or STG_H's, or those of a game of one's own
(:mod:`cat.own_game`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

from cat.game_words import STG_E_WORDS, WORDS, GameWords, game_of
from cat.signals import Example

__all__ = [
    "SPECIAL_TOKENS",
    "TINY_MODELS",
    "TinyShape",
    "name_for",
    "one_thread",
    "suitable_threads",
    "tiny_model",
    "tiny_tokenizer",
]

PAD, EOS, UNKNOWN = SPECIAL_TOKENS = ("<pad>", "<eos>", "<unk>")
SMALL = 1_000_000  # weights, below which threads cost more than they save


@dataclass(frozen=True)
class TinyShape:
    """What distinguishes the embedded models."""

    layers: int
    factor_is_one_token: bool
    width: int = 64
    heads: int = 4
    mlp_width: int = 256
    max_tokens: int = 8192


TINY_MODELS = {
    "tiny": TinyShape(layers=1, factor_is_one_token=True),
    "tiny-word": TinyShape(layers=2, factor_is_one_token=False),
}


@contextmanager
def one_thread() -> Iterator[None]:
    """Within: torch computes on one thread, several times faster for models of this size.

    Threads that wait for one another cost more than they save here, most of all on a busy machine.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def suitable_threads(model: Any) -> AbstractContextManager[None]:
    """One thread for a model as small as the embedded ones, else torch's own choice."""
    weights = sum(parameter.numel() for parameter in model.parameters())
    return one_thread() if weights < SMALL else nullcontext()


def name_for(name: str, examples: Sequence[Example]) -> str:
    """The name under which an embedded model reads these texts; other names stay as they are.

    >>> from cat.stg import stg_h
    >>> texts = [Example.from_record(record) for record in stg_h(n_train=1, n_test=1)["train"]]
    >>> name_for("tiny", texts), name_for("tiny@7", texts), name_for("smollm2", texts)
    ('tiny:STG_H', 'tiny:STG_H@7', 'smollm2')
    """
    family, at, seed = name.partition("@")
    game = game_of(examples)
    if family not in TINY_MODELS or game is None or WORDS[game] is STG_E_WORDS:
        return name
    return f"{family}:{game}{at}{seed}"


def tiny_tokenizer(name: str = "tiny", *, words: GameWords = STG_E_WORDS) -> Any:
    """The word-level tokenizer of an embedded model, as a fast Hugging Face tokenizer.

    Args:
        name: of :data:`TINY_MODELS`.
        words: of the game whose texts it reads.

    >>> tiny_tokenizer().tokenize("Smoking: 8, Weight: 4 Answer: High Risk")
    ['Smoking: 8', 'Weight: 4', 'Answer:', 'High Risk']
    >>> tiny_tokenizer("tiny-word").tokenize("Smoking: 8, Weight: 4")
    ['Smoking', ':', '8', ',', 'Weight', ':', '4']
    """
    from tokenizers import Regex, Tokenizer, models, normalizers, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    shape = TINY_MODELS[name]
    tokens = _tokens(shape, words)
    known = tokens[len(SPECIAL_TOKENS) :]
    core = Tokenizer(
        models.WordLevel({token: i for i, token in enumerate(tokens)}, unk_token=UNKNOWN)
    )
    # "tiny" has no use for commas; to "tiny-word" they are tokens, which may matter to it.
    separators = r"[\s,]+" if shape.factor_is_one_token else r"\s+"
    if words.read_as:
        core.normalizer = normalizers.Sequence(
            [normalizers.Replace(Regex(found), read) for found, read in words.read_as]
        )
    core.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(rf"{_any_of(known)}|[^\s,]+"), "isolated"),
            pre_tokenizers.Split(Regex(rf"^{separators}$"), "removed"),
        ]
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=core,
        name_or_path=name,
        pad_token=PAD,
        eos_token=EOS,
        unk_token=UNKNOWN,
        model_max_length=shape.max_tokens,
        padding_side="left",
        clean_up_tokenization_spaces=False,
    )


def tiny_model(name: str = "tiny", *, seed: int = 42, words: GameWords = STG_E_WORDS) -> Any:
    """An embedded model with fresh weights drawn from a seed; torch's generator stays as it was.

    Args:
        name, words: as for :func:`tiny_tokenizer`.
    """
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    shape = TINY_MODELS[name]
    config = LlamaConfig(
        vocab_size=len(_tokens(shape, words)),
        hidden_size=shape.width,
        intermediate_size=shape.mlp_width,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.heads,
        max_position_embeddings=shape.max_tokens,
        tie_word_embeddings=True,
        pad_token_id=0,
        bos_token_id=None,
        eos_token_id=1,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        model = LlamaForCausalLM(config)
    if words.alike_within:
        embeddings = model.get_input_embeddings().weight.data
        ids = {token: i for i, token in enumerate(_tokens(shape, words))}
        for numbers in _rising_numbers(shape, words):
            rows = [ids[token] for token in numbers]
            embeddings[rows] = _alike(embeddings[rows], words.alike_within)
    return model


def _alike(vectors: Any, width: float) -> Any:
    """Each vector mixed with its neighbours, by a Gaussian of this width; as long as before.

    Args:
        vectors: (number, width of the model), independent of one another.
    """
    import torch

    at = torch.arange(len(vectors), dtype=vectors.dtype)
    shares = torch.exp(-((at[:, None] - at) ** 2) / (2 * width**2))
    return shares / shares.square().sum(dim=1, keepdim=True).sqrt() @ vectors


def _rising_numbers(shape: TinyShape, words: GameWords) -> list[list[str]]:
    """The tokens that stand for numbers, in rising order: the answers, and each factor's values."""
    if shape.factor_is_one_token:
        factors = (
            [f"{name}: {value}" for value in values] for name, values in words.values.items()
        )
        return [list(words.answers), *factors]
    numbers = {
        *words.answers,
        *(str(value) for values in words.values.values() for value in values),
    }
    return [sorted(numbers, key=lambda number: (int(number), not number.startswith("-")))]


def _tokens(shape: TinyShape, words: GameWords) -> list[str]:
    """All that the model knows, by token id."""
    sentences = re.split(r"(?<=[.!?])\s+", words.question)
    common = [*sentences, "Answer:", *words.answers]
    if shape.factor_is_one_token:
        factors = [f"{name}: {value}" for name, values in words.values.items() for value in values]
    else:
        numbers = (str(value) for values in words.values.values() for value in values)
        factors = [*words.values, ":", ",", *numbers]
    return list(dict.fromkeys([*SPECIAL_TOKENS, *common, *factors]))


def _any_of(words: list[str]) -> str:
    """A pattern that finds any of the words, whole: "Weight: 1" is not in "Weight: 10".

    Words that differ behind their last space only are looked for together: thousands of words
    would else be tried one by one.
    """
    ends: dict[str, list[str]] = {}
    for word in sorted(words, key=len, reverse=True):
        head, space, end = word.rpartition(" ")
        ends.setdefault(head + space, []).append(re.escape(end))
    alternatives = "|".join(
        f"{re.escape(head)}(?:{'|'.join(ends[head])})"
        for head in sorted(ends, key=len, reverse=True)
    )
    return rf"(?:{alternatives})(?![0-9A-Za-z])"
