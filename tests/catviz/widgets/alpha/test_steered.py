"""Steering over alpha: charts show what the parts measure, and typed words get an answer."""

from __future__ import annotations

from html import unescape
from typing import Any

import numpy as np
import pytest

from cat.data import load_data
from cat.signals import Example
from catviz.effects.steering import steer
from catviz.effects.steering_alphas import steer_text
from catviz.lens import AttentionLens
from catviz.widgets.alpha.steered import SteeredAlpha
from catviz.widgets.charts import LineChart, MapChart, TextChart

ALPHAS = (2.0, 10.0)


@pytest.fixture(scope="module")
def lens() -> AttentionLens:
    return AttentionLens.load("tiny/plain")


@pytest.fixture(scope="module")
def texts() -> list[Example]:
    return load_data("stg-e")["test_ood"][:20]


@pytest.fixture
def panel(lens: AttentionLens, texts: list[Example]) -> SteeredAlpha:
    return SteeredAlpha(lens, alphas=ALPHAS, texts=texts)


def frames(panel: SteeredAlpha) -> list[dict[str, Any]]:
    assert panel.place.board is not None
    return panel.place.board._frames


def said(panel: SteeredAlpha) -> str:
    return unescape(panel.message.value)


def test_the_left_end_is_not_edited(panel: SteeredAlpha) -> None:
    assert panel.slider.options == ("not edited", "2", "10")
    assert panel.slider.index == 0
    names = {"after", "map", "log-odds", "accuracy"}
    assert [set(frame) for frame in frames(panel)] == [names] * 3
    first = frames(panel)[0]
    before: TextChart = panel.place.board._shown["before"]  # type: ignore[union-attr, assignment]
    assert list(first["after"].weights) == list(before.weights)


def test_everything_says_that_it_is_an_edit_and_no_training(panel: SteeredAlpha) -> None:
    heading = panel.children[0].value
    assert "an edit, no training" in heading
    assert "nothing is trained" in heading
    frame = frames(panel)[2]
    for name in ("after", "map", "log-odds", "accuracy"):
        assert "edited" in frame[name].title
    panel.slider.index = 2
    assert panel.static().title == "Steered with alpha, not trained: edited to alpha 10"
    titles = [*panel.slider.options, *(chart.title for f in frames(panel) for chart in f.values())]
    assert not any("plain" in title for title in titles)


def test_the_charts_show_what_steering_gives(
    panel: SteeredAlpha, lens: AttentionLens, texts: list[Example]
) -> None:
    at = panel.text.value
    one = steer_text(lens, texts[at], ALPHAS)
    all_texts = [steer(lens, texts, alpha) for alpha in ALPHAS]
    line, mean, even = frames(panel)[1]["log-odds"].lines
    np.testing.assert_allclose(line.y, one.log_odds, atol=1e-4)
    wanted = [all_texts[0].log_odds_before.mean(), *(c.log_odds_after.mean() for c in all_texts)]
    np.testing.assert_allclose(mean.y, wanted, atol=1e-4)
    assert list(even.y) == [0, 0, 0]
    (accuracy,) = frames(panel)[1]["accuracy"].lines
    shares = [all_texts[0].accuracy_before, *(c.accuracy_after for c in all_texts)]
    assert list(accuracy.y) == shares
    for number, frame in enumerate(frames(panel)):
        shown: MapChart = frame["map"]
        np.testing.assert_allclose(shown.values, one.maps[number].values, atol=1e-5)
        read: TextChart = frame["after"]
        assert sum(read.weights) == pytest.approx(1, abs=1e-4)
        np.testing.assert_allclose(read.weights, shown.values[-1], atol=1e-5)
        chart: LineChart = frame["log-odds"]
        assert chart.cursor is not None
        assert chart.cursor[0] == number
    assert frames(panel)[0]["map"].highest == frames(panel)[2]["map"].highest


def test_the_first_text_is_one_whose_answer_moves(panel: SteeredAlpha) -> None:
    assert panel.shown.says[0] != panel.shown.right == panel.shown.says[-1]
    assert "edited, it now says High Risk" in frames(panel)[2]["log-odds"].note


def test_words_that_are_typed_are_used_and_remembered(
    panel: SteeredAlpha, lens: AttentionLens, monkeypatch: pytest.MonkeyPatch
) -> None:
    board, chosen = panel.place.board, panel.shown
    panel.typed.value = panel.typed.value.replace("Weight: 10", "Weight: 1")
    assert panel.shown is chosen  # until it is asked for
    panel.use.click()
    assert panel.place.board is not board
    typed = panel.shown
    assert frames(panel)[0]["log-odds"].lines[0].name == "your text"
    np.testing.assert_allclose(
        typed.log_odds, steer_text(lens, panel.typed.value, ALPHAS).log_odds, atol=1e-5
    )
    monkeypatch.setattr(lens, "logits", None)  # nothing is computed again
    panel.use.click()
    assert panel.shown is typed
    assert said(panel) == ""


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ("", "expected a text, got nothing"),
        ("Tom smokes and will get", "expected a text with causal words to steer attention to"),
        ("word " * 5000, "expected at most 500 words, got 5000"),
        ("<b>Smoking: 8</b>", "expected a text with causal words"),
    ],
)
def test_words_that_cannot_be_used_are_a_message_and_the_rest_stays(
    panel: SteeredAlpha, typed: str, told: str
) -> None:
    board = panel.place.board
    panel.typed.value = typed
    panel.use.click()
    assert told in said(panel)
    assert panel.place.board is board
    assert "<b>" not in panel.message.value
    panel.text.value = 0
    assert said(panel) == ""
    assert panel.shown.maps[0].text == "text 1"


def test_what_is_wrong_with_the_model_or_the_alphas_is_a_message(lens: AttentionLens) -> None:
    for options, told in (
        ({"model": "tiny/no-such"}, "no shipped checkpoint 'tiny/no-such'"),
        ({"model": lens, "alpha": 7}, "expected an alpha of 0.3, 1, 2, 3, 5, 10, 20, 50; got 7"),
        ({"model": lens, "alphas": (3, 1)}, "expected alphas above 0 in rising order, got (3, 1)"),
        ({"model": lens, "texts": [Example("Tom smokes.", "Low Risk")]}, "causal words"),
    ):
        panel = SteeredAlpha(**options)  # type: ignore[arg-type]
        assert told in said(panel)
        assert panel.slider.disabled
        assert panel.use.disabled
        assert told in panel.static().alt


def test_the_twin_compares_with_the_model_as_it_is(panel: SteeredAlpha) -> None:
    panel.slider.index = 2
    maps = [
        r
        for r in panel.static().data
        if r["figure"] == f"Mean attention, {panel.shown.maps[0].text}"
    ]
    assert list(dict.fromkeys(r["model"] for r in maps)) == ["not edited", "edited to alpha 10"]
    panel.slider.index = 0
    models = {r["model"] for r in panel.static().data if "model" in r}
    assert models == {"not edited"}
