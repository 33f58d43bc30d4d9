"""The one look of all figures: role colours and marks, two themes, and looks for series.

Colours are Okabe and Ito's colour-blind-safe set. No role is told by its colour alone: each has a
letter, a line dash and a hatch as well. Models and alphas ("series") use other colours than roles.
"""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Literal

import matplotlib
import matplotlib.style
from matplotlib import font_manager

from catviz.words import Role

__all__ = [
    "MAP_COLOURS",
    "ROLE_STYLES",
    "THEMES",
    "Dash",
    "RoleStyle",
    "SeriesStyle",
    "Theme",
    "ThemeName",
    "series_style",
    "theme_named",
    "themed",
]

ThemeName = Literal["light", "dark"]
Dash = tuple[float, tuple[float, ...]]  # matplotlib's (offset, on-off sequence)

MAP_COLOURS = "viridis"


@dataclass(frozen=True)
class RoleStyle:
    """How a role looks: fill colour, letter, the letter's colour on the fill, dash, hatch."""

    colour: str
    letter: str
    on_colour: str
    dash: Dash
    hatch: str


ROLE_STYLES: dict[Role, RoleStyle] = {
    "causal": RoleStyle("#0072B2", "C", "#ffffff", (0, ()), ""),
    "spurious": RoleStyle("#D55E00", "S", "#000000", (0, (5, 1.6)), "////"),
    "irrelevant": RoleStyle("#999999", "I", "#000000", (0, (1.2, 1.2)), "...."),
    "other": RoleStyle("#00000000", "", "#000000", (0, (6, 2, 1, 2)), ""),
}


@dataclass(frozen=True)
class Theme:
    """Background, ink and helpers; ``void`` fills what a causal map cannot contain."""

    name: ThemeName
    background: str
    ink: str
    muted: str
    grid: str
    void: str
    series: tuple[str, ...]

    def rc(self) -> dict[str, object]:
        """Return the matplotlib settings of this theme, on top of matplotlib's defaults."""
        return {
            "figure.facecolor": self.background,
            "savefig.facecolor": self.background,
            "axes.facecolor": self.background,
            "axes.edgecolor": self.muted,
            "axes.labelcolor": self.ink,
            "axes.titlecolor": self.ink,
            "axes.titlesize": 10,
            "axes.titleweight": "bold",
            "axes.titlelocation": "left",
            "axes.labelsize": 9,
            "axes.linewidth": 0.7,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": False,
            "axes.axisbelow": True,
            "grid.color": self.grid,
            "grid.linewidth": 0.7,
            "hatch.linewidth": 0.6,
            "text.color": self.ink,
            "text.parse_math": False,  # "$" and "_" in a token are just characters
            "text.usetex": False,
            "xtick.color": self.muted,
            "ytick.color": self.muted,
            "xtick.labelcolor": self.ink,
            "ytick.labelcolor": self.ink,
            "xtick.labelsize": 8.5,
            "ytick.labelsize": 8.5,
            "legend.frameon": False,
            "legend.fontsize": 9,
            "lines.linewidth": 1.6,
            "font.family": list(_font_families()),
            "font.size": 9,
            "svg.fonttype": "path",  # the same letters on every machine
            "svg.hashsalt": "catviz",  # the same bytes for the same figure
            "pdf.fonttype": 42,
        }


THEMES: dict[ThemeName, Theme] = {
    "light": Theme(
        name="light",
        background="#ffffff",
        ink="#1f2328",
        muted="#59636e",
        grid="#e3e6ea",
        void="#f1f2f4",
        series=("#1f2328", "#00795a", "#8e3a86", "#7a6400"),
    ),
    "dark": Theme(
        name="dark",
        background="#14171a",
        ink="#e6e8eb",
        muted="#a3abb5",
        grid="#2e343a",
        void="#24292e",
        series=("#e6e8eb", "#37c79c", "#dc92d3", "#d6c04e"),
    ),
}


def theme_named(name: str) -> Theme:
    """Return the theme, or say which ones there are."""
    for theme in THEMES.values():
        if theme.name == name:
            return theme
    raise ValueError(f"unknown theme {name!r}; expected one of {', '.join(THEMES)}")


_rc_lock = threading.RLock()  # matplotlib's settings belong to the whole process


@contextmanager
def themed(theme: Theme) -> Iterator[None]:
    """Draw in this theme whatever the caller's matplotlib settings are, then restore them."""
    with _rc_lock, matplotlib.style.context(["default", theme.rc()]):
        yield


@dataclass(frozen=True)
class SeriesStyle:
    """How one series (a model, an alpha, a split) looks."""

    colour: str
    dash: Dash
    marker: str


_DASHES: tuple[Dash, ...] = (
    (0, ()),
    (0, (5, 1.8)),
    (0, (1.4, 1.4)),
    (0, (6, 1.6, 1.4, 1.6)),
    (0, (9, 2.5)),
)
_MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def series_style(index: int, theme: Theme) -> SeriesStyle:
    """Return the look of the index-th series: 140 differ from one another."""
    return SeriesStyle(
        colour=theme.series[index % len(theme.series)],
        dash=_DASHES[index % len(_DASHES)],
        marker=_MARKERS[index % len(_MARKERS)],
    )


_FALLBACK_FONTS = (
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "PingFang SC",
    "Microsoft YaHei",
    "WenQuanYi Zen Hei",
    "Noto Sans Arabic",
    "Noto Sans Devanagari",
    "Noto Emoji",
)


@cache
def _font_families() -> tuple[str, ...]:
    """Return matplotlib's own font, then those installed that know other scripts."""
    installed = set(font_manager.get_font_names())
    return ("DejaVu Sans", *(name for name in _FALLBACK_FONTS if name in installed))
