"""A model in training, looked at for a moment: what it answers, and where it looks.

Looking leaves no trace: modules go on training or not as before, no random number is drawn, no
gradient is touched, the attention implementation stays. A training that was looked at ends with the
same weights, bit for bit, as one that was not.

    >>> from cat.data import load_data
    >>> from cat.models import load_model
    >>> model, tokenizer = load_model("tiny/alpha-10")
    >>> tests = {name: texts for name, texts in load_data("stg-e").items() if name != "train"}
    >>> seen = take_snapshot(model, tokenizer, choose_watched(tests, tokenizer, texts=20), step=7)
    >>> seen.accuracies
    {'test_iid': 1.0, 'test_ood': 1.0}
    >>> bool(seen.scores.medians["causal"] > 5 * seen.scores.medians["spurious"])
    True
    >>> seen.map.values.shape  # (query, key)
    (11, 11)
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from cat.alignment import Aligned, align
from cat.evaluate import Evaluation, evaluate_answers
from cat.signals import Example
from catviz.density import role_scores
from catviz.maps import MeanMap
from catviz.reading import mean_map, read_text
from catviz.roles import mark_roles
from catviz.scores import SCORED_ROLES, RoleScores
from catviz.words import Role

__all__ = [
    "MOST_TOKENS",
    "Constant",
    "Snapshot",
    "SupervisedRows",
    "Watched",
    "choose_watched",
    "constant_answer",
    "role_densities",
    "take_snapshot",
]

MOST_TOKENS = 160  # of a map that is to be drawn again and again
_SHORT = 100  # tokens; a text of more is taken only where all are longer


@dataclass(frozen=True)
class Watched:
    """The texts on which a model in training is looked at.

    Attributes:
        tests: name -> texts that it is asked to answer.
        scored: texts with roles, whose words' attention scores are taken; may be none.
        text: the one whose map is drawn; None where every text is too long for that.
        home: name of the set that ``scored`` and ``text`` are from.
    """

    tests: Mapping[str, tuple[Example, ...]]
    scored: tuple[Example, ...]
    text: Example | None
    home: str


@dataclass(frozen=True, eq=False)
class Snapshot:
    """A model at one moment of its training.

    Attributes:
        step: optimizer steps done.
        accuracies: name -> share of the watched texts that are answered right.
        scores: the attention scores of words by role; None without texts that have roles.
        map: the mean attention over all layers and heads, on one text; None without such a text.
    """

    step: int
    accuracies: Mapping[str, float]
    scores: RoleScores | None
    map: MeanMap | None


@dataclass(frozen=True)
class Constant:
    """What always giving one answer scores: ``accuracies`` by test set."""

    answer: str
    accuracies: Mapping[str, float]


def constant_answer(train: Sequence[Example], tests: Mapping[str, Sequence[Example]]) -> Constant:
    """The answer that is most frequent in training, and how often it is right in each test set.

    >>> train = [Example("1 + 1 =", "2"), Example("2 + 0 =", "2"), Example("1 + 0 =", "1")]
    >>> constant_answer(train, {"test": train})
    Constant(answer='2', accuracies={'test': 0.6666666666666666})
    """
    answer = Counter(example.answer for example in train).most_common(1)[0][0]
    return Constant(
        answer,
        {
            name: Evaluation((answer,) * len(texts), tuple(e.answer for e in texts)).accuracy
            for name, texts in tests.items()
        },
    )


@dataclass(frozen=True, eq=False)
class SupervisedRows:
    """The attention rows of training texts that have a cause, by what they see.

    Attributes:
        causes, visible: (row,), the tokens that are causes, and all that the row sees.

    >>> rows = SupervisedRows(causes=np.array([3]), visible=np.array([12]))
    >>> round(rows.share_asked(10.0), 3)  # 3 causes of weight 10 beside 9 others of weight 1
    0.769
    """

    causes: np.ndarray
    visible: np.ndarray

    @classmethod
    def of(cls, texts: Iterable[Aligned]) -> SupervisedRows:
        """Those of aligned texts, rows that see nothing but causes left out."""
        aligned = [text for text in texts if text.rows]
        causes = np.concatenate([text.causes.sum(axis=1) for text in aligned] or [np.zeros(0)])
        visible = np.concatenate([np.array(text.rows) + 1 for text in aligned] or [np.zeros(0)])
        valid = (causes > 0) & (causes < visible)
        return cls(causes[valid], visible[valid])

    def share_asked(self, alpha: float) -> float:
        """The share of attention on causes at which C/N is ``alpha``, mean over the rows.

        With k causes among n tokens C = share / k and N = (1 - share) / (n - k), so C/N = alpha
        (the bound of the loss, section 4.2 of the paper) at share = alpha k / (alpha k + n - k).
        NaN without rows.
        """
        if not self.causes.size:
            return math.nan
        weight = alpha * self.causes
        return float((weight / (weight + self.visible - self.causes)).mean())


def role_densities(
    scores: RoleScores, *, end: float, points: int = 161, width: float = 0.025
) -> dict[Role, tuple[np.ndarray, np.ndarray]]:
    """Role -> (score, density), on one axis and with one kernel whatever the scores.

    A Gaussian kernel of a fixed width, mirrored at 0, so that the curves of two moments can be
    compared and words with equal scores still have one.

    Args:
        end: of the axis, which begins at 0.
        points: of a curve.
        width: of the kernel (its standard deviation), as a share of the axis.

    >>> scores = RoleScores({"causal": np.array([0.2, 0.2])}, {"causal": np.array([0, 1])},
    ...                     numbers=np.array([0, 1]), on_causes=np.array([0.2, 0.2]),
    ...                     on_others=np.array([0.1, 0.1]), texts_seen=2, left_out={})
    >>> x, y = role_densities(scores, end=0.5)["causal"]
    >>> round(float(x[y.argmax()]), 3), round(float(np.trapezoid(y, x)), 3)
    (0.2, 1.0)
    """
    x = np.linspace(0.0, end, points)
    h = width * end
    return {role: (x, _kernels(x, values, h)) for role, values in scores.at().items()}


def _kernels(x: np.ndarray, values: np.ndarray, h: float) -> np.ndarray:
    far = (x[:, None] - np.concatenate([values, -values])) / h  # (point, word)
    heights: np.ndarray = np.exp(-0.5 * far**2).sum(axis=1)
    return heights / (len(values) * h * math.sqrt(2 * math.pi))


def choose_watched(
    tests: Mapping[str, Sequence[Example]], tokenizer: Any, *, texts: int = 100, scored: int = 40
) -> Watched:
    """Choose the texts to look at: the first of each test set, with roles of "test_ood" (or else
    of the last set).

    Args:
        tests: name -> examples, at least one.
        texts: how many of each set are answered.
        scored: how many texts with roles are scored.

    Raises:
        ValueError: no test set, or one without texts.
    """
    if not tests or not all(tests.values()):
        raise ValueError(
            "expected at least one test set and texts in each, got "
            + (", ".join(f"{name}: {len(e)}" for name, e in tests.items()) or "none")
        )
    home = "test_ood" if "test_ood" in tests else list(tests)[-1]
    marked = [mark_roles(example) for example in tests[home][: 4 * max(scored, 1)]]
    return Watched(
        tests={name: tuple(examples[:texts]) for name, examples in tests.items()},
        scored=tuple([e for e in marked if _can_be_scored(e, tokenizer)][:scored]),
        text=_text_to_draw(marked, tokenizer),
        home=home,
    )


def take_snapshot(
    model: Any, tokenizer: Any, watched: Watched, *, step: int, name: str = "model"
) -> Snapshot:
    """Look at a model now.

    On ``tiny`` with 2 x 100 texts answered and 40 scored this takes about 50 ms on one thread.

    Args:
        step: how many steps it was trained.
        name: what to call it in the map.

    Raises:
        ValueError: attention that is NaN (training diverged).
    """
    return Snapshot(
        step=step,
        accuracies={
            of: evaluate_answers(model, tokenizer, texts, batch_size=128).accuracy
            for of, texts in watched.tests.items()
        },
        scores=role_scores(model, tokenizer, watched.scored) if watched.scored else None,
        map=mean_map(model, tokenizer, watched.text, name=name) if watched.text else None,
    )


def _can_be_scored(example: Example, tokenizer: Any) -> bool:
    """Whether every word with a role has a token in front of the answer."""
    if not example.roles or any(word.role not in SCORED_ROLES for word in example.roles):
        return False
    aligned = align(example, tokenizer, add_eos=False)
    row = next((row for row in aligned.answer_rows if row >= 0), -1)
    return all(
        any(token <= row for token in aligned.tokens_of(word.span)) for word in example.roles
    )


def _text_to_draw(examples: Sequence[Example], tokenizer: Any) -> Example | None:
    """The first short text with roles, or else the shortest of all."""
    sizes = [len(read_text(example, tokenizer).tokens) for example in examples]
    with_roles = [
        example
        for example, size in zip(examples, sizes, strict=True)
        if example.roles and size <= _SHORT
    ]
    if with_roles:
        return with_roles[0]
    shortest = min(range(len(sizes)), key=sizes.__getitem__)
    return examples[shortest] if sizes[shortest] <= MOST_TOKENS else None
