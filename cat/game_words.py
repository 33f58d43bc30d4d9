"""What a game's texts are made of: the vocabulary of a model that reads this game only.

Of STG_E's texts everything is read. Of STG_H's numbers the whole part is read, not the decimals and
units: "Coal Dependency: 38" of "Coal Dependency: 38.1%". What is left out is part of the answer:
the game's rule is right in 98% of the test texts on the values as written, on the middle of what
is read (38.5) in 71% (:func:`cat.evaluate.references` measures both).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cat.signals import Example
from cat.stg import STG_E, STG_E_QUESTION, STG_H, STG_H_QUESTION, read_factors

__all__ = ["STG_E_WORDS", "STG_H_WORDS", "WORDS", "GameWords", "game_of"]


@dataclass(frozen=True)
class GameWords:
    """What a game's texts are made of, which a word-level tokenizer must know.

    Attributes:
        question: the sentences around the factors; each is one token.
        answers: each is one token.
        values: factor -> the whole numbers that it may have, or how they are written ("54th").
        read_as: (regular expression, what is read in its place), in this order.
        alike_within: fresh embeddings of numbers that are at most about so far apart are alike.
            At 0 every number begins as a stranger to its neighbours, and where each of many values
            is seldom seen, training may stand still: on STG_H, three of five seeds ended near the
            constant answer, and with widths of 5, 10 and 20 none of eighteen runs did.

    >>> from cat.tiny import tiny_tokenizer
    >>> words = GameWords("Will it rain?", ("Rain", "No rain"), {"Clouds": range(2)})
    >>> tiny_tokenizer(words=words).tokenize("Will it rain? Clouds: 1 Answer: No rain")
    ['Will it rain?', 'Clouds: 1', 'Answer:', 'No rain']
    """

    question: str
    answers: tuple[str, ...]
    values: Mapping[str, Iterable[int | str]]
    read_as: tuple[tuple[str, str], ...] = ()
    alike_within: float = 0.0


def _whole_parts(lowest: int, highest: int) -> list[str]:
    """The numbers from one end to the other without their decimals; "-0" is that of -0.4.

    >>> _whole_parts(-2, 1)
    ['-2', '-1', '-0', '0', '1']
    """
    below = [*map(str, range(lowest, 0)), "-0"] if lowest < 0 else []
    return [*below, *map(str, range(max(lowest, 0), highest + 1))]


STG_E_WORDS = GameWords(
    STG_E_QUESTION,
    ("High Risk", "Low Risk", "Middle Risk"),
    dict.fromkeys(STG_E.roles, range(0, 21)),  # 1..15 in the game; a few more for those who try
)

STG_H_WORDS = GameWords(
    STG_H_QUESTION,
    STG_H.answers,
    {  # both distributions and five standard deviations of their noise
        "Industrial Emissions": _whole_parts(20, 80),
        "Vehicle Emissions": _whole_parts(10, 70),
        "Coal Dependency": _whole_parts(0, 60),
        "Agricultural Burning": _whole_parts(0, 40),
        "Urban Green Coverage": _whole_parts(25, 95),
        "Meteorological Dispersion": _whole_parts(35, 105),
        "Ice Cream Sales Index": _whole_parts(0, 55),
        "Allergy Complaints Level": _whole_parts(-15, 25),
        "Renewable Stock Index": _whole_parts(0, 100),
        "Public Transport Subscriptions (k)": _whole_parts(-10, 25),
        "Water Awareness Score": _whole_parts(-20, 10),
        "City Anniversary": _whole_parts(1, 100),
        "Average Internet Speed": _whole_parts(60, 140),
        "Number of Libraries": _whole_parts(10, 50),
    },
    read_as=((r"(?<=\d)(?:\.\d)?(?:%|th|Mbps)?[;.](?=\s|$)", ""),),
    alike_within=10.0,
)

WORDS: Mapping[str, GameWords] = {"STG_E": STG_E_WORDS, "STG_H": STG_H_WORDS}
"""Those of each game of :data:`cat.stg.GAMES`."""


def game_of(examples: Sequence[Example]) -> str | None:
    """The game that the texts are of, by the first; None for other texts.

    >>> game_of([Example("What is two and two? Answer: ", "4")])
    """
    read = read_factors(examples[0].text) if examples else None
    return None if read is None else read[0].name
