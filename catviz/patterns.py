"""Every head's attention pattern of one text, with its tokens, words and roles."""

from __future__ import annotations

import json
import os
import re
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from cat.head_names import head_name, read_head_name
from catviz.files import write_atomically
from catviz.maps import SINK, MeanMap, Sink, check_map
from catviz.words import ROLES, Role, Word, check_words, roles_of_tokens

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["AttentionPattern", "head_name", "read_head_name"]

_FORMAT = 1  # of saved files


@dataclass(frozen=True, eq=False)
class AttentionPattern:
    """The attention of every (or of chosen) layers and heads on one text.

    Attributes:
        values: (layer, head, query, key), float16 or float32; upper triangles are zero and rows
            sum to one (``sink`` says where the first column was taken out).
        tokens: what each token reads, as it stands in the text.
        words: the tokens that belong together, with their roles, in order and without overlap;
            tokens in no word are "other".
        layers, heads: the model's numbers of the layers and heads in ``values``.
        model, text: what to call them in figures.
        answer_rows: the rows that predict the answer; the last one by default.
        sink: what became of the first token's column, see :meth:`drop_sink`.

    Raises:
        ValueError: values that are not a causal decoder's attention, tokens of another length,
            words that overlap or reach too far.

    >>> values = np.array([[[[1.0, 0.0], [0.7, 0.3]]]], dtype=np.float32)
    >>> pattern = AttentionPattern(values, ("Smoking: 8", "Answer:"),
    ...                            (Word(0, 1, "Smoking: 8", "causal"),))
    >>> pattern.head_names, pattern.roles
    (('L0H0',), ('causal', 'other'))
    """

    values: np.ndarray  # (layer, head, query, key)
    tokens: tuple[str, ...]
    words: tuple[Word, ...] = ()
    layers: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    model: str = "model"
    text: str = "text"
    answer_rows: tuple[int, ...] = (-1,)
    sink: Sink = "in"

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        if values.dtype not in (np.float16, np.float32):
            values = values.astype(np.float32)
        values = values.view()
        values.flags.writeable = False
        object.__setattr__(self, "values", values)
        where = f"pattern of model {self.model!r}, text {self.text!r}"
        if values.ndim != 4 or 0 in values.shape:
            raise ValueError(
                f"{where}: expected values (layer, head, query, key), got shape {values.shape}"
            )
        n_layers, n_heads, n_queries, _ = values.shape
        for name, default in (("layers", n_layers), ("heads", n_heads)):
            numbers = tuple(int(n) for n in getattr(self, name)) or tuple(range(default))
            if len(numbers) != default or len(set(numbers)) != default:
                raise ValueError(
                    f"{where}: expected {default} different numbers in {name}, got {numbers}"
                )
            object.__setattr__(self, name, numbers)
        object.__setattr__(self, "tokens", tuple(self.tokens))
        object.__setattr__(self, "words", tuple(self.words))
        if len(self.tokens) != n_queries:
            raise ValueError(
                f"{where}: expected one token for each of the {n_queries} rows, got "
                f"{len(self.tokens)} tokens"
            )
        check_words(self.words, n_queries, where)
        object.__setattr__(self, "answer_rows", self._rows(self.answer_rows))
        for i, layer in enumerate(self.layers):
            for j, head in enumerate(self.heads):
                check_map(values[i, j], f"{where}, {head_name(layer, head)}", sink=self.sink)

    # ------------------------------------------------------------------------ from elsewhere

    @classmethod
    def from_attentions(
        cls,
        attentions: Sequence[Tensor],
        tokens: Sequence[str],
        words: Sequence[Word] = (),
        *,
        attention_mask: Tensor | None = None,
        **about: Any,
    ) -> AttentionPattern:
        """From transformers' ``outputs.attentions``: a tensor (1, head, query, key) a layer.

        Args:
            attention_mask: (1, key) or (key,); its padding is cut off, on either side. ``tokens``
                are those that remain.
            about: ``layers``, ``heads``, ``model``, ``text``, ``answer_rows``.
        """
        layers = [_one_text(layer, f"layer {i}") for i, layer in enumerate(attentions)]
        if not layers:
            raise ValueError(
                "expected a tensor a layer, got none: load the model with "
                'attn_implementation="eager" and call it with output_attentions=True'
            )
        values = np.stack(layers)
        if attention_mask is not None:
            kept = np.flatnonzero(np.asarray(attention_mask.cpu()).reshape(-1))
            values = values[:, :, kept][:, :, :, kept]
        return cls(values, tuple(tokens), tuple(words), **about)

    @classmethod
    def from_cache(
        cls,
        cache: Mapping[str, Tensor],
        tokens: Sequence[str],
        words: Sequence[Word] = (),
        **about: Any,
    ) -> AttentionPattern:
        """From a TransformerLens cache: its ``blocks.{L}.attn.hook_pattern`` of one text."""
        found = {
            int(match[1]): cache[name]
            for name in cache
            if (match := re.fullmatch(r"blocks\.(\d+)\.attn\.hook_pattern", name))
        }
        if not found:
            raise ValueError(
                "expected blocks.{L}.attn.hook_pattern in the cache, got "
                f"{list(cache)[:3]}...: run with names_filter that keeps them"
            )
        layers = tuple(sorted(found))
        tensors = [found[layer] for layer in layers]
        return cls.from_attentions(tensors, tokens, words, layers=layers, **about)

    # ------------------------------------------------------------------------ what it holds

    @property
    def size(self) -> int:
        """Number of tokens."""
        return len(self.tokens)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The role of each token."""
        return roles_of_tokens(self.words, self.size)

    @property
    def head_names(self) -> tuple[str, ...]:
        """L0H0, L0H1, ...: layer by layer."""
        return tuple(head_name(layer, head) for layer in self.layers for head in self.heads)

    def to_numpy(self) -> np.ndarray:
        """A copy of the values, (layer, head, query, key)."""
        return self.values.copy()

    def __repr__(self) -> str:
        return (
            f"<AttentionPattern {self.model!r}, {self.text!r}: {len(self.layers)} layers x "
            f"{len(self.heads)} heads, {self.size} tokens>"
        )

    # ------------------------------------------------------------------------ parts and means

    def select(
        self, *, layers: int | Iterable[int] | None = None, heads: int | Iterable[int] | None = None
    ) -> AttentionPattern:
        """The same with chosen layers and heads only, by the model's numbers."""
        chosen_layers, chosen_heads = self._layers(layers), self._heads(heads)
        at = np.ix_(
            [self.layers.index(n) for n in chosen_layers],
            [self.heads.index(n) for n in chosen_heads],
        )
        return replace(self, values=self.values[at], layers=chosen_layers, heads=chosen_heads)

    def mean(
        self, *, layers: int | Iterable[int] | None = None, heads: int | Iterable[int] | None = None
    ) -> MeanMap:
        """The mean over layers and heads, all by default: the paper's mean map (section 4.2)."""
        at_layers = [self.layers.index(n) for n in self._layers(layers)]
        at_heads = [self.heads.index(n) for n in self._heads(heads)]
        return self._map([(i, j) for i in at_layers for j in at_heads])

    def head(self, *names: str) -> MeanMap:
        """One head's map, or the mean of the named ones.

        >>> pattern.head("L5H3"), pattern.head("L5H3", "L7H0")  # doctest: +SKIP
        """
        if not names:
            raise ValueError("expected the name of a head such as 'L5H3', got none")
        places = []
        for name in names:
            layer, head = read_head_name(name)
            places.append(
                (
                    self.layers.index(*self._layers(layer)),
                    self.heads.index(*self._heads(head)),
                )
            )
        return self._map(places)

    def rows(self, rows: int | Iterable[int] | None = None) -> np.ndarray:
        """The attention that rows pay, (layer, head, row, key); the answer's by default."""
        return self.values[:, :, list(self._rows(rows))].astype(np.float32)

    # ------------------------------------------------------------------------ by role

    def role_mass(self, rows: int | Iterable[int] | None = None) -> np.ndarray:
        """The share of attention on the tokens of each role, (layer, head, role).

        Roles in the order of :data:`catviz.words.ROLES`; shares sum to one. Mean over ``rows``, the
        answer's by default.
        """
        paid = self.rows(rows).mean(axis=2)  # (layer, head, key)
        roles = np.asarray(self.roles)
        return np.stack([paid[..., roles == role].sum(axis=-1) for role in ROLES], axis=-1)

    def lift(
        self,
        of: Role = "causal",
        over: Role = "spurious",
        rows: int | Iterable[int] | None = None,
    ) -> np.ndarray:
        """How many times the attention of an average ``over`` token an ``of`` token gets.

        Over the tokens that a row can see, mean over ``rows``, the answer's by default: (layer,
        head); infinite where ``over`` gets nothing, NaN where neither does.
        """
        for role in (of, over):
            self._check_role(role)
        each, roles, paid = self._rows(rows), np.asarray(self.roles), self.rows(rows)
        sees = np.arange(self.size) <= np.asarray(each)[:, None]  # (row, key)

        def average(role: Role) -> np.ndarray:
            tokens = sees & (roles == role)
            if not tokens.any():
                raise ValueError(f"no {role} token stands in front of the rows {each}")
            return np.asarray((paid * tokens).sum((-2, -1)) / tokens.sum())

        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(average(of) / average(over))

    def drop_sink(self, *, renormalise: bool = True) -> AttentionPattern:
        """Without the first token's column, on which many models park unused attention.

        Args:
            renormalise: scale the rest of each row to sum to one again; a row that saw nothing but
                the first token stays zero.
        """
        if self.sink != "in":
            raise ValueError(f"the sink of this pattern is already {self.sink}")
        values = self.values.astype(np.float32)
        values[..., SINK] = 0
        if renormalise:
            sums = values.sum(axis=-1, keepdims=True)
            np.divide(values, sums, out=values, where=sums > 1e-9)
            values[np.broadcast_to(sums <= 1e-9, values.shape)] = 0
        sink: Sink = "renormalised" if renormalise else "out"
        return replace(self, values=values.astype(self.values.dtype), sink=sink)

    # ------------------------------------------------------------------------ files

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write ``.npz``: the lower triangles and everything else; read with :meth:`load`."""

        path = Path(path)
        if path.suffix != ".npz":
            raise ValueError(f"expected a file name that ends in .npz, got {path.name!r}")
        rows, keys = np.tril_indices(self.size)
        about = {
            "format": _FORMAT,
            "tokens": self.tokens,
            "words": [asdict(word) for word in self.words],
            **{n: getattr(self, n) for n in ("layers", "heads", "model", "text", "answer_rows")},
            "sink": self.sink,
        }
        buffer = BytesIO()
        np.savez_compressed(
            buffer, triangles=self.values[..., rows, keys], about=np.array(json.dumps(about))
        )
        return write_atomically(path, buffer.getvalue())

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> AttentionPattern:
        """Read what :meth:`save` wrote."""
        try:
            with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
                triangles, about = file["triangles"], json.loads(str(file["about"]))
        except (KeyError, ValueError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path}: expected a pattern written by AttentionPattern.save ({error})"
            ) from error
        if about.pop("format") != _FORMAT:
            raise ValueError(f"{path}: this pattern was written by another version; make it again")
        words = tuple(Word(**word) for word in about.pop("words"))
        size = len(about["tokens"])
        values = np.zeros((*triangles.shape[:2], size, size), dtype=triangles.dtype)
        rows, keys = np.tril_indices(size)
        values[..., rows, keys] = triangles
        fields = {k: tuple(v) if isinstance(v, list) else v for k, v in about.items()}
        return cls(values, words=words, **cast(dict[str, Any], fields))

    # ------------------------------------------------------------------------ helpers

    def _map(self, places: Sequence[tuple[int, int]]) -> MeanMap:
        total = np.zeros((self.size, self.size))
        for i, j in places:
            total += self.values[i, j]
        return MeanMap(
            total / len(places),
            self.words,
            model=self.model,
            text=self.text,
            answer_row=self.answer_rows[0],
            sink=self.sink,
        )

    def _layers(self, asked: int | Iterable[int] | None) -> tuple[int, ...]:
        return _chosen(asked, self.layers, "layer", self.model)

    def _heads(self, asked: int | Iterable[int] | None) -> tuple[int, ...]:
        return _chosen(asked, self.heads, "head", self.model)

    def _rows(self, asked: int | Iterable[int] | None) -> tuple[int, ...]:
        if asked is None:
            return self.answer_rows
        rows = (asked,) if isinstance(asked, int | np.integer) else tuple(asked)
        if not rows:
            raise ValueError("expected at least one row, got none")
        for row in rows:
            if not -self.size <= row < self.size:
                raise ValueError(f"no row {row}: the text has {self.size} tokens")
        return tuple(int(row) % self.size for row in rows)

    def _check_role(self, role: str) -> None:
        if role not in ROLES:
            raise ValueError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
        if role not in self.roles:
            raise ValueError(
                f"no token of this pattern is {role}: it has {sorted(set(self.roles))}; "
                "name some with roles= (see catviz.roles)"
            )


def _chosen(
    asked: int | Iterable[int] | None, there: tuple[int, ...], kind: str, model: str
) -> tuple[int, ...]:
    if asked is None:
        return there
    numbers = (asked,) if isinstance(asked, int | np.integer) else tuple(asked)
    if not numbers:
        raise ValueError(f"expected at least one {kind}, got none")
    for number in numbers:
        if number not in there:
            raise ValueError(f"no {kind} {number} in this pattern of {model!r}; it has {there}")
    return tuple(int(number) for number in numbers)


def _one_text(layer: Any, where: str) -> np.ndarray:
    """(1, head, query, key) or (head, query, key) -> (head, query, key)."""
    values = np.asarray(layer.detach().float().cpu() if hasattr(layer, "detach") else layer)
    if values.ndim == 4 and values.shape[0] == 1:
        values = values[0]
    if values.ndim != 3:
        raise ValueError(
            f"{where}: expected the pattern of one text, (1, head, query, key), got shape "
            f"{values.shape}; take one text of the batch"
        )
    return values
