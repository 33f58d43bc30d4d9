"""The main job end to end: tune plainly and with CAT, compare, and write a page about it.

    catviz demo                   # tiny: about two minutes on two cores
    catviz demo --model smollm2   # the real pretrained model: hours on two cores; resumes

Every run goes to a folder of its own (:mod:`cat.train`), and the table and the figures are made
from what these folders hold.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cat.console import quiet_libraries
from cat.evaluate import evaluate_answers, seed_interval
from cat.models import load_model
from cat.provenance import provenance
from cat.signals import Example
from catviz.density import role_scores
from catviz.figures.accuracy import accuracy_over_alpha
from catviz.figures.curves import training_curves
from catviz.figures.density import attention_density
from catviz.figures.figure import Figure, save_all
from catviz.figures.maps import attention_map
from catviz.maps import MeanMap
from catviz.reading import mean_map
from catviz.report import Section, accuracy_table, write_report

if TYPE_CHECKING:
    from cat.records import StepRecord

__all__ = ["PLANS", "Plan", "Run", "demo"]

EPOCHS = 6
BATCH = 16
TEXTS = {"S": 400, "M": 800, "L": 1600}
SPLITS = {"test_iid": "iid", "test_ood": "ood"}


@dataclass(frozen=True)
class Run:
    """One training run; alpha None is plain fine-tuning."""

    model: str
    split: str
    alpha: float | None
    seed: int

    @property
    def name(self) -> str:
        return label(self.alpha).replace(" ", "-") + f"-{self.split}-seed-{self.seed}"

    @property
    def steps(self) -> int:
        return EPOCHS * math.ceil(TEXTS[self.split] / BATCH)


@dataclass(frozen=True)
class Plan:
    """Which runs the demo of a model makes.

    ``split`` and ``alpha`` are those of the comparison; accuracy over alpha is drawn from runs on
    ``curve_split``, where more data than the smallest set would hide the fall at large alpha.
    """

    split: str
    alpha: float
    seeds: tuple[int, ...]
    curve_split: str
    curve_alphas: tuple[float, ...]
    seconds_a_step: float
    keep_finished: bool

    def runs(self, model: str) -> list[Run]:
        compared = [Run(model, self.split, a, s) for a in (None, self.alpha) for s in self.seeds]
        curve = [
            Run(model, self.curve_split, a, s)
            for a in (None, *self.curve_alphas)
            for s in self.seeds
        ]
        return list(dict.fromkeys(compared + curve))


PLANS = {
    "tiny": Plan(
        split="L",
        alpha=10.0,
        seeds=(42, 43, 44),
        curve_split="S",
        curve_alphas=(0.3, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0),
        seconds_a_step=0.012,
        keep_finished=False,
    ),
    "smollm2": Plan(
        split="S",
        alpha=3.0,
        seeds=(42,),
        curve_split="S",
        curve_alphas=(0.6, 3.0),
        seconds_a_step=10.0,
        keep_finished=True,
    ),
}


Results = dict[Run, dict[str, Any]]


def demo(
    model: str = "tiny", out: str | Path = "outputs/demo", say: Callable[[str], None] = print
) -> Path:
    """Run the plan of a model and write ``report.html`` with its figures; returns its path."""
    if model not in PLANS:
        raise ValueError(f"expected a model of {sorted(PLANS)} for the demo, got {model!r}")
    plan, out = PLANS[model], Path(out)
    quiet_libraries()
    if model == "smollm2":
        from cat.smollm2 import fetch_smollm2

        fetch_smollm2(say)
    runs = plan.runs(model)
    folders = {run: out / "runs" / model / run.name for run in runs}
    todo = [r for r in runs if not (plan.keep_finished and (folders[r] / "result.json").is_file())]
    steps = sum(run.steps for run in todo)
    say(
        f"{model}: {len(todo)} of {len(runs)} runs to train, {steps} steps, about "
        f"{_duration(steps * plan.seconds_a_step)} on two cores"
        + ("; interrupted, it goes on where it was" if plan.keep_finished else "")
    )
    _train(todo, folders, resume=plan.keep_finished)
    say("drawing")
    results = {
        run: json.loads((folder / "result.json").read_text(encoding="utf-8"))
        for run, folder in folders.items()
    }
    path = _write_page(model, plan, folders, results, out)
    say(_table(plan, _scores(model, plan, results)))
    say(f"page: {path}\nfigures: {out / 'figures'}")
    return path


def label(alpha: float | None) -> str:
    """How the page names a model.

    >>> label(None), label(10.0)
    ('plain', 'CAT alpha 10')
    """
    return "plain" if alpha is None else f"CAT alpha {alpha:g}"


# ---------------------------------------------------------------------------- training


def _train(runs: Sequence[Run], folders: dict[Run, Path], *, resume: bool) -> None:
    from tqdm.auto import tqdm

    from cat.train import RunConfig, run, usual_learning_rate
    from cat.trainer import CATConfig

    with tqdm(total=sum(r.steps for r in runs), unit="step", mininterval=0.5) as bar:
        done = 0
        for one in runs:
            bar.set_description(f"{label(one.alpha)}, STG_{one.split}, seed {one.seed}")
            settings = CATConfig(
                output_dir=str(folders[one]),
                alpha=one.alpha,
                log_attention=True,
                seed=one.seed,
                num_train_epochs=EPOCHS,
                per_device_train_batch_size=BATCH,
                learning_rate=usual_learning_rate(one.model, lora=False),
                save_strategy="epoch" if resume else "no",
                save_total_limit=1,
                use_cpu=_on_cpu(),
            )
            config = RunConfig(model=one.model, train_split=one.split, resume=resume)
            run(
                config,
                settings,
                on_record=partial(_advance, bar, done),
                say=lambda line: None,
            )
            done += one.steps
            bar.update(done - bar.n)


def _advance(bar: Any, done: int, record: StepRecord) -> None:
    bar.update(done + record.step - bar.n)


def _on_cpu() -> bool:
    from cat.models import place

    return place().device == "cpu"


# ---------------------------------------------------------------------------- the page


def _compared(model: str, plan: Plan) -> dict[float | None, list[Run]]:
    """alpha -> its runs, a seed each."""
    return {a: [Run(model, plan.split, a, s) for s in plan.seeds] for a in (None, plan.alpha)}


def _scores(model: str, plan: Plan, results: Results) -> list[dict[str, Any]]:
    return [
        {"model": label(alpha), **_score([results[r] for r in runs], test)}
        for alpha, runs in _compared(model, plan).items()
        for test in SPLITS
    ]


def _table(plan: Plan, scores: list[dict[str, Any]]) -> str:
    """The comparison for a terminal."""
    lines = [f"STG_{plan.split}, {len(plan.seeds)} seed(s), accuracy in percent"]
    for score in scores:
        low, high = 100 * score["low"], 100 * score["high"]
        where = f"{score['model']:>15}  {score['split'].upper()}"
        lines.append(f"{where}  {100 * score['accuracy']:6.2f}  [{low:.1f}, {high:.1f}]")
    return "\n".join(lines)


def _write_page(
    model: str, plan: Plan, folders: dict[Run, Path], results: Results, out: Path
) -> Path:
    compared = _compared(model, plan)
    scores = _scores(model, plan, results)
    figures = _attention_figures({label(a): folders[r[0]] for a, r in compared.items()}, plan)
    figures["accuracy_over_alpha"] = _alpha_figure(model, plan, results)
    figures["training"] = training_curves(
        {label(a): _steps(folders[runs[0]]) for a, runs in compared.items()},
        title=f"Training on STG_{plan.split}, seed {plan.seeds[0]}",
        targets={label(plan.alpha): plan.alpha},
    )
    save_all(figures, out / "figures", suffixes=("svg", "png", "json"))
    for name, figure in figures.items():
        figure.save(out / "figures" / f"{name}-dark.svg", theme="dark")
    first = results[compared[plan.alpha][0]]
    return write_report(
        out / "report.html",
        title="Where a language model looks, and what that does to its answers",
        lead=_lead(model, plan, scores),
        sections=_sections(plan, scores, first, figures),
        settings={
            "model": model,
            "seeds": list(plan.seeds),
            **{key: first[key] for key in ("settings", "data")},
            **provenance(),
        },
    )


def _sections(
    plan: Plan, scores: list[dict[str, Any]], first: dict[str, Any], figures: dict[str, Figure]
) -> list[Section]:
    n = len(plan.seeds)
    seeds = f"means of {n} seeds with 95% intervals over seeds" if n > 1 else "one seed"
    interval = "" if n > 1 else "; intervals: 95%, over the choice of test texts"
    return [
        Section(
            "Accuracy",
            f"Trained on the {TEXTS[plan.split]} texts of STG_{plan.split}, tested on 400 texts in "
            "distribution (IID) and 400 out of distribution (OOD). A rule that reads nothing, or "
            "only the spurious companions, already scores well in distribution: read every "
            "accuracy beside these.",
            table=accuracy_table(
                scores,
                references=_references(first),
                caption=f"Accuracy in percent, {seeds}{interval}.",
            ),
        ),
        Section(
            "Where the answer looks",
            "How much attention the row that predicts the answer gives to each word, by what the "
            "word is to the answer: a cause, a spurious companion of a cause, or neither. All "
            "words of the OOD test texts, mean over all layers and heads (the paper's Figure 3).",
            [figures["density"]],
        ),
        Section(
            "One text at a time",
            "The mean attention map of one IID and one OOD text (the paper's Figure 5). Each row "
            "is a token that looks, each column a token that is looked at; the bars below show "
            "the row that predicts the answer. The OOD text is the first that plain training "
            "gets wrong and CAT gets right, where there is one.",
            [figures["map_iid"], figures["map_ood"]],
        ),
        Section(
            "Accuracy over alpha",
            "Alpha is the ratio that the loss asks for: mean attention on a cause over mean "
            f"attention on any other token. Trained on STG_{plan.curve_split} (the paper's "
            "Figure 4).",
            [figures["accuracy_over_alpha"]],
        ),
        Section("Training", "Both runs, step by step.", [figures["training"]]),
    ]


def _lead(model: str, plan: Plan, scores: list[dict[str, Any]]) -> str:
    found = {(s["model"], s["split"]): f"{s['accuracy']:.1%}" for s in scores}
    said = "; ".join(
        f"{name}: {found[name, 'iid']} in distribution, {found[name, 'ood']} out of it"
        for name in (label(None), label(plan.alpha))
    )
    return (
        f"The same model ({model}) was tuned on the Spurious Token Game plainly and with Causal "
        "Attention Tuning, which asks that the answer attend to its causes. In training every "
        "spurious factor follows its cause; out of distribution it no longer does.\n\n"
        f"{said}."
    )


def _score(results: Sequence[dict[str, Any]], test: str) -> dict[str, Any]:
    """The mean over seeds with its interval; for one seed the interval over test texts."""
    accuracies = [result["scores"][test]["accuracy"] for result in results]
    interval = seed_interval(accuracies)
    low, high = interval.low, interval.high
    if low is None or high is None:
        low, high = results[0]["scores"][test]["interval"]
    return {
        "split": SPLITS[test],
        "accuracy": sum(accuracies) / len(accuracies),
        "low": max(low, 0.0),
        "high": min(high, 1.0),
        "seeds": len(accuracies),
    }


def _references(result: dict[str, Any]) -> dict[str, dict[str, float]]:
    """rule -> split -> accuracy."""
    found: dict[str, dict[str, float]] = {}
    for test, split in SPLITS.items():
        for rule, score in result["references"][test].items():
            found.setdefault(rule, {})[split] = score["accuracy"]
    return found


def _alpha_figure(model: str, plan: Plan, results: Results) -> Figure:
    def point(alpha: float | None, test: str) -> dict[str, Any]:
        runs = [Run(model, plan.curve_split, alpha, seed) for seed in plan.seeds]
        return _score([results[run] for run in runs], test)

    always = next(iter(_references(results[Run(model, plan.curve_split, None, plan.seeds[0])])))
    references = _references(results[Run(model, plan.curve_split, None, plan.seeds[0])])
    return accuracy_over_alpha(
        [{"alpha": a, **point(a, test)} for a in plan.curve_alphas for test in SPLITS],
        baseline={split: point(None, test) for test, split in SPLITS.items()},
        references={always: references[always]},
        title=f"Accuracy over alpha, STG_{plan.curve_split}",
        interval="95% interval over seeds" if len(plan.seeds) > 1 else "95% interval over texts",
    )


def _attention_figures(folders: dict[str, Path], plan: Plan) -> dict[str, Figure]:
    from cat.data import load_data
    from cat.tiny import suitable_threads

    data = load_data("stg-e", plan.split)
    loaded = {name: load_model(str(folder)) for name, folder in folders.items()}
    with suitable_threads(loaded[label(None)][0]):
        scores = {
            name: role_scores(model, tokenizer, data["test_ood"])
            for name, (model, tokenizer) in loaded.items()
        }
        texts = {
            "IID": data["test_iid"][0],
            "OOD": _telling_text(list(loaded.values()), data["test_ood"]),
        }
        maps = {
            place: [
                mean_map(model, tokenizer, example, name=name, label=f"{place} text")
                for name, (model, tokenizer) in loaded.items()
            ]
            for place, example in texts.items()
        }
    return {
        "density": attention_density(scores, title="Attention on the words of the OOD texts"),
        "map_iid": _map_figure(maps["IID"], texts["IID"], "in distribution"),
        "map_ood": _map_figure(maps["OOD"], texts["OOD"], "out of distribution"),
    }


def _map_figure(maps: list[MeanMap], example: Example, where: str) -> Figure:
    return attention_map(maps, title=f"Mean attention, a text {where} (answer: {example.answer})")


def _telling_text(models: Sequence[tuple[Any, Any]], examples: Sequence[Example]) -> Example:
    """The first text that the first model gets wrong and the last gets right, else the first."""
    examples = examples[:100]  # enough to find one, and quick with a large model
    first, *_, last = (evaluate_answers(m, t, examples).correct for m, t in models)
    for example, first_right, last_right in zip(examples, first, last, strict=True):
        if last_right and not first_right:
            return example
    return examples[0]


def _steps(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "steps.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} seconds"
    if seconds < 5400:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.1f} hours"
