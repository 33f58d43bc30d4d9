"""`cat.reattention`, what is ours: rows of each layer or head, and costs on a log scale."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

from cat.reattention import (
    count_valid_rows,
    reattention_loss,
    reattention_ratios,
    rows_of_each_map,
)


def maps(*shape: int, seed: int = 0) -> Tensor:
    """Random attention whose rows sum to 1."""
    return (torch.randn(*shape, generator=torch.Generator().manual_seed(seed)) * 2).softmax(-1)


# --- rows of each map -----------------------------------------------------------------------------


@pytest.mark.parametrize("between", [(), (3,), (3, 2)], ids=["mean", "layer", "head"])
@pytest.mark.parametrize("reduction", ["rows", "sum"])
def test_each_map_is_as_if_it_were_alone(between: tuple[int, ...], reduction: Any) -> None:
    """The mean over maps of their losses, one by one; the paper's sum is their sum."""
    attention = maps(2, *between, 4, 6)
    causes = torch.rand(2, 4, 6, generator=torch.Generator().manual_seed(1)) < 0.4
    causes[1, 2] = False  # a row that does not count
    visible = torch.arange(6) <= torch.tensor([[2, 3, 4, 5], [1, 5, 3, -1]])[:, :, None]
    folded = rows_of_each_map(attention, causes, visible)
    one_by_one = [
        reattention_loss(one, causes, 1.2, visible=visible, reduction=reduction)
        for one in attention.reshape(2, -1, 4, 6).unbind(1)
    ]
    loss = reattention_loss(folded[0], folded[1], 1.2, visible=folded[2], reduction=reduction)
    expected = sum(one_by_one) / (len(one_by_one) if reduction == "rows" else 1)
    assert loss.item() == pytest.approx(float(expected), abs=1e-6)
    assert loss > 0.1
    n_rows = count_valid_rows(causes, visible)
    assert count_valid_rows(*folded[1:]) == n_rows * len(one_by_one) > 0


def test_the_mean_map_comes_back_as_it_is() -> None:
    given = (maps(2, 4, 6), torch.ones(2, 4, 6), torch.zeros(2, 4, 6, dtype=torch.bool))
    for before, after in zip(given, rows_of_each_map(*given), strict=True):
        assert torch.equal(before, after)
        assert before.dtype == after.dtype


def test_texts_without_rows_have_none_in_any_map() -> None:
    empty = torch.zeros(2, 0, 6)
    folded = rows_of_each_map(torch.zeros(2, 3, 0, 6), empty, empty)
    assert [tensor.shape for tensor in folded] == [(2, 0, 6)] * 3
    assert reattention_loss(folded[0], folded[1], 1.0, visible=folded[2]) == 0


def test_two_layers_that_miss_are_not_made_up_for_by_their_mean() -> None:
    """One layer on the cause alone, one on the rest: the mean is even, each layer is not."""
    attention = torch.tensor([[[[0.98, 0.02]], [[0.02, 0.98]]]])  # (batch, layer, row, key)
    causes, visible = torch.tensor([[[1, 0]]]), torch.ones(1, 1, 2)
    assert reattention_loss(attention.mean(1), causes, 1.0, visible=visible) == 0
    folded = rows_of_each_map(attention, causes, visible)
    loss = reattention_loss(folded[0], folded[1], 1.0, visible=folded[2])
    assert loss.item() == pytest.approx((1 - 0.02 / 0.98) / 2, abs=1e-6)


# --- costs on a log scale -------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [1e-4, 0.03, 0.99])
def test_the_log_cost_is_how_many_factors_of_e_are_missing(ratio: float) -> None:
    attention = torch.tensor([[[ratio, 1.0]]]) / (1 + ratio)
    causes, visible = torch.tensor([[[1, 0]]]), torch.ones(1, 1, 2)
    loss = reattention_loss(attention, causes, 1.0, visible=visible, form="log")
    assert loss.item() == pytest.approx(-math.log(ratio), rel=1e-5)
    share = reattention_loss(attention, causes, 1.0, visible=visible, form="share")
    assert share.item() == pytest.approx(math.log((1 + ratio) / ratio), rel=1e-5)


@pytest.mark.parametrize("form", ["hinge", "log", "share", "each"])
def test_the_gradient_on_scores_where_attention_is_far_from_the_causes(form: Any) -> None:
    """By hand, for one causal and one other key with scores s and 0, so C/N = e^s: the hinge's is
    -e^s, which is nothing where it is needed most; the logarithm's is -1; the share's is the rest
    of the mass with its sign turned, and where there is one cause, to share with each is the
    same."""
    s = torch.tensor(-6.0, requires_grad=True)
    attention = torch.stack([s, torch.tensor(0.0)]).softmax(0)[None, None]
    loss = reattention_loss(
        attention, torch.tensor([[[1, 0]]]), 5.0, visible=torch.ones(1, 1, 2), form=form
    )
    (gradient,) = torch.autograd.grad(loss, s)
    small = math.exp(-6.0)
    share = -1 / (1 + small)
    expected = {"hinge": -small, "log": -1.0, "share": share, "each": share}[form]
    assert gradient.item() == pytest.approx(expected, rel=1e-4)


def test_a_cause_that_is_left_out_costs_in_one_form_only() -> None:
    """All attention on one of two causes, or on both: to the ratio it is one."""
    causes, visible = torch.tensor([[[1, 1, 0]]]), torch.ones(1, 1, 3)

    def cost(weights: list[float], form: Any) -> float:
        attention = torch.tensor([[weights]])
        return reattention_loss(attention, causes, 100.0, visible=visible, form=form).item()

    for form in ("hinge", "div2", "nll", "log", "share"):
        assert cost([0.88, 0.02, 0.1], form) == pytest.approx(cost([0.45, 0.45, 0.1], form))
    assert cost([0.45, 0.45, 0.1], "each") == pytest.approx(-math.log(0.45))
    assert cost([0.88, 0.02, 0.1], "each") == pytest.approx(-math.log(0.88 * 0.02) / 2)


@pytest.mark.parametrize("form", ["log", "share", "each"])
def test_a_satisfied_row_costs_nothing(form: Any) -> None:
    attention = torch.tensor([[[0.8, 0.2]]])  # C/N = 4
    causes, visible = torch.tensor([[[1, 0]]]), torch.ones(1, 1, 2)
    for alpha, pays in ((3.9, False), (4.1, True)):
        loss = reattention_loss(attention, causes, alpha, visible=visible, form=form)
        assert (loss.item() > 0) == pays


def test_masses_of_a_row_that_counts_sum_to_what_it_sees() -> None:
    attention = maps(2, 4, 6)
    causes = torch.zeros(2, 4, 6)
    causes[:, :, :2] = 1
    ratios = reattention_ratios(attention, causes, visible=torch.ones(2, 4, 6))
    torch.testing.assert_close(ratios.causal_mass + ratios.other_mass, torch.ones(2, 4))
