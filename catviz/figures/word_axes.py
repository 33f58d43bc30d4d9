"""Words along an axis of tokens: a strip painted by role, labels that fit, and the key to both."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from catviz.figures.layout import text_inches
from catviz.figures.style import ROLE_STYLES, Theme
from catviz.figures.text import printable, shorten
from catviz.words import Role, Word

__all__ = [
    "KEY_LINE",
    "LABEL_FONT",
    "MARKED_ROLES",
    "STRIP",
    "draw_role_key",
    "draw_role_mark",
    "draw_strip",
    "label_room",
    "label_words",
    "marked_roles",
    "side_for",
]

MARKED_ROLES: tuple[Role, ...] = ("causal", "spurious", "irrelevant")
LABEL_FONT = 7.5
STRIP = 0.13  # inches across a strip of roles
KEY_LINE = 0.2  # inches a line of the key takes

_LINE = 1.35 * LABEL_FONT / 72  # inches that one label needs across its reading direction
_LETTERS = 24  # longest label
_CELL = 0.25
_SMALLEST, _LARGEST = 2.6, 9.0
_LETTER_FONT = 6.5


def marked_roles(roles: Collection[Role]) -> list[Role]:
    """Return those of the roles that have a colour and a letter, in the order of the key."""
    return [role for role in MARKED_ROLES if role in roles]


def side_for(words: Sequence[Word], size: int, *, usual: float) -> float:
    """Return the inches of ``size`` tokens at which all words with a role can be labelled."""
    centres = [word.centre for word in words if word.role != "other"]
    nearest = min(np.diff(centres), default=np.inf)
    wanted = min(max(_CELL * size, min(usual, _SMALLEST)), usual)
    return float(min(max(wanted, 1.02 * _LINE * size / nearest), _LARGEST))


def label_room(words: Sequence[Word]) -> float:
    """Return the inches that the longest label takes, with its distance from the strip."""
    return max((text_inches(_label(word), LABEL_FONT) for word in words), default=0.0) + 0.08


def label_words(
    axes: Axes, words: Sequence[Word], size: int, side: float, *, vertical: bool
) -> None:
    """Write the words' labels along the strip, as many as fit."""
    shown = _shown(words, side, size)
    centres, labels = [word.centre for word in shown], [_label(word) for word in shown]
    if vertical:
        axes.set_yticks(centres, labels, fontsize=LABEL_FONT)
        axes.tick_params(axis="y", length=0, pad=3)
    else:
        axes.set_xticks(centres, labels, fontsize=LABEL_FONT, rotation=90)
        axes.tick_params(axis="x", length=0, pad=3)


def draw_strip(
    axes: Axes, words: Sequence[Word], size: int, side: float, theme: Theme, *, vertical: bool
) -> None:
    """Paint the words by role, with the role's letter where it fits."""
    inset = min(0.12, 0.02 * size / side)
    for word in words:
        style = ROLE_STYLES[word.role]
        start, length = word.start - 0.5 + inset, word.stop - word.start - 2 * inset
        corner, extent = (
            ((0.0, start), (1.0, length)) if vertical else ((start, 0.0), (length, 1.0))
        )
        colour = theme.grid if word.role == "other" else style.colour
        axes.add_patch(Rectangle(corner, *extent, facecolor=colour, linewidth=0))
        if (word.stop - word.start) * side / size >= 0.08:
            at = (0.5, word.centre) if vertical else (word.centre, 0.5)
            axes.text(
                *at, style.letter, ha="center", va="center_baseline", fontsize=_LETTER_FONT,
                fontweight="bold", color=style.on_colour,
            )  # fmt: skip
    ends = (-0.5, size - 0.5)
    axes.set_xlim(*((0, 1) if vertical else ends))
    axes.set_ylim(*(ends[::-1] if vertical else (0, 1)))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def draw_role_mark(sheet: Axes, x: float, y: float, role: Role, *, size: float = STRIP) -> None:
    """Draw the role's square with its letter, its upper left corner at (x, y) of a sheet."""
    style = ROLE_STYLES[role]
    sheet.add_patch(Rectangle((x, y), size, size, facecolor=style.colour, linewidth=0))
    sheet.text(
        x + size / 2, y + size / 2, style.letter, ha="center", va="center_baseline",
        fontsize=_LETTER_FONT, fontweight="bold", color=style.on_colour,
    )  # fmt: skip


def draw_role_key(
    sheet: Axes,
    x: float,
    y: float,
    theme: Theme,
    *,
    roles: Sequence[Role] = MARKED_ROLES,
    across: bool = False,
) -> tuple[float, float]:
    """Say what the colours and letters mean, downwards or across; return where the key ends."""
    for role in roles:
        draw_role_mark(sheet, x, y + (KEY_LINE - STRIP) / 2, role)
        sheet.text(
            x + 1.4 * STRIP, y + KEY_LINE / 2, role, va="center_baseline", fontsize=LABEL_FONT,
            color=theme.ink,
        )  # fmt: skip
        if across:
            x += 1.4 * STRIP + text_inches(role, LABEL_FONT) + 0.18
        else:
            y += KEY_LINE
    return x, y


def _shown(words: Sequence[Word], side: float, size: int) -> list[Word]:
    """Return the words whose labels fit beside one another, dropping "other" words first.

    Punctuation between the words with a role is never worth a label.
    """
    inches = side / size
    worth = [w for w in words if w.role != "other" or any(map(str.isalnum, w.label))]
    shown: list[Word] = []
    for word in sorted(worth, key=lambda word: (word.role == "other", word.start - word.stop)):
        if all(abs(word.centre - kept.centre) * inches >= _LINE for kept in shown):
            shown.append(word)
    return sorted(shown, key=lambda word: word.start)


def _label(word: Word) -> str:
    return shorten(printable(word.label), _LETTERS)
