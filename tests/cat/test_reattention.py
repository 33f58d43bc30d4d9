"""`cat.reattention`: golden values, loops in plain Python, signs of gradients, what is refused."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import mean
from typing import Any, get_args

import pytest
import torch
from torch import Tensor

from cat.reattention import (
    Form,
    Reduction,
    check_alpha,
    count_valid_rows,
    reattention_loss,
    reattention_ratios,
)

FORMS = get_args(Form)
REDUCTIONS = get_args(Reduction)
each_form = pytest.mark.parametrize("form", FORMS)
each_reduction = pytest.mark.parametrize("reduction", REDUCTIONS)

# --- golden values --------------------------------------------------------------------------------

GOLDEN_NAMES: dict[str, dict[str, Any]] = {
    **{form: {"form": form} for form in ("hinge", "div", "div2", "nll")},
    "hinge_example_mean": {"form": "hinge", "reduction": "example"},
}


@pytest.mark.parametrize("name", GOLDEN_NAMES)
def test_golden_values(name: str, golden: Path) -> None:
    cases = json.loads((golden / "reattention.json").read_text())["cases"]
    assert len(cases) == 24
    assert {*cases[0]["expected"]} == {*GOLDEN_NAMES}
    assert sum(case["expected"][name] != 0 for case in cases) > 8
    for case in cases:
        loss = reattention_loss(
            torch.tensor(case["attention"]),
            torch.tensor(case["mask"]),
            case["alpha"],
            **GOLDEN_NAMES[name],
        )
        assert loss.item() == pytest.approx(case["expected"][name], abs=1e-6)


# --- a loop over rows and keys --------------------------------------------------------------------


Split = tuple[list[float], list[float]]
"""A row's attention on its causal keys and on the others."""


def cost_by_hand(split: Split, alpha: float, form: str) -> float:
    causal, other = map(mean, split)
    causes, mass = split[0], sum(split[0] + split[1])
    if form == "log":
        return math.log(alpha) - math.log(causal / other)
    if form == "share":
        return -math.log(sum(causes) / mass)
    if form == "each":
        return mean([-math.log(weight / mass) for weight in causes])
    if form == "hinge":
        return alpha - causal / other
    if form == "div":
        return -math.log(1 + causal) / math.log(1 + other)
    if form == "div2":
        return -math.log(1 + causal / (1 + other))
    return -causal / (causal + other)


def ratio_by_hand(split: Split) -> float:
    return mean(split[0]) / mean(split[1])


@dataclass(frozen=True)
class ByHand:
    """Everything the module computes, a row at a time; None for rows that do not count."""

    splits: list[list[Split | None]]

    @classmethod
    def of(cls, attention: Tensor, causes: Tensor, visible: Tensor, exclude_sink: bool) -> ByHand:
        splits: list[list[Split | None]] = []
        for weights, marks, seen in zip(
            attention.double().tolist(), causes.tolist(), visible.tolist(), strict=True
        ):
            splits.append([])
            for row in range(len(weights)):
                keys = [key for key, sees in enumerate(seen[row]) if sees]
                if exclude_sink:
                    keys = keys[1:]
                causal = [weights[row][key] for key in keys if marks[row][key]]
                other = [weights[row][key] for key in keys if not marks[row][key]]
                splits[-1].append((causal, other) if causal and other else None)
        return cls(splits)

    def each(self, quantity: Callable[[Split], float]) -> Tensor:
        """Of every row, 0 where it does not count; (batch, row)."""
        return torch.tensor([[quantity(s) if s else 0.0 for s in rows] for rows in self.splits])

    def loss(self, alpha: float, form: str, reduction: str) -> float:
        costs = [
            [(cost_by_hand(split, alpha, form), ratio_by_hand(split)) for split in rows if split]
            for rows in self.splits
        ]
        if reduction == "example":
            violating = [
                mean([cost for cost, _ in rows])
                for rows in filter(None, costs)
                if mean([ratio for _, ratio in rows]) < alpha
            ]
            return mean(violating) if violating else 0.0
        rows = [row for example in costs for row in example]
        total = sum(cost for cost, ratio in rows if ratio < alpha)
        return total if reduction == "sum" or not rows else total / len(rows)


def random_case(seed: int, *, square: bool = False) -> tuple[Tensor, Tensor, Tensor]:
    """Attention, causes, visible: rows at random places of a text, padding on either side."""
    generator = torch.Generator().manual_seed(seed)

    def rand(*shape: int) -> Tensor:
        return torch.rand(*shape, generator=generator)

    batch, keys = 3, 9
    rows = keys if square else 5
    at = torch.arange(keys).expand(batch, -1) if square else (rand(batch, rows) * keys).long()
    visible = torch.arange(keys) <= at[:, :, None]  # (batch, row, key)
    if not square:
        visible[0, :, :3] = False  # padding on the left
        visible[1, -2:] = False  # rows that are padding
        visible[2, :, 7:] = False  # padding on the right
    weights = (rand(batch, rows, keys) * 5).exp() * visible
    attention = weights / weights.sum(-1, keepdim=True).clamp_min(1e-9)
    causes = rand(batch, rows, keys) < 0.4  # invisible keys among them
    causes[:, 1] = False  # a row without a cause
    causes[:, 2] = True  # a row with nothing else
    return attention, causes, visible


@each_form
@each_reduction
@pytest.mark.parametrize("exclude_sink", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_loss_against_loops(form: Any, reduction: Any, exclude_sink: bool, seed: int) -> None:
    attention, causes, visible = random_case(seed)
    by_hand = ByHand.of(attention, causes, visible, exclude_sink)
    for alpha in (0.1, 0.7, 3.0):
        loss = reattention_loss(
            attention,
            causes,
            alpha,
            visible=visible,
            form=form,
            reduction=reduction,
            exclude_sink=exclude_sink,
        )
        assert loss.shape == ()
        wanted = by_hand.loss(alpha, form, reduction)
        assert loss.item() == pytest.approx(wanted, abs=1e-5, rel=1e-5)


@pytest.mark.parametrize("exclude_sink", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_ratios_against_loops(exclude_sink: bool, seed: int) -> None:
    attention, causes, visible = random_case(seed)
    by_hand = ByHand.of(attention, causes, visible, exclude_sink)
    ratios = reattention_ratios(attention, causes, visible=visible, exclude_sink=exclude_sink)
    valid = [[split is not None for split in rows] for rows in by_hand.splits]
    assert ratios.valid.tolist() == valid
    assert 0 < ratios.valid.sum() < ratios.valid.numel()
    quantities: dict[str, Callable[[Split], float]] = {
        "causal": lambda split: mean(split[0]),
        "other": lambda split: mean(split[1]),
        "causal_mass": lambda split: sum(split[0]),
        "other_mass": lambda split: sum(split[1]),
        "log_causal": lambda split: mean(map(math.log, split[0])),
        "ratio": ratio_by_hand,
    }
    for name, quantity in quantities.items():
        torch.testing.assert_close(getattr(ratios, name), by_hand.each(quantity))
    active = by_hand.each(lambda split: ratio_by_hand(split) < 0.7).bool()
    assert torch.equal(ratios.active(0.7), active)
    counted = count_valid_rows(causes, visible, exclude_sink=exclude_sink)
    assert counted == sum(map(sum, valid))


@each_form
@each_reduction
def test_a_square_map_is_causal_by_itself(form: Any, reduction: Any) -> None:
    attention, causes, visible = random_case(7, square=True)
    options: dict[str, Any] = {"form": form, "reduction": reduction}
    given = reattention_loss(attention, causes, 0.7, visible=visible, **options)
    assert given == reattention_loss(attention, causes, 0.7, **options)
    assert given.item() != 0


def test_marks_and_sight_may_be_of_any_type() -> None:
    attention, causes, visible = random_case(1)
    loss = reattention_loss(attention, causes, 0.7, visible=visible)
    for dtype in (torch.int64, torch.uint8, torch.float32):
        same = reattention_loss(attention, causes.to(dtype), 0.7, visible=visible.to(dtype))
        assert same == loss


@each_form
@each_reduction
def test_padding_rows_and_examples_change_nothing(form: Any, reduction: Any) -> None:
    attention, causes, visible = random_case(2)
    options: dict[str, Any] = {"form": form, "reduction": reduction}
    loss = reattention_loss(attention, causes, 0.7, visible=visible, **options)

    def padded(tensor: Tensor) -> Tensor:  # one more of batch, row and key
        return torch.nn.functional.pad(tensor.float(), (0, 1, 0, 1, 0, 1))

    more = reattention_loss(
        padded(attention), padded(causes), 0.7, visible=padded(visible), **options
    )
    torch.testing.assert_close(more, loss)


@each_reduction
def test_satisfied_rows_cost_nothing_but_count(reduction: Any) -> None:
    """Two rows, ratios 1/9 and 9: at alpha 1 the first is 8/9 short, the second is satisfied."""
    attention = torch.tensor([[[0.1, 0.9], [0.9, 0.1]]])
    causes = torch.tensor([[[1, 0], [1, 0]]])
    visible = torch.ones_like(causes)
    loss = reattention_loss(attention, causes, 1.0, visible=visible, reduction=reduction)
    wanted = {"rows": 4 / 9, "sum": 8 / 9, "example": 0.0}[reduction]  # the mean ratio is 4.6
    assert loss.item() == pytest.approx(wanted, abs=1e-6)


# --- gradients ------------------------------------------------------------------------------------


@each_form
@each_reduction
def test_more_attention_on_causes_lowers_the_loss(form: Any, reduction: Any) -> None:
    attention, causes, visible = random_case(3)
    attention.requires_grad_()
    alpha = 5.0
    loss = reattention_loss(
        attention, causes, alpha, visible=visible, form=form, reduction=reduction
    )
    (gradient,) = torch.autograd.grad(loss, attention)
    ratios = reattention_ratios(attention, causes, visible=visible)
    counts = ratios.active(alpha)[:, :, None]
    if reduction == "example":  # a satisfied row of a violating example counts as well
        mean = ratios.ratio.sum(1) / ratios.valid.sum(1).clamp_min(1)
        counts = (ratios.valid & (mean < alpha)[:, None])[:, :, None]
    causal = causes & visible & counts
    other = ~causes & visible & counts
    if form == "each":  # more for a cause that has more than its even share is less for the others
        even = (ratios.causal_mass + ratios.other_mass) / (causes & visible).sum(-1)
        causal &= attention < even[:, :, None]
    assert causal.any()
    assert other.any()
    assert (gradient[causal] < 0).all()
    assert (gradient[other] > 0).all()
    assert (gradient[~(visible & counts)] == 0).all()


def test_the_hinge_gradient_by_hand() -> None:
    """d(alpha - C/N)/da is -1/(n_C N) on causal keys and C/(n_N N^2) on the others."""
    attention = torch.tensor([[[0.1, 0.2, 0.3, 0.4]]], requires_grad=True)
    causes = torch.tensor([[[1, 0, 0, 1]]])
    loss = reattention_loss(attention, causes, 2.0, visible=torch.ones_like(causes))
    (gradient,) = torch.autograd.grad(loss, attention)
    torch.testing.assert_close(gradient, torch.tensor([[[-2.0, 2.0, 2.0, -2.0]]]))


@each_form
@each_reduction
def test_descending_the_gradient_moves_attention_to_the_causes(form: Any, reduction: Any) -> None:
    _, causes, visible = random_case(4)
    logits = torch.zeros(causes.shape, requires_grad=True)

    def loss_and_ratio() -> tuple[Tensor, float]:
        attention = logits.masked_fill(~visible, -1e4).softmax(-1) * visible
        ratios = reattention_ratios(attention.detach(), causes, visible=visible)
        loss = reattention_loss(
            attention, causes, 2.0, visible=visible, form=form, reduction=reduction
        )
        return loss, float(ratios.ratio[ratios.valid].mean())

    before, ratio = loss_and_ratio()
    assert ratio == pytest.approx(1)
    (gradient,) = torch.autograd.grad(before, logits)
    with torch.no_grad():
        logits -= 0.1 * gradient / gradient.abs().max()
    after, higher = loss_and_ratio()
    assert after < before
    assert higher > ratio


NOTHING = torch.zeros(2, 3, 4)
SEEN = torch.ones(2, 3, 4, dtype=torch.bool)
NOTHING_TO_LEARN = {
    "no cause": (NOTHING + 0.25, NOTHING, SEEN),
    "only causes": (NOTHING + 0.25, NOTHING + 1, SEEN),
    "nothing visible": (NOTHING + 0.25, NOTHING + 1, ~SEEN),
    "no rows": (torch.zeros(2, 0, 4), torch.zeros(2, 0, 4), SEEN[:, :0]),
    "no texts": (torch.zeros(0, 3, 4), torch.zeros(0, 3, 4), SEEN[:0]),
    "satisfied": (NOTHING + 0.25, NOTHING + torch.tensor([1.0, 0, 0, 0]), SEEN),
}


@each_form
@each_reduction
@pytest.mark.parametrize("case", NOTHING_TO_LEARN)
def test_zero_loss_has_a_graph_and_no_nan(form: Any, reduction: Any, case: str) -> None:
    attention, causes, visible = NOTHING_TO_LEARN[case]
    attention = attention.clone().requires_grad_()
    with torch.autograd.set_detect_anomaly(True, check_nan=True):
        loss = reattention_loss(
            attention, causes, 0.5, visible=visible, form=form, reduction=reduction
        )
        assert loss.item() == 0
        assert loss.requires_grad
        loss.backward()
    assert attention.grad is not None
    assert torch.equal(attention.grad, torch.zeros_like(attention))


@each_form
@each_reduction
@pytest.mark.parametrize("empty", ["causal", "other", "both"])
def test_means_of_zero_are_no_nan(form: Any, reduction: Any, empty: str) -> None:
    """Softmax may underflow to exact zeros on all causal or all other keys."""
    causes = torch.tensor([[[1, 1, 0, 0]]])
    weights = {"causal": [0, 0, 0.5, 0.5], "other": [0.5, 0.5, 0, 0], "both": [0, 0, 0, 0]}[empty]
    attention = torch.tensor([[weights]], dtype=torch.float32, requires_grad=True)
    with torch.autograd.set_detect_anomaly(True, check_nan=True):
        loss = reattention_loss(
            attention, causes, 0.5, visible=torch.ones_like(causes), form=form, reduction=reduction
        )
        loss.backward()
    assert loss.isfinite()
    assert attention.grad is not None
    assert attention.grad.isfinite().all()
    if form == "hinge":
        assert loss.item() == (0.0 if empty == "other" else 0.5)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
@each_form
def test_any_float_gives_float32(dtype: torch.dtype, form: Any) -> None:
    attention, causes, visible = random_case(5)
    low = attention.to(dtype).requires_grad_()
    loss = reattention_loss(low, causes, 0.7, visible=visible, form=form)
    same = reattention_loss(low.detach().float(), causes, 0.7, visible=visible, form=form)
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, same)
    loss.backward()
    assert low.grad is not None
    assert low.grad.dtype == dtype
    ratios = reattention_ratios(low, causes, visible=visible)
    assert {t.dtype for t in (ratios.causal, ratios.other, ratios.ratio)} == {torch.float32}


def test_sums_of_half_precision_are_not_rounded() -> None:
    """4096 equal weights: summed in bfloat16 they would stop growing."""
    attention = torch.full((1, 1, 4096), 1 / 4096, dtype=torch.bfloat16)
    causes = torch.zeros(1, 1, 4096)
    causes[..., ::2] = 1
    ratios = reattention_ratios(attention, causes, visible=torch.ones(1, 1, 4096))
    assert ratios.causal_mass.item() == pytest.approx(0.5)
    assert ratios.ratio.item() == pytest.approx(1.0)


# --- the attention sink ---------------------------------------------------------------------------


def test_the_sink_is_the_first_key_that_is_seen() -> None:
    """Behind two padding keys: the third key is the sink, a cause or not."""
    attention = torch.tensor([[[0.0, 0.0, 0.8, 0.1, 0.1]]])
    visible = torch.tensor([[[0, 0, 1, 1, 1]]])
    for sink_is_cause in (0, 1):
        causes = torch.tensor([[[0, 0, sink_is_cause, 1, 0]]])
        ratios = reattention_ratios(attention, causes, visible=visible, exclude_sink=True)
        assert ratios.ratio.item() == pytest.approx(1)
        assert ratios.causal_mass.item() == pytest.approx(0.1)
    everything = reattention_ratios(attention, causes, visible=visible)
    assert everything.ratio.item() == pytest.approx(0.45 / 0.1)


def test_without_the_sink_a_row_may_not_count() -> None:
    attention, visible = torch.tensor([[[0.5, 0.5]]]), torch.ones(1, 1, 2)
    causes = torch.tensor([[[0, 1]]])
    assert count_valid_rows(causes, visible) == 1
    assert count_valid_rows(causes, visible, exclude_sink=True) == 0
    loss = reattention_loss(attention, causes, 9.0, visible=visible, exclude_sink=True)
    assert loss == 0


# --- what is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "alpha", [0, 0.0, -1, -0.5, float("nan"), float("inf"), float("-inf"), "abc", "0.5", None, [1]]
)
def test_refuses_an_alpha_that_asks_for_nothing(alpha: Any) -> None:
    attention, causes, visible = random_case(0)
    with pytest.raises(ValueError, match="expected alpha as a positive number") as refused:
        reattention_loss(attention, causes, alpha, visible=visible)
    assert f"got {alpha!r};" in str(refused.value)
    with pytest.raises(ValueError, match="positive"):
        check_alpha(alpha)


@pytest.mark.parametrize("alpha", [1, 0.05, 20.0])
def test_accepts_positive_alphas(alpha: float) -> None:
    check_alpha(alpha)


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_refuses_nan_with_its_place(bad: float) -> None:
    attention, causes, visible = random_case(0)
    attention[2, 1, 3] = attention[2, 4, 0] = bad
    with pytest.raises(ValueError, match=r"NaN or infinity .* \(batch, row, key\) \[2, 1, 3\]"):
        reattention_loss(attention, causes, 0.5, visible=visible)
    with pytest.raises(ValueError, match=r"\[2, 1, 3\]"):
        reattention_ratios(attention, causes, visible=visible)


def test_refuses_wrong_shapes() -> None:
    attention, causes, visible = random_case(0)
    with pytest.raises(ValueError, match=r"one shape \(batch, row, key\), got \(3, 5, 9\) and"):
        reattention_loss(attention, causes[:, :4], 0.5, visible=visible)
    with pytest.raises(ValueError, match=r"one shape .* got \(5, 9\) and \(5, 9\)"):
        reattention_loss(attention[0], causes[0], 0.5)
    with pytest.raises(ValueError, match=r"visible of shape \(3, 5, 9\), got \(3, 5, 8\)"):
        reattention_loss(attention, causes, 0.5, visible=visible[..., :8])
    with pytest.raises(ValueError, match=r"square map .* got 5 rows and 9 keys: .* visible="):
        reattention_loss(attention, causes, 0.5)
    with pytest.raises(ValueError, match=r"one shape .* got \(1, 2, 3, 3\)"):  # heads not averaged
        reattention_loss(torch.zeros(1, 2, 3, 3), torch.zeros(1, 2, 3, 3), 0.5)


def test_refuses_unknown_names() -> None:
    attention, causes, visible = random_case(0)
    unknown: Any = "kl"
    with pytest.raises(ValueError, match=r"form of \('hinge', 'div', .*'each'\), got 'kl'"):
        reattention_loss(attention, causes, 0.5, visible=visible, form=unknown)
    with pytest.raises(ValueError, match=r"reduction of \('rows', .* got 'kl'"):
        reattention_loss(attention, causes, 0.5, visible=visible, reduction=unknown)


def test_inputs_are_left_alone() -> None:
    attention, causes, visible = random_case(0)
    copies = [tensor.clone() for tensor in (attention, causes, visible)]
    reattention_loss(attention, causes, 0.5, visible=visible, exclude_sink=True)
    for tensor, copy in zip((attention, causes, visible), copies, strict=True):
        assert torch.equal(tensor, copy)
