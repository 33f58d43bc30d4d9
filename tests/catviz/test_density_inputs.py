"""Scores by role: models in any mode, and texts that cannot be scored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from torch import nn

from cat.alignment import align
from cat.models import load_model, tiny_tokenizer
from cat.signals import Example, RoleSpan, Span
from catviz.density import role_scores
from tests.catviz.random_models import random_model
from tests.catviz.role_texts import (
    game_texts,
    marked,
    same,
)

# --- the model is left as it was ------------------------------------------------------------------


def with_dropout() -> Any:
    model = random_model("gpt2")
    for module in model.modules():
        if isinstance(module, nn.Dropout):
            module.p = 0.5
    return model


def test_dropout_is_off_and_every_module_trains_again_afterwards() -> None:
    model = with_dropout()
    expected = role_scores(model, tiny_tokenizer(), game_texts())
    model.train()
    model.transformer.h[1].eval()  # frozen by somebody
    before = [module.training for module in model.modules()]
    assert same(role_scores(model, tiny_tokenizer(), game_texts()), expected)
    assert [module.training for module in model.modules()] == before
    assert model.config._attn_implementation == "sdpa"


def test_a_failure_leaves_the_model_as_it_was() -> None:
    model = with_dropout().train()

    def broken() -> Iterator[Example]:
        yield game_texts()[0]
        raise OSError("the file ends")

    with pytest.raises(OSError, match="the file ends"):
        role_scores(model, tiny_tokenizer(), broken(), batch_size=1)
    assert model.training
    assert model.config._attn_implementation == "sdpa"


# --- what cannot be scored ------------------------------------------------------------------------


def test_what_is_left_out_is_counted_by_reason() -> None:
    model, good = random_model("gpt2"), game_texts()[0]
    model.config.n_positions = 13  # the game's texts have 12 tokens up to the answer
    hidden = RoleSpan(Span(*good.answer_span), "answer", "causal")
    examples = [
        replace(good, roles=()),
        replace(good, answer=""),
        marked("Smoking: 1, " * 20 + "Answer:", causal=["Smoking: 1"]),
        replace(good, roles=(hidden, hidden)),
        replace(good, roles=(*good.roles, hidden)),
        good,
    ]
    with pytest.warns(
        UserWarning, match=r"left out of the scores: texts without roles \(1\), "
    ) as told:
        scores = role_scores(model, tiny_tokenizer(), examples)
    assert scores.left_out == {
        "texts without roles": 1,
        "texts without an answer": 1,
        "texts of more than 13 tokens": 1,
        "texts whose roles name no token": 1,
        "words without a token before the answer": 3,
    }
    assert told[0].filename == __file__
    assert scores.texts_seen == 2
    assert scores.numbers.tolist() == [4, 5]
    np.testing.assert_allclose(scores["causal"][:3], scores["causal"][3:], atol=1e-6)


def test_a_limit_of_tokens_can_be_set() -> None:
    model, tokenizer = load_model("tiny/plain")
    rows = align(game_texts()[0], tokenizer).answer_rows
    longest = rows[-1] + 1
    assert role_scores(model, tokenizer, game_texts()[:1], max_length=longest).texts_seen == 1
    with pytest.raises(ValueError, match=rf"got texts of more than {longest - 1} tokens \(1\)"):
        role_scores(model, tokenizer, game_texts()[:1], max_length=longest - 1)


@pytest.mark.parametrize(
    ("examples", "options", "message"),
    [
        ([], {}, "got no text at all"),
        (
            [Example("Smoking: 8 Answer:", "Low Risk")],
            {},
            r"texts without roles \(1\).*annotate.*mark",
        ),
        (
            [replace(game_texts()[0], answer="")],
            {},
            r"texts without an answer \(1\).*Example\(answer",
        ),
        (["Smoking: 8"], {}, r"text 0: expected a cat\.signals\.Example.*got str.*mark_roles"),
        (game_texts(), {"per": "heads"}, "per as one of mean, layer, head, got 'heads'"),
        (game_texts(), {"batch_size": 0}, "batch_size of at least 1, got 0"),
        (game_texts(), {"max_texts": 0}, "max_texts of at least 1, got 0"),
        (game_texts(), {"max_length": 0}, "max_length of at least 1, got 0"),
        (
            [replace(game_texts()[0], roles=(RoleSpan(Span(0, 4), "Here", "cause"),))],  # type: ignore[arg-type]
            {},
            "text 0: word 'Here' has role 'cause'; expected one of causal, spurious, irrelevant",
        ),
    ],
)
def test_refuses(examples: Any, options: dict[str, Any], message: str) -> None:
    model, tokenizer = load_model("tiny/plain")
    with pytest.raises(ValueError, match=message):
        role_scores(model, tokenizer, examples, **options)


def test_a_model_that_diverged_is_named_as_the_reason() -> None:
    model = random_model("llama")
    nn.init.constant_(model.model.layers[0].self_attn.q_proj.weight, float("nan"))
    with pytest.raises(ValueError, match=r"text 0: expected finite attention, got NaN.*diverge"):
        role_scores(model, tiny_tokenizer(), game_texts())


def test_a_text_without_causes_or_with_nothing_else_has_no_ratio() -> None:
    model = random_model("llama")
    examples = [
        marked("Room size: 1 Answer:", irrelevant=["Room size: 1"]),
        marked("Smoking: 4", causal=["Smoking: 4"]),
        game_texts()[0],
    ]
    scores = role_scores(model, tiny_tokenizer(), examples)
    assert np.isnan(scores.ratios).tolist() == [True, True, False]
    assert "nan" not in repr(scores)
