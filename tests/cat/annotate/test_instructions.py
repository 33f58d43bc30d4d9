"""`cat.annotate.instructions`: what is shown passes our check, and bad files are refused."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import cat.annotate
from cat.annotate.checking import Fault, check
from cat.annotate.instructions import INSTRUCTIONS, Instructions, Worked, read_instructions
from cat.annotate.relations import Relation, UnreadableReply, read_relations
from cat.signals import Example, read_records
from cat.stg import GAMES, STG_E, STG_H, read_factors

FIGS = Example("Ben had 12 figs and ate 4. How many are left? Answer: ", "8")
ALL_WORKED = [
    pytest.param(name, worked, id=f"{name}-{n}")
    for name in INSTRUCTIONS
    for n, worked in enumerate(INSTRUCTIONS[name].worked)
]


# --- the tasks that ship --------------------------------------------------------------------------


def test_the_tasks_that_ship() -> None:
    assert list(INSTRUCTIONS) == ["mawps", "svamp", "asdiv", "gsm8k", "arc-e", "stg"]
    for name, instructions in INSTRUCTIONS.items():
        assert instructions.name == name
        assert 3 <= len(instructions.worked) <= 5
    with pytest.raises(KeyError):
        INSTRUCTIONS["../mawps"]
    folder = Path(str(cat.annotate.__file__)).parent / "tasks"
    shipped = {file.stem for file in folder.iterdir()}
    assert shipped == set(INSTRUCTIONS)


@pytest.mark.parametrize(("name", "worked"), ALL_WORKED)
def test_worked_examples_pass_the_check_as_they_are_written(name: str, worked: Worked) -> None:
    checked = check(worked.example, worked.relations)
    assert checked.faults == ()
    kept = [(signal.effect, signal.causes) for signal in checked.signals]
    assert kept == [(relation.effect, relation.causes) for relation in worked.relations]
    causes = [cause for relation in worked.relations for cause in relation.causes]
    assert all(len(cause.split()) <= 5 for cause in causes), "the shortest phrase"
    assert len(worked.relations) > 0


@pytest.mark.parametrize(("name", "worked"), ALL_WORKED)
def test_phrases_are_not_taken_for_others(name: str, worked: Worked) -> None:
    """An effect with an earlier place would teach the model there as well."""
    text = worked.example.full_text
    for relation in worked.relations:
        first = re.search(rf"(?<!\w){re.escape(relation.effect)}(?!\w)", text)
        assert first is not None
        assert first.end() > worked.example.boundary


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_every_task_shows_a_distractor(name: str) -> None:
    """A number, an option or a factor that is no cause, in some example."""

    def numbers(text: str) -> set[str]:
        return set(re.findall(r"\d+(?:\.\d+)?|(?<=\n)[A-D]\.", text))

    assert any(
        numbers(worked.example.prompt)
        - numbers("\n" + "\n".join(cause for one in worked.relations for cause in one.causes))
        for worked in INSTRUCTIONS[name].worked
    )


@pytest.mark.parametrize("worked", INSTRUCTIONS["gsm8k"].worked)
def test_worked_solutions_are_right_and_every_result_is_explained(worked: Worked) -> None:
    answer = worked.example.answer
    explained = [relation.effect for relation in worked.relations]
    steps = re.findall(r"<<(.+?)=(.+?)>>(\d+)", answer)
    assert len(steps) >= 2
    for calculation, inner, result in steps:
        assert eval(calculation) == float(inner) == float(result)  # ours, not a stranger's
        assert calculation in explained
        assert any(effect.split()[0] == result for effect in explained)
    assert answer.endswith(f"#### {steps[-1][2]}")
    assert f"#### {steps[-1][2]}" in explained


def test_the_answers_of_the_game_follow_its_rules() -> None:
    for worked in INSTRUCTIONS["stg"].worked:
        read = read_factors(worked.example.full_text)
        assert read is not None
        game, factors = read
        values = {name: value for name, (value, _) in factors.items()}
        assert worked.example.answer == str(GAMES[game.name][0].answer(values))
        causes = {cause.split(":")[0] for cause in worked.relations[0].causes}
        assert causes == set(game.named("causal"))


def test_the_causes_of_both_games_are_named() -> None:
    task = INSTRUCTIONS["stg"].task
    for game in (STG_E, STG_H):
        assert all(name in task for name in game.named("causal"))
        assert not any(name in task for name in game.named("spurious"))


def test_no_worked_text_is_from_the_data_sets(authors_data: Path) -> None:
    published = {
        " ".join(str(record["input"]).removesuffix("Answer: ").split())
        for file in authors_data.rglob("*.jsonl")
        for _, record in read_records(file)
    }
    for instructions in INSTRUCTIONS.values():
        for worked in instructions.worked:
            prompt = worked.example.prompt.removesuffix("Answer:")
            assert " ".join(prompt.split()) not in published


# --- messages -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", INSTRUCTIONS)
def test_a_conversation_shows_the_worked_examples_and_then_asks(name: str) -> None:
    instructions = INSTRUCTIONS[name]
    messages = instructions.messages(FIGS)
    roles = [message["role"] for message in messages]
    assert roles == ["system", *["user", "assistant"] * len(instructions.worked), "user"]
    for n, worked in enumerate(instructions.worked):
        assert f"<text>\n{worked.example.full_text}\n</text>" in messages[1 + 2 * n]["content"]
        assert read_relations(messages[2 + 2 * n]["content"]) == worked.relations
    assert messages[-1]["content"] == (f"<text>\n{FIGS.full_text}\n</text>\nThe answer in it: 8")
    assert "JSON" not in messages[0]["content"]  # the schema says it


def test_all_but_the_last_message_is_the_same_for_every_text() -> None:
    instructions = INSTRUCTIONS["mawps"]
    assert instructions.messages(FIGS)[:-1] == instructions.messages(Example("a", "b"))[:-1]


def test_plain_describes_the_json() -> None:
    with_schema, plain = (INSTRUCTIONS["svamp"].messages(FIGS, plain=p) for p in (False, True))
    assert with_schema[1:] == plain[1:]
    described = plain[0]["content"].removeprefix(with_schema[0]["content"])
    assert read_relations(described) == (Relation("phrase", ("phrase", "phrase")),)


def test_of_a_long_answer_the_beginning_is_told() -> None:
    worked = INSTRUCTIONS["gsm8k"].worked[0].example
    asked = INSTRUCTIONS["gsm8k"].messages(worked)[-1]["content"]
    beginning = re.search("from “(.+)” to the end$", asked)
    assert beginning is not None
    assert worked.answer.startswith(beginning[1])
    assert asked.count(worked.answer) == 1  # it is not sent twice


def test_an_answer_that_is_one_long_word_keeps_a_beginning() -> None:
    asked = INSTRUCTIONS["mawps"].messages(Example("a", "b" * 200))[-1]["content"]
    assert "from “bbbb" in asked


# --- repair ---------------------------------------------------------------------------------------


def repaired(*faults: Fault) -> str:
    instructions = INSTRUCTIONS["mawps"]
    messages = instructions.messages(FIGS)
    repair = instructions.repair(messages, "the reply", faults)
    assert repair[: len(messages)] == messages
    assert repair[-2] == {"role": "assistant", "content": "the reply"}
    assert repair[-1]["role"] == "user"
    return repair[-1]["content"]


def test_repair_quotes_the_faulty_phrases() -> None:
    asked = repaired(
        Fault("absent", "8", "13 figs", ("13 figs",)),
        Fault("absent", "9", "ate 4", ("9",)),
        Fault("order", "Ben", 'the "figs"'),
        Fault("answer not covered"),
    )
    assert '- "13 figs" does not stand in the text\n' in asked
    assert '- "9" does not stand in the text\n' in asked
    assert '"ate 4"' not in asked  # it does stand there
    assert '- "the \\"figs\\"" does not end before "Ben" begins' in asked
    assert "- no relation that holds has its effect in the answer\n" in asked


def test_repair_of_what_was_said_of_a_text() -> None:
    faults = check(FIGS, [Relation("8", ("12 pears",)), Relation("ate 4", ("left",))]).faults
    asked = repaired(*faults)
    assert all(f'"{phrase}"' in asked for phrase in ("12 pears", "left", "ate 4"))
    assert "there is no relation" in repaired(*check(FIGS, []).faults)


def test_repair_says_each_thing_once_and_not_too_much() -> None:
    twice = repaired(*[Fault("absent", "9", f"cause {n}", ("9",)) for n in range(9)])
    assert twice.count('"9" does not stand') == 1
    many = repaired(*[Fault("absent", "8", f"x{n}", (f"x{n}",)) for n in range(100)])
    assert "and 88 more like these" in many
    assert '"x11"' in many
    assert '"x12"' not in many
    assert len(repaired(Fault("absent", "8", "x", ("x" * 9000,)))) < 1000


def test_repair_of_an_unreadable_reply_describes_the_json() -> None:
    with pytest.raises(UnreadableReply) as refused:
        read_relations('{"relations": [')
    asked = INSTRUCTIONS["mawps"].repair([], '{"relations": [', refused.value)[-1]["content"]
    assert "invalid JSON" in asked
    assert '{"relations": [{"effect": "phrase"' in asked


# --- one's own task -------------------------------------------------------------------------------


def example_in_the_docstring() -> str:
    lines = str(read_instructions.__doc__).split("::\n", 1)[1].split("Raises:")[0].splitlines()
    return "\n".join(line[8:] for line in lines)


@pytest.fixture
def own_task(tmp_path: Path) -> Path:
    path = tmp_path / "my_task.yaml"
    path.write_text(example_in_the_docstring(), encoding="utf-8")
    return path


def test_the_template_of_the_docstring_is_a_task(own_task: Path) -> None:
    instructions = read_instructions(own_task)
    assert instructions.name == "seating"
    assert instructions.worked[0].relations == (Relation("9", ("40 seats", "31 guests", "free")),)
    assert instructions.task in instructions.messages(FIGS)[0]["content"] + "\n"


def test_a_task_without_a_name_has_its_files(own_task: Path) -> None:
    text = own_task.read_text(encoding="utf-8")
    own_task.write_text(re.sub("name: .*\n", "", text), encoding="utf-8")
    assert read_instructions(own_task).name == "my_task"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("task: >", "tsak: >", r"expected a field 'task', got \['name', 'tsak', 'worked'\]"),
        ("name: seating", "nmae: seating", "expected task, worked, name; unknown: 'nmae'"),
        ("name: seating", "name: 7", "name: expected a text, got 7; put it in quotes"),
        ('answer: "9"', "answer: 9", "example 1, answer: expected a text, got 9; put it in quotes"),
        ('effect: "9"', "effect: 9", r"example 1: .*a text in relations\[0\].effect, got 9"),
        ("relations:", "relation:", "example 1: expected a field 'relations'"),
        ("causes: [", "cause: [", r"example 1: .*'causes' in relations\[0\]"),
        ('"40 seats"', '"50 seats"', 'example 1: .*"50 seats" does not stand in the text'),
        ('effect: "9"', 'effect: "free"', "example 1: .*its effect in the answer"),
        ('"free"]', '"free"', "expected YAML, got"),
        ("worked:", "worked: []\nx:", "unknown: 'x'"),
    ],
)
def test_what_is_wrong_in_a_file_is_told(old: str, new: str, message: str, own_task: Path) -> None:
    text = own_task.read_text(encoding="utf-8")
    assert text.count(old) == 1
    own_task.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ValueError, match=message) as refused:
        read_instructions(own_task)
    assert str(own_task) in str(refused.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "expected the fields task, worked, got None"),
        ("- a", "expected the fields task, worked"),
        ("task: ' '\nworked: []", "expected a description, got an empty one"),
        ("task: a\nworked: []", "expected at least one worked example, got none"),
        ("task: a\nworked: b", "expected a list in 'worked', got 'b'"),
        ("task: a\nworked: [b]", "worked example 1: expected the fields text, answer, relations"),
        ('task: a\nworked: [{text: " ", answer: "", relations: []}]', "got an empty text"),
    ],
)
def test_files_that_are_no_task(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "task.yaml"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        read_instructions(path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="describes a task"):
        read_instructions(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match="expected YAML"):
        read_instructions(tmp_path / "binary.yaml")


def test_instructions_made_in_python_are_checked_too() -> None:
    worked = Worked(FIGS, (Relation("8", ("12 figs",)),))
    assert Instructions("mine", "Figs.", (worked,)).messages(FIGS)[0]["content"].endswith("Figs.")
    with pytest.raises(ValueError, match=r"task 'mine', worked example 2: .*\"13 figs\""):
        Instructions("mine", "Figs.", (worked, Worked(FIGS, (Relation("8", ("13 figs",)),))))


def test_the_words_go_out_as_json() -> None:
    for instructions in INSTRUCTIONS.values():
        messages = instructions.messages(FIGS, plain=True)
        assert json.loads(json.dumps(messages)) == messages
