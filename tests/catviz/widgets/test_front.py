"""The board's program: whole, readable, in the looks of the static figures."""

from __future__ import annotations

import json
import re
from pathlib import Path

import catviz.viewer
import catviz.widgets.front
from catviz.figures.style import THEMES
from catviz.widgets.front import board_module

FOLDER = Path(catviz.widgets.front.__file__).parent
SHARED = Path(catviz.viewer.__file__).parent


def test_every_file_is_in_the_module() -> None:
    text = board_module()
    for file in (*FOLDER.glob("*.js"), SHARED / "colours.js", SHARED / "canvas.js"):
        assert file.read_text(encoding="utf-8") in text
    for file in (FOLDER / "board.css", SHARED / "base.css"):
        assert json.dumps(file.read_text(encoding="utf-8")) in text
    assert text.count("export default") == 1
    assert "console." not in text
    assert "innerHTML" not in text


def test_files_stay_readable() -> None:
    for file in (*FOLDER.glob("*.js"), *FOLDER.glob("*.css")):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert len(lines) < 400, file.name
        assert max(map(len, lines)) <= 100, file.name
        assert lines[0].startswith(("// ", "/* ")), file.name


def test_series_have_the_colours_of_the_static_figures() -> None:
    listed = re.findall(r"series: \[(.*?)\]", board_module())
    assert [tuple(re.findall(r"#\w{6}", one)) for one in listed] == [
        THEMES[name].series for name in ("light", "dark")
    ]
