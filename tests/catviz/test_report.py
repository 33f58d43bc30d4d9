"""The report: one file, nothing from outside, everything a user wrote is text."""

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.figure import Figure as MplFigure

from catviz.figures.figure import Figure
from catviz.report import Cell, Section, Table, accuracy_table, write_report

HOSTILE = "<script>alert('x')</script>"
VOID = {"meta", "link", "img", "source", "br"}


class Page(HTMLParser):
    """Collects tags and attributes, and complains about unbalanced ones."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.feed(text)
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> str:
    figure = Figure(
        lambda theme: MplFigure(figsize=(1, 1)), [{"a": 1}], title=HOSTILE, alt=HOSTILE,
        caption=HOSTILE,
    )  # fmt: skip
    table = accuracy_table(
        [
            {"model": HOSTILE, "split": "iid", "accuracy": 0.9525, "low": 0.93, "high": 0.97},
            {"model": HOSTILE, "split": "ood", "accuracy": 0.65, "low": 0.6, "high": 0.7},
        ],
        references={"always Low Risk": {"iid": 0.6875, "ood": 0.665}},
    )
    path = write_report(
        tmp_path_factory.mktemp("report") / "new" / "report.html",
        HOSTILE,
        f"Lead {HOSTILE}\n\nSecond paragraph",
        [
            Section(f"Same {HOSTILE}", HOSTILE, [figure], table),
            Section(f"Same {HOSTILE}", "", figure),  # type: ignore[arg-type]
        ],
        {"seed": 42, HOSTILE: [HOSTILE, 0.30000000000000004], "model": {"name": HOSTILE}},
    )
    return path.read_text("utf-8")


def test_page_is_well_formed_and_semantic(text: str) -> None:
    page = Page(text)
    assert page.all("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.all(
        "meta"
    )
    for tag in ("title", "header", "nav", "main", "h1", "table", "caption", "details", "dl"):
        assert page.all(tag), tag
    assert len(page.all("section")) == 3
    assert all(image["alt"] for image in page.all("img"))


def test_user_text_is_escaped(text: str) -> None:
    assert "<script" not in text
    assert text.count("&lt;script&gt;") >= 15


def test_nothing_comes_from_outside(text: str) -> None:
    assert not re.search(r"https?:|//cdn|@import|url\(", text)
    page = Page(text)
    assert not page.all("script")
    addresses = [
        value
        for _, attributes in page.tags
        for name, value in attributes.items()
        if name in {"src", "srcset", "href"}
    ]
    assert addresses
    assert all(value and value.startswith(("data:", "#")) for value in addresses)


def test_contents_lead_to_the_sections(text: str) -> None:
    page = Page(text)
    names = [section["id"] for section in page.all("section")]
    assert len(set(names)) == 3
    assert [link["href"] for link in page.all("a")] == [f"#{name}" for name in names]


def test_table_and_settings_show_their_values(text: str) -> None:
    for shown in (
        "95.25",
        "93.0 to 97.0",
        "66.50",
        "Rules that learn nothing",
        "<dd>42</dd>",
        "0.3",
    ):
        assert shown in text
    assert "0.30000000000000004" not in text
    assert "Second paragraph</p>" in text


def test_accuracy_table_pairs_the_splits_and_marks_absent_ones() -> None:
    table = accuracy_table(
        [
            {"model": "b", "split": "ood", "accuracy": 0.5},
            {"model": "a", "split": "ood", "accuracy": 0.75},
            {"model": "b", "split": "iid", "accuracy": 1},
        ]
    )
    assert table.header == ("", "IID", "OOD")
    assert table.groups == {
        "": [["b", Cell("100.00"), Cell("50.00")], ["a", Cell("–"), Cell("75.00")]]
    }


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"model": "m", "split": "iid", "accuracy": 95.0}, "m, IID.*0 to 1, got 95.0"),
        ({"model": "m", "split": "iid", "accuracy": float("nan")}, "got nan"),
        ({"model": "m", "split": "iid"}, "accuracy as a share from 0 to 1, got None"),
        ({"model": "m", "split": "dev", "accuracy": 0.5}, "unknown split 'dev'"),
        ({"split": "iid", "accuracy": 0.5}, r"no 'model'"),
    ],
)
def test_accuracy_table_refuses(record: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        accuracy_table([record])


def test_accuracy_table_refuses_doubles() -> None:
    with pytest.raises(ValueError, match="two accuracies of 'm' for IID"):
        accuracy_table([{"model": "m", "split": "iid", "accuracy": 0.5}] * 2)


def test_a_row_of_the_wrong_length_is_refused() -> None:
    with pytest.raises(ValueError, match="a row of 1 cells under a header of 2"):
        Table("caption", ("a", "b"), {"": [["x"]]})


def test_an_unwritable_folder_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot write the file.*choose a folder"):
        write_report(tmp_path / "file" / "r.html", "t", "l", [], {})


def test_an_empty_report_is_still_a_page(tmp_path: Path) -> None:
    page = Page(write_report(tmp_path / "r.html", "Title", "", [], {}).read_text("utf-8"))
    assert page.all("h1")
    assert not page.all("p")[1:]
