"""Fields in which numbers are typed: what cannot be read is said, not swallowed."""

from __future__ import annotations

import math

__all__ = ["parse_alpha", "parse_count"]

PLAIN = "plain"


def parse_alpha(text: str) -> float | None:
    """The alpha that somebody typed; None for "plain", training without the attention loss.

    >>> parse_alpha(" 0,5 "), parse_alpha("plain")
    (0.5, None)
    """
    typed = text.strip()
    if typed.lower() == PLAIN:
        return None
    try:
        alpha = float(typed.replace(",", "."))
    except ValueError:
        alpha = math.nan
    if not math.isfinite(alpha) or alpha <= 0:
        raise ValueError(
            f"alpha: expected a number above 0, such as 0.3 or 10, or the word plain; got {text!r}"
        )
    return alpha


def parse_count(name: str, text: str | int, *, least: int, most: int) -> int:
    """A whole number between two others.

    >>> parse_count("texts", "40", least=1, most=400)
    40
    """
    try:
        number = int(str(text).strip())
    except ValueError:
        number = least - 1
    if not least <= number <= most:
        raise ValueError(f"{name}: expected a whole number from {least} to {most}, got {text!r}")
    return number
