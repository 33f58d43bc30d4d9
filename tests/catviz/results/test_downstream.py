"""Downstream tasks on the page: ours beside the paper's; their lines disturb nothing else."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from cat.experiments import RESULTS_VERSION, Run
from cat.experiments.store import ResultStore
from catviz.report import Cell
from catviz.results.downstream import downstream
from catviz.results.page import write_results
from catviz.results.part import Part
from catviz.results.reading import read_results
from tests.catviz.results.stored import line, store


def task_line(right: str, method: str = "plain", *, test: str = "MAWPS", **run: Any) -> dict:
    """A line as runs on tasks give it; ``right`` tells of each text whether it was."""
    options = {"alpha": 0.3} if method == "cat" else {}
    asked = Run(**{"model": "smollm2", "data": "MAWPS#01234567", "lora": True, **run},
                method=method, options=options)  # fmt: skip
    share = right.count("1") / len(right)
    scores = {"texts": len(right), "accuracy": share, "right": right, "interval": [0.1, 0.9]}
    rules = {"always 5": {"accuracy": 0.05}, "sum": {"accuracy": 0.225}}
    return {
        "key": asked.key,
        "version": RESULTS_VERSION,
        "run": asdict(asked),
        "scores": {test: scores, f"{test} val": scores},
        "references": {test: rules, f"{test} val": rules},
        "date": "2026-10-03T10:00:00+00:00",
    }


def part_of(folder: Path, *lines: dict[str, Any]) -> Part:
    return downstream(store(folder, lines))


def rows(part: Part) -> dict[str, list[list[Cell | str]]]:
    groups = part.tables["downstream"].table.groups
    return {heading: [list(row) for row in those] for heading, those in groups.items()}


def test_plain_and_cat_with_the_difference_of_paired_texts(tmp_path: Path) -> None:
    part = part_of(tmp_path, task_line("1100"), task_line("1011", "cat"))
    (row,) = rows(part)["Ours: smollm2, LoRA"]
    assert row[:3] == ["MAWPS: CAT, alpha 0.3", "4", "1"]
    assert row[3] == Cell("50.00", "10.0 to 90.0, over texts")
    assert row[4] == Cell("75.00", "10.0 to 90.0, over texts")
    # two gained, one lost of four: by hand 1/6 -+ 1.96 sqrt(5/6 - 1/36) / sqrt(6)
    assert row[5] == Cell("+25.00", "-55.1 to +88.5, over texts")
    assert row[6] == Cell("22.50", "sum")
    record = part.tables["downstream"].records[0]
    assert (record["plain"], record["cat"], record["difference"]) == (0.5, 0.75, 0.25)


def test_several_seeds_are_paired(tmp_path: Path) -> None:
    part = part_of(
        tmp_path,
        *(task_line("1100", seed=seed) for seed in (0, 1, 2)),
        *(task_line(right, "cat", seed=seed) for seed, right in enumerate(("1110", "1111"))),
    )
    (row,) = rows(part)["Ours: smollm2, LoRA"]
    assert row[2] == "3 and 2"
    assert isinstance(row[5], Cell)
    assert row[5].text == "+37.50"
    assert "over texts" not in row[5].note


def test_tasks_that_were_tuned_elsewhere_and_copies_are_told_apart(tmp_path: Path) -> None:
    there = {"data": "GSM8K:SVAMP#01234567", "test": "SVAMP"}
    other, glm = {"data": "MAWPS#aaaaaaaa"}, {"data": "MAWPS~glm#bbbbbbbb"}
    part = part_of(
        tmp_path,
        *(task_line("10", method, **kind) for kind in (there, other, glm, {})
          for method in ("plain", "cat")),
    )  # fmt: skip
    names = [str(row[0]) for row in rows(part)["Ours: smollm2, LoRA"]]
    assert names == [
        "SVAMP, tuned on GSM8K: CAT, alpha 0.3",
        "MAWPS (MAWPS#01234567): CAT, alpha 0.3",
        "MAWPS (MAWPS#aaaaaaaa): CAT, alpha 0.3",
        "MAWPS, signals of glm: CAT, alpha 0.3",
    ]


def test_the_paper_stands_beneath(tmp_path: Path) -> None:
    found = rows(part_of(tmp_path, task_line("10"), task_line("01", "cat")))
    assert found["Paper: Qwen2.5-1.5B, full"][1] == [
        "SVAMP", "", "1", "51.00", "56.00", "+5.00", "",
    ]  # fmt: skip
    assert found["Paper: TinyLlama-1.1B, LoRA"][5][0] == "MAWPS, tuned on GSM8K"


def test_without_a_pair_it_says_what_to_do(tmp_path: Path) -> None:
    part = part_of(tmp_path, task_line("10"))
    assert part.tables == {}
    assert "cat-tune sweep downstream --model MODEL --tasks FOLDER" in part.missing


@pytest.mark.parametrize(
    ("amiss", "told"),
    [
        ({"scores": {}}, "expected the scores of at least one test"),
        ({"scores": {"MAWPS": {"accuracy": 2}}}, "an accuracy from 0 to 1 on MAWPS, got 2"),
        (
            {"scores": {"MAWPS": {"accuracy": 1.0, "texts": 1}}},
            "for each text whether it was right",
        ),
        ({"references": {}}, "expected rules without a model on MAWPS"),
    ],
)
def test_lines_that_cannot_be_used_are_told(
    amiss: dict[str, Any], told: str, tmp_path: Path
) -> None:
    found = store(tmp_path, [{**task_line("10"), **amiss}])
    assert not found.on_tasks
    assert told in found.left_out[0]


def test_lines_of_tasks_leave_everything_else_as_it_is(tmp_path: Path) -> None:
    games = [line(ood=0.7), line(seed=1, ood=0.8)]
    before = store(tmp_path / "a", games)
    after = store(tmp_path / "b", [games[0], task_line("10"), task_line("01", "cat"), games[1]])
    assert [r.run.key for r in after] == [r.run.key for r in before]
    assert (after.left_out, after.settings) == (before.left_out, before.settings)
    assert len(after.on_tasks) == 2
    page = write_results(tmp_path / "b", tmp_path / "out", say=lambda said: None)
    assert "Downstream tasks: accuracy in percent" in page.read_text("utf-8")
    for suffix in ("csv", "json", "md", "tex"):
        assert (tmp_path / "out" / "tables" / f"downstream.{suffix}").is_file()
    alone = tmp_path / "c"
    ResultStore(alone).append(task_line("10"))
    assert len(read_results(alone)) == 0
    write_results(alone, tmp_path / "out2", say=lambda said: None)
