"""A folder with small files of all five tasks, each in a public form, made here."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

NAMES = ("Ann", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gwen", "Hugo", "Ida", "Jan")
THINGS = ("pens", "plums", "coins")


def write_lines(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), "utf-8")
    return path


def problems(n: int, start: int = 0) -> list[tuple[str, str, int]]:
    """(body, question, answer), no two alike."""
    found = []
    for number in range(start, start + n):
        name, thing = NAMES[number % 10], THINGS[number % 3]
        body = f"{name} has {number + 2} {thing} and finds {number % 7 + 1} more"
        found.append((body, f"How many {thing} has {name} now?", number + 3 + number % 7))
    return found


def annotated(n: int, start: int = 0) -> list[dict[str, Any]]:
    """The authors' form, with signals."""
    return [
        {
            "input": f"{body}. {question}",
            "target": f"Answer: {answer}.0",
            "idx": start + number,
            "important": [{f"{answer}.0": [" ".join(body.split()[1:4]), "more"]}],
        }
        for number, (body, question, answer) in enumerate(problems(n, start))
    ]


def gsm(n: int, start: int = 0) -> list[dict[str, Any]]:
    return [
        {
            "question": f"{body}. {question}",
            "answer": f"That is <<{answer}={answer}>>{answer}.\n#### {answer}",
        }
        for body, question, answer in problems(n, start)
    ]


def arc(n: int, start: int = 0) -> list[dict[str, Any]]:
    """As published; every third has numbers as labels."""
    records = []
    for number in range(start, start + n):
        labels = "1234" if number % 3 == 0 else "ABCD"
        texts = [f"thing {number}", "air", "a very long thing", "iron"]
        choices = [
            {"text": text, "label": label} for label, text in zip(labels, texts, strict=True)
        ]
        question = {"stem": f"What is {number}?", "choices": choices}
        records.append({"id": f"Q{number}", "question": question, "answerKey": labels[number % 4]})
    return records


def asdiv_xml(n: int) -> str:
    found = "".join(
        f'<Problem ID="n-{number}" Grade="1"><Body>{body}.</Body><Question>{question}</Question>'
        f"<Solution-Type>Addition</Solution-Type><Answer>{answer} (things)</Answer></Problem>"
        for number, (body, question, answer) in enumerate(problems(n))
    )
    root = "Machine-Reading-Corpus-File"
    return (
        f'<?xml version="1.0" encoding="utf-8"?><{root}><ProblemSet>{found}</ProblemSet></{root}>'
    )


def write_tasks(folder: Path) -> Path:
    """All five tasks, a folder each; returns the folder."""
    write_lines(folder / "MAWPS" / "mawps_train.jsonl", annotated(20))
    write_lines(folder / "MAWPS" / "mawps_train_other.jsonl", reversed(annotated(18)))
    write_lines(folder / "MAWPS" / "mawps_val.jsonl", annotated(4, 20))
    write_lines(folder / "MAWPS" / "mawps_test.jsonl", annotated(6, 23))  # 1 in val
    svamp = [
        {
            "ID": f"chal-{n}",
            "Body": b,
            "Question": q,
            "Equation": "",
            "Answer": float(a),
            "Type": "",
        }
        for n, (b, q, a) in enumerate(problems(10))
    ]
    (folder / "SVAMP").mkdir()
    (folder / "SVAMP" / "SVAMP.json").write_text(json.dumps(svamp), "utf-8")
    (folder / "ASDiv").mkdir()
    (folder / "ASDiv" / "ASDiv.xml").write_text(asdiv_xml(10), "utf-8")
    write_lines(folder / "gsm8k" / "train.jsonl", gsm(12))
    write_lines(folder / "gsm8k" / "train_socratic.jsonl", gsm(12))
    write_lines(folder / "gsm8k" / "test.jsonl", gsm(5, 12))
    for split, n, start in (("Train", 9, 0), ("Dev", 3, 9), ("Test", 5, 12)):
        write_lines(folder / "ARC-Easy" / f"ARC-Easy-{split}.jsonl", arc(n, start))
    return folder
