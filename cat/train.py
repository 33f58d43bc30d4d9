"""One training run from a configuration: ``cat-tune train`` and ``accelerate launch -m cat.train``.

On a laptop, half a minute, with data made on the fly:

    cat-tune train --model tiny --data stg-e --alpha 10 --output_dir outputs/tiny-alpha-10

From a file that holds the same names, flags overriding it:

    cat-tune train --config run.yaml --alpha 0.3

The output folder gets the model, ``steps.jsonl`` (a line a step), ``result.json`` (settings, data
digests, machine, scores) and the checkpoints from which ``--resume`` goes on.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import yaml
from safetensors import SafetensorError
from transformers import TrainerCallback

from cat.config import CATConfig
from cat.data import digest, load_data
from cat.evaluate import Evaluation, evaluate_answers, references
from cat.models import load_model, lora_config, place
from cat.provenance import provenance
from cat.records import StepRecord
from cat.signals import Example
from cat.tiny import TINY_MODELS, name_for, suitable_threads
from cat.trainer import CATTrainer, last_checkpoint, step_of

__all__ = [
    "RunConfig",
    "RunResult",
    "check_writable",
    "main",
    "parse",
    "run",
    "usual_learning_rate",
]


RESULT = "result.json"


@dataclass
class RunConfig:
    """What is trained on what."""

    model: str = field(
        default="tiny", metadata={"help": "tiny, tiny-word, smollm2, a folder or a hub name"}
    )
    data: str = field(
        default="stg-e",
        metadata={"help": "stg-e, stg-h (made on the fly) or a folder of .jsonl files"},
    )
    train_split: str = field(default="", metadata={"help": "name of the training file; S, M, L"})
    lora: bool = field(default=False, metadata={"help": "tune a LoRA adapter, not all weights"})
    lora_rank: int = field(default=16, metadata={"help": "rank of the adapter"})
    device: str = field(default="auto", metadata={"help": "auto, cpu, cuda or mps"})
    dtype: str = field(
        default="auto", metadata={"help": "auto, float32, bfloat16 or float16, to compute in"}
    )
    resume: bool = field(default=False, metadata={"help": "go on from the last checkpoint"})


@dataclass(frozen=True)
class RunResult:
    """A finished run: the tuned model, a record a step (of those since a resumed checkpoint), and
    the scores of every test set."""

    model: Any
    tokenizer: Any
    records: list[StepRecord]
    evaluations: dict[str, Evaluation]
    references: dict[str, dict[str, Evaluation]]


def parse(argv: Sequence[str]) -> tuple[RunConfig, CATConfig]:
    """Settings from flags, over those of ``--config FILE.yaml``, over the paper's."""
    from transformers import HfArgumentParser

    parser = HfArgumentParser(
        (RunConfig, CATConfig),
        prog="cat-tune train",
        description="Fine-tune with Causal Attention Tuning; without --alpha, plainly.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("--config", help="a YAML file with the same names as the flags")
    parser.set_defaults(output_dir="outputs/train", learning_rate=None)
    known = {f.name for f in (*fields(RunConfig), *fields(CATConfig)) if f.init}
    found, _ = parser.parse_known_args(argv)
    if found.config:
        parser.set_defaults(**_read_config(found.config, known))
    options = vars(parser.parse_args(argv))
    run_config = RunConfig(**{f.name: options[f.name] for f in fields(RunConfig)})
    if options["learning_rate"] is None:
        options["learning_rate"] = usual_learning_rate(run_config.model, lora=run_config.lora)
    placement = place(run_config.device, run_config.dtype)
    if placement.device == "cpu":
        options["use_cpu"] = True
    if placement.dtype != "float32" and not run_config.lora:
        options["bf16" if placement.dtype == "bfloat16" else "fp16"] = True
    return run_config, CATConfig(**{f.name: options[f.name] for f in fields(CATConfig) if f.init})


def usual_learning_rate(model: str, *, lora: bool) -> float:
    """The paper's 5e-5 (full) or 1e-4 (LoRA); 2e-3 for embedded models, which start from noise."""
    if model.partition("@")[0].partition(":")[0] in TINY_MODELS:
        return 2e-3
    return 1e-4 if lora else 5e-5


def _read_config(path: str, known: set[str]) -> dict[str, Any]:
    try:
        settings = yaml.safe_load(Path(path).read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected YAML, {error}") from error
    if not isinstance(settings, dict):
        raise ValueError(f"{path}: expected 'name: value' lines, got {settings!r}")
    if unknown := sorted(set(settings) - known):
        raise ValueError(f"{path}: no settings named {unknown}; see cat-tune train --help")
    return settings


def run(
    config: RunConfig,
    settings: CATConfig,
    *,
    on_record: Callable[[StepRecord], None] | None = None,
    say: Callable[[str], None] = print,
) -> RunResult:
    """Train, evaluate, write the output folder.

    Raises:
        ValueError: settings, data or model that cannot be used, or an output folder that holds
            another run; before anything was trained.
        OSError: the output folder cannot be written to; found out before training too.
        RuntimeError: training broke off; the message says why and what was saved.
        KeyboardInterrupt: after Ctrl-C, with a checkpoint left; the message says where.
    """
    output = Path(settings.output_dir)
    check_writable(output)
    checkpoint = last_checkpoint(output)
    if config.resume:
        say(f"resuming from {checkpoint}" if checkpoint else "no complete checkpoint: from scratch")
    elif checkpoint:
        raise ValueError(
            f"{output} holds a run ({checkpoint.name}): go on with it by --resume, or choose "
            "another --output_dir, or remove the folder"
        )
    placement = place(config.device, config.dtype)
    say(f"{config.model} on {placement}")
    data = load_data(config.data, config.train_split)
    tests = {name: examples for name, examples in data.items() if name != "train"}
    # Weights that are tuned are float32, whatever is computed in: a step of 5e-5 is less than half
    # the distance between two bfloat16 numbers of 0.05, and would be rounded away.
    held = placement if config.lora else replace(placement, dtype="float32")
    name = name_for(config.model, data["train"])
    model, tokenizer = load_model(name, placement=held, seed=settings.seed)
    trainer = CATTrainer(
        model,
        settings,
        data["train"],
        tests,
        tokenizer=tokenizer,
        peft_config=lora_config(model, rank=config.lora_rank) if config.lora else None,
        callbacks=[_SayEvaluations(say)],
    )
    say(str(trainer.alignment_report))
    (output / RESULT).unlink(missing_ok=True)  # it tells that the run is finished
    with suitable_threads(model):
        _train(trainer, checkpoint, on_record)
        model = trainer.model.eval()
        evaluations = {name: evaluate_answers(model, tokenizer, e) for name, e in tests.items()}
    found = {name: references(data["train"], examples) for name, examples in tests.items()}
    result = RunResult(model, tokenizer, trainer.records, evaluations, found)
    if trainer.is_world_process_zero():
        _write_result(output / RESULT, config, settings, data, result)
    return result


def _train(
    trainer: CATTrainer,
    checkpoint: Path | None,
    on_record: Callable[[StepRecord], None] | None,
) -> None:
    """Train and save the model; what breaks it off is told with what was saved."""
    output = Path(trainer.args.output_dir)
    steps_done = (step_of(checkpoint) if checkpoint else None) or 0
    if trainer.is_world_process_zero():
        trainer.add_callback(_StepLog(trainer, output / "steps.jsonl", steps_done))
    try:
        # Closed, not dropped: what is told of an interrupted run is true once it has ended.
        with closing(trainer.steps(resume_from=checkpoint)) as records:
            for record in records:
                if on_record is not None:
                    on_record(record)
        trainer.save_model()
    except KeyboardInterrupt:
        raise KeyboardInterrupt(trainer.where_it_stopped()) from None
    except (ValueError, OSError, RuntimeError, SafetensorError) as error:
        free = shutil.disk_usage(output).free / 1e6
        raise RuntimeError(
            f"training broke off: {error}\n{trainer.where_it_stopped()}; {free:,.0f} MB are free"
        ) from error


class _StepLog(TrainerCallback):
    """A JSON line a step, those of the steps before a resumed checkpoint kept.

    A step's line is written before its checkpoint, by the thread that trains: an interrupt, which
    only the main thread gets, can neither lose a line nor write one twice.
    """

    def __init__(self, trainer: CATTrainer, path: Path, steps_done: int) -> None:
        self.trainer, self.path = trainer, path
        kept = []
        if steps_done and path.is_file():
            for line in path.read_text(encoding="utf-8").splitlines(keepends=True):
                if line.endswith("\n") and json.loads(line)["step"] <= steps_done:
                    kept.append(line)
        partial = path.with_name(path.name + ".partial")
        partial.write_text("".join(kept), encoding="utf-8")
        partial.replace(path)

    def on_step_end(self, *args: Any, **kwargs: Any) -> None:
        with self.path.open("a", encoding="utf-8") as lines:
            lines.write(json.dumps(self.trainer.records[-1].to_dict()) + "\n")


class _SayEvaluations(TrainerCallback):
    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say

    def on_evaluate(self, args: Any, state: Any, control: Any, metrics: Any, **_: Any) -> None:
        scores = ", ".join(f"{n} {v:.2%}" for n, v in metrics.items() if n.endswith("accuracy"))
        self.say(f"step {state.global_step}: {scores}")


def check_writable(folder: Path) -> None:
    """Find out before hours of training, not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"probe")
    except OSError as error:
        raise OSError(
            f"expected an output folder that can be written, {folder} cannot "
            f"({error.strerror}): choose another with --output_dir, or free space"
        ) from error


def _write_result(
    path: Path,
    config: RunConfig,
    settings: CATConfig,
    data: dict[str, list[Example]],
    result: RunResult,
) -> None:
    ours = {f.name for f in fields(CATConfig)} & set(CATConfig.__annotations__)
    content = {
        **provenance(),
        "run": asdict(config),
        "settings": {name: getattr(settings, name) for name in sorted(ours | {"seed"})},
        "data": {name: digest(examples) for name, examples in data.items()},
        "scores": {name: e.to_dict() for name, e in result.evaluations.items()},
        "references": {
            name: {rule: e.to_dict() for rule, e in rules.items()}
            for name, rules in result.references.items()
        },
    }
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``python -m cat.train``; errors are told in a line."""
    from tqdm import tqdm

    from cat.console import quiet_libraries, report_errors, step_bar

    def command() -> int:
        quiet_libraries()
        config, settings = parse(sys.argv[1:] if argv is None else argv)
        if settings.process_index > 0:  # under accelerate launch the first process does the talking
            run(config, settings, say=lambda line: None)
            return 0
        with step_bar() as on_record:
            result = run(config, settings, on_record=on_record, say=tqdm.write)
        for name, evaluation in result.evaluations.items():
            print(f"{name}: {score_line(evaluation)}")
            for rule, reference in result.references[name].items():
                print(f"    {rule}: {score_line(reference)}")
        print(f"written to {settings.output_dir}")
        return 0

    return report_errors(command)


def score_line(evaluation: Evaluation) -> str:
    """Accuracy with its interval, and what else the task has."""
    interval = evaluation.interval
    line = f"accuracy {evaluation.accuracy:.2%} [{interval.low:.2%}, {interval.high:.2%}]"
    if evaluation.mean_absolute_error is not None:
        line += f", mean absolute error {evaluation.mean_absolute_error:.2f}"
        return line + (f" ({n} no number)" if (n := evaluation.not_a_number) else "")
    if evaluation.balanced_accuracy is not None:
        line += f", balanced {evaluation.balanced_accuracy:.2%}"
    return line


if __name__ == "__main__":
    sys.exit(main())
