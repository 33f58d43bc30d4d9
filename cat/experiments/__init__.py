"""Declared runs, what they give, and the sweeps that fill a store with them.

A :class:`~cat.experiments.run.Run` is declared (:mod:`cat.experiments.sweeps`), carried out
(:func:`~cat.experiments.run.carry_out`, by :mod:`cat.experiments.sweeping`), and kept as a JSON
line (:class:`~cat.experiments.store.ResultStore`).
"""

from cat.experiments.run import (
    DATA,
    RESULTS_VERSION,
    TRAINING_TEXTS,
    Run,
    carry_out,
    is_task,
    texts_of,
)

__all__ = ["DATA", "RESULTS_VERSION", "TRAINING_TEXTS", "Run", "carry_out", "is_task", "texts_of"]
