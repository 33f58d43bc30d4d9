"""Steering at one alpha after another: what becomes of the answers, and of one text's attention.

The model is the same at every alpha and learns nothing (:mod:`catviz.effects.steering`).

    >>> from cat.data import load_data
    >>> lens, texts = AttentionLens.load("tiny/plain"), load_data("stg-e")["test_ood"][:8]
    >>> one = steer_text(lens, texts[1], [1, 10])
    >>> one.alphas, one.says, one.right
    ((None, 1, 10), ('Low Risk', 'Low Risk', 'High Risk'), 'High Risk')
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from cat.intervene import intervene
from cat.signals import Example
from cat.stg import read_factors
from catviz.effects.answers import game_answers
from catviz.effects.comparison import Comparison, compare_edits
from catviz.effects.questions import Batch, BatchEdit, Questions
from catviz.effects.steering import steered
from catviz.lens import AttentionLens
from catviz.maps import MeanMap
from catviz.reading import read_text
from catviz.roles import mark_roles

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["SteeredText", "edited_map", "steer_text", "steer_texts"]


@dataclass(frozen=True, eq=False)
class SteeredText:
    """One text, read by one model with its attention as it is, then edited to each alpha.

    Attributes:
        alphas: None for no edit, then the alphas.
        says: (alpha,), the likeliest answer; "" where only one answer is known, and it is not it.
        right: the right answer, whose log-odds are told.
        log_odds: (alpha,), in nats; above 0 the right answer is likelier than all others together.
        maps: (alpha,), the mean map as the edit left it.
    """

    example: Example
    alphas: tuple[float | None, ...]
    says: tuple[str, ...]
    right: str
    log_odds: np.ndarray
    maps: tuple[MeanMap, ...]


def steer_text(
    lens: AttentionLens, text: str | Example, alphas: Sequence[float], *, label: str = "text"
) -> SteeredText:
    """One text without an edit and steered to each alpha, in the row that predicts the answer.

    Args:
        text: of a game, whose rule then knows the right answer and whose factors have roles, or an
            example with roles and an answer.
        label: what to call the text in figures.

    Raises:
        ValueError: an empty text, one without causal words or without a right answer, words that
            the model does not know; an alpha that is not above 0.
        CannotEditError: the model's attention cannot be edited.
    """
    example = _with_answer(text)
    if not any(word.role == "causal" for word in example.roles):
        raise ValueError(
            "expected a text with causal words to steer attention to, got none in "
            f"{example.prompt[:80]!r}: take a text of the game, with all its factors, such as "
            '"Smoking: 8", or an Example with roles'
        )
    _check_known(lens, example)
    lens.check_editable()
    answers = game_answers([example])
    questions = Questions(lens, [example], answers)
    edits = [None, *(steered(alpha) for alpha in alphas)]
    scores = [questions.ask(edit) for edit in edits]
    return SteeredText(
        example=example,
        alphas=(None, *alphas),
        says=tuple(one.best[0] if answers or one.greedy[0, 0] else "" for one in scores),
        right=example.answer,
        log_odds=np.array([one.log_odds(example.answer)[0] for one in scores]),
        maps=tuple(
            edited_map(
                lens,
                example,
                edit,
                name="not edited" if alpha is None else f"edited to alpha {alpha:g}",
                label=label,
            )
            for edit, alpha in zip(edits, (None, *alphas), strict=True)
        ),
    )


def steer_texts(
    lens: AttentionLens,
    examples: Sequence[Example],
    alphas: Sequence[float],
    *,
    progress: str | None = None,
) -> tuple[Comparison, ...]:
    """Many texts, steered to each alpha and compared with the model as it is; see
    :func:`catviz.effects.steering.steer`."""
    edits = {f"steered to alpha {alpha:g}, not trained": steered(alpha) for alpha in alphas}
    return tuple(compare_edits(lens, examples, edits, progress=progress).values())


def edited_map(
    lens: AttentionLens,
    example: Example,
    edit: BatchEdit | None,
    *,
    name: str | None = None,
    label: str = "text",
) -> MeanMap:
    """The mean map over layers and heads of a prompt, each pattern as the edit leaves it.

    With an edit the patterns of higher layers are those that the model has after the edit of the
    lower ones.
    """
    import torch

    from cat.alignment import align

    plain = replace(lens.mean_map(example, label=label), model=name or lens.name)
    if edit is None:
        return plain
    aligned, n = align(example, lens.tokenizer, add_eos=False), plain.size
    input_ids = torch.tensor([aligned.input_ids[:n]], device=lens.device)
    answer_rows = torch.zeros(1, n, dtype=torch.bool, device=lens.device)
    answer_rows[0, plain.answer_row] = True
    batch = Batch(input_ids, torch.ones_like(input_ids), answer_rows, (aligned,))
    change, seen = edit(batch), list[np.ndarray]()

    def watch(layer: int, pattern: Tensor) -> Tensor:
        edited = change(layer, pattern)
        edited = pattern if edited is None else edited
        seen.append(edited[0].float().mean(dim=0).cpu().numpy())  # (query, key)
        return edited

    with torch.inference_mode():
        lens.logits(input_ids, edit=watch)
    return replace(plain, values=np.mean(seen, axis=0))


def _check_known(lens: AttentionLens, example: Example) -> None:
    """Refuse words that the model would read as any other that it does not know."""
    reading = read_text(example, lens.tokenizer)
    unknown = [
        token
        for token, number in zip(reading.tokens, reading.input_ids, strict=True)
        if number == lens.tokenizer.unk_token_id
    ]
    if unknown:
        raise ValueError(
            f"expected words that {lens.name} knows, but these are unknown to it: "
            + ", ".join(repr(token) for token in unknown[:5])
            + (", ..." if len(unknown) > 5 else "")
        )


def _with_answer(text: str | Example) -> Example:
    """The text with the roles of its words and its right answer."""
    prompt = text.text if isinstance(text, Example) else text
    if not prompt.strip():
        raise ValueError("expected a text, got nothing: type one, or choose one of the list")
    example = mark_roles(text)
    if example.answer:
        return example
    if read_factors(prompt) is None:
        return example
    return intervene(prompt, {})
