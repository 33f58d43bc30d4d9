"""The payload, read back by the formula that its docstring promises."""

from __future__ import annotations

import zlib
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from catviz.patterns import AttentionPattern
from catviz.viewer import payload as module
from catviz.viewer.payload import Payload, exact_maps, viewer_payload
from catviz.words import Word
from tests.catviz.viewer.random_patterns import every_third_word, random_pattern


def parts_of(payload: Payload) -> dict[str, np.ndarray]:
    data = zlib.decompress(payload.data, wbits=-zlib.MAX_WBITS)
    parts, offset = {}, 0
    for name, kind, length in payload.meta["parts"]:
        parts[name] = np.frombuffer(data, dtype=kind, count=length, offset=offset)
        assert offset % parts[name].itemsize == 0  # a typed array cannot begin elsewhere
        offset += parts[name].nbytes
    assert offset == len(data)
    return parts


def read_back(payload: Payload, state: int, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
    """(values, error bounds), by the docstring: rest * (code / levels)^2, first = 1 - rest."""
    meta, parts = payload.meta, parts_of(payload)
    cells = len(meta["starts"])
    codes = parts[f"codes{state}"].reshape(*shape[:2], -1).astype(float)
    rest_codes = parts[f"rest{state}"].reshape(*shape[:2], cells, 1).astype(float)
    rest, rest_error = (rest_codes / 65535) ** 2, (rest_codes + 0.25) / 65535**2
    code = np.zeros((*shape[:2], cells, cells))
    rows, keys = np.tril_indices(cells - 1)
    code[:, :, rows + 1, keys + 1] = codes
    share = (code / meta["levels"]) ** 2
    values, errors = rest * share, rest * (code + 0.25) / meta["levels"] ** 2 + share * rest_error
    values[..., :1] = 1 - rest if meta["sink"] == "in" else 0
    errors[..., :1] = rest_error + meta["sumError"]
    return values, errors


def test_small_patterns_travel_exactly() -> None:
    pattern = random_pattern()
    payload = viewer_payload(pattern)
    assert payload.meta["levels"] == 0
    rows, keys = np.tril_indices(pattern.size)
    sent = parts_of(payload)["values0"].reshape(3, 4, -1)
    assert np.array_equal(sent, pattern.values[:, :, rows, keys])


@pytest.mark.parametrize(("size", "levels"), [(180, 255), (400, 90)])
def test_values_are_within_the_error_that_is_told(size: int, levels: int) -> None:
    pattern = random_pattern(4, 4, size, seed=size)
    payload = viewer_payload(pattern)
    assert payload.meta["levels"] == levels
    values, errors = read_back(payload, 0, pattern.values.shape)
    wrong = np.abs(values - pattern.values)
    visible = np.tril(np.ones((size, size), dtype=bool))
    assert (wrong <= errors + 1e-7)[..., visible].all()
    assert errors[..., 1:].max() < 1.3 / levels  # the bound is worth something
    # Half a step: some value is nearly as wrong as is told, or the bound would be too kind.
    assert (wrong[errors > 0] / errors[errors > 0]).max() > 0.9


def test_a_head_whose_sink_takes_nearly_all_keeps_its_shape() -> None:
    """Shares of what the sink leaves are told apart, however little that is."""
    pattern = random_pattern(4, 4, 200)
    values = pattern.values.copy()
    values[..., 1:] *= 1e-3
    values[..., 0] = 1 - values[..., 1:].sum(axis=-1)
    pattern = replace(pattern, values=values)
    read, _ = read_back(viewer_payload(pattern), 0, values.shape)
    wanted = pattern.drop_sink().values[..., 1:, 1:]
    shares = read[..., 1:, 1:] / np.maximum(read[..., 1:, 1:].sum(axis=-1, keepdims=True), 1e-12)
    assert np.abs(shares - wanted).max() < 0.02
    last = np.sort(wanted[..., -1, :], axis=-1)
    assert (
        np.abs(np.sort(shares[..., -1, :], axis=-1) - last)[..., -20:] < 0.1 * last[..., -20:]
    ).all()


@pytest.mark.parametrize("sink", ["out", "renormalised"])
def test_a_pattern_without_its_sink(sink: str) -> None:
    pattern = random_pattern(4, 4, 180).drop_sink(renormalise=sink == "renormalised")
    payload = viewer_payload(pattern)
    assert payload.meta["sink"] == sink
    values, errors = read_back(payload, 0, pattern.values.shape)
    assert (np.abs(values - pattern.values) <= errors + 1e-7).all()


def test_half_precision_says_how_far_its_rows_are_off() -> None:
    pattern = random_pattern(4, 4, 200)
    half = replace(pattern, values=pattern.values.astype(np.float16))
    payload = viewer_payload(half)
    assert 1e-5 < payload.meta["sumError"] < 1e-2
    values, errors = read_back(payload, 0, half.values.shape)
    assert (np.abs(values - half.values.astype(float)) <= errors + 1e-7).all()


def test_answer_rows_and_mean_are_exact_in_large_patterns() -> None:
    pattern = random_pattern(4, 4, 180, answer_rows=(150, 170))
    payload = viewer_payload(pattern, after=random_pattern(4, 4, 180, seed=1, answer_rows=(150,)))
    parts = parts_of(payload)
    assert payload.meta["exactRows"] == [150, 170]
    rows = parts["rows0"].reshape(2, 16, 180)
    assert np.array_equal(rows[1], pattern.values[:, :, 170].reshape(16, 180))
    mean = pattern.mean().values[np.tril_indices(180)]
    assert np.abs(parts["mean0"] - mean).max() < 1e-7
    assert not np.array_equal(parts["mean0"], parts["mean1"])


def test_long_texts_are_joined_into_cells_of_one_role(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_VALUES", 16 * 80 * 81 // 2)
    pattern = random_pattern(4, 4, 300, words=every_third_word(60))
    payload = viewer_payload(pattern)
    starts = payload.meta["starts"]
    assert not payload.meta["mixed"]
    assert len(starts) <= 80
    assert starts[:2] == [0, 1]  # the sink stays alone
    stops = [*starts[1:], 300]
    roles = pattern.roles
    for start, stop in zip(starts, stops, strict=True):
        assert stop - start <= payload.meta["block"]
        assert len(set(roles[start:stop])) == 1
    joined = np.array(
        [
            [pattern.values[..., a:b, c:d].sum(axis=(-1, -2)) / (b - a)
             for c, d in zip(starts, stops, strict=True)]
            for a, b in zip(starts, stops, strict=True)
        ]
    ).transpose(2, 3, 0, 1)  # fmt: skip
    values, errors = read_back(payload, 0, pattern.values.shape)
    assert (np.abs(values - joined) <= errors + 1e-6).all()
    assert np.abs(values.sum(axis=-1) - 1).max() < 0.2


def test_cells_mix_roles_only_where_they_must_and_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_VALUES", 16 * 40 * 41 // 2)
    words = tuple(Word(i, i + 1, "x", "causal" if i % 2 else "spurious") for i in range(300))
    payload = viewer_payload(random_pattern(4, 4, 300, words=words))
    assert payload.meta["mixed"]
    assert len(payload.meta["starts"]) <= 40


def test_the_budget_counts_every_head_of_both_patterns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_VALUES", 16 * 200 * 201 // 2)
    pattern, after = (
        random_pattern(4, 4, 200, words=()),
        random_pattern(4, 4, 200, seed=1, words=()),
    )
    assert viewer_payload(pattern).meta["block"] == 1
    payload = viewer_payload(pattern, after=after)
    assert payload.meta["block"] == 2
    parts = parts_of(payload)
    assert parts["codes0"].size + parts["codes1"].size <= module._MOST_VALUES


def test_text_is_made_fit_to_show() -> None:
    tokens = ("</script>", "\u202eevil\x00", "x" * 10_000, "\n", "\ud800")
    payload = viewer_payload(random_pattern(size=5, tokens=tokens, words=()))
    shown = payload.meta["tokens"]
    assert shown[0] == "</script>"  # text stays text; the page escapes it
    assert shown[1] == "evil\N{REPLACEMENT CHARACTER}"
    assert len(shown[2]) == 200
    assert shown[3] == "↵"
    assert shown[4] == "\N{REPLACEMENT CHARACTER}"


def test_only_comparable_patterns_are_compared() -> None:
    before = random_pattern()
    others: dict[str, AttentionPattern] = {
        "first differ at 0": random_pattern(tokens=tuple("abcdefghijkl")),
        "same layers": before.select(layers=[0, 1]),
        "same heads": before.select(heads=[0, 1]),
        "same sink": before.drop_sink(),
        "same words": random_pattern(words=()),
    }
    for message, after in others.items():
        with pytest.raises(ValueError, match=message):
            viewer_payload(before, after=after)


@pytest.mark.parametrize("sink", ["in", "out", "renormalised"])
def test_the_kernel_sends_the_mean_of_the_heads_asked_for(sink: str) -> None:
    pattern, after = random_pattern(), random_pattern(seed=1)
    heads = [0, 5, 11]  # L0H0, L1H1, L2H3
    sent = exact_maps(pattern, after, heads, sink=sink)
    for state, data in zip((pattern, after), sent, strict=True):
        kept: Any = state
        if sink != "in":
            kept = state.drop_sink(renormalise=sink == "renormalised")
        wanted = np.mean([kept.values[0, 0], kept.values[1, 1], kept.values[2, 3]], axis=0)
        values = np.frombuffer(data, dtype=np.float32)
        assert np.abs(values - wanted[np.tril_indices(pattern.size)]).max() < 1e-6


def test_one_token() -> None:
    pattern = AttentionPattern(np.ones((1, 1, 1, 1), dtype=np.float32), ("a",))
    assert parts_of(viewer_payload(pattern))["values0"].tolist() == [1.0]
