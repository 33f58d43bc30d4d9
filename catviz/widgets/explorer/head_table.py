"""The heads in the order of a score, to open and to take out by a click."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import anywidget
import numpy as np
import traitlets

from catviz.heads import HeadScore, rank_by_change, rank_by_lift, rank_by_mass
from catviz.patterns import AttentionPattern
from catviz.viewer.module import join_module
from catviz.words import ROLES

__all__ = ["HeadTable", "rankings"]

Patterns = Sequence[AttentionPattern]
Ranking = Callable[[Patterns], list[HeadScore]]

LIFT, CHANGE, PLAIN = "lift", "change", "layer"
_MOST_LIFT = 99


class HeadTable(anywidget.AnyWidget):
    """One row a head: what its answer row pays to each role, its score, a box to take it out.

    Attributes:
        taken: the heads that are ticked, such as "L0H1".
        opened: the heads whose rows are marked; a click on a name opens the head alone, a second
            one all of them. Link it with the viewer's.
        can_take: whether there are boxes.
    """

    _esm = join_module(__package__, style="head_table.css", parts=("head_table.js",))

    states = traitlets.List(traitlets.Unicode()).tag(sync=True)
    score_name = traitlets.Unicode().tag(sync=True)
    rows = traitlets.List(traitlets.Dict()).tag(sync=True)
    taken = traitlets.List(traitlets.Unicode()).tag(sync=True)
    opened = traitlets.List(traitlets.Unicode()).tag(sync=True)
    can_take = traitlets.Bool(True).tag(sync=True)

    def show(self, patterns: Patterns, by: str) -> None:
        """Show the heads of one pattern, or before and after, ranked; see :func:`rankings`."""
        names, ranked = _ranked(patterns, by)
        shares = [pattern.role_mass() for pattern in patterns]  # (layer, head, role) each
        place = {name: at for at, name in enumerate(patterns[-1].head_names)}
        with self.hold_sync():
            self.states = ["before", "after"] if len(patterns) > 1 else [""]
            self.score_name = names
            self.rows = [
                {
                    "name": score.name,
                    "score": _told(score.score, by),
                    "shares": [
                        np.round(each.reshape(-1, len(ROLES))[place[score.name]], 4).tolist()
                        for each in shares
                    ],
                }
                for score in ranked
            ]
            self.taken = [name for name in self.taken if name in place]


def rankings(patterns: Patterns) -> list[tuple[str, str]]:
    """(label, name) of the orders that make sense for one pattern, or before and after."""
    roles = [role for role in ROLES if role != "other" and role in patterns[-1].roles]
    orders = [(f"most attention on {role} words", str(role)) for role in roles]
    if {"causal", "spurious"} <= set(roles):
        orders.insert(0, ("causal over spurious, per token", LIFT))
    if len(patterns) > 1:
        orders.append(("most moved from before to after", CHANGE))
    return [*orders, ("layer by layer", PLAIN)]


def _ranked(patterns: Patterns, by: str) -> tuple[str, list[HeadScore]]:
    """The score's name, and the heads in its order."""
    last = patterns[-1]
    if by == LIFT:
        return "causal over spurious, per token", rank_by_lift(last)
    if by == CHANGE:
        return "attention that went elsewhere", rank_by_change(*patterns)
    if by == PLAIN:
        zeros = [HeadScore(layer, head, 0) for layer in last.layers for head in last.heads]
        return "", zeros
    return f"attention on {by} words", rank_by_mass(last, by)  # type: ignore[arg-type]


def _told(score: float, by: str) -> str:
    if by == PLAIN:
        return ""
    if np.isnan(score):
        return "–"
    if by == LIFT:
        return f"> {_MOST_LIFT} ×" if score > _MOST_LIFT else f"{score:.1f} ×"
    return f"{100 * score:.0f}%"
