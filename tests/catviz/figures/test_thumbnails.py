"""All heads as thumbnails: the right map at the right place, pooled without losing a cell."""

from __future__ import annotations

import numpy as np
import pytest

from catviz.figures.thumbnails import _blocks, _thumbnail, head_grid
from tests.catviz.figures.drawn import (
    causal_softmax,
    large_map,
    pattern_of,
    small_map,
    small_pattern,
    texts_of,
)


def test_each_thumbnail_is_its_heads_map() -> None:
    pattern = small_pattern().select(layers=[1, 0])
    (grid,) = (axes for axes in head_grid(pattern).matplotlib().axes if axes.images)
    assert len(grid.images) == 6
    for image in grid.images:
        left, right, low, high = image.get_extent()
        layer, head = int(high), int(left)
        assert right < left + 1
        assert low < high + 1
        np.testing.assert_array_equal(
            image.get_array().compressed(),
            pattern.values[layer, head][np.tril_indices(11)],
        )
        assert image.get_clim() == grid.images[0].get_clim()


@pytest.mark.parametrize(("size", "pooled"), [(5, 1), (5, 2), (7, 3), (8, 4)])
def test_a_pixel_is_the_highest_of_its_cells(size: int, pooled: int) -> None:
    values = causal_softmax(size)
    thumbnail = _thumbnail(values, pooled)
    for row in range(len(thumbnail)):
        for column in range(row + 1):
            cells = values[
                row * pooled : (row + 1) * pooled, column * pooled : (column + 1) * pooled
            ]
            assert thumbnail[row, column] == pytest.approx(cells.max())
    assert thumbnail.mask[np.triu_indices(len(thumbnail), 1)].all()


def test_long_texts_are_pooled_and_the_caption_says_so() -> None:
    figure = head_grid(pattern_of(large_map(), layers=1, heads=2))
    assert "the highest of 2 x 2 cells" in figure.caption
    (grid,) = (axes for axes in figure.matplotlib().axes if axes.images)
    assert grid.images[0].get_array().shape == (38, 38)
    assert "the highest of" not in head_grid(small_pattern()).caption


def test_layers_and_heads_are_named_by_the_models_numbers() -> None:
    pattern = pattern_of(small_map(), layers=30, heads=9)
    shown = texts_of(head_grid(pattern))
    assert {f"L{layer}" for layer in range(30)} <= set(shown)
    assert shown.count("H8") == _blocks(30, 9)[0] == 2
    chosen = texts_of(head_grid(pattern.select(layers=[7, 20], heads=[3])))
    assert {"L7", "L20", "H3"} <= set(chosen)
    assert not {"L0", "L1", "H0"} & set(chosen)


@pytest.mark.parametrize("shape", [(1, 1), (2, 4), (12, 12), (30, 9), (32, 32), (80, 64)])
def test_thumbnails_stay_large_enough_and_the_page_too(shape: tuple[int, int]) -> None:
    blocks, side = _blocks(*shape)
    assert 0.3 <= side <= 1.5
    if shape[0] <= 32 and shape[1] <= 12:
        assert blocks * shape[1] * side < 8


def test_marked_heads_are_framed() -> None:
    def frames(figure) -> int:
        return sum(
            not patch.get_fill() for axes in figure.matplotlib().axes for patch in axes.patches
        )

    assert frames(head_grid(small_pattern())) == 0
    assert frames(head_grid(small_pattern(), mark=["L1H2", "L0H0"])) == 2


def test_records_are_the_answers_row_of_every_head() -> None:
    pattern = small_pattern()
    data = head_grid(pattern).data
    assert len(data) == 6 * 11
    for record in data:
        layer, head = int(record["head"][1]), int(record["head"][3])
        assert record["attention"] == float(pattern.values[layer, head, -1, record["key"]])


def test_grid_refuses() -> None:
    with pytest.raises(ValueError, match="got MeanMap"):
        head_grid(small_map())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"no head L9H0.*layers \(0, 1\)"):
        head_grid(small_pattern(), mark=["L9H0"])
    with pytest.raises(ValueError, match="such as 'L5H3', got 'nine'"):
        head_grid(small_pattern(), mark=["nine"])
    with pytest.raises(ValueError, match="a list of heads"):
        head_grid(small_pattern(), mark="L0H0")
    with pytest.raises(ValueError, match="vmax"):
        head_grid(small_pattern(), vmax=0)
