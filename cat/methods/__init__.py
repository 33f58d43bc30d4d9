"""Ways to tune a model on texts with causal signals: CAT, and what it must be compared with.

Each method answers two questions: how is the model fitted, and how is the fitted model asked?

>>> method = make_method("cat", alpha=10.0)
>>> method
CAT(alpha=10.0, gamma='epoch', form='hinge', reduction='rows', exclude_sink=False)
"""

from __future__ import annotations

from cat.methods.attention import CAT
from cat.methods.method import Method
from cat.methods.registry import METHODS, make_method
from cat.methods.tuning import Tuning

__all__ = ["CAT", "METHODS", "Method", "Tuning", "make_method"]
