"""Texts with some factors drawn anew: each on its own, from the values that it has in other texts.

A factor drawn anew keeps its distribution and loses its dependence on all others. Redrawing the
spurious and the irrelevant factors and keeping the answer is counterfactual augmentation; redrawing
one role and asking a model again shows what that role does to its answers.

>>> from cat.stg import STG_E, annotate, stg_e
>>> examples = [annotate(Example.from_record(record)) for record in stg_e()["test_iid"]]
>>> new = redraw(examples, ("spurious",), seed=0)
>>> for example in examples[1], new[1]:
...     print(example.text.split(", ")[1:4], example.answer)
['Hormones: 1', 'Room size: 4', 'Yellow fingers: 1'] Low Risk
['Hormones: 2', 'Room size: 4', 'Yellow fingers: 3'] Low Risk
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from random import Random

from cat.scm import CausalModel, Role
from cat.signals import Example, Place, RoleSpan, Signal, Span
from cat.stg import read_factors

__all__ = ["redraw", "values_as_written"]


def redraw(
    examples: Sequence[Example],
    roles: Collection[Role],
    *,
    seed: int,
    values: Mapping[str, Sequence[str]] | None = None,
    game: CausalModel | None = None,
) -> list[Example]:
    """The examples, with every factor of some roles written as in a text drawn at random.

    Each factor of each text is drawn on its own. All other words stay as they were.

    Args:
        examples: with roles, as :func:`cat.stg.annotate` gives them.
        roles: of the factors that are drawn anew.
        seed: of the draws.
        values: what to draw from, as :func:`values_as_written` gives it; None for the values in
            ``examples``.
        game: whose rule gives the answers to the new texts; None keeps the answers as they are.

    Returns:
        As many examples, in the same order. Where causes were redrawn, the signals are the places
        of the answer and of the causal factors: phrases of the old text would not be found.

    Raises:
        ValueError: an example without a factor of these roles; no values for one; a text that is
            not the game's.
    """
    values = values_as_written(examples) if values is None else values
    rng = Random(seed)
    new = []
    for number, example in enumerate(examples):
        factors = [factor for factor in example.roles if factor.role in roles]
        if not factors:
            raise ValueError(
                f"text {number}: expected a factor that is {' or '.join(sorted(roles))}, got "
                f"{sorted({factor.role for factor in example.roles}) or 'no roles'} in "
                f"{example.prompt[:60]!r}; cat.stg.annotate adds the game's"
            )
        edits = [(factor.span, _draw(factor, values, rng)) for factor in factors]
        new.append(_rewritten(example, edits, "causal" in roles, game))
    return new


def values_as_written(examples: Sequence[Example]) -> dict[str, list[str]]:
    """Factor -> how it is written in each text, "Smoking: 8".

    >>> from cat.signals import RoleSpan
    >>> rain = Example("Rain: 3 Wind: 4", "wet", roles=(RoleSpan(Span(0, 7), "Rain", "causal"),))
    >>> values_as_written([rain, rain])
    {'Rain': ['Rain: 3', 'Rain: 3']}
    """
    written: dict[str, list[str]] = {}
    for example in examples:
        for factor in example.roles:
            start, end = factor.span
            written.setdefault(factor.name, []).append(example.full_text[start:end])
    return written


_Edit = tuple[Span, str]
"""A stretch of a text, and what is written in its place."""


def _draw(factor: RoleSpan, values: Mapping[str, Sequence[str]], rng: Random) -> str:
    if not values.get(factor.name):
        raise ValueError(f"expected values to draw {factor.name!r} from, got {sorted(values)}")
    return rng.choice(values[factor.name])


def _rewritten(
    example: Example, edits: Sequence[_Edit], causes_moved: bool, game: CausalModel | None
) -> Example:
    text = example.text
    for span, new in sorted(edits, reverse=True):  # from the end: places before stay right
        text = text[: span.start] + new + text[span.end :]
    growth = [(span.end, len(new) - (span.end - span.start)) for span, new in edits]
    answer = example.answer if game is None else _answer(text, game)

    def moved(place: Place) -> Place:
        return place if isinstance(place, str) else _moved(place, growth)

    roles = tuple(RoleSpan(_moved(r.span, growth), r.name, r.role) for r in example.roles)
    if not causes_moved and game is None:
        signals = tuple(
            Signal(moved(s.effect), tuple(map(moved, s.causes))) for s in example.signals
        )
        return Example(text, answer, signals, roles)
    effect = Example(text, answer).answer_span
    causes = tuple(role.span for role in roles if role.role == "causal")
    signals = (Signal(effect, causes),) if answer and causes else ()
    return Example(text, answer, signals, roles)


def _moved(span: Span, growth: Sequence[tuple[int, int]]) -> Span:
    """Where a stretch of the old text, or what was written in its place, stands in the new one.

    Args:
        growth: where each edit ended in the old text, and by how much it made the text longer.
    """
    start = span.start + sum(by for end, by in growth if end <= span.start)
    return Span(start, span.end + sum(by for end, by in growth if end <= span.end))


def _answer(text: str, game: CausalModel) -> str:
    read = read_factors(text, game)
    if read is None:
        raise ValueError(f"expected a text of {game.name} with all its factors, got {text[:60]!r}")
    return str(game.answer({name: value for name, (value, _) in read[1].items()}))
