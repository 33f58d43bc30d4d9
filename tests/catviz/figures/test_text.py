"""Text from users, made safe to draw."""

from __future__ import annotations

from catviz.figures.text import printable, shorten, wrap


def test_printable_shorten_wrap() -> None:
    assert printable("a\r\nb\tc\u202e\ud800\x07") == (
        "a↵b⇥c\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    )
    assert shorten("12345", 5) == "12345"
    assert shorten("123456", 5) == "1234…"
    assert wrap("a bc def ghij", 4) == "a bc\ndef…"
    assert wrap("", 4) == ""
