"""What an explorer knows: models that are loaded, what they read, and what they answer."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cat.signals import Example
from cat.tiny import SMALL, suitable_threads
from catviz.effects.answers import game_answers
from catviz.effects.questions import Questions
from catviz.lens import AttentionLens
from catviz.patterns import AttentionPattern
from catviz.reading import read_text
from catviz.widgets.explorer.outcomes import Cut, Outcome, RememberedAnswers
from catviz.widgets.explorer.text_choice import ChosenText
from catviz.widgets.worker import Check

__all__ = ["MOST_TOKENS", "Exploration", "View", "Wish"]

MOST_TOKENS = 512
"""Of a text in an explorer: two models of 30 x 9 heads then take 600 MB."""

_NO_ANSWERS = (
    "There are no answers to compare: write some into the field Answers and press Show this text. "
    "Then heads and words can be taken out, to see what becomes of the answers."
)


@dataclass(frozen=True)
class Wish:
    """What somebody wants to look at.

    Attributes:
        model: a name or path.
        before: what to compare it with; "" for nothing.
    """

    model: str
    before: str
    text: ChosenText

    @property
    def names(self) -> tuple[str, ...]:
        """Before, where there is one, then the model itself."""
        if self.before == self.model:
            raise ValueError(
                f"expected two different models, got {self.model!r} twice: compare it with "
                "another one, or with nothing"
            )
        return (self.before, self.model) if self.before else (self.model,)


@dataclass(frozen=True, eq=False)
class View:
    """What there is to look at.

    Attributes:
        lenses, patterns: one a model: before, where there is one, then the model itself.
        answers: each model's, of this text; empty where nothing can be taken out.
        why_not: the reason for that, else "".
        target: the answer whose log-odds are told: the right one where it is known.
        note: what a reader should know of the text; "" for nothing.
    """

    lenses: tuple[AttentionLens, ...]
    patterns: tuple[AttentionPattern, ...]
    answers: tuple[RememberedAnswers, ...]
    why_not: str
    target: str
    note: str

    @property
    def is_small(self) -> bool:
        """Whether its models are as small as the embedded ones, which answer in no time."""
        return all(
            sum(weight.numel() for weight in lens.model.parameters()) < SMALL
            for lens in self.lenses
        )


class Exploration:
    """Loads models, reads texts, asks for answers; keeps the models that were asked for last.

    Args:
        counted: examples of a game, on which right answers are counted.
    """

    def __init__(self, counted: Sequence[Example]) -> None:
        self.counted = tuple(counted)
        self._lenses: dict[str, AttentionLens] = {}
        self._counts: dict[AttentionLens, RememberedAnswers] = {}

    def missing(self, wish: Wish) -> list[str]:
        """The models that must be loaded for a wish."""
        return [name for name in wish.names if name not in self._lenses]

    def read(self, wish: Wish, check: Check) -> View:
        """Load what is missing, and read the text with every model.

        Raises:
            ValueError: a model that is not there, a text of too many tokens, a role whose words
                have no token.
        """
        lenses, text = self._load(wish, check), wish.text
        patterns = []
        for lens in lenses:
            check()
            _check_length(text, lens)
            with suitable_threads(lens.model):
                patterns.append(lens.attention(text.example, text.roles, label=text.label))
        answers, why_not = _questions(lenses, text)
        asked = answers[0].questions.answers[0] if answers else ("",)
        return View(
            lenses,
            tuple(patterns),
            answers,
            why_not,
            target=text.example.answer or asked[0],
            note=_unknown_words(text, lenses[-1]),
        )

    def outcomes(
        self, view: View, cut: Cut, *, count: bool, check: Check
    ) -> Iterator[list[Outcome]]:
        """What the models of a view answer as they are and with something taken out: on its text;
        then again for each count of right answers that has come, if they are to be counted."""
        cuts = (Cut(), cut) if cut else (Cut(),)
        asked = [(at, one) for at in range(len(view.answers)) for one in cuts]
        found = [
            Outcome(view.lenses[at].name, one, view.answers[at].under(one, check))
            for at, one in asked
        ]
        yield found
        for place, (at, one) in enumerate(asked if count else ()):
            known = self._counting(view.lenses[at]).under(one, check)
            right = int(known.correct([example.answer for example in self.counted]).sum())
            found[place] = replace(found[place], right=right)
            yield found

    def _load(self, wish: Wish, check: Check) -> tuple[AttentionLens, ...]:
        for name in self.missing(wish):
            check()
            self._lenses[name] = AttentionLens.load(name)
        self._lenses = {name: self._lenses[name] for name in wish.names}
        self._counts = {
            lens: known for lens, known in self._counts.items() if lens in self._lenses.values()
        }
        return tuple(self._lenses.values())

    def _counting(self, lens: AttentionLens) -> RememberedAnswers:
        if lens not in self._counts:
            asked = Questions(lens, self.counted, game_answers(self.counted))
            self._counts[lens] = RememberedAnswers(asked)
        return self._counts[lens]


def _questions(
    lenses: Sequence[AttentionLens], text: ChosenText
) -> tuple[tuple[RememberedAnswers, ...], str]:
    """Questions about the text to each model; none, and why, where they make no sense."""
    example = text.example
    answers = text.answers or game_answers([example]) or (example.answer,) * bool(example.answer)
    if not answers:
        return (), _NO_ANSWERS
    try:
        for lens in lenses:
            lens.check_editable()
        asked = [RememberedAnswers(Questions(lens, [example], answers)) for lens in lenses]
    except ValueError as error:  # attention that cannot be edited, answers that are not known
        return (), f"Nothing can be taken out here. {error}"
    return tuple(asked), ""


def _check_length(text: ChosenText, lens: AttentionLens) -> None:
    size = len(read_text(text.example, lens.tokenizer).input_ids)
    if size > MOST_TOKENS:
        raise ValueError(
            f"expected a text of at most {MOST_TOKENS} tokens, got {size} (as {lens.name} splits "
            "it): take a part of it. Longer ones are read with catviz.AttentionLens.load("
            f"{lens.name!r}).attention(text)"
        )


def _unknown_words(text: ChosenText, lens: AttentionLens) -> str:
    unknown = lens.tokenizer.unk_token_id
    ids = read_text(text.example, lens.tokenizer).input_ids
    number = 0 if unknown is None else ids.count(unknown)
    if not number:
        return ""
    return (
        f"{number} of the {len(ids)} tokens are unknown to {lens.name}: they are all alike to it, "
        "so do not read much into what it looks at there."
    )
