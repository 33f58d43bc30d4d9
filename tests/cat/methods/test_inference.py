"""PASTA and ACT on the embedded models: what changes, and that nothing else does."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from peft import get_peft_model

from cat.edited_attention import edited_attention
from cat.evaluate import evaluate_answers
from cat.methods import make_method
from cat.methods.inference import ACT, PASTA, choose_heads, prompt_masks
from cat.models import load_model, lora_config
from cat.signals import Example, Signal
from cat.stg import annotate, read_factors, stg_e
from tests.cat.row_models import peft_warns


@pytest.fixture(scope="module")
def tiny():
    return load_model("tiny/plain")


@pytest.fixture(scope="module")
def examples():
    return [annotate(Example.from_record(record)) for record in stg_e()["test_ood"][:96]]


def uneven(examples):
    """Texts of several lengths: without the question in front, or with it twice."""
    question = examples[0].text.partition("cancer. ")[0] + "cancer. "
    return [
        annotate(Example(text, example.answer))
        for example in examples
        for text in (example.text, example.text.removeprefix(question), question + example.text)
    ]


def test_prompt_masks_mark_the_causal_words(tiny, examples):
    for name in ("tiny", "tiny-word"):
        _, tokenizer = load_model(name)
        texts = uneven(examples[:2])
        prompt, causes = prompt_masks(tokenizer, texts)
        asked = tokenizer([e.prompt for e in texts], padding=True, return_tensors="pt")
        assert torch.equal(prompt, asked.attention_mask.bool())
        for text, ids, is_cause in zip(texts, asked.input_ids, causes, strict=True):
            game, factors = read_factors(text.text)
            wanted = [text.text[slice(*factors[n][1])] for n in game.named("causal")]
            marked = "".join(tokenizer.convert_ids_to_tokens(ids[is_cause].tolist()))
            assert sorted(marked.replace(" ", "")) == sorted("".join(wanted).replace(" ", ""))


def test_scale_one_answers_as_plain(tiny, examples):
    plain = evaluate_answers(*tiny, examples)
    assert PASTA(scale=1.0).evaluate(*tiny, examples) == plain
    assert ACT(scale=1.0, threshold=0.5).evaluate(*tiny, examples) == plain
    assert ACT(threshold=1e6).evaluate(*tiny, examples) == plain


def test_pasta_helps_a_model_that_looks_at_companions(tiny, examples):
    plain = evaluate_answers(*tiny, examples).accuracy
    assert PASTA(scale=0.1).evaluate(*tiny, examples).accuracy > plain + 0.05


def test_the_answer_no_longer_depends_on_what_is_scaled_away(tiny, examples):
    """With almost nothing left of them, one prompt with other companions gets one answer."""
    model, tokenizer = tiny
    text = examples[0]
    _, factors = read_factors(text.text)
    span = factors["Clothing size"][1]
    other = text.text[: span.start] + "Clothing size: 1" + text.text[span.end :]
    both = [text, annotate(Example(other, text.answer))]
    assert both[0].text != both[1].text

    def distance(logits):
        return float((logits[0, -1] - logits[1, -1]).abs().max())

    ids = tokenizer([example.prompt for example in both], return_tensors="pt")
    with torch.no_grad():
        plain = distance(model(**ids).logits)
        with edited_attention(model, PASTA(scale=1e-6).edit(model, tokenizer, both)):
            steered = distance(model(**ids).logits)
    assert plain > 0.1
    assert steered < 1e-3


@pytest.mark.parametrize("method", [PASTA(scale=0.3), ACT(scale=0.1, threshold=1.5)])
@torch.no_grad()
def test_a_padded_batch_is_as_single_texts(tiny, examples, method):
    model, tokenizer = tiny
    texts = uneven(examples[:4])
    batch = tokenizer([e.prompt for e in texts], padding=True, return_tensors="pt")
    positions = (batch.attention_mask.cumsum(-1) - 1).clamp_min(0)
    with edited_attention(model, method.edit(model, tokenizer, texts)):
        together = model(**batch, position_ids=positions).logits[:, -1]
    for text, logits in zip(texts, together, strict=True):
        alone = tokenizer(text.prompt, return_tensors="pt")
        unedited = model(**alone).logits[0, -1]
        with edited_attention(model, method.edit(model, tokenizer, [text])):
            edited = model(**alone).logits[0, -1]
        torch.testing.assert_close(logits, edited, atol=1e-4, rtol=1e-4)
        assert not torch.allclose(edited, unedited, atol=1e-3)


@pytest.mark.parametrize("method", [PASTA(scale=0.3), ACT(scale=0.1, threshold=1.5)])
def test_answers_of_batches_are_those_of_single_texts(tiny, examples, method):
    texts = uneven(examples[:23])  # 69 texts, two batches
    together = method.evaluate(*tiny, texts)
    alone = [method.evaluate(*tiny, [text]).answers[0] for text in texts[::8]]
    assert together.answers[::8] == tuple(alone)
    assert together.targets == tuple(text.answer for text in texts)


@peft_warns
def test_a_peft_model_answers_as_its_base(examples):
    model, tokenizer = load_model("tiny/plain")
    base = PASTA().evaluate(model, tokenizer, examples)
    wrapped = get_peft_model(model, lora_config(model))  # a fresh adapter adds nothing
    assert PASTA().evaluate(wrapped, tokenizer, examples) == base


def test_heads_are_chosen_by_what_each_does_alone(tiny, examples):
    method = PASTA(scale=0.05)
    alone = {
        name: replace(method, heads=(name,)).evaluate(*tiny, examples[:48]).accuracy
        for name in ("L0H0", "L0H1", "L0H2", "L0H3")
    }
    assert len({*alone.values()}) > 1
    chosen = choose_heads(method, *tiny, examples[:48], most=2)
    assert chosen == replace(method, heads=tuple(sorted(alone, key=alone.get, reverse=True)[:2]))


def test_some_heads_do_less_than_all(tiny, examples):
    answers = {
        heads: PASTA(heads=heads).evaluate(*tiny, examples).answers
        for heads in (None, ("L0H0",), ("L0H0", "L0H1", "L0H2", "L0H3"))
    }
    everywhere, one, every = answers.values()
    assert everywhere == every != one


def test_a_text_without_signals_is_answered_as_it_is(tiny, examples):
    without = replace(examples[0], signals=())
    asked = PASTA(scale=1e-6).evaluate(*tiny, [without, examples[1]])
    assert asked.answers[0] == evaluate_answers(*tiny, [without]).answers[0]
    with pytest.raises(ValueError, match="name a cause in at least one prompt"):
        PASTA().evaluate(*tiny, [without])


def test_a_phrase_is_looked_for_in_the_prompt_alone(tiny):
    _, tokenizer = tiny
    signal = Signal("Low Risk", ("Weight: 4", "Low Risk"))
    _, causes = prompt_masks(tokenizer, [Example("Weight: 4, Smoking: 2", "Low Risk", (signal,))])
    assert causes.tolist() == [[True, False]]


def test_bad_input_is_refused(tiny, examples):
    model, tokenizer = tiny
    for method in (PASTA(heads=["L1H0"]), ACT(heads=["L0H4"])):
        with pytest.raises(ValueError, match="layers 0 to 0 with heads 0 to 3"):
            method.evaluate(model, tokenizer, examples[:2])
    with pytest.raises(ValueError, match="a list of heads"):
        PASTA(heads="L0H0").evaluate(model, tokenizer, examples[:2])
    with pytest.raises(ValueError, match="at least one example"):
        ACT().evaluate(model, tokenizer, [])
    with pytest.raises(ValueError, match="to keep 1 to 4 heads"):
        choose_heads(ACT(), model, tokenizer, examples, most=5)


def test_they_are_methods_by_name():
    assert make_method("pasta", scale=0.1, heads=["L0H1"]) == PASTA(0.1, ["L0H1"])
    assert make_method("act") == ACT()
