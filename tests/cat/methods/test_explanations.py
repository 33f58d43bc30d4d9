"""`cat.methods.explanations`: the penalties against values worked out by hand."""

from __future__ import annotations

from math import log

import pytest
import torch

from cat.methods.explanations import (
    AttentionCE,
    AttentionMSE,
    Focal,
    cross_entropy,
    explanation,
    mass_outside,
    squared_distance,
)
from cat.methods.method import Method
from tests.cat.methods.kit import rows_batch, tuning
from tests.cat.trainings import stg

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")

# Two texts of three keys: one row with two causes; one with one cause, and a row of padding.
CAUSES = [[[1, 0, 1], [0, 0, 0]], [[0, 1, 0], [0, 0, 0]]]
ROWS = [[2, -1], [1, -1]]
FIRST, SECOND = [0.5, 0.25, 0.25], [0.75, 0.25, 0.0]
NOTHING = [0.0, 0.0, 0.0]
MEAN_MAP = torch.tensor([[FIRST, NOTHING], [SECOND, NOTHING]])  # (batch, row, key)
FIXED, UNIFORM = [0.0, 0.0, 1.0], [0.5, 0.5, 0.0]
HEADS = torch.tensor(  # (batch, layer = 2, head = 1, row, key)
    [[[[FIRST, NOTHING]], [[FIXED, NOTHING]]], [[[SECOND, NOTHING]], [[UNIFORM, NOTHING]]]]
)


def test_an_explanation_is_uniform_over_the_causes_of_a_row() -> None:
    target, valid = explanation(rows_batch(MEAN_MAP, CAUSES, ROWS))
    assert target.tolist() == [[[0.5, 0, 0.5], NOTHING], [[0, 1, 0], NOTHING]]
    assert valid.tolist() == [[True, False], [True, False]]


def test_a_cause_that_the_row_does_not_see_explains_nothing() -> None:
    target, valid = explanation(rows_batch(MEAN_MAP[:1], [[[1, 0, 1], [0, 0, 1]]], [[1, 0]]))
    assert target.tolist() == [[[1, 0, 0], NOTHING]]
    assert valid.tolist() == [[True, False]]


def test_the_squared_distance() -> None:
    batch = rows_batch(HEADS, CAUSES, ROWS)
    first = {"L0H0": 0 + 1 / 16 + 1 / 16, "L1H0": 1 / 4 + 0 + 1 / 4}  # from (1/2, 0, 1/2)
    second = {"L0H0": 9 / 16 + 9 / 16, "L1H0": 1 / 4 + 1 / 4}  # from (0, 1, 0)
    for head in first:
        expected = (first[head] + second[head]) / 2
        assert squared_distance(batch, heads=[head]).item() == pytest.approx(expected)
    everything = sum([*first.values(), *second.values()]) / 4
    assert squared_distance(batch).item() == pytest.approx(everything)
    assert squared_distance(batch, heads=["L1H0", "L0H0"]).item() == pytest.approx(everything)


def test_the_cross_entropy() -> None:
    expected = (-(log(0.5) + log(0.25)) / 2 - log(0.25)) / 2
    assert cross_entropy(rows_batch(MEAN_MAP, CAUSES, ROWS)).item() == pytest.approx(expected)


def test_the_cross_entropy_of_attention_that_is_nowhere_on_the_causes_is_finite() -> None:
    attention = torch.tensor([[[1.0, 0.0]]], requires_grad=True)
    loss = cross_entropy(rows_batch(attention, [[[0, 1]]], [[1]]))
    loss.backward()
    assert 50 < loss.item() < 100
    assert attention.grad is not None
    assert bool(attention.grad.isfinite().all())


def test_the_mass_outside_of_the_causes_in_the_heads_that_look_at_them_most() -> None:
    batch = rows_batch(HEADS, CAUSES, ROWS)
    best, other = (1.0 + 0.5) / 2, (0.75 + 0.25) / 2  # L1H0 and L0H0
    assert mass_outside(batch, share=0.5).item() == pytest.approx(1 - best)
    assert mass_outside(batch, share=0.01).item() == pytest.approx(1 - best)  # one head at least
    assert mass_outside(batch, share=1.0).item() == pytest.approx(1 - (best + other) / 2)


@pytest.mark.parametrize("penalty", [squared_distance, cross_entropy, mass_outside])
def test_texts_without_causes_cost_nothing(penalty: object) -> None:
    attention = MEAN_MAP if penalty is cross_entropy else HEADS
    batch = rows_batch(attention, [[NOTHING, NOTHING], [NOTHING, NOTHING]], ROWS)  # type: ignore
    options = {"share": 0.5} if penalty is mass_outside else {}
    assert penalty(batch, **options).item() == 0  # type: ignore[operator]


def test_attention_as_explained_costs_nothing() -> None:
    target, _ = explanation(rows_batch(MEAN_MAP, CAUSES, ROWS))
    batch = rows_batch(target[:, None, None], CAUSES, ROWS)
    assert squared_distance(batch).item() == mass_outside(batch, share=1.0).item() == 0


@pytest.mark.parametrize("method", [AttentionMSE(), AttentionCE(), Focal(share=1.0)])
def test_training_moves_attention_to_the_causes(method: Method) -> None:
    """The records tell what is added to the next-token loss."""
    run = tuning(stg("train_S", 80), num_train_epochs=3, warmup_steps=0)
    model = method.fit(run)
    first, last = run.records[0].attn_loss, run.records[-1].attn_loss
    floor = log(3) if isinstance(method, AttentionCE) else 0.0  # of three causes
    assert first is not None
    assert last is not None
    assert last - floor < 0.85 * (first - floor)
    assert not model.training


def test_a_head_that_the_model_lacks_is_named() -> None:
    with pytest.raises(ValueError, match="no head L1H0: the model has layers 0 to 0"):
        AttentionMSE(heads=["L0H1", "L1H0"]).fit(tuning(stg("train_S", 16)))


@pytest.mark.parametrize(
    ("kind", "options", "said"),
    [
        (AttentionMSE, {"weight": 0}, "expected weight as a positive number, got 0"),
        (AttentionCE, {"weight": float("nan")}, "got nan"),
        (Focal, {"weight": "1"}, "got '1'"),
        (Focal, {"share": 1.5}, "expected share as a number above 0, at most 1, got 1.5"),
        (AttentionMSE, {"heads": "L0H1"}, r"expected a list of heads such as \['L0H2'\]"),
        (AttentionMSE, {"heads": ["0.1"]}, "expected the name of a head such as 'L5H3'"),
    ],
)
def test_options_that_mean_nothing(kind: type, options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        kind(**options)
