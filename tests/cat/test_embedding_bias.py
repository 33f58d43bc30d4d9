"""Bias in embeddings: planted where its size is known, measured by loops, taken out."""

from __future__ import annotations

from itertools import combinations
from math import sqrt

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from cat.embedding_bias import (
    WordSets,
    bias_direction,
    cluster_accuracy,
    hard_debias,
    log_odds,
    next_token_loss,
    replaced_embeddings,
    token_embeddings,
    weat,
    word_tokens,
)
from cat.gender_words import GENDER_PAIRS, GENDER_TESTS
from cat.models import load_model

WIDTH = 24
PAIRS = tuple((f"m{i}", f"f{i}") for i in range(6))
SETS = WordSets(
    tuple(f"x{i}" for i in range(5)),
    tuple(f"y{i}" for i in range(4)),
    tuple(m for m, _ in PAIRS),
    tuple(f for _, f in PAIRS),
)
HELD_OUT = tuple(f"p{i}" for i in range(6)), tuple(f"q{i}" for i in range(6))
WORDS = ["?", *SETS.x, *SETS.y, *SETS.a, *SETS.b, *HELD_OUT[0], *HELD_OUT[1], "plain"]


@pytest.fixture(scope="module")
def tokenizer():
    core = Tokenizer(models.WordLevel({word: i for i, word in enumerate(WORDS)}, unk_token="?"))
    core.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=core, unk_token="?")


def ids(*words):
    return [WORDS.index(word) for word in words]


@pytest.fixture
def matrix():
    """Gender along axis 0; names and targets carry it along axis 1 as well, the pairs do not."""
    generator = torch.manual_seed(0)
    vectors = 0.3 * torch.randn(len(WORDS), WIDTH, generator=generator)
    vectors[:, :2] = 0.02 * torch.randn(len(WORDS), 2, generator=generator)
    for (male, female), rest in zip(PAIRS, 0.3 * torch.randn(6, WIDTH), strict=True):
        vectors[ids(male, female)] = rest
        vectors[ids(male, female), 0] = torch.tensor([1.0, -1.0])
        vectors[ids(male, female), 1] = 0.0
    for words, sign in ((SETS.x, 1), (HELD_OUT[0], 1), (SETS.y, -1), (HELD_OUT[1], -1)):
        vectors[ids(*words), :2] += sign * torch.tensor([0.5, 1.0])
    return vectors


def naive_scores(matrix, words, a, b):
    def cosine(v, w):
        return float(v @ w) / sqrt(float(v @ v) * float(w @ w))

    vectors = {word: matrix[ids(word)[0]].double() for word in (*words, *a, *b)}
    return [
        np.mean([cosine(vectors[w], vectors[o]) for o in a])
        - np.mean([cosine(vectors[w], vectors[o]) for o in b])
        for w in words
    ]


def test_effect_and_p_value_against_loops_over_all_deals(tokenizer, matrix):
    matrix[ids(*SETS.x, *SETS.y), :2] = 0.05 * torch.randn(9, 2, generator=torch.manual_seed(1))
    found = weat(matrix, tokenizer, SETS, deals=40_000)
    scores = naive_scores(matrix, (*SETS.x, *SETS.y), SETS.a, SETS.b)
    assert list(found.scores.values()) == pytest.approx(scores, abs=1e-6)
    difference = np.mean(scores[:5]) - np.mean(scores[5:])
    assert found.effect == pytest.approx(difference / np.std(scores, ddof=1), abs=1e-5)
    as_large, deals = 0, 0
    for chosen in combinations(range(9), 5):
        rest = [i for i in range(9) if i not in chosen]
        dealt = np.mean([scores[i] for i in chosen]) - np.mean([scores[i] for i in rest])
        as_large += dealt >= difference - 1e-9
        deals += 1
    assert 0.02 < as_large / deals < 0.98
    assert found.p_value == pytest.approx(as_large / deals, abs=0.01)


def test_the_sign_says_which_set_goes_with_which(tokenizer, matrix):
    found = weat(matrix, tokenizer, SETS)
    swapped = weat(matrix, tokenizer, WordSets(SETS.y, SETS.x, SETS.a, SETS.b))
    assert found.effect > 1.5
    assert found.p_value < 0.02
    assert swapped.effect == pytest.approx(-found.effect)
    assert swapped.p_value > 0.98


def test_words_that_are_cut_are_named(tokenizer, matrix):
    sets = WordSets((*SETS.x, "unheard", "two words"), SETS.y, SETS.a, SETS.b)
    found = weat(matrix, tokenizer, sets)
    assert found.left_out == ("unheard", "two words")
    assert found.effect == weat(matrix, tokenizer, SETS).effect
    with pytest.raises(ValueError, match=r"two words of set y .*got \['y0'\]: \['unheard'\]"):
        weat(matrix, tokenizer, WordSets(SETS.x, ("y0", "unheard"), SETS.a, SETS.b))
    assert word_tokens(tokenizer, ["x1", "?"]) == ({"x1": 2}, ("?",))


def test_the_direction_is_the_planted_one(tokenizer, matrix):
    direction = bias_direction(matrix, tokenizer, PAIRS)
    assert direction.norm() == pytest.approx(1)
    assert float(direction[0]) > 0.99
    turned = bias_direction(matrix, tokenizer, [(b, a) for a, b in PAIRS])
    torch.testing.assert_close(turned, -direction)


def test_neutral_words_are_as_near_to_one_as_to_the_other(tokenizer, matrix):
    debiased = hard_debias(matrix, tokenizer, PAIRS)
    direction = bias_direction(matrix, tokenizer, PAIRS)
    unit = torch.nn.functional.normalize(debiased, dim=-1)
    neutral = ids("plain", *SETS.x, *SETS.y, *HELD_OUT[0])
    assert float((matrix[neutral] @ direction).abs().max()) > 0.4
    assert float((debiased[neutral] @ direction).abs().max()) < 1e-6
    for male, female in PAIRS:
        m, f = ids(male, female)
        torch.testing.assert_close(unit[neutral] @ unit[m], unit[neutral] @ unit[f])
        assert float(debiased[m] @ direction) > 0.5
        lengths = matrix[[m, f]].norm(dim=-1)
        torch.testing.assert_close(debiased[[m, f]].norm(dim=-1), lengths.mean().expand(2))
    # Nothing else of a neutral word changes, and the matrix that was given does not.
    along = (matrix[neutral] @ direction)[:, None] * direction
    torch.testing.assert_close(debiased[neutral], matrix[neutral] - along)


def test_by_the_pairs_own_words_no_bias_is_left_by_construction(tokenizer, matrix):
    found = weat(hard_debias(matrix, tokenizer, PAIRS), tokenizer, SETS)
    assert (found.effect, found.p_value) == (0.0, 1.0)


def test_words_held_out_still_show_it(tokenizer, matrix):
    """Gonen and Goldberg: what was planted along a second axis is still there."""
    debiased = hard_debias(matrix, tokenizer, PAIRS)
    held_out = WordSets(SETS.x, SETS.y, *HELD_OUT)
    assert weat(debiased, tokenizer, held_out).effect > 1
    assert cluster_accuracy(debiased, tokenizer, *HELD_OUT) > 0.9
    along_both = debiased.clone()
    along_both[:, 1] = 0
    assert cluster_accuracy(along_both, tokenizer, *HELD_OUT) < 0.9


def test_clusters_of_noise_do_not_agree(tokenizer):
    vectors = torch.randn(len(WORDS), WIDTH, generator=torch.manual_seed(3))
    assert 0.5 <= cluster_accuracy(vectors, tokenizer, *HELD_OUT) < 0.9


def test_only_the_words_named_are_neutralised(tokenizer, matrix):
    before = matrix.clone()
    debiased = hard_debias(matrix, tokenizer, PAIRS, neutral=SETS.x)
    torch.testing.assert_close(matrix, before, rtol=0, atol=0)
    others = ids("plain", *SETS.y, *HELD_OUT[0], *HELD_OUT[1])
    torch.testing.assert_close(debiased[others], matrix[others], rtol=0, atol=0)
    assert (debiased != matrix).any(dim=-1)[ids(*SETS.x)].all()
    with pytest.raises(ValueError, match=r"these are not: \('unheard',\)"):
        hard_debias(matrix, tokenizer, PAIRS, neutral=["x1", "unheard"])
    with pytest.raises(ValueError, match=r"at least two pairs .*got 1 of 2"):
        hard_debias(matrix, tokenizer, [("m0", "f0"), ("m1", "unheard")])


@torch.no_grad()
def test_a_model_reads_other_embeddings_for_a_while():
    model, tokenizer = load_model("tiny/plain")
    matrix = token_embeddings(model)
    text = "Smoking: 8, Weight: 4 Answer: Low Risk"
    encoded = tokenizer(text, return_tensors="pt").input_ids
    expected = float(model(encoded, labels=encoded).loss)
    assert next_token_loss(model, tokenizer, [text]) == pytest.approx(expected, abs=1e-5)
    with replaced_embeddings(model, torch.zeros_like(matrix)):
        assert float(model(encoded).logits.abs().max()) == 0  # input and output are tied here
    with pytest.raises(KeyError), replaced_embeddings(model, torch.zeros_like(matrix)):
        raise KeyError
    torch.testing.assert_close(token_embeddings(model), matrix, rtol=0, atol=0)
    with pytest.raises(ValueError, match="expected embeddings of shape"):
        replaced_embeddings(model, matrix[1:]).__enter__()


@torch.no_grad()
def test_the_loss_is_a_mean_over_tokens():
    model, tokenizer = load_model("tiny/plain")
    texts = ["Smoking: 8, Weight: 4 Answer: Low Risk", "Weight: 4 Answer:"]
    one, other = (next_token_loss(model, tokenizer, [text]) for text in texts)
    assert next_token_loss(model, tokenizer, texts) == pytest.approx((3 * one + 1 * other) / 4)
    with pytest.raises(ValueError, match="at least two tokens, got 'Answer:'"):
        next_token_loss(model, tokenizer, ["Answer:"])
    with pytest.raises(ValueError, match="at least one text"):
        next_token_loss(model, tokenizer, [])


@torch.no_grad()
def test_log_odds_are_those_of_the_next_word():
    model, tokenizer = load_model("tiny/plain")
    prompts = ["Smoking: 8, Weight: 9, Exercise: 1 Answer:", "Smoking: 1, Weight: 2 Answer:"]
    found = log_odds(model, tokenizer, prompts, "Answer:", "Smoking: 8")
    for prompt, odds in zip(prompts, found, strict=True):
        shares = model(tokenizer(prompt, return_tensors="pt").input_ids).logits[0, -1].softmax(-1)
        one, other = tokenizer.convert_tokens_to_ids(["Answer:", "Smoking: 8"])
        assert odds == pytest.approx(float((shares[one] / shares[other]).log()), abs=1e-4)
    with pytest.raises(ValueError, match="are not"):
        log_odds(model, tokenizer, prompts, "Answer:", "unheard of")


def test_the_word_lists_are_apart():
    for name, sets in GENDER_TESTS.items():
        words = [*sets.x, *sets.y, *sets.a, *sets.b]
        assert len({*words}) == len(words), name
    pairs = {word for pair in GENDER_PAIRS for word in pair}
    for name, sets in GENDER_TESTS.items():
        assert bool(pairs & {*sets.a, *sets.b}) == name.endswith("gender words")
        assert not pairs & {*sets.x, *sets.y}
