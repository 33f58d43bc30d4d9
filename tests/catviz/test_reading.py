"""Reading mean attention: against transformers' own eager maps."""

import numpy as np
import pytest
import torch

from cat.models import load_model
from cat.signals import Example
from cat.stg import annotate, stg_e
from catviz.reading import mean_map


@pytest.fixture
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
    read = mean_map(model, tokenizer, examples[0], name="m", label="t")
    prompt = tokenizer(examples[0].prompt, return_tensors="pt")["input_ids"]
    np.testing.assert_allclose(read.values, eager_mean_map(model, prompt), atol=1e-6)
    assert model.config._attn_implementation == implementation
    assert read.answer_row == prompt.shape[1] - 1


def test_a_model_in_training_is_read_without_dropout_and_trains_on(tiny, examples):
    model, tokenizer = tiny
    expected = mean_map(model, tokenizer, examples[0], name="m", label="t").values
    model.train()
    model.model.embed_tokens.register_forward_hook(
        lambda module, args, out: out * 2 if module.training else out  # what dropout does, roughly
    )
    read = mean_map(model, tokenizer, examples[0], name="m", label="t")
    np.testing.assert_array_equal(read.values, expected)
    assert model.training
