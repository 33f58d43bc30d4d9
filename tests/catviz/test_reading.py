"""Reading mean attention: against transformers' own eager maps."""

import numpy as np
import pytest
import torch

from cat.alignment import align
from cat.models import load_model
from cat.signals import Example
from cat.stg import annotate, stg_e
from catviz.reading import mean_map, role_scores
from catviz.roles import words_of


@pytest.fixture(scope="module")
def tiny():
    return load_model("tiny/alpha-10")


@pytest.fixture(scope="module")
def examples():
    return [annotate(Example.from_record(record)) for record in stg_e(42)["test_ood"][:7]]


def eager_mean_map(model, input_ids):
    before = model.config._attn_implementation
    model.set_attn_implementation("eager")
    with torch.inference_mode():
        attentions = model(input_ids, output_attentions=True).attentions
    model.set_attn_implementation(before)
    return torch.stack(attentions).mean(dim=(0, 2))[0].numpy()


def test_mean_map_is_the_mean_over_layers_and_heads_of_the_prompt(tiny, examples):
    model, tokenizer = tiny
    implementation = model.config._attn_implementation
    read = mean_map(model, tokenizer, examples[0], name="m", text="t")
    prompt = tokenizer(examples[0].prompt, return_tensors="pt")["input_ids"]
    np.testing.assert_allclose(read.values, eager_mean_map(model, prompt), atol=1e-6)
    assert model.config._attn_implementation == implementation
    assert read.answer_row == prompt.shape[1] - 1


def test_role_scores_are_those_of_the_maps_one_by_one(tiny, examples):
    model, tokenizer = tiny
    expected: dict[str, list[float]] = {}
    for example in examples:
        read = mean_map(model, tokenizer, example, name="m", text="t")
        for word in read.words:
            score = read.values[read.answer_row, word.start : word.stop].mean()
            expected.setdefault(word.role, []).append(score)
    scores = role_scores(model, tokenizer, examples, batch_size=3)
    assert set(scores) == {"causal", "spurious", "irrelevant"}
    for role, values in scores.items():
        np.testing.assert_allclose(values, expected[role], atol=1e-6)


def test_a_tuned_model_looks_at_causes_and_a_plain_one_does_not(examples):
    def causal_over_spurious(name):
        model, tokenizer = load_model(name)
        scores = role_scores(model, tokenizer, examples)
        return scores["causal"].mean() / scores["spurious"].mean()

    assert causal_over_spurious("tiny/plain") < 1.5
    assert causal_over_spurious("tiny/alpha-10") > 5


def test_texts_without_roles_are_refused(tiny):
    with pytest.raises(ValueError, match="annotate"):
        role_scores(*tiny, [Example("Smoking: 8 Answer:", "Low Risk")])


@pytest.mark.parametrize("model", ["tiny", "tiny-word"])
def test_words_cover_every_token_once_and_name_the_factors(model, examples):
    _, tokenizer = load_model(model)
    aligned = align(examples[0], tokenizer)
    words = words_of(aligned)
    assert [t for w in words for t in range(w.start, w.stop)] == list(range(len(aligned.input_ids)))
    factors = {word.label: word.role for word in words if word.role != "other"}
    assert len(factors) == 8
    assert factors["Smoking: 10"] == "causal"
    assert factors["Clothing size: 9"] == "spurious"
    assert factors["Room size: 2"] == "irrelevant"
