"""A sweep: read from folders of any state, measured as its parts are, and only once."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cat.data import load_data
from cat.models import CHECKPOINTS, load_model
from cat.signals import Example
from catviz.density import role_scores
from catviz.effects.interventions import average_effects
from catviz.effects.plain import PlainModel
from catviz.reading import mean_map
from catviz.roles import mark_roles
from catviz.sweep import measure, read_sweep, sweep_texts
from tests.catviz.sweeps import copied_run, small_sweep


@pytest.fixture(scope="module")
def texts() -> list[Example]:
    return load_data("stg-e")["test_ood"][:10]


def test_the_shipped_sweep_is_in_order_and_says_what_its_files_say() -> None:
    sweep = read_sweep()
    assert [t.alpha for t in sweep.models] == [None, 0.3, 1, 2, 3, 5, 10, 20, 50]
    assert [t.place for t in sweep.models][:2] == ["plain", "0.3"]
    assert sweep.tests == ("test_iid", "test_ood")
    assert (sweep.ood, sweep.notes) == ("test_ood", ())
    for tuned in sweep.models:
        found = json.loads((tuned.folder / "result.json").read_text("utf-8"))["scores"]
        for test, accuracy in tuned.accuracy.items():
            assert accuracy.share == found[test]["accuracy"]
            assert [accuracy.low, accuracy.high] == found[test]["interval"]
            assert accuracy.low <= accuracy.share <= accuracy.high
        assert tuned.reference["test_ood"] == ("always Low Risk", 0.665)
    assert len(sweep_texts(sweep)) == 400


def test_of_several_seeds_the_lowest_is_taken_and_said(tmp_path: Path) -> None:
    for seed in (44, 43):
        copied_run(tmp_path, f"a-{seed}", settings__seed=seed)
    copied_run(tmp_path, "plain", of="plain", settings__seed=43)
    sweep = read_sweep(tmp_path)
    assert [(t.alpha, t.seed) for t in sweep.models] == [(None, 43), (3.0, 43)]
    assert sweep.notes == (
        "Several runs have the same alpha: of each alpha the one with the lowest seed is shown "
        "(43).",
    )


def test_runs_on_other_texts_are_left_out_and_said(tmp_path: Path) -> None:
    small_sweep(tmp_path)
    copied_run(tmp_path, "other", data__train="0" * 64)
    (tmp_path / "stopped").mkdir()
    sweep = read_sweep(tmp_path)
    assert [t.name for t in sweep.models] == ["plain", "alpha 10"]
    assert any(note.endswith("(was the run stopped?): stopped.") for note in sweep.notes)
    assert any(note.endswith("trained on other texts: other.") for note in sweep.notes)


def test_without_plain_training_the_left_end_is_the_smallest_alpha(tmp_path: Path) -> None:
    for name in ("alpha-10", "alpha-2"):
        copied_run(tmp_path, name, of=name)
    sweep = read_sweep(tmp_path)
    assert [t.alpha for t in sweep.models] == [2, 10]
    assert sweep.notes == ("None of the runs is plain training: the left end is alpha 2.",)


def test_folders_that_hold_no_sweep_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="there is no folder"):
        read_sweep(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="has no finished run, it holds nothing"):
        read_sweep(tmp_path)
    (tmp_path / "notes").mkdir()
    with pytest.raises(ValueError, match="has no finished run, it holds notes"):
        read_sweep(tmp_path)
    with pytest.raises(ValueError, match="is itself one run"):
        read_sweep(CHECKPOINTS / "plain")


def test_a_result_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    result = copied_run(tmp_path, "half") / "result.json"
    result.write_text(result.read_text("utf-8")[:300], encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"half.result\.json: expected JSON, got a file that is cut"
    ):
        read_sweep(tmp_path)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"settings": {}}, "it has no 'alpha'"),
        ({"scores": {"test_iid": {"accuracy": 0.5}}}, "it has no 'interval'"),
        ({"scores": []}, "another version"),
        ({"settings__alpha": "high"}, "could not convert"),
        ({"run": None}, "another version"),
    ],
)
def test_a_result_of_another_version_is_refused(
    tmp_path: Path, change: dict[str, Any], told: str
) -> None:
    copied_run(tmp_path, "old", **change)
    with pytest.raises(ValueError, match=told) as caught:
        read_sweep(tmp_path)
    assert "Train this run again, or take its folder away" in str(caught.value)


def test_texts_that_changed_or_went_are_not_taken_for_those_that_were_scored(
    tmp_path: Path,
) -> None:
    copied_run(tmp_path, "a", data__test_ood="0" * 64)
    with pytest.raises(ValueError, match="holds other texts than those that the models were"):
        sweep_texts(read_sweep(tmp_path))
    copied_run(tmp_path / "gone", "a", run__data=str(tmp_path / "no-data"))
    with pytest.raises(ValueError, match=r"no-data.*Give texts to look at: texts="):
        sweep_texts(read_sweep(tmp_path / "gone"))


def test_measures_are_those_of_the_parts(tmp_path: Path, texts: list[Example]) -> None:
    sweep = read_sweep(small_sweep(tmp_path))
    found = measure(sweep, texts, shown=3, effect_texts=5)
    assert [one.tuned.name for one in found] == ["plain", "alpha 10"]
    for one, shipped in zip(found, ("tiny/plain", "tiny/alpha-10"), strict=True):
        model, tokenizer = load_model(shipped)
        scores = role_scores(model, tokenizer, texts)
        for role, values in scores.items():
            np.testing.assert_allclose(one.scores[role], values, atol=1e-6)
        assert len(one.maps) == len(one.says) == 3
        wanted = mean_map(model, tokenizer, texts[2], name="x").values
        np.testing.assert_allclose(one.maps[2].values, wanted, atol=1e-6)
        effects = average_effects(PlainModel(model, tokenizer, "x"), texts[:5])
        assert [e.factor for e in one.effects] == [e.factor for e in effects]
        np.testing.assert_allclose(
            [e.effect for e in one.effects], [e.effect for e in effects], atol=1e-5
        )


def test_the_same_is_measured_once(
    tmp_path: Path, texts: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    sweep = read_sweep(small_sweep(tmp_path))
    first = measure(sweep, texts, shown=1, effect_texts=1)
    measured: list[str] = []
    monkeypatch.setattr(
        "catviz.sweep.measured._measure", lambda tuned, *_: measured.append(tuned.name)
    )
    assert measure(read_sweep(tmp_path), list(texts), shown=1, effect_texts=1) is first
    assert measured == []
    with pytest.raises(AttributeError):  # other texts are another question
        measure(sweep, texts[:9], shown=1, effect_texts=1)
    assert measured == ["plain", "alpha 10"]


def test_texts_of_no_known_game_have_no_effects(tmp_path: Path) -> None:
    own = mark_roles(Example("Smoking: 8, Weight: 3 Answer:", "Low Risk"), {"causal": "Smoking: 8"})
    (first, _) = measure(read_sweep(small_sweep(tmp_path)), [own])
    assert first.effects == ()
    assert [*first.scores] == ["causal"]


def test_models_that_read_different_tokens_are_not_compared(
    tmp_path: Path, texts: list[Example]
) -> None:
    small_sweep(tmp_path)
    model, tokenizer = load_model("tiny-word")
    model.save_pretrained(tmp_path / "plain")
    tokenizer.save_pretrained(tmp_path / "plain")
    with pytest.raises(ValueError, match=r"text 1 is \d+ tokens to plain and 11 to alpha 10"):
        measure(read_sweep(tmp_path), texts[:2])


def test_texts_without_roles_are_refused(tmp_path: Path, texts: list[Example]) -> None:
    bare = [replace(text, text="Nothing of the game:", roles=(), signals=()) for text in texts]
    with pytest.raises(ValueError, match="expected texts with roles and an answer"):
        measure(read_sweep(small_sweep(tmp_path)), bare)
