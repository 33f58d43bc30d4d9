"""Table 1: our numbers as computed by hand, the paper's as printed, gaps said."""

from __future__ import annotations

from catviz.report import Cell
from catviz.results.files import latex, markdown
from catviz.results.table1 import table1
from tests.catviz.results.stored import cat, line, results

PLAIN = ((0, 0.70), (1, 0.74), (2, 0.78))
TUNED = ((0, 0.80), (2, 0.84))


def part_of(data: str = "STG_S") -> dict[str, list[Cell | str]]:
    part = table1(
        results(
            *(line(seed=s, ood=o, data=data) for s, o in PLAIN),
            *(cat(seed=s, ood=o, data=data) for s, o in TUNED),
            line("new-idea", {"weight": 0.5}, data=data, seed=1, ood=0.75),
        )
    )
    rows = part.tables[f"table1_{data}"].table.groups
    return {f"{heading}/{row[0]}": list(row) for heading, those in rows.items() for row in those}


def test_rows_hold_means_intervals_seeds_and_paired_differences() -> None:
    rows = part_of()
    assert rows["Ours: tiny, full/plain"] == [
        "plain", Cell("3"), Cell("90.00", "90.0 to 90.0"), "", Cell("74.00", "64.1 to 83.9"), "",
    ]  # fmt: skip
    _, seeds, iid, iid_gain, ood, gain = rows["Ours: tiny, full/CAT, alpha 10"]
    assert seeds == Cell("2 of 3", "without 1")
    assert iid == Cell("90.00", "90.0 to 90.0")
    assert iid_gain == Cell("+0.00", "+0.0 to +0.0; 2 of 3 pairs")
    assert isinstance(ood, Cell)
    assert ood.text == "82.00"
    # (0.80 - 0.70 + 0.84 - 0.78) / 2, half a width of 12.706 * 0.02
    assert gain == Cell("+8.00", "-17.4 to +33.4; 2 of 3 pairs")


def test_methods_unknown_to_us_have_rows_and_one_seed_says_so() -> None:
    row = part_of()["Ours: tiny, full/new idea, weight 0.5"]
    assert row[1] == Cell("1 of 3", "without 0, 2")
    assert row[4] == Cell("75.00", "72.0 to 77.0, over texts")
    # 0.01, and hypot(0.03, 0.02) to either side
    assert row[5] == Cell("+1.00", "-2.6 to +4.6, over texts; 1 of 3 pairs")


def test_references_and_the_paper_stand_beside_ours() -> None:
    rows = part_of("STG_L")
    assert rows["Rules without a model/always Low Risk"][2::2] == ["68.75", "66.50"]
    paper = rows["Paper: TinyLlama-1.1B, full/CAT"]
    assert paper == ["CAT", "1", "95.75", "+0.25", "77.00", "+11.75"]


def test_the_average_of_three_data_sets_needs_all_three() -> None:
    lines = [
        one
        for data, gain in (("STG_S", 0.1), ("STG_M", 0.05), ("STG_L", 0.0))
        for one in (line(data=data, ood=0.7), cat(data=data, ood=0.7 + gain))
    ]
    for those, mean in ((lines, "+5.00"), (lines[:4], "\N{EN DASH}")):
        table = table1(results(*those)).tables["table1_summary"].table
        row = table.groups["Out of distribution"][0]
        assert [cell.text for cell in row[1:] if isinstance(cell, Cell)][3] == mean
    rows = {str(row[0]): row for row in table.groups["Out of distribution"]}
    assert rows["Paper: TinyLlama-1.1B, full"][4] == "+9.17"


def test_numbers_answers_have_their_error_too() -> None:
    part = table1(
        results(line(data="STG_H", error=9.0), cat(data="STG_H", error=7.5), line(data="STG_S"))
    )
    assert list(part.tables) == [
        "table1_summary", "table1_STG_S", "table1_STG_H", "table1_STG_H_error",
    ]  # fmt: skip
    rows = part.tables["table1_STG_H_error"].table.groups["Ours: tiny, full"]
    assert rows[1][4:] == [Cell("7.50"), Cell("-1.50")]


def test_of_cat_only_what_table1_declares_stands_in_it() -> None:
    lines = [line(), cat(10.0), cat(0.05), cat(10.0, options={"exclude_sink": True})]
    rows = table1(results(*lines)).tables["table1_STG_S"].table.groups["Ours: tiny, full"]
    assert [row[0] for row in rows] == ["plain", "CAT, alpha 10"]
    rows = (
        table1(results(*lines[:1], lines[2]))
        .tables["table1_STG_S"]
        .table.groups["Ours: tiny, full"]
    )
    assert [row[0] for row in rows] == ["plain", "CAT, alpha 0.05"]  # none of the declared was run


def test_other_strengths_are_not_in_it() -> None:
    assert "table1_STG_S" not in table1(results(line(strength=0.9))).tables


def test_without_plain_training_there_are_scores_but_no_differences() -> None:
    part = table1(results(cat(ood=0.9)))
    (row,) = part.tables["table1_STG_S"].table.groups["Ours: tiny, full"]
    assert row[4:] == [Cell("90.00", "87.0 to 92.0, over texts"), ""]
    assert part.figures == {}


def test_an_empty_store_says_how_to_fill_it() -> None:
    part = table1(results())
    assert part.tables == {}
    assert part.missing.endswith("cat-tune sweep table1 --model MODEL")
    assert "STG_S" in part.missing
    assert "STG_H" in part.missing


def test_files_for_papers_hold_the_same() -> None:
    part = table1(results(line("a_b & c", {"share": "5%"}), line()))
    table = part.tables["table1_STG_S"].table
    assert "| plain | 1 | 90.00 (87.0 to 92.0, over texts) |" in markdown(table)
    assert "a b \\& c, share 5\\% & 1 & 90.00 (" in latex(table)
