"""What rules without a model score."""

from __future__ import annotations

from pathlib import Path

import pytest

from cat.tasks import TaskText, load_task, read_record, task_named, task_references


def asked(*pairs: tuple[str, object]) -> list[TaskText]:
    return [
        read_record({"question": question, "answer": answer}, f"f:{n}")
        for n, (question, answer) in enumerate(pairs)
    ]


def test_the_rules_of_word_problems() -> None:
    train = asked(("3 and 9?", 6), ("1 and 2?", 1), ("12 and 2, 7?", "10 pens"), ("4, 3?", "1.0"))
    test = asked(
        ("2 and 9?", 7), ("two?", 1), ("3  and 9?", 12), ("1, 2 and 3", 6), ("1/2, 2", 1.5)
    )
    rules = task_references(task_named("SVAMP"), train, test)
    assert {rule: scored.answers for rule, scored in rules.items()} == {
        "always 1": ("1",) * 5,  # "1" and "1.0" are one answer
        "the answer of the same question in training": ("1", "1", "6", "1", "1"),
        "sum of all numbers in the question": ("11", "0", "12", "6", "2.5"),
        "difference of the first two numbers": ("7", "", "6", "1", "1.5"),
    }
    assert rules["difference of the first two numbers"].correct == (True, False, False, False, True)
    assert rules["sum of all numbers in the question"].accuracy == 2 / 5


@pytest.mark.parametrize(
    ("answers", "operation"),
    [((8, 15), "sum"), ((4, 5), "difference"), ((12, 50), "product"), ((3, 2), "quotient")],
)
def test_the_operation_is_the_one_that_fits_the_training_texts(
    answers: tuple[int, int], operation: str
) -> None:
    train = asked(("2 of 6?", answers[0]), ("10 of 5?", answers[1]), ("0 of 4?", 99))
    rules = task_references(task_named("MAWPS"), train, asked(("6 of 3?", 1)))
    assert f"{operation} of the first two numbers" in rules


def test_a_constant_of_gsm8k_is_read_out_of_its_reasoning() -> None:
    train = asked(("1?", "1+1=2\n#### 2"), ("2?", "3\n#### 2"), ("3?", "#### 7"))
    rules = task_references(task_named("GSM8K"), train, asked(("5?", "a\n#### 2.00")))
    assert rules["always 2"].accuracy == 1


def test_the_rules_of_choices() -> None:
    def choice(*options: str, answer: str) -> TaskText:
        lines = "\n".join(f"{letter}. {o}" for letter, o in zip("ABCD", options, strict=False))
        return read_record({"input": f"Which?\n{lines}\nAnswer:", "target": answer}, "f:1")

    train = [
        choice("a", "b", answer="B"),
        choice("c", "d", answer="B"),
        choice("e", "f", answer="A"),
    ]
    test = [choice("a thing", "b", "c", answer="A"), choice("d", "e", "a long one", answer="C")]
    rules = task_references(task_named("ARC-E"), train, test)
    assert {rule: scored.answers for rule, scored in rules.items()} == {
        "always B": ("B", "B"),
        "the longest choice": ("A", "C"),
    }


def test_on_the_authors_files(authors_data: Path) -> None:
    """Two of them know nothing of the language, and answer more than TinyLlama does after tuning in
    full on SVAMP (the paper's Table 2: 17.5 and 20.0%)."""
    splits = load_task("SVAMP", authors_data)
    rules = task_references(splits.task, splits.train, splits.test)
    assert rules["difference of the first two numbers"].accuracy == pytest.approx(0.255)
    mawps = load_task("MAWPS", authors_data)
    rules = task_references(mawps.task, mawps.train, mawps.test)
    assert rules["sum of all numbers in the question"].accuracy == pytest.approx(94 / 413)
