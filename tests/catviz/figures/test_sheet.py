"""Several figures on one sheet: each whole and sharp, none over another, nothing lost."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure as MplFigure
from PIL import Image

from catviz.figures.figure import Figure
from catviz.figures.sheet import sheet
from catviz.figures.style import Theme, ThemeName

COLOURS = [(0, 114, 178), (213, 94, 0), (153, 153, 153)]


def block(number: int, width: float = 2.0, height: float = 1.0) -> Figure:
    """A figure that is all one colour, so that its place on a sheet can be measured."""

    def draw(theme: Theme) -> MplFigure:
        figure = MplFigure(figsize=(width, height))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.imshow([[COLOURS[number]]], aspect="auto")
        return figure

    return Figure(
        draw, [{"number": number}], f"Block {number}", f"block {number}", f"Says {number}."
    )


def drawn(figure: Figure, theme: ThemeName = "light") -> np.ndarray:
    with Image.open(io.BytesIO(figure.render("png", theme=theme))) as image:
        return np.asarray(image.convert("RGB"))


def place(pixels: np.ndarray, number: int) -> tuple[float, float, float, float]:
    """Left, top, right and bottom of a block, in inches."""
    rows, columns = np.nonzero((pixels == COLOURS[number]).all(axis=-1))
    left, top, right, bottom = columns.min(), rows.min(), columns.max() + 1, rows.max() + 1
    return left / 192, top / 192, right / 192, bottom / 192


def test_figures_stand_in_reading_order_in_columns_of_one_width() -> None:
    pixels = drawn(sheet([block(0), block(1, height=1.5), block(2)], title="Three"))
    first, second, third = (place(pixels, number) for number in range(3))
    for left, _, right, _ in (first, second, third):
        assert right - left == pytest.approx(2, abs=0.02)
    assert second[1] == pytest.approx(first[1], abs=0.02)  # beside one another
    assert third[0] == pytest.approx(first[0], abs=0.02)  # below
    assert third[1] > second[3] + 0.2  # with room for its title
    assert second[0] - first[0] == pytest.approx(6.1, abs=0.02)  # a column and the gap


def test_a_figure_wider_than_a_column_shrinks_and_one_much_wider_takes_the_row() -> None:
    pixels = drawn(sheet([block(0, width=7, height=2), block(1), block(2, width=11)], title="Wide"))
    shrunk, _, wide = (place(pixels, number) for number in range(3))
    assert shrunk[2] - shrunk[0] == pytest.approx(5.7, abs=0.06)
    assert shrunk[3] - shrunk[1] == pytest.approx(2 * 5.7 / 7, abs=0.05)
    assert wide[2] - wide[0] == pytest.approx(11, abs=0.02)
    assert wide[0] == pytest.approx(shrunk[0], abs=0.02)


def test_every_pixel_of_a_figure_is_on_the_sheet_as_it_was() -> None:
    noise = np.random.default_rng(0).integers(1, 255, (96, 96, 3), dtype=np.uint8)

    def draw(theme: Theme) -> MplFigure:
        figure = MplFigure(figsize=(0.5, 0.5))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_axis_off()
        axes.imshow(noise, interpolation="none", aspect="auto")
        return figure

    one = Figure(draw, [], "Noise", "noise")
    pixels = drawn(sheet([one, block(0)], title="Sharp"))
    rows, columns = np.nonzero((pixels == noise[0, 0]).all(axis=-1))
    seen = [pixels[r : r + 96, c : c + 96] for r, c in zip(rows, columns, strict=True)]
    assert any(np.array_equal(part, noise) for part in seen)


def test_a_sheet_knows_all_that_its_figures_know(tmp_path: Path) -> None:
    both = sheet([block(0), block(1)], title="Both", caption="Together.")
    assert both.data == [{"figure": "Block 0", "number": 0}, {"figure": "Block 1", "number": 1}]
    assert both.alt == "Block 0: block 0 Block 1: block 1"
    assert both.caption == "Together. Block 0: Says 0. Block 1: Says 1."
    for suffix in ("svg", "pdf", "html", "json", "csv"):
        assert both.save(tmp_path / f"both.{suffix}").stat().st_size > 0
    assert json.loads((tmp_path / "both.json").read_text("utf-8")) == both.data
    assert sheet([block(0)], title="One").caption == "Block 0: Says 0."


def test_a_sheet_is_drawn_in_the_theme_asked_for() -> None:
    both = sheet([block(0), block(1)], title="Both")
    assert drawn(both)[0, 0].tolist() == [255, 255, 255]
    assert drawn(both, "dark")[0, 0].tolist() == [0x14, 0x17, 0x1A]


def test_what_is_no_sheet_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least one"):
        sheet([], title="None")
    with pytest.raises(ValueError, match="expected at least one column, got 0"):
        sheet([block(0)], title="None", columns=0)
