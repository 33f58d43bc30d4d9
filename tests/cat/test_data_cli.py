"""`cat-tune data` and `eval`: what they write and print, and one line for every error."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cat.cli import main
from cat.data import load_data
from cat.signals import read_records, write_records
from cat.stg import stg_e, stg_h
from cat.tiny import one_thread

STG_E_SPLITS = ["test_iid", "test_ood", "train_L", "train_M", "train_S"]
STG_H_SPLITS = ["test_iid", "test_ood", "train"]
SMALL = ["--n-train", "8", "--n-test", "3"]


def records_in(folder: Path) -> dict[str, list[dict[str, Any]]]:
    return {
        file.stem: [record for _, record in read_records(file)] for file in sorted(folder.iterdir())
    }


def error_of(argv: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line that a command which fails prints."""
    assert main(argv) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("error: ")
    assert printed.err.count("\n") == 1
    return printed.err.removeprefix("error: ").rstrip("\n")


# --- making the games -----------------------------------------------------------------------------


def test_stg_e_writes_the_published_files(
    tmp_path: Path, authors_data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "stg-e"
    assert main(["data", "stg-e", "--out", str(out)]) == 0
    printed = capsys.readouterr()
    assert sorted(printed.out.splitlines()) == sorted(
        f"{out / name}.jsonl: {n} texts"
        for name, n in zip(STG_E_SPLITS, (400, 400, 1600, 800, 400), strict=True)
    )
    assert printed.err == ""
    published = {"train_L": "train3", "test_iid": "test3", "test_ood": "ood3_2"}
    for name, file in published.items():
        theirs = authors_data / "STG" / f"spurious_token_game_{file}.jsonl"
        assert (out / f"{name}.jsonl").read_bytes() == theirs.read_bytes()


@pytest.mark.parametrize(
    ("flags", "settings"),
    [
        ([], {}),
        (["--seed", "7"], {"seed": 7}),
        (["--spurious-strength", "0.5"], {"spurious_strength": 0.5}),
        (["--ood", "marginals"], {"ood": "marginals"}),
    ],
)
def test_flags_are_the_functions_arguments(
    flags: list[str], settings: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for game, make in (("stg-e", stg_e), ("stg-h", stg_h)):
        out = tmp_path / "deep" / game
        assert main(["data", game, "--out", str(out), *SMALL, *flags]) == 0
        assert records_in(out) == make(n_train=8, n_test=3, **settings)
    assert len(capsys.readouterr().out.splitlines()) == len(STG_E_SPLITS) + len(STG_H_SPLITS)


def test_no_middle_risk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "stg-e", "--out", str(tmp_path), "--no-middle-risk"]) == 0
    labels = Counter(r["target"] for records in records_in(tmp_path).values() for r in records)
    assert set(labels) == {"Low Risk", "High Risk"}
    with pytest.raises(SystemExit) as stopped:  # a flag of stg-e only
        main(["data", "stg-h", "--out", str(tmp_path), "--no-middle-risk"])
    assert stopped.value.code == 2
    assert "unrecognized arguments: --no-middle-risk" in capsys.readouterr().err


def test_what_is_written_is_what_load_data_reads(tmp_path: Path) -> None:
    main(["data", "stg-e", "--out", str(tmp_path), *SMALL])
    data = load_data(str(tmp_path), "M")
    assert {name: len(examples) for name, examples in data.items()} == {
        "train": 4,
        "test_iid": 3,
        "test_ood": 3,
    }
    assert len(load_data(str(tmp_path))["train"]) == 8  # the largest, unless one is named
    wanted = stg_e(n_train=8, n_test=3)["test_ood"]
    assert [e.answer for e in data["test_ood"]] == [record["target"] for record in wanted]


@pytest.mark.parametrize("game", ["stg-e", "stg-h"])
@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--n-train", "0"], "expected n_train of at least"),
        (["--n-test", "-5"], "expected n_test of at least 1, got -5"),
        (["--spurious-strength", "2"], "expected a strength between 0 and 1, got 2.0"),
        (["--spurious-strength", "nan"], "expected a strength between 0 and 1, got nan"),
    ],
)
def test_bad_settings_end_in_one_line_and_no_files(
    game: str,
    flags: list[str],
    message: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    assert message in error_of(["data", game, "--out", str(out), *flags], capsys)
    assert not out.exists()


def test_an_out_that_is_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "out"
    out.write_text("keep me")
    assert str(out) in error_of(["data", "stg-e", "--out", str(out), *SMALL], capsys)
    assert out.read_text() == "keep me"


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["data"], "required: stg-e | stg-h | task | check"),
        (["data", "stg-x"], "invalid choice: 'stg-x'"),
        (["data", "stg-e"], "required: --out"),
        (["data", "stg-e", "--out", "x", "--ood", "normal"], "invalid choice: 'normal'"),
        (["data", "stg-e", "--out", "x", "--seed", "one"], "invalid int value: 'one'"),
        (["data", "check"], "required: file"),
    ],
)
def test_misspelt_commands(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


# --- checking signals -----------------------------------------------------------------------------


@pytest.fixture
def annotated(tmp_path: Path) -> Path:
    """Two causes found, one that is not there, one behind its effect."""
    text = "Smoking: 8, Weight: 4, Exercise: 2 Answer: "
    causes = ["Smoking: 8", "Weight: 4", "Room size: 1"]
    signals = [{"High Risk": causes}, {"Smoking: 8": ["Weight: 4"]}]
    record = {"input": text, "target": "High Risk", "important": signals}
    return write_records(tmp_path / "signals.jsonl", [record, {"input": "No.", "target": "0"}])


def test_check_prints_the_report(annotated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(annotated)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "2 texts (1 without signals, 0 cut at the length limit), 1 supervised rows"
    assert lines[1] == "4 pairs of a cause and an effect:"
    counted = {line.split("%  ")[1].split(":")[0]: int(line.split()[0]) for line in lines[2:8]}
    assert counted == {
        "aligned": 2,
        "phrase absent": 1,
        "order broken": 1,
        "cut off": 0,
        "one token": 0,
        "no token": 0,
    }
    assert any(line.startswith("  'Room size: 1' -> 'High Risk' in ") for line in lines)


def test_check_as_json(annotated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(annotated), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["pairs"] == 4
    assert found["aligned"] == found["alignable"] == 2
    assert found["phrase_absent"] == found["order_broken"] == 1
    assert found["texts"] == 2


def test_check_with_a_length_limit(annotated: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "check", str(annotated), "--json", "--max-length", "4"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["cut_off"] == found["texts_cut"] + 1 == 2
    assert found["rows"] == 0


def test_check_with_the_harder_tokenizer(
    annotated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "check", str(annotated), "--json", "--tokenizer", "tiny-word"]) == 0
    assert json.loads(capsys.readouterr().out)["aligned"] == 2


def test_check_on_the_authors_files(authors_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for file in ("STG_H/STG_H_iid_test", "SVAMP/svamp_val"):
        path = authors_data / f"{file}.jsonl"
        assert main(["data", "check", str(path), "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["aligned"] == found["alignable"] > 2000


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"input": "a", "targ', ":1: expected one JSON record a line, got a broken one"),
        ('{"input": "a"}', ":1: expected a field 'target'"),
        ('{"input": "a", "target": "b", "important": "c"}', ":1: expected 'important' as a list"),
        ("[]", ":1: expected a JSON object, got list"),
        ("", "expected at least one record, got an empty file"),
    ],
)
def test_check_refuses_broken_files(
    content: str, message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(content, encoding="utf-8")
    assert f"{path}" in (found := error_of(["data", "check", str(path)], capsys))
    assert message in found


def test_check_refuses_what_is_not_there(
    annotated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    none = tmp_path / "none"
    assert "no such file" in error_of(["data", "check", str(none)], capsys)
    no_tokenizer = ["data", "check", str(annotated), "--tokenizer", str(none)]
    assert "expected a folder with a saved model" in error_of(no_tokenizer, capsys)
    no_checkpoint = ["data", "check", str(annotated), "--tokenizer", "tiny/none"]
    assert "no shipped checkpoint 'tiny/none'" in error_of(no_checkpoint, capsys)
    no_room = ["data", "check", str(annotated), "--max-length", "0"]
    assert "at least 1, got 0" in error_of(no_room, capsys)


# --- scoring a shipped model on the game ----------------------------------------------------------


def test_eval_prints_the_model_beside_the_references(capsys: pytest.CaptureFixture[str]) -> None:
    with one_thread():
        assert main(["eval", "--model", "tiny/alpha-10", "--json", "--device", "cpu"]) == 0
    scores = json.loads(capsys.readouterr().out)
    ood = {who: score["accuracy"] for who, score in scores["test_ood"].items()}
    assert ood["tiny/alpha-10"] > 0.95
    assert ood["always Low Risk"] == 0.665


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--model", "tiny/alpha-0"], "no shipped checkpoint"),
        (["--model", "tiny/plain", "--data", "nowhere"], "stg-e or stg-h"),
    ],
)
def test_eval_refuses_what_is_not_there(
    argv: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", *argv, "--device", "cpu"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert message in printed.err
    assert "Traceback" not in printed.err


# --- comparing annotations ------------------------------------------------------------------------


@pytest.fixture
def other_annotated(tmp_path: Path) -> Path:
    """The same text as ``annotated``, by someone who names one of the two causes."""
    text = "Smoking: 8, Weight: 4, Exercise: 2 Answer: "
    record = {"input": text, "target": "High Risk", "important": [{"High Risk": ["Smoking: 8"]}]}
    return write_records(tmp_path / "other.jsonl", [record])


def test_agree_prints_the_figures(
    annotated: Path, other_annotated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["data", "agree", str(annotated), str(other_annotated)]) == 0
    said = capsys.readouterr().out
    assert said.startswith("1 text annotated by both, compared over characters")
    assert "left out: 1 that only the first has" in said


def test_agree_over_tokens_as_json(
    annotated: Path, other_annotated: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    files = [str(annotated), str(other_annotated)]
    assert main(["data", "agree", *files, "--tokenizer", "tiny", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # Of the two tokens that the first supervises for the answer, the other has one.
    assert (found["unit"], found["pooled"]["recall"][0]) == ("tokens", 0.5)
    assert found["pooled"]["precision"][0] == 1


def test_agree_refuses_other_texts(
    annotated: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    record = {"input": "Another.", "target": "0", "important": [{"0": ["Another"]}]}
    other = write_records(tmp_path / "another.jsonl", [record])
    said = error_of(["data", "agree", str(annotated), str(other)], capsys)
    assert "2 texts in the first, 1 in the other, 0 in both" in said
    none = error_of(["data", "agree", str(annotated), str(tmp_path / "none")], capsys)
    assert "no such file" in none
