"""How much attention the answer pays to each factor of a game, by name, whatever its value."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from cat.signals import Example
from catviz.lens import AttentionLens
from catviz.roles import mark_roles

__all__ = ["attention_by_factor"]


def attention_by_factor(
    lens: AttentionLens, examples: Sequence[str | Example], *, batch_size: int = 32
) -> dict[str, float]:
    """Factor -> the share of attention, 0 to 1, that the row of the answer pays to its tokens.

    Mean over layers, heads and texts, in the order in which the factors are first met. What all
    factors together lack to one goes to the other words of the prompt.

    Args:
        examples: texts of a game, or examples whose words have roles.

    Raises:
        ValueError: no text, or one in which no word has a role.

    >>> from cat.data import load_data
    >>> texts = load_data("stg-e")["test_ood"][:8]
    >>> shares = attention_by_factor(AttentionLens.load("tiny/alpha-10"), texts)
    >>> len(shares), shares["Smoking"] > shares["Yellow fingers"]
    (8, True)
    """
    if not examples:
        raise ValueError("expected at least one text, got none")
    if batch_size < 1:
        raise ValueError(f"expected a batch size of at least 1, got {batch_size}")
    marked = [mark_roles(example) for example in examples]
    total: defaultdict[str, float] = defaultdict(float)
    texts: defaultdict[str, int] = defaultdict(int)
    for start in range(0, len(marked), batch_size):
        batch = marked[start : start + batch_size]
        for example, pattern in zip(batch, lens.attentions(batch), strict=True):
            row = pattern.rows().mean(axis=(0, 1, 2))  # (key,)
            names = _names(example)
            words = [word for word in pattern.words if word.role != "other"]
            for word in words:
                total[names[word.label]] += float(row[word.start : word.stop].sum())
            for name in {names[word.label] for word in words}:
                texts[name] += 1
    return {name: total[name] / texts[name] for name in total}


def _names(example: Example) -> dict[str, str]:
    """What stands in the text -> the factor's name: "Smoking: 8" -> "Smoking"."""
    if not example.roles:
        raise ValueError(
            "expected texts whose words have roles, got none in "
            f"{example.prompt[:80]!r}; see catviz.roles for giving words roles"
        )
    text = example.full_text
    return {text[role.span.start : role.span.end]: role.name for role in example.roles}
