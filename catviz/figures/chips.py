"""Tokens as chips in reading order: what each reads, how wide it is, and where it stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from catviz.figures.layout import text_inches
from catviz.figures.scales import Colour
from catviz.figures.style import ROLE_STYLES, Theme
from catviz.figures.text import printable, shorten
from catviz.words import Word

__all__ = ["CHIP", "Place", "chip_text", "draw_chip", "flow", "underline_words"]

CHIP = 0.23  # inches a chip is high
_FONT = 8.0
_LETTERS = 40  # longest text on a chip
_PADDING = 0.05  # inches on both sides of a chip's text
_SPACE, _NO_SPACE = 0.06, 0.012  # inches between chips
_BLANK = "·"
_LINE_BREAKS = ("\n", "\r")


@dataclass(frozen=True)
class Place:
    """Where a chip stands: its line, its left edge and its width in inches."""

    line: int
    x: float
    width: float


def chip_text(token: str) -> str:
    r"""Return what the chip of a token reads: without the spaces around it, and not endless.

    >>> chip_text(" Smoking"), chip_text(" "), chip_text("\n")
    ('Smoking', '·', '↵')
    """
    shown = printable(token if token.strip(" ") else _BLANK)
    return shorten(shown.strip(), _LETTERS) or _BLANK


def flow(
    tokens: Sequence[str], room: float, *, narrowest: Sequence[float] | None = None
) -> list[Place]:
    """Return the places of the tokens' chips on lines of ``room`` inches, as text would flow.

    A token that begins with a space stands apart from the one before it; a line break in a token
    ends the line. ``narrowest`` are widths that chips must have at least.
    """
    places: list[Place] = []
    line, x = 0, 0.0
    for at, token in enumerate(tokens):
        width = text_inches(chip_text(token), _FONT) + 2 * _PADDING
        if narrowest is not None:
            width = max(width, narrowest[at])
        apart = token[:1].isspace() or (at > 0 and tokens[at - 1][-1:].isspace())
        gap = 0.0 if x == 0 else _SPACE if apart else _NO_SPACE
        if x > 0 and x + gap + width > room:
            line, x, gap = line + 1, 0.0, 0.0
        places.append(Place(line, x + gap, width))
        x += gap + width
        if token.endswith(_LINE_BREAKS):
            line, x = line + 1, 0.0
    return places


def draw_chip(
    sheet: Axes, place: Place, top: float, text: str, *, face: Colour, ink: str
) -> Rectangle:
    """Draw one chip with its upper edge at ``top`` of a sheet in inches."""
    box = Rectangle((place.x, top), place.width, CHIP, facecolor=face, linewidth=0)
    sheet.text(
        place.x + place.width / 2, top + CHIP / 2, text, ha="center", va="center_baseline",
        fontsize=_FONT, color=ink,
    )  # fmt: skip
    sheet.add_patch(box)
    return box


def underline_words(
    sheet: Axes,
    words: Sequence[Word],
    places: Sequence[Place],
    tops: Sequence[float],
    theme: Theme,
) -> None:
    """Underline the words that have a role, in its colour and with its letter, line by line.

    ``tops`` are the y of the lines' upper edges.
    """
    for word in words:
        style = ROLE_STYLES[word.role]
        if not style.letter:
            continue
        covered = places[word.start : word.stop]
        for line in sorted({place.line for place in covered}):
            here = [place for place in covered if place.line == line]
            start, stop = here[0].x, here[-1].x + here[-1].width
            y = tops[line] + CHIP + 0.025
            sheet.add_patch(
                Rectangle((start, y), stop - start, 0.045, facecolor=style.colour, linewidth=0)
            )
            sheet.text(
                (start + stop) / 2, y + 0.115, style.letter, ha="center",
                va="center_baseline", fontsize=6.5, fontweight="bold", color=theme.ink,
            )  # fmt: skip
