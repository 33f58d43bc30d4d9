"""``cat-tune data``, ``model list`` and ``eval`` as a user types them."""

import hashlib
import json

import pytest

from cat.cli import main


def test_stg_e_writes_the_published_files(tmp_path, capsys, golden):
    assert main(["data", "stg-e", "--seed", "42", "--out", str(tmp_path)]) == 0
    assert "train_L.jsonl: 1600 texts" in capsys.readouterr().out
    digests = json.loads((golden / "stg_e_digests.json").read_text(encoding="utf-8"))["42"]
    for ours, theirs in (("train_L", "train3"), ("test_iid", "test3"), ("test_ood", "ood3")):
        digest = hashlib.sha256((tmp_path / f"{ours}.jsonl").read_bytes()).hexdigest()
        assert digest == digests[f"spurious_token_game_{theirs}.jsonl"]


def test_stg_h_writes_its_splits(tmp_path):
    arguments = ["--out", str(tmp_path), "--n-train", "6", "--n-test", "3", "--ood", "marginals"]
    assert main(["data", "stg-h", *arguments]) == 0
    lines = {
        name: len((tmp_path / f"{name}.jsonl").read_text(encoding="utf-8").splitlines())
        for name in ("train", "test_iid", "test_ood")
    }
    assert lines == {"train": 6, "test_iid": 3, "test_ood": 3}


@pytest.fixture
def faulty(tmp_path):
    """One pair of each fate."""
    records = [
        {"input": "Smoking: 8, Weight: 4 Answer: ", "target": "High Risk"}
        | {"important": [{"High Risk": ["Smoking: 8", "Exercise: 1"]}, {"Smoking: 8": "Weight: 4"}]}
    ]
    path = tmp_path / "faulty.jsonl"
    path.write_text("\n".join(map(json.dumps, records)) + "\n", encoding="utf-8")
    return path


def test_check_reports_every_fate(faulty, capsys):
    assert main(["data", "check", str(faulty), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    counts = {name: report[name] for name in ("pairs", "alignable", "aligned", "rows")}
    assert counts == {"pairs": 3, "alignable": 1, "aligned": 1, "rows": 1}
    assert (report["phrase_absent"], report["order_broken"], report["cut_off"]) == (1, 1, 0)
    assert report["examples"]["phrase_absent"][0]["cause"] == "Exercise: 1"

    assert main(["data", "check", str(faulty), "--max-length", "2"]) == 0
    printed = capsys.readouterr().out
    assert "1 cut at the length limit" in printed
    assert "'Exercise: 1' -> 'High Risk'" in printed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"input": "a", "target": "b"}\n{"input": "a", "tar', "broken.jsonl:2"),
        ('{"target": "b"}\n', "'input'"),
        ("", "empty file"),
        ("[1]\n", "JSON object"),
    ],
    ids=["cut in the middle", "no input", "empty", "not an object"],
)
def test_a_broken_file_is_told_in_a_line(content, message, tmp_path, capsys):
    path = tmp_path / "broken.jsonl"
    path.write_text(content, encoding="utf-8")
    assert main(["data", "check", str(path)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert message in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["data", "check", "nowhere.jsonl"], "no such file"),
        (["data", "stg-e", "--out", "x", "--spurious-strength", "2"], "between 0 and 1"),
        (["eval", "--model", "tiny/alpha-0"], "no shipped checkpoint"),
        (["eval", "--model", "tiny/plain", "--data", "nowhere"], "stg-e or stg-h"),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, list) else "",
)
def test_what_cannot_be_done_is_told_in_a_line(arguments, message, capsys):
    assert main(arguments) == 2
    assert message in capsys.readouterr().err


def test_eval_prints_the_model_beside_the_references(capsys):
    assert main(["eval", "--model", "tiny/alpha-10", "--json", "--device", "cpu"]) == 0
    scores = json.loads(capsys.readouterr().out)
    ood = {who: score["accuracy"] for who, score in scores["test_ood"].items()}
    assert ood["tiny/alpha-10"] > 0.95
    assert ood["always Low Risk"] == 0.665


def test_model_list_names_what_needs_no_hub(capsys):
    assert main(["model", "list"]) == 0
    names = capsys.readouterr().out.split()
    assert {"tiny", "tiny-word", "tiny/plain", "tiny/alpha-10", "smollm2"} <= set(names)
