"""A pass is broken off at the next layer, forwards and backwards; the model stays whole."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from cat.abort import Aborted, abortable


class Counted(nn.Linear):
    def __init__(self) -> None:
        super().__init__(3, 3)
        self.passed = 0

    def forward(self, x: Tensor) -> Tensor:
        self.passed += 1
        return super().forward(x)


@pytest.fixture
def layers() -> nn.Sequential:
    return nn.Sequential(*(Counted() for _ in range(4)))


def test_forward_ends_at_the_layer_after_the_request(layers: nn.Sequential) -> None:
    with abortable(layers, lambda: layers[1].passed > 0), pytest.raises(Aborted):
        layers(torch.zeros(1, 3))
    assert [layer.passed for layer in layers] == [1, 1, 0, 0]


def test_backward_ends_before_the_layers_in_front(layers: nn.Sequential) -> None:
    asked = False

    def ask(gradient: Tensor) -> None:
        nonlocal asked
        asked = True

    with abortable(layers, lambda: asked):
        outputs = layers[:2](torch.zeros(1, 3))
        outputs.register_hook(ask)
        loss = layers[2:](outputs).sum()
        with pytest.raises(Aborted):
            loss.backward()
    assert layers[3].weight.grad is not None
    assert layers[0].weight.grad is None


def test_unasked_nothing_changes(layers: nn.Sequential) -> None:
    x = torch.ones(2, 3)
    layers(x).sum().backward()
    plain = [parameter.grad.clone() for parameter in layers.parameters()]
    layers.zero_grad()
    with abortable(layers, lambda: False):
        layers(x).sum().backward()
    assert all(map(torch.equal, plain, [parameter.grad for parameter in layers.parameters()]))


def test_hooks_are_gone_afterwards(layers: nn.Sequential) -> None:
    asked = False
    with abortable(layers, lambda: asked):
        pass
    asked = True
    layers(torch.zeros(1, 3))
    assert not any(layer._forward_hooks for layer in layers)
