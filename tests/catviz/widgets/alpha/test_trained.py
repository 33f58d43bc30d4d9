"""Models over alpha: what the charts show is what the parts measure, and errors are messages."""

from __future__ import annotations

from html import unescape
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from cat.data import load_data
from cat.models import load_model
from cat.signals import Example
from catviz.density import role_scores
from catviz.effects.interventions import average_effects
from catviz.effects.plain import PlainModel
from catviz.figures.figure import Figure
from catviz.figures.scales import map_scale
from catviz.reading import mean_map
from catviz.roles import mark_roles
from catviz.widgets.alpha.trained import TrainedAlpha
from catviz.widgets.charts import DotChart, LineChart, MapChart
from tests.catviz.sweeps import copied_run, small_sweep


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_sweep(tmp_path_factory.mktemp("sweep"))


@pytest.fixture
def panel(folder: Path, texts: list[Example]) -> TrainedAlpha:
    return TrainedAlpha(folder, texts=texts)  # measured once


@pytest.fixture(scope="module")
def texts() -> list[Example]:
    return load_data("stg-e")["test_ood"][:30]


def frames(panel: TrainedAlpha) -> list[dict[str, Any]]:
    assert panel.place.board is not None
    return panel.place.board._frames


def said(panel: TrainedAlpha) -> str:
    return unescape(panel.message.value)


def test_every_place_of_the_slider_is_a_frame_of_all_charts(panel: TrainedAlpha) -> None:
    assert panel.slider.options == ("plain", "10")
    assert (panel.slider.index, panel.slider.disabled) == (0, False)
    assert [set(frame) for frame in frames(panel)] == [
        {"density", "map", "accuracy", "effects"}
    ] * 2
    link = panel.place._link
    assert link is not None
    assert link.source == (panel.slider, "index")
    assert link.target == (panel.place.board, "frame")
    assert "trained from the same start with that alpha" in panel.children[0].value


def test_the_charts_show_what_the_parts_measure(panel: TrainedAlpha, texts: list[Example]) -> None:
    for frame, name in zip(frames(panel), ("tiny/plain", "tiny/alpha-10"), strict=True):
        model, tokenizer = load_model(name)
        scores = role_scores(model, tokenizer, texts)
        density: LineChart = frame["density"]
        for line in density.lines:
            assert line.role is not None
            values = scores[line.role]
            area = np.trapezoid(line.y, line.x)
            mean = np.trapezoid(np.asarray(line.y) * line.x, line.x) / area
            assert area == pytest.approx(1, abs=0.03)
            wanted = np.log10(values) if density.ticks else values
            assert mean == pytest.approx(wanted.mean(), abs=0.03)
            assert f"{line.role} {np.median(values):.2g}" in density.note

        shown: MapChart = frame["map"]
        wanted_map = mean_map(model, tokenizer, texts[panel.text.value], name="x")
        np.testing.assert_allclose(shown.values, wanted_map.values, atol=1e-6)
        assert list(shown.words) == [word.label for word in wanted_map.words]

        effects: DotChart = frame["effects"]
        plain = PlainModel(model, tokenizer, "x")
        wanted_effects = average_effects(plain, texts[:24])
        model_dots, truth = effects.series
        np.testing.assert_allclose(
            model_dots.values, [effect.effect for effect in wanted_effects], atol=1e-5
        )
        np.testing.assert_allclose(truth.values, [effect.true for effect in wanted_effects])


def test_accuracy_is_that_of_the_sweep_with_a_cursor_at_the_model(panel: TrainedAlpha) -> None:
    charts: list[LineChart] = [frame["accuracy"] for frame in frames(panel)]
    assert [chart.cursor for chart in charts] == [(0.0, "plain"), (1.0, "alpha 10")]
    iid, ood, always = charts[0].lines
    assert list(iid.y) == [t.accuracy["test_iid"].share for t in panel.sweep.models]
    assert list(ood.y) == [t.accuracy["test_ood"].share for t in panel.sweep.models]
    assert (always.name, list(always.y)) == ("always Low Risk, out of distribution", [0.665] * 2)
    assert charts[0].ticks == [(0.0, "plain"), (1.0, "10")]


def test_axes_and_colours_stay_from_frame_to_frame(panel: TrainedAlpha) -> None:
    one, two = frames(panel)
    for name in ("density", "accuracy", "effects"):
        assert one[name].x_range == two[name].x_range
    assert one["density"].y_range == two["density"].y_range
    both = [frame["map"].values for frame in (one, two)]
    assert one["map"].highest == two["map"].highest == map_scale(both).vmax < both[0].max()


def test_a_peak_above_the_axis_is_told(panel: TrainedAlpha) -> None:
    for frame in frames(panel):
        chart: LineChart = frame["density"]
        assert chart.y_range is not None
        cut = [line.role for line in chart.lines if np.max(line.y) > chart.y_range[1]]
        assert ("Cut: " in chart.note) == bool(cut)
        assert all(f"{role} words" in chart.note for role in cut)


def test_another_text_changes_the_map_on_a_new_board(panel: TrainedAlpha) -> None:
    before, board = frames(panel), panel.place.board
    panel.text.value = 5
    after = frames(panel)
    assert panel.place.board is not board
    assert panel.place.children == (panel.place.board,)
    assert after[1]["map"].title == "Mean attention, text 6, alpha 10"
    np.testing.assert_allclose(after[1]["map"].values, panel.measured[1].maps[5].values)
    assert after[0]["density"] is before[0]["density"]


def test_the_first_text_shown_is_one_that_plain_training_gets_wrong(
    panel: TrainedAlpha, texts: list[Example]
) -> None:
    right = [one.says[panel.text.value] == texts[panel.text.value].answer for one in panel.measured]
    assert not right[0]
    assert any(right)
    assert "wrong, the answer is" in frames(panel)[0]["map"].note


def test_the_twin_shows_the_model_under_the_slider(panel: TrainedAlpha) -> None:
    panel.text.value = 2
    panel.slider.index = 1
    twin = panel.static()
    assert twin.title == "Trained with alpha: alpha 10"
    kinds = {record["figure"] for record in twin.data}
    assert len(kinds) == 4
    assert {r["model"] for r in twin.data if "model" in r} == {"alpha 10"}
    drawn = [r["attention"] for r in twin.data if "query" in r]
    values = panel.measured[1].maps[2].values
    assert drawn == [values[q, k] for q in range(len(values)) for k in range(q + 1)]
    panel.slider.index = 0
    assert panel.static().title == "Trained with alpha: plain"


def test_where_the_slider_starts(folder: Path, texts: list[Example]) -> None:
    panel = TrainedAlpha(folder, alpha=10, texts=texts)
    assert (panel.slider.index, panel.place.board.frame) == (1, 1)  # type: ignore[union-attr]
    panel = TrainedAlpha(folder, alpha=7)
    assert "expected an alpha of the sweep, plain, alpha 10; got 7" in said(panel)


def test_what_is_wrong_with_a_folder_is_said_in_the_panel(tmp_path: Path) -> None:
    panel = TrainedAlpha(tmp_path)
    assert "has no finished run, it holds nothing" in said(panel)
    assert panel.slider.disabled
    assert panel.place.children == ()
    twin = panel.static()
    assert isinstance(twin, Figure)
    assert "has no finished run" in twin.alt
    assert panel._repr_mimebundle_() is not None


def test_what_was_left_out_is_said_in_the_panel(tmp_path: Path) -> None:
    copied_run(tmp_path, "a", of="alpha-2")
    own = mark_roles(Example("Smoking: 8, Weight: 3 Answer:", "Low Risk"), {"causal": "Smoking: 8"})
    panel = TrainedAlpha(tmp_path, texts=[own])
    assert "the left end is alpha 2" in said(panel)
    assert "No effects: these texts are of no game" in said(panel)
    assert set(frames(panel)[0]) == {"density", "map", "accuracy"}
    assert len({record["figure"] for record in panel.static().data}) == 3
