"""The models of a sweep: one model tuned at each alpha, found by the result.json of each run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cat.data import digest, load_data
from cat.signals import Example

__all__ = ["RESULT", "Accuracy", "Sweep", "TunedModel", "read_sweep", "sweep_texts"]

RESULT = "result.json"
_SAME = ("model", "lora", "lora_rank")  # what runs of one sweep have in common, beside their data


@dataclass(frozen=True)
class Accuracy:
    """Share of right answers, 0 to 1, with its 95% interval over the choice of ``texts`` texts."""

    share: float
    low: float
    high: float
    texts: int


@dataclass(frozen=True, eq=False)
class TunedModel:
    """One model of a sweep; alpha None is plain training.

    Attributes:
        folder: where it was saved, with its result.json.
        accuracy: by test set, as measured after training.
        reference: by test set, the rule that always gives one answer, and its accuracy.
    """

    alpha: float | None
    seed: int
    folder: Path
    accuracy: Mapping[str, Accuracy]
    reference: Mapping[str, tuple[str, float]]

    @property
    def name(self) -> str:
        return "plain" if self.alpha is None else f"alpha {self.alpha:g}"

    @property
    def place(self) -> str:
        """What stands on an axis of alphas."""
        return "plain" if self.alpha is None else f"{self.alpha:g}"


@dataclass(frozen=True, eq=False)
class Sweep:
    """Models that differ in alpha alone, by rising alpha, plain training first.

    Attributes:
        data, train_split: what they were trained on, as :func:`cat.data.load_data` takes it.
        digests: of every split's texts (:func:`cat.data.digest`).
        notes: what was left out of the folder, and why; sentences.
    """

    models: tuple[TunedModel, ...]
    data: str
    train_split: str
    digests: Mapping[str, str]
    notes: tuple[str, ...]

    @property
    def tests(self) -> tuple[str, ...]:
        """The test sets that every model was scored on."""
        first, *others = self.models
        return tuple(t for t in first.accuracy if all(t in other.accuracy for other in others))

    @property
    def ood(self) -> str:
        """The test set out of distribution, or the last one where none is called so."""
        return next((test for test in self.tests if "ood" in test), self.tests[-1])


def read_sweep(folder: str | Path | None = None) -> Sweep:
    """The models of a sweep, from the ``result.json`` of each.

    Args:
        folder: holds a folder a run, as ``cat-tune train --output_dir FOLDER/NAME`` leaves it. None
            for the models of ``tiny`` that are shipped.

    Of several runs with one alpha the one with the lowest seed is taken; where runs differ in
    model or training texts, those that make the longest sweep. ``notes`` says what was left out.

    Raises:
        ValueError: a folder without finished runs; a result.json that is cut off, or from another
            version; runs without a test set in common.
    """
    from cat.models import CHECKPOINTS

    folder = CHECKPOINTS if folder is None else Path(folder).expanduser()
    runs = [_Run.read(path) for path in _results_in(folder)]
    notes = [*_unfinished(folder)]
    groups: dict[Any, list[_Run]] = {}
    for run in runs:
        groups.setdefault(run.kind, []).append(run)
    chosen = max(groups.values(), key=lambda group: len({run.tuned.alpha for run in group}))
    if others := [run.tuned.folder.name for run in runs if run not in chosen]:
        notes.append(
            f"Left out, as they are of another model or trained on other texts: {_listed(others)}."
        )
    by_alpha: dict[float, TunedModel] = {}
    for run in sorted(chosen, key=lambda run: (run.tuned.seed, run.tuned.folder.name)):
        by_alpha.setdefault(run.tuned.alpha or 0.0, run.tuned)
    models = tuple(by_alpha[alpha] for alpha in sorted(by_alpha))
    if len(models) < len(chosen):
        seeds = sorted({tuned.seed for tuned in models})
        notes.append(
            f"Several runs have the same alpha: of each alpha the one with the lowest seed is "
            f"shown ({_listed(map(str, seeds))})."
        )
    if models[0].alpha is not None:
        notes.append(f"None of the runs is plain training: the left end is {models[0].name}.")
    run = chosen[0]
    sweep = Sweep(models, run.data, run.train_split, run.digests, tuple(notes))
    if not sweep.tests:
        raise ValueError(f"{folder}: expected runs scored on one test set at least, got none")
    return sweep


def sweep_texts(sweep: Sweep) -> list[Example]:
    """The texts out of distribution that a sweep's models were scored on.

    Raises:
        ValueError: they are not to be found any more, or have changed since.
    """
    try:
        texts = load_data(sweep.data, sweep.train_split)[sweep.ood]
    except (ValueError, OSError, KeyError) as error:
        raise ValueError(
            f"expected the texts of the sweep, {sweep.ood} of {sweep.data}: {error}. "
            "Give texts to look at: texts=[...]"
        ) from error
    known = sweep.digests.get(sweep.ood)
    if known is not None and digest(texts) != known:
        raise ValueError(
            f"{sweep.ood} of {sweep.data} holds other texts than those that the models were scored "
            "on: put the old file back, or say which texts to look at with texts=[...]"
        )
    return texts


@dataclass(frozen=True, eq=False)
class _Run:
    """What a result.json says."""

    tuned: TunedModel
    kind: tuple[Any, ...]
    data: str
    train_split: str
    digests: Mapping[str, str]

    @classmethod
    def read(cls, path: Path) -> _Run:
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(
                f"{path}: expected JSON, got a file that is cut off or no JSON ({error}): train "
                "this run again, or take its folder away"
            ) from error
        try:
            alpha = found["settings"]["alpha"]
            accuracy = {test: _accuracy(score) for test, score in found["scores"].items()}
            return cls(
                TunedModel(
                    alpha=None if alpha is None else float(alpha),
                    seed=int(found["settings"]["seed"]),
                    folder=path.parent,
                    accuracy=accuracy,
                    reference=_references(found["references"]),
                ),
                kind=(*(found["run"][name] for name in _SAME), found["data"]["train"]),
                data=found["run"]["data"],
                train_split=found["run"]["train_split"],
                digests=found["data"],
            )
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            missing = f"it has no {error}" if isinstance(error, KeyError) else str(error)
            raise ValueError(
                f"{path}: expected what cat-tune train writes, but {missing}. Was it written by "
                "another version? Train this run again, or take its folder away"
            ) from error


def _accuracy(score: Mapping[str, Any]) -> Accuracy:
    low, high = score["interval"]
    return Accuracy(float(score["accuracy"]), float(low), float(high), int(score["texts"]))


def _references(found: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, float]]:
    return {
        test: (rule, float(score["accuracy"]))
        for test, rules in found.items()
        for rule, score in rules.items()
        if rule.startswith("always ")
    }


def _results_in(folder: Path) -> list[Path]:
    advice = "a run each, as `cat-tune train --alpha 3 --output_dir FOLDER/alpha-3` leaves it"
    if not folder.is_dir():
        raise ValueError(f"expected a folder that holds {advice}; there is no folder {folder}")
    if (folder / RESULT).is_file():
        raise ValueError(f"expected a folder that holds {advice}; {folder} is itself one run")
    results = sorted(folder.glob(f"*/{RESULT}"))
    if not results:
        inside = sorted(entry.name for entry in folder.iterdir())
        raise ValueError(
            f"expected a folder that holds {advice}; {folder} has no finished run, it holds "
            f"{_listed(inside) or 'nothing'}"
        )
    return results


def _unfinished(folder: Path) -> list[str]:
    names = [
        entry.name
        for entry in sorted(folder.iterdir())
        if entry.is_dir() and not entry.name.startswith((".", "_"))
        if not (entry / RESULT).is_file()
    ]
    if not names:
        return []
    return [f"Left out, as they have no {RESULT} (was the run stopped?): {_listed(names)}."]


def _listed(names: Any, most: int = 6) -> str:
    names = list(names)
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
