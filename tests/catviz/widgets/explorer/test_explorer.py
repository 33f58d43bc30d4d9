"""The explorer without a browser: its numbers are those of direct calls, its errors messages."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from cat.data import load_data
from catviz.effects.ablation import without_all
from catviz.effects.questions import score_answers
from catviz.heads import rank_by_mass
from catviz.lens import AttentionLens
from catviz.widgets import Explorer
from catviz.widgets.explorer.exploration import Exploration, Wish
from catviz.widgets.explorer.outcomes import Cut, Outcome
from catviz.widgets.explorer.text_choice import ChosenText, TextChoice
from tests.catviz.random_models import deaf_model, tokenizer

ANSWERS = ("High Risk", "Low Risk")
TEXTS = load_data("stg-e")["test_ood"]


@pytest.fixture(autouse=True)
def nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    assert capsys.readouterr().out == ""


@pytest.fixture
def panel() -> Explorer:
    return Explorer(block=True)


def told(panel: Explorer) -> str:
    return str(panel.message.value)


def shown(panel: Explorer) -> tuple[str, ...]:
    assert panel.viewer is not None
    return panel.viewer._pattern.tokens


def type_text(panel: Explorer, text: str, **roles: str) -> None:
    panel.text.source.value = "My own text"
    panel.text.typed.value = text
    for role, field in panel.text.phrases.items():
        field.value = roles.get(role, "")
    panel.text.show.click()


# ---------------------------------------------------------------------------- what it shows


def test_it_opens_on_the_shipped_models(panel: Explorer) -> None:
    assert told(panel) == ""
    before, after = (AttentionLens.load(f"tiny/{name}") for name in ("plain", "alpha-10"))
    assert panel.viewer is not None
    for pattern, lens in ((panel.viewer._pattern, before), (panel.viewer._after, after)):
        assert pattern is not None
        assert pattern.model == lens.name
        assert np.abs(pattern.values - lens.attention(TEXTS[2]).values).max() < 1e-6
    assert len(panel.heads.rows) == 4
    assert panel.static().data


def test_another_text_another_order(panel: Explorer) -> None:
    first = shown(panel)
    panel.text.number.value = 5
    assert shown(panel) != first
    panel.order.value = "spurious"
    panel.text.split.value = "test_iid"
    assert panel.order.value == "spurious"  # stays where it makes sense
    assert panel.viewer is not None
    now = panel.viewer._after
    assert now is not None
    assert [row["name"] for row in panel.heads.rows] == [
        score.name for score in rank_by_mass(now, "spurious")
    ]
    shares = {row["name"]: row["shares"][1][1] for row in panel.heads.rows}
    wanted = dict(zip(now.head_names, now.role_mass()[..., 1].ravel(), strict=True))
    assert shares == pytest.approx(wanted, abs=1e-4)


def test_taking_out_equals_direct_calls() -> None:
    exploration = Exploration(TEXTS[:20])
    wish = Wish("tiny/alpha-10", "tiny/plain", ChosenText(TEXTS[2], None, (), "text"))
    view = exploration.read(wish, lambda: None)
    cut = Cut(("L0H1",), ("spurious",))
    *_, found = exploration.outcomes(view, cut, count=True, check=lambda: None)
    assert [(one.model, one.cut) for one in found] == [
        ("tiny/plain", Cut()), ("tiny/plain", cut),
        ("tiny/alpha-10", Cut()), ("tiny/alpha-10", cut),
    ]  # fmt: skip
    for one in found:
        lens = AttentionLens.load(one.model)
        edit = without_all(cut.heads, cut.roles) if one.cut else None
        wanted = score_answers(lens, [TEXTS[2]], ANSWERS, edit=edit)
        assert np.abs(one.scores.log_probs - wanted.log_probs).max() < 1e-5
        many = score_answers(lens, TEXTS[:20], ANSWERS, edit=edit)
        assert one.right == many.correct([text.answer for text in TEXTS[:20]]).sum()
    assert not np.allclose(found[0].scores.log_probs, found[1].scores.log_probs)


def test_ticking_a_box_changes_the_answers(panel: Explorer) -> None:
    before = panel.cutting.outcomes.value
    assert "without" not in before
    panel.heads.taken = ["L0H1"]
    panel.cutting.roles["spurious"].value = True
    after = panel.cutting.outcomes.value
    assert after.count("without head L0H1, without attention to spurious words") == 2
    panel.cutting.restore.click()
    assert panel.cutting.outcomes.value == before
    assert panel.heads.taken == []
    panel.cutting.count.value = False
    assert "OOD texts" not in panel.cutting.outcomes.value


def test_a_text_of_ones_own(panel: Explorer) -> None:
    text = "Smoking: 9, Weight: 9, Hormones: 1 Answer:"
    type_text(panel, text, causal="Smoking: 9, Weight: 9")
    assert shown(panel) == ("Smoking: 9", "Weight: 9", "Hormones: 1", "Answer:")
    assert "no answers to compare" in panel.cutting._why_not.value
    assert not panel.heads.can_take
    assert panel.cutting.roles["spurious"].disabled
    panel.text.answers.value = "High Risk, Low Risk"
    panel.text.show.click()
    assert panel.heads.can_take
    wanted = score_answers(AttentionLens.load("tiny/plain"), [text], ANSWERS)
    assert f"{wanted.log_odds('High Risk')[0]:+.2f}" in panel.cutting.outcomes.value
    panel.text.answers.value = "purple"
    panel.text.show.click()
    assert "expected answers that the tokenizer knows" in panel.cutting._why_not.value


def test_requests_that_follow_one_another() -> None:
    panel = Explorer()
    for number in range(3, 9):
        panel.text.number.value = number
    panel.heads.taken = ["L0H0"]
    assert panel.wait(120)
    assert shown(panel) == AttentionLens.load("tiny").attention(TEXTS[8]).tokens
    assert "without head L0H0" in panel.cutting.outcomes.value
    assert not panel.model.disabled
    assert not panel.text.show.disabled


# ---------------------------------------------------------------------------- what goes wrong

BAD: list[tuple[Any, str]] = [
    (lambda p: type_text(p, " \n "), "expected a text, got nothing"),
    (lambda p: type_text(p, "word " * 5000), "at most 512 tokens, got 5000"),
    (lambda p: type_text(p, "Tom smokes", causal="drinks"), "is not in the text"),
    (lambda p: setattr(p.model, "name", "tiny/alpha-99"), "no shipped checkpoint"),
    (lambda p: setattr(p.model, "name", "./nothing-here"), "expected a folder with a saved model"),
    (lambda p: setattr(p.model, "name", "tiny-word"), "expected"),
    (lambda p: setattr(p.model, "name", "tiny/plain"), "expected two different models"),
]


def test_what_is_wrong_is_told_and_the_view_stays(panel: Explorer) -> None:
    before = shown(panel)
    for act, message in BAD:
        act(panel)
        assert "catviz-failed" in told(panel)
        assert message in told(panel)
        assert shown(panel) == before
        # What is shown can still be asked about.
        panel.heads.taken = ["L0H1"]
        assert "without head L0H1" in panel.cutting.outcomes.value
        panel.heads.taken = []
        assert "without" not in panel.cutting.outcomes.value
        # Everything goes on.
        panel.model.name = "tiny/alpha-10"
        panel.text.source.value = "A text of the game"
        assert told(panel) == ""
        assert shown(panel) == before
    panel.text.number.value = 9
    assert shown(panel) != before


def test_bad_input_from_the_start(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    monkeypatch.setattr("cat.models.smollm2_folder", lambda: tmp_path / "nothing")
    panel = Explorer("smollm2", block=True)
    assert "cat-tune model fetch smollm2" in told(panel)
    panel = Explorer("./nothing-here", text="  ", block=True)
    assert "expected a text, got nothing" in told(panel)
    assert "nothing to show yet" in panel.static().alt
    panel.heads.taken = ["L0H1"]  # nothing to ask yet


def test_markup_stays_text(panel: Explorer) -> None:
    type_text(panel, "<script>alert(1)</script> Tom smokes", causal="smokes")
    assert shown(panel)[0].startswith("<script>")
    assert "3 of the 3 tokens are unknown to tiny/alpha-10" in told(panel)
    type_text(panel, "<script>alert(1)</script>", causal="<b>")
    assert "<b>" not in told(panel)
    assert "&lt;b&gt;" in told(panel)


def test_attention_that_cannot_be_edited(monkeypatch: pytest.MonkeyPatch) -> None:
    lens = AttentionLens(deaf_model(), tokenizer(), name="deaf")
    monkeypatch.setattr(AttentionLens, "load", lambda name: lens)
    panel = Explorer("deaf", before=None, block=True)
    assert "ignore them" in panel.cutting._why_not.value
    assert panel.viewer is not None
    assert not panel.heads.can_take


def test_outcomes_are_remembered() -> None:
    exploration = Exploration(())
    wish = Wish("tiny/plain", "", TextChoice().read())
    view = exploration.read(wish, lambda: None)
    (first,) = next(exploration.outcomes(view, Cut(), count=False, check=lambda: None))
    (again,) = next(exploration.outcomes(view, Cut(), count=False, check=lambda: None))
    assert isinstance(first, Outcome)
    assert again.scores is first.scores
    assert exploration.missing(wish) == []
