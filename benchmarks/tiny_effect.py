"""How much CAT does on ``tiny``: STG_S, M and L, plain and at several alpha, mean over seeds.

    python benchmarks/tiny_effect.py --out benchmarks/results/tiny_effect.json   # about 5 minutes

The texts are the published ones (STG_E, seed 42); the training seeds are 0, 1, 2, ...
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path

from tqdm import tqdm

from cat.config import CATConfig
from cat.console import quiet_libraries
from cat.data import load_data
from cat.evaluate import evaluate_answers
from cat.models import load_model
from cat.provenance import provenance
from cat.tiny import one_thread
from cat.train import usual_learning_rate
from cat.trainer import CATTrainer

ALPHAS = (None, 3.0, 10.0, 20.0)


def run(split: str, alpha: float | None, seed: int, model_name: str) -> dict[str, float]:
    """Accuracies of one run, and the seconds that its training took."""
    data = load_data("stg-e", split)
    model, tokenizer = load_model(model_name, seed=seed)
    with tempfile.TemporaryDirectory() as scratch:
        settings = CATConfig(
            alpha=alpha,
            seed=seed,
            learning_rate=usual_learning_rate(model_name, lora=False),
            output_dir=scratch,
            save_strategy="no",
            use_cpu=True,
        )
        trainer = CATTrainer(model, settings, data["train"], tokenizer=tokenizer)
        start = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - start
    scores = {
        split: evaluate_answers(model, tokenizer, data[f"test_{split}"]).accuracy
        for split in ("iid", "ood")
    }
    return {**scores, "seconds": seconds}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="tiny", choices=["tiny", "tiny-word"])
    parser.add_argument("--splits", nargs="+", default=["S", "M", "L"])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path)
    options = parser.parse_args()
    quiet_libraries()
    rows = []
    cells = [(split, alpha) for split in options.splits for alpha in ALPHAS]
    with one_thread(), tqdm(total=len(cells) * options.seeds, unit="run") as bar:
        for split, alpha in cells:
            runs = []
            for seed in range(options.seeds):
                runs.append(run(split, alpha, seed, options.model))
                bar.update()
            row = {"split": split, "alpha": alpha, "runs": runs}
            row |= {key: statistics.mean(r[key] for r in runs) for key in ("iid", "ood", "seconds")}
            rows.append(row)
            bar.write(
                f"STG_{split} {'plain' if alpha is None else f'alpha {alpha:g}':>9}: "
                f"IID {row['iid']:.3f}  OOD {row['ood']:.3f}  {row['seconds']:.1f} s a run"
            )
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        found = {**provenance(), "model": options.model, "rows": rows}
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
