"""A figure: what is written opens, stays text, and shows itself."""

from __future__ import annotations

import base64
import io
import re
import struct
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure as MplFigure
from PIL import Image

from catviz.figures.figure import Figure, Record, save_all
from catviz.figures.maps import attention_map
from catviz.figures.style import Theme
from catviz.figures.text import escape
from tests.catviz.figures.drawn import HOSTILE, small_map


@pytest.fixture
def simple() -> Figure:
    """A figure that is quick to draw."""

    def draw(theme: Theme) -> MplFigure:
        figure = MplFigure(figsize=(2, 1))
        figure.text(0.1, 0.5, HOSTILE)
        return figure

    data: list[Record] = [{"model": HOSTILE, "score": 0.25}, {"model": "b", "step": None}]
    return Figure(draw, data, title=f"Title {HOSTILE}", alt=f'alt "{HOSTILE}"', caption=HOSTILE)


def test_the_same_figure_gives_the_same_bytes(simple: Figure) -> None:
    for kind in ("svg", "png", "pdf"):
        assert simple.render(kind) == simple.render(kind)


def test_pictures_open(tmp_path: Path) -> None:
    figure = attention_map([small_map(), small_map(model="alpha 3")])
    png = figure.save(tmp_path / "deep" / "er" / "map.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert width > 1000
    assert height > 1000
    svg = figure.save(tmp_path / "map.SVG").read_text("utf-8")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert figure.save(tmp_path / "map.pdf").read_bytes().startswith(b"%PDF-")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "map.SVG", "map.pdf"]


def test_the_html_page_holds_both_themes_and_no_outside_resource(
    simple: Figure, tmp_path: Path
) -> None:
    page = simple.save(tmp_path / "figure.html").read_text("utf-8")
    assert page.startswith("<!doctype html>")
    assert page.count("data:image/svg+xml;base64,") == 2
    assert "(prefers-color-scheme: dark)" in page
    assert not re.search(r"https?:", page)


def test_user_text_stays_text(simple: Figure) -> None:
    assert "<script" not in simple.html()
    assert escape(HOSTILE) in simple.html()
    assert 'alt="alt &quot;' in simple.html()
    svg = simple.render("svg")
    assert b"<script" not in svg
    assert b"alert(&quot;$x_1$&quot;)" in svg or b'alert("$x_1$")' in svg


def test_a_script_without_a_font_is_drawn_without_a_warning() -> None:
    assert attention_map([small_map(model="\U000e0100\U00013000 \u4e2d\u6587")]).render("png")


def test_unknown_suffix_and_theme_name_those_that_work(simple: Figure, tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"figure\.gif.*\.svg, \.pdf, \.png, \.html, \.json, \.csv"
    ):
        simple.save(tmp_path / "figure.gif")
    with pytest.raises(ValueError, match=r"'sepia'.*light, dark"):
        simple.save(tmp_path / "figure.png", theme="sepia")  # type: ignore[arg-type]
    assert not list(tmp_path.iterdir())


def test_a_notebook_shows_html_and_a_picture(simple: Figure) -> None:
    data, metadata = simple._repr_mimebundle_()
    assert set(data) == {"text/plain", "text/html", "image/png"}
    html, size = data["text/html"], metadata["image/png"]
    assert f'src="data:image/png;base64,{data["image/png"]}"' in html
    assert escape(HOSTILE) in html
    assert "<script" not in html
    # Figures have two pixels for one of the screen's.
    whole = Image.open(io.BytesIO(simple.render("png")))
    assert size["width"] == pytest.approx(whole.width / 2, rel=0.02)
    assert size["height"] == pytest.approx(whole.height / 2, rel=0.02)


def test_a_notebook_in_a_dark_theme_shows_the_dark_picture(simple: Figure) -> None:
    html = simple._repr_mimebundle_()[0]["text/html"]
    (name,) = re.findall(r'<img class="([\w-]+)"', html)
    rule = rf'\[data-jp-theme-light="false"\] \.{name}, .*? {{ content: url\("[^,]*,([^"]+)"\)'
    (dark,) = re.findall(rule, html)
    shown = {"light": simple._repr_mimebundle_()[0]["image/png"], "dark": dark}
    for theme, png in shown.items():
        drawn = simple.render("png", theme=theme, dpi=144)  # type: ignore[arg-type]
        picture, wanted = (
            np.asarray(Image.open(io.BytesIO(data)).convert("RGB"), dtype=int)
            for data in (base64.b64decode(png), drawn)
        )
        assert np.abs(picture - wanted).mean() < 3


def test_save_all_writes_each_figure_in_each_format(simple: Figure, tmp_path: Path) -> None:
    paths = save_all({"one": simple, "two": simple}, tmp_path / "figures")
    assert [path.name for path in paths] == ["one.svg", "one.png", "two.svg", "two.png"]
    assert all(path.stat().st_size for path in paths)
    with pytest.raises(ValueError, match="plain file name"):
        save_all({"../one": simple}, tmp_path)


def test_drawing_leaves_matplotlib_as_it_was(simple: Figure) -> None:
    before = dict(matplotlib.rcParams)
    with matplotlib.rc_context({"font.size": 31, "text.usetex": True}):
        simple.render("svg")
        assert matplotlib.rcParams["font.size"] == 31
    assert dict(matplotlib.rcParams) == before


def test_threads_may_draw_at_once(simple: Figure) -> None:
    expected = {theme: simple.render("svg", theme=theme) for theme in ("light", "dark")}
    wrong: list[str] = []

    def draw(theme: str) -> None:
        for _ in range(5):
            if simple.render("svg", theme=theme) != expected[theme]:  # type: ignore[arg-type]
                wrong.append(theme)

    threads = [threading.Thread(target=draw, args=(theme,)) for theme in expected]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_import_is_quick_and_lazy() -> None:
    code = (
        "import sys, catviz, catviz.figures, catviz.figures.maps as maps;"
        "before = {'seaborn', 'matplotlib.pyplot'} & set(sys.modules);"
        "assert catviz.attention_map is catviz.figures.attention_map is maps.attention_map;"
        "missing = [n for n in catviz.__all__ if not hasattr(catviz, n)];"
        "missing += [n for n in catviz.figures.__all__ if not hasattr(catviz.figures, n)];"
        "print(before, missing)"
    )
    bare = "import sys, catviz; assert not {'matplotlib', 'numpy', 'seaborn'} & set(sys.modules)"
    for source, expected in ((bare, ""), (code, "set() []")):
        done = subprocess.run([sys.executable, "-c", source], capture_output=True, text=True)
        assert (done.stdout.strip(), done.stderr) == (expected, "")
