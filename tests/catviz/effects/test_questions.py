"""Log-probabilities of answers: against one forward pass a text, token by token."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from cat.evaluate import greedy_answers
from cat.models import load_model
from cat.signals import Example, RoleSpan, Span
from cat.stg import annotate, stg_e
from catviz.effects.plain import PlainModel
from catviz.effects.questions import Questions, score_answers
from catviz.lens import AttentionLens, CannotEditError
from tests.catviz.effects.rule_models import SURE, digit_model
from tests.catviz.random_models import SHORT, TEXT, random_model, tokenizer

PAIR = ("High Risk", "Low Risk")
# Of two tokens and of one; the first two are alike but for their last token.
ANSWERS = ("High Risk Smoking: 3", "High Risk Low Risk", "Low Risk")


@pytest.fixture(scope="module")
def lens():
    return AttentionLens(random_model("llama-gqa"), tokenizer(), name="random")


@pytest.fixture(scope="module")
def plain():
    return PlainModel(*load_model("tiny/plain"), name="tiny/plain")


@pytest.fixture(scope="module")
def texts():
    return [annotate(Example.from_record(r)) for r in stg_e()["test_ood"][:12]]


def naive(model, prompt: str, answer: str) -> tuple[float, float, bool]:
    """(log P, log P of all else, greedy), a text at a time, nothing padded."""
    before = tokenizer()(prompt.rstrip())["input_ids"]
    whole = tokenizer()(f"{prompt.rstrip()} {answer}")["input_ids"]
    with torch.no_grad():
        logits = model(torch.tensor([whole])).logits[0].double()
    log_p, greedy = 0.0, True
    for t in range(len(before), len(whole)):
        said = logits[t - 1].log_softmax(-1)
        log_p += float(said[whole[t]])
        greedy &= int(said.argmax()) == whole[t]
    return log_p, float(np.log1p(-np.exp(log_p))), greedy


def test_scores_equal_one_pass_a_text_and_answer(lens):
    scores = score_answers(lens, [TEXT, SHORT], ANSWERS)
    wanted = [[naive(lens.model, text, a) for a in ANSWERS] for text in (TEXT, SHORT)]
    np.testing.assert_allclose(scores.log_probs, [[w[0] for w in row] for row in wanted], atol=1e-5)
    assert scores.greedy.tolist() == [[w[2] for w in row] for row in wanted]
    assert scores.log_rest is None
    assert np.ptp(scores.log_probs) > 0.5, "answers that are all alike would prove nothing"


def test_a_lone_answer_is_scored_against_all_else(lens):
    examples = [Example(TEXT, ANSWERS[0]), Example(SHORT, "Low Risk")]
    scores = score_answers(lens, examples)
    wanted = [naive(lens.model, e.text, e.answer) for e in examples]
    np.testing.assert_allclose(scores.log_probs[:, 0], [w[0] for w in wanted], atol=1e-5)
    np.testing.assert_allclose(scores.log_rest, [w[1] for w in wanted], atol=1e-5)
    of = [example.answer for example in examples]
    np.testing.assert_allclose(scores.log_odds(of), [w[0] - w[1] for w in wanted], atol=1e-5)


def test_the_logit_stays_finite_where_the_model_is_sure():
    model = random_model("llama")
    with torch.no_grad():
        model.lm_head.weight.mul_(2000)
    lens = PlainModel(model, tokenizer(), "sure")
    with torch.no_grad():
        ids = tokenizer()(SHORT, return_tensors="pt")["input_ids"]
        logits = model(ids).logits[0, -1].double()
    word = tokenizer().convert_ids_to_tokens(int(logits.argmax()))
    scores = score_answers(lens, [SHORT], [word])
    top, second = logits.topk(2).values
    assert top - second > 40, "P rounds to one"
    np.testing.assert_allclose(scores.log_odds(word), float(top - second), rtol=1e-5)
    assert scores.greedy.all()


def test_batches_and_padding_change_nothing(lens, texts):
    mixed = [TEXT, *texts, SHORT]
    one = score_answers(lens, mixed, ANSWERS, batch_size=1)
    for size in (3, 64):
        np.testing.assert_allclose(
            score_answers(lens, mixed, ANSWERS, batch_size=size).log_probs, one.log_probs, atol=1e-5
        )


def test_lens_and_plain_model_say_the_same(lens):
    plain = PlainModel(lens.model, lens.tokenizer, "plain")
    by_lens = score_answers(lens, [TEXT, SHORT], ANSWERS).log_probs
    through = score_answers(
        lens, [TEXT, SHORT], ANSWERS, edit=lambda batch: lambda layer, pattern: None
    ).log_probs
    np.testing.assert_array_equal(score_answers(plain, [TEXT, SHORT], ANSWERS).log_probs, by_lens)
    np.testing.assert_allclose(through, by_lens, atol=1e-4)


def test_answers_alike_but_for_their_last_token_go_through_once(lens):
    assert len(Questions(lens, [TEXT, SHORT], PAIR)) == 2
    assert len(Questions(lens, [TEXT, SHORT], ANSWERS)) == 4
    assert len(Questions(lens, [TEXT, TEXT, SHORT], ANSWERS)) == 4
    ways = [
        Example(TEXT, "", roles=(RoleSpan(Span(0, 10), "x", r),)) for r in ("causal", "spurious")
    ]
    assert len(Questions(lens, ways, PAIR)) == 2, "roles decide what is edited"


def test_greedy_is_what_decoding_says(plain, texts):
    scores = score_answers(plain, texts, PAIR)
    said = greedy_answers(plain.model, plain.tokenizer, [t.text for t in texts], max_new_tokens=1)
    assert [PAIR[k] for k in scores.greedy.argmax(1)] == said
    assert list(scores.best) == said
    assert {*said} == {*PAIR}


def test_greedy_wants_every_token_of_an_answer():
    model = digit_model(lambda prompt: "56")
    asked = [Example("Sum? Answer:", answer) for answer in ("56", "57", "46", "5")]
    scores = score_answers(model, asked)
    assert scores.greedy[:, 0].tolist() == [True, False, False, True]
    odds = scores.log_odds([example.answer for example in asked])
    assert odds[0] > 30
    assert odds[1:3].max() < -30


def test_a_number_is_not_taken_for_the_first_digits_of_a_longer_one():
    """Byte by byte "5" begins "56": whoever says 56 also says 5 first."""
    answers = [str(n) for n in range(101)]
    for right in ("5", "56", "0", "10", "100"):
        scores = score_answers(digit_model(lambda prompt, r=right: r), ["Sum? Answer:"], answers)
        assert scores.best == (right,)
        np.testing.assert_allclose(scores.expected_value(), float(right), atol=1e-9)
        np.testing.assert_allclose(scores.coverage, 1, atol=1e-9)
        others = [a for a in answers if a != right]
        chances = scores.shares[0, [answers.index(a) for a in others]]
        assert chances.max() < np.exp(0.9 * -SURE) + 1e-15


def test_what_goes_on_is_taken_off_what_it_begins_with():
    """Of a model without preferences: each byte has one chance in 256."""
    blind = digit_model(lambda prompt: "never")
    blind.model.forward = lambda input_ids, attention_mask: type(
        "Out", (), {"logits": torch.zeros(*input_ids.shape, 256)}
    )
    scores = score_answers(blind, ["Sum? Answer:"], ["1", "10", "100", "12", "2"])
    p = 1 / 256
    wanted = [p**2 - 2 * p**3, p**3 - p**4, p**4, p**3, p**2]
    np.testing.assert_allclose(np.exp(scores.log_probs[0]), wanted, rtol=1e-9)


def test_tokens_of_roles(lens, texts):
    seen = []

    def look(batch):
        for b, aligned in enumerate(batch.aligned):
            ids = batch.input_ids[b].tolist()
            for role, count in (("causal", 3), ("spurious", 3), ("irrelevant", 2)):
                at = batch.tokens_of(role)[b].nonzero()[:, 0].tolist()
                words = {lens.tokenizer.convert_ids_to_tokens(ids[t]).split(":")[0] for t in at}
                assert words == {r.name for r in aligned.example.roles if r.role == role}
                assert len(words) == count
            other = batch.tokens_of("other")[b] & batch.attention_mask[b].bool()
            assert other.sum() == batch.attention_mask[b].sum() - 8
            assert not (batch.tokens_of("other")[b] & ~batch.attention_mask[b].bool()).any()
            (row,) = batch.answer_rows[b].nonzero()[:, 0].tolist()
            assert lens.tokenizer.convert_ids_to_tokens(ids[row]) == "Answer:"
        assert batch.rows("all") is None
        assert batch.rows("answer") is batch.answer_rows
        seen.extend(batch.aligned)
        return lambda layer, pattern: None

    score_answers(lens, [*texts, texts[0].text[:10] + texts[0].text], PAIR, edit=look)
    assert len(seen) == 13


def test_rows_that_predict_a_long_answer(lens):
    def look(batch):
        for row, mask in zip(batch.answer_rows, batch.attention_mask, strict=True):
            n = int(mask.sum())
            assert row.nonzero()[:, 0].tolist() == list(range(n - 2, n))
        return lambda layer, pattern: None

    score_answers(lens, [TEXT, SHORT], ANSWERS[:2], edit=look)


def test_the_model_stays_in_training_and_dropout_is_off():
    model = random_model("gpt2").train()
    asked = [PlainModel(model, tokenizer(), "gpt2"), AttentionLens(model, tokenizer())]
    for one in asked:
        first, again = (score_answers(one, [TEXT], PAIR).log_probs for _ in range(2))
        np.testing.assert_array_equal(first, again)
    assert model.training


@pytest.mark.parametrize(
    ("texts", "answers", "message"),
    [
        ([], PAIR, "at least one text"),
        ([TEXT], [], "at least one answer"),
        ([TEXT], ["High Risk", ""], "none of them empty"),
        ([TEXT], [" High Risk"], "spaces around it"),
        ([TEXT], "High Risk", "a list of answers"),
        ([TEXT], ["High Risk", "High Risk"], "different answers"),
        ([TEXT], ["High Risk", "Purple"], "'Purple' becomes '<unk>'"),
        ([TEXT], ["High Risk", "High Risk,"], "can tell apart"),
        ([TEXT], None, "needs answers="),
        ([",,,"], PAIR, "a prompt and an answer of at least one token"),
    ],
)
def test_bad_questions_say_what_was_expected(lens, texts, answers, message):
    with pytest.raises(ValueError, match=message):
        score_answers(lens, texts, answers)


def test_other_bad_requests(lens):
    with pytest.raises(ValueError, match="batch size"):
        score_answers(lens, [TEXT], PAIR, batch_size=0)
    batch = Questions(lens, [TEXT], PAIR)
    with pytest.raises(ValueError, match="expected a role of"):
        batch.ask(lambda batch: batch.tokens_of("cause"))
    with pytest.raises(ValueError, match='expected rows "all" or "answer"'):
        batch.ask(lambda batch: batch.rows("last"))


def test_nan_is_refused():
    model = copy.deepcopy(random_model("llama"))
    with torch.no_grad():
        model.lm_head.weight[5] = float("nan")
    with pytest.raises(ValueError, match="expected logits that are numbers"):
        score_answers(PlainModel(model, tokenizer(), "broken"), [TEXT], PAIR)


def test_a_plain_model_cannot_be_edited(plain):
    with pytest.raises(CannotEditError, match="expected an AttentionLens"):
        score_answers(plain, [TEXT], PAIR, edit=lambda batch: lambda layer, pattern: None)


def test_progress_counts_sequences(lens, capsys):
    done = []
    Questions(lens, [TEXT, SHORT], ANSWERS, batch_size=3).ask(
        progress="asking", advance=done.append
    )
    assert done == [3, 1]
    assert "asking: 100%" in capsys.readouterr().err
