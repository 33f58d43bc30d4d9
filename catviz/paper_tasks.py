"""What the paper reports on the downstream tasks, typed once, to be read beside our own results.

Source: Han et al. 2025 (arXiv 2509.01535), Table 2. "Full" and "LoRA" are its settings. Tuned on
GSM8K and asked other tasks, a model is asked all of their texts.

>>> score = paper_task_score("Qwen2.5-1.5B", "full", "GSM8K", "SVAMP")
>>> score.plain, score.cat
(0.495, 0.521)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["TABLE_2", "PaperTaskScore", "paper_task_score"]

_COLUMNS = (
    ("MAWPS", "MAWPS"),
    ("SVAMP", "SVAMP"),
    ("ARC-E", "ARC-E"),
    ("GSM8K", "GSM8K"),
    ("GSM8K", "ASDiv"),
    ("GSM8K", "MAWPS"),
    ("GSM8K", "SVAMP"),
)
"""(tuned on, asked)."""

# (model, setting): percent of plain training, and of CAT, in each of the columns.
_PERCENT: Mapping[tuple[str, str], tuple[tuple[float, ...], tuple[float, ...]]] = {
    ("TinyLlama-1.1B", "full"): (
        (38.98, 17.50, 25.38, 13.04, 13.14, 20.68, 11.00),
        (41.16, 20.00, 26.01, 14.18, 14.04, 23.15, 11.40),
    ),
    ("TinyLlama-1.1B", "LoRA"): (
        (29.78, 10.50, 14.14, 8.87, 14.40, 21.31, 9.50),
        (30.02, 12.00, 21.17, 8.64, 14.58, 20.82, 9.80),
    ),
    ("Qwen2.5-1.5B", "full"): (
        (67.80, 51.00, 80.39, 45.34, 64.02, 79.52, 49.50),
        (69.73, 56.00, 83.33, 47.08, 64.79, 82.18, 52.10),
    ),
    ("Qwen2.5-1.5B", "LoRA"): (
        (74.33, 64.50, 67.89, 47.23, 70.52, 89.88, 59.50),
        (76.27, 65.00, 69.87, 50.04, 68.58, 90.02, 64.40),
    ),
    ("Llama-3.1-8B", "LoRA"): (
        (89.83, 72.00, 91.58, 65.66, 76.66, 90.94, 66.20),
        (90.31, 72.50, 91.84, 66.57, 78.51, 91.33, 69.70),
    ),
}


@dataclass(frozen=True)
class PaperTaskScore:
    """One pair of Table 2: accuracy after plain training and after CAT, shares from 0 to 1."""

    model: str
    setting: str  # "full" or "LoRA"
    trained_on: str
    asked: str
    plain: float
    cat: float


TABLE_2: tuple[PaperTaskScore, ...] = tuple(
    PaperTaskScore(model, setting, trained_on, asked, round(plain / 100, 4), round(cat / 100, 4))
    for (model, setting), rows in _PERCENT.items()
    for (trained_on, asked), plain, cat in zip(_COLUMNS, *rows, strict=True)
)
"""All pairs of the paper's Table 2."""


def paper_task_score(model: str, setting: str, trained_on: str, asked: str) -> PaperTaskScore:
    """One pair of Table 2.

    Raises:
        ValueError: there is no such pair in the table.
    """
    wanted = (model, setting, trained_on, asked)
    for score in TABLE_2:
        if (score.model, score.setting, score.trained_on, score.asked) == wanted:
            return score
    rows = ", ".join(f"{model} {setting}" for model, setting in _PERCENT)
    columns = ", ".join(dict.fromkeys(f"{asked} after {trained}" for trained, asked in _COLUMNS))
    raise ValueError(
        f"expected a pair of Table 2: of {rows}; {columns}; got {model} {setting}, {asked} after "
        f"{trained_on}"
    )
