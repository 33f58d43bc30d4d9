"""What the tests of figures share: maps and texts to draw, and what is seen of a figure."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure as MplFigure
from matplotlib.text import Text

from catviz.figures.figure import Figure
from catviz.figures.style import ThemeName
from catviz.maps import MeanMap
from catviz.patterns import AttentionPattern
from catviz.words import Role, Word

HOSTILE = '<script>alert("$x_1$")</script>'


FACTORS: tuple[tuple[str, Role], ...] = (
    ("Smoking: 8", "causal"),
    ("Clothing size: 4", "spurious"),
    ("Hormones: 2", "spurious"),
    ("Room size: 10", "irrelevant"),
    ("Weight: 4", "causal"),
    ("Certain gene: 7", "irrelevant"),
    ("Exercise: 5", "causal"),
    ("Yellow fingers: 12", "spurious"),
)


INTRODUCTION = "Here is the statistical data for a person."


QUESTION = "Please predict the probability of cancer."


def causal_softmax(size: int, seed: int = 0) -> np.ndarray:
    weights = np.exp(np.random.default_rng(seed).normal(size=(size, size))) * np.tri(size)
    return weights / weights.sum(axis=1, keepdims=True)


def small_map(*, model: str = "plain", text: str = "a text", first: str = INTRODUCTION) -> MeanMap:
    """Return a map whose every word is one token."""
    labels: list[tuple[str, Role]] = [
        (first, "other"),
        (QUESTION, "other"),
        *FACTORS,
        ("Answer:", "other"),
    ]
    words = tuple(Word(at, at + 1, label, role) for at, (label, role) in enumerate(labels))
    return MeanMap(causal_softmax(len(words)), words, model, text)


def large_map(*, model: str = "SmolLM2", text: str = "a text", factor_tokens: int = 6) -> MeanMap:
    """Return a map of a usual tokenizer: words of many tokens with commas between them."""
    words, end = [], 0
    parts: list[tuple[str, Role, int]] = [(INTRODUCTION, "other", 9), (QUESTION, "other", 8)]
    for label, role in FACTORS:
        parts += [(label, role, factor_tokens), (",", "other", 1)]
    for label, role, tokens in [*parts, ("Answer:", "other", 2)]:
        words.append(Word(end, end + tokens, label, role))
        end += tokens
    return MeanMap(causal_softmax(end), tuple(words), model, text)


def visible_texts(figure: MplFigure) -> Iterator[Text]:
    """Yield every text that is drawn."""
    yield from figure.texts
    for legend in figure.legends:
        yield from legend.get_texts()
    for axes in figure.axes:
        yield from axes.texts
        if (legend_inside := axes.get_legend()) is not None:
            yield from legend_inside.get_texts()
        if not axes.axison:
            continue
        yield from (axes.xaxis.label, axes.yaxis.label)
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if min(limits) <= tick.get_loc() <= max(limits):
                    yield from (t for t in (tick.label1, tick.label2) if t.get_visible())
    for axes in figure.axes:
        yield from (axes.title, axes._left_title)  # type: ignore[attr-defined]


def overlaps(figure: MplFigure) -> list[tuple[str, str]]:
    """Return the pairs of texts whose boxes overlap by more than a pixel."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [
        (text.get_text(), text.get_window_extent(renderer).padded(-0.5))
        for text in visible_texts(figure)
        if text.get_text().strip() and text.get_visible()
    ]
    return [(a, b) for (a, one), (b, two) in combinations(boxes, 2) if one.overlaps(two)]


def pattern_of(one: MeanMap, *, layers: int = 2, heads: int = 3, seed: int = 0) -> AttentionPattern:
    """Return a pattern with the words of a map, its tokens named t0, t1, ..."""
    values = np.stack(
        [
            [causal_softmax(one.size, seed + 100 * layer + head) for head in range(heads)]
            for layer in range(layers)
        ]
    )
    tokens = tuple(f" t{at}" for at in range(one.size))
    return AttentionPattern(values, tokens, one.words, model=one.model, text=one.text)


def small_pattern(*, model: str = "plain", text: str = "a text", seed: int = 0) -> AttentionPattern:
    """Return 2 x 3 heads over a text whose every word is one token."""
    return pattern_of(small_map(model=model, text=text), seed=seed)


def hostile_pattern() -> AttentionPattern:
    """Return a pattern whose tokens and words are what nobody expects."""
    tokens = (HOSTILE, "x" * 10_000, "\n", " ", "", "\u202eabc\u05d0\u05d1", "😀", "\x00\x07",
              "$x$", "_b")  # fmt: skip
    words = tuple(
        Word(at, at + 1, token or "·", role)
        for at, (token, role) in enumerate(
            zip(tokens, ("causal", "spurious", "irrelevant", "other", "other") * 2, strict=True)
        )
    )
    values = np.stack([[causal_softmax(len(tokens), head) for head in range(2)]])
    return AttentionPattern(values, tokens, words, model=HOSTILE, text="$a_1$\n")


def texts_of(figure: Figure, *, theme: ThemeName = "light") -> list[str]:
    """Return all texts that a figure shows."""
    drawn = figure.matplotlib(theme=theme)
    drawn.draw_without_rendering()  # ticks have no labels before
    return [text.get_text() for text in visible_texts(drawn)]


def outside(figure: MplFigure) -> list[str]:
    """Return the texts that stick out of the figure, and the patches that its sheets cut off."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    page = figure.bbox.padded(3)

    def sticks_out(artist: Artist) -> bool:
        box = artist.get_window_extent(renderer)
        return not (page.x0 <= box.x0 and box.x1 <= page.x1) or not (
            page.y0 <= box.y0 and box.y1 <= page.y1
        )

    shown = [text for text in visible_texts(figure) if text.get_text().strip()]
    patches = [patch for axes in figure.axes if not axes.axison for patch in axes.patches]
    return [text.get_text() for text in shown if sticks_out(text)] + [
        repr(patch) for patch in patches if sticks_out(patch)
    ]
