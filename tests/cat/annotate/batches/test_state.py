"""What is known of batches survives the process."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from cat.annotate.batches.state import Batch, BatchState
from cat.annotate.cost.money import Money

BATCH = Batch(
    "name",
    keys=("a", "b"),
    step="submitted",
    input_file="file-1",
    id="batch-1",
    status="validating",
    held=Money(Decimal("0.1200"), "USD"),
    manner={"mode": "json", "length_field": "max_tokens", "temperature": True},
)


@pytest.mark.parametrize("batch", [BATCH, Batch("bare", keys=())])
def test_a_batch_is_read_as_it_was_written(tmp_path: Path, batch: Batch) -> None:
    BatchState(tmp_path / "out.jsonl").put(batch)
    assert BatchState(tmp_path / "out.jsonl").batches == {batch.name: batch}


def test_open_are_those_not_collected(tmp_path: Path) -> None:
    state = BatchState(tmp_path / "out.jsonl")
    state.put(BATCH)
    state.put(Batch("other", keys=("c",)))
    state.put(replace(BATCH, step="collected"))
    again = BatchState(tmp_path / "out.jsonl")
    assert [batch.name for batch in again.open] == ["other"]
    assert again.open_keys == {"c"}
    again.drop(again.batches["other"])
    assert not BatchState(tmp_path / "out.jsonl").open


def test_nothing_is_written_before_there_is_a_batch(tmp_path: Path) -> None:
    assert BatchState(tmp_path / "out.jsonl").open == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "content", ['[{"name": "x"', "{}", '[{"name": "x", "keys": [], "held": null, "step": "lost"}]']
)
def test_a_damaged_state_is_told_and_left(tmp_path: Path, content: str) -> None:
    state = BatchState(tmp_path / "out.jsonl")
    state.put(BATCH)
    state.path.write_text(content)
    with pytest.raises(ValueError, match=r"batches\.json: expected the batches on their way"):
        BatchState(tmp_path / "out.jsonl")
    assert state.path.read_text() == content


def test_two_processes_never_work_on_the_same_batches(tmp_path: Path) -> None:
    one, other = (BatchState(tmp_path / "out.jsonl") for _ in range(2))
    with one.held():
        with pytest.raises(BlockingIOError, match="another process"), other.held():
            pass
        with one.held():  # it may ask twice itself
            one.put(BATCH)
    assert not other.open
    with other.held():  # what the first did is known
        assert other.open == [BATCH]
