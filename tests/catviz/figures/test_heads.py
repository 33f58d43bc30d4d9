"""One cell a head: role mass and lift, their scale, and the names of the strongest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from catviz.figures.heads import head_map
from catviz.patterns import AttentionPattern
from catviz.words import Word
from tests.catviz.figures.drawn import pattern_of, small_map, small_pattern, texts_of

WORDS = (Word(1, 2, "a", "causal"), Word(2, 3, "b", "spurious"))


def of_rows(*last: list[float]) -> AttentionPattern:
    """One layer whose heads' last rows are given, over four tokens: other C S other."""
    values = np.stack([np.eye(4) for _ in last])[None]
    values[0, :, -1] = last
    return AttentionPattern(values.astype(np.float32), ("x", "a", "b", "y"), WORDS)


@pytest.mark.parametrize("by", ["causal", "spurious", "irrelevant", "other"])
@pytest.mark.parametrize("rows", [None, 7, (3, -1)])
def test_shares_are_sums_over_the_tokens_of_the_role(by: str, rows) -> None:
    pattern = small_pattern()
    chosen = [10] if rows is None else np.atleast_1d(rows)
    keys = [key for key, role in enumerate(pattern.roles) if role == by]
    for record in head_map(pattern, by=by, rows=rows).data:
        values = pattern.values[record["layer"], record["head"]]
        expected = np.mean([sum(values[row, key] for key in keys) for row in chosen])
        assert record["value"] == record["share"] == pytest.approx(expected, abs=1e-6)


def test_the_strongest_heads_are_named_in_order() -> None:
    pattern = pattern_of(small_map(), layers=5, heads=4)
    figure = head_map(pattern)
    ranked = sorted(figure.data, key=lambda record: -record["value"])[:5]
    names = [
        f"{at + 1}  L{r['layer']}H{r['head']}  {r['value']:.2f}" for at, r in enumerate(ranked)
    ]
    assert [text for text in texts_of(figure) if text in names] == names
    assert ", ".join(name.split("  ", 1)[1].replace("  ", " ") for name in names) in figure.alt
    assert not any("L0H" in text for text in texts_of(head_map(pattern, names=0)))


def test_even_attention_is_told_beside_the_shares() -> None:
    pattern = small_pattern()
    assert "evenly  0.27" in texts_of(head_map(pattern))  # 3 of 11 tokens
    assert "it would be 0.27." in head_map(pattern).caption
    assert "it would be 0.30." in head_map(pattern.drop_sink()).caption
    assert "it would be 0.25." in head_map(pattern, rows=3).caption  # 1 of the 4 that it sees


def test_lift_is_logarithmic_and_centred_at_one() -> None:
    pattern = of_rows([0, 0.4, 0.1, 0.5], [0, 0.1, 0.4, 0.5], [0.5, 0.2, 0.2, 0.1])
    figure = head_map(pattern, by="lift")
    assert [record["value"] for record in figure.data] == pytest.approx([4, 0.25, 1])
    (cells,) = (axes.images[0] for axes in figure.matplotlib().axes if axes.images)
    assert cells.get_array().tolist()[0] == pytest.approx([2, -2, 0], abs=1e-6)
    assert cells.get_clim() == pytest.approx((-2, 2), abs=1e-6)
    assert {"1/4", "1", "4", "4x", "0.25x"} <= set(texts_of(figure))


def test_lift_of_nothing_is_marked_and_saved_as_null() -> None:
    figure = head_map(of_rows([0.5, 0.5, 0, 0], [1, 0, 0, 0], [0.5, 0, 0.5, 0]), by="lift")
    assert [record["value"] for record in figure.data] == [None, None, 0.0]
    assert ">1000x" in texts_of(figure)
    drawn = figure.matplotlib()
    (cells,) = (axes for axes in drawn.axes if axes.images)
    assert cells.images[0].get_array().mask.tolist() == [[False, True, False]]
    assert [tuple(line.get_data()[0]) for line in cells.lines] == [(1,)]  # crossed out
    assert figure.render("png")


def test_a_scale_of_lifts_ends_and_says_where() -> None:
    pattern = of_rows([0, 0.999, 0.001, 0], [0, 0.5, 0.5, 0])
    assert "Lifts beyond 1/64 and 64" in head_map(pattern, by="lift").caption
    assert "Lifts beyond" not in head_map(pattern, by="lift", vmax=2000).caption
    with pytest.raises(ValueError, match="a lift above 1"):
        head_map(pattern, by="lift", vmax=0.5)


def test_several_patterns_share_one_scale() -> None:
    figure = head_map([small_pattern(), small_pattern(model="tuned", seed=4)])
    one, two = (axes.images[0] for axes in figure.matplotlib().axes if axes.images)
    assert one.get_clim() == two.get_clim()
    highest = max(record["value"] for record in figure.data)
    assert one.get_clim()[1] == pytest.approx(highest)
    assert "above 0.1 (up to" in head_map(small_pattern(), vmax=0.1).caption


def test_a_first_token_that_counts_is_told() -> None:
    pattern = small_pattern()
    first = replace(pattern, words=(Word(0, 1, "x", "causal"), *pattern.words[1:]))
    assert "is causal here" in head_map(first).caption
    assert "is causal here" in head_map(first, by="lift").caption
    assert "is causal here" not in head_map(first, by="spurious").caption
    assert "here" not in head_map(pattern).caption
    assert "here" not in head_map(first.drop_sink()).caption


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"patterns": []}, "at least one"),
        ({"patterns": [small_map()]}, "got MeanMap"),
        ({"by": "cause"}, "'cause'"),
        ({"names": -1}, "names"),
        ({"vmax": 0}, "vmax"),
        ({"rows": 40}, "no row 40"),
        ({"patterns": replace(small_pattern(), words=())}, "no token of .* is causal"),
        ({"patterns": replace(small_pattern(), words=(Word(1, 2, "a", "causal"),)), "by": "lift"},
         "no token .* is spurious"),
        ({"patterns": [small_pattern(), small_pattern().drop_sink()]}, "one state"),
    ],
)  # fmt: skip
def test_head_map_refuses(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        head_map(**{"patterns": small_pattern(), **options})
