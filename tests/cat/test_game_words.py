"""`cat.game_words`: an embedded model reads STG_H, and what it reads is in the text."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from cat.alignment import align_all
from cat.experiments import Run, texts_of
from cat.game_words import STG_E_WORDS, STG_H_WORDS, WORDS, game_of
from cat.models import load_model, load_tokenizer
from cat.own_game import BEACH
from cat.signals import Example
from cat.stg import GAMES, STG_H, STG_H_QUESTION, annotate, read_factors, stg_h
from cat.tiny import name_for, tiny_model, tiny_tokenizer

RECORDS = [r for records in stg_h(n_train=100, n_test=100).values() for r in records]
TEXTS = [annotate(Example.from_record(record)) for record in RECORDS]
TOKENIZER = tiny_tokenizer(words=STG_H_WORDS)


def words_of(text: str) -> list[str]:
    """By cutting at the punctuation that the texts are known to have."""
    facts = text.split(f" {STG_H_QUESTION}")[0]
    words = [re.sub(r"(\.\d)?(%|Mbps|th)?[.;]$", "", f) for f in re.split(r"(?<=[.;]) ", facts)]
    return [*words, STG_H_QUESTION, "Answer:", text.split("Answer: ")[1]]


def test_tokens_are_names_with_whole_numbers() -> None:
    for example in TEXTS:
        tokens = TOKENIZER.tokenize(example.full_text)
        assert tokens == words_of(example.full_text)
        assert len(tokens) == len(STG_H.roles) + 3
        assert TOKENIZER.unk_token_id not in TOKENIZER(example.full_text)["input_ids"]


def test_offsets_are_those_of_the_text_as_written() -> None:
    for example in TEXTS[:100]:
        text = example.full_text
        offsets = TOKENIZER(text, return_offsets_mapping=True)["offset_mapping"]
        assert [text[start:end] for start, end in offsets] == words_of(text)


@pytest.mark.parametrize("name", ["tiny", "tiny-word"])
def test_no_cause_is_lost(name: str) -> None:
    published = [Example.from_record(record) for record in RECORDS]  # phrases, not places
    _, report = align_all(published, tiny_tokenizer(name, words=STG_H_WORDS))
    assert report.outcomes["aligned"] == report.pairs == 6 * len(RECORDS)


def test_numbers_below_zero_and_numbers_beyond() -> None:
    text = (
        "Public Transport Subscriptions (k): -0.4; Water Awareness Score: -9.9; Coal Dependency: 7."
    )
    words = ["Public Transport Subscriptions (k): -0", "Water Awareness Score: -9"]
    assert TOKENIZER.tokenize(text) == [*words, "Coal Dependency: 7"]
    beyond = TOKENIZER("Coal Dependency: 700.1%; Answer: 101")["input_ids"]
    assert beyond.count(TOKENIZER.unk_token_id) == len(beyond) - 1  # all but "Answer:"


def test_every_value_that_the_game_gives_is_known() -> None:
    """The noise is normal: the words reach five standard deviations."""
    for example in TEXTS:
        read = read_factors(example.text)
        assert read is not None
        for name, (value, _) in read[1].items():
            whole = f"{'-' if value < 0 else ''}{abs(int(value))}"
            assert whole in STG_H_WORDS.values[name]
    assert set(STG_H_WORDS.values) == set(STG_H.roles)
    assert set(WORDS) == set(GAMES)


def test_the_name_goes_with_the_texts() -> None:
    stg_e_texts = texts_of(Run("tiny", "STG_S"))["train"][:3]
    assert [game_of(t) for t in (TEXTS, stg_e_texts, BEACH.splits()["train"][:1], [])] == [
        "STG_H", "STG_E", None, None
    ]  # fmt: skip
    assert name_for("tiny-word@3", TEXTS) == "tiny-word:STG_H@3"
    assert name_for("tiny/plain", TEXTS) == "tiny/plain"
    assert name_for("tiny@3", stg_e_texts) == "tiny@3"
    assert name_for("tiny", BEACH.splits()["train"][:1]) == "tiny"


def test_a_model_by_this_name() -> None:
    model, tokenizer = load_model("tiny:STG_H@7")
    assert tokenizer.get_vocab() == TOKENIZER.get_vocab()
    assert model.config.vocab_size == len(tokenizer)
    again, _ = load_model(model.name_or_path)  # what an adapter notes as its base
    for one in (again, load_model("tiny:STG_H", seed=7)[0], tiny_model(seed=7, words=STG_H_WORDS)):
        pairs = zip(model.parameters(), one.parameters(), strict=True)
        assert all(torch.equal(ours, theirs) for ours, theirs in pairs)
    assert load_tokenizer("tiny:STG_E").get_vocab() == tiny_tokenizer(words=STG_E_WORDS).get_vocab()


@pytest.mark.parametrize("name", ["tiny", "tiny-word"])
def test_numbers_begin_alike_the_nearer_they_are(name: str) -> None:
    model = tiny_model(name, words=STG_H_WORDS)
    ids = tiny_tokenizer(name, words=STG_H_WORDS).get_vocab()
    embeddings = model.get_input_embeddings().weight.detach()
    assert float(embeddings.std()) == pytest.approx(0.02, rel=0.1)  # as long as any model's

    def likeness(one: str, other: str) -> float:
        pair = embeddings[[ids[one], ids[other]]]
        return float(torch.nn.functional.cosine_similarity(*pair, dim=0))

    for factor, most in {"": 101, "City Anniversary: ": 100}.items():
        word = factor if name == "tiny" else ""
        apart = {
            gap: [likeness(f"{word}{n}", f"{word}{n + gap}") for n in range(1, most - gap)]
            for gap in (1, 10, 40)
        }
        assert min(apart[1]) > 0.95
        assert 0.6 < sum(apart[10]) / len(apart[10]) < 0.95  # exp(-1/4) is 0.78
        assert max(map(abs, apart[40])) < 0.6
    untouched = tiny_model(name, words=replace(STG_H_WORDS, alike_within=0.0))
    others = ids["Answer:"], ids["<eos>"]
    assert torch.equal(embeddings[[*others]], untouched.get_input_embeddings().weight[[*others]])


@pytest.mark.parametrize("name", ["tiny:STG_X", "tiny:", "tiny:STG_H@x", "tiny:STG_H@"])
def test_no_such_words(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(ValueError, match=r"no model 'tiny:"):
        load_model(name)


def test_it_survives_saving(tmp_path: Path) -> None:
    TOKENIZER.save_pretrained(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    texts = [example.full_text for example in TEXTS[:20]]
    settings = {"return_offsets_mapping": True}
    assert dict(theirs(texts, **settings)) == dict(TOKENIZER(texts, **settings))
