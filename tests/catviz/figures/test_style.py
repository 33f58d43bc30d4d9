"""Colours that can be told apart, and looks that do not rest on colour alone."""

from __future__ import annotations

import numpy as np
import pytest

from catviz.figures.style import ROLE_STYLES, THEMES, Theme, series_style


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, two: str) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_colours_can_be_told_from_the_background(theme: Theme) -> None:
    for colour in (theme.ink, theme.muted, *theme.series):
        assert contrast(colour, theme.background) >= 4.5
    for role in ("causal", "spurious", "irrelevant"):
        style = ROLE_STYLES[role]
        assert contrast(style.colour, theme.background) >= 2.8
        assert contrast(style.on_colour, style.colour) >= 4.5


def test_no_look_is_told_by_colour_alone() -> None:
    roles = [ROLE_STYLES[role] for role in ("causal", "spurious", "irrelevant")]
    for mark in ("letter", "dash", "hatch"):
        assert len({getattr(role, mark) for role in roles}) == 3
    looks = {series_style(at, THEMES["light"]) for at in range(140)}
    assert len(looks) == 140
    assert not {look.colour for look in looks} & {r.colour for r in roles}
