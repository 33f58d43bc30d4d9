"""What holds for every builder: texts keep apart, themes differ, the data come back whole."""

from __future__ import annotations

import csv
import io
import json
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure as MplFigure

from cat.stg import STG_E, STG_H
from catviz.figures.accuracy import accuracy_over_alpha
from catviz.figures.adjacency import signal_adjacency
from catviz.figures.change import attention_change
from catviz.figures.curves import training_curves
from catviz.figures.density import attention_density
from catviz.figures.effects import effect_table
from catviz.figures.figure import Figure
from catviz.figures.graph import causal_graph
from catviz.figures.heads import head_map
from catviz.figures.maps import attention_map
from catviz.figures.signals import signal_text
from catviz.figures.strips import text_strip
from catviz.figures.style import THEMES
from catviz.figures.thumbnails import head_grid
from tests.catviz.figures.drawn import (
    HOSTILE,
    hostile_pattern,
    large_map,
    outside,
    overlaps,
    pattern_of,
    small_map,
    small_pattern,
    visible_texts,
)
from tests.catviz.figures.samples import (
    CUT,
    REFERENCES,
    effects,
    game,
    hostile_signals,
    points,
    scores,
    signals_example,
    stg_aligned,
    training,
)

BUILDERS: dict[str, Callable[[], Figure]] = {
    "density": lambda: attention_density(
        {
            "plain": scores(causal=0.06, spurious=0.07, irrelevant=0.05),
            "SmolLM2-135M-Instruct with CAT, alpha 3": scores(
                causal=0.27, spurious=0.004, irrelevant=0.003
            ),
        }
    ),
    "density_cut": lambda: attention_density(
        CUT,
        scale="linear",
    ),
    "map_small": lambda: attention_map(
        [
            small_map(model=model, text=text)
            for text in ("IID text 3", "OOD text 7")
            for model in ("plain", "alpha 3")
        ]
    ),
    "map_large": lambda: attention_map([large_map(model="plain"), large_map(model="alpha 0.35")]),
    "map_mixed": lambda: attention_map([small_map(model="tiny"), large_map()]),
    "accuracy": lambda: accuracy_over_alpha(
        points(),
        baseline={"iid": {"accuracy": 0.954}, "ood": {"accuracy": 0.65, "low": 0.6, "high": 0.7}},
        references=REFERENCES,
    ),
    "curves": lambda: training_curves(
        {"plain": training(plain=True), "alpha 3": training(plain=False, ratio=20)},
        targets={"alpha 3": 3.0},
    ),
    "strips_words": lambda: text_strip(
        [large_map(model=model) for model in ("plain", "alpha 0.35")], title="Two models"
    ),
    "strips_tokens": lambda: text_strip(pattern_of(large_map()), row=30),
    "strips_hostile": lambda: text_strip(hostile_pattern()),
    "change_small": lambda: attention_change(
        small_map(), small_pattern(model="alpha 3", seed=5).mean()
    ),
    "change_large": lambda: attention_change(large_map(), large_map()),
    "change_hostile": lambda: attention_change(hostile_pattern(), hostile_pattern()),
    "grid_small": lambda: head_grid(small_pattern(), mark=["L1H2"]),
    "grid_large": lambda: head_grid(pattern_of(large_map(), layers=6, heads=9)),
    "grid_hostile": lambda: head_grid(hostile_pattern()),
    "heads_small": lambda: head_map([small_pattern(model=m) for m in ("plain", "alpha 3")]),
    "heads_large": lambda: head_map(pattern_of(small_map(), layers=30, heads=9), by="lift"),
    "heads_hostile": lambda: head_map([hostile_pattern(), small_pattern()], by="lift"),
    "effects": lambda: effect_table(effects("plain", "alpha 3")),
    "effects_hostile": lambda: effect_table(effects(HOSTILE), unit="$x_1$ " * 30),
    "graph_easy": lambda: causal_graph(STG_E),
    "graph_hard": lambda: causal_graph(STG_H, equations=True),
    "graph_hostile": lambda: causal_graph(
        game(HOSTILE, "$x$\n" * 90, "_b \u202e"), answer=HOSTILE + "!"
    ),
    "adjacency": lambda: signal_adjacency(stg_aligned()),
    "adjacency_cropped": lambda: signal_adjacency(stg_aligned(), columns=3),
    "signals": lambda: signal_text(signals_example()),
    "signals_hostile": lambda: signal_text(hostile_signals()),
    "curves_plain": lambda: training_curves({"plain": training(plain=True)}),
}


LAID_OUT = ("density", "accuracy", "curves")  # by matplotlib, which makes room itself
ON_A_CANVAS = [name for name in BUILDERS if not name.startswith(LAID_OUT)]


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {name: build() for name, build in BUILDERS.items()}


@pytest.fixture(scope="module")
def drawn(figures: dict[str, Figure]) -> Callable[[str], MplFigure]:
    """Every figure once, in the light theme."""
    return cache(lambda name: figures[name].matplotlib())


@pytest.mark.parametrize("name", BUILDERS)
def test_no_text_overlaps_another(name: str, drawn: Callable[[str], MplFigure]) -> None:
    assert overlaps(drawn(name)) == []


@pytest.mark.parametrize("name", ON_A_CANVAS)
def test_nothing_sticks_out(name: str, drawn: Callable[[str], MplFigure]) -> None:
    assert outside(drawn(name)) == []


@pytest.mark.parametrize("name", BUILDERS)
def test_every_figure_says_what_is_to_be_seen(name: str, figures: dict[str, Figure]) -> None:
    figure = figures[name]
    assert figure.title
    assert figure.alt.endswith(".")
    assert figure.caption.endswith(".")
    assert "nan" not in figure.alt + figure.caption


@pytest.mark.parametrize("name", BUILDERS)
def test_light_and_dark_differ(
    name: str, figures: dict[str, Figure], drawn: Callable[[str], MplFigure]
) -> None:
    for theme, figure in (
        ("light", drawn(name)),
        ("dark", figures[name].matplotlib(theme="dark")),
    ):
        assert to_hex(figure.get_facecolor()) == THEMES[theme].background
        colours = {to_hex(text.get_color()) for text in visible_texts(figure)}
        assert THEMES[theme].ink in colours
        assert not {other.ink for other in THEMES.values() if other.name != theme} & colours


@pytest.mark.parametrize("name", ["graph_easy", "strips_hostile"])
def test_pictures_follow_the_theme(name: str, figures: dict[str, Figure]) -> None:
    light = figures[name].render("svg")
    dark = figures[name].render("svg", theme="dark")
    assert THEMES["dark"].background.encode() in dark
    assert THEMES["dark"].background.encode() not in light


@pytest.mark.parametrize("name", [name for name in BUILDERS if name.endswith("hostile")])
def test_hostile_text_is_drawn_as_text(name: str, figures: dict[str, Figure]) -> None:
    shown = [t for t in visible_texts(figures[name].matplotlib()) if "$" in t.get_text()]
    assert shown
    assert not any(text.get_parse_math() for text in shown)
    svg = figures[name].render("svg")
    assert b"<script" not in svg
    ElementTree.fromstring(svg)


def test_hostile_text_is_saved_in_every_format(figures: dict[str, Figure], tmp_path: Path) -> None:
    for suffix in ("svg", "pdf", "png", "html", "json", "csv"):
        path = figures["strips_hostile"].save(tmp_path / f"figure.{suffix}")
        assert path.stat().st_size > 200
    assert "<script" not in (tmp_path / "figure.html").read_text("utf-8")


@pytest.mark.parametrize("name", BUILDERS)
def test_json_and_csv_equal_the_data(name: str, figures: dict[str, Figure], tmp_path: Path) -> None:
    figure = figures[name]
    assert figure.data
    assert json.loads(figure.save(tmp_path / "data.json").read_text("utf-8")) == [
        dict(record) for record in figure.data
    ]
    rows = list(csv.DictReader(io.StringIO(figure.save(tmp_path / "d.csv").read_text("utf-8"))))
    assert len(rows) == len(figure.data)
    for row, record in zip(rows, figure.data, strict=True):
        assert {key: value for key, value in row.items() if value} == {
            key: str(value) for key, value in record.items() if value not in (None, "")
        }
