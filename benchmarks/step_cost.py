"""What a CAT training step costs, beside plain fine-tuning and beside whole attention maps.

    make bench                                                     # SmolLM2-135M's shape, CPU
    python benchmarks/step_cost.py --shape tinyllama --tokens 256  # on a GPU
    python benchmarks/step_cost.py --shape llama-8b --lora --tokens 256  # on one of 80 GB

Random weights. The three kinds of step take turns on one model in one process, so that a change of
the machine's speed meets all of them; the ratio of each pair counts, its median is told. Peak
memory is measured in a process for each kind.

- plain: SDPA, next-token loss, AdamW;
- cat: the same with the supervised rows and the Re-Attention loss;
- maps: the loss on whole maps from ``output_attentions=True`` with eager attention.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import LlamaConfig, LlamaForCausalLM

from cat.batches import visible_keys
from cat.models import add_adapter, lora_config
from cat.provenance import provenance
from cat.reattention import reattention_loss
from cat.rows import disable_rows, enable_rows, forward_with_rows

KINDS = ("plain", "cat", "maps")
SHAPES: dict[str, dict[str, int]] = {
    "smollm2": {
        "vocab_size": 49152,
        "hidden_size": 576,
        "intermediate_size": 1536,
        "num_hidden_layers": 30,
        "num_attention_heads": 9,
        "num_key_value_heads": 3,
        "tie_word_embeddings": True,
    },
    "tinyllama": {
        "vocab_size": 32000,
        "hidden_size": 2048,
        "intermediate_size": 5632,
        "num_hidden_layers": 22,
        "num_attention_heads": 32,
        "num_key_value_heads": 4,
    },
    "llama-8b": {
        "vocab_size": 128256,
        "hidden_size": 4096,
        "intermediate_size": 14336,
        "num_hidden_layers": 32,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
    },
    "small": {  # to try the script itself
        "vocab_size": 512,
        "hidden_size": 64,
        "intermediate_size": 128,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
    },
}


class Bench:
    """A model, an optimizer, a batch, and one step of each kind."""

    def __init__(self, options: argparse.Namespace) -> None:
        torch.manual_seed(0)
        self.device = torch.device(options.device)
        self.lora = options.lora
        dtype = torch.bfloat16 if self.device.type == "cuda" else torch.float32
        config = LlamaConfig(**SHAPES[options.shape])
        with self.device:  # 8 billion weights are drawn where they are needed
            self.model: Any = LlamaForCausalLM._from_config(config, dtype=dtype)
        if options.lora:
            self.model = add_adapter(self.model, lora_config(self.model))
        self.model.train()
        tuned = [weights for weights in self.model.parameters() if weights.requires_grad]
        self.optimizer = torch.optim.AdamW(tuned, lr=1e-5)
        shape = (options.texts, options.tokens)
        self.input_ids = torch.randint(config.vocab_size, shape, device=self.device)
        self.attention_mask = torch.ones_like(self.input_ids)
        rows = torch.arange(options.tokens - 1 - options.rows, options.tokens - 1)
        self.rows = rows.expand(options.texts, -1).to(self.device)  # (batch, row)
        self.causes = torch.zeros(*self.rows.shape, options.tokens, dtype=torch.bool)
        self.causes[:, :, 10:22] = True  # three factors of four tokens
        self.causes = self.causes.to(self.device)

    def step(self, kind: str) -> float:
        """One optimizer step; its seconds."""
        if kind == "cat":
            enable_rows(self.model)
        else:
            disable_rows(self.model)
            base = self.model.get_base_model() if self.lora else self.model
            base.set_attn_implementation("eager" if kind == "maps" else "sdpa")
        self._wait()
        start = time.perf_counter()
        self._loss(kind).backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self._wait()
        return time.perf_counter() - start

    def _loss(self, kind: str) -> torch.Tensor:
        batch = {
            "input_ids": self.input_ids,
            "attention_mask": self.attention_mask,
            "labels": self.input_ids,
            "use_cache": False,
        }
        if kind == "plain":
            loss: torch.Tensor = self.model(**batch).loss
            return loss
        if kind == "cat":
            outputs, attention = forward_with_rows(self.model, rows=self.rows, **batch)
        else:
            outputs = self.model(**batch, output_attentions=True)
            whole = torch.stack(outputs.attentions).float().mean(dim=(0, 2))  # (batch, n, n)
            index = self.rows[:, :, None].expand(-1, -1, whole.shape[-1])
            attention = whole.gather(1, index)
        visible = visible_keys(self.rows, self.attention_mask)
        alpha = 1e3  # every row violates it, so that every row has a gradient
        return outputs.loss + reattention_loss(attention, self.causes, alpha, visible=visible)

    def _wait(self) -> None:
        if self.device.type == "cuda":
            torch.cuda.synchronize()

    def peak_bytes(self) -> int:
        """The process's peak on the CPU, the allocator's on a GPU."""
        if self.device.type == "cuda":
            return torch.cuda.max_memory_allocated()
        # Not getrusage: its maximum is handed down from the process that started this one.
        status = Path("/proc/self/status").read_text(encoding="utf-8")
        return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status)[1])  # type: ignore[index]


def measure(options: argparse.Namespace) -> dict[str, Any]:
    bench = Bench(options)
    seconds: dict[str, list[float]] = {kind: [] for kind in KINDS}
    with tqdm(total=len(KINDS) * (options.pairs + 1), unit="step") as bar:
        for turn in range(options.pairs + 1):
            first = turn % len(KINDS)  # none always follows the same other
            for kind in (*KINDS[first:], *KINDS[:first]):
                took = bench.step(kind)
                bar.update()
                if turn > 0:  # the first turn warms up
                    seconds[kind].append(took)
    del bench
    peaks = {kind: _peak_in_own_process(kind) for kind in tqdm(KINDS, desc="memory")}

    def ratio(kind: str) -> dict[str, float]:
        pairs = [a / b for a, b in zip(seconds[kind], seconds["plain"], strict=True)]
        return {
            "time": statistics.median(pairs),
            "time_min": min(pairs),
            "time_max": max(pairs),
            "memory": peaks[kind] / peaks["plain"],
        }

    return {
        **provenance(),
        "command": f"python benchmarks/step_cost.py {' '.join(sys.argv[1:])}".strip(),
        "settings": {k: v for k, v in vars(options).items() if k not in ("out", "only_peak")},
        "threads": torch.get_num_threads(),
        "median_seconds": {kind: statistics.median(took) for kind, took in seconds.items()},
        "tokens_per_second": {
            kind: options.texts * options.tokens / statistics.median(took)
            for kind, took in seconds.items()
        },
        "peak_gigabytes": {kind: peak / 1e9 for kind, peak in peaks.items()},
        "over_plain": {kind: ratio(kind) for kind in KINDS[1:]},
    }


def _peak_in_own_process(kind: str) -> int:
    command = [sys.executable, __file__, *sys.argv[1:], "--only-peak", kind]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--shape", choices=sorted(SHAPES), default="smollm2")
    parser.add_argument("--texts", type=int, default=16)
    parser.add_argument("--tokens", type=int, default=80)
    parser.add_argument("--rows", type=int, default=2, help="supervised rows a text")
    parser.add_argument("--lora", action="store_true", help="tune an adapter, not all weights")
    parser.add_argument("--pairs", type=int, default=5)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, help="write the figures to this JSON file")
    parser.add_argument("--only-peak", choices=KINDS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.only_peak:
        bench = Bench(options)
        for _ in range(2):
            bench.step(options.only_peak)
        print(bench.peak_bytes())
        return
    found = measure(options)
    for kind, ratios in found["over_plain"].items():
        print(
            f"{kind} / plain: step time {ratios['time']:.3f} "
            f"({ratios['time_min']:.3f} to {ratios['time_max']:.3f} over {options.pairs} pairs), "
            f"peak memory {ratios['memory']:.3f}"
        )
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
