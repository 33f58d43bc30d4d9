"""What people read in place of a run's fields.

>>> method_label("cat", {"alpha": 10.0, "exclude_sink": True})
'CAT, alpha 10, exclude sink'
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from cat.experiments import DATA, Run
from cat.experiments.sweeps import OURS

__all__ = [
    "DATA",
    "data_label",
    "family",
    "file_name",
    "method_label",
    "method_order",
    "ours_said",
    "run_label",
    "seeds_label",
    "setting_of",
]

_DTYPE = Run("", DATA[0]).dtype  # the usual

_METHODS = {
    "plain": "plain",
    "cat": "CAT",
    "cda": "CDA",
    "causal-only": "causal words only",
    "invariant": "invariant loss",
    "attention-mse": "attention MSE",
    "attention-ce": "attention cross-entropy",
    "focal": "focal attention",
    "rrr": "RRR (input gradients)",
    "pasta": "PASTA",
    "act": "ACT",
    "jtt": "JTT",
    "group-dro": "GroupDRO",
}
"""In the order in which tables and figures have them; others follow."""


def method_label(method: str, options: Mapping[str, Any]) -> str:
    """A method and the options that were given, the most telling first.

    >>> method_label("plain", {}), method_label("my-method", {"weight": 0.5})
    ('plain', 'my method, weight 0.5')
    """
    name = _METHODS.get(method, method.replace("-", " ").replace("_", " "))
    first = [option for option in ("alpha", "gamma") if option in options]
    rest = sorted(set(options) - set(first))
    return ", ".join([name, *(_option(option, options[option]) for option in [*first, *rest])])


def run_label(run: Run) -> str:
    """The same for a run, where CAT as it does best beyond the paper has a name of its own.

    >>> run_label(Run("tiny", "STG_S", "cat", OURS))
    'CAT, ours'
    >>> run_label(Run("tiny", "STG_S", "cat", {**OURS, "gamma": "epoch"}))
    'CAT, ours with gamma e^-epoch'
    """
    if run.method == "cat" and set(run.options) == set(OURS):
        other = {name: value for name, value in run.options.items() if value != OURS[name]}
        if not other:
            return "CAT, ours"
        if len(other) == 1 and "alpha" not in other:
            return f"CAT, ours with {_option(*other.popitem())}"
    return method_label(run.method, run.options)


def ours_said() -> str:
    """What "CAT, ours" is.

    >>> ours_said()[:54]
    '"CAT, ours" goes beyond the paper: alpha 1000, gamma 3'
    """
    options = method_label("cat", OURS).removeprefix("CAT, ")
    return f'"CAT, ours" goes beyond the paper: {options}.'


def _option(name: str, value: Any) -> str:
    said = name.replace("_", " ")
    if value is True:
        return said
    if value is False:
        return f"{said} off"
    if name == "gamma" and value == "epoch":
        return "gamma e^-epoch"
    return f"{said} {value:g}" if isinstance(value, float) else f"{said} {value}"


def method_order(method: str, options: Mapping[str, Any]) -> tuple[int, str, int, float, str]:
    """For sorting, whatever the order in which runs were carried out: plain first, small alphas
    before large ones, options behind the bare method.

    >>> labels = [("cda", {}), ("cat", {"alpha": 10.0}), ("cat", {"alpha": 3.0}), ("plain", {})]
    >>> [method_label(*one) for one in sorted(labels, key=lambda one: method_order(*one))]
    ['plain', 'CAT, alpha 3', 'CAT, alpha 10', 'CDA']
    """
    known = list(_METHODS)
    alpha = options.get("alpha")
    return (
        known.index(method) if method in known else len(known),
        method,
        len(options),
        float(alpha) if isinstance(alpha, int | float) else 0.0,
        method_label(method, options),
    )


def family(method: str) -> str:
    """The methods that share a mark in a figure."""
    return {"plain": "plain", "cat": "CAT"}.get(method, "other methods")


def setting_of(run: Run) -> str:
    """Model, full or LoRA, and whatever else differs from the usual, but data and method.

    >>> setting_of(Run("smollm2", "STG_S", lora=True, settings={"num_train_epochs": 1.0}))
    'smollm2, LoRA, num train epochs 1'
    """
    parts = [run.model, "LoRA" if run.lora else "full"]
    parts += [run.dtype] * (run.dtype != _DTYPE)
    return ", ".join(
        [*parts, *(_option(name, run.settings[name]) for name in sorted(run.settings))]
    )


def data_label(run: Run) -> str:
    """The data set, with the spurious strength where it is not that of the paper.

    >>> data_label(Run("tiny", "STG_S", strength=0.9))
    'STG_S, strength 0.9'
    """
    return run.data if run.strength == 1.0 else f"{run.data}, strength {run.strength:g}"


def file_name(*parts: str) -> str:
    """A plain file name of some words.

    >>> file_name("alpha", "Qwen/Qwen2.5-1.5B, full", "STG_S")
    'alpha_Qwen-Qwen2.5-1.5B-full_STG_S'
    """
    return "_".join(re.sub(r"[^\w.]+", "-", part).strip("-.") for part in parts)


def seeds_label(present: Collection[int], wanted: Collection[int]) -> str:
    """How many seeds, and of how many.

    >>> seeds_label([0, 1, 3], range(5)), seeds_label([0], [0])
    ('3 of 5 seeds', '1 seed')
    """
    if len(present) < len(wanted):
        return f"{len(present)} of {len(wanted)} seeds"
    return f"{len(present)} seed{'s' * (len(present) != 1)}"
