"""Static figures: each builder returns a :class:`Figure` and shows nothing by itself.

>>> from catviz.figures import attention_density
>>> figure = attention_density({"plain": {"causal": [0.1, 0.2, 0.3]}})  # doctest: +SKIP
>>> figure.save("density.svg", theme="dark")  # doctest: +SKIP
"""

from typing import TYPE_CHECKING

from catviz.lazy import load_lazily

if TYPE_CHECKING:
    from catviz.figures.accuracy import accuracy_over_alpha
    from catviz.figures.adjacency import signal_adjacency
    from catviz.figures.change import attention_change
    from catviz.figures.curves import training_curves
    from catviz.figures.density import attention_density
    from catviz.figures.density_interactive import interactive_density
    from catviz.figures.effects import effect_table
    from catviz.figures.figure import Figure, save_all
    from catviz.figures.graph import causal_graph
    from catviz.figures.heads import head_map
    from catviz.figures.layers import density_over_layers
    from catviz.figures.maps import attention_map
    from catviz.figures.signals import signal_text
    from catviz.figures.strips import text_strip
    from catviz.figures.thumbnails import head_grid

__all__ = [
    "Figure",
    "accuracy_over_alpha",
    "attention_change",
    "attention_density",
    "attention_map",
    "causal_graph",
    "density_over_layers",
    "effect_table",
    "head_grid",
    "head_map",
    "interactive_density",
    "save_all",
    "signal_adjacency",
    "signal_text",
    "text_strip",
    "training_curves",
]

_HOME = {
    "Figure": "figure",
    "accuracy_over_alpha": "accuracy",
    "attention_change": "change",
    "attention_density": "density",
    "attention_map": "maps",
    "causal_graph": "graph",
    "density_over_layers": "layers",
    "effect_table": "effects",
    "head_grid": "thumbnails",
    "head_map": "heads",
    "interactive_density": "density_interactive",
    "save_all": "figure",
    "signal_adjacency": "adjacency",
    "signal_text": "signals",
    "text_strip": "strips",
    "training_curves": "curves",
}

__getattr__, __dir__ = load_lazily(__name__, _HOME)
