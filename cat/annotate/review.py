"""A person's verdicts on signals: accepted, edited, rejected, added; saved one by one.

The verdicts lie in a file of their own beside the annotated one, which stays as it is: JSON lines,
only ever appended to, each on the disk when :meth:`Review.record` returns; the last verdict on a
relation counts. A verdict names its text by the key of the annotation's line, or by a digest of
the text where a file has no keys, and its relation by the phrases: it never lands on another one.

>>> from tempfile import TemporaryDirectory
>>> text = {"input": "Ann has 2 pens and gets 3 more. Answer: ", "target": "5",
...         "important": [{"5": ["2 pens", "more"]}, {"3 more": ["Ann"]}]}
>>> answer, other = relations_of(text)
>>> with TemporaryDirectory() as folder:
...     review = Review(review_path(f"{folder}/train.jsonl"))
...     review.record(text, answer, "edited", Relation("5", ("2 pens", "3 more")))
...     review.record(text, other, "rejected")
...     Review(review.path).apply([text])[0]["important"]
[{'5': ['2 pens', '3 more']}]
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, cast, get_args

from cat.annotate.checking import Fault, check
from cat.annotate.relations import Relation
from cat.appending import append_to, read_under_lock
from cat.signals import Example, Place, Signal, Span

__all__ = [
    "Review",
    "Verdict",
    "Word",
    "relations_of",
    "review_path",
    "text_key",
]

Record = Mapping[str, Any]
Item = TypeVar("Item", bound=Record | Example)

Word = Literal["accepted", "edited", "rejected", "added", "open"]
WORDS: tuple[Word, ...] = get_args(Word)
OF_TEXTS: tuple[Word, ...] = ("accepted", "rejected", "open")


@dataclass(frozen=True)
class Verdict:
    """On one relation, or on a text as a whole.

    Attributes:
        word: "accepted"; "edited", then with the relation that takes its place; "rejected";
            "added", of a relation that the annotation does not have; "open", an earlier verdict
            taken back. Of a text, "accepted" goes for every relation that has no verdict of its
            own, and "rejected" leaves the text out.
        edited: what stands in its place.
    """

    word: Word
    edited: Relation | None = None


OPEN = Verdict("open")


class Review:
    """The verdicts of a file, which is made with the first of them.

    Args:
        path: see :func:`review_path`.
        reviewer: who judges, written into each line; may be empty.

    Attributes:
        unreadable: what was skipped in reading, a sentence each (a line cut off, or damaged).
    """

    def __init__(self, path: str | Path, *, reviewer: str = "") -> None:
        self.path = Path(path)
        self.reviewer = reviewer
        self.unreadable: tuple[str, ...] = ()
        self._verdicts: dict[str, dict[Relation | None, Verdict]] = {}
        self._read()

    @property
    def verdicts(self) -> Mapping[str, Mapping[Relation | None, Verdict]]:
        """Key of a text -> relation (None for the text as a whole) -> the last verdict on it.

        A text that has a key is found under it and under the digest of its words.
        """
        return self._verdicts

    def verdict(self, item: Record | Example, relation: Relation | None = None) -> Verdict:
        """The last one on a relation of a text, or on the text as a whole."""
        return self._of(item).get(relation, OPEN)

    def relations(self, item: Record | Example) -> tuple[Relation, ...]:
        """The relations of a text as it was annotated, then those that were added."""
        annotated = relations_of(item)
        return annotated + tuple(
            relation
            for relation, verdict in self._of(item).items()
            if relation is not None and verdict.word == "added" and relation not in annotated
        )

    def is_reviewed(self, item: Record | Example) -> bool:
        """Whether each relation has a verdict, or the text as a whole."""
        given = self._of(item)
        if given.get(None, OPEN).word != "open":
            return True
        relations = relations_of(item)
        return bool(relations) and all(given.get(r, OPEN).word != "open" for r in relations)

    def record(
        self,
        item: Record | Example,
        relation: Relation | None,
        word: Word,
        edited: Relation | None = None,
    ) -> None:
        """Keep a verdict; it is on the disk when this returns.

        Args:
            item: the text, as a record or as an example.
            relation: one of its relations, or the one to be added; None for the text as a whole.
            edited: with "edited", what is to stand in its place; phrases are kept as they stand
                in the text.

        Raises:
            ValueError: an unknown verdict, a relation that the text does not have, or an edit
                that fails the checks that the assistant's relations go through.
            OSError: it could not be written; every verdict before it is kept.
        """
        self._refuse_what_makes_no_sense(item, relation, word, edited)
        if word == "added" and relation is not None:
            relation = _checked(item, relation)
        replaced = _checked(item, edited) if edited is not None else None
        given = [(relation, Verdict(word, replaced))]
        if relation is not None and replaced is not None and relation not in relations_of(item):
            given = [(relation, OPEN), (replaced, Verdict("added"))]  # an edit of an added one
        self._append([_line(item, *one, reviewer=self.reviewer) for one in given])
        for one in given:
            self._keep(_keys(item), *one)

    def apply(self, items: Iterable[Item]) -> list[Item]:
        """The texts as they are to be trained on.

        Rejected relations and texts are left out, edited relations replaced, added ones added at
        the end; what has no verdict, or is accepted, stays as it is.
        """
        return [self._applied(item) for item in items if self.verdict(item).word != "rejected"]

    def _applied(self, item: Item) -> Item:
        given = self._of(item)
        if not any(verdict.word in ("edited", "rejected", "added") for verdict in given.values()):
            return item
        example = _example(item)
        signals = []
        for signal, relation in zip(example.signals, relations_of(item), strict=True):
            verdict = given.get(relation, OPEN)
            if verdict.edited is not None:
                signals.append(_signal(verdict.edited))
            elif verdict.word != "rejected":
                signals.append(signal)
        annotated = len(example.signals)
        signals += [_signal(relation) for relation in self.relations(item)[annotated:]]
        if isinstance(item, Example):
            return replace(item, signals=tuple(signals))
        rewritten = replace(example, signals=tuple(signals))
        important = [{one.effect: list(one.causes)} for one in relations_of(rewritten)]
        return cast("Item", {**item, "important": important})

    def _of(self, item: Record | Example) -> Mapping[Relation | None, Verdict]:
        return self._verdicts.get(text_key(item), {})

    def _refuse_what_makes_no_sense(
        self, item: Record | Example, relation: Relation | None, word: Word, edited: object
    ) -> None:
        allowed = OF_TEXTS if relation is None else WORDS
        if word not in allowed:
            raise ValueError(f"expected a verdict among {', '.join(allowed)}, got {word!r}")
        if (word == "edited") != (edited is not None):
            raise ValueError(
                "expected an edited relation with the verdict 'edited' and with no other, got "
                f"{edited!r} with {word!r}"
            )
        if relation is None or word == "added":
            return
        if relation not in (known := self.relations(item)):
            raise ValueError(f"expected a relation of this text, one of {known}, got {relation}")

    def _append(self, lines: Sequence[Mapping[str, Any]]) -> None:
        text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
        try:
            append_to(self.path, text)
        except OSError as error:
            raise OSError(
                error.errno,
                f"the verdict could not be written to {self.path} ({error.strerror}): it alone "
                "is lost, all before it are kept. Free space there, or choose another file",
            ) from error

    def _keep(self, keys: Iterable[str], relation: Relation | None, verdict: Verdict) -> None:
        for key in keys:
            given = self._verdicts.setdefault(key, {})
            given.pop(relation, None)  # added again, it comes last
            given[relation] = verdict

    def _read(self) -> None:
        if not self.path.exists():
            return
        unreadable = []
        for number, raw in enumerate(read_under_lock(self.path).split(b"\n"), start=1):
            if not raw.strip():
                continue
            try:
                self._keep(*_parsed(raw))
            except (ValueError, KeyError, TypeError) as error:
                reason = f"{type(error).__name__}: {error}"
                unreadable.append(f"{self.path.name}:{number}: no verdict ({reason}); skipped")
        self.unreadable = tuple(unreadable)


def review_path(path: str | Path) -> Path:
    """The file of the verdicts on an annotated file, beside it.

    Its name does not end in .jsonl: a folder of training data is read by that.

    >>> review_path("train.jsonl").name
    'train.jsonl.review'
    """
    path = Path(path)
    return path.with_name(f"{path.name}.review")


def relations_of(item: Record | Example) -> tuple[Relation, ...]:
    """The relations of a text as they are annotated, as phrases."""
    example = _example(item)
    return tuple(
        Relation(
            _phrase(example, signal.effect),
            tuple(_phrase(example, cause) for cause in signal.causes),
        )
        for signal in example.signals
    )


def text_key(item: Record | Example) -> str:
    """What verdicts on a text are kept under: its line's key, else a digest of its words."""
    if not isinstance(item, Example) and item.get("key"):
        return str(item["key"])
    return _digest(_example(item))


def _keys(item: Record | Example) -> tuple[str, ...]:
    """With a key, the digest as well: examples have lost the key of their line."""
    return tuple(dict.fromkeys((text_key(item), _digest(_example(item)))))


def _digest(example: Example) -> str:
    return hashlib.sha256(f"{example.text}\x00{example.answer}".encode()).hexdigest()


def _example(item: Record | Example) -> Example:
    return item if isinstance(item, Example) else Example.from_record(item)


def _phrase(example: Example, place: Place) -> str:
    return example.full_text[place.start : place.end] if isinstance(place, Span) else place


def _signal(relation: Relation) -> Signal:
    return Signal(relation.effect, relation.causes)


def _checked(item: Record | Example, relation: Relation) -> Relation:
    """The relation, its phrases as they stand in the text."""
    checked = check(_example(item), (relation,))
    told = "; ".join(_WHY[fault.reason](fault) for fault in checked.faults if fault.reason in _WHY)
    if told or not checked.signals:
        raise ValueError(told or "expected an effect and at least one cause before it")
    if len(checked.signals) > 1:
        spelt = " or ".join(repr(signal.effect) for signal in checked.signals)
        raise ValueError(f"expected one effect, got several spellings of it: write {spelt}")
    return relations_of(replace(_example(item), signals=checked.signals))[0]


_WHY: Mapping[str, Callable[[Fault], str]] = {
    "absent": lambda fault: (
        " and ".join(map(repr, fault.missing)) + " not found in the text: copy the words from it"
    ),
    "order": lambda fault: (
        f"{fault.cause!r} does not end before {fault.effect!r} begins: a cause "
        "stands before its effect"
    ),
}


def _line(
    item: Record | Example, relation: Relation | None, verdict: Verdict, *, reviewer: str
) -> dict[str, Any]:
    line: dict[str, Any] = {
        "key": text_key(item),
        "text": _digest(_example(item)),
        "relation": _plain(relation),
        "verdict": verdict.word,
    }
    if verdict.edited is not None:
        line["edited"] = _plain(verdict.edited)
    if reviewer:
        line["reviewer"] = reviewer
    return {**line, "date": datetime.now(UTC).isoformat(timespec="seconds")}


def _plain(relation: Relation | None) -> dict[str, Any] | None:
    if relation is None:
        return None
    return {"effect": relation.effect, "causes": list(relation.causes)}


def _parsed(raw: bytes) -> tuple[tuple[str, ...], Relation | None, Verdict]:
    line = json.loads(raw.decode("utf-8"))
    if line["verdict"] not in WORDS:
        raise ValueError(f"unknown verdict {line['verdict']!r}")
    edited = _relation(line.get("edited"))
    if (line["verdict"] == "edited") != (edited is not None):
        raise ValueError("an edit without what stands in its place, or the reverse")
    keys = dict.fromkeys((str(line["key"]), str(line["text"])))
    return tuple(keys), _relation(line["relation"]), Verdict(line["verdict"], edited)


def _relation(plain: Mapping[str, Any] | None) -> Relation | None:
    if plain is None:
        return None
    return Relation(str(plain["effect"]), tuple(map(str, plain["causes"])))
