"""The demo end to end on a plan of a few steps, and its command line."""

import json
import re

import pytest

from catviz import demo as demos
from catviz.cli import main


@pytest.fixture
def short_plan(monkeypatch):
    plan = demos.Plan(
        split="S",
        alpha=10.0,
        seeds=(1, 2),
        curve_split="S",
        curve_alphas=(2.0,),
        seconds_a_step=0.01,
        keep_finished=True,
    )
    monkeypatch.setitem(demos.PLANS, "tiny", plan)
    monkeypatch.setattr(demos, "EPOCHS", 1)
    return plan


def test_demo_writes_the_page_the_figures_and_the_runs(short_plan, tmp_path, capsys):
    assert main(["demo", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "6 of 6 runs to train, 150 steps" in printed
    assert re.search(r"CAT alpha 10 +OOD +\d+\.\d\d", printed)

    page = (tmp_path / "report.html").read_text(encoding="utf-8")
    for heading in ("Accuracy", "Where the answer looks", "One text at a time", "Settings"):
        assert f"{heading}</h2>" in page
    assert not re.search(r"""(src|href)=["']https?:""", page)
    for name in ("density", "map_iid", "map_ood", "accuracy_over_alpha", "training"):
        for suffix in (".svg", ".png", "-dark.svg"):
            assert (tmp_path / "figures" / f"{name}{suffix}").stat().st_size > 1000

    result = json.loads(
        (tmp_path / "runs/tiny/CAT-alpha-10-S-seed-1/result.json").read_text(encoding="utf-8")
    )
    accuracy = result["scores"]["test_ood"]["accuracy"]
    other = json.loads(
        (tmp_path / "runs/tiny/CAT-alpha-10-S-seed-2/result.json").read_text(encoding="utf-8")
    )["scores"]["test_ood"]["accuracy"]
    assert f"{50 * (accuracy + other):.2f}" in page  # the table holds the mean of the seeds

    assert main(["demo", "--out", str(tmp_path)]) == 0  # finished runs are kept
    assert "0 of 6 runs to train" in capsys.readouterr().out


def test_an_unknown_model_is_told_in_a_line(capsys, tmp_path):
    assert main(["demo", "--model", "gpt-9", "--out", str(tmp_path)]) == 2
    error = capsys.readouterr().err
    assert "smollm2" in error
    assert "tiny" in error
    assert "Traceback" not in error


def test_the_real_plan_fits_its_promise():
    tiny = demos.PLANS["tiny"]
    steps = sum(run.steps for run in tiny.runs("tiny"))
    assert steps * tiny.seconds_a_step < 180
