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
    from catviz.figures.adjacency import signal_adjacency
    from catviz.figures.change import attention_change
    from catviz.figures.curves import training_curves
    from catviz.figures.density import attention_density
    from catviz.figures.effects import effect_table
    from catviz.figures.figure import Figure, save_all
    from catviz.figures.graph import causal_graph
    from catviz.figures.heads import head_map
    from catviz.figures.maps import attention_map
    from catviz.figures.strips import text_strip
    from catviz.figures.thumbnails import head_grid
    from catviz.maps import MeanMap
    from catviz.patterns import AttentionPattern
    from catviz.report import Section, Table, accuracy_table, write_report
    from catviz.words import Word

__all__ = [
    "AttentionPattern",
    "Figure",
    "MeanMap",
    "Section",
    "Table",
    "Word",
    "accuracy_over_alpha",
    "accuracy_table",
    "attention_change",
    "attention_density",
    "attention_map",
    "causal_graph",
    "effect_table",
    "head_grid",
    "head_map",
    "save_all",
    "signal_adjacency",
    "text_strip",
    "training_curves",
    "write_report",
]

_HOME = {
    "AttentionPattern": "catviz.patterns",
    "Figure": "catviz.figures.figure",
    "MeanMap": "catviz.maps",
    "Section": "catviz.report",
    "Table": "catviz.report",
    "Word": "catviz.words",
    "accuracy_over_alpha": "catviz.figures.accuracy",
    "accuracy_table": "catviz.report",
    "attention_change": "catviz.figures.change",
    "attention_density": "catviz.figures.density",
    "attention_map": "catviz.figures.maps",
    "causal_graph": "catviz.figures.graph",
    "effect_table": "catviz.figures.effects",
    "head_grid": "catviz.figures.thumbnails",
    "head_map": "catviz.figures.heads",
    "save_all": "catviz.figures.figure",
    "signal_adjacency": "catviz.figures.adjacency",
    "text_strip": "catviz.figures.strips",
    "training_curves": "catviz.figures.curves",
    "write_report": "catviz.report",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
