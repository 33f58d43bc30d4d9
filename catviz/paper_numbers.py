"""What the paper reports on the Spurious Token Game, typed once, to be read beside our own results.

Source: Han et al. 2025 (arXiv 2509.01535), Table 1. Its models have 1.1 to 8 billion weights;
``tiny`` has 77 thousand. The texts are the same. So what may be compared is the direction and
the order of size of a difference, not an accuracy with an accuracy.

    >>> score = paper_score("TinyLlama-1.1B", "full", "STG_L", "ood")
    >>> score.plain, score.cat
    (0.6525, 0.77)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["COMPARED", "TABLE_1", "PaperScore", "compare_with_paper", "paper_score"]

_DATA = ("STG_S", "STG_M", "STG_L", "STG_H")
_SPLITS = ("iid", "ood")

COMPARED = ("", "IID plain", "IID CAT", "OOD plain", "OOD CAT")
"""The header over what :func:`compare_with_paper` returns."""

# (model, setting, test): percent of plain and of CAT on each of _DATA.
_PERCENT: Mapping[tuple[str, str, str], tuple[tuple[float, float], ...]] = {
    ("TinyLlama-1.1B", "full", "iid"): ((62.25, 73.5), (89.5, 93.50), (95.50, 95.75), (32.2, 37.1)),
    ("TinyLlama-1.1B", "full", "ood"): ((53.50, 63.75), (60.75, 66.25), (65.25, 77.00), (4.1, 6.1)),
    ("TinyLlama-1.1B", "LoRA", "iid"): ((62.75, 81.5), (83.5, 86.75), (96.00, 96.00), (31.9, 35.7)),
    ("TinyLlama-1.1B", "LoRA", "ood"): ((59.25, 65.50), (56.75, 63.50), (61.50, 69.50), (5.9, 9.3)),
    ("Qwen2.5-1.5B", "full", "iid"): ((55.00, 74.00), (94.50, 94.50), (95.50, 95.75), (56.6, 62.5)),
    ("Qwen2.5-1.5B", "full", "ood"): ((53.50, 62.50), (79.00, 79.00), (79.75, 83.25), (25.4, 55.9)),
    ("Qwen2.5-1.5B", "LoRA", "iid"): ((81.50, 82.00), (93.25, 90.50), (95.75, 95.75), (51.5, 53.4)),
    ("Qwen2.5-1.5B", "LoRA", "ood"): ((78.50, 78.50), (82.00, 88.00), (82.00, 84.25), (38.7, 46.1)),
    ("Llama-3.1-8B", "LoRA", "iid"): ((90.50, 94.00), (93.25, 93.50), (96.00, 96.75), (57.8, 61.4)),
    ("Llama-3.1-8B", "LoRA", "ood"): ((86.25, 89.00), (64.50, 90.50), (88.25, 89.25), (49.6, 58.5)),
}  # fmt: skip


@dataclass(frozen=True)
class PaperScore:
    """One pair of Table 1: accuracy after plain training and after CAT, shares from 0 to 1."""

    model: str
    setting: str  # "full" or "LoRA"
    data: str  # "STG_S", "STG_M", "STG_L" (400, 800 and 1,600 texts) or "STG_H"
    split: str  # "iid" or "ood"
    plain: float
    cat: float


TABLE_1: tuple[PaperScore, ...] = tuple(
    PaperScore(model, setting, data, split, round(plain / 100, 4), round(cat / 100, 4))
    for (model, setting, split), pairs in _PERCENT.items()
    for data, (plain, cat) in zip(_DATA, pairs, strict=True)
)
"""All pairs of the paper's Table 1."""


def paper_score(model: str, setting: str, data: str, split: str) -> PaperScore:
    """One pair of Table 1.

    Raises:
        ValueError: there is no such pair in the table.
    """
    for score in TABLE_1:
        if (score.model, score.setting, score.data, score.split) == (model, setting, data, split):
            return score
    rows = sorted({f"{model} {setting}" for model, setting, _ in _PERCENT})
    raise ValueError(
        f"expected a pair of Table 1: of {', '.join(rows)}, on {', '.join(_DATA)}, iid or ood; "
        f"got {model} {setting}, {data}, {split}"
    )


def compare_with_paper(
    data: str, ours: Mapping[str, Mapping[str, tuple[float, float]]] | None = None
) -> dict[str, list[list[str]]]:
    """Table 1's column for one data set, with our own results beneath, in percent.

    Args:
        data: one of STG_S, STG_M, STG_L, STG_H.
        ours: what a row is called -> split ("iid", "ood") -> accuracy after plain training and
            after CAT, shares from 0 to 1.

    Returns:
        heading -> rows under :data:`COMPARED`: the groups of a :class:`catviz.report.Table`.

    >>> rows = compare_with_paper("STG_L", {"tiny": {"iid": (0.97, 0.99), "ood": (0.79, 0.98)}})
    >>> rows["Ours"]
    [['tiny', '97.00', '99.00', '79.00', '98.00']]
    """
    if data not in _DATA:
        raise ValueError(f"expected data as one of {', '.join(_DATA)}, got {data!r}")
    models = dict.fromkeys((model, setting) for model, setting, _ in _PERCENT)
    paper = {
        f"{model}, {setting}": {
            split: (score.plain, score.cat)
            for split in _SPLITS
            for score in [paper_score(model, setting, data, split)]
        }
        for model, setting in models
    }
    groups = {"Paper, Table 1": paper, "Ours": ours or {}}
    return {
        heading: [
            [name, *(f"{100 * share:.2f}" for split in _SPLITS for share in by[split])]
            for name, by in rows.items()
        ]
        for heading, rows in groups.items()
        if rows
    }
