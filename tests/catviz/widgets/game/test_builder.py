"""The form: what it says becomes a game, what is wrong becomes a message at its field."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from html import unescape
from pathlib import Path
from typing import Any

import ipywidgets as widgets
import pytest

import catviz.widgets.live.training
from cat.own_game import BEACH, Factor, OwnGame
from cat.signals import Example
from catviz.widgets.game.builder import GameBuilder
from catviz.widgets.game.factor_row import FactorRow

GAME = replace(BEACH, train_texts=40, test_texts=30)


@pytest.fixture
def builder() -> GameBuilder:
    return GameBuilder(GAME)


def row(builder: GameBuilder, number: int) -> FactorRow:
    return builder.rows.children[number - 1]


def said(builder: GameBuilder) -> str:
    return unescape(builder.message.value)


def failed(builder: GameBuilder) -> bool:
    return 'role="alert"' in builder.message.value


def wrong_fields(builder: GameBuilder) -> list[Any]:
    controls = [builder.name, builder.question, builder.first, builder.second, builder.threshold]
    controls += [control for one in builder.rows.children for control in one.fields]
    return [control for control in controls if "catviz-wrong" in control._dom_classes]


def test_the_form_says_what_the_game_is() -> None:
    plant = OwnGame(
        "Plant",
        "Will it flower?",
        (
            Factor("Hat shops", "spurious", 2, 5, follows="Hats", slope=0.25, offset=-1.5),
            Factor("Hats", "spurious", 0, 30, follows="Sun", slope=3),
            Factor("Sun", "causal", 0, 9, weight=1),
            Factor("Shade", "causal", 0, 9, weight=-0.5, follows="Sun", slope=-1, offset=9),
        ),
        threshold=3.25,
        answers=("It will", "It will not"),
        spurious_ratio=0.85,
        ood="marginals",
        seed=7,
        train_texts=50,
        test_texts=20,
    )
    assert GameBuilder(plant).game == plant
    assert GameBuilder().game == BEACH


def test_only_what_a_role_needs_is_shown(builder: GameBuilder) -> None:
    def shown(number: int) -> set[str]:
        controls = row(builder, number).fields
        return {c.description for c in controls if c.layout.display != "none"}

    always = {"Name", "Role", "Lowest", "Highest"}
    assert shown(1) == always | {"Weight", "Follows"}
    assert shown(4) == always | {"Follows", "Slope", "Offset"}
    assert shown(6) == always
    row(builder, 6).role.value = "spurious"
    assert shown(6) == always | {"Follows"}
    row(builder, 6).follows.value = row(builder, 1).key
    assert shown(6) == always | {"Follows", "Slope", "Offset"}
    assert all(control.description for control in row(builder, 1).fields)


def test_what_follows_a_factor_goes_on_doing_so_under_its_new_name(builder: GameBuilder) -> None:
    row(builder, 1).name.value = "Temperature"
    assert row(builder, 4).follows.label == "Temperature"
    assert builder.game.factors[3].follows == "Temperature"
    builder._remove(row(builder, 2))
    assert [one.number.value for one in builder.rows.children] == list("123456")
    assert row(builder, 3).follows.label == "Temperature"
    assert row(builder, 4).follows.label == "nothing"  # the surfers, whose waves are gone


def test_a_name_twice_is_said_and_marked_and_can_be_mended(builder: GameBuilder) -> None:
    before = builder.preview.value
    row(builder, 2).name.value = "heat"
    builder.preview_button.click()
    assert failed(builder)
    assert "factor 2, name: 'heat' is the name of factor 1 already" in said(builder)
    assert wrong_fields(builder) == [row(builder, 2).name]
    assert row(builder, 2).name.value == "heat", "what was typed stays"
    assert builder.preview.value == before
    row(builder, 2).name.value = "Wind"
    builder.preview_button.click()
    assert said(builder) == ""
    assert wrong_fields(builder) == []
    assert "Wind: " in builder.preview.value


@pytest.mark.parametrize(
    ("change", "message", "marked"),
    [
        (lambda b: setattr(row(b, 6).lowest, "value", "abc"), "factor 6, lowest: ", ["Lowest"]),
        (lambda b: setattr(row(b, 6).highest, "value", "0"), "factor 6, highest: ", ["Highest"]),
        (lambda b: setattr(row(b, 1).weight, "value", "nan"), "factor 1, weight: ", ["Weight"]),
        (lambda b: setattr(row(b, 4).follows, "value", 0), "companion of nothing", ["Follows"]),
        (
            lambda b: setattr(row(b, 1).follows, "value", row(b, 1).key),
            None,  # is not offered
            [],
        ),
        (lambda b: setattr(b.threshold, "value", "1e9"), "threshold: ", ["Threshold"]),
        (lambda b: setattr(b.threshold, "value", "99"), "Try 8: 'Busy' in 51%", ["Threshold"]),
        (lambda b: setattr(b.seed, "value", ""), "seed: expected a whole number", []),
        (
            lambda b: setattr(b.second, "value", " busy "),
            "answers: expected two different ones",
            ["Answer above the threshold", "Answer otherwise"],
        ),
    ],
)
def test_what_is_wrong_is_said_at_its_field(
    builder: GameBuilder,
    change: Callable[[GameBuilder], None],
    message: str | None,
    marked: list[str],
) -> None:
    if message is None:
        with pytest.raises(Exception, match="Invalid selection"):
            change(builder)
        return
    change(builder)
    for button in (builder.preview_button, builder.train_button, builder.save_button):
        builder.message.clear()
        button.click()
        assert failed(builder)
        assert message in said(builder)
        assert [control.description for control in wrong_fields(builder)] == marked
    assert builder.training.children == ()


def test_a_circle_that_the_form_allows_to_be_drawn(builder: GameBuilder) -> None:
    row(builder, 1).follows.value = row(builder, 2).key
    row(builder, 2).follows.value = row(builder, 1).key
    builder.preview_button.click()
    assert "'Heat' follows 'Waves' follows 'Heat'" in said(builder)


def test_numbers_with_a_comma_are_read(builder: GameBuilder) -> None:
    builder.threshold.value, row(builder, 3).weight.value = "8,5", "-0,25"
    assert builder.game.threshold == 8.5
    assert builder.game.factors[2].weight == -0.25


def test_adding_factors(builder: GameBuilder) -> None:
    builder.add_button.click()
    builder.add_button.click()
    assert [one.number.value for one in builder.rows.children[7:]] == ["8", "9"]
    names = [factor.name for factor in builder.game.factors]
    assert names[7:] == ["Factor A", "Factor B"]
    while not failed(builder):
        builder.add_button.click()
    assert "factors: expected at most 16" in said(builder)
    assert len(builder.game.factors) == 16


def test_every_factor_may_go(builder: GameBuilder) -> None:
    while builder.rows.children:
        builder._remove(row(builder, 1))
    builder.preview_button.click()
    assert "factors: expected 1 to 16, got 0" in said(builder)


def test_the_preview_tells_texts_balance_and_rule(builder: GameBuilder) -> None:
    html = builder.preview.value
    assert "Busy when Heat + Waves - 0.5 Lifeguards &gt; 9" in html
    for name in ("test_iid", "test_ood"):
        examples = GAME.splits()[name]
        share = sum(example.answer == "Busy" for example in examples) / len(examples)
        assert f"Busy {share:.0%}" in html
        heat = next(role for role in examples[0].roles if role.name == "Heat")
        assert examples[0].full_text[heat.span.start : heat.span.end] in html
    assert html.count("#0072B2") == 2 * 2 * 2 * 3, "colour and mark of 3 causes in 2 x 2 texts"
    assert html.count("<b>Busy</b>") == html.count("<b>Quiet</b>") == 2
    assert "Heat to Ice creams sold" in builder.graph.value
    row(builder, 1).name.value = "Warmth"
    assert builder.preview_button.description == "Preview changes"


def test_markup_stays_text(builder: GameBuilder) -> None:
    row(builder, 1).name.value = "<script>alert(1)</script>"
    builder.question.value = "<b>Who?</b>"
    builder.preview_button.click()
    assert said(builder) == ""
    for shown in (builder.preview.value, builder.graph.value):
        assert "<script" not in shown
        assert "<b>Who" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: " in builder.preview.value


def test_saving_and_loading(
    builder: GameBuilder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    row(builder, 6).name.value = "Cats"
    builder.file.value = "ours.json"
    builder.save_button.click()
    assert said(builder).endswith("Saved as ours.json.</div>")
    other = GameBuilder()
    other.threshold.value = "no number"
    other.file.value = "ours.json"
    other.load_button.click()
    assert other.game == builder.game
    assert "Cats: " in other.preview.value
    other.file.value = "none.json"
    other.load_button.click()
    assert "no such file" in said(other)
    assert other.game == builder.game
    other.file.value = "ours.txt"
    other.save_button.click()
    assert "ends in .json" in said(other)
    assert [file.name for file in tmp_path.iterdir()] == ["ours.json"]


class StandIn(widgets.VBox):
    """In place of the panel that trains."""

    def __init__(
        self, data: Mapping[str, Sequence[Example]], *, fresh_model: Any, block: bool
    ) -> None:
        super().__init__()
        self.data, self.fresh_model, self.block, self.closed = data, fresh_model, block, False

    def close(self) -> None:
        self.closed = True
        super().close()


def test_training_gets_the_texts_and_a_model_that_reads_them(
    builder: GameBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catviz.widgets.live.training, "LiveTraining", StandIn)
    row(builder, 2).name.value = "Wind"
    builder.train_button.click()
    assert not failed(builder)
    (first,) = builder.training.children
    assert first.data == builder.game.splits()
    _, tokenizer = first.fresh_model()
    assert tokenizer.tokenize("Wind: 8") == ["Wind: 8"]
    assert "Wind: " in builder.preview.value
    builder.train_button.click()
    assert first.closed, "one training at a time"
    assert [one.block for one in builder.training.children] == [False]
    blocking = GameBuilder(GAME, block=True)
    blocking.train_button.click()
    assert [one.block for one in blocking.training.children] == [True]


def test_a_static_twin(builder: GameBuilder) -> None:
    figure = builder.static()
    assert figure.title == "Build your own game: A day at the beach"
    assert figure.render("png")[:4] == b"\x89PNG"
    told = [record["text"] for record in figure.data if "text" in record]
    prompts = {one.prompt for texts in GAME.splits().values() for one in texts}
    assert len(told) == 4
    assert set(told) < prompts


def test_the_state_is_small(builder: GameBuilder) -> None:
    state = [str(widget.get_state()) for widget in all_of(builder)]
    assert sum(map(len, state)) < 400_000
    assert len(repr(row(builder, 4))) < 5000, "rows do not hold one another"


def all_of(widget: Any) -> list[Any]:
    return [widget, *(one for child in getattr(widget, "children", ()) for one in all_of(child))]
