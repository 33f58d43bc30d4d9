"""The density figure to hover, zoom and toggle: the same curves with plotly.

Nothing is shown while it is built, and nothing is fetched: a notebook that shows the figure, and a
file written with ``figure.write_html(path)``, carry plotly's own script (4.8 MB) in them. A live
``FigureWidget`` can be made of it with ``plotly.graph_objects.FigureWidget(figure)``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from catviz.figures.role_curves import (
    ByRole,
    Scale,
    check_scores,
    choose_scale,
    density_curve,
    ends_of_scores,
    is_constant,
    name_axes,
    tallest,
)
from catviz.figures.style import ROLE_STYLES, Theme, ThemeName, theme_named
from catviz.figures.text import escape, wrap
from catviz.words import Role

if TYPE_CHECKING:
    from plotly.graph_objects import Figure as PlotlyFigure

__all__ = ["interactive_density"]

_PANELS_PER_ROW = 3
_MOST_TENFOLDS = 5  # side by side, that have room for numbers at 2 and 5
_DASHES = {"causal": "solid", "spurious": "dash", "irrelevant": "dot"}
_PANEL_HEIGHT, _HEAD, _FOOT = 300, 110, 70  # pixels


def interactive_density(
    scores: Mapping[str, ByRole],
    *,
    title: str = "Attention by role of the word",
    scale: Scale = "auto",
    theme: ThemeName = "light",
) -> PlotlyFigure:
    """Build the plotly twin of :func:`~catviz.figures.density.attention_density`.

    One panel per model, on one pair of axes; dots mark the medians. A click on a role in the legend
    hides it everywhere. On a linear axis a narrow peak is cut, as in the static figure, with its
    height written beside the cut.

    Args:
        scores: model -> role -> one score per word; see ``attention_density``.
        scale: "linear", "log" or "auto", as there.

    Raises:
        ValueError: no model, an unknown role, scores that are not attention, zeros on a log axis.

    >>> figure = interactive_density({"plain": {"causal": [0.1, 0.2], "spurious": [0.1, 0.3]}})
    >>> [trace.name for trace in figure.data]
    ['C  causal', 'C  causal', 'S  spurious', 'S  spurious']
    >>> figure.write_html("density.html")  # doctest: +SKIP
    """
    from plotly.subplots import make_subplots

    checked, look = check_scores(scores), theme_named(theme)
    chosen = choose_scale(checked, scale)
    columns = min(len(checked), _PANELS_PER_ROW)
    rows = -(-len(checked) // columns)
    figure = make_subplots(
        rows,
        columns,
        shared_xaxes="all",
        shared_yaxes="all",
        subplot_titles=[_label(label) for label in checked],
        horizontal_spacing=0.04,
        vertical_spacing=0.2 / rows,
    )
    curves = {
        (label, role): density_curve(values, chosen)
        for label, by_role in checked.items()
        for role, values in by_role.items()
        if not is_constant(values)
    }
    heights = [float(y.max()) for _, y in curves.values()]
    top = tallest(heights, chosen) if heights else 1.0
    named: set[Role] = set()
    for at, (label, by_role) in enumerate(checked.items()):
        place = {"row": at // columns + 1, "col": at % columns + 1}
        for role, values in by_role.items():
            if values.size:
                curve = curves.get((label, role), (np.full(2, values.mean()), np.array([0, top])))
                for trace in _traces(role, values, curve, top, first=role not in named):
                    figure.add_trace(trace, **place)
                named.add(role)
        cut = [
            f"▲ {ROLE_STYLES[role].letter} peaks at {curves[label, role][1].max():.3g}"
            for role in by_role
            if (label, role) in curves and curves[label, role][1].max() > top
        ]
        if cut:
            figure.add_annotation(
                text="<br>".join(cut), showarrow=False, x=1, y=1, xref="x domain",
                yref="y domain", xanchor="right", yanchor="top", align="right", **place,
            )  # fmt: skip
    across, up = name_axes(chosen)
    figure.update_xaxes(showticklabels=True)
    low, high = ends_of_scores(checked, chosen)
    if chosen == "log":
        low, high = np.log10(low), np.log10(high)
        crowded = (high - low) * columns > _MOST_TENFOLDS
        figure.update_xaxes(type="log", dtick=1 if crowded else "D2", tickformat="~g")
    figure.update_xaxes(range=[low, high])
    figure.update_yaxes(range=[0, top])
    for row in range(1, rows + 1):
        figure.update_yaxes(title_text=up, row=row, col=1)
    figure.add_annotation(
        text=across, showarrow=False, x=0.5, y=0, yshift=-36, xref="paper", yref="paper",
        yanchor="top",
    )  # fmt: skip
    _style(figure, look, title, rows)
    return figure


def _traces(
    role: Role,
    values: np.ndarray,
    curve: tuple[np.ndarray, np.ndarray],
    top: float,
    *,
    first: bool,
) -> list[Any]:
    """The curve of a role, in the legend once, and the dot of its median, at most at the top."""
    from plotly.graph_objects import Scatter

    style, (x, y) = ROLE_STYLES[role], curve
    about = {"name": f"{style.letter}  {role}", "legendgroup": role}
    low, median, high = np.quantile(values, [0.25, 0.5, 0.75])
    red, green, blue = (int(style.colour[at : at + 2], 16) for at in (1, 3, 5))
    return [
        Scatter(
            x=x,
            y=y,
            mode="lines",
            line={
                "color": style.colour,
                "dash": _DASHES[role],
                "width": 2,
                "simplify": False,  # plotly would leave out points, which shows on a log axis
            },
            fill="tozeroy",
            fillcolor=f"rgba({red},{green},{blue},0.16)",
            showlegend=first,
            hovertemplate=(
                f"<b>{role}</b>: score %{{x:.3g}}, density %{{y:.3g}}<br>median {median:.3g}, "
                f"middle half {low:.3g} to {high:.3g}, {values.size} words<extra></extra>"
            ),
            **about,
        ),
        Scatter(
            x=[median],
            y=[min(float(np.interp(median, x, y)), top)],
            cliponaxis=False,
            mode="markers",
            marker={"color": style.colour, "size": 9},
            showlegend=False,
            hoverinfo="skip",  # the curve below it tells
            **about,
        ),
    ]


def _style(figure: PlotlyFigure, look: Theme, title: str, rows: int) -> None:
    height = _PANEL_HEIGHT * rows + _HEAD + _FOOT
    figure.update_layout(
        template="plotly_white" if look.name == "light" else "plotly_dark",
        title={
            "text": f"<b>{_label(title, 90)}</b>",
            "font": {"size": 16},
            "x": 0.01,
            "y": 1,
            "yanchor": "top",
            "pad": {"t": 14},
        },
        paper_bgcolor=look.background,
        plot_bgcolor=look.background,
        font={"color": look.ink, "family": "system-ui, DejaVu Sans, sans-serif", "size": 12},
        legend={
            "orientation": "h",
            "x": 0,
            "y": 1 - 40 / height,
            "yref": "container",
            "yanchor": "top",
        },
        height=height,
        margin={"l": 60, "r": 20, "t": _HEAD, "b": _FOOT},
        hovermode="closest",
    )
    figure.update_xaxes(gridcolor=look.grid, linecolor=look.muted, zeroline=False)
    figure.update_yaxes(gridcolor=look.grid, zerolinecolor=look.muted)
    figure.update_annotations(font={"color": look.ink, "size": 13})


def _label(text: str, width: int = 34) -> str:
    """Text from users as text: plotly would read tags in it."""
    return escape(wrap(text, width)).replace("↵", "<br>")
