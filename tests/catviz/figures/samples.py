"""Data for the figures that show something else than attention."""

from __future__ import annotations

import numpy as np

from cat.alignment import Aligned, align
from cat.models import tiny_tokenizer
from cat.scm import CausalModel, Role, Variable
from cat.signals import Example, Signal
from cat.stg import STG_E, annotate, stg_e
from tests.catviz.figures.drawn import HOSTILE


def scores(**centres: float) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    return {
        role: np.clip(centre * np.exp(0.3 * generator.normal(size=80)), 0, 1)
        for role, centre in centres.items()
    }


CUT = {
    "plain": scores(causal=0.06, spurious=0.07, irrelevant=0.05),
    "alpha 1": scores(causal=0.12, spurious=0.03, irrelevant=0.025),
    "alpha 3": scores(causal=0.27, spurious=0.002, irrelevant=0.002),
}


def points() -> list[dict[str, object]]:
    return [
        {"alpha": alpha, "split": split, "accuracy": a, "low": a - 0.03, "high": a + 0.03,
         "seeds": 3}
        for alpha, iid, ood in [(0.1, 0.955, 0.66), (3, 0.96, 0.88), (50, 0.94, 0.93)]
        for split, a in [("iid", iid), ("ood", ood)]
    ]  # fmt: skip


REFERENCES = {
    "always Low Risk": {"iid": 0.6875, "ood": 0.665},
    "spurious values alone": {"iid": 0.9525, "ood": 0.625},
    "table of seen triples": {"iid": 0.9525, "ood": 0.9225},
}


def training(*, plain: bool, ratio: float = 1.0) -> list[dict[str, object]]:
    return [
        {"step": step, "epoch": step / 10, "lm_loss": 2 / (1 + step), "gamma": 0.5,
         "attn_loss": None if plain else 1 / (1 + step), "ratio_mean": 0.3 + ratio * step / 20,
         "active_row_share": None if plain else 1 / (1 + step), "causal_mass": 0.2 + step / 50}
        for step in range(20)
    ]  # fmt: skip


def effects(*models: str) -> list[dict[str, object]]:
    true = {"Smoking": 0.5, "Weight": 0.3, "Exercise": -0.4}
    return [
        {"model": model, "factor": factor, "role": role, "effect": true.get(factor, 0.1 * at),
         "low": true.get(factor, 0.1 * at) - 0.05, "high": true.get(factor, 0.1 * at) + 0.05,
         "true": true.get(factor, 0.0)}
        for at, model in enumerate(models)
        for factor, role in STG_E.roles.items()
    ]  # fmt: skip


def variable(name: str, role: Role, *parents: str) -> Variable:
    return Variable(name, role, f"f({', '.join(parents)})", lambda values, noise: 0, parents)


def game(cause: str, companion: str, irrelevant: str) -> CausalModel:
    variables = (
        variable(cause, "causal"),
        variable(companion, "spurious", cause),
        variable(irrelevant, "irrelevant"),
    )
    return CausalModel("a game", variables, lambda values: 0, "a rule")


def stg_aligned(at: int = 3) -> Aligned:
    example = annotate(Example.from_record(stg_e(n_train=4, n_test=10)["test_ood"][at]))
    return align(example, tiny_tokenizer())


def signals_example() -> Example:
    """Relations that share phrases and lines, one phrase absent, one out of order."""
    text = (
        "Mia picks 12 shells on Monday and 5 more on Tuesday, and gives 3 of all her shells to a "
        "friend who collects them.\nHow many shells does she keep? Answer: "
    )
    answer = "She has 12+5=17 shells, then 17-3=14 shells.\n#### 14"
    signals = (
        Signal("5 more", ("12 shells", "9 stars")),
        Signal("17 shells", ("12 shells", "5 more", "all her shells")),
        Signal("14 shells", ("3 of all her shells", "17 shells")),
        Signal("12 shells", ("Answer",)),
        Signal("14", ("17-3=", "How many shells does she keep?", "12 shells on Monday")),
    )
    return Example(text, answer, signals)


def hostile_signals() -> Example:
    text = f"$x_1$ \u202eabc {'y' * 300} {HOSTILE} 😀 Answer: "
    signals = (
        Signal("$b_2$", ("$x_1$", "😀", HOSTILE, "z" * 400)),
        Signal("not $there$", ("\x00",)),
        Signal("$b_2$", ()),
    )
    return Example(text, "$b_2$", signals)
