"""A model to ask without TransformerLens: any decoder, read only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cat.modes import evaluating
from catviz.lens import CannotEditError, Edit

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PlainModel"]


@dataclass(frozen=True, eq=False)
class PlainModel:
    """A decoder and its tokenizer, to be asked where a lens could be, but never edited.

    >>> PlainModel.load("tiny/plain").name
    'tiny/plain'
    """

    model: Any
    tokenizer: Any
    name: str

    @classmethod
    def load(cls, name: str, **options: Any) -> PlainModel:
        """A model by name or path; see :func:`cat.models.load_model`."""
        from cat.models import load_model

        return cls(*load_model(name, **options), name=name)

    def logits(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, *, edit: Edit | None = None
    ) -> Tensor:
        """(batch, query, vocabulary), as :meth:`catviz.lens.AttentionLens.logits` gives them."""
        if edit is not None:
            raise CannotEditError(
                f"{self.name}: expected an AttentionLens, through which attention is edited, got "
                f"a {type(self).__name__}: use AttentionLens(model, tokenizer)"
            )
        with evaluating(self.model):
            logits: Tensor = self.model(input_ids, attention_mask=attention_mask).logits
        return logits
