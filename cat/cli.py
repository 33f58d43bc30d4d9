"""``cat-tune``: data, annotate, train, eval, sweep, model."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cat.console import report_errors

__all__ = ["main"]


def main(argv: Sequence[str] | None = None) -> int:
    """The ``cat-tune`` command; returns the exit status."""
    argv = sys.argv[1:] if argv is None else list(argv)
    if argv[:1] == ["train"]:  # its flags are those of the settings' dataclasses
        from cat import train

        return train.main(argv[1:])
    options = _parser().parse_args(argv)
    return report_errors(lambda: options.command(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cat-tune",
        description="Causal Attention Tuning: data, annotation, training, evaluation, sweeps.",
    )
    commands = parser.add_subparsers(
        required=True, metavar="data | annotate | train | eval | sweep | model"
    )
    _add_data(commands)
    commands.add_parser("train", help="fine-tune a model; cat-tune train --help", add_help=False)
    _add_eval(commands)
    _add_sweep(commands)
    _add_annotate(commands)
    _add_model(commands)
    return parser


def _add_data(commands: Any) -> None:
    data = commands.add_parser(
        "data", help="make the Spurious Token Game, read a task, check and compare signals"
    )
    kinds = data.add_subparsers(required=True, metavar="stg-e | stg-h | task | check | agree")

    for game, n_train, n_test in (("stg-e", 1600, 400), ("stg-h", 3000, 1000)):
        make = kinds.add_parser(game, help=f"write {game.upper().replace('-', '_')}'s data sets")
        make.add_argument("--seed", type=int, default=42, help="stg-e: 42 for the published files")
        make.add_argument("--out", type=Path, required=True, help="folder to write to")
        make.add_argument("--n-train", type=int, default=n_train)
        make.add_argument("--n-test", type=int, default=n_test)
        make.add_argument(
            "--spurious-strength",
            type=float,
            default=1.0,
            help="how often a spurious factor follows its cause in the IID texts, 0..1",
        )
        make.add_argument(
            "--ood",
            choices=("uniform", "marginals"),
            default="uniform",
            help="marginals: break only the dependence, keep each factor's distribution",
        )
        if game == "stg-e":
            make.add_argument(
                "--no-middle-risk",
                action="store_true",
                help="give the texts labelled Middle Risk the rule's label",
            )
        make.set_defaults(command=_make_data, game=game)

    from cat.tasks.command import add_task_parser

    add_task_parser(kinds)

    check = kinds.add_parser(
        "check",
        help="align signals with a tokenizer and report",
        description="Align a file's signals with a tokenizer and report what was kept and why not; "
        "of several files, or of a folder's .jsonl files, one line each.",
    )
    check.add_argument("file", type=Path, nargs="+", help="a .jsonl file, or a folder of them")
    check.add_argument("--tokenizer", default="tiny", help="a model's name, folder or hub name")
    check.add_argument("--max-length", type=int, help="tokens kept of a text")
    check.add_argument(
        "--compare",
        action="store_true",
        help="also tell what is lost where the token ids of a phrase are searched instead",
    )
    check.add_argument("--json", action="store_true", help="print the report as JSON")
    check.set_defaults(command=_check_data)

    agree = kinds.add_parser(
        "agree",
        help="how far two annotations of the same texts agree",
        description="Compare the signals of two files of the same texts, by people or by models: "
        "the pairs (row, key) that training would supervise (precision and recall are the second "
        "file's, with the first as the reference), and the phrases named.",
    )
    agree.add_argument("one", type=Path, help="a .jsonl file: the reference")
    agree.add_argument("other", type=Path, help="a .jsonl file with the same texts")
    agree.add_argument(
        "--tokenizer",
        help="compare over its tokens: a model's name, folder or hub name; else over characters",
    )
    agree.add_argument("--json", action="store_true", help="print the figures as JSON")
    agree.set_defaults(command=_compare_annotations)


def _make_data(options: argparse.Namespace) -> int:
    from cat.signals import write_records
    from cat.stg import stg_e, stg_h

    settings = {
        "n_train": options.n_train,
        "n_test": options.n_test,
        "spurious_strength": options.spurious_strength,
        "ood": options.ood,
    }
    if options.game == "stg-e":
        splits = stg_e(options.seed, middle_risk=not options.no_middle_risk, **settings)
    else:
        splits = stg_h(options.seed, **settings)
    for name, records in splits.items():
        path = write_records(options.out / f"{name}.jsonl", records)
        print(f"{path}: {len(records)} texts")
    return 0


def _check_data(options: argparse.Namespace) -> int:
    from tqdm.auto import tqdm

    from cat.models import load_tokenizer
    from cat.signal_files import files_in, legend, read_row, table

    files = files_in(options.file)
    tokenizer = load_tokenizer(options.tokenizer)
    settings = {"max_length": options.max_length, "compare": options.compare}
    if files == options.file and len(files) == 1 and not options.compare:
        report = read_row(files[0], tokenizer, **settings).report
        print(_as_json(report.to_dict()) if options.json else report)
        return 0
    rows, broken = [], []
    for file in tqdm(files, unit="file", leave=False, disable=None):
        try:
            rows.append(read_row(file, tokenizer, **settings))
        except ValueError as error:  # told below: one broken file does not hide the others
            broken.append(str(error))
    if rows:
        listed = [row.to_dict() for row in rows]
        print(_as_json(listed) if options.json else f"{table(rows)}\n\n{legend(rows)}")
    if broken:
        raise ValueError("\nerror: ".join(broken))
    return 0


def _compare_annotations(options: argparse.Namespace) -> int:
    from cat.annotate.agreement import agreement
    from cat.models import load_tokenizer
    from cat.signals import read_examples

    tokenizer = load_tokenizer(options.tokenizer) if options.tokenizer else None
    found = agreement(read_examples(options.one), read_examples(options.other), tokenizer)
    print(_as_json(found.to_dict()) if options.json else found)
    return 0


def _as_json(data: Any) -> str:
    return json.dumps(data, indent=1, ensure_ascii=False)


def _add_eval(commands: Any) -> None:
    evaluate = commands.add_parser("eval", help="a model's greedy answers, scored")
    evaluate.add_argument("--model", required=True, help="a name, a folder or a hub name")
    evaluate.add_argument("--data", default="stg-e", help="stg-e, stg-h, or a folder of .jsonl")
    evaluate.add_argument("--train-split", default="", help="the references' training texts")
    evaluate.add_argument("--task", help="score the answers as this task's: MAWPS, ARC-E, ...")
    evaluate.add_argument("--batch-size", type=int, default=64)
    evaluate.add_argument("--max-new-tokens", type=int, help="the paper: 512")
    evaluate.add_argument("--device", default="auto")
    evaluate.add_argument("--json", action="store_true", help="print the scores as JSON")
    evaluate.set_defaults(command=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from cat.data import load_data
    from cat.evaluate import evaluate_answers, references
    from cat.models import load_model, place
    from cat.scoring import EXACT
    from cat.tasks import task_named
    from cat.train import score_line

    task = task_named(options.task) if options.task else None
    scoring = task.scoring if task else EXACT
    placement = place(options.device)
    print(f"{options.model} on {placement}", file=sys.stderr)
    data = load_data(options.data, options.train_split)
    model, tokenizer = load_model(options.model, placement=placement)
    found = {}
    for name, examples in data.items():
        if name == "train":
            continue
        scored = evaluate_answers(
            model,
            tokenizer,
            examples,
            batch_size=options.batch_size,
            max_new_tokens=options.max_new_tokens or (task.max_new_tokens if task else None),
            scoring=scoring,
            progress=name,
        )
        rules = references(data["train"], examples, scoring=scoring)
        found[name] = {options.model: scored, **rules}
    if options.json:
        scores = {n: {who: e.to_dict() for who, e in rows.items()} for n, rows in found.items()}
        print(json.dumps(scores, indent=1, ensure_ascii=False))
    else:
        for name, rows in found.items():
            print(name)
            for who, scored in rows.items():
                print(f"    {who}: {score_line(scored)}")
    return 0


def _add_sweep(commands: Any) -> None:
    from cat.experiments.command import parse_seeds, parse_setting
    from cat.experiments.sweeps import SWEEPS

    sweep = commands.add_parser(
        "sweep",
        help="the runs of a table or figure, kept as they finish",
        description="Carry out the runs of a table or figure. Finished ones are skipped, so the "
        "same command goes on after it was stopped. "
        + "; ".join(f"{name}: {one.shows}" for name, one in SWEEPS.items())
        + ".",
    )
    sweep.add_argument("name", choices=SWEEPS)
    sweep.add_argument("--model", required=True, help="a name, a folder or a hub name")
    sweep.add_argument("--seeds", type=parse_seeds, default="5", help="how many, or 0,3,4")
    sweep.add_argument("--results", type=Path, default=Path("results"), help="folder of the store")
    sweep.add_argument("--methods", nargs="+", help="only these of the sweep's methods")
    sweep.add_argument(
        "--data",
        nargs="+",
        help="only these: STG_S STG_M STG_L STG_H, or tasks: MAWPS MAWPS~ANNOTATOR GSM8K:SVAMP",
    )
    sweep.add_argument(
        "--tasks", type=Path, help="folder with the tasks' data; else $CAT_TUNE_TASKS"
    )
    for kind, meaning in (("full", "tune all weights"), ("lora", "tune a LoRA adapter")):
        sweep.add_argument(
            f"--{kind}", dest="tuning", action="append_const", const=kind, help=meaning
        )
    sweep.add_argument("--dtype", default="auto", help="auto, float32 or bfloat16")
    sweep.add_argument(
        "--set",
        type=parse_setting,
        action="append",
        metavar="NAME=VALUE",
        help="a training setting of all runs, as in --set num_train_epochs=1",
    )
    sweep.add_argument("--workers", type=int, default=1, help="processes; above 1 needs Ray")
    sweep.add_argument("--dry-run", action="store_true", help="tell the runs and the time only")
    sweep.set_defaults(command=_sweep)


def _sweep(options: argparse.Namespace) -> int:
    from cat.experiments.command import carry_out_sweep

    return carry_out_sweep(options)


def _add_annotate(commands: Any) -> None:
    from cat.annotate.command import add_arguments

    parser = commands.add_parser(
        "annotate",
        help="causal signals from an assistant LLM",
        description="Ask an assistant LLM, at any OpenAI-compatible endpoint, what the answers of "
        "texts are determined by; check what it says against the texts. What was answered is kept: "
        "the same command goes on after it was stopped.",
    )
    add_arguments(parser)
    parser.set_defaults(command=_annotate)


def _annotate(options: argparse.Namespace) -> int:
    from cat.annotate.command import carry_out_annotation

    return carry_out_annotation(options)


def _add_model(commands: Any) -> None:
    model = commands.add_parser("model", help="fetch a model, list the names")
    kinds = model.add_subparsers(required=True, metavar="fetch | list")
    fetch = kinds.add_parser("fetch", help="download, check and convert a model, once")
    fetch.add_argument("name", choices=["smollm2"])
    fetch.set_defaults(command=_fetch_model)
    kinds.add_parser("list", help="the names that need no hub").set_defaults(command=_list_models)


def _fetch_model(options: argparse.Namespace) -> int:
    from cat.smollm2 import fetch_smollm2

    fetch_smollm2()
    return 0


def _list_models(options: argparse.Namespace) -> int:
    from cat.models import model_names

    print("\n".join(model_names()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
