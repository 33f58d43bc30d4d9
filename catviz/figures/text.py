"""Text from users and tokenizers, made safe to draw and to put into HTML without changing it."""

import html
import textwrap
import unicodedata

__all__ = ["escape", "printable", "shorten", "wrap"]

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


def wrap(text: str, width: int, *, lines: int = 2) -> str:
    """Break the printable text into at most ``lines`` lines of ``width`` characters, then cut it.

    >>> wrap("SmolLM2-135M, CAT alpha 0.35", 16)
    'SmolLM2-135M,\\nCAT alpha 0.35'
    """
    text = printable(text)
    broken = textwrap.wrap(text, width)
    if len(broken) > lines:
        rest = " ".join(broken[lines - 1 :])
        broken = [*broken[: lines - 1], shorten(rest, width)]
    return "\n".join(broken)


def escape(text: object) -> str:
    """Return ``str(text)`` for HTML content or a quoted attribute.

    >>> escape("<script>")
    '&lt;script&gt;'
    """
    return html.escape(printable(str(text)), quote=True)
