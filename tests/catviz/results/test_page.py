"""The page and its files, from the command."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pytest

from catviz.cli import main
from catviz.results.page import write_results
from tests.catviz.results.stored import cat, line, store


def test_the_command_writes_a_page_and_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [line(ood=0.7), cat(ood=0.9), line("<b>x</b>", {"$a": "_b|c"}, ood=0.8)]
    store(tmp_path / "results", [*lines, {**line(seed=1), "version": 0}])
    out = tmp_path / "out"
    assert main(["figures", "--results", str(tmp_path / "results"), "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert "3 runs in" in said
    assert "Accuracy over alpha: No two alphas: cat-tune sweep alpha" in said
    page = (out / "index.html").read_text("utf-8")
    assert page.count("<figure>") == 2
    assert "1 result of version 0 of the code left aside" in page
    assert "&lt;b&gt;x&lt;/b&gt;" in page
    assert "<b>x" not in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert str(tmp_path) not in page
    assert sorted(path.name for path in (out / "figures").iterdir()) == [
        "methods_tiny-full_STG_S.csv", "methods_tiny-full_STG_S.svg",
        "table1_gains.csv", "table1_gains.svg",
    ]  # fmt: skip
    rows = list(csv.DictReader(io.StringIO((out / "tables/table1_STG_S.csv").read_text("utf-8"))))
    ours = [r for r in rows if r["source"] == "ours" and r["split"] == "ood"]
    assert [(r["method"], float(r["mean"])) for r in ours] == [
        ("plain", 0.7), ("CAT, alpha 10", 0.9), ("<b>x</b>, $a _b|c", 0.8),
    ]  # fmt: skip
    assert float(ours[1]["difference_mean"]) == pytest.approx(0.2)
    records = json.loads((out / "tables/table1_STG_S.json").read_text("utf-8"))
    assert len(records) == len(rows)
    assert "_b\\|c" in (out / "tables/table1_STG_S.md").read_text("utf-8")


def test_an_empty_store_gives_a_page_that_says_how_to_fill_it(tmp_path: Path) -> None:
    said: list[str] = []
    page = write_results(tmp_path / "none", tmp_path / "out", say=said.append).read_text("utf-8")
    for sweep in ("table1", "alpha", "gamma", "sizes", "strength"):
        assert f"cat-tune sweep {sweep} --model" in page
    assert "Made of no run." in page
    assert "Nothing: every line could be used." in page
    assert "<figure>" not in page


def test_an_unknown_format_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="expected formats of svg, pdf and png, got 'gif'"):
        write_results(tmp_path, tmp_path, formats=["gif"])
