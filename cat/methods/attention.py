"""Methods that supervise attention by the ratio C/N: Causal Attention Tuning."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from cat.methods.method import Method
from cat.methods.tuning import Tuning
from cat.reattention import Form, Reduction
from cat.rows import Keep

__all__ = ["CAT"]


@dataclass(frozen=True)
class CAT(Method):
    """Causal Attention Tuning; the options are those of :class:`cat.config.CATConfig`.

    The defaults are the paper's; ``exclude_sink``, ``supervise``, ``cause_rows`` and the forms
    "log", "share" and "each" are ours.
    """

    name = "cat"
    source = "Han et al. 2025, section 4.2; the forms div, div2 and nll: the authors' code"

    alpha: float
    gamma: str = "epoch"
    form: Form = "hinge"
    reduction: Reduction = "rows"
    exclude_sink: bool = False
    supervise: Keep = "mean"
    cause_rows: bool = False

    def fit(self, tuning: Tuning) -> Any:
        return tuning.train(**asdict(self))
