"""What is supervised: the drawn cells are the aligned ones, also where columns are left out."""

from __future__ import annotations

import numpy as np
import pytest

from cat.alignment import align
from cat.models import tiny_tokenizer
from cat.signals import Example, Signal
from catviz.figures.adjacency import signal_adjacency
from catviz.figures.style import ROLE_STYLES
from tests.catviz.figures.drawn import texts_of
from tests.catviz.figures.samples import stg_aligned

ALIGNED = stg_aligned()
CELL = 0.16 - 2 * 0.012


def cells(figure) -> tuple[int, int]:
    """How many cells are filled and how many pale (without the key's one and two)."""
    sheet = figure.matplotlib().axes[0]
    squares = [p for p in sheet.patches if abs(p.get_height() - CELL) < 1e-9]
    blue = tuple(int(ROLE_STYLES["causal"].colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    filled = [p for p in squares if np.allclose(p.get_facecolor()[:3], blue)]
    return len(filled) - 1, len(squares) - len(filled) - 2


def test_records_are_the_aligned_rows() -> None:
    data = signal_adjacency(ALIGNED).data
    assert len(data) == sum(row + 1 for row in ALIGNED.rows)
    for record in data:
        at = ALIGNED.rows.index(record["row"])
        assert record["cause"] == bool(ALIGNED.causes[at, record["key"]])
    assert {record["predicts"] for record in data} == {ALIGNED.example.answer}
    assert {record["row_token"] for record in data} == {"Answer:"}
    causes = {record["key_role"] for record in data if record["cause"]}
    assert causes == {"causal"}


def test_cells_are_the_causes_and_what_else_the_row_sees() -> None:
    causes = int(ALIGNED.causes.sum())
    seen = sum(row + 1 for row in ALIGNED.rows)
    assert cells(signal_adjacency(ALIGNED)) == (causes, seen - causes)


def test_left_out_columns_are_never_causes_and_are_counted() -> None:
    figure = signal_adjacency(ALIGNED, columns=3)
    filled, pale = cells(figure)
    assert filled == int(ALIGNED.causes.sum())
    assert pale == 1  # the row's own token
    assert f"{ALIGNED.rows[-1] + 1 - 4} columns of other tokens are left out" in figure.caption
    assert "left out" not in signal_adjacency(ALIGNED).caption
    assert texts_of(figure).count("…") >= 2
    assert figure.data == signal_adjacency(ALIGNED).data


def test_a_chain_of_effects_has_a_row_each() -> None:
    text = "Smoking: 8, Weight: 4, Exercise: 2 Answer: "
    signals = (Signal("Weight: 4", ("Smoking: 8",)), Signal("High Risk", ("Weight: 4",)))
    aligned = align(Example(text, "High Risk", signals), tiny_tokenizer())
    figure = signal_adjacency(aligned)
    assert "row 0 predicts Weight: 4 from Smoking: 8" in figure.alt
    assert [text for text in texts_of(figure) if text.endswith("→ High Risk")] == [
        "Answer: → High Risk"
    ]
    assert texts_of(figure).count("E") == 2
    causes, seen = int(aligned.causes.sum()), sum(row + 1 for row in aligned.rows)
    assert cells(figure) == (causes, seen - causes)


def test_adjacency_refuses() -> None:
    with pytest.raises(ValueError, match="got str"):
        signal_adjacency("text")  # type: ignore[arg-type]
    bare = align(Example("Smoking: 8 Answer: ", "Low Risk"), tiny_tokenizer())
    with pytest.raises(ValueError, match="no causal signals"):
        signal_adjacency(bare)
    absent = Example("Smoking: 8 Answer: ", "Low Risk", (Signal("Low Risk", ("Weight",)),))
    with pytest.raises(ValueError, match="phrase absent"):
        signal_adjacency(align(absent, tiny_tokenizer()))
    with pytest.raises(ValueError, match="columns"):
        signal_adjacency(ALIGNED, columns=0)
