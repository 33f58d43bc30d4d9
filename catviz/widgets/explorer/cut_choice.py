"""What to take out of the attention, and what became of the answers."""

from __future__ import annotations

from collections.abc import Collection
from html import escape

import ipywidgets as widgets
import traitlets

from catviz.widgets.button import PushButton
from catviz.widgets.explorer.head_table import HeadTable
from catviz.widgets.explorer.outcomes import Cut
from catviz.words import ROLES, Role

__all__ = ["CutChoice"]


class CutChoice(widgets.VBox):
    """Boxes for the roles beside those of a table of heads, and a place for the outcomes.

    Args:
        heads: the table whose ticked heads are taken out.
        counted: how many texts are counted where that is asked for.

    Attributes:
        changed: counts how often something else was chosen; observe it.
        outcomes: HTML.
    """

    changed = traitlets.Int()

    def __init__(self, heads: HeadTable, *, counted: int) -> None:
        self._heads = heads
        self.roles: dict[Role, widgets.Checkbox] = {
            role: widgets.Checkbox(
                description=f"{role} words", indent=False, layout=widgets.Layout(width="10em")
            )
            for role in ROLES
            if role != "other"
        }
        self.count = widgets.Checkbox(
            value=True,
            description=f"Count the right answers on {counted} OOD texts of the game as well",
            indent=False,
            layout=widgets.Layout(width="auto"),
        )
        self.restore = PushButton("Put everything back", layout={"width": "14em", "margin": "2px"})
        self.outcomes = widgets.HTML()
        self._why_not = widgets.HTML()
        for role, box in self.roles.items():
            box.add_class(f"catviz-take-{role}")
        self.restore.add_class("catviz-restore")
        self.outcomes.add_class("catviz-answers-table")
        self._controls = widgets.VBox(
            [
                widgets.HTML(
                    "Tick heads in the table above, or take away all attention to the words of a "
                    "role:"
                ),
                widgets.HBox(
                    [*self.roles.values(), self.restore],
                    layout=widgets.Layout(flex_flow="row wrap"),
                ),
                self.count,
            ]
        )
        super().__init__([self._why_not, self._controls, self.outcomes])
        for box in (*self.roles.values(), self.count):
            box.observe(self._tell, names="value")
        heads.observe(self._tell, names="taken")
        self.restore.on_click(lambda _: self._put_back())

    @property
    def cut(self) -> Cut:
        """What is chosen."""
        roles = tuple(role for role, box in self.roles.items() if box.value)
        return Cut(tuple(self._heads.taken), roles)

    def offer(self, roles: Collection[Role], why_not: str) -> None:
        """Offer what there is to take out: the roles of a text, or nothing and the reason."""
        for role, box in self.roles.items():
            box.disabled = role not in roles
            if box.disabled:
                box.value = False
        self._heads.can_take = not why_not
        self._controls.layout.display = "none" if why_not else ""
        self._why_not.value = f"<em>{escape(why_not)}</em>" if why_not else ""
        if why_not:
            self.outcomes.value = ""

    def _put_back(self) -> None:
        self._heads.taken = []
        for box in self.roles.values():
            box.value = False

    def _tell(self, _: object) -> None:
        self.changed += 1
