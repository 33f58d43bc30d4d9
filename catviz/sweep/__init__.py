"""A sweep: one model tuned at each alpha, plain training first, and what every one of them does.

    >>> sweep = read_sweep()  # the shipped models of ``tiny``
    >>> [tuned.name for tuned in sweep.models][:3]
    ['plain', 'alpha 0.3', 'alpha 1']
    >>> sweep.models[0].accuracy["test_ood"].share, sweep.models[6].accuracy["test_ood"].share
    (0.7925, 0.9775)

What is said of accuracy was measured when the models were tuned; the rest is measured by
:func:`measure`, once for the same models and texts. Of the shipped models it was measured before
they were shipped.
"""

from catviz.sweep.measured import Measured
from catviz.sweep.measures_file import SHIPPED
from catviz.sweep.measuring import measure
from catviz.sweep.models import Accuracy, Sweep, TunedModel, read_sweep, sweep_texts

__all__ = [
    "SHIPPED",
    "Accuracy",
    "Measured",
    "Sweep",
    "TunedModel",
    "measure",
    "read_sweep",
    "sweep_texts",
]
