"""`cat.tiny`: what the embedded models read and how they are built."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pytest
import torch
from transformers import AutoTokenizer

from cat.stg import STG_E, STG_E_QUESTION, stg_e, stg_e_text
from cat.tiny import TINY_MODELS, one_thread, tiny_model, tiny_tokenizer

STG = stg_e()
RECORDS = [record for split in ("train_L", "test_iid", "test_ood") for record in STG[split]]
NAMES = list(TINY_MODELS)


def full_text(record: dict[str, str]) -> str:
    return record["input"] + record["target"]


def naive_tokens(text: str, *, factor_is_one_token: bool) -> list[str]:
    """By splitting at the punctuation that the game's texts are known to have."""
    body = text.removeprefix(STG_E_QUESTION).strip()
    facts, answer = body.split(" Answer:")
    tokens = re.findall(r"[^.]+\.", STG_E_QUESTION)
    for i, fact in enumerate(facts.split(", ")):
        name, value = fact.split(": ")
        if not factor_is_one_token and i:
            tokens.append(",")
        tokens += [fact] if factor_is_one_token else [name, ":", value]
    return [token.strip() for token in tokens] + ["Answer:", answer.strip()]


@pytest.mark.parametrize("name", NAMES)
def test_tokens_of_every_text(name: str) -> None:
    tokenizer, shape = tiny_tokenizer(name), TINY_MODELS[name]
    for record in RECORDS:
        text = full_text(record)
        expected = naive_tokens(text, factor_is_one_token=shape.factor_is_one_token)
        assert tokenizer.tokenize(text) == expected
        assert tokenizer.unk_token_id not in tokenizer(text)["input_ids"]


@pytest.mark.parametrize("name", NAMES)
def test_offsets_are_those_of_the_tokens(name: str) -> None:
    tokenizer = tiny_tokenizer(name)
    for record in RECORDS[:50]:
        text = full_text(record)
        offsets = tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
        assert [text[start:end] for start, end in offsets] == tokenizer.tokenize(text)


def test_values_are_not_cut() -> None:
    """ "Weight: 1" stands in "Weight: 10", and "1" in "12"."""
    assert tiny_tokenizer("tiny").tokenize("Weight: 10") == ["Weight: 10"]
    assert tiny_tokenizer("tiny-word").tokenize("Weight: 12") == ["Weight", ":", "12"]


@pytest.mark.parametrize("name", NAMES)
def test_what_it_does_not_know_is_unknown_not_an_error(name: str) -> None:
    tokenizer = tiny_tokenizer(name)
    ids = tokenizer("Smoking: 99, <script>x</script> Wéight: 4 Answer:")["input_ids"]
    assert tokenizer.unk_token_id in ids
    assert tokenizer.decode(ids).endswith("Answer:")
    assert tokenizer("")["input_ids"] == []
    assert "Weight: 4" not in tokenizer.tokenize("xWeight: 4")[:1]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("answer", ["High Risk", "Low Risk", "Middle Risk"])
def test_answers_are_one_token_and_decode_as_they_were(name: str, answer: str) -> None:
    tokenizer = tiny_tokenizer(name)
    (token,) = tokenizer(answer)["input_ids"]
    assert tokenizer.decode([token, tokenizer.eos_token_id], skip_special_tokens=True) == answer


@pytest.mark.parametrize("name", NAMES)
def test_a_tokenizer_survives_saving(name: str, tmp_path: Path) -> None:
    ours = tiny_tokenizer(name)
    ours.save_pretrained(tmp_path)
    theirs = AutoTokenizer.from_pretrained(tmp_path)
    assert theirs.is_fast
    for attribute in ("pad_token_id", "eos_token_id", "unk_token_id", "padding_side"):
        assert getattr(theirs, attribute) == getattr(ours, attribute)
    texts = [full_text(record) for record in RECORDS[:20]]
    settings = {"return_offsets_mapping": True, "padding": True}
    assert dict(theirs(texts, **settings)) == dict(ours(texts, **settings))


@pytest.mark.parametrize("name", NAMES)
def test_vocabulary_and_model_agree(name: str) -> None:
    tokenizer, model = tiny_tokenizer(name), tiny_model(name)
    assert sorted(tokenizer.get_vocab().values()) == list(range(model.config.vocab_size))
    assert model.config.pad_token_id == tokenizer.pad_token_id == 0
    assert model.config.eos_token_id == tokenizer.eos_token_id
    assert model.config.num_hidden_layers == TINY_MODELS[name].layers
    assert model.get_input_embeddings().weight is model.get_output_embeddings().weight
    assert sum(parameter.numel() for parameter in model.parameters()) < 150_000


def test_tiny_word_must_bind_what_tiny_reads_at_once() -> None:
    """The same person in another order: the same tokens for one, other neighbours for the other."""
    values = {name: i + 1 for i, name in enumerate(STG_E.roles)}
    orders = [list(STG_E.roles), list(STG_E.roles)]
    random.Random(0).shuffle(orders[1])
    texts = [stg_e_text(values, order) for order in orders]
    for name in NAMES:
        one, other = (tiny_tokenizer(name).tokenize(text) for text in texts)
        assert sorted(one) == sorted(other)
        assert one != other


def test_one_thread_gives_the_number_back() -> None:
    before = torch.get_num_threads()
    with one_thread():
        assert torch.get_num_threads() == 1

    def fail() -> None:
        with one_thread():
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("build", [tiny_tokenizer, tiny_model])
def test_unknown_names(build: object) -> None:
    with pytest.raises(KeyError, match="huge"):
        build("huge")  # type: ignore[operator]
