"""The page: one file that asks nothing of the network and shows text as text."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from catviz.figures import attention_map
from catviz.viewer import viewer_fragment, viewer_page, viewer_script, write_viewer
from catviz.words import Word
from tests.catviz.viewer.random_patterns import random_pattern

EVIL = "</script><script>alert(1)</script><!-- <img src=x onerror=alert(1)>"


class Tags(HTMLParser):
    """Tags with attributes, and the text of each script."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag == "script":
            self.scripts.append("")

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] == "script":
            self.scripts[-1] += data


@pytest.fixture(scope="module")
def evil_page() -> str:
    pattern = random_pattern(
        size=4, tokens=(EVIL, "b", "c", "d"), words=(Word(0, 1, EVIL, "causal"),),
        model=EVIL, text=EVIL,
    )  # fmt: skip
    return viewer_page(pattern, title=EVIL)


def test_nothing_breaks_out_of_its_element(evil_page: str) -> None:
    tags = Tags(evil_page)
    assert len(tags.scripts) == 3  # description, values, program
    assert json.loads(tags.scripts[0])["tokens"][0] == EVIL
    assert not [attributes for tag, attributes in tags.tags if tag == "img"]
    assert evil_page.count("alert(1)") == evil_page.count("alert(1)\\u003c/script>") + (
        evil_page.count("alert(1)&lt;/script&gt;") + evil_page.count("onerror=alert(1)")
    )


def test_no_handlers_no_addresses_no_ids(evil_page: str) -> None:
    tags = Tags(evil_page)
    for _, attributes in tags.tags:
        assert not [name for name in attributes if name.startswith("on")]
        assert attributes.get("src") is None
        assert attributes.get("href", "data:,") == "data:,"
        assert "id" not in attributes
    program = tags.scripts[-1]
    for word in ("http:", "https:", "fetch(", "XMLHttpRequest", "innerHTML", "eval(", "import("):
        assert word not in program


def test_without_javascript_there_is_a_picture_or_a_table() -> None:
    pattern = random_pattern()
    picture = attention_map([pattern.mean()])
    with_picture = viewer_fragment(pattern, static=picture)
    assert re.search(r"<noscript>\s*<figure>.*<img .*</figure>\s*</noscript>", with_picture, re.S)
    without = viewer_fragment(pattern)
    masses = pattern.role_mass().mean(axis=(0, 1))
    assert f"<td>{100 * masses[0]:.1f}%</td>" in without  # causal
    assert "<figure>" not in without


def test_several_fragments_need_one_script() -> None:
    one, other = viewer_fragment(random_pattern()), viewer_fragment(random_pattern(seed=1))
    assert one != other
    assert 'type="module"' not in one + other
    assert viewer_script().count("</script>") == 1


def test_writing(tmp_path: Path) -> None:
    pattern = random_pattern()
    path = write_viewer(tmp_path / "new" / "heads.html", pattern, title="Our heads")
    text = path.read_text(encoding="utf-8")
    assert "<title>Our heads</title>" in text
    assert text == viewer_page(pattern, title="Our heads")
    with pytest.raises(ValueError, match=r"ends in \.html, got 'heads\.png'"):
        write_viewer(tmp_path / "heads.png", pattern)
    assert [file.name for file in tmp_path.iterdir()] == ["new"]
