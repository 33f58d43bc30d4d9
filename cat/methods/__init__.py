"""Ways to tune a model on texts with causal signals: CAT, and what it must be compared with.

Each method answers two questions: how is the model fitted, and how is the fitted model asked?

The default weights of the rivals were chosen on ``tiny``, STG_S (seeds 100 to 102) and STG_M (100
and 101): fitted on the first 80% of the training texts, judged by the accuracy on the others with
their non-causal values redrawn (:func:`cat.redraw.redraw`), which takes no more than CAT's own
knowledge. Each class says what was tried. Larger models may want other weights.

>>> method = make_method("cat", alpha=10.0)
>>> method.name, method.alpha, method.form
('cat', 10.0, 'hinge')
"""

from __future__ import annotations

from cat.methods.attention import CAT
from cat.methods.method import Method
from cat.methods.registry import METHODS, make_method
from cat.methods.tuning import Tuning

__all__ = ["CAT", "METHODS", "Method", "Tuning", "make_method"]
