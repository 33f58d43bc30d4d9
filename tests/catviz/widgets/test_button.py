"""A button calls back when the page says that it was pressed; the browser is tested with panels."""

from __future__ import annotations

from catviz.widgets.button import PushButton
from catviz.widgets.panel import Panel


def test_pressed_on_the_page_and_from_code() -> None:
    pressed: list[str] = []
    button = PushButton("Stop", disabled=True)
    button.on_click(lambda one: pressed.append(one.description))
    button._handle_custom_msg({"event": "click"}, [])
    button._handle_custom_msg({"event": "something else"}, [])
    button.click()
    assert pressed == ["Stop", "Stop"]


def test_an_error_in_a_callback_is_the_panels_message() -> None:
    def fail() -> None:
        raise ValueError("expected another moment")

    button = PushButton("Train")
    panel = Panel("Title", "Lead.", [button])
    panel.on(button, "click", fail)
    button.click()
    assert "expected another moment" in panel.message.value
