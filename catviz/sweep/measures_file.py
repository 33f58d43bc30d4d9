"""What a sweep's models do with texts, kept in one file: made once, read in a moment.

A file is taken for what it was made of and nothing else: the same models, byte for byte, the same
texts with the same roles, the same amounts. The one that ships holds the measures of the models of
``tiny`` that ship; see :func:`catviz.sweep.shipped.make_shipped`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from cat.signals import Example
from catviz.effects.estimate import Estimate
from catviz.effects.interventions import Effect
from catviz.files import write_atomically
from catviz.maps import MeanMap
from catviz.scores import RoleScores
from catviz.sweep.measured import Measured
from catviz.sweep.models import Sweep, TunedModel
from catviz.words import Word

__all__ = ["SHIPPED", "read_measures", "write_measures"]

SHIPPED = Path(__file__).parents[1] / "measured" / "tiny.npz"
"""What the shipped models do with their first 100 texts out of distribution."""

_FORMAT = "catviz sweep 1"
_WEIGHTS = (".safetensors", ".bin")


def write_measures(
    path: str | Path,
    measured: Sequence[Measured],
    texts: Sequence[Example],
    *,
    shown: int,
    effect_texts: int,
) -> Path:
    """Write what :func:`catviz.sweep.measure` gave for these texts and amounts, as ``.npz``."""
    about = {
        "format": _FORMAT,
        "texts": _texts_digest(texts),
        "amounts": [shown, effect_texts],
        "models": [_about(one) for one in measured],
    }
    arrays = {f"{at}/{k}": v for at, one in enumerate(measured) for k, v in _arrays(one).items()}
    buffer = BytesIO()
    np.savez_compressed(buffer, about=np.array(json.dumps(about)), **arrays)  # type: ignore[arg-type]
    return write_atomically(path, buffer.getvalue())


def read_measures(
    path: str | Path,
    sweep: Sweep,
    texts: Sequence[Example],
    *,
    shown: int,
    effect_texts: int,
) -> tuple[Measured, ...] | None:
    """What :func:`write_measures` wrote, where it was of just these models, texts and amounts.

    None where it was of others, and where the file is missing, cut off, or of another version: all
    that is then to be done is to measure.
    """
    try:
        with Path(path).open("rb") as raw, np.load(raw, allow_pickle=False) as file:
            about = json.loads(str(file["about"]))
            wanted = (_FORMAT, [shown, effect_texts], _texts_digest(texts))
            if (about["format"], about["amounts"], about["texts"]) != wanted:
                return None
            if not _same_models(sweep.models, about["models"]):
                return None
            return tuple(
                _measured(tuned, one, file, f"{at}/")
                for at, (tuned, one) in enumerate(zip(sweep.models, about["models"], strict=True))
            )
    except Exception:  # zip, numpy and JSON fail each in many ways, and measuring is always right
        return None


# ----------------------------------------------------------------------------- what it is of


def _texts_digest(texts: Sequence[Example]) -> str:
    """Of the texts as they are asked about: with their answers, signals and roles."""
    return sha256(json.dumps([asdict(text) for text in texts]).encode()).hexdigest()


def _files(folder: Path) -> list[Path]:
    """The files of a saved model, weights last."""
    files = [file for file in folder.iterdir() if file.is_file() and file.name[0] != "."]
    return sorted(files, key=lambda file: (file.suffix in _WEIGHTS, file.name))


def _same_models(models: Sequence[TunedModel], known: Sequence[Mapping[str, Any]]) -> bool:
    """Whether these are the same files; weights are read where all else of a model agrees."""
    if [tuned.name for tuned in models] != [one["name"] for one in known]:
        return False
    pairs = [(_files(tuned.folder), one["files"]) for tuned, one in zip(models, known, strict=True)]
    if any([file.name for file in files] != list(digests) for files, digests in pairs):
        return False
    return all(_digest(file) == digests[file.name] for files, digests in pairs for file in files)


def _digest(file: Path) -> str:
    return sha256(file.read_bytes()).hexdigest()


# ----------------------------------------------------------------------------- one model


def _about(one: Measured) -> dict[str, Any]:
    return {
        "name": one.tuned.name,
        "files": {file.name: _digest(file) for file in _files(one.tuned.folder)},
        "roles": list(one.scores),
        "texts_seen": one.scores.texts_seen,
        "left_out": dict(one.scores.left_out),
        "maps": [
            {
                "words": [asdict(word) for word in shown.words],
                **{name: getattr(shown, name) for name in ("model", "text", "answer_row", "sink")},
            }
            for shown in one.maps
        ],
        "says": one.says,
        "effects": [asdict(effect) for effect in one.effects],
    }


def _arrays(one: Measured) -> dict[str, np.ndarray]:
    scores = one.scores
    return {
        **{f"scores/{role}": values for role, values in scores.scores.items()},
        **{f"texts/{role}": values for role, values in scores.texts.items()},
        "numbers": scores.numbers,
        "on_causes": scores.on_causes,
        "on_others": scores.on_others,
        **{f"map/{number}": shown.values for number, shown in enumerate(one.maps)},
    }


def _measured(
    tuned: TunedModel, about: Mapping[str, Any], file: Mapping[str, np.ndarray], at: str
) -> Measured:
    return Measured(
        tuned=tuned,
        scores=RoleScores(
            scores={role: file[f"{at}scores/{role}"] for role in about["roles"]},
            texts={role: file[f"{at}texts/{role}"] for role in about["roles"]},
            numbers=file[f"{at}numbers"],
            on_causes=file[f"{at}on_causes"],
            on_others=file[f"{at}on_others"],
            texts_seen=about["texts_seen"],
            left_out=about["left_out"],
        ),
        maps=tuple(
            MeanMap(
                file[f"{at}map/{number}"],
                **{**shown, "words": tuple(Word(**word) for word in shown["words"])},
            )
            for number, shown in enumerate(about["maps"])
        ),
        says=tuple(about["says"]),
        effects=tuple(_effect(effect) for effect in about["effects"]),
    )


def _effect(about: Mapping[str, Any]) -> Effect:
    log_odds = about["log_odds"]
    return Effect(
        **{**about, "log_odds": None if log_odds is None else Estimate(**log_odds)},
    )
