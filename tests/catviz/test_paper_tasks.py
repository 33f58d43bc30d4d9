"""The paper's own averages say whether its Table 2 was typed rightly."""

from __future__ import annotations

import pytest

from catviz.paper_tasks import TABLE_2, paper_task_score


@pytest.mark.parametrize(
    ("model", "setting", "plain", "cat"),
    [  # the averages in Table 2's last column
        ("TinyLlama-1.1B", "full", 19.96, 21.42),
        ("TinyLlama-1.1B", "LoRA", 15.50, 16.72),
        ("Qwen2.5-1.5B", "full", 62.51, 65.03),
        ("Qwen2.5-1.5B", "LoRA", 67.69, 69.17),
        ("Llama-3.1-8B", "LoRA", 78.98, 80.11),
    ],
)
def test_rows_have_the_averages_of_the_table(
    model: str, setting: str, plain: float, cat: float
) -> None:
    row = [score for score in TABLE_2 if (score.model, score.setting) == (model, setting)]
    assert len(row) == 7
    assert 100 / 7 * sum(score.plain for score in row) == pytest.approx(plain, abs=0.011)
    assert 100 / 7 * sum(score.cat for score in row) == pytest.approx(cat, abs=0.011)


@pytest.mark.parametrize(
    ("trained_on", "asked", "texts"),
    [("MAWPS", "MAWPS", 413), ("SVAMP", "SVAMP", 200), ("ARC-E", "ARC-E", 2376),
     ("GSM8K", "GSM8K", 1319), ("GSM8K", "ASDiv", 2215), ("GSM8K", "MAWPS", 2065),
     ("GSM8K", "SVAMP", 1000)],
)  # fmt: skip
def test_every_share_is_one_of_so_many_texts(trained_on: str, asked: str, texts: int) -> None:
    """Tuned on GSM8K, models were asked all texts of the other tasks: only so can the shares be."""
    for score in TABLE_2:
        if (score.trained_on, score.asked) == (trained_on, asked):
            for share in (score.plain, score.cat):
                assert round(round(share * texts) / texts, 4) == pytest.approx(share, abs=1.1e-4)


def test_a_pair_by_its_names() -> None:
    score = paper_task_score("TinyLlama-1.1B", "LoRA", "GSM8K", "MAWPS")
    assert (score.plain, score.cat) == (0.2131, 0.2082)
    with pytest.raises(ValueError, match=r"got Llama-3\.1-8B full, MAWPS after MAWPS"):
        paper_task_score("Llama-3.1-8B", "full", "MAWPS", "MAWPS")
