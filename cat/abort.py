"""Breaking a forward or backward pass off between two layers.

A training step of a large model takes seconds; whoever asks it to stop need not wait for its end.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

__all__ = ["Aborted", "abortable"]


class Aborted(Exception):
    """A pass through the model was broken off, as asked."""


@contextmanager
def abortable(model: nn.Module, asked: Callable[[], bool]) -> Iterator[None]:
    """Within: once ``asked()`` is true, the next layer that is passed raises :class:`Aborted`.

    Weights are as the last whole step left them; a broken backward pass leaves gradients that mean
    nothing.

    >>> import torch
    >>> model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    >>> with abortable(model, asked=lambda: True):
    ...     model(torch.zeros(1, 2))
    Traceback (most recent call last):
        ...
    cat.abort.Aborted
    """

    def check(*_: Any) -> None:
        if asked():
            raise Aborted

    def passed(module: nn.Module, inputs: Any, output: Any) -> None:
        check()
        if isinstance(output, Tensor) and output.requires_grad:
            output.register_hook(check)  # the backward pass comes by here too

    layers = [module for module in model.modules() if not any(module.children())]
    hooks = [layer.register_forward_hook(passed) for layer in layers]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
