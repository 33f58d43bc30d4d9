"""The paper's own averages say whether its table was typed rightly."""

from __future__ import annotations

import pytest

from catviz.paper_numbers import COMPARED, TABLE_1, compare_with_paper, paper_score
from catviz.report import Table


def _mean_gain(split: str) -> float:
    gains = [100 * (s.cat - s.plain) for s in TABLE_1 if s.split == split]
    return sum(gains) / len(gains)


def test_every_pair_is_there_once():
    keys = {(s.model, s.setting, s.data, s.split) for s in TABLE_1}
    assert len(keys) == len(TABLE_1) == 5 * 2 * 4
    assert all(0 < share < 1 for s in TABLE_1 for share in (s.plain, s.cat))


def test_mean_gains_are_those_of_the_papers_text():
    # Section 5.2.1: "improves the IID performance by 3.95% and OOD performance by 7.56%".
    assert _mean_gain("iid") == pytest.approx(3.95, abs=0.01)
    assert _mean_gain("ood") == pytest.approx(7.56, abs=0.01)
    # Abstract: 5.76% on average.
    assert (_mean_gain("iid") + _mean_gain("ood")) / 2 == pytest.approx(5.76, abs=0.01)


@pytest.mark.parametrize(
    ("model", "setting", "split", "plain", "cat"),
    [  # the averages in Table 1's last column
        ("TinyLlama-1.1B", "full", "iid", 69.86, 74.96),
        ("TinyLlama-1.1B", "full", "ood", 45.90, 53.27),
        ("TinyLlama-1.1B", "LoRA", "iid", 68.54, 74.99),
        ("TinyLlama-1.1B", "LoRA", "ood", 45.85, 51.95),
        ("Qwen2.5-1.5B", "full", "iid", 75.40, 81.69),
        ("Qwen2.5-1.5B", "full", "ood", 59.41, 70.16),
        ("Qwen2.5-1.5B", "LoRA", "iid", 80.50, 80.41),
        ("Qwen2.5-1.5B", "LoRA", "ood", 70.30, 74.21),
        ("Llama-3.1-8B", "LoRA", "iid", 84.39, 86.41),
        ("Llama-3.1-8B", "LoRA", "ood", 72.15, 81.81),
    ],
)
def test_rows_have_the_averages_of_the_table(model, setting, split, plain, cat):
    row = [s for s in TABLE_1 if (s.model, s.setting, s.split) == (model, setting, split)]
    assert len(row) == 4
    assert 25 * sum(s.plain for s in row) == pytest.approx(plain, abs=0.011)
    assert 25 * sum(s.cat for s in row) == pytest.approx(cat, abs=0.011)


def test_numbers_told_in_the_abstract():
    llama = paper_score("Llama-3.1-8B", "LoRA", "STG_M", "ood")
    qwen = paper_score("Qwen2.5-1.5B", "full", "STG_H", "ood")
    assert (llama.plain, llama.cat) == (0.645, 0.905)
    assert (qwen.plain, qwen.cat) == (0.254, 0.559)


def test_ours_stand_beneath_the_papers():
    groups = compare_with_paper("STG_M", {"tiny": {"iid": (0.9, 0.95), "ood": (0.7, 1.0)}})
    assert list(groups) == ["Paper, Table 1", "Ours"]
    assert groups["Paper, Table 1"][-1] == [
        "Llama-3.1-8B, LoRA",
        "93.25",
        "93.50",
        "64.50",
        "90.50",
    ]
    assert groups["Ours"] == [["tiny", "90.00", "95.00", "70.00", "100.00"]]
    assert list(compare_with_paper("STG_H")) == ["Paper, Table 1"]
    assert "OOD CAT" in Table("as in the notebook", COMPARED, groups).html()


def test_what_is_not_in_the_table_is_said():
    with pytest.raises(ValueError, match=r"got Llama-3\.1-8B full, STG_L, ood"):
        paper_score("Llama-3.1-8B", "full", "STG_L", "ood")
    with pytest.raises(ValueError, match="STG_S, STG_M, STG_L, STG_H, got 'L'"):
        compare_with_paper("L")
