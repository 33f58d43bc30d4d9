"""What a board draws, in a real browser: values, frames, looks, text that wants to run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest

from catviz.figures.style import THEMES
from catviz.widgets.board import Board
from catviz.widgets.charts import DotChart, Dots, Line, LineChart, MapChart, TextChart
from tests.catviz.widgets.mounted import Mounted, mounted
from tests.catviz.widgets.sample_charts import ALPHAS, ORDER, accuracy, frame, weights

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

# Text that sticks out of its drawing, or stands on other text; charts that do.
_FAULTS = """() => {
  const {shadowRoot} = document.querySelector(".catviz-board");
  const faults = [];
  const box = (element) => element.getBoundingClientRect();
  const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1
    && a.top < b.bottom - 2 && b.top < a.bottom - 2;
  const within = (a, b) => a.left >= b.left - 1 && a.right <= b.right + 1
    && a.top >= b.top - 1 && a.bottom <= b.bottom + 1;
  for (const svg of shadowRoot.querySelectorAll("svg.plot")) {
    const texts = [...svg.querySelectorAll("text")];
    texts.forEach((text, at) => {
      if (!within(box(text), box(svg))) faults.push(`outside: ${text.textContent}`);
      for (const other of texts.slice(at + 1)) {
        if (meet(box(text), box(other))) {
          faults.push(`${text.textContent} on ${other.textContent}`);
        }
      }
    });
  }
  const figures = [...shadowRoot.querySelectorAll("figure")];
  const board = box(document.querySelector(".catviz-board"));
  figures.forEach((figure, at) => {
    if (box(figure).left < board.left || box(figure).right > board.right + 1) {
      faults.push(`${figure.dataset.chart} is beyond the board`);
    }
    for (const part of figure.querySelectorAll("*")) {
      if (box(part).right > box(figure).right + 1) {
        faults.push(`${part.className} of ${figure.dataset.chart} is cut`);
      }
    }
    for (const other of figures.slice(at + 1)) {
      if (meet(box(figure), box(other))) {
        faults.push(`${figure.dataset.chart} on ${other.dataset.chart}`);
      }
    }
  });
  return faults;
}"""
_LINES = "svg => [...svg.querySelectorAll('path.line')].map(path => path.getAttribute('d'))"


def nine_frames(shown: Mounted) -> None:
    for at in range(len(ALPHAS)):
        shown.board.add_frame(frame(at))
    shown.settle()


def drawn(shown: Mounted, name: str) -> list[str]:
    return shown.chart(name).locator("svg.plot").evaluate(_LINES)


@pytest.mark.parametrize(("width", "columns"), [(1280, 3), (800, 2), (500, 1)])
def test_nothing_overlaps_and_nothing_is_cut(
    browser: Browser, tmp_path: Path, width: int, columns: int
) -> None:
    viewport = {"width": width, "height": 900}
    with mounted(browser, tmp_path, Board(order=ORDER), viewport=viewport) as shown:
        nine_frames(shown)
        for at in (0, 4, 8):
            shown.board.frame = at
            shown.settle()
            assert shown.page.evaluate(_FAULTS) == []
        figures = shown.page.locator("[data-chart]")
        placed = figures.evaluate_all("all => all.map(one => [one.dataset.chart, one.offsetLeft])")
        assert [name for name, _ in placed] == list(ORDER)
        assert len({left for _, left in placed}) == columns


def test_labels_too_long_are_cut_by_us_and_empty_charts_say_so(
    browser: Browser, tmp_path: Path
) -> None:
    long = "a name that is far too long to stand beside anything else here " * 3
    charts = {
        "lines": LineChart(long, long, long, [Line(long, [], [])]),
        "one": LineChart("One", "step", "nats", [Line("loss", [5], [0.25]), Line("b", [5], [-7])]),
        "crowded": LineChart("Many", "alpha", "", [], ticks=[(x, f"alpha {x}") for x in range(40)]),
        "log-odds": LineChart("Log-odds", "", "", [Line("l", [0, 1, 2], [-2e7, np.nan, 3e6])]),
        "dots": DotChart(long, long, [long, ""], ["causal", "other"], [Dots(long, [1, np.nan])]),
        "map": MapChart(long, [long, ","], ["causal", "other"], np.tril(np.full((2, 2), 0.5))),
        "text": TextChart(long, [long, " b"], ["causal", "other"], [0, 0]),
    }
    with mounted(browser, tmp_path, Board(), viewport={"width": 700, "height": 900}) as shown:
        shown.board.show(charts)
        shown.settle()
        assert shown.page.evaluate(_FAULTS) == []
        assert "nothing yet" in shown.chart("lines").locator("svg.plot").text_content()
        assert "nothing yet" not in shown.chart("one").locator("svg.plot").text_content()


def test_a_frame_changes_all_charts_together(browser: Browser, tmp_path: Path) -> None:
    with mounted(browser, tmp_path, Board(order=ORDER)) as shown:
        shown.board.show(
            {"loss": LineChart("Loss", "step", "nats", [Line("loss", [1, 2], [3, 1])])}
        )
        nine_frames(shown)
        newest = drawn(shown, "density")
        for name in ORDER:
            assert shown.chart(name).get_attribute("data-frame") == "8"
        seen = set()
        for at in range(len(ALPHAS)):
            shown.board.frame = at
            shown.settle()
            seen.add(tuple(drawn(shown, "density")))
            assert {shown.chart(name).get_attribute("data-frame") for name in (*ORDER, "loss")} == {
                str(at)
            }
            told = shown.chart("accuracy").get_attribute("aria-label") or ""
            cursor = shown.chart("accuracy").locator(".cursor-label").text_content()
            assert cursor == (f"alpha {ALPHAS[at]}" if at else "plain training")
            assert told.endswith(f"Marked: {cursor}.")
            assert ALPHAS[at] in shown.chart("density").locator("figcaption").inner_text()
        assert len(seen) == len(ALPHAS)
        for beyond in (-1, 99):
            shown.board.frame = beyond
            shown.settle()
            assert drawn(shown, "density") == newest
        shown.board.clear()
        shown.settle()
        assert shown.page.locator("[data-chart]").count() == 0


def test_values_glide_unless_the_reader_wants_no_motion(browser: Browser, tmp_path: Path) -> None:
    for motion, halfway in (("no-preference", True), ("reduce", False)):
        board = Board(order=ORDER)
        with mounted(browser, tmp_path, board, reduced_motion=motion) as shown:
            nine_frames(shown)
            board.frame = 0
            shown.settle()
            start = drawn(shown, "density")
            board.frame = 8
            shown.settle()
            stop = drawn(shown, "density")
            shown.page.clock.install()
            shown.page.clock.pause_at(10**12)
            board.frame = 0
            shown.page.clock.run_for(100)
            between = drawn(shown, "density")
            assert (between not in (start, stop)) == halfway
            # What is said is where it goes, not where it is.
            assert shown.chart("density").get_attribute("data-frame") == "0"
            shown.page.clock.run_for(400)
            assert drawn(shown, "density") == start


def test_values_are_those_that_were_given(browser: Browser, tmp_path: Path) -> None:
    with mounted(browser, tmp_path, Board(order=ORDER)) as shown:
        nine_frames(shown)
        at = 3
        shown.board.frame = at
        shown.settle()
        lines = accuracy(at).lines
        assert all(line.low is not None and line.high is not None for line in lines)
        header, *rows = shown.numbers("accuracy")
        assert header[0] == "alpha"
        assert [row[0] for row in rows] == list(ALPHAS)
        for line, column in zip(lines, (1, 3), strict=True):
            told = [float(row[column].rstrip("%")) / 100 for row in rows]
            assert np.abs(told - np.asarray(line.y)).max() < 6e-4
        assert rows[5][2] == f"{100 * lines[0].low[5]:.1f}% to {100 * lines[0].high[5]:.1f}%"  # type: ignore[index]
        tip = shown.hover("accuracy", across=0.99, down=0.5)
        assert "alpha: 50" in tip
        assert f"out of distribution {100 * lines[1].y[-1]:.1f}%" in tip
        tip = shown.hover("effects", across=0.9, down=0.3)
        assert "Yellow fingers, spurious" in tip
        assert "model 0.25 (0.15 to 0.35)" in tip
        # The last row of the map, and the word that it looks at most.
        area = shown.chart("map").locator("canvas[data-area]")
        left, top, side, size = map(float, (area.get_attribute("data-area") or "").split())
        cell = {"x": left + 1.5 * side / size, "y": top + 5.5 * side / size}
        area.hover(position=cell)  # type: ignore[arg-type]
        tip = shown.page.locator(".tip").inner_text()
        assert f"attention {weights(at)[-1, 1]:.4g}" in tip
        assert "Smoking: 8”, causal" in tip
        shown.chart("text").locator(".token").nth(2).hover()
        assert f"weight {weights(at)[-1, 2]:.4g}" in shown.page.locator(".tip").inner_text()
        shades = (
            shown.chart("text")
            .locator(".token")
            .evaluate_all(
                "chips => chips.map(chip => Number(chip.style.background.match(/[\\d.]+(?=\\)$)/)))"
            )
        )
        assert shades[1] == max(shades) == shades[4]
        assert shades[2] < shades[1] / 2
        shown.page.mouse.move(0, 0)
        assert shown.page.locator(".tip").is_hidden()


def test_roles_and_series_have_a_colour_and_a_second_mark(browser: Browser, tmp_path: Path) -> None:
    with mounted(browser, tmp_path, Board()) as shown:
        for scheme in ("light", "dark"):
            shown.page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
            shown.board.show(frame(2))
            shown.settle()
            root = shown.page.locator(".catviz-board")
            assert root.get_attribute("data-theme") == scheme
            looks = "paths => paths.map(p => [p.getAttribute('stroke'), "
            looks += "p.getAttribute('stroke-dasharray')])"
            roles = shown.chart("density").locator("path.line").evaluate_all(looks)
            assert [colour for colour, _ in roles] == ["#0072B2", "#D55E00", "#999999"]
            assert len({dash for _, dash in roles}) == 3
            letters = shown.chart("density").locator(".letter").all_text_contents()
            assert sorted(letters) == ["C", "I", "S"]
            series = shown.chart("accuracy").locator("path.line").evaluate_all(looks)
            assert [colour for colour, _ in series] == list(THEMES[scheme].series[:2])  # type: ignore[index]
            marks = (
                shown.chart("effects")
                .locator("[data-dot]")
                .evaluate_all(
                    "all => all.map(one => one.getAttribute('d').replace(/[\\d.-]+/g, '#'))"
                )
            )
            assert len(set(marks)) == 2


def test_text_stays_text(browser: Browser, tmp_path: Path) -> None:
    bad = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    charts = {
        bad: LineChart(bad, bad, bad, [Line(bad, [0, 1], [1, 2])], cursor=(1, bad), note=bad),
        "dots": DotChart(bad, bad, [bad], ["causal"], [Dots(bad, [1])]),
        "map": MapChart(bad, [bad], ["causal"], np.ones((1, 1))),
        "text": TextChart(bad, [bad, bad], ["causal", "other"], [0.5, 0.5]),
    }
    with mounted(browser, tmp_path, Board()) as shown:
        shown.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        shown.board.show(charts)
        shown.settle()
        for name in ("dots", "text"):
            assert any(bad in row for row in shown.numbers(name))
        shown.hover("dots", across=0.5, down=0.1)
        assert bad in shown.page.locator(".tip").inner_text()
        assert shown.page.locator(".catviz-board img, .catviz-board script").count() == 0
        assert shown.page.locator("figcaption").first.inner_text() == bad


def test_a_page_that_was_loaded_again_asks_and_says_that_it_waits(
    browser: Browser, tmp_path: Path
) -> None:
    board = Board(order=ORDER)
    board.add_frame(frame(1))
    with mounted(browser, tmp_path, board) as shown:
        waiting = shown.page.get_by_text("Waiting for the kernel")
        assert waiting.is_hidden()
        waiting.wait_for(timeout=30_000)
        assert shown.answer() == 1
        shown.chart("map").wait_for()
        assert waiting.is_hidden()
        # A second view has all at once, and waits for nothing.
        shown.add_view()
        shown.page.wait_for_timeout(2200)
        assert not any(one.is_visible() for one in waiting.all())
        assert shown.page.locator('[data-chart="map"]').count() == 2
        listeners = shown.page.evaluate("nListeners()")
        shown.page.evaluate("removeView()")
        assert shown.page.evaluate("nListeners()") == listeners - 2
        shown.board.add_frame(frame(2))
        shown.settle()
        assert shown.chart("map").get_attribute("data-frame") == "1"
        assert shown.answer() == 0


def test_a_frame_that_was_lost_is_asked_for_once(browser: Browser, tmp_path: Path) -> None:
    board = Board()
    board.add_frame(frame(0))
    with mounted(browser, tmp_path, board) as shown:
        shown.page.evaluate("() => { window.sent = []; }")  # nobody has heard the question
        shown.board.clear()
        for at in range(3):
            board._frames.append(frame(at))  # lost on the way
        for at in range(3, 6):
            board.add_frame(frame(at))
        assert shown.answer() == 1
        shown.settle()
        assert shown.chart("map").get_attribute("data-frame") == "5"
        board.frame = 1
        shown.settle()
        assert ALPHAS[1] in shown.chart("density").locator("figcaption").inner_text()


def test_without_a_kernel_it_goes_on(browser: Browser, tmp_path: Path) -> None:
    with mounted(browser, tmp_path, Board(order=ORDER)) as shown:
        nine_frames(shown)
        shown.page.evaluate("() => { window.kernel = false; }")
        shown.add_view()
        shown.page.evaluate("change('frame', 2)")
        shown.settle()
        for at in range(2):
            figure = shown.page.locator('[data-chart="density"]').nth(at)
            assert figure.get_attribute("data-frame") == "2"


def test_one_chart_that_cannot_be_drawn_leaves_the_others(browser: Browser, tmp_path: Path) -> None:
    with mounted(browser, tmp_path, Board()) as shown:
        broken = {"kind": "lines", "title": "Broken", "x_label": "", "y_label": "", "note": ""}
        shown.board.show({"accuracy": accuracy(0)})
        shown.board.send({"kind": "show", "charts": {"broken": broken}}, [])
        shown.board.show({"accuracy": accuracy(3)})
        shown.settle()
        assert "cannot be drawn" in shown.chart("broken").inner_text()
        assert shown.chart("accuracy").locator(".cursor-label").text_content() == "alpha 2"


def test_many_frames_cost_nothing_to_turn(browser: Browser, tmp_path: Path) -> None:
    board = Board(order=ORDER)
    with mounted(browser, tmp_path, board, reduced_motion="reduce") as shown:
        nine_frames(shown)
        count = "document.querySelector('.catviz-board').shadowRoot.querySelectorAll('*').length"
        for at in range(50):
            board.add_frame(frame(at % 9))
        shown.settle()
        cost = shown.page.evaluate(
            f"""async () => {{
              const costs = [];
              const before = {count};
              for (let at = 0; at < 59; at += 2) {{
                const start = performance.now();
                change("frame", at);
                await new Promise(requestAnimationFrame);
                document.body.offsetHeight;
                costs.push(performance.now() - start);
              }}
              costs.sort((a, b) => a - b);
              return {{median: costs[15], grown: Math.abs({count} - before)}};
            }}"""
        )
        assert cost["median"] < 100  # 20 to 35 on two idle cores, waiting for the picture included
        assert cost["grown"] < 20
