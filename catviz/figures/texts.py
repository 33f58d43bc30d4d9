"""Texts with the roles of their words: what a game writes, before any model has read it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from matplotlib.figure import Figure as MplFigure

from cat.signals import Example
from catviz.figures.canvas import Canvas
from catviz.figures.chips import CHIP, chip_text, draw_chip, flow, underline_words
from catviz.figures.figure import Figure
from catviz.figures.style import Theme
from catviz.figures.text import printable, shorten
from catviz.figures.word_axes import draw_role_key, marked_roles
from catviz.words import Role, Word

__all__ = ["marked_texts", "text_pieces"]

# Inches.
_WIDTH = 8.2
_LINE = CHIP + 0.22  # with the letters of the roles below
_HEADING, _BETWEEN = 0.27, 0.12


def text_pieces(example: Example) -> list[tuple[str, Role]]:
    """The prompt and its answer in pieces, each with the space in front of it, and their roles.

    Each factor is one piece, with the comma behind it; every other word is one.

    >>> from cat.own_game import BEACH
    >>> text_pieces(BEACH.splits()["test_iid"][0])[4:7]
    [(' busy', 'other'), (' today?', 'other'), (' Dogs: 4,', 'irrelevant')]
    """
    text = example.full_text
    pieces: list[tuple[str, Role]] = []
    end = 0
    for role in sorted(example.roles, key=lambda role: role.span):
        before = text[end : role.span.start]
        space = before[len(before.rstrip()) :]
        pieces += _words(before)
        behind = re.compile(r"\S*").match(text, role.span.end)
        end = behind.end() if behind else role.span.end
        pieces.append((space + text[role.span.start : end], role.role))
    return [*pieces, *_words(text[end:])]


def _words(text: str) -> list[tuple[str, Role]]:
    return [(word, "other") for word in re.findall(r"\s*\S+", text)]


def marked_texts(
    examples: Mapping[str, Sequence[Example]], *, title: str = "Texts, words by role"
) -> Figure:
    """Write out texts with their answers, the words underlined by role.

    Args:
        examples: heading -> texts below it.

    >>> from cat.own_game import BEACH
    >>> figure = marked_texts({"in distribution": BEACH.splits()["test_iid"][:2]})
    >>> len(figure.data), figure.data[0]["answer"]
    (2, 'Quiet')
    """
    if not any(examples.values()):
        raise ValueError("no texts to write out: expected at least one")
    return Figure(
        draw=partial(_draw, examples=examples),
        data=[
            {"heading": heading, "text": one.prompt, "answer": one.answer}
            for heading, several in examples.items()
            for one in several
        ],
        title=title,
        alt=" ".join(
            f"{heading}: {'; '.join(one.full_text for one in several)}."
            for heading, several in examples.items()
        ),
        caption="Each text ends with its answer.",
    )


@dataclass(frozen=True)
class _Block:
    """A text as chips, or a heading where there are none."""

    heading: str
    pieces: Sequence[tuple[str, Role]] = ()

    @property
    def tokens(self) -> list[str]:
        return [text for text, _ in self.pieces]

    @property
    def height(self) -> float:
        if not self.pieces:
            return _HEADING
        return _LINE * (1 + flow(self.tokens, _WIDTH)[-1].line) + _BETWEEN


def _draw(theme: Theme, *, examples: Mapping[str, Sequence[Example]]) -> MplFigure:
    blocks = [
        block
        for heading, several in examples.items()
        for block in (_Block(heading), *(_Block("", text_pieces(one)) for one in several))
    ]
    canvas = Canvas(_WIDTH, sum(block.height for block in blocks) + 0.25)
    sheet = canvas.sheet()
    y = 0.0
    for block in blocks:
        if block.heading:
            sheet.text(
                0, y + _HEADING / 2, shorten(printable(block.heading), 60), fontsize=10,
                fontweight="bold", va="center",
            )  # fmt: skip
        else:
            places = flow(block.tokens, _WIDTH)
            tops = [y + _LINE * at for at in range(places[-1].line + 1)]
            for place, token in zip(places, block.tokens, strict=True):
                draw_chip(
                    sheet, place, tops[place.line], chip_text(token), face=theme.background,
                    ink=theme.ink,
                )  # fmt: skip
            words = [Word(at, at + 1, text, role) for at, (text, role) in enumerate(block.pieces)]
            underline_words(sheet, words, places, tops, theme)
        y += block.height
    roles = {role for block in blocks for _, role in block.pieces}
    draw_role_key(sheet, 0, y, theme, roles=marked_roles(roles), across=True)
    return canvas.figure
