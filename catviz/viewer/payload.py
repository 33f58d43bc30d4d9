"""What the viewer gets: a small description (JSON) and the patterns as compressed bytes.

Patterns of up to a megabyte travel as float32, so that every value shown is exact. Larger ones are
quantised to 8 bits. A row is split into what the first token (the sink) leaves, ``rest``, and how
the other tokens share it::

    value[query, key] = rest[query] * share[query, key]      for key > 0
    share ~ (code / levels) ** 2,    code = round(levels * sqrt(share)), one byte
    rest  ~ (code / 65535) ** 2,     two bytes

The square root keeps small weights visible, and a row of which the sink takes 99% is still told
apart. The error of a share is at most ``(code + 1/4) / levels ** 2``: with 255 levels 0.00002 for
the smallest, 0.0013 for a share of 0.1 and at most 0.004; with the 90 levels of large patterns
0.00004, 0.0036 and at most 0.0112. The error of a value is that, times ``rest``. The viewer states
it with every value.

Beyond about nine million values (270 heads of 258 tokens) neighbouring tokens are joined into
cells: the mean of their rows, the sum of their keys, so that rows still sum to one. The first token
stays alone, and cells keep to one role. The rows that predict the answer and, up to 1,024 tokens,
the mean over all heads are there exactly whatever the size.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np

from catviz.figures.text import printable, shorten
from catviz.maps import SINK, check_same_tokens
from catviz.patterns import AttentionPattern
from catviz.words import Role

__all__ = ["Payload", "exact_maps", "viewer_payload"]

_FORMAT = 1  # the script refuses another
_FLOAT_BYTES = 1_000_000  # up to here values travel as float32
_FINE_VALUES = 1_000_000  # up to here 255 levels, beyond 90
_MOST_VALUES = 9_000_000  # beyond tokens are joined
_FEWEST_CELLS = 16
_EXACT_ROW_BYTES = 1_000_000
_EXACT_MEAN_TOKENS = 1024
_TOKEN_LETTERS, _LABEL_LETTERS = 200, 80
_EMPTY = 1e-9  # a row that leaves less than this saw nothing but the sink


@dataclass(frozen=True)
class Payload:
    """``meta`` is plain JSON data, ``data`` the arrays that it lists, compressed (raw deflate)."""

    meta: dict[str, Any]
    data: bytes


def viewer_payload(pattern: AttentionPattern, *, after: AttentionPattern | None = None) -> Payload:
    """Return what the viewer draws from.

    Args:
        after: a second pattern of the same tokens, layers and heads, to compare with.

    Raises:
        ValueError: the two patterns are not of the same tokens, words, layers, heads and sink.
    """
    states = [pattern] if after is None else [pattern, after]
    for other in states[1:]:
        _check_comparable(pattern, other)
    n_heads = len(pattern.layers) * len(pattern.heads)
    starts, block, mixed = _cells(pattern, n_heads * len(states))
    n_values = n_heads * len(states) * _triangle(len(starts))
    levels = 255 if n_values <= _FINE_VALUES else 90
    as_float = block == 1 and 4 * n_values <= _FLOAT_BYTES
    parts: list[tuple[str, np.ndarray]] = []
    exact_rows: tuple[int, ...] = ()
    has_mean = False
    sum_error = 0.0
    if as_float:
        rows, keys = np.tril_indices(pattern.size)
        for at, state in enumerate(states):
            parts.append((f"values{at}", state.values[..., rows, keys].astype(np.float32)))
    else:
        most = max(1, _EXACT_ROW_BYTES // (4 * n_heads * pattern.size * len(states)))
        exact_rows = pattern.answer_rows[:most]
        has_mean = pattern.size <= _EXACT_MEAN_TOKENS
        everything = [(i, j) for i in range(len(pattern.layers)) for j in range(len(pattern.heads))]
        for at, state in enumerate(states):
            parts.append((f"rows{at}", state.rows(exact_rows).transpose(2, 0, 1, 3)))
            if has_mean:
                parts.append((f"mean{at}", _mean_triangle(state, everything)))
        for at, state in enumerate(states):
            rest, codes, error = _quantise(state, starts, levels)
            parts += [(f"rest{at}", rest), (f"codes{at}", codes)]
            sum_error = max(sum_error, error)
    parts.sort(key=lambda part: -part[1].dtype.itemsize)  # aligned in one buffer
    meta = {
        "format": _FORMAT,
        "model": _line(pattern.model, _LABEL_LETTERS),
        "text": _line(pattern.text, _LABEL_LETTERS),
        "states": [_line(state.model, _LABEL_LETTERS) for state in states],
        "tokens": [_line(token, _TOKEN_LETTERS) for token in pattern.tokens],
        "words": [
            [word.start, word.stop, _line(word.label, _LABEL_LETTERS), word.role]
            for word in pattern.words
        ],
        "layers": list(pattern.layers),
        "heads": list(pattern.heads),
        "answerRows": list(pattern.answer_rows),
        "sink": pattern.sink,
        "starts": starts.tolist(),
        "block": block,
        "mixed": mixed,
        "levels": 0 if as_float else levels,
        "sumError": sum_error,
        "exactRows": list(exact_rows),
        "hasMean": has_mean,
        "parts": [[name, part.dtype.name, part.size] for name, part in parts],
    }
    return Payload(meta, _deflate(parts))


def exact_maps(
    pattern: AttentionPattern, after: AttentionPattern | None, heads: list[int], *, sink: str = "in"
) -> list[bytes]:
    """Return the mean over heads as float32 lower triangles, one a pattern: what the kernel sends.

    Args:
        heads: indices of heads, layer by layer.
        sink: "in", "out" or "renormalised" (each head before the mean), from what the pattern has.
    """
    states = [pattern] if after is None else [pattern, after]
    places = [divmod(int(head), len(pattern.heads)) for head in heads]
    return [_mean_triangle(state, places, sink=sink).tobytes() for state in states]


# ------------------------------------------------------------------------ helpers


def _check_comparable(before: AttentionPattern, after: AttentionPattern) -> None:
    where = f"models {before.model!r} and {after.model!r}"
    check_same_tokens(before.tokens, after.tokens, where)
    for name in ("layers", "heads", "sink", "words"):
        one, other = getattr(before, name), getattr(after, name)
        if one != other:
            raise ValueError(
                f"{where}: expected the same {name} on both sides, got {one} and {other}; "
                "compare patterns that were read and cut alike"
            )


def _line(text: str, length: int) -> str:
    # Cut first: a token may be a whole book.
    return shorten(printable(text[: 2 * length]), length)


def _triangle(size: int) -> int:
    return size * (size + 1) // 2


def _cells(pattern: AttentionPattern, n_maps: int) -> tuple[np.ndarray, int, bool]:
    """Return where cells start, how many tokens they hold at most, and whether they mix roles."""
    limit = _FEWEST_CELLS
    while n_maps * _triangle(limit + 1) <= _MOST_VALUES:
        limit += 1
    block = 1
    while block < pattern.size:
        starts = _starts(pattern.roles, block)
        if len(starts) <= limit:
            return starts, block, False
        block += 1
    if pattern.size <= limit:
        return np.arange(pattern.size), 1, False
    # So many changes of role that cells cannot keep to one.
    block = -(-(pattern.size - 1) // (limit - 1))
    return np.r_[0, 1 : pattern.size : block], block, True


def _starts(roles: tuple[Role, ...], block: int) -> np.ndarray:
    starts = [0]
    for token in range(1, len(roles)):
        new_role = roles[token] != roles[token - 1]
        if token == 1 or new_role or token - starts[-1] == block:
            starts.append(token)
    return np.asarray(starts)


def _quantise(
    state: AttentionPattern, starts: np.ndarray, levels: int
) -> tuple[np.ndarray, np.ndarray, float]:
    """Return rest (head, cell) as uint16, codes (head, triangle without the sink) as uint8, and by
    how much a row's sum is off one: the first token's value is told as one less the rest."""
    n_layers, n_heads = state.values.shape[:2]
    size = len(starts)
    rows, keys = np.tril_indices(size - 1)
    rest_codes = np.empty((n_layers, n_heads, size), dtype=np.uint16)
    codes = np.empty((n_layers, n_heads, len(rows)), dtype=np.uint8)
    error = 0.0
    for layer in range(n_layers):
        values = _joined(state.values[layer], starts)  # (head, cell, cell)
        rest = values[..., SINK + 1 :].sum(axis=-1)
        if state.sink == "in":
            error = max(error, float(np.abs(values[..., SINK] + rest - 1).max()))
        rest_codes[layer] = np.rint(np.sqrt(np.minimum(rest, 1)) * 65535)
        scale = np.where(rest > _EMPTY, levels**2 / np.maximum(rest, _EMPTY), 0)[:, 1:, None]
        shares = values[:, 1:, SINK + 1 :] * scale
        np.sqrt(shares, out=shares)
        np.rint(shares, out=shares)
        codes[layer] = shares.astype(np.uint8)[:, rows, keys]
    return rest_codes, codes, error


def _joined(values: np.ndarray, starts: np.ndarray) -> np.ndarray:
    """(head, query, key) -> (head, cell, cell): the mean of the rows, the sum of the keys."""
    size = values.shape[-1]
    values = values.astype(np.float32, copy=False)
    if len(starts) == size:
        return values
    joined = np.empty((len(values), len(starts), len(starts)), dtype=np.float32)
    lengths = np.diff(np.r_[starts, size])[:, None]
    for head, one in enumerate(values):
        keys = np.add.reduceat(one, starts, axis=1)
        joined[head] = np.add.reduceat(keys, starts, axis=0) / lengths
    return joined


def _mean_triangle(
    state: AttentionPattern, places: list[tuple[int, int]], *, sink: str = "in"
) -> np.ndarray:
    total = np.zeros((state.size, state.size))
    for layer, head in places:
        one = state.values[layer, head].astype(np.float64)
        if sink != "in":
            one[:, SINK] = 0
        if sink == "renormalised":
            sums = one.sum(axis=1, keepdims=True)
            one *= np.where(sums > _EMPTY, 1 / np.maximum(sums, _EMPTY), 0)
        total += one
    return (total / len(places))[np.tril_indices(state.size)].astype(np.float32)


def _deflate(parts: list[tuple[str, np.ndarray]]) -> bytes:
    # Run lengths and Huffman codes only: on attention weights as small as a full search, and faster
    # by far.
    compressor = zlib.compressobj(6, zlib.DEFLATED, -zlib.MAX_WBITS, 9, zlib.Z_RLE)
    pieces = [compressor.compress(np.ascontiguousarray(part).tobytes()) for _, part in parts]
    return b"".join([*pieces, compressor.flush()])
