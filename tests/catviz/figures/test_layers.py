"""Scores by role over layers."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from catviz.figures.layers import density_over_layers
from catviz.figures.style import ROLE_STYLES
from catviz.scores import RoleScores
from tests.catviz.figures.drawn import HOSTILE, outside, overlaps, texts_of

WORDS = {"causal": 12, "spurious": 9, "irrelevant": 6}


def per_layer(layers: int, *, heads: int = 0, spread: float = 1.0) -> RoleScores:
    """Scores of which each role has its own course over the layers."""
    random = np.random.default_rng(0)
    shape = (layers, heads) if heads else (layers,)

    def values(role: str, words: int) -> np.ndarray:
        centre = 0.05 * (1 + list(WORDS).index(role))
        return centre * np.exp(spread * random.normal(size=(*shape, words))).clip(0, 3)

    return RoleScores(
        scores={role: values(role, words) for role, words in WORDS.items()},
        texts={role: np.arange(words) for role, words in WORDS.items()},
        numbers=np.arange(3),
        on_causes=np.ones((*shape, 3)),
        on_others=np.ones((*shape, 3)),
        texts_seen=3,
        left_out={},
    )


def test_the_data_are_the_quartiles_of_each_layer(tmp_path: Path) -> None:
    scores = per_layer(5, heads=2)
    figure = density_over_layers({"m": scores})
    assert len(figure.data) == 3 * 5
    for record in json.loads(figure.save(tmp_path / "data.json").read_text("utf-8")):
        words = scores[record["role"]][record["layer"]].mean(axis=0)  # over the layer's heads
        assert record["words"] == words.size
        expected = np.quantile(words, [0.25, 0.5, 0.75])
        np.testing.assert_allclose([record[k] for k in ("low", "median", "high")], expected)


def test_lines_are_the_medians_in_the_colours_and_dashes_of_the_roles() -> None:
    figure = density_over_layers({"m": per_layer(8)})
    lines = figure.matplotlib().axes[0].lines
    for line, role in zip(lines, WORDS, strict=True):
        expected = [r["median"] for r in figure.data if r["role"] == role]
        np.testing.assert_allclose(line.get_ydata(), expected)
        assert line.get_color() == ROLE_STYLES[role].colour
    assert len({str(line._unscaled_dash_pattern) for line in lines}) == 3
    assert "causal highest in layer" in figure.alt


def test_a_model_of_few_layers_has_letters_in_place_of_lines() -> None:
    for layers in (1, 2, 4):
        figure = density_over_layers({"m": per_layer(layers)})
        shown = texts_of(figure)
        assert all(shown.count(letter) == layers for letter in "CSI")
        axes = figure.matplotlib().axes[0]
        assert list(axes.get_xticks()) == list(range(layers))
    assert "C" not in texts_of(density_over_layers({"m": per_layer(5)}))


@pytest.mark.parametrize(("layers", "models"), [(1, 1), (4, 2), (30, 1), (80, 5)])
def test_nothing_overlaps_or_sticks_out(layers: int, models: int) -> None:
    figure = density_over_layers({f"{HOSTILE} {at}" * 2: per_layer(layers) for at in range(models)})
    drawn = figure.matplotlib()
    assert overlaps(drawn) == []
    assert outside(drawn) == []


def test_the_axis_is_logarithmic_where_scores_differ_tenfold() -> None:
    def scale(scores: RoleScores, **options: str) -> str:
        figure = density_over_layers({"m": scores}, **options)  # type: ignore[arg-type]
        return str(figure.matplotlib().axes[0].get_yscale())

    near, far = per_layer(5, spread=0.1), per_layer(5, spread=2.0)
    assert scale(near) == "linear"
    assert scale(far) == "log"
    assert scale(near, scale="log") == "log"
    assert scale(far, scale="linear") == "linear"


def test_refuses() -> None:
    zeros = per_layer(2)
    zeros.scores["causal"][:] = 0
    broken = per_layer(2)
    broken.scores["causal"][1, 3] = np.nan
    for scores, options, message in [
        ({}, {}, "at least one model"),
        ({"m": per_layer(2).at()}, {}, 'in the mean map.*per="layer"'),
        ({"m": {"causal": [0.1]}}, {}, "'m': expected scores of role_scores.*got dict"),
        ({"m": zeros}, {"scale": "log"}, "are 0"),
        ({"m": per_layer(2)}, {"scale": "cubic"}, "unknown scale 'cubic'"),
        ({"m": broken}, {}, r"'m', role 'causal': .*nan at index \(1, 3\)"),
    ]:
        with pytest.raises(ValueError, match=message):
            density_over_layers(scores, **options)  # type: ignore[arg-type]
    assert density_over_layers({"m": zeros}).render("png")
