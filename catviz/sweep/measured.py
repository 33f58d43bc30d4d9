"""What the models of a sweep do with texts: attention, answers, effects, one model in memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cat.signals import Example
from catviz.sweep.models import Sweep, TunedModel

if TYPE_CHECKING:
    from catviz.effects.interventions import Effect
    from catviz.maps import MeanMap
    from catviz.scores import RoleScores

__all__ = ["Measured", "measure_afresh"]


@dataclass(frozen=True, eq=False)
class Measured:
    """What one model of a sweep does with texts.

    Attributes:
        scores: attention on each word, by role, over all texts.
        maps: of the texts that are shown, in order.
        says: the model's greedy answer to each of these.
        effects: of each factor on the answer, over the first texts; empty where the texts are of no
            game, whose causal model would be needed.
    """

    tuned: TunedModel
    scores: RoleScores
    maps: tuple[MeanMap, ...]
    says: tuple[str, ...]
    effects: tuple[Effect, ...]


def measure_afresh(
    sweep: Sweep, texts: Sequence[Example], shown: int, effect_texts: int, progress: str | None
) -> tuple[Measured, ...]:
    """Every model loaded and measured; see :func:`catviz.sweep.measure` for the arguments."""
    from tqdm.auto import tqdm

    bar = tqdm(sweep.models, desc=progress, unit="model", disable=progress is None, leave=False)
    found = tuple(_measure(tuned, texts, shown, effect_texts) for tuned in bar)
    _check_same_tokens(found)
    return found


def _measure(
    tuned: TunedModel, texts: Sequence[Example], shown: int, effect_texts: int
) -> Measured:
    from cat.evaluate import evaluate_answers
    from cat.models import load_model
    from cat.stg import read_factors
    from cat.tiny import suitable_threads
    from catviz.density import role_scores
    from catviz.effects.interventions import average_effects
    from catviz.effects.plain import PlainModel
    from catviz.reading import mean_map

    model, tokenizer = load_model(str(tuned.folder))
    plain = PlainModel(model, tokenizer, tuned.name)
    some = texts[:effect_texts]
    of_a_game = all(read_factors(text.text) is not None for text in some)
    with suitable_threads(model):
        return Measured(
            tuned=tuned,
            scores=role_scores(model, tokenizer, texts),
            maps=tuple(
                mean_map(model, tokenizer, text, name=tuned.name, label=f"text {number}")
                for number, text in enumerate(texts[:shown], start=1)
            ),
            says=evaluate_answers(model, tokenizer, texts[:shown]).answers,
            effects=tuple(average_effects(plain, some, batch_size=64)) if of_a_game else (),
        )


def _check_same_tokens(found: Sequence[Measured]) -> None:
    first = found[0]
    for other in found[1:]:
        for one, two in zip(first.maps, other.maps, strict=True):
            if one.words != two.words:
                raise ValueError(
                    f"expected models that read a text as the same tokens, but {one.text} is "
                    f"{one.size} tokens to {one.model} and {two.size} to {two.model}: put the "
                    "models of one tokenizer into a folder of their own"
                )
