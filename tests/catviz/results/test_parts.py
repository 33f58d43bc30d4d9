"""What each figure of the page is made of."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from cat.experiments.sweeps import OURS
from catviz.figures.figure import Figure
from catviz.report import Cell
from catviz.results.active_rows import active_rows
from catviz.results.alphas import over_alpha
from catviz.results.attention import densities, maps
from catviz.results.methods import all_methods
from catviz.results.options import ablation, gammas
from catviz.results.page import PARTS
from catviz.results.part import Part
from catviz.results.reading import Results
from catviz.results.shift import shift
from catviz.results.sink import sink
from catviz.results.varied import over_size, over_strength
from tests.catviz.results.stored import cat, kept, line, measures, results


def only(part: Part) -> Figure:
    (figure,) = part.figures.values()
    return figure


def shown(figure: Figure, *fields: str, **where: Any) -> list[tuple[Any, ...]]:
    return [
        tuple(record[field] for field in fields)
        for record in figure.data
        if all(record.get(name) == value for name, value in where.items())
    ]


@pytest.mark.parametrize("make", PARTS)
def test_without_results_each_part_says_which_sweep_brings_them(
    make: Callable[[Results], Part],
) -> None:
    part = make(results())
    assert not part.figures
    assert "cat-tune sweep " in part.missing


def test_all_methods_stand_beside_one_another_with_references() -> None:
    part = all_methods(
        results(
            *(line(seed=s, ood=0.7 + s / 100) for s in range(3)),
            *(line("a-new-one", seed=s, ood=0.8) for s in (0, 2)),
            cat(seed=0, ood=0.9),
        )
    )
    figure = only(part)
    assert shown(figure, "row", "value", kind="estimate", panel="OOD") == [
        ("plain", pytest.approx(71)), ("CAT, alpha 10", 90.0), ("a new one", pytest.approx(80)),
    ]  # fmt: skip
    assert shown(figure, "by_seed", "note", row="a new one", panel="OOD") == [
        ("80 80", "2 of 3 seeds")
    ]
    assert ("always Low Risk", 66.5) in shown(figure, "row", "value", kind="reference", panel="OOD")
    assert "Made of 6 runs; tiny, full; seeds 0 to 2; 2026-10-03; code abc123" in figure.caption


def test_the_error_has_a_figure_of_its_own() -> None:
    part = all_methods(results(line(data="STG_H", error=9.0), cat(data="STG_H", error=7.0)))
    assert list(part.figures) == ["methods_tiny-full_STG_H", "methods_tiny-full_STG_H_error"]
    error = part.figures["methods_tiny-full_STG_H_error"]
    assert shown(error, "value", row="CAT, alpha 10", panel="OOD") == [(7.0,)]


def test_over_alpha_takes_the_paper_s_form_only() -> None:
    figure = only(
        over_alpha(
            results(
                line(ood=0.7), cat(3.0, ood=0.8), cat(0.35, ood=0.75), cat(3.0, seed=1, ood=0.9),
                cat(10.0, options={"form": "div"}), cat(5.0, strength=0.9),
                cat(3.0, options={"gamma": "1"}),
            )
        )
    )  # fmt: skip
    assert shown(figure, "alpha", "accuracy", "seeds", split="ood", kind="trained") == [
        (None, 0.7, 1), (0.35, 0.75, 1), (3.0, pytest.approx(0.85), 2),
    ]  # fmt: skip
    assert "Fewer seeds than others: plain (1 of 2 seeds), CAT, alpha 0.35" in figure.caption


def trained(share: float | None, later: float = 0.1, **fields: Any) -> dict[str, Any]:
    """A CAT line whose first epoch had this share of active rows."""
    first = {"lm_loss": 3.0} | ({} if share is None else {"active_row_share": share})
    return {**cat(**fields), "training": [first, {"active_row_share": later}]}


def test_the_gain_of_an_alpha_stands_over_its_active_rows_in_the_first_epoch() -> None:
    part = active_rows(
        results(
            *(line(seed=s, ood=o, iid=0.9) for s, o in ((0, 0.70), (1, 0.60), (2, 0.80))),
            *(trained(a, alpha=10.0, seed=s, ood=o, iid=0.88)
              for s, a, o in ((0, 0.6, 0.90), (1, 0.7, 0.84), (3, 0.1, 0.99))),
            trained(None, alpha=10.0, seed=2, ood=0.1),  # without a share: no part of either mean
            *(trained(0.0, alpha=0.05, seed=s, ood=o) for s, o in ((0, 0.70), (1, 0.60))),
            trained(0.5, alpha=3.0, options={"form": "div"}),
            line(data="STG_M"), trained(0.5, alpha=3.0, data="STG_M"),  # one alpha is no line
            trained(0.5, alpha=3.0, data="STG_L"), trained(0.6, alpha=5.0, data="STG_L"),
            line(lora=True), trained(0.2, alpha=3.0, lora=True), trained(1, alpha=9.0, lora=True),
        )
    )  # fmt: skip
    assert list(part.figures) == ["active_rows_tiny-LoRA", "active_rows_tiny-full"]
    figure = part.figures["active_rows_tiny-full"]
    assert shown(figure, "line", "alpha", "active", "gain", panel="OOD") == [
        ("STG_S", 0.05, 0.0, 0.0),
        ("STG_S", 10.0, pytest.approx(65), pytest.approx((20 + 24) / 2)),
    ]
    assert shown(figure, "gain", panel="IID", alpha=10.0) == [(pytest.approx(-2),)]
    half = 12.7062 * 2  # Student's t at 1 degree of freedom; gains of 20 and 24
    ((low, high),) = shown(figure, "low", "high", panel="OOD", alpha=10.0)
    assert (low, high) == (pytest.approx(22 - half, abs=1e-3), pytest.approx(22 + half, abs=1e-3))
    assert "Fewer pairs than others: STG_S, alpha 0.05 (2 of 4 seeds); " in figure.caption
    assert "Made of 6 runs; tiny, full; seeds 0, 1;" in figure.caption
    lora = part.figures["active_rows_tiny-LoRA"]
    expected = pytest.approx(-100 * math.hypot(0.03, 0.02), abs=1e-5)  # gains of nothing
    assert shown(lora, "low", panel="OOD") == [(expected,), (expected,)]
    assert "Where there is one pair, the interval is that over texts." in lora.caption


def attended(make: Callable[..., dict[str, Any]], numbers: Any, **fields: Any) -> dict[str, Any]:
    names = ("ratio_median", "ratio_median_behind_first", "causal_mass")
    attention = {"test_ood": dict(zip(names, numbers, strict=True))}
    return make(measures={"attention": attention}, **fields)


def test_the_ratio_stands_beside_the_same_without_the_sink() -> None:
    part = sink(
        results(
            *(attended(line, n, seed=s)
              for s, n in enumerate([(0.2, 1.0, 0.1), (0.25, 2.0, 0.2), (0.5, 1.5, 0.6)])),
            attended(cat, (1234.0, None, 0.9), seed=1),
            attended(cat, (4.0, 3.0, 0.5), options={"form": "div"}),
            attended(cat, (2.0, 4.0, 0.5), options=OURS),  # leaves the sink out of its ratio
            attended(line, (0.3, 0.3, 0.3), method="cda"),
            line("pasta"),
        )
    )  # fmt: skip
    table = part.tables["sink"]
    assert table.table.groups == {
        "tiny, full, STG_S": [
            ["plain", Cell("0.250", "0.200 to 0.500"), Cell("1.50", "1.00 to 2.00"),
             Cell("5.00", "3.00 to 8.00"), Cell("0.300", "0.100 to 0.600")],
            ["CAT, alpha 10", Cell("1,234", "1 of 3 seeds"), "\N{EN DASH}", "\N{EN DASH}",
             Cell("0.900", "1 of 3 seeds")],
            ["CAT, ours",
             *(Cell(text, "1 of 3 seeds") for text in ("2.00", "4.00", "2.00", "0.500"))],
        ]
    }  # fmt: skip
    assert '"CAT, ours" goes beyond the paper' in table.table.caption
    records = {(r["method"], r["measure"]): r for r in table.records}
    quotient = records["plain", "quotient"]
    assert quotient["value"] == 5.0  # of the runs' quotients, 5, 8 and 3; of the medians it is 6
    assert (quotient["low"], quotient["high"], quotient["seeds"]) == (3.0, 8.0, "0 1 2")
    assert records["plain", "causal_mass"]["value"] == pytest.approx(0.3)
    assert records["CAT, alpha 10", "ratio"]["missing"] == "0 2"
    assert ("CAT, alpha 10", "quotient") not in records


def test_gammas_and_options_are_compared_at_one_alpha_and_seed() -> None:
    those = results(
        *(cat(10.0, seed=s, ood=o) for s, o in enumerate((0.80, 0.82))),
        *(cat(10.0, seed=s, ood=0.85, options={"gamma": "1"}) for s in (0, 1)),
        cat(10.0, seed=1, ood=0.90, options={"exclude_sink": True, "gamma": "1"}),
        cat(1000.0, ood=0.83, options={"form": "share"}),
        cat(3.0, ood=0.6),
        cat(5.0, data="STG_M", options={"form": "div"}),
    )
    assert shown(only(gammas(those)), "row", "value", "by_seed", panel="OOD") == [
        ("alpha 10, gamma 1", pytest.approx(4.0), "5 3")
    ]
    part = ablation(those)
    assert shown(only(part), "row", "value", "note", panel="OOD") == [
        ("alpha 1000, form share", pytest.approx(3.0), "against alpha 10; 1 of 2 pairs"),
        ("alpha 10, gamma 1, exclude sink", pytest.approx(8.0), "1 of 2 pairs"),
    ]
    assert "for want of a run of the paper's form to compare with: CAT, alpha 5, form div" in (
        part.text
    )


def test_over_size_and_strength_draw_what_was_varied() -> None:
    those = results(
        line(), line(data="STG_M", ood=0.8), line("cda"), line("cda", data="STG_L", ood=0.95),
        line("jtt", data="STG_M"), line("jtt", data="STG_M", strength=0.9, ood=0.85),
        line(data="STG_M", strength=0.9), cat(data="STG_M", strength=0.5),
    )  # fmt: skip
    sizes = only(over_size(those))
    assert shown(sizes, "line", "x", "value", panel="OOD", kind="trained") == [
        ("plain", "400", 75.0), ("CDA", "400", 75.0), ("plain", "800", 80.0), ("CDA", "1600", 95.0),
    ]  # fmt: skip
    strength = only(over_strength(those))
    assert shown(strength, "line", "x", "value", panel="OOD", kind="trained") == [
        ("plain", "1", 80.0), ("JTT", "1", 75.0), ("plain", "0.9", 75.0), ("JTT", "0.9", 85.0),
    ]  # fmt: skip


def with_words(make: Callable[..., dict[str, Any]], causal: float, *args: Any) -> Mapping[str, Any]:
    return make(*args, measures=kept(causal))


def test_densities_and_maps_come_from_the_first_seed_s_line() -> None:
    those = results(
        with_words(line, 0.2), with_words(cat, 0.6, 10.0), with_words(cat, 0.4, 0.6),
        line(seed=1, measures=kept(0.9)),
    )  # fmt: skip
    density = only(densities(those))
    assert shown(density, "model", "score", role="causal") == [
        ("plain", 0.2), ("plain", 0.1), ("CAT, alpha 0.6", 0.4), ("CAT, alpha 0.6", 0.2),
        ("CAT, alpha 10", 0.6), ("CAT, alpha 10", 0.3),
    ]  # fmt: skip
    figure = only(maps(those))
    assert shown(figure, "model", "attention", query=2, key=0) == [
        ("plain", 0.2), ("CAT, alpha 0.6", 0.4), ("CAT, alpha 10", 0.6),
    ]  # fmt: skip
    assert {r["key_word"] for r in figure.data} == {"Smoking: 8", "Answer:", " Low Risk"}
    assert "plain, OOD text 0: causal 60%" in figure.alt  # of the row of "Answer:", not the last


def test_shift_ranks_runs_and_means_of_methods() -> None:
    runs = [
        (line, (), 0.3, 0.30), (line, ("cda",), 0.4, 0.1), (cat, (10.0,), 10.0, 0.05),
        (cat, (3.0,), 3.0, 0.2), (line, ("jtt",), 0.35, 0.31),
    ]  # fmt: skip
    part = shift(
        results(
            *(
                make(*args, seed=s, measures=measures(ratio * (1 + s / 10), flips), ood=1 - flips)
                for make, args, ratio, flips in runs
                for s in (0, 1)
            ),
            line("pasta", measures={"effects": {"test_ood": {"spurious_flips": 0.2}}}),
        )
    )
    (figure,) = part.figures.values()
    assert len(figure.data) == 10  # PASTA has no attention to show
    assert shown(figure, "effect", method="CDA") == [(10.0,), (10.0,)]
    records = {record["with"]: record for record in part.tables["shift"].records}
    assert set(records) == {"spurious_flips", "spurious_nats", "accuracy"}
    means = records["spurious_flips"]
    assert (means["runs"], means["means"]) == (10, 5)
    # C/N ranks plain, JTT, CDA, CAT 3, CAT 10; the effects stand 4th, 5th, 2nd, 3rd, 1st.
    squares = (1 - 4) ** 2 + (2 - 5) ** 2 + (3 - 2) ** 2 + (4 - 3) ** 2 + (5 - 1) ** 2
    assert means["rho_of_means"] == pytest.approx(1 - 6 * squares / (5 * (5**2 - 1)))
    assert math.isclose(float(str(records["accuracy"]["rho"])), -float(str(means["rho"])))
    assert f"rank correlation {means['rho']:+.2f}" in str(figure.alt)
