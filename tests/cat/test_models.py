"""`cat.models`: every kind of name, what is saved and read back, and what is refused."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel, GPTNeoXConfig, LlamaForCausalLM

import cat.models
from cat.config import CATConfig
from cat.models import (
    CHECKPOINTS,
    add_adapter,
    load_model,
    load_tokenizer,
    lora_config,
    model_names,
    place,
    quiet_peft,
)
from cat.signals import Example
from cat.stg import annotate, stg_e
from cat.tiny import one_thread
from cat.trainer import CATTrainer

TEXT = "Smoking: 8, Weight: 4, Exercise: 2 Answer: High Risk"


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    with one_thread():
        yield


@pytest.fixture
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No hub answers, nothing was downloaded before, and nobody waits for a connection."""

    def refuse(*args: Any, **kwargs: Any) -> Any:
        raise AssertionError("a connection was tried")

    monkeypatch.setattr("cat.models._hub_answers", lambda: False)
    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setenv("CAT_TUNE_CACHE", str(tmp_path / "cat-tune"))


def logits(model: Any, tokenizer: Any) -> Tensor:
    ids = tokenizer(TEXT, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        out: Tensor = model.eval()(input_ids=ids).logits
    return out


def weights(model: Any) -> dict[str, Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}


def same(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


def tuned(folder: Path, base: str, *, seed: int = 42, lora: bool = False) -> CATTrainer:
    """A model trained for two steps and saved."""
    model, tokenizer = load_model(base, seed=seed)
    examples = [annotate(Example.from_record(record)) for record in stg_e()["train_S"][:32]]
    trainer = CATTrainer(
        model,
        CATConfig(
            output_dir=str(folder),
            alpha=10.0,
            max_steps=2,
            warmup_steps=0,
            learning_rate=1e-2,
            save_strategy="no",
            use_cpu=True,
            seed=seed,
        ),
        examples,
        tokenizer=tokenizer,
        peft_config=lora_config(model) if lora else None,
    )
    list(trainer.steps())
    trainer.save_model()
    return trainer


# --- names ----------------------------------------------------------------------------------------


def test_names() -> None:
    names = model_names()
    assert names[:2] == ["tiny", "tiny-word"]
    assert names[-1] == "smollm2"
    assert all(name.startswith("tiny/") for name in names[2:-1])


@pytest.mark.parametrize("name", model_names()[2:-1])
def test_shipped_checkpoints_load(name: str) -> None:
    model, tokenizer = load_model(name)
    assert isinstance(model, LlamaForCausalLM)
    assert not model.training
    assert tokenizer("High Risk")["input_ids"] == load_tokenizer("tiny")("High Risk")["input_ids"]


@pytest.mark.parametrize("name", ["tiny", "tiny-word"])
def test_fresh_weights_come_from_the_seed_alone(name: str) -> None:
    torch.manual_seed(5)
    undisturbed = torch.rand(4)
    torch.manual_seed(5)
    first, _ = load_model(name, seed=1)
    assert torch.equal(torch.rand(4), undisturbed)  # torch's own generator did not move
    again, _ = load_model(name, seed=1)
    other, _ = load_model(name, seed=2)
    assert same(weights(first), weights(again))
    assert not same(weights(first), weights(other))
    assert not first.training


def test_a_name_may_hold_the_seed() -> None:
    seven, tokenizer = load_model("tiny@7", seed=1)
    assert same(weights(seven), weights(load_model("tiny", seed=7)[0]))
    assert load_tokenizer("tiny@7").get_vocab() == tokenizer.get_vocab()


def test_dtype_and_padding() -> None:
    model, tokenizer = load_model("tiny", placement=place("cpu", "bfloat16"))
    assert model.dtype == torch.bfloat16
    assert model.device.type == "cpu"
    assert tokenizer.padding_side == "left"
    assert tokenizer.pad_token_id == 0


# --- saved and loaded -----------------------------------------------------------------------------


def test_a_full_model_loads_back(tmp_path: Path, no_network: None) -> None:
    trainer = tuned(tmp_path, "tiny")
    model, tokenizer = load_model(str(tmp_path))
    assert isinstance(model, LlamaForCausalLM)
    assert model.config._attn_implementation == "sdpa"  # what training switched to is not saved
    torch.testing.assert_close(logits(model, tokenizer), logits(trainer.model, trainer.tokenizer))
    assert load_tokenizer(str(tmp_path)).get_vocab() == tokenizer.get_vocab()


@pytest.mark.parametrize(
    ("base", "seed", "noted"),
    [
        ("tiny", 42, "cat-tune:tiny@42"),
        ("tiny", 7, "cat-tune:tiny@7"),
        ("tiny-word", 42, "cat-tune:tiny-word@42"),
        ("tiny@3", 42, "cat-tune:tiny@3"),
    ],
)
def test_an_adapter_finds_its_fresh_base_again(
    tmp_path: Path, no_network: None, base: str, seed: int, noted: str
) -> None:
    """Its base was never saved: it is drawn again, from the same seed."""
    trainer = tuned(tmp_path, base, seed=seed, lora=True)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == noted
    model, tokenizer = load_model(str(tmp_path))
    assert torch.equal(logits(model, tokenizer), logits(trainer.model, trainer.tokenizer))
    with model.disable_adapter():
        base_logits = logits(load_model(base, seed=seed)[0], tokenizer)
        assert torch.equal(logits(model, tokenizer), base_logits)
    assert not torch.equal(logits(model, tokenizer), base_logits)


def test_an_adapter_on_a_folder(tmp_path: Path, no_network: None) -> None:
    tuned(tmp_path / "base", "tiny")
    trainer = tuned(tmp_path / "adapter", str(tmp_path / "base"), lora=True)
    model, tokenizer = load_model(str(tmp_path / "adapter"))
    assert torch.equal(logits(model, tokenizer), logits(trainer.model, trainer.tokenizer))


def test_an_adapter_on_a_shipped_checkpoint(
    tmp_path: Path, no_network: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The base is noted by its name: the path of an installation would not travel."""
    monkeypatch.setattr("cat.models.CHECKPOINTS", tmp_path / "checkpoints")
    tuned(tmp_path / "checkpoints" / "plain", "tiny")
    assert "tiny/plain" in model_names()
    trainer = tuned(tmp_path / "adapter", "tiny/plain", lora=True)
    config = json.loads((tmp_path / "adapter" / "adapter_config.json").read_text())
    assert config["base_model_name_or_path"] == "cat-tune:tiny/plain"
    model, tokenizer = load_model(str(tmp_path / "adapter"))
    assert torch.equal(logits(model, tokenizer), logits(trainer.model, trainer.tokenizer))


def test_an_adapter_without_a_tokenizer_takes_its_bases(tmp_path: Path, no_network: None) -> None:
    tuned(tmp_path, "tiny", lora=True)
    for file in tmp_path.glob("tokenizer*"):
        file.unlink()
    assert load_model(str(tmp_path))[1].get_vocab() == load_tokenizer("tiny").get_vocab()


# --- LoRA -----------------------------------------------------------------------------------------


def test_lora_targets_of_llama_and_gpt2() -> None:
    sizes: dict[str, Any] = {"n_embd": 8, "n_layer": 2, "n_head": 2, "vocab_size": 10}
    gpt2 = GPT2LMHeadModel(GPT2Config(**sizes, bos_token_id=1, eos_token_id=1))
    for model, expected in (
        (load_model("tiny-word")[0], {"q_proj", "k_proj", "v_proj", "o_proj"}),
        (gpt2, {"attn.c_attn", "attn.c_proj"}),
    ):
        config = lora_config(model, rank=3, scale=5, dropout=0.1)
        assert set(config.target_modules) == expected
        assert (config.r, config.lora_alpha, config.lora_dropout) == (3, 5, 0.1)
        tuned = add_adapter(model, config).named_parameters()
        modules = {name.split(".lora_")[0] for name, p in tuned if p.requires_grad}
        assert len(modules) == 2 * len(expected)  # each in both layers, and nothing else
        assert all(name.endswith(tuple(expected)) for name in modules)


def test_lora_targets_of_neox() -> None:
    from transformers import GPTNeoXForCausalLM

    sizes: dict[str, Any] = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2}
    model = GPTNeoXForCausalLM(GPTNeoXConfig(**sizes, intermediate_size=8, vocab_size=10))
    assert set(lora_config(model).target_modules) == {"query_key_value", "dense"}


def test_lora_on_unknown_projections_is_refused() -> None:
    with pytest.raises(ValueError, match=r"^Linear names its attention projections in no way"):
        lora_config(torch.nn.Linear(2, 2))


# --- where it runs --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "cuda", "mps", "expected"),
    [
        (("auto", "auto"), False, False, ("cpu", "float32", "no CUDA; float32 is exact")),
        (("auto", "auto"), False, True, ("mps", "float32", "Apple GPU; float32 is exact")),
        (("auto", "auto"), True, False, ("cuda", "bfloat16", "H1; bfloat16 is fast there")),
        (("cuda:1", "auto"), True, False, ("cuda:1", "bfloat16", "bfloat16 is fast there")),
        (("cpu", "auto"), True, False, ("cpu", "float32", "float32 is exact")),
        (("cpu", "float32"), True, False, ("cpu", "float32", "both as asked")),
        (("auto", "float16"), False, False, ("cpu", "float16", "no CUDA")),
    ],
)
def test_place(
    monkeypatch: pytest.MonkeyPatch,
    asked: tuple[str, str],
    cuda: bool,
    mps: bool,
    expected: tuple[str, str, str],
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: cuda)
    monkeypatch.setattr("torch.cuda.is_bf16_supported", lambda: True)
    monkeypatch.setattr("torch.cuda.get_device_name", lambda: "H1")
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: mps)
    placement = place(*asked)
    assert (placement.device, placement.dtype) == expected[:2]
    assert placement.reason.startswith(expected[2])
    assert str(placement) == f"{expected[0]}, {expected[1]} ({placement.reason})"


def test_places_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    with pytest.raises(ValueError, match="expected a CUDA device for 'cuda', this torch sees none"):
        place("cuda")
    with pytest.raises(ValueError, match=r"expected dtype auto, float32, .* got 'int8'"):
        place("cpu", "int8")


# --- names that lead nowhere ----------------------------------------------------------------------


@pytest.mark.parametrize("name", ["Qwen/Qwen2.5-1.5B", "tinny", "no such model", "tiny@x", ""])
def test_unknown_without_a_network_is_quick_and_clear(no_network: None, name: str) -> None:
    before = time.monotonic()
    for load in (load_model, load_tokenizer):
        with pytest.raises(ValueError, match=rf"no model '{name}': it is none of (.|\n)*'tiny'"):
            load(name)
    assert time.monotonic() - before < 2


def test_a_near_miss_gets_a_hint(no_network: None) -> None:
    with pytest.raises(ValueError, match=r"Did you mean 'tiny-word'\?"):
        load_model("tiny-wrod")


def test_smollm2_before_it_was_fetched(no_network: None) -> None:
    with pytest.raises(ValueError, match="run `cat-tune model fetch smollm2`"):
        load_model("smollm2")


@pytest.mark.parametrize("name", ["tiny/alpha-999", "tiny/", "tiny/../.."])
def test_an_unknown_shipped_checkpoint(no_network: None, name: str) -> None:
    with pytest.raises(ValueError, match=r"no shipped checkpoint .*; there are .*tiny-word"):
        load_model(name)


def test_the_hub_is_looked_for_only_where_it_may_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    class Connection:
        def __enter__(self) -> None: ...
        def __exit__(self, *args: Any) -> None: ...

    def connect(address: tuple[str, int], timeout: float) -> Connection:
        calls.append(address)
        return Connection()

    def fail(address: tuple[str, int], timeout: float) -> Connection:
        raise OSError("unreachable")

    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", "https://hub.example:8443")
    monkeypatch.setattr("urllib.request.getproxies", lambda: {})
    monkeypatch.setattr("socket.create_connection", connect)
    assert cat.models._hub_answers()
    assert calls == [("hub.example", 8443)]
    monkeypatch.setattr("socket.create_connection", fail)
    assert not cat.models._hub_answers()
    monkeypatch.setattr("urllib.request.getproxies", lambda: {"https": "http://proxy"})
    assert cat.models._hub_answers()  # its client knows the proxy, we do not
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    assert not cat.models._hub_answers()


# --- folders that hold no model -------------------------------------------------------------------


def test_a_folder_that_is_not_there(no_network: None, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected a folder with a saved model, got"):
        load_model(str(tmp_path / "nowhere"))


def test_a_file(no_network: None, tmp_path: Path) -> None:
    file = tmp_path / "model.safetensors"
    file.write_bytes(b"")
    with pytest.raises(ValueError, match="expected a folder with a saved model, got"):
        load_model(str(file))


def test_a_folder_without_a_model(no_network: None, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="it holds nothing"):
        load_model(str(tmp_path))
    (tmp_path / "notes.txt").write_text("")
    with pytest.raises(ValueError, match=r"config\.json and \*\.safetensors.*\['notes\.txt'\]"):
        load_model(str(tmp_path))


def test_a_folder_of_checkpoints(no_network: None, tmp_path: Path) -> None:
    for name in ("checkpoint-1", "checkpoint-2"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.json").write_text("{}")
    with pytest.raises(ValueError, match=r"did you mean .*checkpoint-2\?"):
        load_model(str(tmp_path))


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    model, tokenizer = load_model("tiny")
    model.save_pretrained(tmp_path / "saved")
    tokenizer.save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


@pytest.fixture
def saved_adapter(tmp_path: Path) -> Path:
    model, _ = load_model("tiny")
    with quiet_peft():
        add_adapter(model, lora_config(model)).save_pretrained(tmp_path / "saved")
    return tmp_path / "saved"


def refused(folder: Path, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load_model(str(folder))
    assert str(folder) in str(caught.value)


def test_a_config_that_is_broken(no_network: None, saved: Path) -> None:
    (saved / "config.json").write_text('{"model_type": "lla')
    refused(saved, "could not be read as a model")


def test_weights_that_were_cut_off(no_network: None, saved: Path) -> None:
    content = (saved / "model.safetensors").read_bytes()
    (saved / "model.safetensors").write_bytes(content[: len(content) // 2])
    refused(saved, "could not be read as a model")
    (saved / "model.safetensors").unlink()
    refused(saved, "could not be read as a model")


def test_weights_that_are_missing_are_not_made_up(no_network: None, saved: Path) -> None:
    from safetensors.torch import load_file, save_file

    content = load_file(saved / "model.safetensors")
    del content["model.layers.0.self_attn.q_proj.weight"]
    save_file(content, saved / "model.safetensors", metadata={"format": "pt"})
    refused(saved, r"1 of its weights are not in the files: .*q_proj\.weight")


def test_only_safetensors_are_read(no_network: None, saved: Path) -> None:
    """A pickle may run code when it is loaded."""
    (saved / "model.safetensors").unlink()
    torch.save(load_model("tiny")[0].state_dict(), saved / "pytorch_model.bin")
    refused(saved, "safetensors")


def test_only_safetensors_are_read_from_adapters(no_network: None, saved_adapter: Path) -> None:
    from safetensors.torch import load_file

    content = load_file(saved_adapter / "adapter_model.safetensors")
    torch.save(content, saved_adapter / "adapter_model.bin")
    (saved_adapter / "adapter_model.safetensors").unlink()
    refused(saved_adapter, r"adapter's weights in adapter_model\.safetensors, which is not there")


def test_an_adapter_that_was_cut_off(no_network: None, saved_adapter: Path) -> None:
    weights = saved_adapter / "adapter_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:5000])
    refused(saved_adapter, "could not be read as a model")


@pytest.mark.parametrize("base", [None, "", "nowhere"])
def test_an_adapter_whose_base_is_not_known(
    no_network: None, saved_adapter: Path, base: str | None
) -> None:
    file = saved_adapter / "adapter_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "base_model_name_or_path": base}))
    refused(saved_adapter, "no model 'nowhere'" if base else "name of the adapter's base model")


def test_a_folder_without_a_tokenizer(no_network: None, saved: Path) -> None:
    for file in saved.glob("tokenizer*"):
        file.unlink()
    refused(saved, "could not be read as a model(.|\n)*tokenizer")


def test_the_checkpoints_folder_is_inside_the_package() -> None:
    assert CHECKPOINTS.parent == Path(cat.models.__file__).parent
