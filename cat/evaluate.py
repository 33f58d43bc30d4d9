"""Greedy answers, and how good they are: beside what rules that learn nothing would score.

Accuracy is exact match of the whole greedy answer (numbers compare as numbers: "32" equals 32),
with a 95% interval; other tasks bring a :class:`~cat.scoring.Scoring` of their own. On STG_E
"always Low Risk" is right in two thirds of the texts, so a bare accuracy says little:
:func:`references` gives what needs no model at all.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from cat.modes import evaluating
from cat.scm import CausalModel
from cat.scoring import CHOICE, EXACT, Scoring, plain_number, same_answer
from cat.signals import Example, Span
from cat.stg import GAMES, read_factors

__all__ = [
    "Evaluation",
    "Interval",
    "evaluate_answers",
    "greedy_answers",
    "references",
    "same_answer",
    "seed_interval",
    "wilson_interval",
]

NO_ANSWER = "none that can be read"
RARE_LABEL = 0.01  # below this share a label (STG_E's one "Middle Risk") gets no equal say


@dataclass(frozen=True)
class Interval:
    """A 95% interval; None bounds where one value allows none."""

    low: float | None
    high: float | None


@dataclass(frozen=True)
class Evaluation:
    """Answers beside the right ones.

    Attributes:
        scoring: which of them are right. With another than the usual one there is no error, and
            :meth:`to_dict` also tells which texts were answered rightly, for pairing.

    >>> evaluation = Evaluation(("Low Risk", "32"), ("High Risk", "32.0"))
    >>> evaluation.accuracy
    0.5
    """

    answers: tuple[str, ...]
    targets: tuple[str, ...]
    scoring: Scoring = EXACT

    def __post_init__(self) -> None:
        if not self.targets or len(self.answers) != len(self.targets):
            raise ValueError(
                "expected one answer for each of one or more texts, got "
                f"{len(self.answers)} answers for {len(self.targets)} texts"
            )

    @cached_property
    def correct(self) -> tuple[bool, ...]:
        return tuple(map(self.scoring.same, self.answers, self.targets))

    @property
    def accuracy(self) -> float:
        return sum(self.correct) / len(self.correct)

    @property
    def interval(self) -> Interval:
        """Of the accuracy, over the choice of test texts (Wilson)."""
        return wilson_interval(sum(self.correct), len(self.correct))

    @property
    def balanced_accuracy(self) -> float | None:
        """Mean recall over the labels of at least 1% of the texts; None for numeric answers."""
        if self.mean_absolute_error is not None or self.scoring not in (EXACT, CHOICE):
            return None
        labels = [self.scoring.read(t) for t in self.targets]
        counts = Counter(labels)
        right = Counter(label for label, ok in zip(labels, self.correct, strict=True) if ok)
        common = [t for t, n in counts.items() if n / len(self.targets) >= RARE_LABEL]
        return sum(right[t] / counts[t] for t in common) / len(common) if common else None

    @property
    def mean_absolute_error(self) -> float | None:
        """Over the answers that are numbers, NaN if none is; None unless every target is one.

        None for word problems too: their answers have no common range, so that one absurd answer
        would be the whole mean.
        """
        if self.scoring != EXACT:
            return None
        wanted = [plain_number(target) for target in self.targets]
        if any(number is None for number in wanted):
            return None
        pairs = [(plain_number(a), w) for a, w in zip(self.answers, wanted, strict=True)]
        errors = [abs(a - w) for a, w in pairs if a is not None and w is not None]
        return sum(errors) / len(errors) if errors else math.nan

    @property
    def unreadable(self) -> int:
        """Answers in which the scoring finds none of the kind: no number, no letter."""
        return sum(self.scoring.read(answer) is None for answer in self.answers)

    @property
    def not_a_number(self) -> int:
        """Answers that are no number where one was due."""
        if self.mean_absolute_error is None:
            return 0
        return sum(plain_number(answer) is None for answer in self.answers)

    def to_dict(self) -> dict[str, Any]:
        """For JSON: the scores, and how often each answer was given."""
        interval = self.interval
        scores: dict[str, Any] = {
            "texts": len(self.targets),
            "accuracy": self.accuracy,
            "interval": [interval.low, interval.high],
            "answers": dict(Counter(map(self._shown, self.answers)).most_common(10)),
        }
        if self.balanced_accuracy is not None:
            scores["balanced_accuracy"] = self.balanced_accuracy
        error = self.mean_absolute_error
        if error is not None:  # JSON knows no NaN, which the error of no answer at all is
            scores["mean_absolute_error"] = None if math.isnan(error) else error
            scores["not_a_number"] = self.not_a_number
        if self.scoring != EXACT:
            scores["scoring"] = self.scoring.name
            scores["unreadable"] = self.unreadable
            scores["right"] = "".join("01"[right] for right in self.correct)
        return scores

    def _shown(self, answer: str) -> str:
        """An answer as it is counted: a scoring of a task reads it out of what was said."""
        if self.scoring == EXACT:
            return answer
        read = self.scoring.read(answer)
        return NO_ANSWER if read is None else read


def evaluate_answers(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    *,
    batch_size: int = 64,
    max_new_tokens: int | None = None,
    scoring: Scoring = EXACT,
    progress: str | None = None,
) -> Evaluation:
    """Ask a model every example's prompt, greedily, and keep its answers.

    Args:
        max_new_tokens: None for one more than the longest right answer has: an answer that goes
            on beyond that is wrong however it ends. The paper uses 512.
        scoring: which answers are right.
        progress: show a progress bar of this name.
    """
    if not examples:
        raise ValueError("expected at least one example to evaluate on, got none")
    answers = greedy_answers(
        model,
        tokenizer,
        [example.prompt for example in examples],
        batch_size=batch_size,
        max_new_tokens=max_new_tokens or _longest_answer(tokenizer, examples) + 1,
        progress=progress,
    )
    return Evaluation(tuple(answers), tuple(example.answer for example in examples), scoring)


def greedy_answers(
    model: Any,
    tokenizer: Any,
    prompts: Sequence[str],
    *,
    max_new_tokens: int,
    batch_size: int = 64,
    progress: str | None = None,
) -> list[str]:
    """The greedy continuation of each prompt, special tokens and outer spaces removed.

    The prompts are tokenised as the training texts are up to the answer: without the space at
    their end, and without the end-of-text token that some tokenizers append.
    """
    import torch
    from tqdm.auto import tqdm

    answers: list[str] = []
    bar = tqdm(total=len(prompts), desc=progress, unit="text", disable=progress is None)
    with torch.inference_mode(), evaluating(model), _left_padding(tokenizer), bar:
        for start in range(0, len(prompts), batch_size):
            texts = [prompt.rstrip() for prompt in prompts[start : start + batch_size]]
            batch = tokenizer(texts, return_tensors="pt", padding=True).to(model.device)
            input_ids, attention_mask = batch["input_ids"], batch["attention_mask"]
            if all(ids[-1] == tokenizer.eos_token_id for ids in input_ids.tolist()):
                input_ids, attention_mask = input_ids[:, :-1], attention_mask[:, :-1]
            generated = model.generate(
                input_ids=input_ids,
                attention_mask=attention_mask,
                max_new_tokens=max_new_tokens,
                use_cache=True,  # which a config saved while training may deny
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                repetition_penalty=1.0,  # some chat models bring their own: not greedy
                pad_token_id=tokenizer.pad_token_id,
                eos_token_id=tokenizer.eos_token_id,
            )
            new_tokens = generated[:, input_ids.shape[1] :]
            answers += tokenizer.batch_decode(new_tokens, skip_special_tokens=True)
            bar.update(len(answers) - bar.n)
    return [answer.strip() for answer in answers]


def references(
    train: Sequence[Example], test: Sequence[Example], *, scoring: Scoring = EXACT
) -> dict[str, Evaluation]:
    """What rules that learn nothing (or next to nothing) answer to the test texts.

    For every task: the constant answer that is most frequent in training. For STG_E also: the
    score computed from the spurious values alone, each inverted by hand into its cause; and a
    table of the causal triples seen in training, the constant for the others. For STG_H also: the
    best linear function of the spurious values; and how far a text tells its answer, which comes
    from values with more decimals: the game's rule on the causal values as written, and on the
    middle of their whole parts (38.5 for "38.1%"), which is all that ``tiny`` reads. The tasks have
    more rules of their own: :func:`cat.tasks.task_references`.

    Args:
        scoring: which answers are right, and which are one and the same.
    """
    targets = tuple(example.answer for example in test)
    given = (example.answer for example in train)
    constant = Counter(scoring.read(answer) or answer for answer in given).most_common(1)[0][0]
    found = {f"always {constant}": Evaluation((constant,) * len(test), targets, scoring)}
    game = _game(*train, *test)
    if game == "STG_E":
        table = {_causal_triple(example): example.answer for example in train}
        looked_up = tuple(table.get(_causal_triple(example), constant) for example in test)
        by_spurious = tuple(_answer_by_spurious(example) for example in test)
        found["spurious values, inverted by hand"] = Evaluation(by_spurious, targets)
        found["table of the causal triples seen"] = Evaluation(looked_up, targets)
    if game == "STG_H":
        fitted = tuple(_fitted_on_spurious(train, test))
        written = tuple(_answer_as_written(example) for example in test)
        whole = tuple(_answer_as_written(example, whole=True) for example in test)
        found["spurious values, by least squares"] = Evaluation(fitted, targets)
        found["rule on the values as written"] = Evaluation(written, targets)
        found["rule on whole parts, as tiny reads"] = Evaluation(whole, targets)
    return found


def wilson_interval(successes: int, n: int) -> Interval:
    """95% interval of a proportion (Wilson 1927).

    >>> interval = wilson_interval(351, 400)
    >>> round(interval.low, 3), round(interval.high, 3)
    (0.842, 0.906)
    """
    from scipy.stats import binomtest

    bounds = binomtest(successes, n).proportion_ci(0.95, method="wilson")
    return Interval(float(bounds.low), float(bounds.high))


def seed_interval(values: Sequence[float]) -> Interval:
    """95% interval of the mean over seeds (Student's t); none for a single value."""
    from scipy.stats import t

    n = len(values)
    if n < 2:
        return Interval(None, None)
    mean = sum(values) / n
    variance = sum((value - mean) ** 2 for value in values) / (n - 1)
    half = float(t.ppf(0.975, n - 1)) * math.sqrt(variance / n)
    return Interval(mean - half, mean + half)


def _longest_answer(tokenizer: Any, examples: Sequence[Example]) -> int:
    answers = [f" {answer}" for answer in {example.answer for example in examples}]
    return max(len(ids) for ids in tokenizer(answers, add_special_tokens=False)["input_ids"])


@contextmanager
def _left_padding(tokenizer: Any) -> Any:
    side = tokenizer.padding_side
    tokenizer.padding_side = "left"
    try:
        yield
    finally:
        tokenizer.padding_side = side


@lru_cache(maxsize=8192)  # the training texts are read for each test set
def _read(text: str) -> tuple[CausalModel, Mapping[str, tuple[float, Span]]] | None:
    return read_factors(text)


def _game(*examples: Example) -> str | None:
    """The one game that all texts are of; None for other texts."""
    read = (_read(example.text) for example in examples)
    games = {found[0].name if found else None for found in read}
    return games.pop() if len(games) == 1 else None


def _values(example: Example) -> Mapping[str, float]:
    read = _read(example.text)
    assert read is not None, "only called on texts of the game"
    return {name: value for name, (value, _) in read[1].items()}


def _causal_triple(example: Example) -> tuple[float, ...]:
    values = _values(example)
    return tuple(values[name] for name in GAMES["STG_E"][0].named("causal"))


def _answer_by_spurious(example: Example) -> str:
    """The rule on causes guessed from their companions; half a unit makes up for rounding down."""
    values = _values(example)
    guessed = {
        "Smoking": (values["Yellow fingers"] + 0.5) / 1.5,
        "Weight": values["Clothing size"],
        "Exercise": 2 * values["Hormones"] + 0.5,
    }
    answer: str = GAMES["STG_E"][0].answer(guessed)
    return answer


def _fitted_on_spurious(train: Sequence[Example], test: Sequence[Example]) -> list[str]:
    import numpy as np

    names = GAMES["STG_H"][0].named("spurious")

    def values(examples: Sequence[Example]) -> Any:
        read = [_values(example) for example in examples]
        return np.array([[1.0, *(one[name] for name in names)] for one in read])

    wanted = np.array([float(example.answer) for example in train])
    weights, *_ = np.linalg.lstsq(values(train), wanted, rcond=None)
    return [str(round(answer)) for answer in values(test) @ weights]


def _answer_as_written(example: Example, *, whole: bool = False) -> str:
    values = _values(example)
    if whole:
        values = {name: math.floor(value) + 0.5 for name, value in values.items()}
    return str(GAMES["STG_H"][0].answer(values))
