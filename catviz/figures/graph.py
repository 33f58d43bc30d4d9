"""A game's causal graph: what causes what, what the answer depends on, and what only goes along."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure as MplFigure
from matplotlib.patches import FancyArrowPatch, Rectangle
from matplotlib.path import Path

from cat.scm import CausalModel
from catviz.figures.canvas import Canvas
from catviz.figures.figure import Figure, Record
from catviz.figures.layout import text_inches
from catviz.figures.style import ROLE_STYLES, Theme
from catviz.figures.text import printable, shorten
from catviz.figures.word_axes import KEY_LINE, LABEL_FONT, draw_role_key, marked_roles
from catviz.words import Role

__all__ = ["causal_graph"]

_FONT, _EQUATION_FONT, _MARK_FONT = 8.5, 7.0, 7.0
_LETTERS, _EQUATION_LETTERS = 40, 46

# Inches.
_BOX, _BOX_WITH_EQUATION = 0.27, 0.42
_LANE_GAP = 0.11
_ENTRY = 0.09  # along the answer's box, for each edge that ends there
_PADDING, _MARK = 0.08, 0.16
_FAR, _NEAR, _ACROSS = 0.85, 0.45, 3.4  # between columns, where edges bend; of all such gaps
_BOLD = 1.12  # how much wider bold text is
_SEPARATE = 0.16  # between what is connected to the answer and what is not


def causal_graph(
    model: CausalModel,
    *,
    answer: str = "Answer",
    equations: bool = False,
    title: str | None = None,
) -> Figure:
    """Draw the graph of a structural causal model, causes left and the answer right.

    Arrows run from cause to effect; all causal variables point at the answer (paper, Figures 1a
    and 7). A dashed line joins a spurious variable with the answer as long as both have a cause in
    common: it goes along with the answer and does not determine it.

    Args:
        answer: what to call the answer.
        equations: write each variable's equation under its name.
        title: by default the model's name.

    >>> from cat.stg import STG_E
    >>> [r["to"] for r in causal_graph(STG_E).data if r.get("from") == "Smoking"]
    ['Yellow fingers', 'Answer']
    """
    if not isinstance(model, CausalModel):
        raise ValueError(f"expected a cat.scm.CausalModel, got {type(model).__name__}")
    if not model.variables:
        raise ValueError(f"{model.name} has no variables to draw")
    if answer in model.roles:
        raise ValueError(
            f"{model.name} has a variable named {answer!r}: choose another name with answer="
        )
    edges = _edges(model, answer)
    return Figure(
        draw=partial(_draw, model=model, answer=answer, edges=edges, equations=equations),
        data=_records(model, answer, edges),
        title=title or f"Causal graph of {model.name}",
        alt=_describe(model, answer, edges),
        caption=_caption(model, answer, edges, equations),
    )


@dataclass(frozen=True)
class _Edge:
    start: str
    end: str
    causes: bool  # else they only go along with one another


def _edges(model: CausalModel, answer: str) -> list[_Edge]:
    ancestors: dict[str, set[str]] = {}
    for variable in model.variables:
        ancestors[variable.name] = {variable.name}.union(*(ancestors[p] for p in variable.parents))
    of_answer = set[str]().union(*(ancestors[name] for name in model.named("causal")))
    return [
        *(_Edge(cause, effect, True) for cause, effect in model.edges),
        *(_Edge(name, answer, True) for name in model.named("causal")),
        *(
            _Edge(name, answer, False)
            for name in model.named("spurious")
            if ancestors[name] & of_answer
        ),
    ]


def _records(model: CausalModel, answer: str, edges: Sequence[_Edge]) -> list[Record]:
    return [
        *(
            {"kind": "variable", "name": v.name, "role": v.role, "equation": v.equation}
            for v in model.variables
        ),
        {"kind": "answer", "name": answer, "role": "", "equation": model.rule},
        *(
            {
                "kind": "edge",
                "from": edge.start,
                "to": edge.end,
                "relation": "causes" if edge.causes else "correlates",
            }
            for edge in edges
        ),
    ]


def _describe(model: CausalModel, answer: str, edges: Sequence[_Edge]) -> str:
    parts = [f"{edge.start} to {edge.end}" for edge in edges if edge.causes]
    along = [edge.start for edge in edges if not edge.causes]
    alone = [v.name for v in model.variables if not any(v.name in (e.start, e.end) for e in edges)]
    text = f"Causal graph of {model.name}. Arrows: {', '.join(parts) or 'none'}."
    if along:
        text += f" Correlated with {answer} without causing it: {', '.join(along)}."
    if alone:
        text += f" Unconnected: {', '.join(alone)}."
    return text


def _caption(model: CausalModel, answer: str, edges: Sequence[_Edge], equations: bool) -> str:
    parts = ["Arrows run from cause to effect."]
    if any(not edge.causes for edge in edges):
        parts.append(
            f"Dashed: spurious correlation, a variable that shares a cause with {answer} and does "
            "not determine it."
        )
    if equations:
        parts.append(f"{answer}: {model.rule}.")
    return " ".join(parts)


# ----------------------------------------------------------------------------- places


def _columns(model: CausalModel, answer: str) -> dict[str, int]:
    """The longest way of causes to each variable; the answer stands right of all."""
    columns: dict[str, int] = {}
    for variable in model.variables:
        columns[variable.name] = max((columns[p] + 1 for p in variable.parents), default=0)
    return {**columns, answer: max(columns.values()) + 1}


def _lanes(model: CausalModel, edges: Sequence[_Edge]) -> list[list[str]]:
    """The variables from top to bottom, each with its effects below it: connected, then alone.

    Each variable has a lane of its own, so that an edge may run along its start's lane without
    crossing another variable.
    """
    children: dict[str, list[str]] = {name: [] for name in model.roles}
    for cause, effect in model.edges:
        children[cause].append(effect)
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            order.append(name)
            for child in children[name]:
                visit(child)

    for name in model.roles:
        if not model[name].parents:
            visit(name)
    connected = {name for edge in edges for name in (edge.start, edge.end)}
    return [
        [name for name in order if name in connected],
        [name for name in order if name not in connected],
    ]


@dataclass(frozen=True)
class _Box:
    """A variable's place, in inches, and what is written in it."""

    x: float
    middle: float
    width: float
    height: float
    name: str
    equation: str

    @property
    def right(self) -> float:
        return self.x + self.width


def _boxes(
    model: CausalModel, answer: str, edges: Sequence[_Edge], equations: bool
) -> tuple[dict[str, _Box], float, float]:
    """The boxes by name, and the inches between columns and of all lanes."""
    height = _BOX_WITH_EQUATION if equations else _BOX
    columns = _columns(model, answer)
    names = {name: shorten(printable(name), _LETTERS) for name in columns}
    written = {
        name: shorten(printable(equation), _EQUATION_LETTERS) if equations else ""
        for name, equation in {**model.equations, answer: ""}.items()
    }
    mark = {name: _MARK if name != answer else 0.0 for name in columns}
    widths = {
        name: mark[name] + 2 * _PADDING
        + max(text_inches(names[name], _FONT), text_inches(written[name], _EQUATION_FONT))
        for name in columns
    }  # fmt: skip
    widths[answer] += (_BOLD - 1) * text_inches(names[answer], _FONT)
    between = min(max(_ACROSS / columns[answer], _NEAR), _FAR)
    lefts = [0.0]
    for column in range(columns[answer]):
        widest = max(widths[name] for name, at in columns.items() if at == column)
        lefts.append(lefts[-1] + widest + between)
    middles: dict[str, float] = {}
    y = 0.0
    connected, alone = _lanes(model, edges)
    for name in [*connected, *alone]:
        if alone and connected and name == alone[0]:
            y += _SEPARATE
        middles[name] = y + height / 2
        y += height + _LANE_GAP
    into = [middles[edge.start] for edge in edges if edge.end == answer]
    middles[answer] = (min(into) + max(into)) / 2 if into else y / 2
    boxes = {
        name: _Box(
            x=lefts[columns[name]], middle=middles[name], width=widths[name],
            height=max(height, _ENTRY * len(into)) if name == answer else height,
            name=names[name], equation=written[name],
        )
        for name in columns
    }  # fmt: skip
    return boxes, between, y - _LANE_GAP


# ----------------------------------------------------------------------------- drawing


def _draw(
    theme: Theme,
    *,
    model: CausalModel,
    answer: str,
    edges: Sequence[_Edge],
    equations: bool,
) -> MplFigure:
    boxes, between, height = _boxes(model, answer, edges, equations)
    canvas = Canvas(max(boxes[answer].right + 0.05, 5.4), height + 0.3 + KEY_LINE)
    sheet = canvas.sheet()
    for edge, entry in _entries(edges, boxes).items():
        _draw_edge(
            sheet,
            boxes[edge.start],
            boxes[edge.end],
            entry,
            between,
            causes=edge.causes,
            theme=theme,
        )
    for name, box in boxes.items():
        _draw_box(sheet, box, model.roles.get(name), theme)
    y = height + 0.3
    x, _ = draw_role_key(
        sheet, 0, y, theme, roles=marked_roles(set(model.roles.values())), across=True
    )
    for causes, text in ((True, "causes"), (False, "spurious correlation")):
        if any(edge.causes == causes for edge in edges):
            x = _draw_edge_key(sheet, x + 0.1, y + KEY_LINE / 2, text, causes, theme)
    return canvas.figure


def _entries(edges: Sequence[_Edge], boxes: Mapping[str, _Box]) -> dict[_Edge, float]:
    """Where each edge reaches its end: one below the other along the end's left side."""
    entries: dict[_Edge, float] = {}
    for end, box in boxes.items():
        coming = sorted(
            (edge for edge in edges if edge.end == end), key=lambda edge: boxes[edge.start].middle
        )
        for at, edge in enumerate(coming):
            share = (at + 1) / (len(coming) + 1) - 0.5
            entries[edge] = box.middle + share * box.height
    return entries


def _draw_edge(
    sheet: Axes,
    start: _Box,
    end: _Box,
    entry: float,
    between: float,
    *,
    causes: bool,
    theme: Theme,
) -> None:
    """Run along the start's lane up to the last gap, then bend to the end's left side."""
    bend = end.x - between
    path = Path(
        [
            (start.right, start.middle),
            (max(bend, start.right), start.middle),
            (bend + 0.55 * between, start.middle),
            (end.x - 0.5 * between, entry),
            (end.x - 0.03, entry),
        ],
        [Path.MOVETO, Path.LINETO, Path.CURVE4, Path.CURVE4, Path.CURVE4],
    )
    sheet.add_patch(FancyArrowPatch(path=path, zorder=1, **_edge_look(causes, theme)))


def _edge_look(causes: bool, theme: Theme) -> dict[str, Any]:
    if causes:
        return {"arrowstyle": "-|>", "mutation_scale": 8, "color": theme.muted, "linewidth": 1.1}
    return {
        "arrowstyle": "-",
        "color": ROLE_STYLES["spurious"].colour,
        "linewidth": 1.1,
        "linestyle": (0, (3.5, 2.5)),
    }


def _draw_box(sheet: Axes, box: _Box, role: Role | None, theme: Theme) -> None:
    """Draw a variable with its role's mark at the left, or the answer without one."""
    top = box.middle - box.height / 2
    sheet.add_patch(
        Rectangle(
            (box.x, top), box.width, box.height, facecolor=theme.background,
            edgecolor=ROLE_STYLES[role].colour if role else theme.ink, linewidth=1.2, zorder=2,
        )
    )  # fmt: skip
    mark = 0.0
    if role:
        mark, style = _MARK, ROLE_STYLES[role]
        sheet.add_patch(
            Rectangle((box.x, top), mark, box.height, facecolor=style.colour, lw=0, zorder=2)
        )
        sheet.text(
            box.x + mark / 2, box.middle, style.letter, ha="center", va="center_baseline",
            fontsize=_MARK_FONT, fontweight="bold", color=style.on_colour,
        )  # fmt: skip
    line = 0.09 if box.equation else 0.0
    sheet.text(
        box.x + mark + _PADDING, box.middle - line, box.name, va="center_baseline",
        fontsize=_FONT, fontweight="bold" if role is None else "normal",
    )  # fmt: skip
    if box.equation:
        sheet.text(
            box.x + mark + _PADDING, box.middle + line, box.equation, va="center_baseline",
            fontsize=_EQUATION_FONT, color=theme.muted,
        )  # fmt: skip


def _draw_edge_key(sheet: Axes, x: float, y: float, text: str, causes: bool, theme: Theme) -> float:
    """Say what a line means; return where that ends."""
    sheet.add_patch(FancyArrowPatch((x, y), (x + 0.4, y), shrinkA=0, shrinkB=0,
                                    **_edge_look(causes, theme)))  # fmt: skip
    sheet.text(x + 0.47, y, text, va="center_baseline", fontsize=LABEL_FONT, color=theme.ink)
    return x + 0.47 + text_inches(text, LABEL_FONT) + 0.1
