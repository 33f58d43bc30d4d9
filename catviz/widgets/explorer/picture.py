"""The explorer as a figure: the mean maps, the text, and the heads."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure as MplFigure

from catviz.figures import attention_map, head_grid, head_map, text_strip
from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure
from catviz.figures.sheet import sheet
from catviz.figures.style import Theme
from catviz.patterns import AttentionPattern

__all__ = ["explorer_picture"]

_MAP_TOKENS = 150  # above, a map with a label a word is a grey square
_NOTHING = (
    "The explorer has nothing to show yet: the models are still being loaded, or could not be. "
    "Its method static() draws what it shows later."
)


def explorer_picture(patterns: Sequence[AttentionPattern]) -> Figure:
    """What the explorer shows of one model, or of two, before and after; a sentence for none."""
    if not patterns:
        return Figure(draw=_sentence, data=[], title="Explorer", alt=_NOTHING)
    means = [pattern.mean() for pattern in patterns]
    figures = [text_strip(patterns), _heads(patterns)]
    if patterns[0].size <= _MAP_TOKENS:
        figures.insert(0, attention_map(means))
    names = " and ".join(pattern.model for pattern in patterns)
    return sheet(figures, title=f"{names} on {patterns[0].text}")


def _heads(patterns: Sequence[AttentionPattern]) -> Figure:
    roles = set(patterns[-1].roles) - {"other"}
    if {"causal", "spurious"} <= roles:
        return head_map(patterns, by="lift")
    if roles:
        return head_map(patterns, by=sorted(roles)[0])
    return head_grid(patterns[-1])


def _sentence(theme: Theme) -> MplFigure:
    canvas = Canvas(7, 0.6)
    canvas.text(0, 0.1, _NOTHING, va="top", fontsize=9, color=theme.muted, wrap=True)
    return canvas.figure
