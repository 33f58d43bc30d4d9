"""The causal signals of one text: which phrases are said to determine which (paper, Figure 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, pairwise

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import Rectangle

from cat.annotate.review import relations_of
from cat.signals import Example, Span
from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure, Record
from catviz.figures.layout import text_inches
from catviz.figures.style import Theme, series_style
from catviz.figures.text import printable, shorten, wrap
from catviz.figures.word_axes import LABEL_FONT
from catviz.signal_places import PlacedCause, PlacedRelation, place_relation

__all__ = ["signal_text"]

# Inches.
_WIDTH = 8.2
_SPACE = 0.065
_CUT = 0.05  # where a phrase ends inside a word
_MARGIN = 0.03  # of a frame
_HIGH = 0.21  # the frame of an effect
_ABOVE = 0.16  # of a frame, for its number
_LANE = 0.13  # of bars below a line of text
_BAR = 0.04
_APART = 0.05  # bars in one lane
_LIST_LINE = 0.17
_NUMBER = 0.3  # room for a relation's number in the list

_FONT = 8.5
_NUMBER_FONT = 6.5
_LONGEST = 60  # letters of one word
_LETTERS_A_LINE = 122  # of the list
_LIST_LINES = 3  # of one relation

_WORD = re.compile(r"\S+")
_CAPTION = (
    "Effects are framed, with the number of their relation above; the bars below a phrase carry "
    "the numbers of the relations that it is a cause of."
)


def signal_text(example: Example, *, title: str = "What is said to determine what") -> Figure:
    """Draw the signals of one example: the text, its effects framed, their causes underlined.

    Each relation has a number and a colour: the number stands above its effect's frame, and before
    the bar below each of its causes. The list under the text spells the relations out, with what
    is wrong with them. The supervised tokens are drawn by
    :func:`catviz.figures.signal_adjacency`, which needs a tokenizer; this does not.

    Args:
        example: with signals, of which a phrase may be absent, or out of order.
            Without any, the text is drawn alone.

    >>> from cat.signals import Signal
    >>> example = Example("Ben had 12 figs and ate 4. Left? Answer:", "8",
    ...                   (Signal("8", ("12 figs", "3 figs")),))
    >>> [(record["cause"], record["fault"]) for record in signal_text(example).data]
    [('12 figs', ''), ('3 figs', 'not in the text')]
    """
    if not isinstance(example, Example):
        raise ValueError(f"expected a cat.signals.Example, got {type(example).__name__}")
    relations = [place_relation(example, relation) for relation in relations_of(example)]
    return Figure(
        draw=partial(_draw, text=example.full_text, relations=relations),
        data=list(_records(relations)),
        title=title,
        alt=_describe(example, relations),
        caption=_CAPTION if relations else "No relation is annotated.",
    )


@dataclass(frozen=True)
class _Piece:
    """Letters without a space, none of which goes over the edge of a phrase, and their place."""

    start: int  # character of the text
    text: str
    line: int
    left: float  # inches
    right: float


def _lay_out(text: str, cuts: set[int]) -> list[_Piece]:
    """The text's pieces, as it flows; cut at places inside words, too."""
    pieces: list[_Piece] = []
    line, x, end = 0, 0.0, 0
    for word in _WORD.finditer(text):
        inside = sorted(cut for cut in cuts if word.start() < cut < word.end())
        for start, stop in pairwise([word.start(), *inside, word.end()]):
            between = text[end:start]
            letters = shorten(printable(text[start:stop]), _LONGEST)
            width = text_inches(letters, _FONT)
            x += _SPACE if between else _CUT
            if "\n" in between or (pieces and x + width > _WIDTH):
                line, x = line + 1, _MARGIN
            pieces.append(_Piece(start, letters, line, x, x + width))
            x, end = x + width, stop
    return pieces


@dataclass(frozen=True)
class _Stretch:
    """What one phrase of a relation covers of one line."""

    relation: int
    line: int
    left: float
    right: float
    begins: bool  # whether it is the phrase's first line


def _stretches(
    pieces: Sequence[_Piece], relation: int, places: Sequence[Span]
) -> Iterator[_Stretch]:
    for place in places:
        covered = [piece for piece in pieces if place.start <= piece.start < place.end]
        for line in sorted({piece.line for piece in covered}):
            here = [piece for piece in covered if piece.line == line]
            begins = line == covered[0].line
            yield _Stretch(relation, line, here[0].left, here[-1].right, begins)


def _cause_places(relation: PlacedRelation) -> list[Span]:
    """Of the causes that make a pair."""
    return sorted({p for cause in relation.causes if not cause.fault for p in cause.places})


def _lanes(bars: Sequence[_Stretch], lines: int) -> list[list[list[_Stretch]]]:
    """For each line of text the lanes below it, bars beside one another in each."""
    lanes: list[list[list[_Stretch]]] = [[] for _ in range(lines)]
    for bar in sorted(bars, key=lambda bar: (bar.line, bar.left, bar.relation)):
        here = lanes[bar.line]
        free = (lane for lane in here if lane[-1].right + _APART < bar.left)
        if (lane := next(free, None)) is None:
            here.append([bar])
        else:
            lane.append(bar)
    return lanes


def _records(relations: Sequence[PlacedRelation]) -> Iterator[Record]:
    for number, relation in enumerate(relations, start=1):
        for cause in relation.causes or [PlacedCause("", (), "no cause")]:
            yield {
                "relation": number,
                "effect": relation.effect,
                "cause": cause.phrase,
                "fault": cause.fault,
                "effect_places": " ".join(f"{start}-{end}" for start, end in relation.places),
                "cause_places": " ".join(f"{start}-{end}" for start, end in cause.places),
            }


def _describe(example: Example, relations: Sequence[PlacedRelation]) -> str:
    if not relations:
        return f"A text without relations: {printable(example.full_text)}."
    told = [
        f"{number}: {relation.effect} because of "
        + (", ".join(cause.phrase for cause in relation.causes) or "nothing")
        for number, relation in enumerate(relations, start=1)
    ]
    return "Relations: " + "; ".join(printable(one) for one in told) + "."


def _draw(theme: Theme, *, text: str, relations: Sequence[PlacedRelation]) -> MplFigure:
    causes = [_cause_places(relation) for relation in relations]
    places = [*chain(*causes), *(place for one in relations for place in one.places)]
    pieces = _lay_out(text, {edge for place in places for edge in place})
    effects = [s for at, one in enumerate(relations) for s in _stretches(pieces, at, one.places)]
    bars = [bar for at, found in enumerate(causes) for bar in _stretches(pieces, at, found)]
    lanes = _lanes(bars, pieces[-1].line + 1)
    tops, y = [], 0.0
    for line in lanes:
        tops.append(y + _ABOVE)
        y += _ABOVE + _HIGH + _LANE * len(line) + 0.04
    entries = [_told(relation) for relation in relations]
    list_height = sum(_LIST_LINE * (1 + entry.count("\n")) + 0.05 for entry in entries)
    width = max(_WIDTH, *(piece.right for piece in pieces)) + 0.05
    canvas = Canvas(width, y + 0.1 + list_height)
    sheet = canvas.sheet()
    for piece in pieces:
        sheet.text(
            piece.left, tops[piece.line] + _HIGH / 2, piece.text, fontsize=_FONT, color=theme.ink,
            va="center_baseline",
        )  # fmt: skip
    for effect in effects:
        _frame(sheet, effect, tops[effect.line], theme)
    for line, top in zip(lanes, tops, strict=True):
        for depth, lane in enumerate(line):
            for bar in lane:
                _underline(sheet, bar, top + _HIGH + _LANE * (depth + 0.6), theme)
    _number_effects(sheet, effects, tops, theme)
    _draw_list(sheet, entries, y + 0.1, theme)
    return canvas.figure


def _frame(sheet: Axes, effect: _Stretch, top: float, theme: Theme) -> None:
    sheet.add_patch(
        Rectangle(
            (effect.left - _MARGIN, top), effect.right - effect.left + 2 * _MARGIN, _HIGH,
            fill=False, edgecolor=series_style(effect.relation, theme).colour, linewidth=1.4,
        )
    )  # fmt: skip


def _underline(sheet: Axes, bar: _Stretch, y: float, theme: Theme) -> None:
    colour, number = series_style(bar.relation, theme).colour, str(bar.relation + 1)
    sheet.text(
        bar.left, y, number, fontsize=_NUMBER_FONT, fontweight="bold", color=colour,
        va="center_baseline",
    )  # fmt: skip
    start = min(bar.left + 1.15 * text_inches(number, _NUMBER_FONT) + 0.02, bar.right - 0.01)
    sheet.add_patch(
        Rectangle((start, y - _BAR / 2), bar.right - start, _BAR, facecolor=colour, linewidth=0)
    )


def _number_effects(
    sheet: Axes, effects: Sequence[_Stretch], tops: Sequence[float], theme: Theme
) -> None:
    """Write the numbers above the frames; several that begin at one place as one text, in ink."""
    numbers: dict[tuple[int, float], list[int]] = {}
    for effect in effects:
        if effect.begins:
            numbers.setdefault((effect.line, effect.left), []).append(effect.relation)
    for (line, left), relations in numbers.items():
        alone = len(relations) == 1
        sheet.text(
            left, tops[line] - 0.07, ",".join(str(at + 1) for at in relations),
            fontsize=_NUMBER_FONT, fontweight="bold", va="center_baseline",
            color=series_style(relations[0], theme).colour if alone else theme.ink,
        )  # fmt: skip


def _told(relation: PlacedRelation) -> str:
    causes = " · ".join(cause.phrase for cause in relation.causes) or "no cause"
    faults = f"   ({' '.join(relation.faults)})" if relation.faults else ""
    return wrap(f"{relation.effect} ← {causes}{faults}", _LETTERS_A_LINE, lines=_LIST_LINES)


def _draw_list(sheet: Axes, entries: Sequence[str], y: float, theme: Theme) -> None:
    for at, entry in enumerate(entries):
        sheet.text(
            _NUMBER - 0.08, y + _LIST_LINE / 2, str(at + 1), fontsize=LABEL_FONT,
            fontweight="bold", color=series_style(at, theme).colour, ha="right",
            va="center_baseline",
        )  # fmt: skip
        for line in entry.split("\n"):
            sheet.text(
                _NUMBER, y + _LIST_LINE / 2, line, fontsize=LABEL_FONT, color=theme.ink,
                va="center_baseline",
            )  # fmt: skip
            y += _LIST_LINE
        y += 0.05
