"""A chart of each kind, as panels make them: a frame for each of nine alphas."""

from __future__ import annotations

import numpy as np

from catviz.widgets.charts import Chart, DotChart, Dots, Line, LineChart, MapChart, TextChart
from catviz.words import Role

ALPHAS = ("plain", "0.3", "1", "2", "3", "5", "10", "20", "50")
ORDER = ("density", "accuracy", "effects", "map", "text")

TOKENS = (
    "Here is the statistical data for a person.",
    " Smoking: 8",
    " Yellow fingers: 12",
    " Room size: 2",
    " Exercise: 1",
    " Answer:",
)
TOKEN_ROLES: tuple[Role, ...] = ("other", "causal", "spurious", "irrelevant", "causal", "other")


def frame(at: int) -> dict[str, Chart]:
    """All five charts at the alpha of that number."""
    return {
        "density": density(at),
        "accuracy": accuracy(at),
        "effects": effects(at),
        "map": attention(at),
        "text": TextChart("What the answer reads", TOKENS, TOKEN_ROLES, weights(at)[-1]),
    }


def density(at: int) -> LineChart:
    x = np.linspace(0, 0.4, 60)
    centres: dict[Role, float] = {
        "causal": 0.1 + 0.02 * at,
        "spurious": 0.1 - 0.008 * at,
        "irrelevant": 0.03,
    }
    lines = [
        Line(role, x, np.minimum(20 * np.exp(-(((x - centre) / 0.03) ** 2)), 18), role, filled=True)
        for role, centre in centres.items()
    ]
    return LineChart(
        f"Attention by role, {ALPHAS[at]}",
        "attention score of a word (row that predicts the answer)",
        "density of words",
        lines,
        x_range=(0, 0.4),
        y_range=(0, 18),
        note="80 texts; the highest peak may be cut.",
    )


def accuracy(at: int) -> LineChart:
    x = np.arange(len(ALPHAS))
    lines = []
    for name, y in (
        ("in distribution", 0.97 - 0.001 * x**1.5),
        ("out of distribution", 0.98 - 0.18 * np.exp(-x / 2)),
    ):
        lines.append(Line(name, x, y, low=y - 0.03, high=y + 0.015, marked=True))
    return LineChart(
        "Accuracy after training",
        "alpha",
        "share of right answers",
        lines,
        y_range=(0.6, 1),
        ticks=list(enumerate(ALPHAS)),
        cursor=(at, f"alpha {ALPHAS[at]}" if at else "plain training"),
        percent=True,
    )


def effects(at: int) -> DotChart:
    model = np.array([0.5 + 0.04 * at, 0.4 - 0.05 * at, -0.01 * at])
    return DotChart(
        "What each factor does to the answer",
        "change of the probability of High Risk",
        ["Smoking", "Yellow fingers", "Room size"],
        ["causal", "spurious", "irrelevant"],
        [Dots("true", [0.8, 0, 0]), Dots("model", model, model - 0.1, model + 0.1)],
        x_range=(-0.2, 1),
    )


def weights(at: int) -> np.ndarray:
    size = len(TOKENS)
    values = np.tril(np.ones((size, size)))
    values[:, [1, 4]] *= 1 + at
    values = np.tril(values)
    return values / values.sum(axis=1, keepdims=True)


def attention(at: int) -> MapChart:
    return MapChart("One text, mean of all heads", TOKENS, TOKEN_ROLES, weights(at), highest=0.3)
