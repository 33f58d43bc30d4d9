"""What is supervised in one example: which rows, on which causes (paper, Figure 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import Rectangle

from cat.alignment import Aligned
from catviz.figures.canvas import Canvas
from catviz.figures.chips import CHIP, Place, chip_text, draw_chip, flow, underline_words
from catviz.figures.figure import Figure, Record
from catviz.figures.layout import text_inches
from catviz.figures.style import ROLE_STYLES, Theme
from catviz.figures.text import shorten
from catviz.figures.word_axes import (
    KEY_LINE,
    LABEL_FONT,
    STRIP,
    draw_role_key,
    marked_roles,
)
from catviz.roles import words_of
from catviz.words import Word, roles_of_tokens

__all__ = ["signal_adjacency"]

_MOST_COLUMNS = 44  # beyond, tokens that are neither cause nor effect are left out
_LETTERS = 16  # longest token beside the matrix

# Inches.
_WIDTH = 8.2
_CELL = 0.16
_GAP = 0.13  # where columns are left out
_ABOVE = 0.13  # a line of chips, for the mark of an effect
_CHIP_LINE = _ABOVE + CHIP + 0.22

_EFFECT = "E"
_ROWS = "looks → predicts"


def signal_adjacency(
    aligned: Aligned,
    *,
    columns: int = _MOST_COLUMNS,
    title: str = "What is supervised in this text",
) -> Figure:
    """Draw the supervised rows of one example over the tokens, with the text above.

    Row = the token that looks, and the next token, which this row predicts; column = the token
    looked at. A filled cell is a cause of what the row predicts: the effect token t is supervised
    at row t - 1 (paper, Figure 2 and section 4.2, there shifted by one row too).

    Args:
        aligned: an example from :func:`cat.alignment.align`.
        columns: a text of more tokens is drawn without those that are neither cause nor effect;
            the text above the matrix stays whole.

    Raises:
        ValueError: no row is supervised: the text has no signals, or none could be aligned.

    >>> from cat.alignment import align
    >>> from cat.models import tiny_tokenizer
    >>> from cat.signals import Example
    >>> from cat.stg import annotate, stg_e
    >>> example = annotate(Example.from_record(stg_e()["test_ood"][0]))
    >>> sum(record["cause"] for record in signal_adjacency(align(example, tiny_tokenizer())).data)
    3
    """
    if not isinstance(aligned, Aligned):
        raise ValueError(f"expected a cat.alignment.Aligned, got {type(aligned).__name__}")
    if columns < 1:
        raise ValueError(f"expected columns as a number of tokens, at least 1, got {columns}")
    if not aligned.rows:
        outcomes = sorted({pair.outcome for pair in aligned.pairs})
        raise ValueError(
            "expected an example with a supervised row, got none: "
            + (f"its pairs came out as {outcomes}" if outcomes else "it has no causal signals")
        )
    matrix = _matrix(aligned, columns)
    return Figure(
        draw=partial(_draw, matrix=matrix),
        data=_records(matrix),
        title=title,
        alt=_describe(matrix),
        caption=_caption(matrix),
    )


@dataclass(frozen=True, eq=False)
class _Matrix:
    """Tokens, their words, and the causes (row, key); ``shown`` are the columns' tokens."""

    tokens: tuple[str, ...]
    words: tuple[Word, ...]
    rows: tuple[int, ...]
    causes: np.ndarray
    shown: tuple[int, ...]

    @property
    def effects(self) -> set[int]:
        return {row + 1 for row in self.rows}

    @property
    def any_cause(self) -> set[int]:
        return {int(key) for key in np.flatnonzero(self.causes.any(axis=0))}


def _matrix(aligned: Aligned, columns: int) -> _Matrix:
    text = aligned.example.full_text
    tokens = tuple(text[place.start : place.end] for place in aligned.offsets)
    last = aligned.rows[-1]
    shown = tuple(range(last + 1))
    if len(shown) > columns:
        causes = {int(key) for key in np.flatnonzero(aligned.causes.any(axis=0))}
        keep = causes | set(aligned.rows) | {row + 1 for row in aligned.rows}
        shown = tuple(token for token in shown if token in keep)
    return _Matrix(
        tokens=tokens,
        words=words_of(aligned),
        rows=aligned.rows,
        causes=aligned.causes,
        shown=shown,
    )


def _records(matrix: _Matrix) -> list[Record]:
    roles = roles_of_tokens(matrix.words, len(matrix.tokens))
    return [
        {
            "row": row,
            "row_token": matrix.tokens[row],
            "predicts": matrix.tokens[row + 1],
            "key": key,
            "key_token": matrix.tokens[key],
            "key_role": roles[key],
            "cause": bool(matrix.causes[at, key]),
        }
        for at, row in enumerate(matrix.rows)
        for key in range(row + 1)
    ]


def _describe(matrix: _Matrix) -> str:
    rows = [
        f"row {row} predicts {chip_text(matrix.tokens[row + 1])} from "
        + ", ".join(chip_text(matrix.tokens[key]) for key in np.flatnonzero(causes))
        for row, causes in zip(matrix.rows, matrix.causes, strict=True)
    ]
    return "Supervised rows and their causes: " + "; ".join(rows) + "."


def _caption(matrix: _Matrix) -> str:
    left_out = matrix.rows[-1] + 1 - len(matrix.shown)
    cropped = f" {left_out} columns of other tokens are left out at the gaps." if left_out else ""
    return (
        "Each row is a token that looks, and the next token, which it predicts: for the effect "
        "token t the row of token t-1 is supervised. Filled cells are the causes, on which the "
        "loss raises attention; pale cells are what else the row sees." + cropped
    )


def _draw(theme: Theme, *, matrix: _Matrix) -> MplFigure:
    names = [
        f"{_short(matrix.tokens[row])} → {_short(matrix.tokens[row + 1])}" for row in matrix.rows
    ]
    left = max(text_inches(name, LABEL_FONT) for name in [*names, _ROWS]) + 0.1
    lefts = _lefts(matrix.shown, left)
    width = max(_WIDTH, lefts[-1] + _CELL + 0.1)
    places = flow(matrix.tokens, width)
    text_height = (places[-1].line + 1) * _CHIP_LINE
    top = text_height + 0.42
    bottom = top + _CELL * len(matrix.rows)
    labels = max(text_inches(_short(matrix.tokens[key]), LABEL_FONT) for key in matrix.shown)
    canvas = Canvas(width, bottom + 0.05 + STRIP + labels + 0.2 + KEY_LINE)
    sheet = canvas.sheet()
    _draw_text(sheet, matrix, places, theme)
    sheet.text(
        left - 0.08, top - 0.1, _ROWS, fontsize=LABEL_FONT, color=theme.muted, ha="right",
        va="center_baseline",
    )  # fmt: skip
    for at, (row, name) in enumerate(zip(matrix.rows, names, strict=True)):
        y = top + at * _CELL
        sheet.text(
            left - 0.08, y + _CELL / 2, name, fontsize=LABEL_FONT, ha="right",
            va="center_baseline",
        )  # fmt: skip
        for key, x in zip(matrix.shown, lefts, strict=True):
            if key <= row:
                _draw_cell(sheet, x, y, theme, cause=bool(matrix.causes[at, key]))
    _draw_columns(sheet, matrix, lefts, bottom + 0.05, theme)
    _draw_key(sheet, matrix, canvas.height - KEY_LINE, theme)
    return canvas.figure


def _short(token: str) -> str:
    return shorten(chip_text(token), _LETTERS)


def _lefts(shown: Sequence[int], left: float) -> list[float]:
    """The columns' left edges, with a gap where tokens are left out."""
    lefts, x = [], left
    for at, token in enumerate(shown):
        if token != (shown[at - 1] + 1 if at else 0):
            x += _GAP
        lefts.append(x)
        x += _CELL
    return lefts


def _draw_text(sheet: Axes, matrix: _Matrix, places: Sequence[Place], theme: Theme) -> None:
    """Draw the whole text: causes filled, effects framed and marked E, factors underlined."""
    tops = [_ABOVE + line * _CHIP_LINE for line in range(places[-1].line + 1)]
    causal = ROLE_STYLES["causal"]
    for at, (token, place) in enumerate(zip(matrix.tokens, places, strict=True)):
        cause, top = at in matrix.any_cause, tops[place.line]
        box = draw_chip(
            sheet, place, top, chip_text(token), face=causal.colour if cause else theme.void,
            ink=causal.on_colour if cause else theme.ink,
        )  # fmt: skip
        if at in matrix.effects:
            box.set(edgecolor=theme.ink, linewidth=1.6, zorder=2)
            sheet.text(
                place.x + place.width / 2, top - 0.06, _EFFECT, ha="center", va="center_baseline",
                fontsize=6.5, fontweight="bold",
            )  # fmt: skip
    underline_words(sheet, matrix.words, places, tops, theme)


def _draw_cell(sheet: Axes, x: float, y: float, theme: Theme, *, cause: bool) -> Rectangle:
    style, inset = ROLE_STYLES["causal"], 0.012
    cell = Rectangle(
        (x + inset, y + inset), _CELL - 2 * inset, _CELL - 2 * inset, linewidth=0,
        facecolor=style.colour if cause else theme.void,
    )  # fmt: skip
    sheet.add_patch(cell)
    if cause:
        sheet.plot([x + _CELL / 2], [y + _CELL / 2], ".", color=style.on_colour, markersize=4)
    return cell


def _draw_columns(
    sheet: Axes, matrix: _Matrix, lefts: Sequence[float], y: float, theme: Theme
) -> None:
    """Paint the columns by role and name their tokens."""
    roles = roles_of_tokens(matrix.words, len(matrix.tokens))
    for key, x in zip(matrix.shown, lefts, strict=True):
        style = ROLE_STYLES[roles[key]]
        sheet.add_patch(
            Rectangle(
                (x + 0.006, y), _CELL - 0.012, STRIP, linewidth=0,
                facecolor=style.colour if style.letter else theme.grid,
            )
        )  # fmt: skip
        sheet.text(
            x + _CELL / 2, y + STRIP / 2, style.letter, ha="center", va="center_baseline",
            fontsize=6.5, fontweight="bold", color=style.on_colour,
        )  # fmt: skip
        sheet.text(
            x + _CELL / 2, y + STRIP + 0.05, _short(matrix.tokens[key]), rotation=90, ha="center",
            va="top", fontsize=LABEL_FONT, color=theme.ink,
        )  # fmt: skip
    for at, (key, x) in enumerate(zip(matrix.shown, lefts, strict=True)):
        if key != (matrix.shown[at - 1] + 1 if at else 0):
            sheet.text(
                x - _GAP / 2, y + STRIP / 2, "…", ha="center", va="center_baseline",
                fontsize=LABEL_FONT, color=theme.muted,
            )  # fmt: skip


def _draw_key(sheet: Axes, matrix: _Matrix, y: float, theme: Theme) -> None:
    """Say what filled, pale and framed things are, then the roles."""
    x, middle = 0.0, y + KEY_LINE / 2
    for name in ("cause", "seen, not a cause", "effect"):
        cell = _draw_cell(sheet, x, middle - _CELL / 2, theme, cause=name == "cause")
        if name == "effect":
            cell.set(edgecolor=theme.ink, linewidth=1.6)
        sheet.text(x + _CELL + 0.05, middle, name, fontsize=LABEL_FONT, va="center_baseline")
        x += _CELL + 0.05 + text_inches(name, LABEL_FONT) + 0.18
    roles = roles_of_tokens(matrix.words, len(matrix.tokens))
    draw_role_key(sheet, x + 0.15, y, theme, roles=marked_roles(set(roles)), across=True)
