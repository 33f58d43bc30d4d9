"""Rules without a model, as dotted lines: each a letter at its line, named in a key below."""

from __future__ import annotations

import string
import textwrap
from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from catviz.figures.records import finite_number
from catviz.figures.style import Theme
from catviz.figures.text import printable

__all__ = [
    "REFERENCE_LINE",
    "References",
    "check_references",
    "draw_reference_key",
    "key_height",
    "label_upright_lines",
    "letters_of",
    "reference_note",
    "reference_records",
    "spread",
]

References = Mapping[str, Mapping[str, float]]
"""Rule -> panel -> value."""

REFERENCE_LINE = (0, (1.2, 1.6))

_FONT = 8.0
_LETTER_WIDTH = 0.085  # inches, of the key's font
_LINE = 0.17  # inches
_GAP = 0.1


def check_references(references: References, panels: Sequence[str]) -> References:
    """Return the rules that have a value in one of the panels, or say what is wrong with them."""
    if len(references) > len(string.ascii_lowercase):
        raise ValueError(f"expected at most 26 references, got {len(references)}")
    checked = {
        name: {
            panel: finite_number(value, f"reference {name!r}, {panel!r}")
            for panel, value in by.items()
            if panel in panels
        }
        for name, by in references.items()
    }
    return {name: by for name, by in checked.items() if by}


def letters_of(references: References) -> dict[str, str]:
    """Rule -> its letter."""
    return dict(zip(references, string.ascii_lowercase, strict=False))


def reference_note(references: References) -> str:
    """What a caption says of them."""
    return "Dotted lines are rules without a model." if references else ""


def reference_records(references: References) -> list[dict[str, object]]:
    """For a figure's data."""
    return [
        {"kind": "reference", "row": name, "panel": panel, "value": value}
        for name, by in references.items()
        for panel, value in by.items()
    ]


def _lines(references: References, panels: Sequence[str], width: float) -> list[str]:
    """The key's lines, each no longer than ``width`` inches."""
    return [
        line
        for name, letter in letters_of(references).items()
        for line in textwrap.wrap(
            f"{letter}  {printable(name)}: "
            + ", ".join(
                f"{panel} {references[name][panel]:.4g}"
                for panel in panels
                if panel in references[name]
            ),
            max(30, int(width / _LETTER_WIDTH)),
            subsequent_indent="    ",
        )
    ]


def key_height(references: References, panels: Sequence[str], width: float) -> float:
    """Room for the key, in inches."""
    lines = _lines(references, panels, width)
    return _GAP + _LINE * len(lines) if lines else 0.0


def draw_reference_key(
    sheet: Axes,
    x: float,
    y: float,
    references: References,
    panels: Sequence[str],
    width: float,
    theme: Theme,
) -> None:
    """Name the letters, from (x, y) downwards."""
    for at, line in enumerate(_lines(references, panels, width)):
        sheet.text(
            x, y + _GAP + (at + 0.5) * _LINE, line, fontsize=_FONT, color=theme.muted,
            va="center_baseline",
        )  # fmt: skip


def label_upright_lines(axes: Axes, lines: Mapping[str, float], width: float) -> None:
    """Write each letter above its upright line, moved aside where others stand."""
    low, high = axes.get_xlim()
    ordered = sorted(lines.items(), key=lambda line: line[1])
    places = spread([(value - low) / (high - low) for _, value in ordered], 0.11 / width)
    for (letter, _), place in zip(ordered, places, strict=True):
        axes.annotate(
            letter, (place, 1.0), (0, 3), xycoords="axes fraction", textcoords="offset points",
            ha="center", va="bottom", fontsize=_FONT,
        )  # fmt: skip


def spread(heights: Sequence[float], gap: float) -> list[float]:
    """Move ascending heights apart to at least ``gap``, each as little as its group needs.

    >>> [round(height, 2) for height in spread([0.5, 0.5, 0.9], 0.1)]
    [0.45, 0.55, 0.9]
    """
    groups: list[tuple[float, int]] = []  # (mean height, members)
    for height in heights:
        mean, members = height, 1
        while groups and mean - groups[-1][0] < gap * (members + groups[-1][1]) / 2:
            before, count = groups.pop()
            mean = (mean * members + before * count) / (members + count)
            members += count
        groups.append((mean, members))
    return [mean + gap * (at - (n - 1) / 2) for mean, n in groups for at in range(n)]
