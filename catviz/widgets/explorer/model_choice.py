"""Which model: a name from the list, or the path or hub name that somebody types."""

from __future__ import annotations

import ipywidgets as widgets
import traitlets

from cat.models import model_names

__all__ = ["ModelChoice"]

_OTHER = "another: a folder, or a name of the Hugging Face hub"
_NONE = "nothing"


class ModelChoice(widgets.VBox):
    """A list of models with a field for others.

    Args:
        label: what stands in front.
        name: the model at first; "" for none. Set it to choose another, observe it.
        optional: whether none may be chosen.

    >>> choice = ModelChoice("Model", "tiny/plain")
    >>> choice.name
    'tiny/plain'
    """

    name = traitlets.Unicode(help="the model, or nothing")

    def __init__(self, label: str, name: str, *, optional: bool = False) -> None:
        names = [(_NONE, "")] * optional + [(one, one) for one in model_names()]
        self._names = {value for _, value in names}
        self.list = widgets.Dropdown(
            options=[*names, (_OTHER, None)],
            description=label,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="22em"),
        )
        self.other = widgets.Text(
            description="Folder or name",
            placeholder="outputs/my-model, Qwen/Qwen2.5-1.5B",
            continuous_update=False,
            style={"description_width": "initial"},
            layout=widgets.Layout(width="22em"),
        )
        super().__init__([self.list, self.other], name=name)
        self._follow()
        self.observe(self._follow, names="name")
        self.list.observe(self._chosen, names="value")
        self.other.observe(self._typed, names="value")

    @property
    def disabled(self) -> bool:
        return bool(self.list.disabled)

    @disabled.setter
    def disabled(self, disabled: bool) -> None:
        self.list.disabled = self.other.disabled = disabled

    def _chosen(self, _: object) -> None:
        self._show_field()
        if self.list.value is not None:
            self.name = self.list.value
        else:
            self._typed()

    def _typed(self, _: object = None) -> None:
        if self.list.value is None and self.other.value.strip():
            self.name = self.other.value.strip()

    def _follow(self, _: object = None) -> None:
        """Let the controls say the name."""
        if self.name in self._names:
            self.list.value = self.name
        else:
            self.other.value = self.name
            self.list.value = None
        self._show_field()

    def _show_field(self) -> None:
        self.other.layout.display = "none" if self.list.value is not None else ""
