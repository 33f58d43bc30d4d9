"""Ablations: the changes are those of models that are cut, or that cannot see the words."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from cat.signals import Example
from cat.stg import annotate, stg_e
from catviz.effects.ablation import (
    ablate_heads,
    ablate_layers,
    ablate_roles,
    without_all,
    without_role,
)
from catviz.effects.comparison import compare_edits
from catviz.effects.edits import without_head
from catviz.effects.plain import PlainModel
from catviz.effects.questions import score_answers
from catviz.lens import AttentionLens, CannotEditError
from catviz.roles import mark_roles
from tests.catviz.random_models import HEADS, LAYERS, TEXT, deaf_model, random_model, tokenizer

PAIR = ("High Risk", "Low Risk")
ROLES = {"causal": "Smoking: 8", "spurious": "Yellow fingers: 12", "irrelevant": "Room size: 7"}


@pytest.fixture(scope="module")
def plain():
    return AttentionLens.load("tiny/plain")


@pytest.fixture(scope="module")
def deep():
    return AttentionLens(random_model("llama"), tokenizer(), name="deep")


@pytest.fixture(scope="module")
def texts():
    return [annotate(Example.from_record(r)) for r in stg_e()["test_ood"][:40]]


def log_odds(model, texts) -> np.ndarray:
    """Of the right answer, by the plain transformers model."""
    scores = score_answers(PlainModel(model, tokenizer(), "cut"), texts, PAIR)
    return scores.log_odds([text.answer for text in texts])


def cut(model, layer: int, heads: list[int]):
    model = copy.deepcopy(model)
    with torch.no_grad():
        weight = model.model.layers[layer].self_attn.o_proj.weight
        width = weight.shape[1] // HEADS
        for head in heads:
            weight[:, head * width : (head + 1) * width] = 0
    return model


def test_heads_are_worth_what_a_model_without_them_lacks(deep, texts):
    found = ablate_heads(deep, texts[:6], layers=[2, 0], heads=[1, 3])
    assert (found.layers, found.heads, found.texts) == ((2, 0), (1, 3), 6)
    before = log_odds(deep.model, texts[:6])
    for i, layer in enumerate((2, 0)):
        for j, head in enumerate((1, 3)):
            after = log_odds(cut(deep.model, layer, [head]), texts[:6])
            np.testing.assert_allclose(found.change[i, j], (after - before).mean(), atol=1e-4)
            assert found.accuracy[i, j] == (after > 0).mean()
            assert found.low[i, j] < found.change[i, j] < found.high[i, j]
    assert found.accuracy_before == (before > 0).mean()
    assert np.abs(found.change).max() > 0.01


def test_all_heads_by_default_and_ranked(plain, texts):
    found = ablate_heads(plain, texts)
    assert found.change.shape == (1, HEADS)
    assert [score.score for score in found.ranked()] == sorted(found.change[0])
    assert found.ranked()[0].name == f"L0H{found.change[0].argmin()}"


def test_layers_are_worth_what_a_model_without_them_lacks(deep, texts):
    found = ablate_layers(deep, texts[:6])
    assert list(found) == list(range(LAYERS))
    before = log_odds(deep.model, texts[:6])
    for layer, comparison in found.items():
        after = log_odds(cut(deep.model, layer, list(range(HEADS))), texts[:6])
        np.testing.assert_allclose(comparison.log_odds_before, before, atol=1e-4)
        np.testing.assert_allclose(comparison.log_odds_after, after, atol=1e-4)


def test_heads_and_roles_at_once(deep, texts):
    """Roles in a model whose heads were cut are what both together are."""
    lacking = AttentionLens(cut(cut(deep.model, 0, [1, 3]), 2, [0]), tokenizer(), name="lacking")
    heads = ["L0H1", "L0H3", "L2H0"]
    for roles in ([], ["spurious"], ["spurious", "irrelevant"]):
        wanted = score_answers(
            lacking, texts[:4], PAIR, edit=without_all([], roles) if roles else None
        )
        found = score_answers(deep, texts[:4], PAIR, edit=without_all(heads, roles))
        np.testing.assert_allclose(found.log_probs, wanted.log_probs, atol=1e-4)
    one = score_answers(deep, texts[:4], PAIR, edit=without_all([], ["spurious"]))
    same = score_answers(deep, texts[:4], PAIR, edit=without_role("spurious"))
    np.testing.assert_array_equal(one.log_probs, same.log_probs)
    with pytest.raises(ValueError, match="got neither"):
        without_all([], [])


def test_a_role_without_attention_is_words_out_of_sight(deep, texts):
    """The oracle masks the words in transformers' own attention."""
    before = log_odds(deep.model, texts[:4])
    for rows in ("all", "answer"):
        found = ablate_roles(deep, texts[:4], rows=rows)
        assert list(found) == ["causal", "spurious", "irrelevant"]
        for role, comparison in found.items():
            for b, text in enumerate(texts[:4]):
                ids = tokenizer()(text.prompt, return_tensors="pt")["input_ids"]
                n = ids.shape[1]
                words = tokenizer().convert_ids_to_tokens(ids[0])
                names = [r.name for r in text.roles if r.role == role]
                keys = torch.tensor([word.split(":")[0] in names for word in words])
                assert keys.sum() == len(names)
                sees = torch.ones(n, n, dtype=torch.bool).tril()
                at = slice(None) if rows == "all" else slice(n - 1, None)
                sees[at] &= ~keys
                mask = torch.where(sees, 0.0, torch.finfo(torch.float32).min)
                with torch.no_grad():
                    said = deep.model(ids, attention_mask=mask[None, None]).logits[0, -1]
                high, low = (said[tokenizer().convert_tokens_to_ids(a)] for a in PAIR)
                odds = float(high - low) * (1 if text.answer == "High Risk" else -1)
                assert comparison.log_odds_after[b] == pytest.approx(odds, abs=1e-4)
            np.testing.assert_allclose(comparison.log_odds_before, before, atol=1e-4)


def test_on_texts_where_companions_mislead_plain_training_is_better_without_them(plain, texts):
    found = ablate_roles(plain, texts)
    assert found["spurious"].change.low > 0
    assert found["spurious"].accuracy_after > found["spurious"].accuracy_before
    assert found["causal"].change.high < 0
    assert found["causal"].edit == "no attention to causal words"


def test_results_do_not_depend_on_batches(deep, texts):
    few = [*texts[:3], Example(TEXT, "High Risk", roles=texts[0].roles[:0])]
    one = ablate_roles(deep, few, ["causal"], answers=PAIR, batch_size=1)["causal"]
    all_ = ablate_roles(deep, few, ["causal"], answers=PAIR, batch_size=64)["causal"]
    np.testing.assert_allclose(one.log_odds_after, all_.log_odds_after, atol=1e-5)
    np.testing.assert_allclose(one.log_odds_before, all_.log_odds_before, atol=1e-5)


def test_comparison_counts_and_tells(plain, texts):
    name = "without L0H0"
    found = compare_edits(plain, texts, {name: lambda batch: without_head("L0H0")})[name]
    right = np.array([t.answer for t in texts])
    assert found.accuracy_before == (np.array(found.before.best) == right).mean()
    assert found.accuracy_after == (np.array(found.after.best) == right).mean()
    told = found.to_dict()
    difference = found.log_odds_after - found.log_odds_before
    assert told["change"] == pytest.approx(difference.mean())
    assert told["low"] < told["change"] < told["high"]
    assert (told["model"], told["edit"], told["texts"]) == ("tiny/plain", name, 40)
    assert "tiny/plain" in repr(found)


def test_texts_of_no_game_are_judged_by_their_own_answer(plain):
    example = mark_roles(Example(TEXT, "High Risk"), ROLES)
    found = ablate_roles(plain, [example])["spurious"]
    assert found.before.answers == (("High Risk",),)
    assert found.accuracy_before == float(found.before.greedy[0, 0])
    assert found.change.low is None, "one text has no interval"
    heads = ablate_heads(plain, [example])
    assert np.isnan(heads.low).all()


def test_without_role_is_an_edit_for_a_batch(plain, texts):
    scores = score_answers(plain, texts, PAIR, edit=without_role("spurious"))
    wanted = ablate_roles(plain, texts, ["spurious"])["spurious"]
    np.testing.assert_array_equal(scores.log_probs, wanted.after.log_probs)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda lens, t: ablate_heads(lens, t, layers=3), "no layer 3: the model has 1"),
        (lambda lens, t: ablate_heads(lens, t, heads=[4]), "no head 4"),
        (lambda lens, t: ablate_layers(lens, t, layers=[]), "at least one layer"),
        (lambda lens, t: ablate_roles(lens, t, ["spurios"]), "expected roles that words"),
        (lambda lens, t: ablate_roles(lens, [Example(TEXT, "High Risk")]), "expected roles that"),
        (lambda lens, t: ablate_roles(lens, t, rows="last"), 'rows "all" or "answer"'),
        (lambda lens, t: ablate_heads(lens, []), "at least one text"),
        (lambda lens, t: ablate_heads(lens, [Example(TEXT, "")]), "with their right answers"),
        (lambda lens, t: ablate_heads(lens, t, answers=["Middle Risk"]), "among answers="),
    ],
)
def test_bad_requests_say_what_was_expected(plain, texts, call, message):
    with pytest.raises(ValueError, match=message):
        call(plain, texts[:2])


@pytest.mark.filterwarnings("ignore")
def test_a_model_that_ignores_edits_is_refused(texts):
    lens = AttentionLens(deaf_model(), tokenizer())
    for ablate in (ablate_heads, ablate_layers, ablate_roles):
        with pytest.raises(CannotEditError, match="ignore them"):
            ablate(lens, texts[:2])
    with pytest.raises(CannotEditError):
        score_answers(lens, texts[:2], PAIR, edit=without_role("causal"))
    assert np.isfinite(score_answers(lens, texts[:2], PAIR).log_probs).all()


def test_progress_is_one_bar(plain, texts, capsys):
    ablate_heads(plain, texts[:4], progress="heads")
    err = capsys.readouterr().err
    assert "heads: 100%" in err
    assert "20/20" in err, "four texts, as they are and without each of four heads"
