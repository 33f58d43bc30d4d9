"""Pictures of the README, light and dark: effects, a map from the results, the viewer.

The viewer needs Chromium.

make pictures
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from cat.data import load_data
from cat.signals import Example
from catviz.effects import average_effects
from catviz.figures import effect_table
from catviz.figures.figure import Figure
from catviz.lens import AttentionLens
from catviz.results.attention import maps
from catviz.results.reading import read_results
from catviz.viewer import write_viewer

HERE = Path(__file__).parent
BEFORE, AFTER, TEXT = "tiny/plain", "tiny/alpha-10", 3
WIDTH, HEIGHT = 1120, 10


def main() -> None:
    texts = load_data("stg-e")["test_ood"]
    lenses = [AttentionLens.load(name) for name in (BEFORE, AFTER)]
    draw_effects(lenses, texts)
    draw_map()
    take_viewer(lenses, texts[TEXT])


def draw_effects(lenses: list[AttentionLens], texts: list[Example]) -> None:
    effects = [effect.to_dict() for lens in lenses for effect in average_effects(lens, texts)]
    save(effect_table(effects), "effects")


def draw_map() -> None:
    figures = maps(read_results(HERE.parent / "results")).figures
    save(figures["map_smollm2-full-bfloat16_STG_S"], "map_smollm2")


def save(figure: Figure, name: str) -> None:
    print(figure.save(HERE / f"{name}.svg"))
    print(figure.save(HERE / f"{name}-dark.svg", theme="dark"))


def take_viewer(lenses: list[AttentionLens], example: Example) -> None:
    label = f"text {TEXT} out of distribution"
    before, after = (lens.attention(example, label=label) for lens in lenses)
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        page_file = write_viewer(Path(folder) / "viewer.html", before, after=after)
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        for theme, name in (("light", "viewer.png"), ("dark", "viewer-dark.png")):
            page = browser.new_page(
                viewport={"width": WIDTH, "height": HEIGHT},
                color_scheme=theme,
                device_scale_factor=1.5,
            )
            page.goto(page_file.as_uri())
            page.wait_for_selector("[data-drawn]")
            page.screenshot(path=HERE / name, full_page=True)
            print(HERE / name)
        browser.close()


if __name__ == "__main__":
    if shutil.which("chromium") is None:
        sys.exit("expected chromium on the path; install Debian's package chromium")
    main()
