"""Measures in a file: what was measured, and taken for nothing but what was measured."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest

from cat.data import load_data
from cat.signals import Example
from catviz.sweep import SHIPPED, Measured, Sweep, measure, read_sweep, sweep_texts
from catviz.sweep.measures_file import read_measures, write_measures
from catviz.sweep.shipped import make_shipped
from tests.catviz.sweeps import small_sweep

AMOUNTS = {"shown": 2, "effect_texts": 3}


@pytest.fixture(scope="module")
def texts() -> list[Example]:
    return load_data("stg-e")["test_ood"][:6]


@pytest.fixture(scope="module")
def sweep(tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    return read_sweep(small_sweep(tmp_path_factory.mktemp("sweep")))


@pytest.fixture(scope="module")
def measured(sweep: Sweep, texts: list[Example]) -> tuple[Measured, ...]:
    return measure(sweep, texts, **AMOUNTS, known=None)


@pytest.fixture
def file(tmp_path: Path, measured: tuple[Measured, ...], texts: list[Example]) -> Path:
    return write_measures(tmp_path / "measures.npz", measured, texts, **AMOUNTS)


def assert_same(found: Sequence[Measured], wanted: Sequence[Measured], within: float) -> None:
    assert len(found) == len(wanted)
    for one, other in zip(found, wanted, strict=True):
        assert one.tuned.name == other.tuned.name
        assert one.says == other.says
        assert [*one.scores] == [*other.scores]
        assert one.scores.texts_seen == other.scores.texts_seen
        assert one.scores.left_out == other.scores.left_out
        each = ("numbers", "on_causes", "on_others")
        arrays = [(getattr(one.scores, name), getattr(other.scores, name)) for name in each]
        arrays += [(one.scores[role], other.scores[role]) for role in one.scores]
        arrays += [(one.scores.texts[role], other.scores.texts[role]) for role in one.scores]
        for ours, theirs in arrays:
            assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
            np.testing.assert_allclose(ours, theirs, rtol=0, atol=within)
        for ours, theirs in zip(one.maps, other.maps, strict=True):
            np.testing.assert_allclose(ours.values, theirs.values, rtol=0, atol=within)
            about = [(m.words, m.model, m.text, m.answer_row, m.sink) for m in (ours, theirs)]
            assert about[0] == about[1]
        for ours, theirs in zip(one.effects, other.effects, strict=True):
            flat = [numbers_of(effect) for effect in (ours, theirs)]
            assert flat[0] == pytest.approx(flat[1], abs=within)
            named = [(e.model, e.factor, e.role, e.unit, e.texts) for e in (ours, theirs)]
            assert named[0] == named[1]


def numbers_of(effect: object) -> dict[str, float | None]:
    found = effect.to_dict()  # type: ignore[attr-defined]
    return {name: value for name, value in found.items() if not isinstance(value, str)}


def test_what_is_written_is_read(
    file: Path, sweep: Sweep, measured: tuple[Measured, ...], texts: list[Example]
) -> None:
    found = read_measures(file, sweep, texts, **AMOUNTS)
    assert found is not None
    assert_same(found, measured, within=0)
    assert [asdict(e) for e in found[0].effects] == [asdict(e) for e in measured[0].effects]
    assert [one.tuned for one in found] == list(sweep.models)


def test_texts_of_no_game_are_written_and_read(tmp_path: Path, sweep: Sweep) -> None:
    own = [Example("Two and two make? Answer:", "4")]
    bare = [
        replace(one, effects=(), says=("4",), maps=())
        for one in measure(sweep, load_data("stg-e")["test_ood"][:1], known=None)
    ]
    path = write_measures(tmp_path / "own.npz", bare, own, **AMOUNTS)
    found = read_measures(path, sweep, own, **AMOUNTS)
    assert found is not None
    assert_same(found, bare, within=0)


def test_the_shipped_file_is_what_the_shipped_models_do(tmp_path: Path) -> None:
    assert SHIPPED.stat().st_size < 300_000
    sweep = read_sweep()
    texts = sweep_texts(sweep)[:100]
    shipped = read_measures(SHIPPED, sweep, texts, shown=12, effect_texts=24)
    assert shipped is not None
    assert [one.tuned.name for one in shipped] == [tuned.name for tuned in sweep.models]
    assert all((len(one.maps), len(one.effects)) == (12, 8) for one in shipped)
    again = read_measures(
        make_shipped(tmp_path / "again.npz"), sweep, texts, shown=12, effect_texts=24
    )
    assert again is not None
    assert_same(again, shipped, within=1e-4)


@pytest.fixture
def measured_afresh(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of models as they are measured; none is where a file fits."""
    names: list[str] = []

    def note(sweep: Sweep, *_: object, **__: object) -> tuple[()]:
        names.extend(tuned.name for tuned in sweep.models)
        return ()

    monkeypatch.setattr("catviz.sweep.measuring.measure_afresh", note)
    return names


def test_a_file_that_fits_is_taken(
    file: Path, sweep: Sweep, texts: list[Example], measured_afresh: list[str]
) -> None:
    found = measure(sweep, texts, **AMOUNTS, known=file)
    assert [one.tuned.name for one in found] == ["plain", "alpha 10"]
    assert not measured_afresh
    assert measure(sweep, texts, **AMOUNTS, known=file) is found


def test_the_same_models_elsewhere_are_the_same_models(
    file: Path, sweep: Sweep, texts: list[Example], tmp_path: Path
) -> None:
    shutil.copytree(sweep.models[0].folder.parent, tmp_path / "copy")
    assert read_measures(file, read_sweep(tmp_path / "copy"), texts, **AMOUNTS) is not None


@pytest.mark.parametrize("name", ["model.safetensors", "result.json", "tokenizer.json"])
def test_a_changed_checkpoint_is_measured_afresh(
    file: Path,
    sweep: Sweep,
    texts: list[Example],
    tmp_path: Path,
    measured_afresh: list[str],
    name: str,
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(sweep.models[0].folder.parent, copy)
    changed = copy / "alpha-10" / name
    times = changed.stat()
    content = bytearray(changed.read_bytes())
    content[-2] ^= 1 if name.endswith("safetensors") else 0
    changed.write_bytes(content if name.endswith("safetensors") else content + b"\n")
    os.utime(changed, ns=(times.st_atime_ns, times.st_mtime_ns))
    measure(read_sweep(copy), texts, **AMOUNTS, known=file)
    assert measured_afresh == ["plain", "alpha 10"]


def test_a_file_more_or_less_beside_the_weights_is_another_model(
    file: Path, sweep: Sweep, texts: list[Example], tmp_path: Path
) -> None:
    for name in ("more", "less"):
        shutil.copytree(sweep.models[0].folder.parent, tmp_path / name)
    (tmp_path / "more" / "plain" / "adapter_config.json").write_text("{}", encoding="utf-8")
    (tmp_path / "less" / "plain" / "tokenizer_config.json").unlink()
    for name in ("more", "less"):
        assert read_measures(file, read_sweep(tmp_path / name), texts, **AMOUNTS) is None


def test_other_models_texts_roles_and_amounts_are_measured_afresh(
    file: Path, sweep: Sweep, texts: list[Example], measured_afresh: list[str]
) -> None:
    first, *others = texts
    role = replace(first.roles[0], role="causal")
    assert role != first.roles[0]
    other_roles = [replace(first, roles=(role, *first.roles[1:])), *others]
    asked = [
        (sweep, texts[:5], AMOUNTS),
        (sweep, [*others, first], AMOUNTS),
        (sweep, [replace(first, answer="Medium Risk"), *others], AMOUNTS),
        (sweep, other_roles, AMOUNTS),
        (sweep, texts, {**AMOUNTS, "shown": 3}),
        (sweep, texts, {**AMOUNTS, "effect_texts": 2}),
        (replace(sweep, models=sweep.models[1:]), texts, AMOUNTS),
        (replace(sweep, models=sweep.models[::-1]), texts, AMOUNTS),
    ]
    for which, some, amounts in asked:
        measured_afresh.clear()
        measure(which, some, **amounts, known=file)
        assert measured_afresh == [tuned.name for tuned in which.models]


def test_a_file_that_is_broken_or_of_another_version_is_ignored(
    file: Path,
    sweep: Sweep,
    texts: list[Example],
    tmp_path: Path,
    measured_afresh: list[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole = file.read_bytes()
    broken = {
        "missing": None,
        "empty": b"",
        "text": b"no zip at all",
        "half": whole[: len(whole) // 2],
        "changed": whole[:400] + bytes(200) + whole[600:],
    }
    for name, content in broken.items():
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert read_measures(tmp_path / name, sweep, texts, **AMOUNTS) is None, name
        measured_afresh.clear()
        measure(sweep, texts, **AMOUNTS, known=tmp_path / name)
        assert len(measured_afresh) == 2, name

    np.savez_compressed(tmp_path / "other.npz", numbers=np.arange(3))
    assert read_measures(tmp_path / "other.npz", sweep, texts, **AMOUNTS) is None
    monkeypatch.setattr("catviz.sweep.measures_file._FORMAT", "catviz sweep 0")
    assert read_measures(file, sweep, texts, **AMOUNTS) is None


def test_the_first_panel_of_a_workshop_loads_no_model() -> None:
    code = (
        "import sys\n"
        "from catviz.widgets import TrainedAlpha\n"
        "panel = TrainedAlpha()\n"
        "assert panel._repr_mimebundle_()\n"
        "panel.text.value = 3\n"
        "print(panel.slider.options[-1], not panel.message.value,"
        " [n for n in ('torch', 'transformers', 'peft', 'plotly') if n in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.stdout.strip(), done.stderr) == ("50 True []", "")
