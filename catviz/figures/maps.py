"""Mean attention maps with their words and roles: the paper's Figures 1b and 5."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import Rectangle

from catviz.figures.figure import Figure
from catviz.figures.layout import text_inches
from catviz.figures.style import MAP_COLOURS, ROLE_STYLES, Theme
from catviz.figures.text import printable, shorten, wrap
from catviz.maps import MeanMap
from catviz.words import Word

__all__ = ["attention_map"]

_FONT = 7.5
_LINE = 1.35 * _FONT / 72  # inches that one label needs across its reading direction
_LETTERS = 24  # longest label
_SINK_PERCENTILE = 99

# Inches.
_CELL = 0.25
_SMALLEST, _USUAL, _LARGEST = 2.6, 4.1, 9.0
_STRIP = 0.13
_BARS = 0.85
_GAP = 0.10
_BETWEEN = 0.45
_HEADING = 0.3
_KEY_LINE = 0.2


def attention_map(
    maps: Sequence[MeanMap],
    *,
    title: str = "Mean attention",
    vmax: float | None = None,
) -> Figure:
    """Draw maps in a grid, models in columns and texts in rows (paper, Figures 1b and 5).

    Row = the word that looks, column = the word looked at. Both axes are painted by role and
    carry one label per word. The bars under a map are its answer row, painted by role: how the
    attention that predicts the answer is shared out.

    All maps have one colour scale, from 0 to ``vmax``: by default the 99th percentile of all cells
    outside the first column, which many models use as a sink. Higher values are clipped, and the
    colour bar then ends in an arrow.

    >>> words = (Word(0, 1, "Smoking: 8", "causal"), Word(1, 2, "Answer:", "other"))
    >>> example = MeanMap(np.array([[1.0, 0.0], [0.7, 0.3]]), words, model="plain", text="one")
    >>> attention_map([example]).data[-1]["attention"]
    0.3
    """
    if not maps:
        raise ValueError("no maps to draw: expected at least one MeanMap")
    seen = set()
    for one in maps:
        if (one.model, one.text) in seen:
            raise ValueError(f"two maps of model {one.model!r} for the text {one.text!r}")
        seen.add((one.model, one.text))
    scale = _scale(maps, vmax)
    return Figure(
        draw=partial(_draw, maps=tuple(maps), scale=scale),
        data=[record for one in maps for record in _records(one)],
        title=title,
        alt=_describe(maps),
        caption=(
            "Rows are the words that look, columns the words looked at. Bars: the row that "
            "predicts the answer." + scale.note
        ),
    )


@dataclass(frozen=True)
class _Scale:
    """One colour scale for all maps, one height for all bars."""

    vmax: float
    highest: float
    bar_top: float

    @property
    def is_clipped(self) -> bool:
        return self.highest > self.vmax * (1 + 1e-9)

    @property
    def note(self) -> str:
        if not self.is_clipped:
            return ""
        return f" Cells above {self.vmax:.2g} (up to {self.highest:.2g}) share the last colour."


def _scale(maps: Sequence[MeanMap], vmax: float | None) -> _Scale:
    if vmax is not None and not (np.isfinite(vmax) and vmax > 0):
        raise ValueError(f"vmax must be a finite number above 0, got {vmax}")
    cells = [m.values[np.tril_indices(m.size)] for m in maps]
    beyond_sink = [m.values[1:, 1:][np.tril_indices(m.size - 1)] for m in maps if m.size > 1]
    pool = np.concatenate(beyond_sink) if beyond_sink else np.concatenate(cells)
    later = [m.values[1:].max() for m in maps if m.size > 1]  # the first row is always a lone 1
    highest = float(max(later, default=1.0))
    usual = float(np.percentile(pool, _SINK_PERCENTILE)) or highest
    bars = [m.values[m.answer_row, 1:] for m in maps if m.size > 1]
    top = float(np.concatenate(bars).max()) if bars else 0.0
    return _Scale(vmax=vmax or usual, highest=highest, bar_top=top or highest)


def _records(one: MeanMap) -> list[dict[str, object]]:
    labels = [""] * one.size
    for word in one.words:
        labels[word.start : word.stop] = [word.label] * (word.stop - word.start)
    roles = one.roles
    return [
        {
            "model": one.model,
            "text": one.text,
            "query": query,
            "key": key,
            "query_word": labels[query],
            "key_word": labels[key],
            "key_role": roles[key],
            "attention": float(one.values[query, key]),
        }
        for query in range(one.size)
        for key in range(query + 1)
    ]


def _describe(maps: Sequence[MeanMap]) -> str:
    parts = []
    for one in maps:
        row, roles = one.values[one.answer_row], np.array(one.roles)
        shares = ", ".join(
            f"{role} {100 * row[roles == role].sum():.0f}%"
            for role in ROLE_STYLES
            if (roles == role).any()
        )
        parts.append(f"{one.model}, {one.text}: {shares}")
    return "Attention of the row that predicts the answer, by role. " + "; ".join(parts) + "."


def _draw(theme: Theme, *, maps: Sequence[MeanMap], scale: _Scale) -> MplFigure:
    models = list(dict.fromkeys(m.model for m in maps))
    texts = list(dict.fromkeys(m.text for m in maps))
    by_place = {(m.text, m.model): m for m in maps}
    side = max(_side(m) for m in maps)
    label_room = max(_label_room(m) for m in maps)
    left = label_room + _STRIP + 0.03
    x_step = side + _STRIP + _BETWEEN + _extra_label_room(maps, models, texts, label_room)
    heading = _HEADING if len(texts) == 1 else 2 * _HEADING
    y_step = heading + side + _GAP + _BARS + 0.02 + _STRIP + label_room + 0.15
    width = left + x_step * (len(models) - 1) + side + 1.0
    height = y_step * len(texts)
    figure = MplFigure(figsize=(width, height))

    def place(left: float, top: float, right: float, down: float, w: float, h: float) -> Axes:
        """Add axes of w x h inches, right of and down from a corner given from the upper left."""
        x, y = left + right, top + down
        return figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))

    for row, text in enumerate(texts):
        y = heading + row * y_step
        if len(texts) > 1:
            figure.text(
                0, 1 - (y - 1.6 * _HEADING) / height, shorten(printable(text), int(width * 13)),
                color=theme.muted, va="center",
            )  # fmt: skip
        drawn: MeanMap | None = None
        for column, model in enumerate(models):
            x = left + column * x_step
            one = by_place.get((text, model))
            if one is None:
                figure.text(x / width, 1 - (y + side / 2) / height, "no map", color=theme.muted)
                continue
            _draw_panel(
                partial(place, x, y), one, side, scale, theme,
                labelled=drawn is None or drawn.words != one.words, named=drawn is None,
            )  # fmt: skip
            drawn = one
    place_beside = partial(place, width - 0.72, heading)
    _draw_colour_bar(place_beside(0, 0, 0.13, min(side, 3.2)), scale)
    _draw_role_key(place_beside(0, side + _GAP, _STRIP, 3 * _KEY_LINE), theme)
    return figure


def _draw_panel(
    place: Callable[[float, float, float, float], Axes],
    one: MeanMap,
    side: float,
    scale: _Scale,
    theme: Theme,
    *,
    labelled: bool,
    named: bool,
) -> None:
    """Draw a map, its answer row below, and a strip of roles along both axes.

    ``labelled``: with the words at the left; ``named``: with the answer row's name and scale.
    """
    cells = place(0, 0, side, side)
    _draw_cells(cells, one, scale, theme)
    cells.set_title(wrap(one.model, int(side * 11)), pad=5)
    query_strip = place(-_STRIP - 0.03, 0, _STRIP, side)
    _draw_strip(query_strip, one, side, theme, vertical=True)
    if labelled:
        _label_words(query_strip, one, side, vertical=True)
    _draw_answer_row(place(0, side + _GAP, side, _BARS), one, scale, theme, named=named)
    key_strip = place(0, side + _GAP + _BARS + 0.02, side, _STRIP)
    _draw_strip(key_strip, one, side, theme, vertical=False)
    _label_words(key_strip, one, side, vertical=False)


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


def _side(one: MeanMap) -> float:
    """Return the inches of a map's side at which all words with a role can be labelled."""
    centres = [word.centre for word in one.words if word.role != "other"]
    nearest = min(np.diff(centres), default=np.inf)
    wanted = min(max(_CELL * one.size, _SMALLEST), _USUAL)
    return float(min(max(wanted, 1.02 * _LINE * one.size / nearest), _LARGEST))


def _label(word: Word) -> str:
    return shorten(printable(word.label), _LETTERS)


def _label_room(one: MeanMap) -> float:
    """Return the inches that the longest label takes, with its distance from the strip."""
    return max((text_inches(_label(word), _FONT) for word in one.words), default=0.0) + 0.08


def _extra_label_room(
    maps: Sequence[MeanMap], models: Sequence[str], texts: Sequence[str], room: float
) -> float:
    """Return the room for query labels between columns, needed where the words differ."""
    same = all(len({m.words for m in maps if m.text == text}) == 1 for text in texts)
    return 0.0 if same or len(models) == 1 else room


def _draw_cells(axes: Axes, one: MeanMap, scale: _Scale, theme: Theme) -> None:
    future = np.triu(np.ones_like(one.values, dtype=bool), k=1)
    axes.set_facecolor(theme.void)
    axes.imshow(
        np.ma.masked_array(one.values, future), cmap=MAP_COLOURS, vmin=0, vmax=scale.vmax,
        interpolation="none", aspect="auto",
    )  # fmt: skip
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    axes.annotate(
        "◂", (1.0, one.answer_row), xycoords=("axes fraction", "data"), xytext=(2, 0),
        textcoords="offset points", va="center", fontsize=8, color=theme.ink,
    )  # fmt: skip


def _draw_strip(axes: Axes, one: MeanMap, side: float, theme: Theme, *, vertical: bool) -> None:
    """Paint the words by role, with the role's letter where it fits."""
    inset = min(0.12, 0.02 * one.size / side)
    for word in one.words:
        style = ROLE_STYLES[word.role]
        start, length = word.start - 0.5 + inset, word.stop - word.start - 2 * inset
        corner, extent = (
            ((0.0, start), (1.0, length)) if vertical else ((start, 0.0), (length, 1.0))
        )
        colour = theme.grid if word.role == "other" else style.colour
        axes.add_patch(Rectangle(corner, *extent, facecolor=colour, linewidth=0))
        if (word.stop - word.start) * side / one.size >= 0.08:
            at = (0.5, word.centre) if vertical else (word.centre, 0.5)
            axes.text(
                *at, style.letter, ha="center", va="center_baseline", fontsize=6.5,
                fontweight="bold", color=style.on_colour,
            )  # fmt: skip
    ends = (-0.5, one.size - 0.5)
    axes.set_xlim(*((0, 1) if vertical else ends))
    axes.set_ylim(*(ends[::-1] if vertical else (0, 1)))
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)


def _label_words(axes: Axes, one: MeanMap, side: float, *, vertical: bool) -> None:
    words = _shown(one.words, side, one.size)
    centres, labels = [word.centre for word in words], [_label(word) for word in words]
    if vertical:
        axes.set_yticks(centres, labels, fontsize=_FONT)
        axes.tick_params(axis="y", length=0, pad=3)
    else:
        axes.set_xticks(centres, labels, fontsize=_FONT, rotation=90)
        axes.tick_params(axis="x", length=0, pad=3)


def _draw_answer_row(axes: Axes, one: MeanMap, scale: _Scale, theme: Theme, *, named: bool) -> None:
    """Draw the attention that predicts the answer as bars, painted by the role of the key."""
    row = one.values[one.answer_row]
    top = 1.12 * scale.bar_top
    colours = [theme.muted if role == "other" else ROLE_STYLES[role].colour for role in one.roles]
    axes.bar(np.arange(one.size), np.minimum(row, top), width=0.8, color=colours, linewidth=0)
    for key in np.flatnonzero(row > top):
        axes.annotate(
            f"▲ {row[key]:.2f}", (key + 0.5, top), xytext=(1, -1), textcoords="offset points",
            va="top", fontsize=7, color=theme.ink,
        )  # fmt: skip
    axes.set_xlim(-0.5, one.size - 0.5)
    axes.set_ylim(0, top)
    axes.set_xticks([])
    axes.set_yticks([0, scale.bar_top], ["0", f"{scale.bar_top:.2g}"] if named else ["", ""])
    axes.tick_params(axis="y", labelsize=7, length=2)
    if named:
        axes.set_ylabel(
            "row that predicts\nthe answer", fontsize=_FONT, rotation=0, ha="right", va="center"
        )


def _draw_role_key(axes: Axes, theme: Theme) -> None:
    """Say what the strips' colours and letters mean."""
    lines = [(role, style) for role, style in ROLE_STYLES.items() if style.letter]
    size = _STRIP / _KEY_LINE
    for at, (role, style) in enumerate(lines):
        axes.add_patch(
            Rectangle((0, at + (1 - size) / 2), 1, size, facecolor=style.colour, linewidth=0)
        )
        axes.text(
            0.5, at + 0.5, style.letter, ha="center", va="center_baseline", fontsize=6.5,
            fontweight="bold", color=style.on_colour,
        )  # fmt: skip
        axes.text(1.4, at + 0.5, role, va="center_baseline", fontsize=_FONT, color=theme.ink)
    axes.set_ylim(len(lines), 0)
    axes.set_axis_off()


def _draw_colour_bar(axes: Axes, scale: _Scale) -> None:
    bar = Colorbar(
        axes,
        ScalarMappable(Normalize(0, scale.vmax), MAP_COLOURS),
        extend="max" if scale.is_clipped else "neither",
    )
    bar.set_label("mean attention")
    bar.outline.set_visible(False)
    if scale.is_clipped:
        axes.set_title(f"highest {scale.highest:.2f}", fontsize=7.5, fontweight="normal", pad=8)
