"""What a figure must say, and what it must refuse, when the first token was taken out."""

from __future__ import annotations

from collections.abc import Iterable

from catviz.maps import Sink

__all__ = ["check_same_sink", "sink_note"]


def check_same_sink(sinks: Iterable[Sink]) -> Sink:
    """Return the one state of the first token, or refuse to put several on one scale."""
    states = list(dict.fromkeys(sinks))
    if len(states) > 1:
        raise ValueError(
            f"expected one state of the first token (the sink) in all maps, got {states}: "
            "take it out of all of them with drop_sink, or of none"
        )
    return states[0]


def sink_note(sink: Sink) -> str:
    """Return what a caption must say about the first token, with a space in front, or nothing."""
    if sink == "out":
        return " The first token is taken out, so rows sum to less than 1."
    if sink == "renormalised":
        return " The first token is taken out, and the rest of each row scaled to sum to 1."
    return ""
