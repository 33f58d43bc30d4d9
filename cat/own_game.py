"""A game of one's own: factors, what follows what, and a rule, as plain data.

Like the Spurious Token Game (:mod:`cat.stg`): causes determine the answer by a rule; companions
follow a cause in training and no longer do so out of distribution; irrelevant factors do neither.

>>> splits = BEACH.splits()
>>> {name: len(examples) for name, examples in splits.items()}
{'train': 1600, 'test_iid': 400, 'test_ood': 400}
>>> example = splits["test_ood"][0]
>>> example.text[:66], example.answer
('Will the lifeguards be busy today? Surfers: 9, Dogs: 6, Lifeguards', 'Quiet')
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, asdict, dataclass, fields
from functools import cached_property, partial
from pathlib import Path
from random import Random
from typing import Any

from cat.game_words import GameWords
from cat.own_game_checks import GameError, check_game
from cat.scm import CausalModel, Role, Values, Variable
from cat.signals import Example
from cat.stg import Ood, annotate
from cat.tiny import tiny_model, tiny_tokenizer

__all__ = ["BEACH", "Factor", "GameError", "OwnGame", "answer_shares"]


@dataclass(frozen=True)
class Factor:
    """A row of the game: what it is called, its whole numbers, and what it does.

    Attributes:
        role: "causal" for what the rule reads, "spurious" for a companion, which follows a cause,
            "irrelevant" for the rest.
        lowest, highest: the ends of its values, both included.
        weight: of a cause in the rule.
        follows: the factor that a companion follows, or a cause, where causes depend on one
            another: its value is then ``slope`` times the other's plus ``offset``, rounded, and
            kept within the ends.

    >>> Factor("Ice creams", "spurious", 1, 20, follows="Heat", slope=2).following(4)
    8
    """

    name: str
    role: Role
    lowest: int = 1
    highest: int = 10
    weight: float = 0.0
    follows: str = ""
    slope: float = 1.0
    offset: float = 0.0

    @property
    def values(self) -> range:
        """The whole numbers that it may have."""
        return range(self.lowest, self.highest + 1)

    def following(self, value: int) -> int:
        """Its value where the factor that it follows has ``value``."""
        nearest = math.floor(round(self.slope * value + self.offset, 9) + 0.5)
        return min(max(nearest, self.lowest), self.highest)

    @property
    def free(self) -> Variable:
        """Drawn from its whole range, whatever the others are."""
        return Variable(
            self.name,
            self.role,
            f"uniform on {self.lowest}..{self.highest}",
            lambda values, noise: noise,
            noise=lambda rng: rng.randint(self.lowest, self.highest),
        )

    @property
    def variable(self) -> Variable:
        """Following what it follows, or free."""
        if not self.follows:
            return self.free
        return Variable(
            self.name,
            self.role,
            f"{_sum([(self.slope, self.follows)], self.offset)}, within "
            f"{self.lowest}..{self.highest}",
            lambda values, noise: self.following(values[self.follows]),
            parents=(self.follows,),
        )


@dataclass(frozen=True)
class OwnGame:
    """A game, checked when it is made; see :class:`Factor` for its rows.

    Attributes:
        name: of the game, for titles and files.
        question: stands in front of each text.
        threshold: the first answer is right where the weighted sum of the causes is above it.
        answers: the one above the threshold, and the other.
        spurious_ratio: the share of the texts in distribution in which a companion follows; in the
            others it is drawn from its whole range.
        ood: what companions do out of distribution: "uniform", each drawn from its whole range, or
            "marginals", each keeps its distribution and only the dependence is broken.
        seed: of the random numbers.
        train_texts, test_texts: how many there are; of ``test_iid`` and ``test_ood`` each.

    Raises:
        GameError: something is wrong; it says in which field, what was expected, and what to do.

    >>> game = OwnGame(
    ...     "Garden", "Will the plant grow?",
    ...     (Factor("Sun", "causal", weight=1), Factor("Water", "causal", weight=1),
    ...      Factor("Sunglasses", "spurious", follows="Sun")),
    ...     threshold=11, answers=("It grows", "It does not grow"),
    ... )
    >>> game.models[0].rule, game.models[0].equations["Sunglasses"]
    ('It grows when Sun + Water > 11, else It does not grow', 'Sun, within 1..10')
    """

    name: str
    question: str
    factors: tuple[Factor, ...]
    threshold: float
    answers: tuple[str, str]
    spurious_ratio: float = 1.0
    ood: Ood = "uniform"
    seed: int = 42
    train_texts: int = 1600
    test_texts: int = 400

    def __post_init__(self) -> None:
        check_game(self)

    @cached_property
    def models(self) -> tuple[CausalModel, CausalModel]:
        """The causal model in distribution, and the one out of distribution."""
        following = CausalModel(
            name=self.name,
            variables=tuple(factor.variable for factor in self._in_causal_order()),
            answer=partial(_answer, self),
            rule=f"{self.answers[0]} when {self._rule_sum} > {self.threshold:g}, "
            f"else {self.answers[1]}",
            answers=self.answers,
        )
        companions = following.named("spurious")
        free = following.replace_variables(
            {factor.name: factor.free for factor in self.factors if factor.role == "spurious"}
        )
        # Without any following, the graph has no arrow to a companion either.
        iid = following.mix(free, companions, self.spurious_ratio) if self.spurious_ratio else free
        return iid, free if self.ood == "uniform" else iid.shuffled(companions)

    def score(self, values: Values) -> float:
        """The weighted sum that the rule compares with the threshold."""
        # Rounded, or 0.1 + 0.2 would be above 0.3.
        return round(sum(f.weight * values[f.name] for f in self.factors if f.role == "causal"), 9)

    def example(self, values: Values, order: Sequence[str]) -> Example:
        """The text that tells these values in this order, with its answer, roles and signals.

        >>> values = {factor.name: factor.lowest for factor in BEACH.factors}
        >>> BEACH.example(values, list(values)).answer
        'Quiet'
        """
        facts = ", ".join(f"{name}: {values[name]}" for name in order)
        game, _ = self.models
        example = Example(f"{self.question} {facts} Answer: ", game.answer(values))
        return annotate(example, game)

    def splits(self) -> dict[str, list[Example]]:
        """``train``, ``test_iid`` and ``test_ood``, the factors of each text in random order.

        The test texts do not depend on how many there are to train on.
        """
        rng = Random(self.seed)
        iid, ood = self.models
        test_iid = [self._draw(iid, rng) for _ in range(self.test_texts)]
        test_ood = [self._draw(ood, rng) for _ in range(self.test_texts)]
        train = [self._draw(iid, rng) for _ in range(self.train_texts)]
        return {"train": train, "test_iid": test_iid, "test_ood": test_ood}

    @property
    def words(self) -> GameWords:
        """What the texts are made of, for a tokenizer that knows each as one token."""
        values = {factor.name: factor.values for factor in self.factors}
        return GameWords(self.question, self.answers, values)

    def fresh_model(self) -> tuple[Any, Any]:
        """An untrained ``tiny`` that reads this game, and its tokenizer.

        >>> model, tokenizer = BEACH.fresh_model()
        >>> tokenizer.tokenize("Heat: 8, Waves: 10 Answer: Busy")
        ['Heat: 8', 'Waves: 10', 'Answer:', 'Busy']
        """
        return tiny_model(words=self.words), tiny_tokenizer(words=self.words)

    # -- as a file -------------------------------------------------------------------------

    def save(self, path: str | Path) -> Path:
        """Write the game as JSON; a file that holds something else is not overwritten.

        Raises:
            ValueError: the name does not end in ``.json``, or the file there is no game.
        """
        path = Path(path)
        if path.suffix != ".json":
            raise ValueError(f"expected a file name that ends in .json, got {str(path)!r}")
        if path.exists():
            _check_replaceable(path)
        partial_file = path.with_name(path.name + ".partial")
        text = json.dumps(asdict(self), indent=1, ensure_ascii=False)
        partial_file.write_text(text + "\n", encoding="utf-8")
        return partial_file.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> OwnGame:
        """The game in a file that :meth:`save` wrote.

        Raises:
            ValueError: no such file, or it holds no game; a :class:`GameError` where it holds one
                that something is wrong with.
        """
        path = Path(path)
        if not path.is_file():
            raise ValueError(f"{path}: no such file; save a game under this name first")
        try:
            return cls.from_dict(json.loads(path.read_text(encoding="utf-8")))
        except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
            raise ValueError(f"{path}: expected a game as JSON, got a broken file ({error})") from (
                error
            )

    @classmethod
    def from_dict(cls, data: Any) -> OwnGame:
        """The game that a JSON object describes: the fields of the class, by name."""
        known = _known_fields(cls, data, "a game")
        rows = known.get("factors")
        if not isinstance(rows, list):
            raise GameError("factors", f"expected a list, got {rows!r}")
        known["factors"] = tuple(Factor(**_known_fields(Factor, row, "a factor")) for row in rows)
        if isinstance(known["answers"], list):
            known["answers"] = tuple(known["answers"])
        return cls(**known)

    # -- inside ----------------------------------------------------------------------------

    def _in_causal_order(self) -> list[Factor]:
        """Each behind what it follows, else as listed."""
        by_name = {factor.name: factor for factor in self.factors}

        def depth(factor: Factor) -> int:
            return 1 + depth(by_name[factor.follows]) if factor.follows else 0

        return sorted(self.factors, key=depth)

    @property
    def _rule_sum(self) -> str:
        return _sum([(f.weight, f.name) for f in self.factors if f.role == "causal"])

    def _draw(self, model: CausalModel, rng: Random) -> Example:
        values = model.sample(rng).values
        order = list(model.roles)
        rng.shuffle(order)
        return self.example(values, order)


def answer_shares(examples: Sequence[Example]) -> dict[str, float]:
    """Answer -> the share of the texts that it is right for, the most frequent first.

    >>> answer_shares([Example("a", "Busy"), Example("b", "Busy"), Example("c", "Quiet")])
    {'Busy': 0.6666666666666666, 'Quiet': 0.3333333333333333}
    """
    counts = Counter(example.answer for example in examples)
    return {answer: count / len(examples) for answer, count in counts.most_common()}


def _answer(game: OwnGame, values: Values) -> str:
    return game.answers[0] if game.score(values) > round(game.threshold, 9) else game.answers[1]


def _sum(terms: Sequence[tuple[float, str]], constant: float = 0.0) -> str:
    """A weighted sum in words.

    >>> _sum([(2, "Heat"), (-1, "Waves")], 0.5)
    '2 Heat - Waves + 0.5'
    """
    parts = [(weight, f"{abs(weight):g} {name}") for weight, name in terms]
    parts = [(weight, part.removeprefix("1 ")) for weight, part in parts]
    if constant:
        parts.append((constant, f"{abs(constant):g}"))
    text = "".join(f" {'-' if weight < 0 else '+'} {part}" for weight, part in parts)
    return text[3:] if text.startswith(" + ") else f"-{text[3:]}"


BEACH = OwnGame(
    name="A day at the beach",
    question="Will the lifeguards be busy today?",
    factors=(
        Factor("Heat", "causal", weight=1),
        Factor("Waves", "causal", weight=1),
        Factor("Lifeguards", "causal", weight=-0.5),
        Factor("Ice creams sold", "spurious", 1, 20, follows="Heat", slope=2),
        Factor("Surfers", "spurious", follows="Waves"),
        Factor("Dogs", "irrelevant"),
        Factor("Ships in sight", "irrelevant"),
    ),
    threshold=9,
    answers=("Busy", "Quiet"),
)
"""A game to start from: ice cream does not make the lifeguards busy."""


def _check_replaceable(path: Path) -> None:
    try:
        OwnGame.load(path)
    except GameError:
        return  # a game all the same
    except ValueError as error:
        raise ValueError(
            f"{path} is there and holds no game, so it is left alone: choose another name"
        ) from error


def _known_fields(kind: type, data: Any, what: str) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise ValueError(f"expected {what} as a JSON object, got {type(data).__name__}")
    wanted = {field.name: field for field in fields(kind)}
    unknown = sorted(set(data) - set(wanted))
    missing = sorted(n for n, f in wanted.items() if f.default is MISSING and n not in data)
    if unknown or missing:
        raise ValueError(
            f"expected {what} with the fields {', '.join(wanted)}; missing: "
            f"{', '.join(missing) or 'none'}; unknown: {', '.join(unknown) or 'none'}"
        )
    return dict(data)
