"""The panel: what is chosen becomes a run, and the run becomes charts, sentences and a figure."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cat.signals import Example
from catviz.reading import mean_map
from catviz.widgets import LiveTraining
from catviz.widgets.charts import LineChart
from tests.catviz.widgets.live.live_runs import press_ctrl_c, small_data, tiny, wait_until


@pytest.fixture
def panel() -> Iterator[LiveTraining]:
    made = LiveTraining(small_data())
    yield made
    made.close()
    assert made.wait(10)


def said(panel: LiveTraining) -> str:
    return re.sub("<[^>]+>", "", panel.message.value)


def test_what_is_chosen_is_what_is_trained(panel: LiveTraining) -> None:
    chosen = panel.controls
    chosen.typed.value = "0,5"
    chosen.gamma.value = "0.1"
    chosen.texts.value = 32
    chosen.weights.value = True
    panel.train()
    panel.wait()
    (setting,) = panel.run.settings
    assert (setting.alpha, setting.gamma) == (0.5, "0.1")
    assert len(panel.run.records) == 12  # 2 steps, 6 times
    assert hasattr(panel.result.model, "disable_adapter")


def test_slider_and_field_say_the_same(panel: LiveTraining) -> None:
    panel.controls.alpha.value = "3"
    assert panel.controls.typed.value == "3"
    panel.controls.typed.value = "12.5"
    assert (panel.controls.alpha.value, panel.controls.typed.value) == ("10", "12.5")
    panel.controls.typed.value = "Plain"
    assert panel.controls.alpha.value == "plain"
    panel.controls.alpha.value = "0.3"
    assert panel.controls.typed.value == "0.3"


@pytest.mark.parametrize("typed", ["abc", "", "-1", "0", "nan"])
def test_what_is_no_alpha_becomes_a_message(panel: LiveTraining, typed: str) -> None:
    panel.controls.typed.value = typed
    expected = "alpha: expected a number above 0, such as 0.3 or 10, or the word plain; got"
    assert expected in said(panel)
    assert panel.controls.alpha.value == "10"
    panel.controls.train.click()
    assert expected in said(panel)
    assert panel.run.state == "idle"
    panel.controls.alpha.value = "20"
    assert said(panel) == ""


@pytest.fixture(scope="module")
def finished() -> LiveTraining:
    """A panel after a run, to be looked at."""
    made = LiveTraining(small_data())
    made.train()
    made.wait()
    return made


def test_a_run_becomes_frames_and_a_sentence(finished: LiveTraining) -> None:
    run, board = finished.run, finished.board
    assert board.n_frames == len(run.snapshots) == finished.controls.replay.max + 1
    assert finished.controls.replay.value == finished.controls.replay.max
    assert not finished.controls.replay.disabled
    assert set(board.charts) == {"density", "map", "accuracy", "mass", "loss"}
    assert board.charts["map"].title == "One text, all heads, step 24, alpha 10"
    right = run.evaluations["test_ood"].accuracy
    status = finished.controls.status.value
    assert status.startswith("Done: 24 steps in ")
    assert f"{100 * right:.0f}% right out of distribution (always Low Risk: " in status


def test_frames_hold_what_was_recorded_until_then(finished: LiveTraining) -> None:
    for snapshot, frame in zip(finished.run.snapshots, finished.board._frames, strict=True):
        accuracy = lines(frame["accuracy"])
        assert accuracy["out of distribution"].x[-1] == snapshot.step
        assert accuracy["out of distribution"].y[-1] == snapshot.accuracies["test_ood"]
        if snapshot.step:
            assert lines(frame["loss"])["next word"].x[-1] == snapshot.step
            assert frame["loss"].x_range == (0.0, 24.0)
        else:
            assert "loss" not in frame
    record = finished.run.records[-1]
    last = lines(finished.board.charts["mass"])["on causal words"]
    assert last.y[-1] == record.causal_mass


def test_replay_decides_what_the_figure_shows(finished: LiveTraining) -> None:
    finished.controls.replay.value = 0
    figure = finished.static()
    assert {record.get("model") for record in figure.data} == {"step 0, alpha 10"}
    finished.controls.replay.value = finished.controls.replay.max
    figure = finished.static()
    assert {record.get("model") for record in figure.data} == {"step 24, alpha 10", "alpha 10"}
    assert figure.title.startswith("Live training. Done: 24 steps in ")
    assert figure.render("png").startswith(b"\x89PNG")


def test_the_result_is_a_model_like_any_other(finished: LiveTraining) -> None:
    found = finished.result
    shown = mean_map(found.model, found.tokenizer, small_data()["test_ood"][0], name="trained")
    seen = finished.run.snapshots[-1].map
    assert seen is not None
    assert np.allclose(shown.values, seen.values)
    assert found.evaluations.keys() == {"test_iid", "test_ood"}


def lines(chart: Any) -> dict[str, Any]:
    assert isinstance(chart, LineChart)
    return {line.name: line for line in chart.lines}


def test_alpha_moved_in_mid_run_is_told(panel: LiveTraining) -> None:
    panel.controls.pace.value = 0.1
    panel.controls.train.click()
    wait_until(lambda: panel.run.records)
    panel.controls.alpha.value = "plain"
    panel.controls.pace.value = 0.0
    panel.wait()
    first = panel.run.settings[1].first_step
    assert 1 < first <= 24
    note = panel.board.charts["mass"].note
    moved = f"from step 1 alpha 10, gamma e^-epoch; from step {first} plain, gamma e^-epoch"
    assert note == f"Alpha moved: {moved}."
    assert panel.board.charts["density"].title == "Attention by role, step 24, plain"
    panel.controls.replay.value = 0
    assert {record.get("model") for record in panel.static().data} == {"step 0, alpha 10"}
    panel.controls.replay.value = panel.controls.replay.max
    labels = {record.get("model") for record in panel.static().data}
    assert labels == {"step 24, plain", "alpha 10, then plain"}


def test_two_clicks_are_one_run() -> None:
    calls: list[int] = []

    def fresh() -> Any:
        calls.append(1)
        return tiny()

    panel = LiveTraining(small_data(), fresh_model=fresh)
    panel.controls.train.click()
    panel.controls.train.click()
    panel.wait()
    assert len(calls) == 1
    assert panel.board.n_frames == len(panel.run.snapshots)


def test_buttons_follow_the_state(panel: LiveTraining) -> None:
    def enabled() -> set[str]:
        names = ("train", "pause", "stop", "reset", "texts", "weights", "replay")
        return {name for name in names if not getattr(panel.controls, name).disabled}

    assert enabled() == {"train", "texts", "weights"}
    panel.controls.pace.value = 0.1
    panel.controls.train.click()
    wait_until(lambda: panel.run.records)
    assert enabled() == {"pause", "stop", "reset"}
    panel.controls.pause.click()
    assert panel.controls.pause.description == "Resume"
    assert panel.controls.status.value.startswith("Paused: step ")
    panel.controls.pause.click()
    assert (panel.controls.pause.description, panel.run.state) == ("Pause", "running")
    panel.controls.stop.click()
    panel.wait()
    assert panel.controls.status.value.startswith("Stopped at step ")
    assert {"train", "reset", "texts", "weights"} <= enabled()
    panel.controls.reset.click()
    assert enabled() == {"train", "texts", "weights"}
    assert (panel.board.n_frames, panel.controls.replay.max) == (0, 0)
    assert panel.controls.status.value == "Not trained yet."


def test_what_fails_is_said_and_the_panel_lives_on() -> None:
    models = iter([ValueError("no model 'tyni': use 'tiny'"), tiny()])

    def fresh() -> Any:
        found = next(models)
        if isinstance(found, Exception):
            raise found
        return found

    panel = LiveTraining(small_data(), fresh_model=fresh)
    panel.train()
    panel.wait()
    assert "no model 'tyni': use 'tiny'" in said(panel).replace("&#x27;", "'")
    assert panel.controls.status.value == "Failed before the first step."
    with pytest.raises(RuntimeError, match="the run failed: no model 'tyni'"):
        panel.result  # noqa: B018
    panel.controls.train.click()
    panel.wait()
    assert said(panel) == ""
    assert panel.run.state == "finished"


def test_another_task_is_told_in_its_own_words() -> None:
    """Nothing of the game: neither its words nor its test sets."""
    texts = [
        Example(example.text.replace("Smoking", "Rowing"), example.answer)
        for example in small_data()["train"]
    ]
    panel = LiveTraining({"train": texts, "test_city": texts[:8]})
    panel.controls.alpha.value = "plain"
    panel.train()
    panel.wait()
    assert panel.run.error is None
    assert "right city (always Low Risk: " in panel.controls.status.value
    assert set(panel.board.charts) == {"map", "accuracy", "loss"}
    names = set(lines(panel.board.charts["accuracy"]))
    assert names == {"city", "always Low Risk, city"}
    assert [name for name, _ in panel.controls.texts.options] == [
        "all, 64 texts", "a half, 32 texts", "a quarter, 16 texts",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "data", [{}, {"train": []}, {"train": [1]}, {"test_ood": [1]}, {"train": [1], "test_ood": []}]
)
def test_data_without_what_a_run_needs(data: Any) -> None:
    with pytest.raises(ValueError, match='expected texts under "train" and under at least one'):
        LiveTraining(data)


def test_before_a_run_there_is_no_result(panel: LiveTraining) -> None:
    with pytest.raises(RuntimeError, match="expected a run that has ended, this one is idle"):
        panel.result  # noqa: B018
    assert "Not trained yet" in panel.static().alt
    assert panel.static().render("png").startswith(b"\x89PNG")


def test_a_panel_that_is_closed_trains_no_more() -> None:
    panel = LiveTraining(small_data())
    panel.controls.pace.value = 0.5
    panel.train()
    wait_until(lambda: panel.run.records)
    panel.close()
    assert panel.wait(5)


class TestBlock:
    def test_train_returns_when_the_run_has_ended(self) -> None:
        panel = LiveTraining(small_data(), block=True)
        panel.controls.train.click()
        assert panel.run.state == "finished"
        assert panel.board.n_frames == len(panel.run.snapshots)
        # The second of two clicks, which the page could not hand over before.
        trained = panel.run.model
        panel.controls.train.click()
        assert panel.run.model is trained

    def test_interrupting_the_kernel_ends_it_with_what_was_recorded(self) -> None:
        panel = LiveTraining(small_data(), block=True)
        panel.controls.pace.value = 0.1

        def interrupt() -> None:
            wait_until(lambda: panel.run.records)
            press_ctrl_c()

        thread = threading.Thread(target=interrupt)
        thread.start()
        panel.controls.train.click()
        thread.join()
        assert panel.run.state == "finished"
        assert panel.controls.status.value.startswith("Stopped at step ")
        assert said(panel) == ""

    def test_a_click_that_comes_on_another_thread_does_not_block_it(self) -> None:
        """As in JupyterLab, where no interrupt would reach it."""
        panel = LiveTraining(small_data(), block=True)
        panel.controls.pace.value = 0.5
        clicking = threading.Thread(target=panel.controls.train.click)
        clicking.start()
        clicking.join(5)
        assert not clicking.is_alive()
        assert panel.run.active
        panel.stop()
        panel.wait()
