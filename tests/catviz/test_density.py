"""Scores by role over a data set: against whole eager maps, word by word, text by text."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import catviz.density
from cat.alignment import align
from cat.models import load_model, tiny_tokenizer
from cat.reattention import reattention_ratios
from cat.signals import Example
from catviz.density import role_scores
from catviz.reading import mean_map
from catviz.scores import RoleScores
from tests.catviz.random_models import HEADS, LAYERS, random_model
from tests.catviz.role_texts import (
    ROLES,
    game_texts,
    same,
    stream,
    uneven_stream,
    uneven_texts,
)

# peft 0.21 reads a property that transformers 5.23 has renamed.
peft_warns = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated")

TOLERANCE = {"atol": 1e-6, "rtol": 1e-5}


def eager_maps(model: Any, input_ids: list[int]) -> np.ndarray:
    """(layer, head, query, key)."""
    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    before = inner.config._attn_implementation
    inner.set_attn_implementation("eager")
    with torch.no_grad():
        outputs = model(input_ids=torch.tensor([input_ids]), output_attentions=True)
    inner.set_attn_implementation(before)
    return torch.cat(outputs.attentions).double().numpy()


def naive(model: Any, tokenizer: Any, examples: list[Example], per: str) -> dict[str, Any]:
    """Scores, C and N one text, word and row at a time."""
    found: dict[str, Any] = {role: [] for role in ROLES}
    found |= {"C": [], "N": [], "of": {role: [] for role in ROLES}}
    for number, example in enumerate(examples):
        aligned = align(example, tokenizer)
        maps = eager_maps(model, list(aligned.input_ids))
        maps = {"mean": maps.mean((0, 1)), "layer": maps.mean(1), "head": maps}[per]
        rows = [maps[..., row, :] for row in aligned.answer_rows]
        causes: set[int] = set()
        for word in example.roles:
            tokens = aligned.tokens_of(word.span)
            causes |= {t for t in tokens if word.role == "causal"}
            each = [row[..., t] for row in rows for t in tokens]
            found[word.role].append(sum(each) / len(each))
            found["of"][word.role].append(number)
        split = []
        for at, row in zip(aligned.answer_rows, rows, strict=True):
            others = [row[..., t] for t in range(at + 1) if t not in causes]
            split.append(
                [
                    sum(row[..., t] for t in causes) / max(len(causes), 1),
                    sum(others) / len(others),
                ]
            )
        no_causes = np.full(maps.shape[:-2], np.nan)
        found["C"].append(sum(c for c, _ in split) / len(split) if causes else no_causes)
        found["N"].append(sum(n for _, n in split) / len(split))
    return found


def assert_naive(scores: RoleScores, expected: dict[str, Any]) -> None:
    for role in ROLES:
        np.testing.assert_allclose(scores[role], np.stack(expected[role], axis=-1), **TOLERANCE)
        assert scores.texts[role].tolist() == expected["of"][role]
    np.testing.assert_allclose(scores.on_causes, np.stack(expected["C"], axis=-1), **TOLERANCE)
    np.testing.assert_allclose(scores.on_others, np.stack(expected["N"], axis=-1), **TOLERANCE)
    assert scores.numbers.tolist() == list(range(len(expected["C"])))


# --- the numbers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("per", ["mean", "layer", "head"])
@pytest.mark.parametrize("family", ["llama-gqa", "gpt2", "mistral"])
def test_scores_are_those_of_eager_maps_one_by_one(family: str, per: Any) -> None:
    model, examples = random_model(family), uneven_texts()
    scores = role_scores(model, tiny_tokenizer(), examples, per=per, batch_size=3)
    assert_naive(scores, naive(model, tiny_tokenizer(), examples, per))
    assert scores.per == per
    assert scores.texts_seen == len(examples)
    assert scores["causal"].shape[:-1] == {"mean": (), "layer": (LAYERS,)}.get(per, (LAYERS, HEADS))


def test_words_of_several_tokens() -> None:
    model, tokenizer = load_model("tiny-word")
    scores = role_scores(model, tokenizer, game_texts(), per="head")
    assert_naive(scores, naive(model, tokenizer, list(game_texts()), "head"))


def test_role_scores_are_those_of_the_mean_maps() -> None:
    model, tokenizer = load_model("tiny/alpha-10")
    expected: dict[str, list[float]] = {}
    for example in game_texts():
        read = mean_map(model, tokenizer, example, name="m", label="t")
        for word in read.words:
            score = read.values[read.answer_row, word.start : word.stop].mean()
            expected.setdefault(word.role, []).append(score)
    scores = role_scores(model, tokenizer, game_texts(), batch_size=3)
    assert list(scores) == list(ROLES)
    for role, values in scores.items():
        np.testing.assert_allclose(values, expected[role], atol=1e-6)


def test_c_and_n_are_what_the_loss_compares() -> None:
    """On answers of one token, whose one row is what training supervises."""
    model, tokenizer = load_model("tiny/plain")
    scores = role_scores(model, tokenizer, game_texts())
    for number, example in enumerate(game_texts()):
        aligned = align(example, tokenizer)
        mean = eager_maps(model, list(aligned.input_ids)).mean((0, 1))
        causes = np.zeros(mean.shape)
        causes[aligned.rows] = aligned.causes
        ratios = reattention_ratios(torch.tensor(mean)[None], torch.tensor(causes)[None])
        (row,) = aligned.rows
        assert scores.ratios[number] == pytest.approx(float(ratios.ratio[0, row]), rel=1e-5)


def test_a_tuned_model_looks_at_causes_and_a_plain_one_does_not() -> None:
    def causal_over_spurious(name: str) -> float:
        scores = role_scores(*load_model(name), game_texts())
        return float(scores["causal"].mean() / scores["spurious"].mean())

    assert causal_over_spurious("tiny/plain") < 1.5
    assert causal_over_spurious("tiny/alpha-10") > 5


@peft_warns
def test_peft_model() -> None:
    from peft import LoraConfig, get_peft_model

    lora = LoraConfig(r=4, target_modules=["q_proj", "k_proj"], init_lora_weights=False)
    model = get_peft_model(random_model("llama-gqa"), lora).eval()
    examples = uneven_texts()
    scores = role_scores(model, tiny_tokenizer(), examples, per="head", batch_size=4)
    assert_naive(scores, naive(model, tiny_tokenizer(), examples, "head"))


@pytest.mark.parametrize("change", [{"padding_side": "left"}, {"pad_token": None}])
def test_the_tokenizers_padding_does_not_matter(change: dict[str, Any]) -> None:
    model, tokenizer = random_model("llama"), tiny_tokenizer()
    expected = role_scores(model, tokenizer, uneven_texts())
    for name, value in change.items():
        setattr(tokenizer, name, value)
    assert same(role_scores(model, tokenizer, uneven_texts()), expected)


# --- streaming ------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [1, 2, 5, 100])
def test_batches_do_not_matter_and_an_iterator_is_enough(batch_size: int) -> None:
    model, examples = random_model("llama-gqa"), uneven_texts()
    whole = role_scores(model, tiny_tokenizer(), examples)
    streamed = role_scores(
        model, tiny_tokenizer(), (example for example in examples), batch_size=batch_size
    )
    assert same(whole, streamed)


def texts_run(model: nn.Module) -> list[int]:
    """The number of texts of each batch that the model runs from now on."""
    sizes: list[int] = []
    model.register_forward_pre_hook(
        lambda module, args, inputs: sizes.append(len(inputs["input_ids"])), with_kwargs=True
    )
    return sizes


def test_of_many_texts_a_bounded_sample_is_kept_and_the_others_are_not_run() -> None:
    model, tokenizer = load_model("tiny/plain")
    sizes = texts_run(model)
    scores = role_scores(model, tokenizer, stream(600), max_texts=10, batch_size=4)
    assert scores.texts_seen == 600
    assert scores.numbers.size == 10 == len(set(scores.numbers))
    assert (np.diff(scores.numbers) > 0).all()
    assert [scores[role].size for role in ROLES] == [30, 30, 20]  # texts are kept whole
    assert 10 <= sum(sizes) < 100  # about 10 (1 + log 60) = 51 are drawn
    assert "10 of 600 texts" in repr(scores)


def test_what_is_kept_belongs_to_the_texts_that_it_names() -> None:
    """Also when a text of a later batch, or of the same, takes another's place."""
    model, tokenizer = load_model("tiny/plain")
    each = role_scores(model, tokenizer, game_texts())
    for seed in range(5):
        few = role_scores(
            model, tokenizer, stream(50), max_texts=4, batch_size=3, seed=seed, per="layer"
        )
        for role in ROLES:
            for number, score in zip(few.texts[role], few[role][0], strict=True):
                assert number in few.numbers
                assert np.isclose(each[role][each.texts[role] == number % 7], score).any()
        np.testing.assert_allclose(few.ratios[0], each.ratios[few.numbers % 7], rtol=1e-5)


def test_the_sample_is_the_same_for_a_seed_whatever_the_batches() -> None:
    model, tokenizer = load_model("tiny/plain")

    def sample(**options: Any) -> list[int]:
        found = role_scores(model, tokenizer, uneven_stream(60), max_texts=6, **options)
        return list(found.numbers)

    for seed in range(3):
        places, last = catviz.density._Sample(6, seed), {}
        for number in range(60):
            last[places.place()] = number  # a later text takes an earlier one's place
        last.pop(None, None)
        for batch_size in (1, 7, 64):
            assert sample(batch_size=batch_size, seed=seed) == sorted(last.values())
    assert len(role_scores(model, tokenizer, stream(60), max_texts=None).numbers) == 60


def test_texts_of_about_one_length_run_together() -> None:
    model, examples = random_model("llama"), list(uneven_stream(40))
    shapes = []
    model.register_forward_pre_hook(
        lambda module, args, inputs: shapes.append(inputs["input_ids"].shape), with_kwargs=True
    )
    scores = role_scores(model, tiny_tokenizer(), examples, batch_size=5)
    tokens = sum(align(e, tiny_tokenizer(), add_eos=False).answer_start for e in examples)
    assert [texts for texts, _ in shapes] == [5] * 8
    assert tokens <= sum(texts * length for texts, length in shapes) < 1.2 * tokens
    assert scores.texts["causal"].tolist() == list(range(40))


def test_each_text_is_as_likely_to_be_kept_as_any_other() -> None:
    kept = np.zeros(20)
    for seed in range(4000):
        sample = catviz.density._Sample(5, seed)
        places: dict[int, int] = {}
        for number in range(20):
            if (slot := sample.place()) is not None:
                places[slot] = number
        kept[list(places.values())] += 1
    # A share of 1/4 each; five standard errors of 0.0068.
    np.testing.assert_allclose(kept / 4000, 0.25, atol=0.035)


def test_the_bar_counts_all_texts(capsys: pytest.CaptureFixture[str]) -> None:
    model, tokenizer = load_model("tiny/plain")
    examples = [*stream(30), Example("no roles", "Low Risk")]
    with pytest.warns(UserWarning, match=r"texts without roles \(1\)"):
        role_scores(model, tokenizer, examples, max_texts=5, progress="looking")
    assert "looking: 100%" in (shown := capsys.readouterr().err)
    assert "31/31" in shown
    role_scores(model, tokenizer, stream(3))
    assert capsys.readouterr().err == ""
