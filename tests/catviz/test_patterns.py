"""AttentionPattern: what it refuses, its parts, means, roles, sink and files."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from catviz.heads import attention_moved, rank_by_change, rank_by_lift, rank_by_mass
from catviz.maps import MeanMap
from catviz.patterns import AttentionPattern, read_head_name
from catviz.words import ROLES, Word

TOKENS = ("Smoking: 8", "Yellow fingers: 12", "Room size: 3", "and", "Answer:")
WORDS = (
    Word(0, 1, "Smoking: 8", "causal"),
    Word(1, 2, "Yellow fingers: 12", "spurious"),
    Word(2, 3, "Room size: 3", "irrelevant"),
)


def random_values(layers=2, heads=3, n=5, seed=0, dtype=np.float32):
    scores = np.random.default_rng(seed).normal(size=(layers, heads, n, n)) * 2
    scores[..., np.triu(np.ones((n, n), dtype=bool), 1)] = -np.inf
    weights = np.exp(scores)
    return (weights / weights.sum(-1, keepdims=True)).astype(dtype)


def make(values=None, **about):
    values = random_values() if values is None else values
    return AttentionPattern(values, TOKENS, WORDS, **about)


# ---------------------------------------------------------------------------- what is refused


def broken(change):
    values = random_values()
    change(values)
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (broken(lambda v: v.__setitem__((1, 2, 3, 0), 0.99)), r"L1H2: row 3 sums to"),
        (broken(lambda v: v.__setitem__((0, 1, 0), np.nan)), r"L0H1: .*padding.*"),
        (broken(lambda v: v.__setitem__((0, 0, 1, 2), 0.3)), "attends to the later key 2"),
        (broken(lambda v: v.__setitem__((0, 0, 1), [1.5, -0.5, 0, 0, 0])), "cannot be negative"),
        (random_values()[0], r"expected values \(layer, head, query, key\)"),
        (random_values(n=4), "one token for each of the 4 rows, got 5"),
        (np.zeros((0, 3, 5, 5)), "got shape"),
    ],
)
def test_what_is_no_causal_attention_is_refused(values, message):
    with pytest.raises(ValueError, match=message):
        make(values)


@pytest.mark.parametrize(
    ("about", "message"),
    [
        ({"layers": (3,)}, "2 different numbers in layers"),
        ({"heads": (1, 1, 2)}, "3 different numbers in heads"),
        ({"answer_rows": (5,)}, "no row 5: the text has 5 tokens"),
    ],
)
def test_what_does_not_fit_the_values_is_refused(about, message):
    with pytest.raises(ValueError, match=message):
        make(**about)


def test_words_beyond_the_text_are_refused():
    with pytest.raises(ValueError, match="words reach token 6"):
        AttentionPattern(random_values(), TOKENS, (Word(0, 6, "all", "causal"),))


def test_half_precision_rows_may_sum_to_almost_one():
    pattern = make(random_values(dtype=np.float16))
    assert pattern.values.dtype == np.float16


# ---------------------------------------------------------------------------- parts and means


def test_heads_are_named_by_the_models_numbers():
    pattern = make(layers=(4, 7), heads=(0, 2, 8))
    assert pattern.head_names == ("L4H0", "L4H2", "L4H8", "L7H0", "L7H2", "L7H8")
    np.testing.assert_allclose(pattern.head("L7H2").values, pattern.values[1, 1])
    one = pattern.select(layers=7, heads=[8, 0])
    assert one.head_names == ("L7H8", "L7H0")
    np.testing.assert_array_equal(one.values[0, 0], pattern.values[1, 2])
    with pytest.raises(ValueError, match=r"no layer 0 .* it has \(4, 7\)"):
        pattern.mean(layers=0)
    with pytest.raises(ValueError, match="no head 1"):
        pattern.head("L4H1")
    with pytest.raises(ValueError, match="such as 'L5H3', got 'H3'"):
        read_head_name("H3")


def test_means_are_means():
    pattern = make(answer_rows=(3, 4))
    mean = pattern.mean()
    assert isinstance(mean, MeanMap)
    np.testing.assert_allclose(mean.values, pattern.values.mean((0, 1)), atol=1e-6)
    assert mean.answer_row == 3
    assert mean.words == WORDS
    some = pattern.mean(layers=[1], heads=[0, 2])
    np.testing.assert_allclose(some.values, pattern.values[1, [0, 2]].mean(0), atol=1e-6)
    two = pattern.head("L0H0", "L1H2")
    np.testing.assert_allclose(two.values, (pattern.values[0, 0] + pattern.values[1, 2]) / 2)


def test_rows_are_the_answers_unless_others_are_asked_for():
    pattern = make()
    np.testing.assert_array_equal(pattern.rows(), pattern.values[:, :, [4]])
    np.testing.assert_array_equal(pattern.rows([1, -1]), pattern.values[:, :, [1, 4]])


def test_a_pattern_cannot_be_changed_by_accident():
    pattern = make()
    with pytest.raises(ValueError, match="read-only"):
        pattern.values[0] = 0
    copy = pattern.to_numpy()
    copy[0] = 0
    assert pattern.values[0].any()


# ---------------------------------------------------------------------------- roles


def test_role_mass_is_the_attention_on_the_roles_tokens():
    pattern = make()
    mass = pattern.role_mass()
    assert mass.shape == (2, 3, len(ROLES))
    np.testing.assert_allclose(mass.sum(-1), 1, atol=1e-6)
    np.testing.assert_allclose(mass[1, 2, ROLES.index("spurious")], pattern.values[1, 2, 4, 1])
    np.testing.assert_allclose(
        mass[0, 0, ROLES.index("other")], pattern.values[0, 0, 4, [3, 4]].sum(), rtol=1e-6
    )


def test_lift_is_causal_over_spurious():
    pattern = make()
    expected = pattern.values[:, :, 4, 0] / pattern.values[:, :, 4, 1]
    np.testing.assert_allclose(pattern.lift(), expected, rtol=1e-5)
    both = pattern.values[:, :, [1, 4]]  # row 1 sees the spurious token, row 0 not yet
    expected = both[..., 0].mean(-1) / both[..., 1].mean(-1)
    np.testing.assert_allclose(pattern.lift(rows=[1, 4]), expected, rtol=1e-5)
    first, last = pattern.values[:, :, 0, 0], pattern.values[:, :, 4, 0]
    np.testing.assert_allclose(
        pattern.lift(rows=[0, 4]), (first + last) / 2 / pattern.values[:, :, 4, 1], rtol=1e-5
    )
    with pytest.raises(ValueError, match="no spurious token stands in front"):
        pattern.lift(rows=0)
    plain = AttentionPattern(random_values(), TOKENS, WORDS[:1])
    with pytest.raises(ValueError, match="no token of this pattern is spurious"):
        plain.lift()


def test_heads_are_ranked_by_mass_lift_and_change():
    pattern, other = make(), make(random_values(seed=1))
    masses = [score.score for score in rank_by_mass(pattern, "causal")]
    assert masses == sorted(masses, reverse=True)
    best = rank_by_mass(pattern, "causal")[0]
    assert pattern.head(best.name).values[4, 0] == pytest.approx(pattern.values[:, :, 4, 0].max())
    best = rank_by_lift(pattern)[0]
    assert best.score == pytest.approx(pattern.lift().max(), rel=1e-5)
    moved = np.abs(pattern.values[:, :, 4] - other.values[:, :, 4]).sum(-1) / 2
    assert rank_by_change(pattern, other)[0].score == pytest.approx(moved.max(), rel=1e-5)
    assert np.array_equal(attention_moved(pattern, pattern), np.zeros((2, 3)))


def test_ranks_over_several_texts_are_of_the_mean():
    pair = [make(), make(random_values(seed=1))]
    mean = np.mean([p.role_mass()[..., 0] for p in pair], axis=0)
    assert rank_by_mass(pair)[0].score == pytest.approx(mean.max())
    lifts = np.sqrt(pair[0].lift() * pair[1].lift())
    assert rank_by_lift(pair)[0].score == pytest.approx(lifts.max(), rel=1e-5)


def test_models_are_compared_on_the_same_tokens_only():
    other = AttentionPattern(random_values(), (*TOKENS[:4], "Reply:"), WORDS)
    with pytest.raises(ValueError, match=r"first differ at 4: \('Answer:',\) and \('Reply:',\)"):
        attention_moved(make(), other)
    with pytest.raises(ValueError, match="same layers and heads"):
        attention_moved(make(), make().select(layers=0))
    with pytest.raises(ValueError, match="at least one pattern"):
        rank_by_mass([])


# ---------------------------------------------------------------------------- sink


def test_the_sink_can_be_taken_out():
    pattern = make()
    out = pattern.drop_sink(renormalise=False)
    assert out.sink == "out"
    assert not out.values[..., 0].any()
    np.testing.assert_array_equal(out.values[..., 1:], pattern.values[..., 1:])
    rest = pattern.drop_sink()
    np.testing.assert_allclose(rest.values[:, :, 1:].sum(-1), 1, atol=1e-6)
    assert not rest.values[:, :, 0].any(), "the first row saw nothing else"
    np.testing.assert_allclose(
        rest.values[0, 0, 4, 1:], out.values[0, 0, 4, 1:] / out.values[0, 0, 4].sum(), rtol=1e-5
    )
    assert rest.mean().sink == "renormalised"
    with pytest.raises(ValueError, match="already renormalised"):
        rest.drop_sink()


def test_a_row_that_gives_all_to_the_sink_becomes_zero_not_nan():
    values = random_values()
    values[0, 0, 3] = [1, 0, 0, 0, 0]
    rest = make(values).drop_sink()
    assert not rest.values[0, 0, 3].any()
    assert rest.mean().values[3].sum() == pytest.approx(5 / 6), "one head of six sees nothing else"


# ---------------------------------------------------------------------------- from and to files


def test_from_transformers_attentions_with_padding_cut_off():
    values = random_values()
    padded = np.full((2, 3, 7, 7), np.nan, dtype=np.float32)
    padded[:, :, 2:, 2:] = values
    padded[:, :, 2:, :2] = 0
    mask = torch.tensor([[0, 0, 1, 1, 1, 1, 1]])
    layers = [torch.from_numpy(layer)[None] for layer in padded]
    pattern = AttentionPattern.from_attentions(layers, TOKENS, WORDS, attention_mask=mask)
    np.testing.assert_array_equal(pattern.values, values)
    with pytest.raises(ValueError, match="padding"):
        AttentionPattern.from_attentions(layers, [str(t) for t in range(7)])
    with pytest.raises(ValueError, match="take one text of the batch"):
        AttentionPattern.from_attentions([torch.zeros(2, 3, 5, 5)], TOKENS)
    with pytest.raises(ValueError, match="output_attentions=True"):
        AttentionPattern.from_attentions([], TOKENS)


def test_from_a_transformer_lens_cache():
    values = random_values()
    cache = {f"blocks.{i}.attn.hook_pattern": torch.from_numpy(values[i])[None] for i in (1, 0)}
    cache["blocks.0.attn.hook_z"] = torch.zeros(1)
    pattern = AttentionPattern.from_cache(cache, TOKENS)
    np.testing.assert_array_equal(pattern.values, values)
    with pytest.raises(ValueError, match="hook_pattern in the cache"):
        AttentionPattern.from_cache({"blocks.0.attn.hook_z": torch.zeros(1)}, TOKENS)


@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_saved_and_loaded_it_is_the_same(tmp_path, dtype):
    pattern = make(random_values(dtype=dtype), layers=(2, 5), model="m", text="t").drop_sink()
    loaded = AttentionPattern.load(pattern.save(tmp_path / "one.npz"))
    np.testing.assert_array_equal(loaded.values, pattern.values)
    assert loaded.values.dtype == dtype
    for field in ("tokens", "words", "layers", "heads", "model", "text", "answer_rows", "sink"):
        assert getattr(loaded, field) == getattr(pattern, field)


def test_files_that_are_no_patterns_are_refused(tmp_path):
    with pytest.raises(ValueError, match=r"ends in \.npz"):
        make().save(tmp_path / "pattern.json")
    cut = tmp_path / "cut.npz"
    cut.write_bytes(make().save(tmp_path / "whole.npz").read_bytes()[:200])
    with pytest.raises(ValueError, match="written by AttentionPattern"):
        AttentionPattern.load(cut)
    with pytest.raises(OSError, match="cannot write the file"):
        make().save(tmp_path / "whole.npz" / "inside.npz")
