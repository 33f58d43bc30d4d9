"""Every head's attention pattern, through TransformerLens' bridge: to read and to edit.

    >>> lens = AttentionLens.load("tiny/alpha-10")
    >>> lens
    <AttentionLens 'tiny/alpha-10': 1 layers x 4 heads>
    >>> pattern = lens.attention("Smoking: 8, Weight: 3 Answer:", {"causal": "Smoking: 8"})
    >>> pattern.values.shape, pattern.roles
    ((1, 4, 3, 3), ('causal', 'other', 'other'))

Booting a bridge changes the model that it is given, so the lens boots a twin: a copy of the modules
that shares every weight. The model that came in stays as it was, may be trained and saved, and the
lens sees what training does to it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cat.modes import evaluating
from cat.signals import Example
from catviz.bridge import PATTERN, boot_twin, check_patterns, deaf_layers, name_of
from catviz.choice import choose
from catviz.maps import MeanMap
from catviz.patterns import AttentionPattern
from catviz.reading import Reading, TextRoles, mean_map, read_text

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["AttentionLens", "CannotEditError", "Edit"]

Edit = Callable[[int, "Tensor"], "Tensor | None"]
"""(layer, pattern (batch, head, query, key)) -> the pattern to use instead, or None to keep it."""

_SHARE_OF_MEMORY = 0.6  # of what is free, that one pattern may take


class CannotEditError(ValueError):
    """The model computes its attention in a way that ignores edits of the pattern."""


class _Enough(Exception):
    """Not an error: the last pattern that is needed was read."""


class AttentionLens:
    """A model seen through its attention patterns, each a hook point of TransformerLens' bridge.

    Args:
        model: a transformers decoder or a PEFT model around one; it is left as it was.
        tokenizer: its fast tokenizer.
        name: what to call it in figures; by default the model's own name.

    Raises:
        ValueError: a model that TransformerLens does not know, or whose patterns are not those of
            a causal decoder (rows that do not sum to one, attention to later tokens).
    """

    def __init__(self, model: Any, tokenizer: Any, *, name: str | None = None) -> None:
        self.model, self.tokenizer = model, tokenizer
        self.name = name or name_of(model)
        self._twin, self.bridge = boot_twin(model, tokenizer)
        self.n_layers, self.n_heads = self.bridge.cfg.n_layers, self.bridge.cfg.n_heads
        check_patterns(self.bridge, self.name)

    @classmethod
    def load(cls, name: str, **options: Any) -> AttentionLens:
        """A model by name (tiny, tiny/alpha-10, smollm2, of the hub) or path; see
        :func:`cat.models.load_model` for names and options."""
        from cat.models import load_model

        return cls(*load_model(name, **options), name=name)

    def __repr__(self) -> str:
        return f"<AttentionLens {self.name!r}: {self.n_layers} layers x {self.n_heads} heads>"

    @property
    def hooks(self) -> tuple[str, ...]:
        """The name of every layer's pattern in TransformerLens, one a layer."""
        return tuple(PATTERN.format(layer=layer) for layer in range(self.n_layers))

    # ------------------------------------------------------------------------ reading

    def attention(
        self,
        text: str | Example,
        roles: TextRoles = None,
        *,
        layers: int | Iterable[int] | None = None,
        heads: int | Iterable[int] | None = None,
        answer: bool = False,
        dtype: Literal["float32", "float16"] = "float32",
        label: str = "text",
    ) -> AttentionPattern:
        """The pattern of every head, or of chosen layers and heads, on one text.

        The forward pass ends at the last layer that is needed.

        Args:
            text: a prompt, or an example, of which the prompt is read.
            roles: phrases, expressions or spans by role (:data:`catviz.roles.Roles`), or one role
                a token; None for those that the example or the game gives.
            answer: read the example's answer as well as its prompt.
            dtype: float16 halves the memory of long texts; values then err by up to 0.0005.
            label: what to call the text in figures.

        Raises:
            ValueError: an empty text, an unknown layer or head, roles that name nothing, roles of
                another length, a pattern that does not fit into the memory that is free.
        """
        return self.attentions(
            [text], [roles], layers=layers, heads=heads, answer=answer, dtype=dtype, labels=[label]
        )[0]

    def attentions(
        self,
        texts: Sequence[str | Example],
        roles: Sequence[TextRoles] | None = None,
        *,
        layers: int | Iterable[int] | None = None,
        heads: int | Iterable[int] | None = None,
        answer: bool = False,
        dtype: Literal["float32", "float16"] = "float32",
        labels: Sequence[str] | None = None,
    ) -> list[AttentionPattern]:
        """The patterns of several texts in one padded batch; see :meth:`attention`."""
        import torch

        if not texts:
            raise ValueError("expected at least one text, got none")
        each_roles = [None] * len(texts) if roles is None else roles
        readings = [
            read_text(t, self.tokenizer, r, answer=answer)
            for t, r in zip(texts, each_roles, strict=True)
        ]
        chosen_layers = choose(layers, self.n_layers, "layer")
        chosen_heads = choose(heads, self.n_heads, "head")
        sizes = [len(reading.input_ids) for reading in readings]
        self._check_memory(sizes, len(chosen_layers), len(chosen_heads), dtype)
        values = [
            np.empty((len(chosen_layers), len(chosen_heads), n, n), dtype=dtype) for n in sizes
        ]
        at_heads = list(chosen_heads)

        def keep(layer: int, pattern: Tensor) -> None:
            place = chosen_layers.index(layer)
            for b, n in enumerate(sizes):
                values[b][place] = pattern[b, at_heads, :n, :n].float().cpu().numpy()
            if layer == max(chosen_layers):
                raise _Enough

        input_ids, mask = self._batch(readings)
        with torch.inference_mode(), self._watching(keep, chosen_layers), suppress(_Enough):
            self.bridge(input_ids, attention_mask=mask)
        return [
            AttentionPattern(
                values=values[b],
                tokens=reading.tokens,
                words=reading.words,
                layers=chosen_layers,
                heads=chosen_heads,
                model=self.name,
                text="text" if labels is None else labels[b],
                answer_rows=reading.answer_rows,
            )
            for b, reading in enumerate(readings)
        ]

    def mean_map(
        self,
        text: str | Example,
        roles: TextRoles = None,
        *,
        answer: bool = False,
        label: str = "text",
    ) -> MeanMap:
        """The mean over all layers and heads, streamed: no head's whole map is ever held.

        Memory grows with the text's length times itself once, whatever the number of heads.
        """
        return mean_map(
            self.model, self.tokenizer, text, roles, answer=answer, name=self.name, label=label
        )

    # ------------------------------------------------------------------------ editing

    def logits(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, *, edit: Edit | None = None
    ) -> Tensor:
        """The model's logits (batch, query, vocabulary), each pattern passed through ``edit``.

        Padding, if any, stands at the right. Gradients flow.

        >>> ids = lens.tokenizer("Smoking: 8", return_tensors="pt")["input_ids"]  # doctest: +SKIP
        >>> lens.logits(ids, edit=lambda layer, p: p * 0 if layer == 3 else None)  # doctest: +SKIP
        """
        if edit is None:
            with evaluating(self.model):
                logits: Tensor = self.model(input_ids, attention_mask=attention_mask).logits
            return logits
        self.check_editable()
        with self._watching(edit, range(self.n_layers)):
            edited: Tensor = self.bridge(input_ids, attention_mask=attention_mask)
        return edited

    def check_editable(self) -> None:
        """Raise :class:`CannotEditError` unless an edited pattern changes what the model says.

        Some of TransformerLens' adapters run the model's own attention and ignore edits.
        """
        if self._deaf_layers:
            raise CannotEditError(
                f"{self.name}: expected edits of attention patterns to reach the model, but layers "
                f"{self._deaf_layers} ignore them (this architecture runs its own attention "
                "inside). Reading works; ablation and steering do not."
            )

    @contextmanager
    def without_adapter(self) -> Iterator[AttentionLens]:
        """Within: the base model of a PEFT model, as it was before tuning.

        >>> with lens.without_adapter():  # doctest: +SKIP
        ...     before = lens.attention(text)
        >>> after = lens.attention(text)  # doctest: +SKIP
        """
        if not hasattr(self.model, "disable_adapter"):
            raise ValueError(
                f"{self.name}: expected a PEFT model, whose adapter can be switched off, got "
                f"{type(self.model).__name__}; load the base model with a lens of its own"
            )
        tuned = self.name
        self.name = f"{tuned}, adapter off"
        try:
            with self.model.disable_adapter(), self._twin.disable_adapter():
                yield self
        finally:
            self.name = tuned

    # ------------------------------------------------------------------------ helpers

    @cached_property
    def _deaf_layers(self) -> list[int]:
        return deaf_layers(self.bridge)

    def _batch(self, readings: Sequence[Reading]) -> tuple[Tensor, Tensor]:
        """(input_ids, attention_mask), padded at the right, where padding changes no pattern."""
        import torch

        n = max(len(reading.input_ids) for reading in readings)
        input_ids = torch.zeros(len(readings), n, dtype=torch.long)
        mask = torch.zeros(len(readings), n, dtype=torch.long)
        for b, reading in enumerate(readings):
            input_ids[b, : len(reading.input_ids)] = torch.tensor(reading.input_ids)
            mask[b, : len(reading.input_ids)] = 1
        return input_ids.to(self.device), mask.to(self.device)

    @property
    def device(self) -> Any:
        """Where the model lies."""
        return next(self.model.parameters()).device

    @contextmanager
    def _watching(self, watch: Edit, layers: Iterable[int]) -> Iterator[None]:
        """Within: ``watch`` sees the pattern of the given layers, and may return another."""

        def hook_of(layer: int) -> Callable[..., Any]:
            return lambda pattern, hook: watch(layer, pattern)

        with self.bridge.hooks(fwd_hooks=[(self.hooks[layer], hook_of(layer)) for layer in layers]):
            yield

    def _check_memory(self, sizes: Sequence[int], layers: int, heads: int, dtype: str) -> None:
        import psutil

        # What is kept, and what one layer takes while it is computed (scores, mask, softmax).
        kept = layers * heads * sum(n * n for n in sizes) * np.dtype(dtype).itemsize
        passing = 4 * self.n_heads * len(sizes) * max(sizes) ** 2 * 4
        available = psutil.virtual_memory().available
        if kept + passing > _SHARE_OF_MEMORY * available:
            raise ValueError(
                f"a text of {max(sizes)} tokens needs {_size(kept)} for {layers} x {heads} heads "
                f"as {dtype} and {_size(passing)} on the way, but only {_size(available)} of "
                'memory is free: choose layers= and heads=, dtype="float16", a shorter text, or '
                "take lens.mean_map(text), which holds no head's whole map"
            )


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.1f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.0f} MB"
