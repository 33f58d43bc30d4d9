"""Measured once: from memory, else from a file of measures, else by running the models."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cat.signals import Example
from catviz.sweep.measured import Measured, measure_afresh
from catviz.sweep.measures_file import SHIPPED, read_measures
from catviz.sweep.models import RESULT, Sweep

__all__ = ["measure"]

_KEPT = 4  # sweeps whose measures are kept in memory

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
        known: a file of measures, by :func:`catviz.sweep.measures_file.write_measures`. Where it is
            of just these models, texts and amounts, nothing is measured and no model loaded; else
            it counts for nothing. None to measure in any case.
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
        amounts = {"shown": shown, "effect_texts": effect_texts}
        found = None if known is None else read_measures(known, sweep, texts, **amounts)
        _measured[key] = found or measure_afresh(sweep, texts, **amounts, progress=progress)
        if len(_measured) > _KEPT:
            _measured.popitem(last=False)
    _measured.move_to_end(key)
    return _measured[key]
