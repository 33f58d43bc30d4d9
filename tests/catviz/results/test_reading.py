"""What a store holds is used or told, never both, never neither."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cat.experiments import RESULTS_VERSION
from catviz.results.reading import read_results
from tests.catviz.results.stored import cat, line, results, store


def test_an_empty_store_is_no_error(tmp_path: Path) -> None:
    assert len(read_results(tmp_path / "not there")) == 0
    assert read_results(tmp_path).left_out == []


def test_a_file_is_not_a_folder(tmp_path: Path) -> None:
    (tmp_path / "results").write_text("", "utf-8")
    with pytest.raises(ValueError, match="expected a folder of result lines, got the file results"):
        read_results(tmp_path / "results")


def test_what_cannot_be_used_is_told(tmp_path: Path) -> None:
    good = [line(seed=0), line(seed=1), cat(seed=0)]
    other_version = {**line(seed=2), "version": RESULTS_VERSION + 1}
    no_scores = line(seed=3)
    no_scores["scores"]["test_ood"]["accuracy"] = None
    found = store(
        tmp_path,
        [*good, line(seed=0, ood=0.8), other_version, no_scores, line(seed=4, texts="others")],
    )
    with (tmp_path / "tiny.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line(seed=5))[:200])
    found = read_results(tmp_path)
    assert [r.run.key for r in found] == [one["key"] for one in good]
    assert found.results[0].score("accuracy", "ood") == 0.75  # the first of two is kept
    told = "\n".join(found.left_out)
    assert len(found.left_out) == 5
    for said in (
        "tiny.jsonl:8",
        "the scores DIFFER",
        f"1 result of version {RESULTS_VERSION + 1}",
        "'tiny STG_S plain seed=3': expected an accuracy from 0 to 1 on test_ood, got None",
        "'tiny STG_S plain seed=4': made on other texts",
    ):
        assert said in told


def test_settings_keep_apart_what_differs() -> None:
    found = results(line(), line(lora=True), line(settings={"num_train_epochs": 1.0}))
    assert found.settings == ["tiny, LoRA", "tiny, full", "tiny, full, num train epochs 1"]
