"""The text itself, each token shaded by the attention that one row pays to it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import Rectangle

from catviz.figures.canvas import Canvas
from catviz.figures.chips import CHIP, chip_text, draw_chip, flow, underline_words
from catviz.figures.figure import Figure, Record
from catviz.figures.layout import text_inches
from catviz.figures.scales import Scale, check_vmax, draw_colour_bar, ink_on
from catviz.figures.sink import check_same_sink, sink_note
from catviz.figures.style import MAP_COLOURS, Theme
from catviz.figures.text import printable, shorten
from catviz.figures.word_axes import draw_role_key, marked_roles
from catviz.maps import SINK, MeanMap, Sink
from catviz.patterns import AttentionPattern
from catviz.words import ROLES, Role, Word

__all__ = ["text_strip"]

Chips = Literal["token", "word"]
Source = MeanMap | AttentionPattern

_WIDTH = 8.2  # inches
_NUMBERS = 5  # written above the strongest chips
_NUMBER_FONT = 6.5
_ABOVE, _BELOW = 0.14, 0.22  # inches for the numbers, and for the roles
_HEADING = 0.27
_BETWEEN = 0.16


def text_strip(
    sources: Source | Iterable[Source],
    *,
    row: int | None = None,
    chips: Chips | None = None,
    title: str | None = None,
    vmax: float | None = None,
) -> Figure:
    """Draw the text in reading order, shaded by the share of attention that one row pays.

    Args:
        sources: one or several patterns (their mean over layers and heads) or maps, drawn under
            one another on one colour scale.
        row: the row that looks, counted as in the maps; by default the one that predicts the
            answer. It predicts the next token.
        chips: "token", or "word" for one chip a word with the sum of its tokens. By default
            tokens, or words where a :class:`MeanMap` is among the sources: it knows no tokens.
        vmax: the end of the scale; by default the highest share beyond the first token, which many
            models use as a sink. Higher shares are clipped, and written out.

    >>> words = (Word(0, 1, "Smoking: 8", "causal"), Word(1, 2, "Answer:", "other"))
    >>> example = MeanMap(np.array([[1.0, 0.0], [0.7, 0.3]]), words, model="plain", text="one")
    >>> text_strip(example).data[0]["attention"]
    0.7
    """
    check_vmax(vmax)
    given = [sources] if isinstance(sources, MeanMap | AttentionPattern) else list(sources)
    if not given:
        raise ValueError("no text to draw: expected at least one AttentionPattern or MeanMap")
    strips = [_strip(one, row, _chips(given, chips)) for one in given]
    sink = check_same_sink(strip.sink for strip in strips)
    scale = _scale(strips, vmax)
    looking = "the row that predicts the answer" if row is None else f"row {row}"
    return Figure(
        draw=partial(_draw, strips=strips, scale=scale),
        data=[record for strip in strips for record in _records(strip)],
        title=title or f"Where {looking} looks",
        alt=_describe(strips),
        caption=_caption(strips, _chips(given, chips), row)
        + scale.note("Shares")
        + sink_note(sink),
    )


@dataclass(frozen=True)
class _Strip:
    """One text as chips: what each reads, the share it gets; ``looker`` is the chip that looks."""

    model: str
    text: str
    row: int
    chips: tuple[str, ...]
    shares: tuple[float, ...]
    roles: tuple[Role, ...]
    words: tuple[Word, ...]  # places among the chips
    looker: int
    sink: Sink

    @property
    def strongest(self) -> list[int]:
        order = np.argsort(self.shares, kind="stable")[::-1][:_NUMBERS]
        return [int(at) for at in order if self.shares[at] > 0]


def _chips(given: Sequence[Source], asked: Chips | None) -> Chips:
    mean_map = any(isinstance(one, MeanMap) for one in given)
    if asked is None:
        return "word" if mean_map else "token"
    if asked not in ("token", "word"):
        raise ValueError(f'expected chips "token" or "word", got {asked!r}')
    if asked == "token" and mean_map:
        raise ValueError(
            'a MeanMap knows words but no tokens: give AttentionPatterns, or chips="word"'
        )
    return asked


def _strip(source: Source, row: int | None, chips: Chips) -> _Strip:
    if not isinstance(source, MeanMap | AttentionPattern):
        raise ValueError(f"expected an AttentionPattern or a MeanMap, got {type(source).__name__}")
    one = source.mean() if isinstance(source, AttentionPattern) else source
    row = one.answer_row if row is None else row
    if not -one.size <= row < one.size:
        raise ValueError(f"no row {row}: text {one.text!r} has {one.size} tokens")
    row %= one.size
    weights = one.values[row]
    if chips == "token" and isinstance(source, AttentionPattern):
        return _Strip(
            one.model, one.text, row, source.tokens, tuple(map(float, weights)), one.roles,
            one.words, row, one.sink,
        )  # fmt: skip
    parts = _all_words(one)
    return _Strip(
        one.model, one.text, row,
        chips=tuple(f" {word.label}" for word in parts),
        shares=tuple(float(weights[word.start : word.stop].sum()) for word in parts),
        roles=tuple(word.role for word in parts),
        words=tuple(Word(at, at + 1, word.label, word.role) for at, word in enumerate(parts)),
        looker=next(at for at, word in enumerate(parts) if word.start <= row < word.stop),
        sink=one.sink,
    )  # fmt: skip


def _all_words(one: MeanMap) -> list[Word]:
    """The words, and one for each token that no word covers."""
    covered = {t for word in one.words for t in range(word.start, word.stop)}
    rest = [Word(t, t + 1, "·", "other") for t in range(one.size) if t not in covered]
    return sorted((*one.words, *rest), key=lambda word: word.start)


def _scale(strips: Sequence[_Strip], vmax: float | None) -> Scale:
    highest = max(max(strip.shares) for strip in strips)
    beyond = max((max(strip.shares[SINK + 1 :], default=0.0) for strip in strips), default=0.0)
    return Scale(vmax or beyond or highest or 1.0, highest)


def _records(strip: _Strip) -> list[Record]:
    return [
        {
            "model": strip.model,
            "text": strip.text,
            "row": strip.row,
            "position": at,
            "reads": chip,
            "role": role,
            "attention": share,
        }
        for at, (chip, role, share) in enumerate(
            zip(strip.chips, strip.roles, strip.shares, strict=True)
        )
    ]


def _caption(strips: Sequence[_Strip], chips: Chips, row: int | None) -> str:
    what = "token" if chips == "token" else "word (the sum of its tokens)"
    looking = "its row predicts the answer" if row is None else "its row predicts the next token"
    later = " Pale ones come later and cannot be seen." if _has_future(strips) else ""
    return (
        f"Each {what} is shaded by its share of that attention, the mean over layers and heads. "
        f"The framed one looks: {looking}.{later} Numbers: the {_NUMBERS} highest shares."
    )


def _has_future(strips: Sequence[_Strip]) -> bool:
    return any(strip.looker < len(strip.chips) - 1 for strip in strips)


def _describe(strips: Sequence[_Strip]) -> str:
    parts = []
    for strip in strips:
        top = ", ".join(
            f"{chip_text(strip.chips[at])} ({strip.roles[at]}) {strip.shares[at]:.2f}"
            for at in strip.strongest
        )
        shares = ", ".join(
            f"{role} {100 * np.asarray(strip.shares)[np.asarray(strip.roles) == role].sum():.0f}%"
            for role in ROLES
            if role in strip.roles
        )
        parts.append(f"{strip.model}, {strip.text}: {top}; by role {shares}")
    return "The text shaded by the attention of one row. " + ". ".join(parts) + "."


def _draw(theme: Theme, *, strips: Sequence[_Strip], scale: Scale) -> MplFigure:
    # The same tokens stand at the same places under one another: numbers widen them all.
    numbered = {strip.chips: set[int]() for strip in strips}
    for strip in strips:
        numbered[strip.chips].update(strip.strongest)
    number = text_inches("0.00", _NUMBER_FONT) + 0.03
    placed = {
        chips: flow(chips, _WIDTH, narrowest=[number * (at in seen) for at in range(len(chips))])
        for chips, seen in numbered.items()
    }
    line = _ABOVE + CHIP + _BELOW
    heights = [_HEADING + line * (1 + placed[strip.chips][-1].line) + _BETWEEN for strip in strips]
    canvas = Canvas(_WIDTH, sum(heights) + 0.62)
    sheet = canvas.sheet()
    colours = colormaps[MAP_COLOURS]
    y = 0.0
    for strip, height in zip(strips, heights, strict=True):
        places = placed[strip.chips]
        tops = [y + _HEADING + _ABOVE + line * at for at in range(places[-1].line + 1)]
        heading = sheet.text(
            0, y + _HEADING / 2, shorten(printable(strip.model), 60), fontsize=10,
            fontweight="bold", va="center",
        )  # fmt: skip
        sheet.annotate(
            shorten(printable(strip.text), 60), (1, 0), xycoords=heading, xytext=(8, 0),
            textcoords="offset points", fontsize=9, color=theme.muted, va="bottom",
        )  # fmt: skip
        for at, (token, share, place) in enumerate(
            zip(strip.chips, strip.shares, places, strict=True)
        ):
            seen = at <= strip.looker
            face = colours(min(share / scale.vmax, 1.0)) if seen else theme.void
            draw_chip(
                sheet, place, tops[place.line], chip_text(token), face=face,
                ink=ink_on(face) if seen else theme.muted,
            )  # fmt: skip
            if at == strip.looker:
                sheet.add_patch(
                    Rectangle(
                        (place.x - 0.015, tops[place.line] - 0.015), place.width + 0.03,
                        CHIP + 0.03, fill=False, edgecolor=theme.ink, linewidth=1.6,
                    )
                )  # fmt: skip
            if at in strip.strongest:
                clipped = share > scale.vmax * (1 + 1e-9)
                sheet.text(
                    place.x + place.width / 2, tops[place.line] - 0.075,
                    f"{'▲' if clipped else ''}{share:.2f}", ha="center", va="center_baseline",
                    fontsize=_NUMBER_FONT, color=theme.ink,
                )  # fmt: skip
        underline_words(sheet, strip.words, places, tops, theme)
        y += height
    draw_colour_bar(
        canvas.axes(0.15, y + 0.03, 2.6, 0.12), scale, "share of the row's attention", across=True
    )
    roles = {role for strip in strips for role in strip.roles}
    draw_role_key(sheet, 3.4, y, theme, roles=marked_roles(roles), across=True)
    return canvas.figure
