"""Bias in a model's token embeddings: measured (WEAT), and taken out of one direction.

:func:`weat` asks whether two sets of words lie nearer to one or the other of two sets of attributes
(Caliskan et al. 2017, Science 356, "Word-Embedding Association Test"). :func:`hard_debias` takes
the direction in which pairs such as he/she differ out of all other words (Bolukbasi et al. 2016,
arXiv 1607.06520). What stays behind in the other directions is to be measured with words that had
no part in it (Gonen and Goldberg 2019, arXiv 1903.03862).

Words are tokens of their own with a space in front; those that a tokenizer cuts are left out and
named. Word lists: :mod:`cat.gender_words`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

__all__ = [
    "Association",
    "Pairs",
    "WordSets",
    "bias_direction",
    "cluster_accuracy",
    "hard_debias",
    "log_odds",
    "next_token_loss",
    "replaced_embeddings",
    "token_embeddings",
    "weat",
    "word_tokens",
]

Pairs = Sequence[tuple[str, str]]

ROUNDING = 1e-6  # scores that differ by less are one and the same


@dataclass(frozen=True)
class WordSets:
    """The four sets of one test: do ``x`` go with ``a``, and ``y`` with ``b``?"""

    x: tuple[str, ...]
    y: tuple[str, ...]
    a: tuple[str, ...]
    b: tuple[str, ...]


# ------------------------------------------------------------------------------ measuring


@dataclass(frozen=True)
class Association:
    """What :func:`weat` found.

    Attributes:
        effect: the difference of the two sets' mean association, in standard deviations over
            the words of both; from -2 to 2, 0 without bias.
        p_value: how often words dealt out to the two sets at random give as large a difference.
        scores: the association of each word of x and of y: positive with a, negative with b.
        left_out: words that are no single token.
    """

    effect: float
    p_value: float
    scores: dict[str, float]
    left_out: tuple[str, ...]


def weat(
    embeddings: Tensor, tokenizer: Any, sets: WordSets, *, deals: int = 10_000, seed: int = 0
) -> Association:
    """The Word-Embedding Association Test on token embeddings, by cosines.

    Args:
        embeddings: (token, d_model), see :func:`token_embeddings`.
        deals: how many random deals the one-sided p value is read from; it is at least
            ``1 / (deals + 1)``.
        seed: of the deals.

    Raises:
        ValueError: fewer than two single-token words in a set.

    >>> weat(matrix, tokenizer, GENDER_TESTS["occupations by names"])  # doctest: +SKIP
    """
    left_out: list[str] = []
    unit = []
    kept_words: list[tuple[str, ...]] = []
    for name in ("x", "y", "a", "b"):
        tokens, missing = word_tokens(tokenizer, getattr(sets, name))
        if len(tokens) < 2:
            raise ValueError(
                f"expected at least two words of set {name} that are one token each, got "
                f"{list(tokens)}: {list(missing)} are cut by this tokenizer"
            )
        left_out += missing
        kept_words.append(tuple(tokens))
        unit.append(_unit(embeddings[list(tokens.values())]).double())
    x, y, a, b = unit
    words = torch.cat([x, y])  # (word, d_model)
    scores = ((words @ a.T).mean(dim=1) - (words @ b.T).mean(dim=1)).numpy()  # (word,)
    by_word = dict(zip(kept_words[0] + kept_words[1], scores.tolist(), strict=True))
    if (spread := float(scores.std(ddof=1))) < ROUNDING:
        return Association(0.0, 1.0, by_word, tuple(left_out))
    n_x = len(x)
    difference = float(scores[:n_x].mean() - scores[n_x:].mean())
    rng = np.random.default_rng(seed)
    dealt = rng.permuted(np.tile(scores, (deals, 1)), axis=1)
    differences = dealt[:, :n_x].mean(axis=1) - dealt[:, n_x:].mean(axis=1)
    as_large = int((differences >= difference - 1e-12).sum())
    p_value = (as_large + 1) / (deals + 1)
    return Association(difference / spread, p_value, by_word, tuple(left_out))


def cluster_accuracy(
    embeddings: Tensor, tokenizer: Any, a: Iterable[str], b: Iterable[str], *, seed: int = 0
) -> float:
    """How well two clusters found without labels (k-means on unit vectors) agree with a and b.

    From 0.5 (nothing of the difference is left) to 1 (Gonen and Goldberg 2019, section 4).
    """
    from scipy.cluster.vq import kmeans2

    ids = [list(word_tokens(tokenizer, words)[0].values()) for words in (a, b)]
    vectors = _unit(embeddings[ids[0] + ids[1]]).double().numpy()
    labels = np.array([0] * len(ids[0]) + [1] * len(ids[1]))

    def squared_error(found: tuple[Any, Any]) -> float:
        centres, clusters = found
        return float(((vectors - centres[clusters]) ** 2).sum())

    rng = np.random.default_rng(seed)
    starts = (kmeans2(vectors, 2, minit="++", rng=rng) for _ in range(20))
    _, clusters = min(starts, key=squared_error)
    agreement = float((clusters == labels).mean())
    return max(agreement, 1 - agreement)


def word_tokens(tokenizer: Any, words: Iterable[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Word -> token id of the word with a space in front; and the words that are no single token.

    >>> from cat.models import tiny_tokenizer
    >>> tokens, left_out = word_tokens(tiny_tokenizer("tiny-word"), ["Smoking", "career"])
    >>> list(tokens), left_out
    (['Smoking'], ('career',))
    """
    tokens, left_out = {}, []
    for word in words:
        ids = tokenizer(f" {word}", add_special_tokens=False)["input_ids"]
        if len(ids) == 1 and ids[0] != tokenizer.unk_token_id:
            tokens[word] = ids[0]
        else:
            left_out.append(word)
    return tokens, tuple(left_out)


# ------------------------------------------------------------------------------ debiasing


def bias_direction(embeddings: Tensor, tokenizer: Any, pairs: Pairs) -> Tensor:
    """The unit vector (d_model,) along which the words of pairs differ most, first word positive.

    The first principal component of the pairs' words at length one, each pair centred (Bolukbasi
    et al. 2016, section 6, step 1).

    Raises:
        ValueError: fewer than two pairs of single-token words.
    """
    ids = _pair_tokens(tokenizer, pairs)
    halves = (_unit(embeddings[ids[:, 0]]) - _unit(embeddings[ids[:, 1]])) / 2  # (pair, d_model)
    # A centred pair is +half and -half: its principal components are those of the halves alone.
    direction = torch.linalg.svd(halves, full_matrices=False).Vh[0]
    return direction * torch.sign((halves @ direction).sum())


def hard_debias(
    embeddings: Tensor,
    tokenizer: Any,
    pairs: Pairs,
    *,
    neutral: Iterable[str] | None = None,
) -> Tensor:
    """A new matrix (token, d_model) without the pairs' direction in the neutral words.

    Neutral words lose their part along the direction. The two words of a pair come to lie at equal
    distances on both sides of it, with one common rest, so that every neutral word is as near to
    the one as to the other (Bolukbasi et al. 2016, section 6, step 2a). Their vectors are of
    length one; here lengths mean something to the model, so neutral words are not stretched again
    and a pair gets its mean length.

    Args:
        neutral: words to neutralise; None for all tokens but the pairs' own, special tokens and
            pieces of words included.

    Raises:
        ValueError: fewer than two pairs of single-token words, or neutral words that are none.
    """
    ids = _pair_tokens(tokenizer, pairs)
    direction = bias_direction(embeddings, tokenizer, pairs)
    debiased = embeddings.detach().float().clone()
    if neutral is None:
        chosen = torch.arange(len(debiased))
    else:
        tokens, missing = word_tokens(tokenizer, neutral)
        if missing or not tokens:
            raise ValueError(f"expected neutral words of one token each, these are not: {missing}")
        chosen = torch.tensor(list(tokens.values()))
    debiased[chosen] -= (debiased[chosen] @ direction)[:, None] * direction

    both = embeddings[ids].detach().float()  # (pair, 2, d_model)
    middle = both.mean(dim=1)
    rest = middle - (middle @ direction)[:, None] * direction
    length = both.norm(dim=-1).mean(dim=1)
    reach = (length**2 - (rest**2).sum(dim=-1)).clamp_min(0).sqrt()[:, None] * direction
    first_is_positive = (_unit(both[:, 0]) - _unit(both[:, 1])) @ direction >= 0
    side = torch.where(first_is_positive, 1.0, -1.0)[:, None]
    debiased[ids[:, 0]], debiased[ids[:, 1]] = rest + side * reach, rest - side * reach
    return debiased.to(embeddings.dtype)


def _unit(vectors: Tensor) -> Tensor:
    return nn.functional.normalize(vectors.detach().float(), dim=-1)


def _pair_tokens(tokenizer: Any, pairs: Pairs) -> Tensor:
    """(pair, 2), of the pairs whose words are one token each."""
    found = [list(word_tokens(tokenizer, pair)[0].values()) for pair in pairs]
    whole = [ids for ids in found if len(ids) == 2]
    if len(whole) < 2:
        raise ValueError(
            f"expected at least two pairs of words that are one token each, got {len(whole)} "
            f"of {len(pairs)}"
        )
    return torch.tensor(whole)


# ------------------------------------------------------------------------------ its cost


def token_embeddings(model: nn.Module) -> Tensor:
    """A copy of the model's input embeddings, (token, d_model), on the CPU."""
    weight: Tensor = model.get_input_embeddings().weight  # type: ignore[operator]
    return weight.detach().cpu().clone()


@contextmanager
def replaced_embeddings(model: nn.Module, embeddings: Tensor) -> Iterator[None]:
    """Within: the model reads these embeddings, and writes with them where it ties the two."""
    weight: Tensor = model.get_input_embeddings().weight  # type: ignore[operator]
    if weight.shape != embeddings.shape:
        raise ValueError(
            f"expected embeddings of shape {tuple(weight.shape)}, got {tuple(embeddings.shape)}"
        )
    before = weight.detach().clone()
    try:
        with torch.no_grad():
            weight.copy_(embeddings)
        yield
    finally:
        with torch.no_grad():
            weight.copy_(before)


@torch.no_grad()
def next_token_loss(model: nn.Module, tokenizer: Any, texts: Sequence[str]) -> float:
    """The mean over the texts' tokens (all but the first of each) of -log p, in nats."""
    total, count = 0.0, 0
    for text in texts:
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        if ids.shape[1] < 2:
            raise ValueError(f"expected texts of at least two tokens, got {text!r}")
        logits = model(ids).logits[0, :-1].float()
        total += float(nn.functional.cross_entropy(logits, ids[0, 1:], reduction="sum"))
        count += ids.shape[1] - 1
    if not count:
        raise ValueError("expected at least one text, got none")
    return total / count


@torch.no_grad()
def log_odds(
    model: nn.Module, tokenizer: Any, prompts: Sequence[str], one: str, other: str
) -> list[float]:
    """For each prompt: log p(one) - log p(other) as the next word, in nats."""
    tokens, missing = word_tokens(tokenizer, (one, other))
    if missing:
        raise ValueError(f"expected two words that are one token each, {missing} are not")
    found = []
    for prompt in prompts:
        ids = tokenizer(prompt, return_tensors="pt")["input_ids"]
        logits = model(ids).logits[0, -1]
        found.append(float(logits[tokens[one]] - logits[tokens[other]]))
    return found
