"""A task's texts from folders, files and the hub; their splits."""

from __future__ import annotations

import hashlib
import json
import random
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from cat.tasks import (
    TASKS,
    TaskSplits,
    TaskText,
    load_task,
    read_record,
    split_texts,
    task_named,
    write_task,
)
from cat.tasks.files import TASKS_VARIABLE
from tests.cat.tasks.kit import annotated, arc, gsm, problems, write_lines, write_tasks


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tasks(tmp_path_factory.mktemp("tasks"))


def sizes(splits: Any) -> tuple[int, ...]:
    return tuple(len(texts) for texts in splits.by_name.values())


# --- folders --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "expected"),
    [("MAWPS", (20, 4, 6)), ("svamp", (6, 2, 2)), ("ASDiv", (6, 2, 2)), ("gsm8k", (12, 0, 5)),
     ("arc-e", (9, 3, 5))],
)  # fmt: skip
def test_every_task_of_a_folder(tasks: Path, task: str, expected: tuple[int, ...]) -> None:
    splits = load_task(task, tasks)
    assert sizes(splits) == expected
    assert all(text.example.text.endswith("Answer:") for text in splits.whole)
    assert all(splits.task.scoring.read(text.example.answer) for text in splits.whole)


def test_a_folder_of_its_own_a_file_and_the_variable(
    tasks: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    splits = load_task("ASDiv", tasks)
    assert load_task("ASDiv", tasks / "ASDiv") == splits
    assert load_task("ASDiv", tasks / "ASDiv" / "ASDiv.xml") == splits
    monkeypatch.setenv(TASKS_VARIABLE, str(tasks))
    assert load_task("ASDiv") == splits
    assert splits.train[0].where.startswith("ASDiv.xml:")


def test_choices_get_letters(tasks: Path) -> None:
    example = load_task("ARC-E", tasks).train[0].example
    assert example.text == "What is 0?\nA. thing 0\nB. air\nC. a very long thing\nD. iron\nAnswer:"
    assert {text.example.answer for text in load_task("ARC-E", tasks).whole} == set("ABCD")


def test_a_folder_that_holds_the_files_of_two_tasks(tmp_path: Path) -> None:
    write_lines(tmp_path / "mawps_train.jsonl", annotated(3))
    write_lines(tmp_path / "mawps_test.jsonl", annotated(2, 3))
    write_lines(tmp_path / "arc_e_train.jsonl", arc(4))
    write_lines(tmp_path / "arc_e_test.jsonl", arc(2, 4))
    assert sizes(load_task("MAWPS", tmp_path)) == (3, 0, 2)
    assert sizes(load_task("ARC-E", tmp_path)) == (4, 0, 2)
    with pytest.raises(FileNotFoundError, match="expected files of GSM8K"):
        load_task("GSM8K", tmp_path)


def test_signals_of_an_annotator(tasks: Path) -> None:
    """Its lines are in another order, and the last two texts are missing."""
    usual, other = (load_task("MAWPS", tasks, annotator=name) for name in ("", "other"))
    assert [text.id for text in other.train] == [text.id for text in usual.train]
    assert [t.example.signals for t in other.train[:18]] == [
        t.example.signals for t in usual.train[:18]
    ]
    assert [text.example.signals for text in other.train[18:]] == [(), ()]
    assert "2 of 20 training texts are not in the annotated file" in str(other)
    with pytest.raises(ValueError, match="expected an annotator of other, got 'glm'"):
        load_task("MAWPS", tasks, annotator="glm")


def test_what_annotation_left_as_failed_is_no_text(tmp_path: Path) -> None:
    """And of a text that was asked twice, the last line counts."""
    failed = {"key": "k", "status": "failed", "line": 9, "reason": "timeout"}
    kept = [
        {**record, "key": f"k{n}", "status": "annotated", "line": n}
        for n, record in enumerate(annotated(4))
    ]
    again = {**kept[2], "important": [{"finds": ["has"]}]}
    write_lines(tmp_path / "train.jsonl", [*reversed(kept), failed, again])
    write_lines(tmp_path / "test.jsonl", annotated(2, 4))
    splits = load_task("MAWPS", tmp_path)
    assert sizes(splits) == (4, 0, 2)
    assert [text.id for text in splits.train] == ["0", "1", "2", "3"]
    assert splits.train[2].example.signals[0].effect == "finds"


def test_without_a_training_file_the_validation_texts_are_learned(tmp_path: Path) -> None:
    write_lines(tmp_path / "gsm8k_val.jsonl", gsm(4))
    write_lines(tmp_path / "gsm8k_test.jsonl", gsm(2, 4))
    splits = load_task("GSM8K", tmp_path)
    assert sizes(splits) == (4, 0, 2)
    assert "no training file: the 4 validation texts are the training texts" in str(splits)


def test_written_files_are_read_back(tasks: Path, tmp_path: Path) -> None:
    for name in TASKS:
        splits = load_task(name, tasks)
        for path in write_task(splits, tmp_path / name):
            assert path.name in ("train.jsonl", "val.jsonl", "test.jsonl")
        again = load_task(name, tmp_path)
        for one, other in zip(splits.whole, again.whole, strict=True):
            assert (one.example, one.id) == (other.example, other.id)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "expected files of MAWPS"),
        ({"a.json": "[]", "b.json": "[]"}, r"got a.json, b.json: give the one to take"),
        ({"train_x.jsonl": "", "train_y.jsonl": ""}, "got train_x.jsonl, train_y.jsonl: leave one"),
        ({"train.jsonl": "", "train.json": ""}, "got train.json, train.jsonl: leave one"),
        ({"mawps.json": "[]"}, "at least one text of MAWPS"),
        ({"mawps.json": '[{"question": "a", "ans'}, "mawps.json: expected a JSON list"),
        ({"mawps.json": "[1]"}, "mawps.json:1: expected a JSON object, got int"),
        ({"mawps.jsonl": '{"input": "a", "tar'}, "mawps.jsonl:1: expected one JSON record a line"),
        ({"mawps.xml": "<a><b></a>"}, "expected ASDiv's XML"),
        ({"mawps.csv": "Question,Numbers\nx,3\n"}, "mawps.csv:1: expected a record with"),
    ],
)  # fmt: skip
def test_files_that_cannot_be_read(files: dict[str, str], told: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_text(content, "utf-8")
    with pytest.raises((ValueError, FileNotFoundError), match=told):
        load_task("MAWPS", tmp_path)


def test_csv(tmp_path: Path) -> None:
    lines = [f'"Tom has number0 pens , and {n} ?",{n}.0 2,{n}.0' for n in range(5)]
    content = "\ufeffQuestion,Numbers,Answer\n" + "\n".join(lines)
    (tmp_path / "mawps.csv").write_text(content, "utf-8")
    texts = load_task("MAWPS", tmp_path).whole
    assert sorted(t.example.full_text for t in texts)[3] == "Tom has 3 pens , and 3 ? Answer: 3.0"


def test_a_choice_without_a_letter_is_named(tmp_path: Path) -> None:
    write_lines(tmp_path / "arc.jsonl", [{"input": "Which?\nA. x\nB. y\nAnswer:", "target": "x"}])
    with pytest.raises(ValueError, match=r"arc.jsonl:1: expected a letter as answer, got 'x'"):
        load_task("ARC-E", tmp_path)


def test_no_such_thing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match="expected a task of MAWPS, SVAMP, ASDiv, GSM8K, ARC-E"):
        load_task("MATH", tmp_path)
    with pytest.raises(FileNotFoundError, match="expected a folder or a file with MAWPS's texts"):
        load_task("MAWPS", tmp_path / "nothing")
    monkeypatch.delenv(TASKS_VARIABLE, raising=False)
    with pytest.raises(
        ValueError, match=f"--tasks FOLDER, or in the environment variable {TASKS_VARIABLE}"
    ):
        load_task("MAWPS")


# --- the hub --------------------------------------------------------------------------------------


def test_a_hub_name_through_a_stand_in(monkeypatch: pytest.MonkeyPatch) -> None:
    """The library itself needs a network; this tells only how it is asked, and what is done
    with the splits that it gives."""
    asked = []

    def load_dataset(path: str, name: str | None) -> dict[str, list[dict[str, Any]]]:
        asked.append((path, name))
        return {"train": gsm(6), "test": gsm(3, 6), "train_socratic": gsm(6)}

    fake = ModuleType("datasets")
    fake.load_dataset = load_dataset  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "datasets", fake)
    splits = load_task("GSM8K", "openai/gsm8k:main")
    assert asked == [("openai/gsm8k", "main")]
    assert sizes(splits) == (6, 0, 3)
    assert splits.test[0].where == "openai/gsm8k:main/test:1"

    def no_test(path: str, name: str | None) -> dict[str, list[dict[str, Any]]]:
        return {"train": gsm(10), "train_socratic": gsm(10)}

    fake.load_dataset = no_test  # type: ignore[attr-defined]
    assert sizes(load_task("GSM8K", "openai/gsm8k")) == (6, 2, 2)

    def no_network(path: str, name: str | None) -> None:
        raise ConnectionError("no route")

    fake.load_dataset = no_network  # type: ignore[attr-defined]
    with pytest.raises(
        RuntimeError, match=r"could not be read .*ConnectionError: no route.*folder"
    ):
        load_task("GSM8K", "openai/gsm8k:main")
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(RuntimeError, match="pip install datasets"):
        load_task("GSM8K", "openai/gsm8k")


# --- splits ---------------------------------------------------------------------------------------


def texts(n: int) -> list[TaskText]:
    return [
        read_record({"body": b, "question": q, "answer": a, "id": number}, f"f:{number}")
        for number, (b, q, a) in enumerate(problems(n))
    ]


def ids(parts: tuple[tuple[TaskText, ...], ...]) -> list[set[str]]:
    return [{text.id for text in part} for part in parts]


def test_a_split_is_what_it_was_on_any_machine() -> None:
    """Against the rule as it is told: the SHA-256 of the seed and the folded question."""
    given = texts(40)

    def rank(text: TaskText) -> str:
        question = text.example.text.removesuffix(" Answer:").lower()
        return hashlib.sha256(b"42\x00" + question.encode()).hexdigest()

    ordered = [text.id for text in sorted(given, key=rank)]
    assert ids(split_texts(given, 42)) == [
        set(ordered[:24]), set(ordered[24:32]), set(ordered[32:])
    ]  # fmt: skip
    assert ordered[:5] == ["31", "2", "29", "34", "9"]


def test_a_split_does_not_depend_on_the_order_but_on_the_seed() -> None:
    given = texts(50)
    shuffled = random.Random(3).sample(given, k=50)
    assert ids(split_texts(given, 1)) == ids(split_texts(shuffled, 1))
    assert ids(split_texts(given, 1)) != ids(split_texts(given, 2))
    assert [len(part) for part in split_texts(given, 1)] == [30, 10, 10]
    train = split_texts(given, 1)[0]
    assert [t.id for t in train] == sorted((t.id for t in train), key=int)  # the file's order


@pytest.mark.parametrize("seed", range(8))
def test_texts_with_one_question_are_not_parted(seed: int) -> None:
    given = [*texts(12), *texts(12), *texts(3)]
    parts = split_texts(given, seed)
    keys = [{text.key for text in part} for part in parts]
    assert sum(map(len, parts)) == len(given)
    assert not keys[0] & keys[1]
    assert not keys[1] & keys[2]
    assert not keys[0] & keys[2]


def test_shares_of_texts_that_cross_a_border_and_of_few_texts() -> None:
    assert [len(part) for part in split_texts(texts(1), 0)] == [0, 0, 1]
    assert [len(part) for part in split_texts(texts(1) * 5, 0)] == [5, 0, 0]


def test_overlap_is_told_whatever_the_case_and_the_spaces(tmp_path: Path) -> None:
    train = annotated(5)
    again = [{**r, "input": r["input"].upper().replace(" ", "  ")} for r in annotated(2, 3)]
    write_lines(tmp_path / "train.jsonl", train)
    write_lines(tmp_path / "test.jsonl", [*again, *annotated(4, 5)])
    splits = load_task("MAWPS", tmp_path)
    assert splits.overlaps()["train", "test"] == 2
    assert "2 of the test questions are train questions too" in str(splits)
    apart = load_task("MAWPS", tmp_path, remove_overlap=True)
    assert apart.overlaps()["train", "test"] == 0
    assert sizes(apart) == (3, 0, 6)
    assert "2 training texts removed" in str(apart)


# --- the authors' files ---------------------------------------------------------------------------


@pytest.fixture(scope="module")
def authors(authors_data: Path) -> dict[str, TaskSplits]:
    return {name: load_task(name, authors_data) for name in TASKS}


def test_the_authors_splits_and_what_they_share(authors: dict[str, TaskSplits]) -> None:
    mawps = authors["MAWPS"]
    assert sizes(mawps) == (1239, 413, 413)
    assert mawps.overlaps()["train", "test"] == 23
    assert sum(not text.example.signals for text in mawps.train) == 55  # failed parses
    apart = mawps.without_overlap()
    assert apart.overlaps()["train", "test"] == 0
    assert apart.test == mawps.test
    assert sizes(authors["SVAMP"]) == (600, 200, 200)
    assert sizes(authors["ARC-E"]) == (2251, 570, 2376)
    gsm8k = authors["GSM8K"]
    assert sizes(gsm8k) == (1319, 0, 1319)
    asdiv = authors["ASDiv"]
    assert sizes(asdiv) == (1329, 443, 443)


def test_what_models_tuned_on_gsm8k_are_tested_on_is_all_of_a_task(
    authors: dict[str, TaskSplits], authors_data: Path
) -> None:
    for task, name in (("MAWPS", "mawps_ood"), ("SVAMP", "svamp_ood")):
        lines = (authors_data / task / f"{name}.jsonl").read_text("utf-8").splitlines()
        theirs = Counter(read_record(json.loads(line), "").key for line in lines)
        assert theirs == Counter(text.key for text in authors[task].whole)


def test_every_right_answer_of_the_authors_is_right(authors: dict[str, TaskSplits]) -> None:
    numbers = 0
    for name in TASKS:
        for text in authors[name].whole:
            scoring = task_named(name).scoring
            assert scoring.same(text.example.answer, text.example.answer), text.where
            numbers += scoring.read(text.example.answer) is not None
    assert numbers == 2065 + 1000 + 2215 - 122 + 2638 + 5197  # 122 of ASDiv's are names, times
