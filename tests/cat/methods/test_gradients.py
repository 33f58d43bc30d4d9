"""`cat.methods.gradients`: the penalty against differences, and what training makes of it."""

from __future__ import annotations

import pytest
import torch

from cat.alignment import align
from cat.methods.gradients import RRR, non_causal_gradients
from cat.models import add_adapter, load_model, lora_config
from cat.signals import Example
from tests.cat.methods.kit import batch_of, tuning
from tests.cat.trainings import stg, uneven

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")


def squared_by_differences(model: torch.nn.Module, tokenizer: object, example: Example) -> float:
    """The same, each number of each non-causal token's embedding moved up and down."""
    item = align(example, tokenizer)
    causal = {key for row in item.causes for key in row.nonzero()[0].tolist()}
    ids = torch.tensor([item.input_ids])
    table = model.get_input_embeddings()  # type: ignore[operator]
    embeddings = table(ids).detach()[0]  # (key, d_model)
    answer = range(item.answer_start, ids.shape[1])
    step, total = 1e-5, 0.0
    for token in set(range(item.answer_start)) - causal:
        moved = embeddings.repeat(2 * embeddings.shape[1], 1, 1)
        numbers = torch.arange(embeddings.shape[1])
        moved[2 * numbers, token, numbers] += step
        moved[2 * numbers + 1, token, numbers] -= step
        log_p = model(inputs_embeds=moved).logits.log_softmax(-1)
        of_answer = sum(log_p[:, t - 1, ids[0, t]] for t in answer)
        total += (((of_answer[0::2] - of_answer[1::2]) / (2 * step)) ** 2).sum().item()
    return total


def test_it_is_the_squared_gradient_by_what_is_no_cause() -> None:
    model, tokenizer = load_model("tiny")
    model.double()
    examples = uneven(4)[1:3]  # texts of unequal length
    batch = batch_of(model, tokenizer, examples)
    with torch.no_grad():
        each = [squared_by_differences(model, tokenizer, example) for example in examples]
    penalty = non_causal_gradients(batch).item()
    assert penalty > 1e-3
    assert penalty == pytest.approx(sum(each) / len(each), rel=1e-3)  # the logits' log is float32


def test_its_own_gradient_is_that_of_a_difference() -> None:
    """Double backward: one step down the gradient, and the penalty falls by as much as it says."""
    model, tokenizer = load_model("tiny")
    model.double()
    examples = stg("train_S", 4)
    before = non_causal_gradients(batch_of(model, tokenizer, examples))
    before.backward()
    parameters = [p for p in model.parameters() if p.grad is not None]
    slope = sum(p.grad.square().sum() for p in parameters).item()  # type: ignore[union-attr]
    rate = 1e-4 * before.item() / slope
    with torch.no_grad():
        for parameter in parameters:
            parameter -= rate * parameter.grad
    after = non_causal_gradients(batch_of(model, tokenizer, examples))
    assert (before - after).item() == pytest.approx(rate * slope, rel=0.02)


def test_a_model_under_an_adapter_has_frozen_embeddings() -> None:
    model, tokenizer = load_model("tiny")
    tuned = add_adapter(model, lora_config(model, dropout=0.0))
    batch = batch_of(tuned, tokenizer, stg("train_S", 2))
    non_causal_gradients(batch).backward()
    gradients = [p.grad for name, p in tuned.named_parameters() if "lora_B" in name]
    assert gradients
    assert all(g is not None and bool(g.abs().sum() > 0) for g in gradients)


def test_training_makes_the_gradients_small() -> None:
    left = []
    for weight in (1e-9, 0.01):
        run = tuning(stg("train_S", 64), num_train_epochs=3)
        model = RRR(weight=weight).fit(run)
        batch = batch_of(model, run.tokenizer, stg("test_ood", 20))
        left.append(non_causal_gradients(batch).item())
    assert left[1] < left[0] / 3


def test_a_weight_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="expected weight as a positive number, got -1"):
        RRR(weight=-1)
