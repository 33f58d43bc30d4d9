"""The interactive density figure: the curves of the static one, in plotly."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Literal

import numpy as np
import pytest
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from catviz.figures.density import attention_density
from catviz.figures.density_interactive import interactive_density
from catviz.figures.role_curves import density_curve
from catviz.figures.style import ROLE_STYLES, THEMES
from tests.catviz.figures.drawn import HOSTILE
from tests.catviz.figures.samples import CUT, scores

TWO = {
    "plain": scores(causal=0.06, spurious=0.07, irrelevant=0.05),
    "alpha 3": scores(causal=0.27, spurious=0.004, irrelevant=0.003),
}


def curves_of(figure: Any) -> list[Any]:
    return [trace for trace in figure.data if trace.mode == "lines"]


def static_curves(data: Any, scale: Any) -> list[Line2D]:
    """The curves that seaborn drew, panel by panel."""
    axes = attention_density(data, scale=scale).matplotlib().axes
    return [line for panel in axes for line in panel.lines if len(line.get_xdata()) > 100]


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_curves_are_those_of_seaborn(scale: Literal["linear", "log"]) -> None:
    wide = {**TWO, "from 0 to 1": {"causal": np.linspace(0.001, 0.999, 50)}}
    drawn, twins = static_curves(wide, scale), curves_of(interactive_density(wide, scale=scale))
    assert len(drawn) == len(twins) == 7
    for line, twin in zip(drawn, twins, strict=True):
        np.testing.assert_allclose(twin.x, line.get_xdata(), rtol=1e-9)
        np.testing.assert_allclose(twin.y, line.get_ydata(), rtol=1e-6, atol=1e-9)
        assert twin.line.color.lower() == to_hex(line.get_color())


@pytest.mark.parametrize("scale", ["linear", "log"])
def test_a_curve_holds_all_words(scale: Literal["linear", "log"]) -> None:
    x, y = density_curve(TWO["plain"]["causal"], scale)
    along = np.log10(x) if scale == "log" else x
    assert np.trapezoid(y, along) == pytest.approx(1, abs=0.01)


def test_roles_have_dashes_and_stand_in_the_legend_once() -> None:
    figure = interactive_density(TWO)
    named = [trace for trace in figure.data if trace.showlegend]
    assert [trace.name for trace in named] == ["C  causal", "S  spurious", "I  irrelevant"]
    assert len({trace.line.dash for trace in named}) == 3
    for trace in figure.data:
        assert trace.legendgroup in trace.name
        colour = trace.line.color or trace.marker.color
        assert colour == ROLE_STYLES[trace.legendgroup].colour
    assert [a.text for a in figure.layout.annotations[:2]] == ["plain", "alpha 3"]


def test_dots_are_the_medians() -> None:
    figure = interactive_density(TWO)
    dots = [trace for trace in figure.data if trace.mode == "markers"]
    expected = [np.median(values) for by_role in TWO.values() for values in by_role.values()]
    np.testing.assert_allclose([dot.x[0] for dot in dots], expected)
    curves = curves_of(figure)
    assert f"median {dots[0].x[0]:.3g}, " in curves[0].hovertemplate
    assert "80 words" in curves[0].hovertemplate
    for dot, curve in zip(dots, curves, strict=True):
        assert dot.y[0] == pytest.approx(np.interp(dot.x[0], curve.x, curve.y))


def test_a_cut_peak_is_named_with_its_height() -> None:
    figure = interactive_density(CUT, scale="linear")
    top = figure.layout.yaxis.range[1]
    tall = max(curve.y.max() for curve in curves_of(figure) if curve.legendgroup == "spurious")
    assert tall > top
    noted = [a.text for a in figure.layout.annotations if "peaks" in a.text]
    assert noted == [noted[0]]
    assert f"▲ S peaks at {tall:.3g}" in noted[0]
    assert all(trace.y[0] <= top for trace in figure.data if trace.mode == "markers")


def test_scores_without_spread_are_lines() -> None:
    figure = interactive_density({"m": {"causal": [0.2] * 5, "spurious": [0.1], "irrelevant": []}})
    causal, spurious = curves_of(figure)
    assert list(causal.x) == pytest.approx([0.2, 0.2])
    assert list(spurious.x) == pytest.approx([0.1, 0.1])


@pytest.mark.parametrize("theme", THEMES)
def test_themes(theme: Any) -> None:
    layout = interactive_density(TWO, theme=theme).layout
    assert layout.paper_bgcolor == layout.plot_bgcolor == THEMES[theme].background
    assert layout.font.color == THEMES[theme].ink
    assert all(a.font.color == THEMES[theme].ink for a in layout.annotations)


def test_names_of_users_are_text() -> None:
    figure = interactive_density({HOSTILE: TWO["plain"]}, title="<b>bold</b>")
    assert "<script" not in figure.layout.annotations[0].text
    assert "<script" not in figure.to_json()
    assert figure.layout.title.text == "<b>&lt;b&gt;bold&lt;/b&gt;</b>"


def test_the_file_needs_no_network() -> None:
    """plotly's script is inside; the only addresses are in its own text."""
    page = interactive_density(TWO).to_html()
    assert len(page) > 3e6
    assert "<script src=" not in page
    assert 'src="http' not in page


def test_refuses_what_the_static_figure_refuses() -> None:
    for bad, message in [
        ({}, "at least one model"),
        ({"m": {"cause": [0.1]}}, "unknown role 'cause'"),
        ({"m": {"causal": np.ones((2, 3))}}, r"shape \(2, 3\).*scores\.at\(layer="),
    ]:
        with pytest.raises(ValueError, match=message):
            interactive_density(bad)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown theme 'sepia'"):
        interactive_density(TWO, theme="sepia")  # type: ignore[arg-type]


def test_plotly_is_imported_when_it_is_needed() -> None:
    code = (
        "import sys, catviz.figures.density_interactive;"
        "print({'plotly', 'torch'} & {name.split('.')[0] for name in sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
