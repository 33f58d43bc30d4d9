"""One scale for what is compared: where it ends, what it says, and ink that can be read."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib import colormaps

from catviz.figures.scales import Scale, difference_scale, ink_on, map_scale
from tests.catviz.figures.drawn import causal_softmax
from tests.catviz.figures.test_style import contrast


def test_a_map_scale_ends_at_the_usual_highest_cell_beyond_the_sink() -> None:
    maps = [causal_softmax(30, seed) for seed in range(3)]
    cells = [m[q, k] for m in maps for q in range(1, 30) for k in range(1, q + 1)]
    scale = map_scale(maps)
    assert scale.vmax == pytest.approx(np.percentile(cells, 99))
    assert scale.highest == max(m[1:].max() for m in maps)
    stacked = map_scale([np.stack(maps)[None]])
    assert stacked == scale


def test_a_scale_exists_for_every_map() -> None:
    assert map_scale([np.ones((1, 1))]) == Scale(1.0, 1.0)
    only_sink = np.eye(1, 4).repeat(4, axis=0)
    assert map_scale([only_sink]).vmax == 1.0
    assert difference_scale(np.zeros((4, 4))) == Scale(1.0, 0.0)
    change = np.zeros((4, 4))
    change[3, 2] = -0.25
    assert difference_scale(change).highest == 0.25


@pytest.mark.parametrize("vmax", [0, -1, float("nan"), float("inf")])
def test_a_scale_that_ends_nowhere_is_refused(vmax: float) -> None:
    with pytest.raises(ValueError, match="vmax must be a finite number above 0"):
        map_scale([causal_softmax(3)], vmax)


def test_clipping_is_told() -> None:
    assert Scale(0.5, 0.5).note() == ""
    assert Scale(0.25, 0.5).note("Shares") == (
        " Shares above 0.25 (up to 0.5) share the last colour."
    )


def test_ink_can_be_read_on_every_colour_of_the_map() -> None:
    for name in ("viridis", "RdBu"):
        for share in np.linspace(0, 1, 50):
            colour = colormaps[name](share)
            shown = "#" + "".join(f"{round(255 * channel):02x}" for channel in colour[:3])
            assert contrast(shown, ink_on(colour)) >= 4.5
