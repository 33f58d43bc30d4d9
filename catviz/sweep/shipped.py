"""What the models that ship do with texts, measured before they ship.

``python -m catviz.sweep.shipped`` remakes the file.
"""

from __future__ import annotations

from pathlib import Path

from catviz.sweep.measures_file import SHIPPED, write_measures
from catviz.sweep.measuring import measure
from catviz.sweep.models import read_sweep, sweep_texts

__all__ = ["make_shipped"]

_TEXTS = 100  # what the panel of trained models looks at


def make_shipped(path: str | Path = SHIPPED) -> Path:
    """Measure the shipped models and write that, by default into the package; seconds."""
    sweep = read_sweep()
    texts = sweep_texts(sweep)[:_TEXTS]
    amounts = {"shown": 12, "effect_texts": 24}  # the defaults of measure
    measured = measure(sweep, texts, **amounts, known=None, progress="models of the sweep")
    return write_measures(path, measured, texts, **amounts)


if __name__ == "__main__":
    from cat.console import quiet_libraries

    quiet_libraries()
    print(make_shipped())
