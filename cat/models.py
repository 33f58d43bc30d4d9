"""Models by name: embedded, fetched, from a local folder, or from the hub.

| name | what it is |
| --- | --- |
| ``tiny``, ``tiny-word`` | embedded, fresh weights, to be trained in seconds (:mod:`cat.tiny`) |
| ``tiny@7`` | the same with the weights of seed 7 |
| ``tiny:STG_H`` | the same over the words of STG_H (:mod:`cat.game_words`), not of STG_E |
| ``tiny/plain``, ``tiny/alpha-20``, ... | the shipped trained checkpoints |
| ``smollm2`` | SmolLM2-135M-Instruct, once fetched (:mod:`cat.smollm2`) |
| a folder | a saved transformers model, or a PEFT adapter on its base |
| anything else | a decoder on the Hugging Face hub, such as ``Qwen/Qwen2.5-1.5B`` |
"""

from __future__ import annotations

import difflib
import json
import socket
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cat.game_words import WORDS, GameWords
from cat.smollm2 import smollm2_folder
from cat.tiny import TINY_MODELS, tiny_model, tiny_tokenizer

__all__ = [
    "CHECKPOINTS",
    "Placement",
    "add_adapter",
    "load_model",
    "load_tokenizer",
    "lora_config",
    "model_names",
    "place",
    "quiet_peft",
    "tiny_tokenizer",
]

CHECKPOINTS = Path(__file__).parent / "checkpoints"
MODEL_FILES = ("config.json", "adapter_config.json")
ATTENTION_PROJECTIONS = (
    ("q_proj", "k_proj", "v_proj", "o_proj"),  # Llama, Qwen, Mistral, ...
    ("attn.c_attn", "attn.c_proj"),  # GPT-2; its MLP has a c_proj too
    ("query_key_value", "dense"),  # GPT-NeoX, Falcon
)
ADAPTER_WEIGHTS = "adapter_model.safetensors"
# Before a name of this module's where an adapter notes its base: the colon keeps peft, which looks
# at the base whenever it saves, from asking the hub for such a name.
OURS = "cat-tune:"


def model_names() -> list[str]:
    """The names that need no hub: embedded, shipped, fetched."""
    shipped = sorted(f"tiny/{folder.name}" for folder in CHECKPOINTS.glob("*/"))
    return [*TINY_MODELS, *shipped, "smollm2"]


@dataclass(frozen=True)
class Placement:
    """Where a model runs and in which number format, each with the reason."""

    device: str
    dtype: str
    reason: str

    def __str__(self) -> str:
        return f"{self.device}, {self.dtype} ({self.reason})"


def place(device: str = "auto", dtype: str = "auto") -> Placement:
    """Choose device and dtype where they are "auto"; the reason is meant to be printed.

    >>> print(place("cpu", "float32"))
    cpu, float32 (both as asked)
    """
    import torch

    reasons = []
    if device == "auto":
        if torch.cuda.is_available():
            device = "cuda"
            reasons.append(torch.cuda.get_device_name())
        elif torch.backends.mps.is_available():
            device = "mps"
            reasons.append("Apple GPU")
        else:
            device = "cpu"
            reasons.append("no CUDA")
    elif device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"expected a CUDA device for {device!r}, this torch sees none: use cpu")
    if dtype == "auto":
        if device.startswith("cuda") and torch.cuda.is_bf16_supported():
            dtype = "bfloat16"
            reasons.append("bfloat16 is fast there")
        else:
            dtype = "float32"
            reasons.append("float32 is exact and fast there")
    elif dtype not in ("float32", "bfloat16", "float16"):
        raise ValueError(f"expected dtype auto, float32, bfloat16 or float16, got {dtype!r}")
    return Placement(device, dtype, "; ".join(reasons) or "both as asked")


def load_model(name: str, *, placement: Placement | None = None, seed: int = 42) -> tuple[Any, Any]:
    """(model, tokenizer), the model in eval mode on the chosen device.

    Args:
        name: see the table of this module.
        placement: from :func:`place`; None for the CPU in float32.
        seed: of the fresh weights of ``tiny`` and ``tiny-word``, unless the name holds one.

    Raises:
        ValueError: no such model, and what to do.

    >>> model, tokenizer = load_model("tiny")
    >>> sum(parameter.numel() for parameter in model.parameters())
    77056
    """
    import torch

    name = name.removeprefix(OURS)
    placement = placement or Placement("cpu", "float32", "default")
    dtype = getattr(torch, placement.dtype)
    if embedded := _embedded(name):
        family, words, own_seed = embedded
        seed = seed if own_seed is None else own_seed
        model = tiny_model(family, seed=seed, words=words).to(dtype)
        tokenizer = tiny_tokenizer(family, words=words)
        model.name_or_path = f"{OURS}{name.partition('@')[0]}@{seed}"
    else:
        model, tokenizer = _load_saved(name, dtype)
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "left"  # what greedy answers in batches need
    return model.to(placement.device).eval(), tokenizer


def load_tokenizer(name: str) -> Any:
    """A model's tokenizer alone, by the same names."""
    name = name.removeprefix(OURS)
    if embedded := _embedded(name):
        family, words, _ = embedded
        return tiny_tokenizer(family, words=words)
    from transformers import AutoTokenizer

    with _explained(name) as source:
        return AutoTokenizer.from_pretrained(source)


def lora_config(model: Any, *, rank: int = 16, scale: int = 32, dropout: float = 0.05) -> Any:
    """LoRA on the query, key, value and output projections of every layer.

    LoRA on values or MLPs alone reaches attention only through the layers below, which leaves the
    first layer's map where it was.
    """
    from peft import LoraConfig, TaskType
    from transformers.pytorch_utils import Conv1D

    modules = [f".{name}" for name, _ in model.named_modules()]
    targets = next(
        (
            projections
            for projections in ATTENTION_PROJECTIONS
            if all(any(name.endswith(f".{p}") for name in modules) for p in projections)
        ),
        None,
    )
    if targets is None:
        raise ValueError(
            f"{type(model).__name__} names its attention projections in no way known here: "
            "pass a peft.LoraConfig with target_modules of your own"
        )
    return LoraConfig(
        r=rank,
        lora_alpha=scale,
        lora_dropout=dropout,
        target_modules=list(targets),
        fan_in_fan_out=any(isinstance(module, Conv1D) for module in model.modules()),
        task_type=TaskType.CAUSAL_LM,
    )


def add_adapter(model: Any, peft_config: Any) -> Any:
    """The model with a fresh adapter to train, everything else frozen."""
    from peft import get_peft_model

    with quiet_peft():
        return get_peft_model(model, peft_config)


@contextmanager
def quiet_peft() -> Iterator[None]:
    """Within: none of the warnings that peft gives where all is well."""
    with warnings.catch_warnings():
        # peft 0.21 reads a property that transformers 5.23 has renamed,
        warnings.filterwarnings("ignore", "`is_gradient_checkpointing` is deprecated")
        # and, before it saves, looks for the base model's files where ours has none.
        warnings.filterwarnings("ignore", f"Could not find a config file in {OURS}")
        yield


def _embedded(name: str) -> tuple[str, GameWords, int | None] | None:
    """(family, words, seed) of "tiny", "tiny@7" and "tiny:STG_H@7"; None for what is not built
    from code."""
    built, at, seed = name.partition("@")
    family, _, game = built.partition(":")
    known = family in TINY_MODELS and (game in WORDS or built == family)
    if not known or not (seed.isdecimal() or not at):
        return None
    return family, WORDS[game or "STG_E"], int(seed) if seed else None


def _resolve(name: str) -> str:
    """A folder or a hub name for everything that is not built from code."""
    if name == "smollm2":
        folder = smollm2_folder()
        if not folder.is_dir():
            raise ValueError("smollm2 was not fetched yet: run `cat-tune model fetch smollm2`")
        return str(folder)
    family, _, variant = name.partition("/")
    if family == "tiny":
        if name not in model_names():
            raise ValueError(f"no shipped checkpoint {name!r}; there are {model_names()}")
        return str(CHECKPOINTS / variant)
    return name


@contextmanager
def _explained(name: str) -> Iterator[str]:
    """Within: the folder or hub name to load from; what fails is told in the user's terms."""
    from huggingface_hub import snapshot_download
    from safetensors import SafetensorError

    source = _resolve(name)
    if not source:
        raise ValueError(_not_found(name))
    folder = Path(source).expanduser()
    if not folder.is_dir() and (folder.exists() or name.startswith((".", "/", "~"))):
        raise ValueError(f"expected a folder with a saved model, got {name!r}")
    if folder.is_dir() and not any((folder / file).is_file() for file in MODEL_FILES):
        raise ValueError(_not_a_checkpoint(folder))
    try:
        if folder.is_dir():
            yield str(folder)
        else:
            yield source if _hub_answers() else snapshot_download(source, local_files_only=True)
    except (OSError, ValueError, SafetensorError) as error:
        if folder.is_dir():
            raise ValueError(f"{folder} could not be read as a model: {error}") from error
        raise ValueError(_not_found(name)) from error


@contextmanager
def _bar_for_downloads_only(source: str) -> Iterator[None]:
    """Within: transformers shows no bar for reading weights off the disk, which takes a moment."""
    from transformers.utils import logging

    if not Path(source).is_dir() or not logging.is_progress_bar_enabled():
        yield
        return
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.enable_progress_bar()


def _load_saved(name: str, dtype: Any) -> tuple[Any, Any]:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    with _explained(name) as source, _bar_for_downloads_only(source):
        if (Path(source) / "adapter_config.json").is_file():
            return _load_adapter(Path(source), dtype)
        model, found = AutoModelForCausalLM.from_pretrained(
            source, dtype=dtype, use_safetensors=True, output_loading_info=True
        )
        if missing := sorted(found["missing_keys"]):  # transformers would make them up
            raise ValueError(f"{len(missing)} of its weights are not in the files: {missing[:3]}")
        if name in model_names():
            model.name_or_path = OURS + name
        return model, AutoTokenizer.from_pretrained(source)


def _load_adapter(folder: Path, dtype: Any) -> tuple[Any, Any]:
    from peft import PeftModel
    from transformers import AutoTokenizer

    if not (folder / ADAPTER_WEIGHTS).is_file():
        raise ValueError(f"expected the adapter's weights in {ADAPTER_WEIGHTS}, which is not there")
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    if not (base_name := config.get("base_model_name_or_path")):
        raise ValueError(
            "expected the name of the adapter's base model as base_model_name_or_path in "
            f"adapter_config.json, got {base_name!r}: write it there"
        )
    base, tokenizer = load_model(
        base_name,
        placement=Placement("cpu", str(dtype).removeprefix("torch."), "base of an adapter"),
    )
    if (folder / "tokenizer_config.json").is_file():
        tokenizer = AutoTokenizer.from_pretrained(folder)
    with quiet_peft():
        return PeftModel.from_pretrained(base, folder), tokenizer


def _hub_answers(timeout: float = 3.0) -> bool:
    """Whether the hub can be reached; without this look, its client retries for most of a minute.

    Behind a proxy a plain connection tells nothing: then the client may try.
    """
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE:
        return False
    if urllib.request.getproxies():
        return True
    address = urlsplit(constants.ENDPOINT)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        with socket.create_connection((address.hostname or "", port), timeout=timeout):
            return True
    except OSError:
        return False


def _not_a_checkpoint(folder: Path) -> str:
    found = sorted(entry.name for entry in folder.iterdir())[:8]
    inner = [f"{folder / n}" for n in found if (folder / n / "config.json").is_file()]
    hint = f"; did you mean {inner[-1]}?" if inner else ""
    return (
        f"expected {folder} to hold a saved model (config.json and *.safetensors) or a PEFT "
        f"adapter (adapter_config.json), it holds {found or 'nothing'}{hint}"
    )


def _not_found(name: str) -> str:
    close = difflib.get_close_matches(name, model_names(), n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    return (
        f"no model {name!r}: it is none of {model_names()}, no folder, and the Hugging Face hub "
        f"did not give it (is there a network? does the name exist? is it a safetensors decoder?)."
        f"{hint} Without a network use 'tiny', or the path of a downloaded model."
    )
