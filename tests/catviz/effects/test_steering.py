"""Steering: C >= alpha N by the smallest edit, the answers those of another implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from transformers.models.llama import modeling_llama

from cat.reattention import reattention_ratios
from cat.signals import Example
from cat.stg import annotate, stg_e
from catviz.effects.answers import game_answers
from catviz.effects.plain import PlainModel
from catviz.effects.questions import score_answers
from catviz.effects.steering import favour, steer, steered
from catviz.lens import AttentionLens, CannotEditError
from tests.catviz.random_models import HEADS, LAYERS, TEXT, deaf_model, random_model, tokenizer

PAIR = ("High Risk", "Low Risk")


@pytest.fixture(scope="module")
def deep():
    return AttentionLens(random_model("llama"), tokenizer(), name="deep")


@pytest.fixture(scope="module")
def texts():
    return [annotate(Example.from_record(r)) for r in stg_e()["test_ood"][:24]]


@pytest.fixture
def pattern():
    """(2, 3, 7, 7): random, rows of two kinds of sharpness, one head blind to keys 2 and 4."""
    scores = torch.randn(2, 3, 7, 7, generator=torch.Generator().manual_seed(1)) * 2
    scores[1] *= 3
    scores[:, 2, :, [2, 4]] = -math.inf
    scores = scores.masked_fill(~torch.ones(7, 7, dtype=torch.bool).tril(), -math.inf)
    return scores.softmax(-1)


CAUSES = torch.tensor([[0, 0, 1, 0, 1, 0, 0], [1, 0, 0, 0, 0, 1, 0]]) > 0


def naive(row: np.ndarray, causes: list[int], others: list[int], alpha: float) -> np.ndarray:
    """One row, by the definition."""
    row = row.astype(np.float64)
    if not causes or not others or row[causes].mean() >= alpha * row[others].mean():
        return row
    both = row[causes].sum() + row[others].sum()
    share = alpha * len(causes) / (alpha * len(causes) + len(others))
    new = row.copy()
    if row[causes].sum() > 0:
        new[causes] = row[causes] * both * share / row[causes].sum()
    else:
        new[causes] = both * share / len(causes)
    new[others] = row[others] * both * (1 - share) / row[others].sum()
    return new


@pytest.mark.parametrize("exclude_sink", [False, True])
@pytest.mark.parametrize("alpha", [0.05, 1.0, 10.0, 1e6])
def test_every_row_is_as_defined(pattern, alpha, exclude_sink):
    edited = favour(CAUSES, alpha, exclude_sink=exclude_sink)(0, pattern)
    for b, h, i in np.ndindex(2, 3, 7):
        seen = range(1 if exclude_sink else 0, i + 1)
        causes = [k for k in seen if CAUSES[b, k]]
        others = [k for k in seen if not CAUSES[b, k]]
        wanted = naive(pattern[b, h, i].numpy(), causes, others, alpha)
        np.testing.assert_allclose(edited[b, h, i], wanted, atol=1e-6)


@pytest.mark.parametrize("alpha", [0.3, 1.0, 10.0])
def test_rows_that_meet_alpha_stay_and_others_meet_it_exactly(pattern, alpha):
    edited = favour(CAUSES, alpha)(0, pattern)
    np.testing.assert_allclose(edited.sum(-1), 1, atol=1e-6)
    assert not edited.triu(1).any()
    changed = kept = 0
    for b, h, i in np.ndindex(2, 3, 7):
        causes = CAUSES[b, : i + 1]
        if not causes.any() or causes.all():
            assert torch.equal(edited[b, h, i], pattern[b, h, i])
            continue
        before, after = (p[b, h, i, : i + 1].double() for p in (pattern, edited))
        ratio = before[causes].mean() / before[~causes].mean()
        if ratio >= alpha:
            assert torch.equal(after, before)
            kept += 1
        else:
            assert float(after[causes].mean() / after[~causes].mean()) == pytest.approx(alpha, 1e-4)
            changed += 1
            for keys in (causes, ~causes):  # proportions within each side stay
                if before[keys].sum() > 0:
                    np.testing.assert_allclose(
                        after[keys] / after[keys].sum(),
                        before[keys] / before[keys].sum(),
                        atol=1e-5,
                    )
    assert kept > 3
    assert changed > 3


def test_no_row_that_meets_alpha_is_nearer():
    """Nearer in Kullback-Leibler divergence, of the new row from the old one."""
    rng = np.random.default_rng(0)
    causes = np.array([True, False, True, False, False])
    old = rng.dirichlet(np.ones(5) * 0.5)
    old[causes] *= 0.05
    old /= old.sum()
    whole = torch.zeros(1, 1, 5, 5)
    whole[0, 0, 4] = torch.from_numpy(old)
    new = favour(torch.from_numpy(causes)[None], 2.0)(0, whole)[0, 0, 4].double().numpy()

    def distance(row):
        return float((row * np.log(row / old)).sum())

    tried = rng.dirichlet(np.ones(5), size=20_000)
    meet = tried[tried[:, causes].mean(1) >= 2.0 * tried[:, ~causes].mean(1)]
    assert len(meet) > 1000
    assert min(map(distance, meet)) > distance(new)


def test_rows_layers_and_heads_that_are_not_chosen_stay(pattern):
    rows = torch.zeros(2, 7, dtype=torch.bool)
    rows[0, 6] = rows[1, 4] = True
    whole = favour(CAUSES, 10.0)(0, pattern)
    edited = favour(CAUSES, 10.0, rows=rows, heads=[0, 2])(0, pattern)
    for b, h, i in np.ndindex(2, 3, 7):
        wanted = whole if rows[b, i] and h != 1 else pattern
        assert torch.equal(edited[b, h, i], wanted[b, h, i])
    edit = favour(CAUSES, 10.0, layers=[1])
    assert edit(0, pattern) is None
    assert torch.equal(edit(1, pattern), whole)


def test_causes_that_hold_nothing_share_evenly():
    pattern = torch.tensor([[[[1.0, 0, 0, 0], [1.0, 0, 0, 0], [1.0, 0, 0, 0], [0.5, 0, 0, 0.5]]]])
    edited = favour(torch.tensor([[False, True, True, False]]), 3.0)(0, pattern)[0, 0]
    np.testing.assert_allclose(edited[3], [0.125, 0.375, 0.375, 0.125], atol=1e-6)
    np.testing.assert_allclose(edited[1], [0.25, 0.75, 0, 0], atol=1e-6)


def test_tiny_weights_and_half_precision_stay_finite():
    pattern = torch.tensor([[[[1.0, 0, 0], [0.5, 0.5, 0], [1.0, 1e-42, 0]]]])
    causes = torch.tensor([[False, True, False]])
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        edited = favour(causes, 1e6)(0, pattern.to(dtype))
        assert edited.dtype == dtype
        np.testing.assert_allclose(edited.float().sum(-1), 1, atol=1e-2)
        assert edited[0, 0, 2, 1] > 0.99


def test_the_mean_map_of_steered_heads_meets_alpha(deep, texts):
    """As training measures it, over all layers and heads."""
    seen = {}

    def watched(batch):
        edit = steered(10.0, rows="all")(batch)

        def keep(layer, pattern):
            seen[layer] = edit(layer, pattern)
            return seen[layer]

        seen["causes"] = batch.tokens_of("causal")
        return keep

    score_answers(deep, texts[:4], PAIR, edit=watched)
    mean = torch.stack([seen[layer] for layer in range(LAYERS)]).mean((0, 2))  # (b, query, key)
    n = mean.shape[1]
    causes = seen["causes"][:, None, :].expand(-1, n, n) & torch.ones(n, n, dtype=bool).tril()
    ratios = reattention_ratios(mean, causes)
    found = ratios.ratio[ratios.valid]
    assert len(found) > 20
    assert found.min() >= 10 * (1 - 1e-4)


def eager_steered(alpha, causes):
    """An attention for transformers' Llama whose last row is steered, head by head, in numpy."""

    def attention(module, query, key, value, attention_mask, scaling, dropout=0.0, **kwargs):
        scores = query @ key.transpose(2, 3) * scaling
        n = scores.shape[-1]
        scores = scores.masked_fill(~torch.ones(n, n, dtype=torch.bool).tril(), -math.inf)
        weights = scores.softmax(-1)
        others = [k for k in range(n) if k not in causes]
        for h in range(HEADS):
            row = naive(weights[0, h, -1].numpy(), causes, others, alpha)
            weights[0, h, -1] = torch.from_numpy(row)
        return (weights @ value).transpose(1, 2).contiguous(), weights

    return attention


@pytest.mark.parametrize("alpha", [1.0, 10.0])
def test_answers_equal_those_of_attention_written_out(deep, texts, monkeypatch, alpha):
    found = steer(deep, texts[:4], alpha)
    model = random_model("llama")
    model.set_attn_implementation("eager")
    for b, text in enumerate(texts[:4]):
        ids = tokenizer()(text.prompt, return_tensors="pt")["input_ids"]
        words = tokenizer().convert_ids_to_tokens(ids[0])
        causal = [r.name for r in text.roles if r.role == "causal"]
        causes = [k for k, word in enumerate(words) if word.split(":")[0] in causal]
        assert len(causes) == 3
        attention = eager_steered(alpha, causes)
        monkeypatch.setattr(modeling_llama, "eager_attention_forward", attention)
        with torch.no_grad():
            said = model(ids).logits[0, -1]
        high, low = (said[tokenizer().convert_tokens_to_ids(answer)] for answer in PAIR)
        wanted = float(high - low) * (1 if text.answer == "High Risk" else -1)
        assert found.log_odds_after[b] == pytest.approx(wanted, abs=1e-4)
    assert np.abs(found.log_odds_after - found.log_odds_before).max() > 0.01


def test_steering_a_plainly_trained_model_helps_where_companions_mislead(texts):
    """Measured: of 400 texts it answers 79% as it is, 93% at alpha 10."""
    lens = AttentionLens.load("tiny/plain")
    found = steer(lens, texts, 10)
    assert found.accuracy_after > found.accuracy_before
    assert found.change.mean > 0
    assert found.edit == "steered to alpha 10, not trained"
    plain = PlainModel(lens.model, lens.tokenizer, "plain")
    before = score_answers(plain, texts, game_answers(texts)).log_odds([t.answer for t in texts])
    np.testing.assert_allclose(found.log_odds_before, before, atol=1e-5)
    little = steer(lens, texts, 1e-6)
    np.testing.assert_allclose(little.log_odds_after, before, atol=1e-4)


def test_chosen_layers_heads_and_batches(deep, texts):
    whole = steer(deep, texts[:3], 5.0)
    some = steer(deep, texts[:3], 5.0, layers=range(LAYERS), heads=range(HEADS), batch_size=1)
    np.testing.assert_allclose(whole.log_odds_after, some.log_odds_after, atol=1e-5)
    one = steer(deep, texts[:3], 5.0, layers=1, heads=[2], rows="all", exclude_sink=True)
    assert np.abs(one.log_odds_after - whole.log_odds_after).max() > 0.01


def test_layers_given_as_an_iterator_last_for_every_batch(deep, texts):
    def layers():
        yield 1

    edit = steered(50.0, layers=layers(), heads=iter([0, 1]))
    found = score_answers(deep, texts[:4], PAIR, edit=edit, batch_size=1)
    wanted = score_answers(deep, texts[:4], PAIR, edit=steered(50.0, layers=[1], heads=[0, 1]))
    np.testing.assert_allclose(found.log_probs, wanted.log_probs, atol=1e-5)


@pytest.mark.parametrize("alpha", [0, -1.0, math.nan, math.inf])
def test_an_alpha_that_is_none_is_refused(deep, texts, alpha):
    with pytest.raises(ValueError, match="alpha as a number above 0"):
        steer(deep, texts, alpha)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"layers": 3}, "no layer 3"),
        ({"heads": [7]}, "no head 7"),
        ({"rows": "some"}, 'rows "all" or "answer"'),
    ],
)
def test_bad_requests_say_what_was_expected(deep, texts, options, message):
    with pytest.raises(ValueError, match=message):
        steer(deep, texts[:2], 10, **options)


def test_a_text_without_causes_is_refused(deep, texts):
    with pytest.raises(ValueError, match="with causal words to steer to"):
        steer(deep, [*texts[:2], Example(TEXT, "High Risk")], 10, answers=PAIR)
    with pytest.raises(ValueError, match="no head 3"):
        favour(CAUSES, 1.0, heads=[3])(0, torch.ones(2, 3, 7, 7))
    with pytest.raises(ValueError, match="expected causes of shape"):
        favour(CAUSES, 1.0)(0, torch.ones(1, 3, 7, 7))


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_ignores_edits_is_refused(texts):
    lens = AttentionLens(deaf_model(), tokenizer())
    with pytest.raises(CannotEditError, match="ignore them"):
        steer(lens, texts[:2], 10)
