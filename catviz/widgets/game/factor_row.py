"""One factor of a game in a form: what it is called, its values, and what it does."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import count
from typing import Any

import ipywidgets as widgets

from cat.own_game import Factor, GameError
from catviz.widgets.button import PushButton

__all__ = ["FactorRow", "field", "parse_number", "parse_whole"]

_NOTHING = 0  # the key of what a factor that follows nothing follows
_KEYS = count(1)
_ROLES = [("cause", "causal"), ("companion", "spurious"), ("irrelevant", "irrelevant")]
_SHOWN_FOR = {
    "causal": ("weight", "follows"),
    "spurious": ("follows",),
    "irrelevant": (),
}


def field(label: str, value: Any, width: str, name: str) -> Any:
    """A text field below its label; what is typed counts once the field is left."""
    made = widgets.Text(
        value=str(value),
        description=label,
        continuous_update=False,
        layout=widgets.Layout(width=width),
    )
    return dressed(made, name)


def dressed(control: Any, name: str) -> Any:
    """The control with its label above it, to be found by its name."""
    control.add_class("catviz-field")
    control.add_class(f"catviz-{name}")
    return control


def parse_whole(name: str, text: str, factor: int | None = None) -> int:
    """The whole number that somebody typed.

    >>> parse_whole("lowest", " 3 ")
    3
    """
    try:
        return int(text)
    except ValueError:
        raise GameError(name, f"expected a whole number, such as 3, got {text!r}", factor) from None


def parse_number(name: str, text: str, factor: int | None = None) -> float:
    """The number that somebody typed, with a point or a comma.

    >>> parse_number("weight", "-0,5")
    -0.5
    """
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise GameError(name, f"expected a number, such as 2 or -0.5, got {text!r}", factor)
    return number


class FactorRow(widgets.HBox):
    """The fields of one factor; those that its role has no use for are not shown.

    Args:
        factor: what the fields say at first; whom it follows is said by :meth:`follow`.
        changed: called after each change of a field.
        removed: called with the row when its button is clicked.
    """

    def __init__(
        self,
        factor: Factor,
        changed: Callable[[], object],
        removed: Callable[[FactorRow], object],
    ) -> None:
        # What follows it holds its key: renamed, it is still followed. (The row itself, as an
        # option of other rows, would make the repr of each as large as that of all.)
        self.key = next(_KEYS)
        self._others: dict[int, FactorRow] = {}
        self.number = widgets.HTML()
        self.name = field("Name", factor.name, "11em", "name")
        self.role = dressed(
            widgets.Dropdown(
                options=_ROLES,
                value=factor.role,
                description="Role",
                layout=widgets.Layout(width="8em"),
            ),
            "role",
        )
        self.lowest = field("Lowest", factor.lowest, "4.5em", "lowest")
        self.highest = field("Highest", factor.highest, "4.5em", "highest")
        self.weight = field("Weight", f"{factor.weight:g}", "4.5em", "weight")
        self.follows = dressed(
            widgets.Dropdown(
                options=[("nothing", _NOTHING)],
                description="Follows",
                layout=widgets.Layout(width="10em"),
            ),
            "follows",
        )
        self.slope = field("Slope", f"{factor.slope:g}", "4.5em", "slope")
        self.offset = field("Offset", f"{factor.offset:g}", "4.5em", "offset")
        remove = PushButton("Remove", layout={"width": "6em"})
        remove.add_class("catviz-remove")
        remove.on_click(lambda _: removed(self))
        self.fields = (
            self.name, self.role, self.lowest, self.highest, self.weight, self.follows,
            self.slope, self.offset,
        )  # fmt: skip
        super().__init__([self.number, *self.fields, remove])
        self.add_class("catviz-factor")
        self._show_what_counts()
        for control in self.fields:
            control.observe(lambda _: self._edited(changed), names="value")

    @property
    def label(self) -> str:
        """What others call it that may follow it."""
        return self.name.value.strip() or f"factor {self.number.value}"

    @property
    def can_be_followed(self) -> bool:
        return self.role.value != "irrelevant"

    def offer(self, rows: Sequence[FactorRow]) -> None:
        """Let it follow one of these rows; it goes on following the one that it followed."""
        followed = self.follows.value
        self._others = {row.key: row for row in rows if row is not self and row.can_be_followed}
        options = [("nothing", _NOTHING), *((row.label, key) for key, row in self._others.items())]
        if options != list(self.follows.options):
            self.follows.options = options
            self.follows.value = followed if followed in self._others else _NOTHING

    def follow(self, row: FactorRow) -> None:
        self.follows.value = row.key

    def read(self, number: int) -> Factor:
        """The factor that the fields describe, ``number`` being its place from 1.

        Raises:
            GameError: a number cannot be read.
        """
        role = self.role.value
        factor: dict[str, Any] = {
            "name": self.name.value.strip(),
            "role": role,
            "lowest": parse_whole("lowest", self.lowest.value, number),
            "highest": parse_whole("highest", self.highest.value, number),
        }
        if role == "causal":
            factor["weight"] = parse_number("weight", self.weight.value, number)
        if role != "irrelevant" and self.follows.value != _NOTHING:
            factor["follows"] = self._others[self.follows.value].name.value.strip()
            factor["slope"] = parse_number("slope", self.slope.value, number)
            factor["offset"] = parse_number("offset", self.offset.value, number)
        return Factor(**factor)

    def _edited(self, changed: Callable[[], object]) -> None:
        self._show_what_counts()
        changed()

    def _show_what_counts(self) -> None:
        shown = _SHOWN_FOR[self.role.value]
        following = "follows" in shown and self.follows.value != _NOTHING
        self._show(self.weight, "weight" in shown)
        self._show(self.follows, "follows" in shown)
        self._show(self.slope, following)
        self._show(self.offset, following)
        for _, role in _ROLES:
            (self.add_class if role == self.role.value else self.remove_class)(f"catviz-{role}")

    @staticmethod
    def _show(control: Any, shown: bool) -> None:
        control.layout.display = "" if shown else "none"
