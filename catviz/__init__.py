"""Seeing where a language model looks, by role of the word, and what its answer depends on.

>>> import catviz
>>> lens = catviz.AttentionLens.load("tiny/alpha-10")
>>> pattern = lens.attention("Smoking: 8, Weight: 3 Answer:", {"causal": "Smoking: 8"})
>>> catviz.AttentionViewer(pattern)  # every head, in a notebook  # doctest: +SKIP
>>> catviz.text_strip(pattern).save("strip.pdf")  # doctest: +SKIP

The names are imported on first use, so that ``import catviz`` costs nothing.
"""

from typing import TYPE_CHECKING

from catviz.lazy import load_lazily

if TYPE_CHECKING:
    from catviz.density import role_scores
    from catviz.effects.ablation import ablate_heads, ablate_roles
    from catviz.effects.interventions import average_effects
    from catviz.effects.steering import steer
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
    from catviz.heads import rank_by_change, rank_by_lift, rank_by_mass
    from catviz.lens import AttentionLens
    from catviz.maps import MeanMap
    from catviz.patterns import AttentionPattern
    from catviz.reading import mean_map
    from catviz.report import Section, Table, accuracy_table, write_report
    from catviz.roles import mark_roles
    from catviz.scores import RoleScores
    from catviz.viewer.page import write_viewer
    from catviz.viewer.widget import AttentionViewer
    from catviz.widgets.alpha.steered import SteeredAlpha
    from catviz.widgets.alpha.trained import TrainedAlpha
    from catviz.widgets.explorer.explorer import Explorer
    from catviz.widgets.game.builder import GameBuilder
    from catviz.widgets.live.training import LiveTraining
    from catviz.widgets.review.signal_review import SignalReview
    from catviz.words import Word

__all__ = [
    "AttentionLens",
    "AttentionPattern",
    "AttentionViewer",
    "Explorer",
    "Figure",
    "GameBuilder",
    "LiveTraining",
    "MeanMap",
    "RoleScores",
    "Section",
    "SignalReview",
    "SteeredAlpha",
    "Table",
    "TrainedAlpha",
    "Word",
    "ablate_heads",
    "ablate_roles",
    "accuracy_over_alpha",
    "accuracy_table",
    "attention_change",
    "attention_density",
    "attention_map",
    "average_effects",
    "causal_graph",
    "density_over_layers",
    "effect_table",
    "head_grid",
    "head_map",
    "interactive_density",
    "mark_roles",
    "mean_map",
    "rank_by_change",
    "rank_by_lift",
    "rank_by_mass",
    "role_scores",
    "save_all",
    "signal_adjacency",
    "signal_text",
    "steer",
    "text_strip",
    "training_curves",
    "write_report",
    "write_viewer",
]

_HOME = {
    "AttentionLens": "lens",
    "AttentionPattern": "patterns",
    "AttentionViewer": "viewer.widget",
    "Explorer": "widgets.explorer.explorer",
    "Figure": "figures.figure",
    "GameBuilder": "widgets.game.builder",
    "LiveTraining": "widgets.live.training",
    "MeanMap": "maps",
    "RoleScores": "scores",
    "Section": "report",
    "SignalReview": "widgets.review.signal_review",
    "SteeredAlpha": "widgets.alpha.steered",
    "Table": "report",
    "TrainedAlpha": "widgets.alpha.trained",
    "Word": "words",
    "ablate_heads": "effects.ablation",
    "ablate_roles": "effects.ablation",
    "accuracy_over_alpha": "figures.accuracy",
    "accuracy_table": "report",
    "attention_change": "figures.change",
    "attention_density": "figures.density",
    "attention_map": "figures.maps",
    "average_effects": "effects.interventions",
    "causal_graph": "figures.graph",
    "density_over_layers": "figures.layers",
    "effect_table": "figures.effects",
    "head_grid": "figures.thumbnails",
    "head_map": "figures.heads",
    "interactive_density": "figures.density_interactive",
    "mark_roles": "roles",
    "mean_map": "reading",
    "rank_by_change": "heads",
    "rank_by_lift": "heads",
    "rank_by_mass": "heads",
    "role_scores": "density",
    "save_all": "figures.figure",
    "signal_adjacency": "figures.adjacency",
    "signal_text": "figures.signals",
    "steer": "effects.steering",
    "text_strip": "figures.strips",
    "training_curves": "figures.curves",
    "write_report": "report",
    "write_viewer": "viewer.page",
}

__getattr__, __dir__ = load_lazily(__name__, _HOME)
