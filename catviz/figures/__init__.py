"""Static figures: each builder returns a :class:`Figure` and shows nothing by itself.

>>> from catviz.figures import attention_density
>>> figure = attention_density({"plain": {"causal": [0.1, 0.2, 0.3]}})  # doctest: +SKIP
>>> figure.save("density.svg", theme="dark")  # doctest: +SKIP
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catviz.figures.accuracy import accuracy_over_alpha
    from catviz.figures.curves import training_curves
    from catviz.figures.density import attention_density
    from catviz.figures.figure import Figure, save_all
    from catviz.figures.maps import attention_map

__all__ = [
    "Figure",
    "accuracy_over_alpha",
    "attention_density",
    "attention_map",
    "save_all",
    "training_curves",
]

_HOME = {
    "Figure": "figure",
    "accuracy_over_alpha": "accuracy",
    "attention_density": "density",
    "attention_map": "maps",
    "save_all": "figure",
    "training_curves": "curves",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
