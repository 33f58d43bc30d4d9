"""The page in a real browser: what it draws, what it says of values, text that wants to run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import matplotlib
import numpy as np
import pytest

from catviz.figures import attention_map
from catviz.figures.page import html_page
from catviz.patterns import AttentionPattern
from catviz.viewer import payload as payload_module
from catviz.viewer import viewer_fragment, viewer_page, viewer_script
from catviz.words import Word
from tests.browser import visit
from tests.catviz.viewer.opened import DIGITS, Opened, opened_page, read_value
from tests.catviz.viewer.random_patterns import every_third_word, random_pattern

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser


def colour_of(values: np.ndarray, row: int, key: int) -> np.ndarray:
    """The colour of a cell: viridis of the square root, up to the 99th percentile."""
    size = len(values)
    counted = np.sort(values[1:, 1:][np.tril_indices(size - 1)].astype(np.float32))
    usual = counted[int(0.99 * (len(counted) - 1))]
    top = usual if counted[-1] > 1.1 * usual else counted[-1]
    place = np.sqrt(min(values[row, key] / top, 1))
    return 255 * np.array(matplotlib.colormaps["viridis"](place)[:3])


def test_the_mean_map_has_the_right_colours(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern()
    with opened_page(browser, tmp_path, pattern) as viewer:
        assert viewer.title == "Mean of all 12 heads"
        values = pattern.mean().values
        for row, key in ((3, 1), (5, 5), (9, 4), (10, 0), (7, 2)):
            drawn = viewer.colour(row, key)
            assert np.abs(np.array(drawn) - colour_of(values, row, key)).max() < 8, (row, key)
        assert viewer.colour(2, 7) == [0xF1, 0xF2, 0xF4]  # comes later
        assert viewer.n_colours(viewer.heads) > 100


def test_hovering_gives_the_exact_value(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern()
    with opened_page(browser, tmp_path, pattern) as viewer:
        viewer.open_head(2, 1)  # heads lie along x: there are more heads than layers
        assert viewer.title == "Layer 1, head 2"
        for row, key in ((4, 3), (8, 0), (11, 9)):
            value, error = viewer.value(row, key)
            wanted = pattern.values[1, 2, row, key]
            assert error == 0
            assert abs(value - wanted) <= DIGITS * wanted
        assert "“t8” in “word 8”, irrelevant" in viewer.hover(11, 8)
        assert "comes later" in viewer.hover(3, 9)
        # A token of the text below, of the row that predicts the answer.
        viewer.page.locator(".token").nth(5).hover()
        assert abs(read_value(viewer.tip)[0] - pattern.values[1, 2, 11, 5]) < 1e-5
        viewer.open_head(3, 2, modifiers=["Shift"])
        assert viewer.title == "Mean of 2 heads: L1H2, L2H3"
        mean = (pattern.values[1, 2] + pattern.values[2, 3]) / 2
        assert abs(viewer.value(11, 9)[0] - mean[11, 9]) < 1e-5


def test_rounded_values_are_within_what_is_said(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern(4, 4, 190)
    with opened_page(browser, tmp_path, pattern) as viewer:
        assert "rounded to 8 bits" in viewer.page.locator("header").inner_text()
        value, error = viewer.value(100, 40)  # the mean of all heads is there exactly
        assert error == 0
        assert abs(value - pattern.mean().values[100, 40]) <= DIGITS * value
        viewer.open_head(3, 2)
        for row, key in ((100, 40), (150, 0), (60, 60), (188, 187)):
            value, error = viewer.value(row, key)
            assert 0 < error < 0.006
            assert abs(value - pattern.values[2, 3, row, key]) <= error
        value, error = viewer.value(189, 100)  # so is the row that predicts the answer
        assert error == 0
        assert abs(value - pattern.values[2, 3, 189, 100]) <= DIGITS * value


@pytest.mark.parametrize("size", [12, 190])
def test_without_the_sink(browser: Browser, tmp_path: Path, size: int) -> None:
    pattern = random_pattern(4, 4, size)
    with opened_page(browser, tmp_path, pattern) as viewer:
        viewer.open_head(1, 2)
        for name, renormalise in (("Out", False), ("Renormalised", True)):
            viewer.choose("sink", name)
            wanted = pattern.drop_sink(renormalise=renormalise).values[2, 1]
            for row, key in ((size - 3, 4), (size // 2, 3), (size - 1, 2), (5, 0), (0, 0)):
                value, error = viewer.value(row, key)
                assert abs(value - wanted[row, key]) <= max(error, DIGITS * wanted[row, key])


def test_a_pattern_that_came_without_its_sink(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern().drop_sink()
    with opened_page(browser, tmp_path, pattern) as viewer:
        control = viewer.page.locator("[data-control=sink]")
        assert control.locator("input").first.is_disabled()
        assert "renormalised in this pattern" in control.inner_text()
        assert viewer.value(8, 0)[0] == 0
        value = viewer.value(8, 3)[0]
        assert abs(value - pattern.mean().values[8, 3]) <= DIGITS * value


def test_before_after_difference(browser: Browser, tmp_path: Path) -> None:
    before, after = random_pattern(model="plain"), random_pattern(seed=1, model="tuned")
    with opened_page(browser, tmp_path, before, after=after) as viewer:
        assert "plain → tuned" in viewer.page.locator("h2").inner_text()
        viewer.open_head(3, 1)
        pictures = {}
        for name, wanted in (
            ("Before", before.values[1, 3]),
            ("After", after.values[1, 3]),
            ("Difference", after.values[1, 3] - before.values[1, 3]),
        ):
            viewer.choose("show", name)
            for row, key in ((6, 2), (11, 7)):
                assert abs(viewer.value(row, key)[0] - wanted[row, key]) < 1e-5
            pictures[name] = viewer.colour(11, 7)
        assert len({*map(tuple, pictures.values())}) == 3
        change = after.values[1, 3] - before.values[1, 3]
        gained, lost = (np.unravel_index(f(change), change.shape) for f in (np.argmax, np.argmin))
        red, _, blue = viewer.colour(int(gained[0]), int(gained[1]))
        assert blue > red
        red, _, blue = viewer.colour(int(lost[0]), int(lost[1]))
        assert red > blue
        assert min(viewer.colour(0, 0)) > 235  # nothing changes where there is no choice


def test_ranking_and_tables(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern(4, 5)
    masses = pattern.role_mass().reshape(20, 4)
    with opened_page(browser, tmp_path, pattern) as viewer:
        for role, column in (("causal", 0), ("spurious", 1)):
            viewer.order(role)
            viewer.open_head(0, 0)
            best = pattern.head_names[int(masses[:, column].argmax())]
            assert viewer.title == f"Layer {best[1]}, head {best[3]}"
        viewer.order("lift")
        viewer.open_head(0, 0)
        lift = np.where(masses[:, :2].sum(axis=1) < 0.01, -1, pattern.lift().reshape(-1))
        best = pattern.head_names[int(lift.argmax())]
        assert viewer.title == f"Layer {best[1]}, head {best[3]}"
        viewer.page.get_by_text("As tables").click()
        viewer.page.locator("table").nth(1).wait_for()
        row, heads = viewer.page.locator("table").all()
        cells = row.locator("tbody tr").nth(7).locator("th, td").all_inner_texts()
        assert cells[:3] == ["7", "t7", "other"]
        values = pattern.head(best).values[11]
        assert abs(float(cells[3]) - values[7]) <= DIGITS * values[7]
        first = heads.locator("tbody tr").first.locator("th, td").all_inner_texts()
        at = pattern.head_names.index(first[0])
        assert first[0] == best
        assert float(first[1].rstrip("%")) == pytest.approx(100 * masses[at, 0], abs=0.51)


def test_keys_by_role(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern()
    order = [k for role in ("causal", "spurious", "irrelevant", "other")
             for k, other in enumerate(pattern.roles) if other == role]  # fmt: skip
    with opened_page(browser, tmp_path, pattern) as viewer:
        before = viewer.heads.screenshot()
        viewer.choose("keys", "By role")
        assert viewer.heads.screenshot() != before  # the overview follows
        values = pattern.mean().values
        for column in (0, 3, 11):
            key = order[column]
            if key <= 10:
                assert abs(viewer.value(10, column)[0] - values[10, key]) < 1e-5
            assert f"“t{key}”" in viewer.hover(11, column)


def test_long_texts(browser: Browser, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_module, "_MOST_VALUES", 16 * 80 * 81 // 2)
    pattern = random_pattern(4, 4, 300, words=every_third_word(30))
    with opened_page(browser, tmp_path, pattern) as viewer:
        assert "cells of up to" in viewer.page.locator("header").inner_text()
        value = viewer.value(250, 120)[0]  # the mean of all heads, token by token
        assert abs(value - pattern.mean().values[250, 120]) <= DIGITS * value
        viewer.open_head(1, 3)
        text = viewer.hover(60, 50)
        assert "(tokens " in text
        value, error = read_value(text)
        tokens = [
            tuple(map(int, part.split(")")[0].split(" to "))) for part in text.split("(tokens ")[1:]
        ]
        (a, b), (c, d) = tokens
        wanted = pattern.values[3, 1, a : b + 1, c : d + 1].sum() / (b - a + 1)
        assert abs(value - wanted) <= error
        viewer.page.locator(".token").nth(100).hover()  # the answer's row is exact
        wanted = pattern.values[3, 1, 299, 100]
        assert abs(read_value(viewer.tip)[0] - wanted) <= DIGITS * wanted


def test_text_stays_text(browser: Browser, tmp_path: Path) -> None:
    tokens = (
        "<script>window.ran=1</script>", "</style>", "</script>",
        "<img src=x onerror='window.ran=1'>",
        "\u202eמימין לשמאל", "🧬👩‍🔬", "\x00\x1b[31m", "y" * 10_000, "<!--", "&lt;", "\n", "end",
    )  # fmt: skip
    words = (Word(0, 1, tokens[0], "causal"), Word(3, 4, tokens[3], "spurious"))
    pattern = random_pattern(tokens=tokens, words=words, model=tokens[3], text=tokens[0])
    with opened_page(browser, tmp_path, pattern) as viewer:
        viewer.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        assert tokens[0] in viewer.page.locator(".token").nth(0).inner_text()
        assert tokens[3] in viewer.page.locator("h2").inner_text()
        assert tokens[0] in viewer.hover(11, 0)
        assert len(viewer.hover(11, 7)) < 400
        viewer.page.get_by_text("As tables").click()
        viewer.page.locator("table").nth(1).wait_for()
        assert viewer.page.locator("img").count() == 0
        assert viewer.page.evaluate("window.ran") is None
        box = viewer.page.locator(".tokens").bounding_box()
        assert box
        assert box["width"] <= 1280


@pytest.mark.parametrize("width", [500, 800, 1280])
def test_nothing_sticks_out(browser: Browser, tmp_path: Path, width: int) -> None:
    pattern = random_pattern(30, 9, 20)
    with opened_page(
        browser, tmp_path, pattern, viewport={"width": width, "height": 900}, device_scale_factor=2
    ) as viewer:
        wide = viewer.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width
        assert viewer.map.evaluate("canvas => canvas.width / canvas.clientWidth") == pytest.approx(
            2, rel=0.01
        )


def test_the_theme_is_followed(browser: Browser, tmp_path: Path) -> None:
    with opened_page(browser, tmp_path, random_pattern(), color_scheme="light") as viewer:
        assert viewer.theme == "light"
        viewer.page.emulate_media(color_scheme="dark")
        viewer.settle()
        assert viewer.theme == "dark"
        assert viewer.colour(2, 7) == [0x24, 0x29, 0x2E]
        # JupyterLab's own theme counts more than the system's.
        viewer.page.evaluate("document.body.dataset.jpThemeLight = 'true'")
        viewer.settle()
        assert viewer.theme == "light"
        assert viewer.colour(2, 7) == [0xF1, 0xF2, 0xF4]


def test_what_changes_while_hidden_is_seen_when_shown(browser: Browser, tmp_path: Path) -> None:
    """JupyterLab hides everything while it changes its theme."""
    with opened_page(browser, tmp_path, random_pattern(), color_scheme="light") as viewer:
        show = "(element, how) => { element.style.display = how; }"
        viewer.page.locator("body").evaluate(show, "none")
        viewer.page.emulate_media(color_scheme="dark")
        # Drawn while hidden and shown in the same frame: no observer of sizes would tell.
        viewer.page.evaluate(
            """() => new Promise(done => requestAnimationFrame(() => {
              requestAnimationFrame(() => { document.body.style.display = "block"; done(); });
            }))"""
        )
        viewer.settle()
        assert viewer.theme == "dark"
        assert viewer.colour(2, 7) == [0x24, 0x29, 0x2E]


def test_without_javascript(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern()
    path = tmp_path / "heads.html"
    path.write_text(viewer_page(pattern, static=attention_map([pattern.mean()])), encoding="utf-8")
    with visit(browser, path.as_uri(), java_script_enabled=False) as seen:
        box = seen.page.locator("noscript img, figure img").bounding_box()
        assert box
        assert box["height"] > 200
        seen.check_quiet()


def test_two_viewers_in_a_page(browser: Browser, tmp_path: Path) -> None:
    body = "\n".join(
        [
            viewer_fragment(random_pattern()),
            viewer_fragment(random_pattern(seed=1)),
            viewer_script(),
        ]
    )
    path = tmp_path / "report.html"
    path.write_text(html_page(title="Two", body=body), encoding="utf-8")
    with visit(browser, path.as_uri()) as seen:
        seen.page.locator("[data-drawn]").nth(1).wait_for()
        first, second = seen.page.locator("[data-drawn]").all()
        first.get_by_text("By role", exact=True).click()
        assert first.locator("[data-control=keys] input").nth(1).is_checked()
        assert second.locator("[data-control=keys] input").nth(0).is_checked()
        seen.check_quiet()


def test_a_damaged_page_says_so(browser: Browser, tmp_path: Path) -> None:
    page = viewer_page(random_pattern())
    at = page.index('data-catviz="data">') + 40
    path = tmp_path / "heads.html"
    path.write_text(page[:at] + "AAAAAAAA" + page[at + 8 :], encoding="utf-8")
    with visit(browser, path.as_uri()) as seen:
        alert = seen.page.get_by_role("alert")
        alert.wait_for()
        assert "cannot be drawn" in alert.inner_text()
        seen.check_quiet()


def test_one_token(browser: Browser, tmp_path: Path) -> None:
    pattern = AttentionPattern(np.ones((1, 1, 1, 1), dtype=np.float32), ("a",))
    with opened_page(browser, tmp_path, pattern) as viewer:
        assert viewer.value(0, 0) == (1.0, 0)


def test_keyboard(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern()
    with opened_page(browser, tmp_path, pattern) as viewer:
        press = viewer.page.keyboard.press
        live = viewer.page.locator("[aria-live]")
        focused = "() => document.activeElement.shadowRoot.activeElement.className"
        for _ in range(8):  # the controls, then the heads; "All heads" is switched off
            press("Tab")
            if viewer.page.evaluate(focused) == "heads":
                break
        assert viewer.page.evaluate(focused) == "heads"
        unfocused = viewer.heads.screenshot()
        for key in ("ArrowRight", "ArrowRight", "ArrowDown"):
            press(key)
        assert live.inner_text().startswith("L1H2, causal ")
        viewer.settle()
        assert viewer.heads.screenshot() != unfocused  # the focus is to be seen
        press("Enter")
        viewer.settle()
        assert viewer.title == "Layer 1, head 2"
        press("ArrowLeft")
        press(" ")
        viewer.settle()
        assert viewer.title == "Mean of 2 heads: L1H1, L1H2"
        press("l")
        viewer.settle()
        assert viewer.title == "Mean of layer 1"
        press("Enter")
        viewer.map.focus()
        press("PageDown")
        viewer.settle()
        assert viewer.title == "Layer 1, head 2"
        for key in ("ArrowUp", "ArrowUp", "ArrowRight", "ArrowRight"):
            press(key)
        wanted = pattern.values[1, 2, 9, 2]
        assert abs(read_value(live.inner_text())[0] - wanted) < 1e-5
        press("Enter")
        viewer.settle()
        assert "(token 9)" in viewer.page.locator(".row-heading").inner_text()
        press("Escape")
        assert viewer.page.evaluate(focused) == "heads"
        press("Escape")
        viewer.settle()
        assert viewer.title == "Mean of all 12 heads"


def test_clicks_pick_rows_and_lines(browser: Browser, tmp_path: Path) -> None:
    pattern = random_pattern()
    with opened_page(browser, tmp_path, pattern) as viewer:
        heading = viewer.page.locator(".row-heading")
        assert "which predicts the answer (token 11)" in heading.inner_text()
        viewer.map.click(position=viewer.point(6, 2))  # type: ignore[arg-type]
        viewer.settle()
        assert "(token 6)" in heading.inner_text()
        viewer.page.locator(".token").nth(4).click()
        viewer.settle()
        assert "(token 4)" in heading.inner_text()
        assert_totals(viewer, pattern, 4)
        viewer.page.get_by_role("button", name="Answer row").click()
        viewer.settle()
        assert_totals(viewer, pattern, 11)
        viewer.heads.click(position={"x": 8, "y": 60})  # the name of layer 0
        viewer.settle()
        assert viewer.title == "Mean of layer 0"


def assert_totals(viewer: Opened, pattern: AttentionPattern, row: int) -> None:
    shown = [
        float(text.rstrip("%")) for text in viewer.page.locator(".mass-value").all_inner_texts()
    ]
    wanted = 100 * pattern.role_mass(row).mean(axis=(0, 1))
    assert shown == pytest.approx(list(wanted), abs=0.51)
