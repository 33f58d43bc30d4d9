"""The figures: what is written opens, says what the data say, and can be read."""

import csv
import io
import json
import re
import struct
import subprocess
import sys
import threading
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from itertools import combinations
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from matplotlib.figure import Figure as MplFigure
from matplotlib.text import Text

from catviz.figures.accuracy import accuracy_over_alpha
from catviz.figures.curves import training_curves
from catviz.figures.density import attention_density
from catviz.figures.figure import Figure, Record, save_all
from catviz.figures.files import write_atomically
from catviz.figures.maps import attention_map
from catviz.figures.style import ROLE_STYLES, THEMES, Theme, series_style
from catviz.figures.text import escape, printable, shorten, wrap
from catviz.maps import MeanMap
from catviz.words import Role, Word

HOSTILE = '<script>alert("$x_1$")</script>'
FACTORS: tuple[tuple[str, Role], ...] = (
    ("Smoking: 8", "causal"),
    ("Clothing size: 4", "spurious"),
    ("Hormones: 2", "spurious"),
    ("Room size: 10", "irrelevant"),
    ("Weight: 4", "causal"),
    ("Certain gene: 7", "irrelevant"),
    ("Exercise: 5", "causal"),
    ("Yellow fingers: 12", "spurious"),
)
INTRODUCTION = "Here is the statistical data for a person."
QUESTION = "Please predict the probability of cancer."


def causal_softmax(size: int, seed: int = 0) -> np.ndarray:
    weights = np.exp(np.random.default_rng(seed).normal(size=(size, size))) * np.tri(size)
    return weights / weights.sum(axis=1, keepdims=True)


def small_map(*, model: str = "plain", text: str = "a text", first: str = INTRODUCTION) -> MeanMap:
    """Return a map whose every word is one token."""
    labels: list[tuple[str, Role]] = [
        (first, "other"),
        (QUESTION, "other"),
        *FACTORS,
        ("Answer:", "other"),
    ]
    words = tuple(Word(at, at + 1, label, role) for at, (label, role) in enumerate(labels))
    return MeanMap(causal_softmax(len(words)), words, model, text)


def large_map(*, model: str = "SmolLM2", text: str = "a text", factor_tokens: int = 6) -> MeanMap:
    """Return a map of a usual tokenizer: words of many tokens with commas between them."""
    words, end = [], 0
    parts: list[tuple[str, Role, int]] = [(INTRODUCTION, "other", 9), (QUESTION, "other", 8)]
    for label, role in FACTORS:
        parts += [(label, role, factor_tokens), (",", "other", 1)]
    for label, role, tokens in [*parts, ("Answer:", "other", 2)]:
        words.append(Word(end, end + tokens, label, role))
        end += tokens
    return MeanMap(causal_softmax(end), tuple(words), model, text)


def scores(**centres: float) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(1)
    return {
        role: np.clip(centre * np.exp(0.3 * generator.normal(size=80)), 0, 1)
        for role, centre in centres.items()
    }


def points() -> list[dict[str, object]]:
    return [
        {"alpha": alpha, "split": split, "accuracy": a, "low": a - 0.03, "high": a + 0.03,
         "seeds": 3}
        for alpha, iid, ood in [(0.1, 0.955, 0.66), (3, 0.96, 0.88), (50, 0.94, 0.93)]
        for split, a in [("iid", iid), ("ood", ood)]
    ]  # fmt: skip


REFERENCES = {
    "always Low Risk": {"iid": 0.6875, "ood": 0.665},
    "spurious values alone": {"iid": 0.9525, "ood": 0.625},
    "table of seen triples": {"iid": 0.9525, "ood": 0.9225},
}


def training(*, plain: bool, ratio: float = 1.0) -> list[dict[str, object]]:
    return [
        {"step": step, "epoch": step / 10, "lm_loss": 2 / (1 + step), "gamma": 0.5,
         "attn_loss": None if plain else 1 / (1 + step), "ratio_mean": 0.3 + ratio * step / 20,
         "active_row_share": None if plain else 1 / (1 + step), "causal_mass": 0.2 + step / 50}
        for step in range(20)
    ]  # fmt: skip


BUILDERS: dict[str, Callable[[], Figure]] = {
    "density": lambda: attention_density(
        {
            "plain": scores(causal=0.06, spurious=0.07, irrelevant=0.05),
            "SmolLM2-135M-Instruct with CAT, alpha 3": scores(
                causal=0.27, spurious=0.004, irrelevant=0.003
            ),
        }
    ),
    "density_cut": lambda: attention_density(
        {
            "plain": scores(causal=0.06, spurious=0.07, irrelevant=0.05),
            "alpha 1": scores(causal=0.12, spurious=0.03, irrelevant=0.025),
            "alpha 3": scores(causal=0.27, spurious=0.002, irrelevant=0.002),
        },
        scale="linear",
    ),
    "map_small": lambda: attention_map(
        [
            small_map(model=model, text=text)
            for text in ("IID text 3", "OOD text 7")
            for model in ("plain", "alpha 3")
        ]
    ),
    "map_large": lambda: attention_map([large_map(model="plain"), large_map(model="alpha 0.35")]),
    "map_mixed": lambda: attention_map([small_map(model="tiny"), large_map()]),
    "accuracy": lambda: accuracy_over_alpha(
        points(),
        baseline={"iid": {"accuracy": 0.954}, "ood": {"accuracy": 0.65, "low": 0.6, "high": 0.7}},
        references=REFERENCES,
    ),
    "curves": lambda: training_curves(
        {"plain": training(plain=True), "alpha 3": training(plain=False, ratio=20)},
        targets={"alpha 3": 3.0},
    ),
    "curves_plain": lambda: training_curves({"plain": training(plain=True)}),
}


@pytest.fixture(scope="module")
def figures() -> dict[str, Figure]:
    return {name: build() for name, build in BUILDERS.items()}


@pytest.fixture
def simple() -> Figure:
    """A figure that is quick to draw."""

    def draw(theme: Theme) -> MplFigure:
        figure = MplFigure(figsize=(2, 1))
        figure.text(0.1, 0.5, HOSTILE)
        return figure

    data: list[Record] = [{"model": HOSTILE, "score": 0.25}, {"model": "b", "step": None}]
    return Figure(draw, data, title=f"Title {HOSTILE}", alt=f'alt "{HOSTILE}"', caption=HOSTILE)


def visible_texts(figure: MplFigure) -> Iterator[Text]:
    """Yield every text that is drawn."""
    yield from figure.texts
    for legend in figure.legends:
        yield from legend.get_texts()
    for axes in figure.axes:
        yield from axes.texts
        if (legend_inside := axes.get_legend()) is not None:
            yield from legend_inside.get_texts()
        if not axes.axison:
            continue
        yield from (axes.xaxis.label, axes.yaxis.label)
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            for tick in [*axis.get_major_ticks(), *axis.get_minor_ticks()]:
                if min(limits) <= tick.get_loc() <= max(limits) and tick.label1.get_visible():
                    yield tick.label1
    for axes in figure.axes:
        yield from (axes.title, axes._left_title)  # type: ignore[attr-defined]


def overlaps(figure: MplFigure) -> list[tuple[str, str]]:
    """Return the pairs of texts whose boxes overlap by more than a pixel."""
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()  # type: ignore[attr-defined]
    boxes = [
        (text.get_text(), text.get_window_extent(renderer).padded(-0.5))
        for text in visible_texts(figure)
        if text.get_text().strip() and text.get_visible()
    ]
    return [(a, b) for (a, one), (b, two) in combinations(boxes, 2) if one.overlaps(two)]


@pytest.mark.parametrize("name", BUILDERS)
def test_no_text_overlaps_another(name: str, figures: dict[str, Figure]) -> None:
    assert overlaps(figures[name].matplotlib()) == []


@pytest.mark.parametrize("factor_tokens", [1, 2, 3, 9])
def test_map_labels_keep_apart_at_any_token_count(factor_tokens: int) -> None:
    figure = attention_map([large_map(factor_tokens=factor_tokens)]).matplotlib()
    assert overlaps(figure) == []
    shown = {text.get_text() for text in visible_texts(figure)}
    assert {label for label, _ in FACTORS} <= shown


def test_each_word_is_labelled_on_both_axes_of_the_map(figures: dict[str, Figure]) -> None:
    shown = [text.get_text() for text in visible_texts(figures["map_large"].matplotlib())]
    for label, _ in FACTORS:
        assert shown.count(label) == 3  # one shared query axis, a key axis for each model
    assert "," not in shown


@pytest.mark.parametrize("name", BUILDERS)
def test_light_and_dark_differ(name: str, figures: dict[str, Figure]) -> None:
    light = figures[name].render("svg")
    dark = figures[name].render("svg", theme="dark")
    assert light != dark
    assert THEMES["dark"].background.encode() in dark
    assert THEMES["dark"].background.encode() not in light


def test_the_same_figure_gives_the_same_bytes(simple: Figure) -> None:
    for kind in ("svg", "png", "pdf"):
        assert simple.render(kind) == simple.render(kind)


def test_pictures_open(figures: dict[str, Figure], tmp_path: Path) -> None:
    figure = figures["map_small"]
    png = figure.save(tmp_path / "deep" / "er" / "map.png").read_bytes()
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    assert width > 1000
    assert height > 1000
    svg = figure.save(tmp_path / "map.SVG").read_text("utf-8")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert figure.save(tmp_path / "map.pdf").read_bytes().startswith(b"%PDF-")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "map.SVG", "map.pdf"]


@pytest.mark.parametrize("name", BUILDERS)
def test_json_and_csv_equal_the_data(name: str, figures: dict[str, Figure], tmp_path: Path) -> None:
    figure = figures[name]
    assert figure.data
    assert json.loads(figure.save(tmp_path / "data.json").read_text("utf-8")) == [
        dict(record) for record in figure.data
    ]
    rows = list(csv.DictReader(io.StringIO(figure.save(tmp_path / "d.csv").read_text("utf-8"))))
    assert len(rows) == len(figure.data)
    for row, record in zip(rows, figure.data, strict=True):
        assert {key: value for key, value in row.items() if value} == {
            key: str(value) for key, value in record.items() if value not in (None, "")
        }


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


def test_hostile_tokens_and_labels_are_drawn_as_they_are() -> None:
    figure = attention_map([small_map(model=HOSTILE, first="$x_1$ _b\x00\n<b>")])
    shown = [text.get_text() for text in visible_texts(figure.matplotlib())]
    assert HOSTILE in [text.replace("\n", "") for text in shown]
    assert "$x_1$ _b\N{REPLACEMENT CHARACTER}↵<b>" in shown
    assert all(not text.get_parse_math() for text in visible_texts(figure.matplotlib()))
    assert b"<script" not in figure.render("svg")
    ElementTree.fromstring(figure.render("svg"))
    figure = attention_density({"_hidden $a$": scores(causal=0.1, spurious=0.2)})
    assert "_hidden $a$" in [text.get_text() for text in visible_texts(figure.matplotlib())]
    curves = training_curves({"_hidden $a$": training(plain=True)})
    assert "_hidden $a$" in [text.get_text() for text in visible_texts(curves.matplotlib())]


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
    assert data["text/html"] == simple.html()
    assert metadata["image/png"]["width"] > 100


def test_save_all_writes_each_figure_in_each_format(simple: Figure, tmp_path: Path) -> None:
    paths = save_all({"one": simple, "two": simple}, tmp_path / "figures")
    assert [path.name for path in paths] == ["one.svg", "one.png", "two.svg", "two.png"]
    assert all(path.stat().st_size for path in paths)
    with pytest.raises(ValueError, match="plain file name"):
        save_all({"../one": simple}, tmp_path)


def test_a_failed_write_keeps_the_old_file_and_names_the_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_atomically(tmp_path / "a.txt", "old")

    def fail(self: Path, target: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(PermissionError, match=r"cannot write the file .*Permission denied.*a\.txt"):
        write_atomically(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(OSError, match="cannot write the file"):
        write_atomically(path / "under a file" / "b.txt", "new")


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


# Density.


def test_density_of_degenerate_scores_draws_lines_and_notes() -> None:
    figure = attention_density(
        {"m": {"causal": [0.2] * 5, "spurious": [0.1], "irrelevant": []}, "n": {"causal": [0.0]}}
    )
    texts = [text.get_text() for text in visible_texts(figure.matplotlib())]
    assert texts.count("no words") == 3
    assert figure.render("png")
    assert len(figure.data) == 7


def test_density_marks_the_medians_and_cut_peaks(figures: dict[str, Figure]) -> None:
    texts = [text.get_text() for text in visible_texts(figures["density_cut"].matplotlib())]
    assert any(text.startswith("▲ S peaks at ") for text in texts)
    assert "causal 0.27" in re.sub(r"0\.2\d+", "0.27", figures["density_cut"].alt)


def test_density_takes_a_log_axis_only_where_it_can() -> None:
    uneven = scores(causal=0.3, spurious=0.003)
    assert "per tenfold" in label_of(attention_density({"m": uneven}))
    uneven["spurious"][0] = 0.0
    assert "per tenfold" not in label_of(attention_density({"m": uneven}))
    with pytest.raises(ValueError, match="1 scores are exactly 0"):
        attention_density({"m": uneven}, scale="log")


@pytest.mark.parametrize("spread", [0.01, 0.3, 1.0, 2.0])
def test_a_log_axis_has_numbers_at_any_width(spread: float) -> None:
    values = 0.2 * np.exp(-spread * np.abs(np.random.default_rng(0).normal(size=50)))
    figure = attention_density({"m": {"causal": values}, "n": {"causal": values}}, scale="log")
    drawn = figure.matplotlib()
    assert overlaps(drawn) == []
    ticks = drawn.axes[2].xaxis
    low, high = drawn.axes[2].get_xlim()
    assert sum(low <= tick.get_loc() <= high for tick in ticks.get_major_ticks()) >= 2


def label_of(figure: Figure) -> str:
    return "".join(axes.get_ylabel() for axes in figure.matplotlib().axes)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({}, "at least one model"),
        ({"m": {}}, "no scores in any role"),
        ({"m": {"causal": []}}, "no scores in any role"),
        ({"m": {"causal": [0.1, float("nan")]}}, r"'m', role 'causal'.*nan at index 1"),
        ({"m": {"causal": [1.5]}}, r"between 0 and 1, got 1\.5"),
        ({"m": {"causal": [[0.1]]}}, r"flat list.*\(1, 1\)"),
        ({"m": {"cause": [0.1]}}, r"unknown role 'cause'; expected causal"),
    ],
)
def test_density_refuses(bad: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        attention_density(bad)


# Maps.


def test_map_records_are_the_lower_triangle() -> None:
    one = small_map()
    data = attention_map([one]).data
    assert len(data) == one.size * (one.size + 1) // 2
    for record in data:
        assert record["attention"] == one.values[int(str(record["query"])), int(str(record["key"]))]
    assert data[-1]["query_word"] == "Answer:"
    assert [data[-9 + at]["key_role"] for at in range(8)] == [role for _, role in FACTORS]


def test_map_scale_leaves_the_sink_out_and_says_what_is_clipped() -> None:
    size = 40
    values = np.tri(size) * 0.01
    values[:, 0] = 1 - values[:, 1:].sum(axis=1)
    one = MeanMap(values, (Word(0, 1, "sink", "other"),), "m", "t")
    assert "Cells above 0.01 (up to 0.99)" in attention_map([one]).caption
    assert "Cells above" not in attention_map([one], vmax=1).caption


def test_map_of_one_token_and_of_no_words() -> None:
    assert attention_map([MeanMap(np.ones((1, 1)), (), "m", "t")]).render("png")


def test_answer_row_may_stand_in_the_middle() -> None:
    one = MeanMap(np.tri(4) / np.tri(4).sum(1, keepdims=True), (), "m", "t", answer_row=-2)
    assert one.answer_row == 2
    with pytest.raises(ValueError, match="no row 4 among 4"):
        MeanMap(one.values, (), "m", "t", answer_row=4)


def changed(query: int, key: int, value: float) -> np.ndarray:
    values = causal_softmax(3)
    values[query, key] = value
    return values


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones((2, 3)), r"square.*\(2, 3\)"),
        (np.ones((0, 0)), r"square.*\(0, 0\)"),
        (changed(2, 1, np.nan), "finite.*nan at row 2, key 1"),
        (changed(0, 2, 0.5), "row 0 attends to the later key 2"),
        (changed(1, 1, -0.5), "negative.*row 1, key 1"),
        (changed(2, 2, 0.9), r"row 2 sums to 1\.\d+"),
    ],
)
def test_mean_map_refuses_values(values: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=f"'plain'.*{message}"):
        MeanMap(values, (), "plain", "t")


def test_mean_map_refuses_words() -> None:
    values = causal_softmax(3)
    with pytest.raises(ValueError, match="'b' starts at token 1"):
        MeanMap(values, (Word(0, 2, "a", "other"), Word(1, 3, "b", "other")), "m", "t")
    with pytest.raises(ValueError, match=r"reach token 4.*3 tokens"):
        MeanMap(values, (Word(2, 4, "a", "other"),), "m", "t")
    with pytest.raises(ValueError, match="0 <= start < stop"):
        Word(2, 2, "a", "other")
    with pytest.raises(ValueError, match="role 'cause'"):
        Word(0, 1, "a", "cause")  # type: ignore[arg-type]


def test_map_refuses_nothing_and_doubles() -> None:
    with pytest.raises(ValueError, match="at least one MeanMap"):
        attention_map([])
    with pytest.raises(ValueError, match="two maps"):
        attention_map([small_map(), small_map()])
    with pytest.raises(ValueError, match="vmax"):
        attention_map([small_map()], vmax=0)


def test_mean_map_cannot_be_changed_from_outside() -> None:
    values = causal_softmax(3)
    one = MeanMap(values, (), "m", "t")
    values[0, 0] = 7
    assert one.values[0, 0] == 1
    with pytest.raises(ValueError, match="read-only"):
        one.values[0, 0] = 7


# Accuracy.


def test_accuracy_axis_is_in_order_and_starts_with_plain(figures: dict[str, Figure]) -> None:
    (axes,) = figures["accuracy"].matplotlib().axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["plain", "0.1", "3", "50"]
    texts = [text.get_text() for text in axes.texts]
    assert "table of seen triples, OOD 92.25" in texts
    assert len(texts) == 6


def test_accuracy_of_one_point() -> None:
    figure = accuracy_over_alpha([{"alpha": 0.3, "split": "ood", "accuracy": 0.9}])
    assert figure.render("png")
    assert figure.data[0]["low"] is None


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"alpha": 1, "split": "iid", "accuracy": 95.25}, "IID at alpha 1.*0 to 1, got 95.25"),
        ({"alpha": 1, "split": "iid", "accuracy": float("nan")}, "got nan"),
        ({"alpha": 1, "split": "iid"}, "no 'accuracy'"),
        ({"alpha": 1, "split": "dev", "accuracy": 0.9}, "unknown split 'dev'"),
        ({"alpha": 0, "split": "iid", "accuracy": 0.9}, "alpha as a finite number above 0"),
        ({"alpha": "x", "split": "iid", "accuracy": 0.9}, "expected a number, got 'x'"),
        ({"alpha": 1, "split": "iid", "accuracy": 0.9, "low": 0.8}, "both low and high"),
        (
            {"alpha": 1, "split": "iid", "accuracy": 0.9, "low": 0.95, "high": 1.0},
            "low <= accuracy",
        ),
    ],
)
def test_accuracy_refuses(record: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accuracy_over_alpha([record])


def test_accuracy_refuses_nothing_and_doubles() -> None:
    with pytest.raises(ValueError, match="no points"):
        accuracy_over_alpha([])
    with pytest.raises(ValueError, match=r"two points for OOD at 0\.3"):
        accuracy_over_alpha([{"alpha": 0.3, "split": "ood", "accuracy": 0.9}] * 2)


# Training curves.


def test_curves_say_what_plain_training_does_not_use(figures: dict[str, Figure]) -> None:
    plain = [text.get_text() for text in visible_texts(figures["curves_plain"].matplotlib())]
    assert plain.count("not used in plain training") == 2
    both = [text.get_text() for text in visible_texts(figures["curves"].matplotlib())]
    assert both.count("plain: not used") == 2


def test_a_ratio_over_a_decade_is_logarithmic() -> None:
    def ratio_scale(ratio: float) -> str:
        figure = training_curves({"m": training(plain=False, ratio=ratio)}).matplotlib()
        return figure.axes[2].get_yscale()

    assert (ratio_scale(1), ratio_scale(20)) == ("linear", "log")


def test_curves_of_one_step() -> None:
    assert training_curves({"m": [{"step": 0, "lm_loss": 1.0, "attn_loss": 0.0}]}).render("png")


@pytest.mark.parametrize(
    ("records", "message"),
    [
        ({}, "no records"),
        ({"m": []}, "no records"),
        ({"m": [{"lm_loss": 1.0}]}, "'m', record 0: no 'step'"),
        ({"m": [{"step": 3, "lm_loss": float("nan")}]}, "lm_loss is nan at step 3"),
        ({"m": [{"step": 3, "lm_loss": "high"}]}, "lm_loss is 'high'"),
    ],
)
def test_curves_refuse(records: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        training_curves(records)
    with pytest.raises(ValueError, match="unknown model 'x'"):
        training_curves({"m": [{"step": 1}]}, targets={"x": 1.0})


# Style and text.


def luminance(colour: str) -> float:
    channels = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return float(np.dot(linear, [0.2126, 0.7152, 0.0722]))


def contrast(one: str, two: str) -> float:
    light, dark = sorted((luminance(one), luminance(two)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", THEMES.values(), ids=list(THEMES))
def test_colours_can_be_told_from_the_background(theme: Theme) -> None:
    for colour in (theme.ink, theme.muted, *theme.series):
        assert contrast(colour, theme.background) >= 4.5
    for role in ("causal", "spurious", "irrelevant"):
        style = ROLE_STYLES[role]
        assert contrast(style.colour, theme.background) >= 2.8
        assert contrast(style.on_colour, style.colour) >= 4.5


def test_no_look_is_told_by_colour_alone() -> None:
    roles = [ROLE_STYLES[role] for role in ("causal", "spurious", "irrelevant")]
    for mark in ("letter", "dash", "hatch"):
        assert len({getattr(role, mark) for role in roles}) == 3
    looks = {series_style(at, THEMES["light"]) for at in range(140)}
    assert len(looks) == 140
    assert not {look.colour for look in looks} & {r.colour for r in roles}


def test_printable_shorten_wrap() -> None:
    assert printable("a\r\nb\tc\u202e\ud800\x07") == (
        "a↵b⇥c\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"
    )
    assert shorten("12345", 5) == "12345"
    assert shorten("123456", 5) == "1234…"
    assert wrap("a bc def ghij", 4) == "a bc\ndef…"
    assert wrap("", 4) == ""
