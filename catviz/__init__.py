"""Seeing what Causal Attention Tuning does: static figures, attention maps and a one-file report.

The names below are loaded on first use, so that ``import catviz`` costs nothing:

>>> import catviz
>>> catviz.attention_map  # doctest: +SKIP
<function attention_map at ...>
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from catviz.figures.accuracy import accuracy_over_alpha
    from catviz.figures.curves import training_curves
    from catviz.figures.density import attention_density
    from catviz.figures.figure import Figure, save_all
    from catviz.figures.maps import attention_map
    from catviz.maps import MeanMap
    from catviz.report import Section, Table, accuracy_table, write_report
    from catviz.words import Word

__all__ = [
    "Figure",
    "MeanMap",
    "Section",
    "Table",
    "Word",
    "accuracy_over_alpha",
    "accuracy_table",
    "attention_density",
    "attention_map",
    "save_all",
    "training_curves",
    "write_report",
]

_HOME = {
    "Figure": "catviz.figures.figure",
    "MeanMap": "catviz.maps",
    "Section": "catviz.report",
    "Table": "catviz.report",
    "Word": "catviz.words",
    "accuracy_over_alpha": "catviz.figures.accuracy",
    "accuracy_table": "catviz.report",
    "attention_density": "catviz.figures.density",
    "attention_map": "catviz.figures.maps",
    "save_all": "catviz.figures.figure",
    "training_curves": "catviz.figures.curves",
    "write_report": "catviz.report",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
