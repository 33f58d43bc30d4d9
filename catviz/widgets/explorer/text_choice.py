"""Which text: one of the game's, or one that somebody types, with the roles of its words."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import ipywidgets as widgets
import traitlets

from cat.data import load_data
from cat.signals import Example
from catviz.roles import Roles, mark_roles
from catviz.widgets.button import PushButton
from catviz.words import ROLES, Role

__all__ = ["ChosenText", "TextChoice", "parse_phrases"]

_GAME, _OWN = "A text of the game", "My own text"
_SPLITS = [("out of distribution (OOD)", "test_ood"), ("in distribution (IID)", "test_iid")]
_FIRST = 2  # of the OOD texts: plain training gets it wrong, and right without spurious words
_WIDE = widgets.Layout(width="auto", max_width="60em")


@dataclass(frozen=True)
class ChosenText:
    """A text to look at.

    Attributes:
        example: the text, with its right answer where one is known.
        roles: the phrases of each role, where somebody typed them; None for the text's own.
        answers: those to compare, where somebody typed them.
        label: what to call the text.
    """

    example: Example
    roles: Roles | None
    answers: tuple[str, ...]
    label: str


class TextChoice(widgets.VBox):
    """Fields that choose a text.

    Args:
        text: the text at first; None for one of the game's.

    Attributes:
        games: the game's texts, by split.
        asked: counts how often another text was asked for: observe it, then :meth:`read`.
    """

    asked = traitlets.Int()

    def __init__(self, text: str | None = None) -> None:
        self.games = _games()
        own = text is not None
        self.source = widgets.ToggleButtons(
            options=[_GAME, _OWN],
            value=_OWN if own else _GAME,
            style={"button_width": "11em"},
        )
        self.split = widgets.Dropdown(
            options=_SPLITS,
            description="Test set",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="20em"),
        )
        self.number = widgets.IntSlider(
            value=_FIRST,
            max=len(self.games["test_ood"]) - 1,
            description="Number",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="24em"),
        )
        self.number.add_class("catviz-number")
        self.typed = widgets.Textarea(
            value=text or "", placeholder="Tom smokes, has yellow fingers, and will", rows=3,
            layout=_WIDE,
        )  # fmt: skip
        self.typed.add_class("catviz-text")
        self.phrases: dict[Role, Any] = {
            role: widgets.Text(
                description=f"{role} words",
                placeholder="phrases of the text, with commas between them",
                style={"description_width": "8.5em"},
                layout=_WIDE,
            )
            for role in ROLES
            if role != "other"
        }
        self.answers = widgets.Text(
            description="Answers",
            placeholder="what may come next, with commas between: get cancer, stay healthy",
            style={"description_width": "8.5em"},
            layout=_WIDE,
        )
        self.answers.add_class("catviz-answers")
        self.show = PushButton("Show this text", primary=True)
        self.show.add_class("catviz-show")
        self._game = widgets.HBox(
            [self.split, self.number], layout=widgets.Layout(flex_flow="row wrap")
        )
        self._own = widgets.VBox(
            [
                self.typed,
                _note(
                    "In a text of the game the roles and the answers are known. Otherwise fill in "
                    "which words should matter (causal), which only go along with them "
                    "(spurious), which have nothing to do with it (irrelevant), and the answers "
                    "to compare; what is left empty is left out."
                ),
                *self.phrases.values(),
                self.answers,
                self.show,
            ]
        )
        source = widgets.HBox(
            [widgets.Label("Text"), self.source], layout=widgets.Layout(flex_flow="row wrap")
        )
        super().__init__([source, self._game, self._own])
        self._switch()
        self.source.observe(self._switched, names="value")
        for control in (self.split, self.number):
            control.observe(self._ask, names="value")
        self.show.on_click(self._ask)

    @property
    def is_own(self) -> bool:
        """Whether the text is typed."""
        return bool(self.source.value == _OWN)

    def read(self) -> ChosenText:
        """The text that the fields say.

        Raises:
            ValueError: no text, a phrase that is not in it, phrases that overlap.
        """
        if not self.is_own:
            texts = self.games[self.split.value]
            label = f"{'OOD' if self.split.value == 'test_ood' else 'IID'} text {self.number.value}"
            return ChosenText(texts[self.number.value], None, (), label)
        if not self.typed.value.strip():
            raise ValueError("expected a text, got nothing: type one, then press Show this text")
        phrases = {role: parse_phrases(field.value) for role, field in self.phrases.items()}
        roles: Roles | None = {role: some for role, some in phrases.items() if some} or None
        answers = parse_phrases(self.answers.value)
        example = mark_roles(Example(self.typed.value, ""), roles)
        return ChosenText(example, roles, answers, "own text")

    def _ask(self, _: object) -> None:
        self.asked += 1

    def _switched(self, change: object) -> None:
        self._switch()
        if not self.is_own:
            self._ask(change)
        elif not self.typed.value.strip():  # something to change is easier than nothing
            self.typed.value = self.games[self.split.value][self.number.value].prompt

    def _switch(self) -> None:
        self._game.layout.display = "none" if self.is_own else ""
        self._own.layout.display = "" if self.is_own else "none"


@cache
def _games() -> dict[str, list[Example]]:
    data = load_data("stg-e")
    return {name: data[name] for _, name in _SPLITS}


def parse_phrases(text: str) -> tuple[str, ...]:
    """Phrases with commas or line breaks between them; a comma within a number belongs to it.

    >>> parse_phrases("yellow fingers, 1,500 packs,smokes")
    ('yellow fingers', '1,500 packs', 'smokes')
    """
    parts = re.split(r"\n|,(?!(?<=\d,)\d)", text)
    return tuple(dict.fromkeys(part.strip() for part in parts if part.strip()))


def _note(text: str) -> widgets.HTML:
    return widgets.HTML(f'<div style="line-height: 1.4; max-width: 60em">{text}</div>')
