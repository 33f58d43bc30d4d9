"""Text from users and tokenizers, made safe to draw and to put into HTML without changing it."""

import html
import unicodedata

__all__ = ["escape", "printable", "shorten"]

_SHOWN = {"\n": "↵", "\r": "↵", "\t": "⇥"}


def printable(text: str) -> str:
    r"""Return the text on one line, with line breaks shown and undrawable characters replaced.

    Control characters and lone surrogates are not allowed in SVG, and direction marks would
    reorder the text around them.

    >>> printable("Answer:\n<b>")
    'Answer:↵<b>'
    """
    return "".join(_SHOWN.get(char) or _drawable(char) for char in text.replace("\r\n", "\n"))


def _drawable(char: str) -> str:
    category = unicodedata.category(char)
    if category == "Cf":  # direction marks, joiners, soft hyphens
        return ""
    return "\N{REPLACEMENT CHARACTER}" if category in {"Cc", "Cs", "Cn"} else char


def shorten(text: str, length: int) -> str:
    """Cut the text to at most ``length`` characters, with an ellipsis where it was cut.

    >>> shorten("Here is the statistical data", 12)
    'Here is the…'
    """
    if len(text) <= length:
        return text
    return text[: length - 1].rstrip() + "…"


def escape(text: object) -> str:
    """Return ``str(text)`` for HTML content or a quoted attribute.

    >>> escape("<script>")
    '&lt;script&gt;'
    """
    return html.escape(printable(str(text)), quote=True)
