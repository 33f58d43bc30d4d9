"""Methods by name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

from cat.methods.attention import CAT
from cat.methods.counterfactuals import CDA, CausalOnly, Invariant
from cat.methods.explanations import AttentionCE, AttentionMSE, Focal
from cat.methods.gradients import RRR
from cat.methods.groups import JTT, GroupDRO
from cat.methods.inference import ACT, PASTA
from cat.methods.method import Method, Plain

__all__ = ["METHODS", "make_method"]

_ALL: tuple[type[Method], ...] = (
    Plain,
    CAT,
    AttentionMSE,
    AttentionCE,
    Focal,
    CDA,
    CausalOnly,
    Invariant,
    RRR,
    JTT,
    GroupDRO,
    PASTA,
    ACT,
)

METHODS: Mapping[str, type[Method]] = {method.name: method for method in _ALL}


def make_method(name: str, **options: Any) -> Method:
    """A method by its name and options.

    Raises:
        ValueError: no such method, an option that it does not have, or one that it needs.
    """
    if name not in METHODS:
        raise ValueError(f"expected a method of {', '.join(METHODS)}, got {name!r}")
    known = {field.name: field for field in fields(METHODS[name])}
    if unknown := sorted(set(options) - set(known)):
        raise ValueError(
            f"method {name!r} has no option {unknown[0]!r}: expected {', '.join(known) or 'none'}"
        )
    needed = [n for n, f in known.items() if f.default is MISSING and n not in options]
    if needed:
        raise ValueError(f"method {name!r} needs the option {needed[0]!r}")
    return METHODS[name](**options)
