"""Makes the trained models that ship in ``cat/checkpoints``: ``python -m cat.tiny_checkpoints``.

``tiny`` on STG_L with seed 42, plainly and at a grid of alpha, everything else as in the paper.
Each folder holds the weights, the tokenizer and ``result.json`` with the scores; a minute in all.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from cat.config import CATConfig
from cat.models import CHECKPOINTS
from cat.train import RunConfig, run, score_line

__all__ = ["ALPHAS", "SHIPPED_FILES", "make_checkpoints"]

ALPHAS = (0.3, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
SHIPPED_FILES = (
    "config.json",
    "model.safetensors",
    "result.json",
    "tokenizer.json",
    "tokenizer_config.json",
)


def make_checkpoints(folder: Path = CHECKPOINTS, alphas: tuple[float, ...] = ALPHAS) -> None:
    """Train every model of the grid and keep what ships; existing ones are replaced."""
    for alpha in (None, *alphas):
        name = "plain" if alpha is None else f"alpha-{alpha:g}"
        with tempfile.TemporaryDirectory() as scratch:
            result = run(
                RunConfig(model="tiny", train_split="L"),
                CATConfig(
                    alpha=alpha,
                    learning_rate=2e-3,
                    output_dir=scratch,
                    save_strategy="no",
                    use_cpu=True,
                ),
                say=lambda line: None,
            )
            (folder / name).mkdir(parents=True, exist_ok=True)
            for file in SHIPPED_FILES:
                shutil.copyfile(Path(scratch) / file, folder / name / file)
        for test, evaluation in result.evaluations.items():
            print(f"{name}, {test}: {score_line(evaluation)}")


if __name__ == "__main__":
    from cat.console import quiet_libraries

    quiet_libraries()
    make_checkpoints()
