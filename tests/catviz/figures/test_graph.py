"""Causal graphs: which edges there are, and that none runs through another variable."""

from __future__ import annotations

from itertools import combinations, pairwise
from random import Random

import numpy as np
import pytest
from matplotlib.patches import FancyArrowPatch

from cat.scm import CausalModel
from cat.stg import STG_E, STG_E_OOD, STG_H
from catviz.figures.graph import causal_graph
from tests.catviz.figures.drawn import outside, overlaps, texts_of
from tests.catviz.figures.samples import game, variable


def edges(figure, relation: str) -> set[tuple[str, str]]:
    return {(r["from"], r["to"]) for r in figure.data if r.get("relation") == relation}


def test_edges_of_the_easy_game() -> None:
    figure = causal_graph(STG_E, answer="Risk")
    assert edges(figure, "causes") == {
        ("Smoking", "Yellow fingers"), ("Weight", "Clothing size"), ("Exercise", "Hormones"),
        ("Smoking", "Risk"), ("Weight", "Risk"), ("Exercise", "Risk"),
    }  # fmt: skip
    assert edges(figure, "correlates") == {(n, "Risk") for n in STG_E.named("spurious")}
    assert "Unconnected: Certain gene, Room size." in figure.alt


def test_what_is_set_from_outside_goes_along_with_nothing() -> None:
    assert edges(causal_graph(STG_E_OOD), "correlates") == set()
    assert "Dashed" not in causal_graph(STG_E_OOD).caption
    forced = STG_E.do({"Yellow fingers": 1})
    assert edges(causal_graph(forced), "correlates") == {
        ("Clothing size", "Answer"), ("Hormones", "Answer"),
    }  # fmt: skip


def test_what_causes_a_cause_goes_along_too() -> None:
    model = CausalModel(
        "g",
        (
            variable("common", "irrelevant"),
            variable("cause", "causal", "common"),
            variable("sibling", "spurious", "common"),
            variable("lone", "spurious"),
        ),
        lambda values: 0,
        "a rule",
    )
    assert edges(causal_graph(model), "correlates") == {("sibling", "Answer")}


def random_game(seed: int) -> CausalModel:
    rng = Random(seed)
    names = [f"variable {at}" for at in range(rng.randint(2, 20))]
    variables = [
        variable(
            name,
            rng.choice(["causal", "spurious", "irrelevant"]),
            *rng.sample(names[:at], min(at, rng.choice([0, 0, 1, 1, 2, 3]))),
        )
        for at, name in enumerate(names)
    ]
    return CausalModel("random", tuple(variables), lambda values: 0, "a rule")


def drawn_edges(sheet) -> list[np.ndarray]:
    """Points along each edge, in inches (the key's two lines are straight and not counted)."""
    arrows = [p for p in sheet.patches if isinstance(p, FancyArrowPatch)]
    paths = [p.get_path() for p in arrows if p._path_original is not None]
    points = []
    for path in paths:
        curve = path.to_polygons(closed_only=False)
        points.append(np.concatenate([np.asarray(piece) for piece in curve]))
    return points


@pytest.mark.parametrize("equations", [False, True])
@pytest.mark.parametrize("seed", range(8))
def test_no_edge_runs_through_a_variable(seed: int, equations: bool) -> None:
    model = random_game(seed)
    figure = causal_graph(model, equations=equations).matplotlib()
    (sheet,) = figure.axes
    boxes = [
        patch.get_bbox() for patch in sheet.patches
        if patch.get_zorder() == 2 and patch.get_linewidth() == 1.2
    ]  # fmt: skip
    assert len(boxes) == len(model.variables) + 1
    tops = sorted(box.y0 for box in boxes)
    assert max(after - before for before, after in pairwise(tops)) < 0.8  # no lane stays empty
    assert not any(one.overlaps(two) for one, two in combinations(boxes, 2))
    for points in drawn_edges(sheet):
        for start, stop in pairwise(points):
            for share in np.linspace(0, 1, 20):
                x, y = start + share * (stop - start)
                assert not any(
                    box.x0 + 0.01 < x < box.x1 - 0.01 and box.y0 < y < box.y1 for box in boxes
                )
    assert overlaps(figure) == []
    assert outside(figure) == []


def test_equations_are_written_on_demand() -> None:
    assert "int(1.5 Smoking)" not in texts_of(causal_graph(STG_E))
    figure = causal_graph(STG_E, equations=True)
    assert "int(1.5 Smoking)" in texts_of(figure)
    assert STG_E.rule in figure.caption
    hard = texts_of(causal_graph(STG_H, equations=True))
    assert set(STG_H.equations.values()) | set(STG_H.roles) <= set(hard)


def test_each_variable_carries_its_letter() -> None:
    shown = texts_of(causal_graph(STG_H))
    assert [shown.count(letter) for letter in "CSI"] == [7, 6, 4]  # and once each in the key


def test_graph_refuses() -> None:
    with pytest.raises(ValueError, match="got dict"):
        causal_graph({})  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no variables"):
        causal_graph(CausalModel("empty", (), lambda values: 0, ""))
    with pytest.raises(ValueError, match="choose another name with answer="):
        causal_graph(game("Answer", "b", "c"))
