"""A review in a real browser, by keyboard: marks, links, verdicts, what is said when not saved."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cat.annotate.review import Review, relations_of
from cat.models import tiny_tokenizer
from catviz.widgets.review.signal_review import SignalReview
from tests.catviz.widgets.review.kit import RECORDS, reviewed
from tests.jupyter import opened_notebook

if TYPE_CHECKING:
    from playwright.sync_api import Browser

pytestmark = pytest.mark.browser

ANSWER = relations_of(RECORDS[0])[1]
CELL = """\
from catviz import SignalReview
from tests.catviz.widgets.review.kit import RECORDS
review = SignalReview(RECORDS, out="verdicts.review")
review"""


@pytest.fixture
def review(tmp_path: Path) -> SignalReview:
    return SignalReview(RECORDS, out=tmp_path / "verdicts.review")


def verdicts(review: SignalReview, number: int = 0) -> list[str]:
    """Those on the disk."""
    item = RECORDS[number]
    saved = Review(review.review.path)
    return [saved.verdict(item, relation).word for relation in saved.relations(item)]


def test_the_relation_in_focus_is_marked_and_linked(
    browser: Browser, tmp_path: Path, review: SignalReview
) -> None:
    with reviewed(browser, tmp_path, review) as shown:
        assert shown.marked("effect") == ["5 more"]
        assert shown.marked("cause") == ["She finds"]
        shown.press("ArrowDown")
        assert shown.marked("effect") == ["17"]
        assert shown.marked("cause") == ["12 shells", "5 more"]
        assert shown.find(".links path").count() == 2
        assert shown.find(".words").inner_text().count("answer") == 0  # a mark, not a word
        current = shown.find("[aria-current]")
        assert current.locator(".wrong").all_inner_texts() == ["9 stars"]
        assert "“9 stars” is not in the text." in current.inner_text()
        shown.press("ArrowDown")
        assert shown.marked("faulty") == ["5 more"]
        assert shown.marked("cause") == []
        shown.press("ArrowDown")  # there is no fourth
        assert shown.marked("effect") == ["12 shells"]
        assert shown.find("[aria-current]").count() == 1


def test_no_mark_is_told_by_its_colour_alone(
    browser: Browser, tmp_path: Path, review: SignalReview
) -> None:
    look = "one => { const s = getComputedStyle(one); return [s.borderBottomStyle, s.boxShadow]; }"
    for scheme in ("light", "dark"):
        with reviewed(browser, tmp_path, review, color_scheme=scheme) as shown:
            assert shown.find("").first.get_attribute("data-theme") == scheme
            shown.press("ArrowDown", "ArrowDown")
            kinds = ("effect", "faulty", "other:not(.effect):not(.faulty)")
            looks = [tuple(shown.find(f".words .{kind}").first.evaluate(look)) for kind in kinds]
            shown.press("ArrowUp")
            looks.append(tuple(shown.find(".words .cause").first.evaluate(look)))
            assert len(set(looks)) == 4
            letters = shown.find(".words .letter").all_inner_texts()
            assert sorted(set(letters)) == ["C", "E"]
            shown.press("ArrowUp")


def test_verdicts_by_keyboard_are_on_the_disk(
    browser: Browser, tmp_path: Path, review: SignalReview
) -> None:
    with reviewed(browser, tmp_path, review) as shown:
        shown.press("a")
        assert shown.status == "✓ saved in verdicts.review"
        assert verdicts(review) == ["accepted", "open", "open"]
        shown.press("r")  # the focus has moved on
        assert verdicts(review) == ["accepted", "rejected", "open"]
        assert "No relation explains the answer." in shown.find(".faults").inner_text()
        shown.press("ArrowUp", "z")
        assert verdicts(review) == ["accepted", "open", "open"]
        assert "0 reviewed" in shown.find(".place").inner_text()
        shown.press("r", "a")
        assert verdicts(review) == ["accepted", "rejected", "accepted"]
        assert shown.find(".relation .verdict").all_inner_texts() == [
            "✓ accepted", "✗ rejected", "✓ accepted",
        ]  # fmt: skip
        assert "Text 1 of 3 · 1 reviewed" in shown.find(".place").inner_text()
        shown.press("u")
        assert "Text 2 of 3" in shown.find(".place").inner_text()
        shown.press("ArrowLeft", "ArrowRight", "ArrowRight", "Shift+A")
        assert "2 reviewed" in shown.find(".place").inner_text()
        shown.press("Shift+R")
        assert "left out of training" in shown.find(".faults").inner_text()
        assert Review(review.review.path).apply(RECORDS) == review.review.apply(RECORDS)
        assert len(review.review.apply(RECORDS)) == 2
        # No key went further out.
        assert set(shown.page.evaluate("window.heard")) <= {"Shift"}


def test_keys_pressed_faster_than_the_kernel_answers(
    browser: Browser, tmp_path: Path, review: SignalReview
) -> None:
    with reviewed(browser, tmp_path, review) as shown:
        for key in "ara":
            shown.page.keyboard.press(key)
        assert verdicts(review) == ["open"] * 3
        assert shown.answer() == ["judge"] * 3
        assert verdicts(review) == ["accepted", "rejected", "accepted"]


def test_every_button_says_its_key_and_does_the_same(
    browser: Browser, tmp_path: Path, review: SignalReview
) -> None:
    with reviewed(browser, tmp_path, review) as shown:
        names = shown.find(".buttons button").all_inner_texts()
        assert len(names) == 12
        assert all(name.split("\n")[-1].split()[-1] for name in names)
        shown.page.get_by_role("button", name="Reject").click()
        shown.answer()
        assert verdicts(review) == ["rejected", "open", "open"]
        shown.press("a")  # the keys go on
        assert verdicts(review) == ["rejected", "accepted", "open"]
        shown.find(".relation").nth(0).click()
        assert shown.marked("effect") == ["5 more"]
        shown.find(".go input").fill("2")
        shown.press("Enter")
        assert "Text 2 of 3" in shown.find(".place").inner_text()


def test_an_edit_is_refused_with_the_reason_or_kept(
    browser: Browser, tmp_path: Path, review: SignalReview
) -> None:
    with reviewed(browser, tmp_path, review) as shown:
        shown.press("ArrowDown", "e")
        causes = shown.find(".causes-field")
        assert causes.input_value() == "12 shells\n5 more\n9 stars"
        causes.fill("12 shells\n\n6 more")
        shown.press("Enter")
        assert "'6 more' not found in the text" in shown.find(".editor .fault").inner_text()
        assert causes.input_value() == "12 shells\n\n6 more"  # nothing typed is lost
        causes.fill("12 shells")
        shown.press("Shift+Enter")
        shown.page.keyboard.type("5 more and a r u")  # no verdicts are typed
        shown.press(*["Backspace"] * len(" and a r u"), "Enter")
        assert shown.find(".editor").is_hidden()
        assert verdicts(review) == ["open", "edited", "open"]
        edited = review.review.verdict(RECORDS[0], ANSWER).edited
        assert edited is not None
        assert edited.causes == ("12 shells", "5 more")
        assert "was: 17 ← 12 shells · 5 more · 9 stars" in shown.find(".was").inner_text()
        shown.press("e", "Escape")
        assert shown.find(".editor").is_hidden()
        shown.press("n")
        shown.find(".effect-field").fill("shells does she have")
        shown.find(".causes-field").fill("12 shells")
        shown.page.get_by_role("button", name="Save").click()
        shown.answer()
        assert verdicts(review) == ["open", "edited", "open", "added"]
        assert shown.marked("effect") == ["shells does she have"]
        assert set(shown.page.evaluate("window.heard")) <= {"Shift"}


def test_what_cannot_be_saved_is_said_and_asked_for_again(browser: Browser, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    review = SignalReview(RECORDS, out=tmp_path / "file" / "v.review")
    with reviewed(browser, tmp_path, review) as shown:
        shown.press("a")
        assert shown.status.startswith("Not saved: the verdict could not be written to")
        assert "no verdict yet" in shown.find("[aria-current]").inner_text()
        assert shown.find("[aria-current]").get_attribute("data-relation") == "0"
        shown.press("e", "Enter")
        shown.find(".causes-field").press("Enter")
        shown.answer()
        assert "could not be written" in shown.find(".editor .fault").inner_text()
        shown.press("Escape")
        (tmp_path / "file").unlink()
        shown.press("a")
        assert shown.status.startswith("✓ saved")
        shown.page.evaluate("() => { window.kernel = false; }")
        shown.press("a")
        assert shown.status == "Not saved: the kernel has stopped; run the cell again."
        assert "no verdict yet" in shown.find("[aria-current]").inner_text()


def test_text_stays_text_and_letters_are_counted_as_people_do(
    browser: Browser, tmp_path: Path, review: SignalReview
) -> None:
    review.number = 1
    with reviewed(browser, tmp_path, review) as shown:
        shown.page.on("dialog", lambda dialog: pytest.fail(dialog.message))
        assert shown.marked("cause") == ["3", "8 <script>alert(1)</script> figs"] or shown.marked(
            "cause"
        ) == ["ate 3", "8 <script>alert(1)</script> figs"]
        assert shown.marked("effect") == ["5"]
        assert shown.find("script").count() == 0


@pytest.mark.parametrize("width", [1280, 800, 420])
def test_nothing_sticks_out(browser: Browser, tmp_path: Path, width: int) -> None:
    long = {
        "input": "Many words of a long text. " * 40 + "x" * 300 + " Answer: ",
        "target": "yes",
        "important": [{"yes": ["x" * 300, "long text", "y" * 200]}] * 12,
    }
    review = SignalReview([long, *RECORDS], out=tmp_path / "v.review", tokenizer=tiny_tokenizer())
    viewport: Any = {"width": width, "height": 900}
    with reviewed(browser, tmp_path, review, viewport=viewport) as shown:
        shown.find("summary").click()
        shown.press("e")
        assert shown.page.evaluate(
            "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        )
        frame = shown.find(".review").bounding_box()
        for part in (".words", ".list", ".editor", ".buttons", ".about"):
            box = shown.find(part).bounding_box()
            assert frame
            assert box
            assert box["x"] >= frame["x"]
            assert box["x"] + box["width"] <= frame["x"] + frame["width"] + 1


def test_two_thousand_texts_are_as_quick_as_ten(browser: Browser, tmp_path: Path) -> None:
    texts = [{**RECORDS[0], "input": f"{n}. {RECORDS[0]['input']}"} for n in range(2000)]
    review = SignalReview(texts, out=tmp_path / "v.review")
    sizes: list[int] = []
    with reviewed(browser, tmp_path, review) as shown:
        deliver = review.send

        def weigh(content: Any, buffers: Any = None) -> None:
            sizes.append(len(json.dumps(content)))
            deliver(content, buffers)

        review.send = weigh  # type: ignore[method-assign]
        shown.press("ArrowRight", "a", "a", "a", "u")
        assert "Text 3 of 2,000 · 1 reviewed" in shown.find(".place").inner_text()
    assert max(sizes) < 3000  # one text travels, not all


def test_in_jupyterlab_its_keys_are_the_reviews_and_outside_jupyters(
    browser: Browser, tmp_path: Path
) -> None:
    with opened_notebook(browser, tmp_path, CELL, "1 + 1") as notebook:
        page = notebook.page
        notebook.run_all()
        root = page.locator(".catviz-review[data-drawn]")
        root.wait_for(timeout=60_000)
        page.locator(".catviz-review .words").click()
        before = page.locator(".jp-Notebook .jp-Cell").count()
        page.keyboard.press("a")  # JupyterLab: a cell above
        page.locator(".catviz-review .status.saved").wait_for(timeout=30_000)
        for key in ("x", "d", "d", "b", "r"):  # cut, delete twice, a cell below
            page.keyboard.press(key)
        page.locator(".catviz-review .relation.rejected").wait_for(timeout=30_000)
        page.keyboard.press("e")
        page.locator(".catviz-review .causes-field").fill("5")
        page.locator(".catviz-review .causes-field").press_sequentially(" more xdd")
        page.keyboard.press("Escape")
        assert page.locator(".jp-Notebook .jp-Cell").count() == before
        saved = Review(tmp_path / "verdicts.review")
        words = [saved.verdict(RECORDS[0], one).word for one in relations_of(RECORDS[0])]
        assert words == ["accepted", "rejected", "open"]
        # Outside of it a key is JupyterLab's.
        notebook.cell(1).locator(".jp-InputPrompt").click()
        page.keyboard.press("a")
        page.wait_for_function(
            f"document.querySelectorAll('.jp-Notebook .jp-Cell').length === {before + 1}"
        )
        assert [saved.verdict(RECORDS[0], one).word for one in relations_of(RECORDS[0])] == words
        notebook.show_theme("Dark")
        page.locator(".catviz-review[data-theme=dark]").wait_for(timeout=30_000)
        # A page that is loaded again asks the kernel.
        notebook.outputs(0)  # saved
        page.reload()
        page.locator(".catviz-review .relation.rejected").wait_for(timeout=60_000)
