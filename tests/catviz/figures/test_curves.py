"""Training curves."""

from __future__ import annotations

import pytest

from catviz.figures.curves import training_curves
from tests.catviz.figures.drawn import visible_texts
from tests.catviz.figures.samples import training


def test_curves_say_what_plain_training_does_not_use() -> None:
    lone = training_curves({"plain": training(plain=True)})
    plain = [text.get_text() for text in visible_texts(lone.matplotlib())]
    assert plain.count("not used in plain training") == 2
    two = training_curves({"plain": training(plain=True), "alpha 3": training(plain=False)})
    both = [text.get_text() for text in visible_texts(two.matplotlib())]
    assert both.count("plain: not used") == 2


def test_a_ratio_over_a_decade_is_logarithmic() -> None:
    def ratio_scale(ratio: float) -> str:
        figure = training_curves({"m": training(plain=False, ratio=ratio)}).matplotlib()
        return figure.axes[2].get_yscale()

    assert (ratio_scale(1), ratio_scale(20)) == ("linear", "log")


def test_curves_of_one_step() -> None:
    assert training_curves({"m": [{"step": 0, "lm_loss": 1.0, "attn_loss": 0.0}]}).render("png")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({}, "no records"),
        ({"m": []}, "no records"),
        ({"m": [{"lm_loss": 1.0}]}, "'m', record 0: no 'step'"),
        ({"m": [{"step": 3, "lm_loss": float("nan")}]}, "lm_loss is nan at step 3"),
        ({"m": [{"step": 3, "lm_loss": "high"}]}, "lm_loss is 'high'"),
    ],
)
def test_curves_refuse(records: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training_curves(records)
    with pytest.raises(ValueError, match="unknown model 'x'"):
        training_curves({"m": [{"step": 1}]}, targets={"x": 1.0})


def test_hostile_labels_of_curves_are_drawn_as_they_are() -> None:
    curves = training_curves({"_hidden $a$": training(plain=True)})
    assert "_hidden $a$" in [text.get_text() for text in visible_texts(curves.matplotlib())]
