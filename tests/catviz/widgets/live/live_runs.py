"""Small live runs for tests."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from functools import cache
from typing import Any

from cat.data import load_data
from cat.models import load_model
from cat.signals import Example
from catviz.widgets.live.plan import TrainingPlan


@cache
def small_data() -> dict[str, list[Example]]:
    """The game with few texts: 4 steps an epoch."""
    data = load_data("stg-e", "S")
    return {name: texts[: 64 if name == "train" else 20] for name, texts in data.items()}


def tiny() -> tuple[Any, Any]:
    return load_model("tiny")


def plan(**changes: Any) -> TrainingPlan:
    """Eight steps, unless changed."""
    data = dict(small_data())
    train = data.pop("train")
    defaults = {"fresh_model": tiny, "train": train, "tests": data, "alpha": 10.0, "epochs": 2}
    return TrainingPlan(**{**defaults, **changes})


def slow_model(seconds_a_layer: float) -> Callable[[], tuple[Any, Any]]:
    """Gives a model of eight layers, each of which takes its time in training."""

    def fresh() -> tuple[Any, Any]:
        from transformers import LlamaConfig, LlamaForCausalLM

        _, tokenizer = load_model("tiny")
        config = LlamaConfig(
            vocab_size=len(tokenizer),
            hidden_size=16,
            intermediate_size=16,
            num_hidden_layers=8,
            num_attention_heads=2,
            pad_token_id=tokenizer.pad_token_id,
            eos_token_id=tokenizer.eos_token_id,
        )
        model = LlamaForCausalLM(config)
        for layer in model.model.layers:
            layer.register_forward_pre_hook(
                lambda layer, _: time.sleep(seconds_a_layer if layer.training else 0)
            )
        return model, tokenizer

    return fresh


def press_ctrl_c() -> None:
    """As the shell does: only a signal wakes a thread that waits for another."""
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def wait_until(true: Callable[[], object], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.002)
