"""Methods at inference: the model is tuned plainly, and looks elsewhere when it answers.

Neither changes a weight of the model. PASTA is told the causes of each text, as CAT is; ACT is told
nothing. Both may be confined to some heads: the papers choose these by accuracy on training texts
(:func:`choose_heads`); by default all heads are edited.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeVar

from cat.alignment import align
from cat.attention_interface import pretrained
from cat.evaluate import Evaluation, evaluate_answers
from cat.head_names import head_name, read_head_name
from cat.methods.method import Method
from cat.signals import Example, find_phrase

if TYPE_CHECKING:
    from torch import Tensor

    from cat.edited_attention import Edit

__all__ = ["ACT", "PASTA", "AtInference", "choose_heads"]

BATCH = 64


@dataclass(frozen=True)
class AtInference(Method, ABC):
    """Plain tuning; then attention is edited while the model answers."""

    def evaluate(
        self, model: Any, tokenizer: Any, examples: Sequence[Example], **asking: Any
    ) -> Evaluation:
        """Greedy answers under the edit.

        Args:
            asking: as for :func:`cat.evaluate.evaluate_answers`, but the size of the batches.

        Raises:
            ValueError: no example, or heads that the model does not have.
            UnsupportedModelError: a model whose attention cannot be edited.
        """
        from cat.edited_attention import edited_attention

        found = []
        for batch in _batches(examples):
            with edited_attention(model, self.edit(model, tokenizer, batch)):
                found.append(evaluate_answers(model, tokenizer, batch, batch_size=BATCH, **asking))
        return Evaluation(
            tuple(answer for asked in found for answer in asked.answers),
            tuple(example.answer for example in examples),
            found[0].scoring,
        )

    @abstractmethod
    def edit(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> Edit:
        """The edit for the prompts of one batch, tokenised as :mod:`cat.evaluate` does."""


@dataclass(frozen=True)
class PASTA(AtInference):
    """Attention on all but the causes is scaled down, for every token of the text.

    A text whose signals name no cause in the prompt is answered as it is.

    Attributes:
        scale: what the attention on the prompt's other tokens is multiplied by; the paper's 0.01.
        heads: such as "L0H2"; None for all.
    """

    name = "pasta"
    source = "Zhang et al. 2024 (arXiv 2311.02262), ICLR"

    scale: float = 0.01
    heads: Sequence[str] | None = None

    def edit(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> Edit:
        from cat.attention_edits import scale_keys

        _check_heads(model, self.heads)
        prompt, causes = prompt_masks(tokenizer, examples)
        if not causes.any():
            raise ValueError(
                "expected signals that name a cause in at least one prompt, there is none: "
                "without it there is nothing to direct attention to"
            )
        others = (prompt & ~causes).to(model.device)
        return scale_keys(others, self.scale, heads=self.heads)


@dataclass(frozen=True)
class ACT(AtInference):
    """Attention on sinks other than the first token is scaled down and given to the rest.

    Attributes:
        scale: what the attention on a sink is multiplied by (the paper's beta).
        threshold: how many times the mean attention makes a sink (the paper's alpha).
        heads: such as "L0H2"; None for all.
    """

    name = "act"
    source = "Yu et al. 2024 (arXiv 2406.15765), ICML"

    scale: float = 0.4
    threshold: float = 5.0
    heads: Sequence[str] | None = None

    def edit(self, model: Any, tokenizer: Any, examples: Sequence[Example]) -> Edit:
        from cat.attention_edits import calm_sinks

        _check_heads(model, self.heads)
        prompt, _ = prompt_masks(tokenizer, examples)
        return calm_sinks(prompt.to(model.device), self.scale, self.threshold, heads=self.heads)


Chosen = TypeVar("Chosen", PASTA, ACT)


def choose_heads(
    method: Chosen, model: Any, tokenizer: Any, examples: Sequence[Example], *, most: int
) -> Chosen:
    """The method confined to the heads that do best when edited alone, as both papers choose them.

    Each head costs a pass over the examples. Heads of equal accuracy come in the model's order.

    Args:
        model: fitted.
        examples: training texts, best those held back from the fit; never the test sets.
        most: heads to keep.

    >>> choose_heads(PASTA(), model, tokenizer, held_back, most=2)  # doctest: +SKIP
    PASTA(scale=0.01, heads=('L0H2', 'L0H0'))
    """
    config = pretrained(model).config.get_text_config()
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    names = [head_name(layer, head) for layer in range(layers) for head in range(heads)]
    if not 0 < most <= len(names):
        raise ValueError(f"expected to keep 1 to {len(names)} heads, got most={most}")
    alone = {
        name: replace(method, heads=(name,)).evaluate(model, tokenizer, examples).accuracy
        for name in names
    }
    best = sorted(names, key=lambda name: -alone[name])  # stable
    return replace(method, heads=tuple(best[:most]))


def prompt_masks(tokenizer: Any, examples: Sequence[Example]) -> tuple[Tensor, Tensor]:
    """Which tokens are the prompts', and which of them are causes by the examples' signals.

    Both bool (batch, key), padded on the left as prompts are when a model answers them.

    >>> from cat.models import tiny_tokenizer
    >>> from cat.signals import Signal
    >>> example = Example("Smoking: 8, Weight: 4 Answer: ", "Low Risk",
    ...                   (Signal("Low Risk", ("Smoking: 8",)),))
    >>> short = Example("Weight: 4 Answer: ", "Low Risk")
    >>> prompt, causes = prompt_masks(tiny_tokenizer(), [example, short])
    >>> prompt.int().tolist(), causes.int().tolist()
    ([[1, 1, 1], [0, 1, 1]], [[1, 0, 0], [0, 0, 0]])
    """
    import torch

    tokens = [_cause_tokens(example, tokenizer) for example in examples]
    length = max(map(len, tokens))
    prompt = torch.zeros(len(tokens), length, dtype=torch.bool)
    causes = torch.zeros_like(prompt)
    for text, is_cause in enumerate(tokens):
        first = length - len(is_cause)
        prompt[text, first:] = True
        causes[text, first:] = torch.tensor(is_cause)
    return prompt, causes


def _cause_tokens(example: Example, tokenizer: Any) -> list[bool]:
    """For each token of the prompt, whether it belongs to a cause."""
    prompt = align(Example(example.prompt, ""), tokenizer, add_eos=False)
    length = len(prompt.input_ids)
    if prompt.input_ids[-1] == tokenizer.eos_token_id:  # which is not given to the model either
        length -= 1
    is_cause = [False] * length
    for signal in example.signals:
        for cause in signal.causes:
            places = find_phrase(example.prompt, cause) if isinstance(cause, str) else (cause,)
            for place in places:
                for token in prompt.tokens_of(place):
                    is_cause[token] = True
    return is_cause


def _check_heads(model: Any, heads: Sequence[str] | None) -> None:
    if isinstance(heads, str):
        raise ValueError(f"expected a list of heads such as ['L0H2'], got {heads!r}")
    config = pretrained(model).config.get_text_config()
    for name in heads or ():
        layer, head = read_head_name(name)
        if layer >= config.num_hidden_layers or head >= config.num_attention_heads:
            raise ValueError(
                f"no head {name}: the model has layers 0 to {config.num_hidden_layers - 1} with "
                f"heads 0 to {config.num_attention_heads - 1}"
            )


def _batches(examples: Sequence[Example]) -> Iterator[Sequence[Example]]:
    if not examples:
        raise ValueError("expected at least one example to evaluate on, got none")
    for start in range(0, len(examples), BATCH):
        yield examples[start : start + BATCH]
