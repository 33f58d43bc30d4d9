"""A sweep: one model tuned at each alpha, plain training first, and what every one of them does.

    >>> sweep = read_sweep()  # the shipped models of ``tiny``
    >>> [tuned.name for tuned in sweep.models][:3]
    ['plain', 'alpha 0.3', 'alpha 1']
    >>> sweep.models[0].accuracy["test_ood"].share, sweep.models[6].accuracy["test_ood"].share
    (0.7925, 0.9775)

What is said of accuracy was measured when the models were tuned; the rest is measured by
:func:`measure`, once for the same models and texts. Of the shipped models it was measured before
they were shipped (:mod:`catviz.sweep_file`).
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cat.data import digest, load_data
from cat.signals import Example

if TYPE_CHECKING:
    from catviz.effects.interventions import Effect
    from catviz.maps import MeanMap
    from catviz.scores import RoleScores

__all__ = [
    "SHIPPED",
    "Accuracy",
    "Measured",
    "Sweep",
    "TunedModel",
    "measure",
    "read_sweep",
    "sweep_texts",
]

SHIPPED = Path(__file__).parent / "measured" / "tiny.npz"
"""What the shipped models do with their first 100 texts out of distribution."""

RESULT = "result.json"
_SAME = ("model", "lora", "lora_rank")  # what runs of one sweep have in common, beside their data
_KEPT = 4  # sweeps whose measures are kept in memory


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


# --------------------------------------------------------------------------- reading


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


# --------------------------------------------------------------------------- measuring


@dataclass(frozen=True, eq=False)
class Measured:
    """What one model of a sweep does with texts.

    Attributes:
        scores: attention on each word, by role, over all texts.
        maps: of the texts that are shown, in order.
        says: the model's greedy answer to each of these.
        effects: of each factor on the answer, over the first texts; empty where the texts are of no
            game, whose causal model would be needed.
    """

    tuned: TunedModel
    scores: RoleScores
    maps: tuple[MeanMap, ...]
    says: tuple[str, ...]
    effects: tuple[Effect, ...]


_measured: OrderedDict[Any, tuple[Measured, ...]] = OrderedDict()


def measure(
    sweep: Sweep,
    texts: Sequence[Example],
    *,
    shown: int = 12,
    effect_texts: int = 24,
    known: str | Path | None = SHIPPED,
    progress: str | None = None,
) -> tuple[Measured, ...]:
    """What every model of a sweep does with texts, in the sweep's order.

    The models are loaded one after another, so that no two are in memory. Asked again for the same
    files and texts, the answer comes from memory.

    Args:
        texts: with roles and answers; :func:`sweep_texts` gives those of the sweep.
        shown: of how many texts, the first ones, to keep the mean map and the answer.
        effect_texts: over how many texts, the first ones, effects are averaged.
        known: a file of measures, by :func:`catviz.sweep_file.write_measures`. Where it is of just
            these models, texts and amounts, nothing is measured and no model loaded; else it
            counts for nothing. None to measure in any case.
        progress: show a progress bar of this name.

    Raises:
        ValueError: no text, texts without roles, a model that cannot be loaded, models that read
            the texts as different tokens.
    """
    key = (
        *((tuned.folder, (tuned.folder / RESULT).stat().st_mtime_ns) for tuned in sweep.models),
        *(tuple(texts), shown, effect_texts, known),
    )
    if key not in _measured:
        found = None
        if known is not None:
            from catviz.sweep_file import read_measures

            found = read_measures(known, sweep, texts, shown=shown, effect_texts=effect_texts)
        _measured[key] = found or _measure_all(sweep, texts, shown, effect_texts, progress)
        if len(_measured) > _KEPT:
            _measured.popitem(last=False)
    _measured.move_to_end(key)
    return _measured[key]


def _measure_all(
    sweep: Sweep, texts: Sequence[Example], shown: int, effect_texts: int, progress: str | None
) -> tuple[Measured, ...]:
    from tqdm.auto import tqdm

    bar = tqdm(sweep.models, desc=progress, unit="model", disable=progress is None, leave=False)
    found = tuple(_measure(tuned, texts, shown, effect_texts) for tuned in bar)
    _check_same_tokens(found)
    return found


def _measure(
    tuned: TunedModel, texts: Sequence[Example], shown: int, effect_texts: int
) -> Measured:
    from cat.evaluate import evaluate_answers
    from cat.models import load_model
    from cat.stg import read_factors
    from cat.tiny import suitable_threads
    from catviz.density import role_scores
    from catviz.effects.interventions import average_effects
    from catviz.effects.plain import PlainModel
    from catviz.reading import mean_map

    model, tokenizer = load_model(str(tuned.folder))
    plain = PlainModel(model, tokenizer, tuned.name)
    some = texts[:effect_texts]
    of_a_game = all(read_factors(text.text) is not None for text in some)
    with suitable_threads(model):
        return Measured(
            tuned=tuned,
            scores=role_scores(model, tokenizer, texts),
            maps=tuple(
                mean_map(model, tokenizer, text, name=tuned.name, label=f"text {number}")
                for number, text in enumerate(texts[:shown], start=1)
            ),
            says=evaluate_answers(model, tokenizer, texts[:shown]).answers,
            effects=tuple(average_effects(plain, some, batch_size=64)) if of_a_game else (),
        )


def _check_same_tokens(found: Sequence[Measured]) -> None:
    first = found[0]
    for other in found[1:]:
        for one, two in zip(first.maps, other.maps, strict=True):
            if one.words != two.words:
                raise ValueError(
                    f"expected models that read a text as the same tokens, but {one.text} is "
                    f"{one.size} tokens to {one.model} and {two.size} to {two.model}: put the "
                    "models of one tokenizer into a folder of their own"
                )
