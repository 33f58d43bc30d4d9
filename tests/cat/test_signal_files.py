"""`cat.signal_files`: one line a file, and the authors' files as the method's notes have them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cat.alignment import align_all
from cat.cli import main
from cat.signal_files import files_in, legend, read_row, table
from cat.signals import read_examples, write_records
from cat.tiny import tiny_tokenizer

TEXT = "Smoking: 8, Weight: 4, Exercise: 2 Answer: "
ANNOTATED = {
    "input": TEXT,
    "target": "High Risk",
    "important": [
        {"High Risk": ["Smoking: 8", "Weight: 4", "Room size: 1"]},
        {"Smoking: 8": ["2"]},
    ],
}
BARE = {"input": TEXT, "target": "Low Risk"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_records(tmp_path / "b" / "train.jsonl", [ANNOTATED, BARE])
    write_records(tmp_path / "a" / "test.jsonl", [BARE])
    (tmp_path / "a" / "notes.txt").write_text("no data")
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *argv: object, status: int = 0) -> tuple[str, str]:
    assert main(["data", "check", *map(str, argv)]) == status
    printed = capsys.readouterr()
    return printed.out, printed.err


def test_files_and_folders(folder: Path) -> None:
    test, train = folder / "a" / "test.jsonl", folder / "b" / "train.jsonl"
    assert files_in([folder]) == [test, train]
    assert files_in([train, folder, str(test)]) == [train, test]
    assert files_in([folder / "a" / "notes.txt"]) == [folder / "a" / "notes.txt"]
    (folder / "c").mkdir()
    with pytest.raises(ValueError, match=r"expected \.jsonl files in this folder, got none"):
        files_in([folder, folder / "c"])


def test_a_row_is_the_alignments_report(folder: Path) -> None:
    file = folder / "b" / "train.jsonl"
    row = read_row(file, tiny_tokenizer())
    assert row.report == align_all(read_examples(file), tiny_tokenizer())[1]
    assert (row.lost, row.searched) == (0, None)
    cut = read_row(file, tiny_tokenizer(), max_length=4)
    assert cut.lost == cut.report.outcomes["cut off"] == 2


def test_the_table_of_a_folder(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, err = run(capsys, folder)
    lines = [line.split() for line in out.splitlines()]
    assert out.splitlines()[0].split(maxsplit=1)[0] == "file"
    assert lines[1] == ["a/test.jsonl", "1", "1", "0", "-", "-", "0", "0"]
    assert lines[2] == ["b/train.jsonl", "2", "1", "4", "25.0%", "25.0%", "2", "0"]
    assert len({len(line) for line in out.splitlines()[:3]}) == 1
    assert "empty: those without a pair" in out
    assert "by ids" not in out
    assert err == ""


def test_what_a_search_for_ids_would_lose(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = folder / "b" / "train.jsonl"
    out, _ = run(capsys, file, "--compare", "--tokenizer", "tiny-word")
    rows = [read_row(file, tiny_tokenizer("tiny-word"), compare=True)]
    assert out == f"{table(rows)}\n\n{legend(rows)}\n"
    assert out.splitlines()[0].endswith("lost  by ids  either way")
    assert rows[0].searched == {"spaced": 0, "either": 0}  # this tokenizer has no spaces
    assert out.splitlines()[1].endswith("0    0.0%        0.0%")


def test_json_of_several_files(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = json.loads(run(capsys, folder, "--json", "--compare")[0])
    assert [row["file"] for row in found] == [str(file) for file in files_in([folder])]
    assert [row["pairs"] for row in found] == [0, 4]
    assert [row["lost"] for row in found] == [0, 0]
    assert found[1]["lost_by_id_search"] == {"spaced": 0, "either": 0}


def test_a_broken_file_does_not_hide_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "a" / "cut.jsonl").write_text('{"input": "a"', encoding="utf-8")
    (folder / "a" / "other.jsonl").write_text('{"question": "a"}', encoding="utf-8")
    out, err = run(capsys, folder, status=2)
    assert [line.split()[0] for line in out.splitlines()[:3]] == [
        "file",
        "a/test.jsonl",
        "b/train.jsonl",
    ]
    first, second = err.splitlines()
    assert first.startswith(f"error: {folder / 'a' / 'cut.jsonl'}:1: expected one JSON record")
    assert second.startswith(f"error: {folder / 'a' / 'other.jsonl'}:1: expected a field 'input'")


# --- the authors' files ---------------------------------------------------------------------------


def test_no_pair_of_the_authors_is_lost(
    authors_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder of each kind; all of them in the slow test below."""
    found = json.loads(run(capsys, authors_data / "SVAMP", authors_data / "STG", "--json")[0])
    assert len(found) == 9
    assert all(row["lost"] == 0 for row in found)
    assert sum(row["pairs"] for row in found) > 30_000


MEASURED: dict[str, tuple[int, float, float, float, float]] = {
    # texts without a pair; percent absent, out of order, lost by ids with a space, either way
    "ARC_E/ARC_E_train": (6, 2.9, 10.7, 87.5, 0.0),
    "ASDiv/merged_asdiv": (455, 2.7, 4.6, 13.7, 0.1),
    "GSM8k/gsm8k_val": (7, 9.4, 11.5, 58.5, 0.2),
    "MAWPS/mawps_train": (55, 6.9, 9.3, 15.3, 0.1),
    "MAWPS/mawps_train_gpt4o": (0, 1.9, 4.9, 8.8, 0.0),
    "STG/spurious_token_game_train3": (0, 0.0, 0.0, 0.0, 0.0),
    "STG_H/STG_H_train": (0, 0.0, 0.0, 33.3, 33.3),
    "SVAMP/svamp_train": (3, 2.5, 7.1, 17.7, 9.0),
}


@pytest.mark.slow
@pytest.mark.parametrize("file", MEASURED)
def test_the_report_of_the_authors_files(
    file: str, authors_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from cat.smollm2 import fetch_smollm2

    fetch_smollm2()
    path = authors_data / f"{file}.jsonl"
    capsys.readouterr()
    out, _ = run(capsys, path, "--json", "--compare", "--tokenizer", "smollm2")
    row: dict[str, Any] = json.loads(out)[0]
    empty, *shares = MEASURED[file]
    assert row["texts_without_signals"] == empty
    assert row["lost"] == 0
    of = [row["pairs"]] * 2 + [row["alignable"]] * 2
    counts = [row["phrase_absent"], row["order_broken"], *row["lost_by_id_search"].values()]
    found = [100 * count / total for count, total in zip(counts, of, strict=True)]
    assert found == pytest.approx(shares, abs=0.06)
