"""What attention scores by role cost over a data set, beside plain forward passes.

    python benchmarks/density_cost.py                # 400 texts of STG_E, SmolLM2-135M
    python benchmarks/density_cost.py --model tiny   # seconds

The kinds take turns on each batch of texts in one process, so that a change of the machine's speed
meets all of them; the ratio of each pair counts, and its median is told, beside the ratio of the
sums. On a machine that others use as well, look at the processor time that the process took, and
take one thread (OMP_NUM_THREADS=1): threads that wait for each other count as work. The plain
passes run the very tensors that ``role_scores`` ran, recorded on its way:

- plain: SDPA, logits for the last position only, as ``role_scores`` asks for;
- full: the same with logits for every position;
- mean, layer, head: ``role_scores``, tokenising and aligning included.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from cat.console import quiet_libraries
from cat.data import load_data
from cat.models import load_model
from cat.provenance import provenance
from catviz.density import role_scores

KINDS = ("plain", "full", "mean", "layer", "head")
CLOCKS = {"time": time.perf_counter, "processor_time": time.process_time}


class Bench:
    """A model, batches of texts, and one pass of each kind over a batch."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.model, self.tokenizer = load_model(options.model)
        self.model.eval()
        texts = load_data("stg-e")["test_ood"][: options.texts]
        size = options.batch_size
        self.batches = [texts[start : start + size] for start in range(0, len(texts), size)]
        self.tensors: list[dict[str, Any]] = []  # what the model gets, batch by batch
        hook = self.model.register_forward_pre_hook(self._record, with_kwargs=True)
        for batch in self.batches:
            self._scores(batch, "mean")
        hook.remove()

    def _record(self, model: Any, args: Any, inputs: dict[str, Any]) -> None:
        self.tensors.append({name: inputs[name] for name in ("input_ids", "attention_mask")})

    def seconds(self, kind: str, at: int) -> dict[str, float]:
        """How long one pass over a batch takes, by the clock and of the processor."""
        self._wait()
        start = {name: clock() for name, clock in CLOCKS.items()}
        if kind in ("plain", "full"):
            last = {"logits_to_keep": 1} if kind == "plain" else {}
            with torch.inference_mode():
                self.model(**self.tensors[at], use_cache=False, **last)
        else:
            self._scores(self.batches[at], kind)
        self._wait()
        return {name: clock() - start[name] for name, clock in CLOCKS.items()}

    def _scores(self, batch: Any, kind: Any) -> None:
        role_scores(self.model, self.tokenizer, batch, per=kind, batch_size=len(batch))

    def _wait(self) -> None:
        if self.model.device.type == "cuda":
            torch.cuda.synchronize()


def measure(options: argparse.Namespace) -> dict[str, Any]:
    bench = Bench(options)
    kinds = ("plain", *(kind for kind in options.kinds if kind != "plain"))
    seconds: dict[str, list[dict[str, float]]] = {kind: [] for kind in kinds}
    with tqdm(total=options.rounds * len(bench.batches) * len(kinds), unit="pass") as bar:
        for turn in range(options.rounds):
            for at in range(len(bench.batches)):
                first = (turn + at) % len(kinds)  # none always follows the same other
                for kind in (*kinds[first:], *kinds[:first]):
                    seconds[kind].append(bench.seconds(kind, at))
                    bar.update()

    def ratios(kind: str) -> dict[str, float]:
        found = {}
        for clock in CLOCKS:
            took, plain = ([pass_[clock] for pass_ in seconds[k]] for k in (kind, "plain"))
            pairs = [a / b for a, b in zip(took, plain, strict=True)]
            found |= {
                clock: statistics.median(pairs),
                f"{clock}_min": min(pairs),
                f"{clock}_max": max(pairs),
                f"{clock}_of_sums": sum(took) / sum(plain),
            }
        return found

    return {
        **provenance(),
        "command": f"python benchmarks/density_cost.py {' '.join(sys.argv[1:])}".strip(),
        "settings": {k: v for k, v in vars(options).items() if k != "out"},
        "threads": torch.get_num_threads(),
        "load_average": os.getloadavg()[1],  # above the threads: others used the machine as well
        "tokens_a_text": max(tensors["input_ids"].shape[1] for tensors in bench.tensors),
        "pairs": options.rounds * len(bench.batches),
        "seconds_a_round": {
            kind: sum(pass_["time"] for pass_ in passes) / options.rounds
            for kind, passes in seconds.items()
        },
        "over_plain": {kind: ratios(kind) for kind in kinds[1:]},
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--model", default="smollm2")
    parser.add_argument("--texts", type=int, default=400)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--rounds", type=int, default=1, help="times that all texts pass")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, default=["mean", "full", "head"])
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    options = parser.parse_args()
    quiet_libraries()
    found = measure(options)
    for kind, ratios in found["over_plain"].items():
        for clock in CLOCKS:
            print(
                f"{kind} / plain, {clock}: {ratios[clock]:.3f} ({ratios[f'{clock}_min']:.3f} to "
                f"{ratios[f'{clock}_max']:.3f} over {found['pairs']} pairs of batches), "
                f"{ratios[f'{clock}_of_sums']:.3f} of the sums"
            )
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
