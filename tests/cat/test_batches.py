"""`cat.batches` against a cell-by-cell reading of the texts that went in."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cat.alignment import Aligned
from cat.batches import Collator, visible_keys
from cat.signals import Example

PAD = 7


def text(n_tokens: int, answer_start: int, causes: dict[int, set[int]]) -> Aligned:
    """A text of tokens 100, 101, ... whose supervised rows and causal keys are given."""
    rows = tuple(sorted(causes))
    cells = np.zeros((len(rows), n_tokens), dtype=bool)
    for r, row in enumerate(rows):
        cells[r, sorted(causes[row])] = True
    return Aligned(
        example=Example("prompt", "answer"),
        input_ids=tuple(range(100, 100 + n_tokens)),
        offsets=(),
        answer_start=answer_start,
        rows=rows,
        causes=cells,
        pairs=(),
        complete=True,
    )


TEXTS = (
    text(6, 4, {3: {0, 2}, 4: {1}}),
    text(3, 2, {}),
    text(5, 5, {0: {0}}),  # the answer was cut off
)


def test_tokens_labels_and_mask() -> None:
    batch = Collator(PAD)(TEXTS)
    assert batch["input_ids"].tolist() == [
        [100, 101, 102, 103, 104, 105],
        [100, 101, 102, PAD, PAD, PAD],
        [100, 101, 102, 103, 104, PAD],
    ]
    assert batch["attention_mask"].tolist() == [[1] * 6, [1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]]
    assert batch["labels"].tolist() == [
        [-100, -100, -100, -100, 104, 105],
        [-100, -100, 102, -100, -100, -100],
        [-100] * 6,
    ]


def test_labels_of_whole_texts_leave_out_the_padding() -> None:
    batch = Collator(PAD, answer_only=False)(TEXTS)
    real = batch["attention_mask"].bool()
    assert torch.equal(batch["labels"][real], batch["input_ids"][real])
    assert bool((batch["labels"][~real] == -100).all())


def test_a_token_that_is_the_padding_token_keeps_its_label() -> None:
    """Many decoders pad with the end-of-text token, which the model must learn to say."""
    batch = Collator(pad_token_id=105)(TEXTS)
    assert batch["labels"][0].tolist() == [-100, -100, -100, -100, 104, 105]


def test_rows_and_causes() -> None:
    batch = Collator(PAD)(TEXTS)
    assert batch["rows"].tolist() == [[3, 4], [-1, -1], [0, -1]]
    expected = torch.zeros(3, 2, 6, dtype=torch.bool)
    for b, item in enumerate(TEXTS):
        for r in range(len(item.rows)):
            for key in range(len(item.input_ids)):
                expected[b, r, key] = bool(item.causes[r, key])
    assert torch.equal(batch["causes"], expected)


def test_a_batch_without_any_row() -> None:
    batch = Collator(PAD)([TEXTS[1], TEXTS[1]])
    assert batch["rows"].shape == (2, 0)
    assert batch["causes"].shape == (2, 0, 3)
    assert visible_keys(batch["rows"], batch["attention_mask"]).shape == (2, 0, 3)


def test_dtypes_are_those_that_models_take() -> None:
    batch = Collator(PAD)(TEXTS)
    assert {name: tensor.dtype for name, tensor in batch.items()} == {
        "input_ids": torch.int64,
        "attention_mask": torch.int64,
        "labels": torch.int64,
        "rows": torch.int64,
        "causes": torch.bool,
        "index": torch.int64,
    }


@pytest.mark.parametrize("padding", ["right", "left"])
def test_visible_keys(padding: str) -> None:
    mask = torch.tensor([[1, 1, 1, 1], [1, 1, 0, 0]])
    if padding == "left":
        mask = mask.flip(1)
    rows = torch.tensor([[0, 3, -1], [1, 2, 3]])
    visible = visible_keys(rows, mask)
    for b in range(2):
        for r in range(3):
            for key in range(4):
                expected = key <= rows[b, r] and bool(mask[b, key])
                assert bool(visible[b, r, key]) == expected
