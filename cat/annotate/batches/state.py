"""What is known of the batches of an output file: written before and after each remote step.

Beside OUT.jsonl stands the folder OUT.jsonl.batches: ``batches.json``, and for each batch the
requests as they were uploaded and the results as they were downloaded. A process that is killed at
any moment leaves there what the next one needs to go on, so that no paid batch is lost or doubled.

>>> from dataclasses import replace
>>> from tempfile import TemporaryDirectory
>>> with TemporaryDirectory() as folder:
...     state = BatchState(Path(folder, "train.jsonl"))
...     batch = state.put(Batch("b1", keys=("k1", "k2")))
...     batch = state.put(replace(batch, step="uploaded", input_file="file-1"))
...     again = BatchState(Path(folder, "train.jsonl"))
>>> [(batch.name, batch.step) for batch in again.open], sorted(again.open_keys)
([('b1', 'uploaded')], ['k1', 'k2'])
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal, get_args

from cat.annotate.cost.money import Money
from cat.appending import lock

__all__ = ["Batch", "BatchState", "Step"]

Step = Literal["prepared", "uploaded", "creating", "submitted", "collected"]
STEPS: tuple[Step, ...] = get_args(Step)


@dataclass(frozen=True)
class Batch:
    """One batch on its way.

    Attributes:
        name: our own, sent as metadata, so that the batch can be found again by it.
        keys: of its texts, in the journal; the requests' custom ids.
        step: how far it came: "prepared" (its requests are written), "uploaded", "creating" (the
            call that makes it was perhaps sent), "submitted", "collected".
        input_file: the provider's name of the uploaded requests.
        id: the provider's name of the batch.
        status: as the provider last said.
        held: the most that it can cost; None where that is unknown.
        manner: in which its requests are put, the fields of a
            :class:`cat.annotate.asking.endpoint.Manner`.
    """

    name: str
    keys: tuple[str, ...]
    step: Step = "prepared"
    input_file: str | None = None
    id: str | None = None
    status: str | None = None
    held: Money | None = None
    manner: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        held = self.held and {"amount": str(self.held.amount), "currency": self.held.currency}
        return {**asdict(self), "held": held}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Batch:
        """The reverse of :meth:`to_dict`.

        Raises:
            ValueError, TypeError, KeyError, ArithmeticError: it is no such dictionary.
        """
        held = data["held"] and Money(Decimal(data["held"]["amount"]), data["held"]["currency"])
        batch = cls(**{**data, "keys": tuple(data["keys"]), "held": held})
        if batch.step not in STEPS:
            raise ValueError(f"expected a step among {STEPS}, got {batch.step!r}")
        return batch


class BatchState:
    """The batches of an output file.

    Args:
        output: the journal that their results go to.

    Raises:
        ValueError: what is written there cannot be read.
    """

    def __init__(self, output: str | Path) -> None:
        output = Path(output)
        self.folder = output.with_name(output.name + ".batches")
        self.path = self.folder / "batches.json"
        self.batches = {batch.name: batch for batch in self._read()}
        self._held = False

    @contextmanager
    def held(self) -> Iterator[BatchState]:
        """Within: no other process changes it, and what others did before is known.

        Raises:
            BlockingIOError: another process holds it.
        """
        if self._held:
            yield self
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / "lock").open("ab") as file:
            try:
                lock(file, wait=False)
            except BlockingIOError:
                raise BlockingIOError(
                    f"{self.folder}: another process is at work on these batches: wait until it "
                    "has ended"
                ) from None
            self.batches = {batch.name: batch for batch in self._read()}
            self._held = True
            try:
                yield self
            finally:
                self._held = False

    def _read(self) -> list[Batch]:
        if not self.path.exists():
            return []
        try:
            listed = json.loads(self.path.read_text("utf-8"))
            if not isinstance(listed, list):
                raise TypeError(f"a list is missing, there is {type(listed).__name__}")
            return [Batch.from_dict(data) for data in listed]
        except (ValueError, TypeError, KeyError, ArithmeticError) as error:
            raise ValueError(
                f"{self.path}: expected the batches on their way, the file is damaged ({error}). "
                "The provider's page lists its batches: their metadata 'name' is the name of the "
                f"files in {self.folder}"
            ) from error

    def put(self, batch: Batch) -> Batch:
        """Keep a batch as it is now; on the disk when this returns."""
        self.batches[batch.name] = batch
        self._write()
        return batch

    def drop(self, batch: Batch) -> None:
        """Forget a batch that was never made at the provider."""
        del self.batches[batch.name]
        self._write()

    def _write(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(self.path.name + ".partial")
        with partial.open("w", encoding="utf-8") as file:
            json.dump([batch.to_dict() for batch in self.batches.values()], file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(self.path)

    @property
    def open(self) -> list[Batch]:
        """Those whose results are not in the journal."""
        return [batch for batch in self.batches.values() if batch.step != "collected"]

    @property
    def open_keys(self) -> set[str]:
        """The texts that are on their way."""
        return {key for batch in self.open for key in batch.keys}

    def requests_file(self, batch: Batch) -> Path:
        """The requests, as they are uploaded."""
        return self.folder / f"{batch.name}.requests.jsonl"

    def results_file(self, batch: Batch, kind: Literal["output", "errors"]) -> Path:
        """The results, as they are downloaded."""
        return self.folder / f"{batch.name}.{kind}.jsonl"
