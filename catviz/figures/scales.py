"""One colour scale for all that is compared, and the colour bar that says so."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colorbar import Colorbar
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize, to_rgb
from matplotlib.ticker import MaxNLocator

from catviz.figures.style import MAP_COLOURS, Theme

__all__ = [
    "Colour",
    "Scale",
    "check_vmax",
    "difference_colours",
    "difference_scale",
    "draw_colour_bar",
    "ink_on",
    "map_scale",
]

Colour = tuple[float, float, float, float] | str

_SINK_PERCENTILE = 99


@dataclass(frozen=True)
class Scale:
    """Colours from 0 (or, of differences, from -vmax) to ``vmax``; ``highest`` is the largest."""

    vmax: float
    highest: float

    @property
    def is_clipped(self) -> bool:
        return self.highest > self.vmax * (1 + 1e-9)

    def note(self, what: str = "Cells") -> str:
        """Return what a caption must say about clipped values, with a space in front."""
        if not self.is_clipped:
            return ""
        return f" {what} above {self.vmax:.2g} (up to {self.highest:.2g}) share the last colour."


def check_vmax(vmax: float | None) -> None:
    """Refuse an end of the colour scale that is no end."""
    if vmax is not None and not (np.isfinite(vmax) and vmax > 0):
        raise ValueError(f"vmax must be a finite number above 0, got {vmax}")


def map_scale(maps: Sequence[np.ndarray], vmax: float | None = None) -> Scale:
    """Return the scale of (..., query, key) maps: it ends where the sink does not decide.

    By default at the 99th percentile of all cells outside the first column.
    """
    check_vmax(vmax)
    longer = [values for values in maps if values.shape[-1] > 1]
    highest = float(max((values[..., 1:, :].max() for values in longer), default=1.0))
    if vmax is not None:
        return Scale(vmax, highest)
    pool = [_lower_triangle(v[..., 1:, 1:]) for v in longer] or [_lower_triangle(v) for v in maps]
    usual = float(np.percentile(np.concatenate(pool), _SINK_PERCENTILE))
    return Scale(usual or highest or 1.0, highest)


def difference_scale(difference: np.ndarray) -> Scale:
    """Return the scale of a (query, key) difference of maps, the same to both sides of 0."""
    scale = map_scale([np.abs(difference)])
    return scale if scale.highest > 0 else Scale(1.0, 0.0)


def difference_colours(theme: Theme) -> Colormap:
    """Return RdBu; in the dark, from its red to its blue through the background's dark."""
    if theme.name == "light":
        return colormaps["RdBu"]
    ends = ["#f4a582", "#d6604d", theme.void, "#4393c3", "#92c5de"]
    return LinearSegmentedColormap.from_list("RdBu_dark", ends)


def draw_colour_bar(
    axes: Axes,
    scale: Scale,
    label: str,
    *,
    colours: Colormap | str = MAP_COLOURS,
    centred: bool = False,
    across: bool = False,
) -> Colorbar:
    """Draw the bar of a scale; an arrow and the highest value say that it is clipped."""
    extend: Literal["neither", "both", "max"] = (
        "neither" if not scale.is_clipped else "both" if centred else "max"
    )
    low = -scale.vmax if centred else 0.0
    bar = Colorbar(
        axes,
        ScalarMappable(Normalize(low, scale.vmax), colours),
        extend=extend,
        orientation="horizontal" if across else "vertical",
        ticks=MaxNLocator(5),
    )
    bar.set_label(label)
    bar.outline.set_visible(False)
    if scale.is_clipped and not centred and not across:
        axes.set_title(f"highest {scale.highest:.2f}", fontsize=7.5, fontweight="normal", pad=8)
    return bar


def ink_on(colour: Colour) -> str:
    """Return black or white, whichever can be read on the colour.

    >>> ink_on("#440154"), ink_on("#fde725")
    ('#ffffff', '#000000')
    """
    channels = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(colour))
    luminance = float(np.dot(list(channels), [0.2126, 0.7152, 0.0722]))
    return "#000000" if luminance > 0.179 else "#ffffff"  # where both contrasts are equal


def _lower_triangle(maps: np.ndarray) -> np.ndarray:
    return maps[..., *np.tril_indices(maps.shape[-1])].ravel()
