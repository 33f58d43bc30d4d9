"""The program's text: whole, cheap to import, in the colours of the static figures."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import matplotlib
import pytest

import catviz.viewer
from catviz.figures.style import ROLE_STYLES, THEMES
from catviz.viewer.module import viewer_module
from catviz.words import ROLES

FOLDER = Path(catviz.viewer.__file__).parent
COLOURS = (FOLDER / "colours.js").read_text(encoding="utf-8")


def stops(name: str) -> list[str]:
    listed = re.search(rf"const {name} = \[(.*?)\];", COLOURS, re.S)
    assert listed
    return re.findall(r"#[0-9a-f]{6}", listed[1])


@pytest.mark.parametrize(("name", "colour_map"), [("VIRIDIS", "viridis"), ("RED_BLUE", "RdBu")])
def test_maps_have_matplotlibs_colours(name: str, colour_map: str) -> None:
    mine = stops(name)
    for at, stop in enumerate(mine):
        theirs = matplotlib.colormaps[colour_map](at / (len(mine) - 1))
        for mine_part, part in zip(bytes.fromhex(stop[1:]), theirs, strict=False):
            assert abs(mine_part - 255 * part) < 6


def test_roles_and_themes_look_as_in_the_static_figures() -> None:
    for role in ROLES[:3]:
        style = ROLE_STYLES[role]
        line = re.search(rf"{role}: {{(.*)}}", COLOURS)
        assert line
        assert f'colour: "{style.colour}", letter: "{style.letter}"' in line[1]
        assert f'onColour: "{style.on_colour}"' in line[1]
    for name, theme in THEMES.items():
        block = re.search(rf"  {name}: {{(.*?)}}", COLOURS, re.S)
        assert block
        for part in ("background", "ink", "muted", "grid", "void"):
            assert f'{part}: "{getattr(theme, part)}"' in block[1]


def test_every_file_is_in_the_module() -> None:
    text = viewer_module()
    for file in FOLDER.glob("*.js"):
        assert file.read_text(encoding="utf-8") in text
    for file in FOLDER.glob("*.css"):
        assert json.dumps(file.read_text(encoding="utf-8")) in text
    assert text.count("export default") == 1
    assert "</script" not in text
    assert "<!--" not in text
    assert "console." not in text


def test_files_stay_readable() -> None:
    for file in (*FOLDER.glob("*.js"), *FOLDER.glob("*.css")):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert len(lines) < 400, file.name
        assert max(map(len, lines)) <= 100, file.name
        assert lines[0].startswith(("// ", "/* ")), file.name


def test_pages_need_no_widget_and_no_matplotlib() -> None:
    code = (
        "import sys; from catviz.viewer import viewer_page; "
        "print(*{'anywidget', 'ipywidgets', 'matplotlib', 'torch'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


def test_unknown_names_are_refused() -> None:
    with pytest.raises(AttributeError, match="nothing_here"):
        _ = catviz.viewer.nothing_here
    assert {"AttentionViewer", "viewer_page"} <= {*dir(catviz.viewer)}
