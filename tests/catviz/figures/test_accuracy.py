"""Accuracy over alpha."""

from __future__ import annotations

import pytest

from catviz.figures.accuracy import accuracy_over_alpha
from tests.catviz.figures.samples import REFERENCES, points


def test_accuracy_axis_is_in_order_and_starts_with_plain() -> None:
    figure = accuracy_over_alpha(
        points(), baseline={"iid": {"accuracy": 0.954}}, references=REFERENCES
    )
    (axes,) = figure.matplotlib().axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["plain", "0.1", "3", "50"]
    texts = [text.get_text() for text in axes.texts]
    assert "table of seen triples, OOD 92.25" in texts
    assert len(texts) == 6


def test_accuracy_of_one_point() -> None:
    figure = accuracy_over_alpha([{"alpha": 0.3, "split": "ood", "accuracy": 0.9}])
    assert figure.render("png")
    assert figure.data[0]["low"] is None


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"alpha": 1, "split": "iid", "accuracy": 95.25}, "IID at alpha 1.*0 to 1, got 95.25"),
        ({"alpha": 1, "split": "iid", "accuracy": float("nan")}, "got nan"),
        ({"alpha": 1, "split": "iid"}, "no 'accuracy'"),
        ({"alpha": 1, "split": "dev", "accuracy": 0.9}, "unknown split 'dev'"),
        ({"alpha": 0, "split": "iid", "accuracy": 0.9}, "alpha as a finite number above 0"),
        ({"alpha": "x", "split": "iid", "accuracy": 0.9}, "expected a number, got 'x'"),
        ({"alpha": 1, "split": "iid", "accuracy": 0.9, "low": 0.8}, "both low and high"),
        (
            {"alpha": 1, "split": "iid", "accuracy": 0.9, "low": 0.95, "high": 1.0},
            "low <= accuracy",
        ),
    ],
)
def test_accuracy_refuses(record: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accuracy_over_alpha([record])


def test_accuracy_refuses_nothing_and_doubles() -> None:
    with pytest.raises(ValueError, match="no points"):
        accuracy_over_alpha([])
    with pytest.raises(ValueError, match=r"two points for OOD at 0\.3"):
        accuracy_over_alpha([{"alpha": 0.3, "split": "ood", "accuracy": 0.9}] * 2)
