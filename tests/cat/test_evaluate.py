"""`cat.evaluate`: figures measured on the authors' files, closed formulas, batches of prompts."""

from __future__ import annotations

import json
import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
import torch
from tokenizers import Tokenizer, models, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

from cat.alignment import align
from cat.evaluate import (
    Evaluation,
    Interval,
    evaluate_answers,
    greedy_answers,
    references,
    same_answer,
    seed_interval,
    wilson_interval,
)
from cat.models import CHECKPOINTS, load_model
from cat.signals import Example, read_examples
from cat.stg import stg_e, stg_h
from cat.tiny import one_thread, tiny_tokenizer

# --- references -----------------------------------------------------------------------------------

STG_E_FILES = {"train_L": "train3", "train_M": "train3_M", "train_S": "train3_S"}
STG_E_TESTS = {"iid": "test3", "ood": "ood3_2"}
ALWAYS, SPURIOUS, TABLE = (
    "always Low Risk",
    "spurious values, inverted by hand",
    "table of the causal triples seen",
)


@pytest.fixture(scope="module")
def stg(authors_data: Path) -> dict[str, list[Example]]:
    return {
        name: read_examples(authors_data / "STG" / f"spurious_token_game_{file}.jsonl")
        for name, file in {**STG_E_FILES, **STG_E_TESTS}.items()
    }


@pytest.mark.parametrize(
    ("train", "test", "always", "spurious", "table"),
    [
        ("train_S", "iid", 0.6875, 0.9525, 0.8125),
        ("train_M", "iid", 0.6875, 0.9525, 0.8850),
        ("train_L", "iid", 0.6875, 0.9525, 0.9525),
        ("train_S", "ood", 0.6650, 0.6250, 0.7725),
        ("train_M", "ood", 0.6650, 0.6250, 0.8550),
        ("train_L", "ood", 0.6650, 0.6250, 0.9225),
    ],
)
def test_references_on_the_authors_files(
    train: str, test: str, always: float, spurious: float, table: float, stg: dict[str, Any]
) -> None:
    found = references(stg[train], stg[test])
    assert list(found) == [ALWAYS, SPURIOUS, TABLE]
    assert found[ALWAYS].accuracy == always
    assert found[TABLE].accuracy == table
    assert found[SPURIOUS].accuracy == pytest.approx(spurious, abs=0.005)  # a rule by hand


def test_the_table_against_a_dictionary(stg: dict[str, list[Example]]) -> None:
    """A triple is what stands behind three words; nothing else of the text counts."""

    def triple(example: Example) -> list[str]:
        facts = example.text.removesuffix(" Answer: ").split("cancer. ")[1].split(", ")
        return sorted(f for f in facts if f.split(":")[0] in ("Smoking", "Weight", "Exercise"))

    seen = {tuple(triple(example)): example.answer for example in stg["train_S"]}
    wanted = tuple(seen.get(tuple(triple(example)), "Low Risk") for example in stg["ood"])
    assert references(stg["train_S"], stg["ood"])[TABLE].answers == wanted


def test_the_spurious_reference_reads_spurious_values_only(stg: dict[str, list[Example]]) -> None:
    """In distribution it is nearly always right, and other causes change nothing."""
    before = references(stg["train_S"], stg["iid"])[SPURIOUS]
    changed = [
        Example(re.sub(r"(Smoking|Weight|Exercise): \d+", r"\1: 1", e.text), e.answer)
        for e in stg["iid"]
    ]
    assert references(stg["train_S"], changed)[SPURIOUS].answers == before.answers


def test_the_constant_comes_from_training() -> None:
    train = [Example("a?", "8"), Example("b?", "9"), Example("c?", "9.0"), Example("d?", "9")]
    test = [Example("e?", "8"), Example("f?", "9")]
    found = references(train, test)
    assert list(found) == ["always 9"]
    assert found["always 9"].answers == ("9", "9")
    assert found["always 9"].accuracy == 0.5


def test_how_far_the_texts_of_stg_h_tell_their_answers() -> None:
    """The answers come from values of which the texts show a decimal or less."""
    splits = stg_h(1, n_train=400, n_test=200)
    train, iid, ood = (
        [Example.from_record(r) for r in splits[n]] for n in ("train", "test_iid", "test_ood")
    )
    written, whole = "rule on the values as written", "rule on whole parts, as tiny reads"
    for test in (iid, ood):
        found = references(train, test)
        assert found[written].mean_absolute_error < 0.1
        assert 0.15 < found[whole].mean_absolute_error < 0.5
        assert 0.6 < found[whole].accuracy < 0.85 < 0.9 < found[written].accuracy
    # On "spurious values" it helps in distribution, and no longer out of it.
    spurious, always = "spurious values, by least squares", next(iter(found))
    errors = {n: [references(train, t)[n].mean_absolute_error for t in (iid, ood)]
              for n in (spurious, always)}  # fmt: skip
    assert errors[spurious][0] < 0.75 * errors[always][0]
    assert errors[spurious][1] > errors[always][1] - 1
    # It reads these values only.
    changed = [Example(re.sub(r"(Emissions|Dependency): \d+", r"\1: 1", e.text), e.answer)
               for e in iid]  # fmt: skip
    assert references(train, changed)[spurious].answers == references(train, iid)[spurious].answers


def test_the_constant_for_numbers_has_an_absolute_error() -> None:
    splits = stg_h(1, n_train=200, n_test=50)
    train, test = ([Example.from_record(r) for r in splits[n]] for n in ("train", "test_iid"))
    rule, evaluation = next(iter(references(train, test).items()))
    errors = [abs(float(e.answer) - float(rule.removeprefix("always "))) for e in test]
    assert evaluation.mean_absolute_error == pytest.approx(np.mean(errors))


# --- same_answer ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "target", "same"),
    [
        ("Low Risk", "Low Risk", True),
        (" Low Risk\n", "Low Risk", True),
        ("low risk", "Low Risk", False),
        ("Low Risk.", "Low Risk", False),
        ("32", "32.0", True),
        ("32.", "32", True),
        ("032", "32", True),
        ("-8", "-8.0", True),
        ("32", "33", False),
        ("1e2", "100", True),
        ("", "", True),
        ("", "0", False),
        ("32", "Low Risk", False),
        ("32 apples", "32", False),
        ("nan", "nan", True),  # equal as texts
        ("nan", "NaN", False),
        ("inf", "1e999", False),
    ],
)
def test_same_answer(answer: str, target: str, same: bool) -> None:
    assert same_answer(answer, target) is same
    assert same_answer(target, answer) is same


# --- Evaluation -----------------------------------------------------------------------------------


def test_accuracy_and_balanced_accuracy_by_hand() -> None:
    answers = ("Low",) * 70 + ("High",) * 10 + ("Low",) * 20
    targets = ("Low",) * 60 + ("High",) * 40
    evaluation = Evaluation(answers, targets)
    assert evaluation.accuracy == 0.7
    assert evaluation.balanced_accuracy == pytest.approx((60 / 60 + 10 / 40) / 2)
    assert evaluation.mean_absolute_error is None
    assert evaluation.not_a_number == 0


def test_a_rare_label_does_not_count_in_balanced_accuracy() -> None:
    """As the one Middle Risk of 400 test texts; at one in a hundred it does."""
    evaluation = Evaluation(("Low",) * 400, ("Low",) * 300 + ("High",) * 99 + ("Middle",))
    assert evaluation.balanced_accuracy == 0.5
    evaluation = Evaluation(("Low",) * 100, ("Low",) * 60 + ("High",) * 39 + ("Middle",))
    assert evaluation.balanced_accuracy == pytest.approx(1 / 3)


def test_balanced_accuracy_of_a_constant(stg: dict[str, list[Example]]) -> None:
    for test in STG_E_TESTS:
        assert references(stg["train_L"], stg[test])[ALWAYS].balanced_accuracy == 0.5


def test_mean_absolute_error_leaves_out_what_is_no_number() -> None:
    evaluation = Evaluation(("32", "40.5", "none", "", "nan"), ("30", "40", "50", "60", "70"))
    assert evaluation.mean_absolute_error == pytest.approx((2 + 0.5) / 2)
    assert evaluation.not_a_number == 3
    assert evaluation.accuracy == 0
    assert evaluation.balanced_accuracy is None
    scores = evaluation.to_dict()
    assert scores["mean_absolute_error"] == 1.25
    assert scores["not_a_number"] == 3
    assert "balanced_accuracy" not in scores


def test_no_number_at_all() -> None:
    evaluation = Evaluation(("none", "Low"), ("30", "40"))
    assert evaluation.mean_absolute_error is not None
    assert math.isnan(evaluation.mean_absolute_error)
    scores = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert scores["mean_absolute_error"] is None
    assert scores["not_a_number"] == 2


def test_to_dict_is_json() -> None:
    evaluation = Evaluation(("Low",) * 3 + ("High",), ("Low", "Low", "High", "High"))
    scores = json.loads(json.dumps(evaluation.to_dict(), allow_nan=False))
    assert scores["texts"] == 4
    assert scores["accuracy"] == 0.75
    assert scores["interval"] == pytest.approx(wilson(3, 4))
    assert scores["answers"] == {"Low": 3, "High": 1}
    assert scores["balanced_accuracy"] == 0.75


@pytest.mark.parametrize(("answers", "targets"), [((), ()), (("a",), ()), (("a",), ("a", "b"))])
def test_refuses_answers_that_do_not_fit(answers: Any, targets: Any) -> None:
    with pytest.raises(ValueError, match=f"got {len(answers)} answers for {len(targets)} texts"):
        Evaluation(answers, targets)


# --- intervals ------------------------------------------------------------------------------------


def wilson(successes: int, n: int) -> tuple[float, float]:
    """The closed formula."""
    z = 1.959963984540054
    p = successes / n
    centre = (p + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return centre - half, centre + half


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (1, 1), (0, 400), (400, 400), (275, 400), (3, 7), (350, 1000)]
)
def test_wilson_interval(successes: int, n: int) -> None:
    interval = wilson_interval(successes, n)
    low, high = wilson(successes, n)
    assert interval.low == pytest.approx(low, abs=1e-12)
    assert interval.high == pytest.approx(high, abs=1e-12)
    assert interval.low is not None
    assert interval.high is not None
    assert 0 <= interval.low <= successes / n <= interval.high <= 1
    evaluation = Evaluation(("a",) * n, ("a",) * successes + ("b",) * (n - successes))
    assert evaluation.interval == interval


@pytest.mark.parametrize("n", [2, 3, 10])
def test_seed_interval(n: int) -> None:
    values = np.random.default_rng(n).normal(0.8, 0.05, n)
    low, high = scipy.stats.t.interval(
        0.95, n - 1, loc=values.mean(), scale=scipy.stats.sem(values)
    )
    interval = seed_interval(values.tolist())
    assert interval.low == pytest.approx(low)
    assert interval.high == pytest.approx(high)


def test_seed_interval_at_its_ends() -> None:
    assert seed_interval([0.8]) == seed_interval([]) == Interval(None, None)
    assert seed_interval([0.5, 0.5, 0.5]) == Interval(0.5, 0.5)


# --- asking a model -------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["tiny", "tiny-word"])
def fresh(request: pytest.FixtureRequest) -> tuple[Any, Any]:
    """Untrained, with weights spread wide: its answers differ from prompt to prompt."""
    model, tokenizer = load_model(request.param)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.normal_(0, 0.2, generator=generator)
    return model, tokenizer


def prompts(n: int) -> list[str]:
    """Of different lengths, so that all but the longest are padded."""
    texts = [record["input"] for record in stg_e(n_train=4, n_test=n)["test_ood"]]
    return [
        text.replace("cancer. ", f"cancer. {'Room size: 3, ' * (i % 4)}")
        for i, text in enumerate(texts)
    ]


def answer_by_steps(model: Any, tokenizer: Any, prompt: str, steps: int) -> str:
    """The most likely token, again and again, without padding, cache or generate()."""
    ids = tokenizer(prompt.rstrip())["input_ids"]
    new: list[int] = []
    with torch.inference_mode():
        while len(new) < steps:
            logits = model(torch.tensor([ids + new])).logits[0, -1]
            new.append(int(logits.argmax()))
            if new[-1] == tokenizer.eos_token_id:
                break
    return str(tokenizer.decode(new, skip_special_tokens=True)).strip()


@pytest.mark.parametrize("batch_size", [1, 3, 64])
def test_batches_answer_as_one_by_one(fresh: tuple[Any, Any], batch_size: int) -> None:
    model, tokenizer = fresh
    asked = prompts(10)
    with one_thread():
        wanted = [answer_by_steps(model, tokenizer, prompt, 5) for prompt in asked]
        answers = greedy_answers(model, tokenizer, asked, max_new_tokens=5, batch_size=batch_size)
    assert answers == wanted
    assert len(set(answers)) > 2


def test_no_prompts(fresh: tuple[Any, Any]) -> None:
    assert greedy_answers(*fresh, [], max_new_tokens=4) == []


class Script(torch.nn.Module):
    """In place of a model: says what a prompt's last token stands for in its script."""

    device = torch.device("cpu")

    def __init__(self, script: dict[int, list[int]]) -> None:
        super().__init__()
        self.script = script
        self.asked: list[tuple[torch.Tensor, torch.Tensor]] = []
        self.options: dict[str, Any] = {}
        self.seen_training: list[bool] = []

    def generate(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, **options: Any
    ) -> Any:
        self.asked.append((input_ids, attention_mask))
        self.options = options
        self.seen_training.append(self.training)
        said = [self.script[int(row[-1])] for row in input_ids]
        return torch.cat([input_ids, torch.tensor(said)], dim=1)


def test_how_a_model_is_asked() -> None:
    """Padding on the left, masked; the answer without end-of-text and what stands before it."""
    tokenizer = tiny_tokenizer()
    tokenizer.padding_side = "right"
    low, high, pad, end = tokenizer.convert_tokens_to_ids(
        ["Low Risk", "High Risk", "<pad>", "<eos>"]
    )
    answer, eight, nine = tokenizer.convert_tokens_to_ids(["Answer:", "Smoking: 8", "Smoking: 9"])
    model = Script({answer: [low, end], eight: [high, end], nine: [low, low]})
    asked = ["Smoking: 8, Weight: 3 Answer: ", "Smoking: 8", "Smoking: 9"]
    answers = greedy_answers(model, tokenizer, asked, max_new_tokens=2, batch_size=2)
    assert answers == ["Low Risk", "High Risk", "Low Risk Low Risk"]
    (first, mask), (second, _) = model.asked
    assert first.shape == (2, 3)
    assert first[1].tolist() == [pad, pad, eight]
    assert mask.tolist() == [[1, 1, 1], [0, 0, 1]]
    assert second.tolist() == [[nine]]
    assert model.seen_training == [False, False]
    assert model.training  # as it was before
    assert tokenizer.padding_side == "right"
    assert model.options["do_sample"] is False
    assert model.options["use_cache"] is True
    assert model.options["max_new_tokens"] == 2


def test_the_space_at_the_end_of_a_prompt_is_taken_off() -> None:
    """For a tokenizer to which it is a token, as to most."""
    core = Tokenizer(models.WordLevel({"<pad>": 0, "<eos>": 1, "a": 2, " ": 3}, unk_token="<eos>"))
    core.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, pad_token="<pad>", eos_token="<eos>", unk_token="<eos>"
    )
    assert tokenizer("a a ")["input_ids"] == [2, 3, 2, 3]
    model = Script({2: [2, 1]})
    assert greedy_answers(model, tokenizer, ["a a ", "a\n"], max_new_tokens=2) == ["a", "a"]
    assert model.asked[0][0].tolist() == [[2, 3, 2], [0, 0, 2]]


def test_model_and_tokenizer_are_left_as_they_were_when_it_fails() -> None:
    tokenizer = tiny_tokenizer()
    tokenizer.padding_side = "right"
    model = Script({})
    with pytest.raises(KeyError):
        greedy_answers(model, tokenizer, ["Smoking: 8"], max_new_tokens=2)
    assert model.training
    assert tokenizer.padding_side == "right"


def test_a_tokenizer_that_appends_the_end_of_text(fresh: tuple[Any, Any]) -> None:
    """A prompt that ended in it would be answered by a new text."""
    model, plain = fresh
    appends = tiny_tokenizer(plain.name_or_path)
    appends.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <eos>", special_tokens=[("<eos>", appends.eos_token_id)]
    )
    asked = prompts(6)
    assert appends(asked[0])["input_ids"] == [*plain(asked[0])["input_ids"], plain.eos_token_id]
    with one_thread():
        assert greedy_answers(model, appends, asked, max_new_tokens=4) == greedy_answers(
            model, plain, asked, max_new_tokens=4
        )


def test_generation_settings_that_come_with_a_model_do_not_count(fresh: tuple[Any, Any]) -> None:
    model, tokenizer = fresh
    asked = prompts(6)
    with one_thread():
        greedy = greedy_answers(model, tokenizer, asked, max_new_tokens=6)
        settings = model.generation_config
        before = settings.to_dict()
        try:
            settings.update(
                do_sample=True, temperature=9.0, repetition_penalty=9.0, use_cache=False
            )
            assert greedy_answers(model, tokenizer, asked, max_new_tokens=6) == greedy
        finally:
            settings.update(**before)


def test_evaluate_answers(fresh: tuple[Any, Any]) -> None:
    """As many tokens as the longest right answer has, and one more."""
    model, tokenizer = fresh
    asked = prompts(6)
    with one_thread():
        right = greedy_answers(model, tokenizer, asked, max_new_tokens=2)
        answers = ["Low Risk", *right[1:]]
        examples = [Example(p, a) for p, a in zip(asked, answers, strict=True)]
        longest = max(
            len(tokenizer(f" {a}", add_special_tokens=False)["input_ids"]) for a in answers
        )
        evaluation = evaluate_answers(model, tokenizer, examples, batch_size=4)
        given = greedy_answers(model, tokenizer, asked, max_new_tokens=longest + 1)
        short = evaluate_answers(model, tokenizer, examples, max_new_tokens=2)
    assert evaluation.targets == tuple(answers)
    assert evaluation.answers == tuple(given)
    assert short.answers == tuple(right)
    assert sum(short.correct) >= 5


@pytest.mark.parametrize("name", ["plain", "alpha-10"])
def test_a_shipped_model_scores_what_its_file_says(name: str) -> None:
    stated = json.loads((CHECKPOINTS / name / "result.json").read_text(encoding="utf-8"))
    model, tokenizer = load_model(f"tiny/{name}")
    splits = stg_e(42)
    for test in ("test_iid", "test_ood"):
        examples = [Example.from_record(record) for record in splits[test]]
        with one_thread():
            evaluation = evaluate_answers(model, tokenizer, examples)
        assert evaluation.accuracy == pytest.approx(stated["scores"][test]["accuracy"], abs=0.005)


def test_evaluate_answers_needs_examples(fresh: tuple[Any, Any]) -> None:
    with pytest.raises(ValueError, match="at least one example to evaluate on, got none"):
        evaluate_answers(*fresh, [])


def test_progress_shows_the_texts_done(
    fresh: tuple[Any, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    model, tokenizer = fresh
    with one_thread():
        greedy_answers(model, tokenizer, prompts(3), max_new_tokens=1)
        assert capsys.readouterr() == ("", "")
        greedy_answers(model, tokenizer, prompts(3), max_new_tokens=1, progress="test_ood")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "test_ood" in shown.err
    assert "3/3" in shown.err


def test_prompts_are_tokenised_as_in_training(fresh: tuple[Any, Any]) -> None:
    """What generation starts from is what the training text has before its answer."""
    _, tokenizer = fresh
    for prompt in prompts(4):
        aligned = align(Example(prompt, "High Risk"), tokenizer)
        before = list(aligned.input_ids[: aligned.answer_start])
        assert tokenizer(prompt.rstrip())["input_ids"] == before
