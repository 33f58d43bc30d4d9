"""`cat.trainer`, what is ours: rows of each layer or head, and of the causes' own tokens."""

from __future__ import annotations

import copy
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from cat.alignment import align_all, with_cause_rows
from cat.methods import Tuning, make_method
from cat.models import load_model
from cat.signals import Example
from tests.cat.trainings import DESCENT, assert_same_weights, stg, trainer, uneven, weights

pytestmark = pytest.mark.usefixtures("one_torch_thread", "no_training_goes_on")

OURS: dict[str, dict[str, Any]] = {
    "layer": {"supervise": "layer"},
    "head": {"supervise": "head", "form": "share"},
    "cause rows": {"cause_rows": True, "form": "log"},
    "all": {"supervise": "layer", "cause_rows": True, "exclude_sink": True, "form": "each"},
}


def naive(
    model: Any,
    tokenizer: Any,
    examples: list[Example],
    alpha: float,
    *,
    supervise: str = "mean",
    cause_rows: bool = False,
    exclude_sink: bool = False,
    form: str = "hinge",
) -> dict[str, Any]:
    """The attention loss text by text, map by map and row by row, from whole eager maps."""
    costs, ratios, masses = [], [], []
    for item in align_all(examples, tokenizer)[0]:
        item = with_cause_rows(item) if cause_rows else item
        ids = torch.tensor([item.input_ids])
        outputs = model(input_ids=ids, output_attentions=True, use_cache=False)
        layers = torch.stack(outputs.attentions)[:, 0]  # (layer, head, query, key)
        over = {"mean": (0, 1), "layer": (1,), "head": ()}[supervise]
        maps = layers.mean(dim=over) if over else layers
        for one in maps.reshape(-1, *maps.shape[-2:]):
            for row, causes in zip(item.rows, item.causes, strict=True):
                keys = range(1 if exclude_sink else 0, row + 1)
                causal = [one[row, key] for key in keys if causes[key]]
                other = [one[row, key] for key in keys if not causes[key]]
                if not causal or not other:
                    continue
                mass, rest = sum(causal), sum(other)
                ratio = (mass / len(causal)) / (rest / len(other))
                cost = {
                    "hinge": alpha - ratio,
                    "log": math.log(alpha) - ratio.log(),
                    "share": (mass + rest).log() - mass.log(),
                    "each": (mass + rest).log() - sum(map(torch.log, causal)) / len(causal),
                }[form]
                costs.append(cost if ratio < alpha else 0.0 * cost)
                ratios.append(ratio.item())
                masses.append(mass.item())
    return {
        "attn_loss": torch.stack(costs).mean().item(),
        "ratio_mean": sum(ratios) / len(ratios),
        "active_row_share": sum(ratio < alpha for ratio in ratios) / len(ratios),
        "causal_mass": sum(masses) / len(masses),
        "rows": len(ratios),
    }


@pytest.mark.parametrize("options", OURS.values(), ids=OURS)
def test_a_step_against_loops_over_maps_and_rows(tmp_path: Path, options: dict[str, Any]) -> None:
    examples = uneven(8)
    run = trainer(
        tmp_path,
        examples,
        model="tiny-word",
        sharp=30,
        alpha=0.9,
        gamma="1",
        max_steps=1,
        train_sampling_strategy="sequential",
        **{**options, **DESCENT},
    )
    oracle = copy.deepcopy(run.model)
    oracle.set_attn_implementation("eager")
    expected = naive(oracle, run.tokenizer, examples, 0.9, **options)
    alone = naive(oracle, run.tokenizer, examples, 0.9)["rows"]
    maps = {"mean": 1, "layer": 2, "head": 8}[options.get("supervise", "mean")]
    if not options.get("cause_rows"):
        assert expected.pop("rows") == maps * alone
    else:
        assert expected.pop("rows") > 3 * maps * alone
    (record,) = run.steps()
    assert 0 < expected["active_row_share"] < 1
    for name, value in expected.items():
        assert getattr(record, name) == pytest.approx(value, rel=1e-4, abs=1e-6), name


@pytest.mark.parametrize("name", ["head", "all"])
def test_accumulation_leaves_the_objective_unchanged(tmp_path: Path, name: str) -> None:
    """Batches of 4 among which every second has no valid row, and texts of unequal length."""
    runs = [
        trainer(
            tmp_path,
            uneven(8),
            model="tiny-word",
            sharp=30,
            alpha=0.9,
            per_device_train_batch_size=8 // accumulation,
            gradient_accumulation_steps=accumulation,
            train_sampling_strategy="sequential",
            max_steps=2,
            **{**OURS[name], **DESCENT},
        )
        for accumulation in (1, 2)
    ]
    start = weights(runs[0].model)
    for run in runs:
        list(run.steps())
    whole, parts = (weights(run.model) for run in runs)
    assert max(float((whole[name] - start[name]).abs().max()) for name in start) > 1e-3
    for name, value in whole.items():
        torch.testing.assert_close(parts[name], value, atol=1e-5, rtol=0, msg=name)
    for one, other in zip(runs[0].records, runs[1].records, strict=True):
        assert other.to_dict() == pytest.approx(one.to_dict(), rel=1e-4, abs=1e-5)


def test_of_one_layer_the_layer_is_the_mean(tmp_path: Path) -> None:
    runs = [
        trainer(tmp_path, stg("train_S", 32), alpha=10.0, max_steps=2, supervise=supervise)
        for supervise in ("mean", "layer")
    ]
    for run in runs:
        list(run.steps())
    assert_same_weights(runs[0].model, runs[1].model)
    assert runs[0].records == runs[1].records


def test_the_method_hands_its_options_on() -> None:
    """Through `cat.methods`: the step's rows are those of both layers and of the causes."""
    tokenizer = load_model("tiny-word")[1]
    records = {}
    for name, options in {"paper": {}, "ours": {**OURS["all"], "form": "log"}}.items():
        tuning = Tuning(
            lambda: load_model("tiny-word")[0],
            tokenizer,
            stg("train_S", 16),
            settings={"use_cpu": True, "num_train_epochs": 1},
        )
        make_method("cat", alpha=5.0, **options).fit(tuning)
        (records[name],) = tuning.records
    # At first attention is about even: C/N is 1 and the log cost log(5), the hinge's 5 - 1.
    assert records["paper"].attn_loss == pytest.approx(4, abs=0.1)
    assert records["ours"].attn_loss == pytest.approx(math.log(5), abs=0.1)


def test_unknown_choices_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"supervise of \('mean', 'layer', 'head'\), got 'each'"):
        trainer(tmp_path, stg("train_S", 4), alpha=1.0, supervise="each")
