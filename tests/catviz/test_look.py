"""One page about a model and a text, from Python and from the command line."""

from __future__ import annotations

import json

import pytest

from cat.stg import stg_e
from catviz.cli import main
from catviz.look import look, read_texts

TEXT = "Smoking: 8, Yellow fingers: 12, Room size: 3, Weight: 4 Answer:"


def headings(page: str) -> list[str]:
    return [part.split("</h2>")[0] for part in page.split("<h2>")[1:]]


def test_a_page_before_and_after_over_many_texts(tmp_path):
    file = tmp_path / "texts.jsonl"
    records = stg_e()["test_ood"][:20]
    file.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    said: list[str] = []
    out = tmp_path / "page.html"
    path = look("tiny/alpha-10", str(file), before="tiny/plain", out=out, say=said.append)
    page = path.read_text(encoding="utf-8")
    assert headings(page) == [
        "Every head",
        "What the next word is read from",
        "Which heads read what",
        "The mean map",
        "The same in 20 texts",
        "What the answer depends on",
        "Settings",
    ]
    assert page.count("data-catviz-viewer") >= 1
    assert "Most moved since tiny/plain" in page
    assert said[-1] == f"page: {path}"


def test_texts_of_another_task_have_no_effects_and_no_density_without_roles(tmp_path):
    file = tmp_path / "texts.jsonl"
    record = {"input": "Tom has 3 apples. Answer:", "target": "3"}
    file.write_text((json.dumps(record) + "\n") * 30, encoding="utf-8")
    look("tiny", str(file), out=tmp_path / "page.html", say=lambda line: None)
    assert headings((tmp_path / "page.html").read_text(encoding="utf-8")) == [
        "Every head",
        "What the next word is read from",
        "The mean map",
        "Settings",
    ]


def test_a_text_without_roles_has_no_section_by_role(tmp_path):
    out = tmp_path / "page.html"
    evil = "</script><script>window.ran = 1</script> Smoking: 8"
    page = look("tiny", evil, out=out, say=lambda line: None).read_text(encoding="utf-8")
    assert "Which heads read what" not in headings(page)
    assert "<script>window.ran" not in page


def test_the_command_takes_phrases_by_role(tmp_path, capsys):
    out = tmp_path / "page.html"
    status = main(["report", "tiny", TEXT, "--causal", "Smoking: 8", "--out", str(out)])
    assert status == 0
    assert f"page: {out}" in capsys.readouterr().out
    page = out.read_text(encoding="utf-8")
    assert "Most attention on causal words" in page
    assert "spurious words" not in page


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["tiny", TEXT, "--causal", "Hormones"], "the phrase 'Hormones' is not in the text"),
        (["tiny", "nowhere.txt"], "no such file"),
        (["tiny", ""], "empty text"),
        (["tiny", TEXT, "--before", "tiny-word"], "expected the same tokens on both sides"),
    ],
)
def test_bad_requests_are_told_and_write_nothing(tmp_path, capsys, arguments, message):
    out = tmp_path / "page.html"
    assert main(["report", *arguments, "--out", str(out)]) == 2
    assert message in capsys.readouterr().err
    assert not out.exists()


def test_texts_come_from_a_string_a_file_or_the_game(tmp_path):
    file = tmp_path / "one.txt"
    file.write_text(TEXT, encoding="utf-8")
    assert read_texts(str(file))[0].text == read_texts(TEXT)[0].text == TEXT
    assert len(read_texts(None)) == 400
