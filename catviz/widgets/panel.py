"""What all panels share: a title, a place for messages, and a picture where widgets cannot run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from html import escape
from typing import Any

import ipywidgets as widgets

from catviz.figures.figure import Figure
from catviz.figures.notebook import image_output, smaller

__all__ = ["Message", "Panel"]

_STYLE = """\
<style>
.catviz-panel { max-width: 1240px; }
.catviz-panel .catviz-title { font-size: 1.25em; font-weight: 600; line-height: 1.4; }
.catviz-panel .catviz-lead { max-width: 75ch; line-height: 1.45; }
.catviz-panel .catviz-said { border-left: 3px solid #56B4E9; padding: .2em .7em; }
.catviz-panel .catviz-failed { border-left: 3px solid #D55E00; padding: .2em .7em; }
.catviz-panel .catviz-said, .catviz-panel .catviz-failed {
  white-space: pre-wrap; overflow-wrap: anywhere; line-height: 1.45; max-width: 100ch;
}
</style>"""


class Message(widgets.HTML):
    """A line that says what happened, or what was wrong and what to do; empty, it takes no room.

    Any thread may call its methods: they set a value and print nothing.
    """

    def __init__(self) -> None:
        super().__init__(layout=widgets.Layout(display="none"))

    def say(self, text: str) -> None:
        """Tell something that went well."""
        self._set(text, "catviz-said", "status")

    def fail(self, error: BaseException | str) -> None:
        """Tell what went wrong."""
        self._set(_told(error), "catviz-failed", "alert")

    def clear(self) -> None:
        self.value, self.layout.display = "", "none"

    def _set(self, text: str, look: str, role: str) -> None:
        self.value = f'<div class="{look}" role="{role}">{escape(text)}</div>'
        self.layout.display = ""


class Panel(widgets.VBox):
    """A widget of several: title, a sentence that says what it is, a message, then its parts.

    A panel never raises because of what somebody typed or clicked: the callbacks of its controls
    run in :meth:`guarded`, which puts the error into :attr:`message` and leaves the rest as it was.

    Args:
        title, lead: what stands above; plain text.
        parts: the widgets below, from the top.
    """

    def __init__(self, title: str, lead: str, parts: Sequence[widgets.Widget]) -> None:
        self.message = Message()
        heading = widgets.HTML(
            f'{_STYLE}<div class="catviz-title">{escape(title)}</div>'
            f'<div class="catviz-lead">{escape(lead)}</div>'
        )
        self.title = title
        super().__init__([heading, *parts[:1], self.message, *parts[1:]])
        self.add_class("catviz-panel")

    def static(self) -> Figure:
        """What the panel shows now, as a figure: for GitHub, exported HTML, and papers."""
        raise TypeError(f"{type(self).__name__} says not what its picture is")

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Within: an error becomes a message, an earlier message goes away."""
        self.message.clear()
        try:
            yield
        except Exception as error:  # a beginner's click must not end in a log that nobody reads
            self.message.fail(error)

    def on(self, control: Any, name: str, callback: Callable[[], object]) -> None:
        """Call back, guarded, when a control's trait changes; ``name="click"`` for a button."""

        def called(_: Any) -> None:
            with self.guarded():
                callback()

        if name == "click":
            control.on_click(called)
        else:
            control.observe(called, names=name)

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, about = bundle if isinstance(bundle, tuple) else (bundle, {})
        data["image/png"], size = image_output(smaller(self.static().render("png")))
        return data, {**about, "image/png": size}


def _told(error: BaseException | str) -> str:
    if isinstance(error, str):
        return error
    if isinstance(error, KeyError) and error.args:
        return str(error.args[0])
    text = str(error) or type(error).__name__
    expected = isinstance(error, ValueError | OSError | RuntimeError)
    return text if expected else f"{type(error).__name__}: {text}"
