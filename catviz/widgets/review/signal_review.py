"""A person looks at annotated texts one by one and judges their signals, by keyboard."""

from __future__ import annotations

import os
import threading
from collections import defaultdict
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from cat.annotate.relations import Relation
from cat.annotate.review import Review, review_path, text_key
from cat.signals import Example, read_records, settled_records
from catviz.figures.figure import Figure
from catviz.figures.notebook import image_output, smaller
from catviz.viewer.module import join_module
from catviz.widgets.review.marked import marked_text

__all__ = ["SignalReview", "review_module"]

Record = Mapping[str, Any]
Source = str | os.PathLike[str] | Sequence[Record] | Sequence[Example]

_PARTS = ("keys.js", "passage.js", "relations.js", "editor.js", "tokens.js", "view.js", "mount.js")


@cache
def review_module() -> str:
    """Return the text of the page's program; its default export is what anywidget asks for."""
    return join_module(__package__, style="review.css", parts=_PARTS)


class SignalReview(anywidget.AnyWidget):
    """Annotated texts one by one: effect and causes in the text, linked; accept, edit or reject.

    Click into it, then use the keys that stand on its buttons. Each verdict is on the disk before
    the page says "saved"; what could not be saved is said, and asked for again. Opened again on
    the same file it goes on with the first text that has no verdict. One text at a time travels to
    the page: a file of thousands is as quick as one of ten.

    Args:
        texts: a file that ``cat-tune annotate`` wrote, or one in the authors' format; or records;
            or examples.
        out: the file of the verdicts; beside the annotated file by default, see
            :func:`cat.annotate.review.review_path`.
        tokenizer: a fast tokenizer, to see the tokens that training supervises.
        reviewer: who judges, written beside each verdict.

    Attributes:
        number: which text is shown, counted from 0; set it to show another one.
        review: the verdicts, a :class:`cat.annotate.review.Review`; ``review.apply(records)`` gives
            what is to be trained on.

    Raises:
        ValueError: no text, or records without a file for the verdicts.

    >>> SignalReview("mawps.jsonl", tokenizer=tokenizer)  # in a notebook  # doctest: +SKIP
    """

    _esm = review_module()

    number = traitlets.Int(0, help="which text is shown, from 0")

    def __init__(
        self,
        texts: Source,
        *,
        out: str | os.PathLike[str] | None = None,
        tokenizer: Any = None,
        reviewer: str = "",
    ) -> None:
        self._items, beside = _read(texts)
        if (kept_in := out or beside) is None:
            raise ValueError(
                "expected a file for the verdicts where the texts come from no file: "
                'out="my.review"'
            )
        self.review = Review(os.fspath(kept_in), reviewer=reviewer)
        self._tokenizer = tokenizer
        self._lock = threading.RLock()
        self._same: dict[str, list[int]] = defaultdict(list)  # a file may have a text twice
        for number, item in enumerate(self._items):
            self._same[text_key(item)].append(number)
        self._reviewed = {n for n, i in enumerate(self._items) if self.review.is_reviewed(i)}
        first = self._next_unreviewed(-1)
        super().__init__(number=0 if first is None else first)
        self.on_msg(self._hear)
        # Unasked, right behind the widget itself: a question would wait for the cell to end.
        self._show(said=" ".join(self.review.unreadable))
        self.observe(lambda change: self._show(), names="number")

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"<SignalReview of {len(self)} texts, {self.reviewed} reviewed>"

    @property
    def reviewed(self) -> int:
        """How many texts have a verdict on every relation, or on the whole."""
        return len(self._reviewed)

    def static(self) -> Figure:
        """The text that is shown now, as a figure, for where widgets are not drawn."""
        from catviz.figures.signals import signal_text

        item = self._items[self.number]
        (example, *_) = self._examples(self.review.apply([item]) or [item])
        return signal_text(example)

    @traitlets.validate("number")
    def _check_number(self, proposal: dict[str, Any]) -> int:
        number = proposal["value"]
        if not 0 <= number < len(self):
            raise traitlets.TraitError(
                f"expected the number of a text from 0 to {len(self) - 1}, got {number}"
            )
        return number

    def _hear(self, widget: Any, content: dict[str, Any], buffers: list[bytes]) -> None:
        with self._lock:
            match content.get("kind"):
                case "show":
                    self._show()
                case "go":
                    self._go(content["to"])
                case "judge":
                    self._judge(content)

    def _go(self, to: int | str) -> None:
        last = len(self) - 1
        wanted = {"next": self.number + 1, "previous": self.number - 1}.get(str(to), to)
        if to == "unreviewed":
            found = self._next_unreviewed(self.number)
            if found is None:
                self._show(said="Every text is reviewed.")
                return
            wanted = found
        number = min(max(int(wanted), 0), last)
        if number == self.number:
            ends = {0: "This is the first text.", last: "This is the last text."}
            self._show(said=ends.get(number, ""))
        self.number = number

    def _judge(self, asked: dict[str, Any]) -> None:
        """Save a verdict, on the text that the page showed when it was given."""
        item = self._items[asked["number"]]
        relation, edited = _relation(asked["relation"]), _relation(asked.get("edited"))
        reply = {"id": asked["id"]}
        try:
            self.review.record(item, relation, asked["verdict"], edited)
        except (ValueError, OSError) as error:
            told = error.strerror if isinstance(error, OSError) else None  # without its number
            self._show(failed=told or str(error), reply=reply)
            return
        for same in self._same[text_key(item)]:
            change = self._reviewed.add if self.review.is_reviewed(item) else self._reviewed.discard
            change(same)
        self._show(saved=f"saved in {self.review.path.name}", reply=reply)

    def _next_unreviewed(self, number: int) -> int | None:
        """The first one behind a number, else the first of all."""
        n = len(self._items)
        around = ((number + step) % n for step in range(1, n + 1))
        return next((one for one in around if one not in self._reviewed), None)

    def _show(self, *, reply: Mapping[str, Any] | None = None, **said: str) -> None:
        """Send the text that is shown now, with what is to be said: said, saved or failed."""
        with self._lock:
            marked = marked_text(self._items[self.number], self.review, self._tokenizer)
            about = {"number": self.number, "total": len(self), "reviewed": self.reviewed}
            self.send({"kind": "text", **about, **marked, **said, "reply": reply})

    def _examples(self, items: Sequence[Any]) -> list[Example]:
        return [i if isinstance(i, Example) else Example.from_record(i) for i in items]

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        bundle = super()._repr_mimebundle_(**kwargs)
        if bundle is None:
            return None
        data, about = bundle
        data["image/png"], size = image_output(smaller(self.static().render("png")))
        return data, {**about, "image/png": size}


def _read(texts: Source) -> tuple[list[Any], Path | None]:
    """The texts, and the file for verdicts beside them, where they come from a file."""
    if isinstance(texts, str | os.PathLike):
        records = settled_records(list(read_records(Path(texts))))
        if not records:
            raise ValueError(f"{texts}: expected at least one annotated text, got none")
        for where, record in records:
            Example.from_record(record, where)  # refuses what is no text
        return [record for _, record in records], review_path(Path(texts))
    if not texts:
        raise ValueError("expected at least one annotated text, got none")
    return list(texts), None


def _relation(plain: Mapping[str, Any] | None) -> Relation | None:
    return None if plain is None else Relation(plain["effect"], tuple(plain["causes"]))
