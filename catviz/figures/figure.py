"""The object that every builder returns: shows itself in a notebook, saves itself by suffix."""

import base64
import csv
import io
import json
import os
import re
import textwrap
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure as MplFigure

from catviz.figures.notebook import figure_output
from catviz.figures.page import html_page
from catviz.figures.style import THEMES, Theme, ThemeName, theme_named, themed
from catviz.figures.text import escape, printable
from catviz.files import write_atomically

__all__ = ["Figure", "Record", "save_all"]

Record = Mapping[str, object]
ImageKind = Literal["svg", "pdf", "png"]

_SUFFIXES = ("svg", "pdf", "png", "html", "json", "csv")
_DPI = 192  # of PNG: two pixels for one of the screen's, sharp on dense screens
_NOTEBOOK_DPI = 144  # a notebook keeps every picture in both themes
_UNDATED: dict[ImageKind, dict[str, None]] = {  # the same bytes for the same figure
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "pdf": {"CreationDate": None},
    "png": {},
}


@dataclass(frozen=True, eq=False)
class Figure:
    """A figure that draws itself when asked, in either theme, with the data it was made from.

    ``draw`` makes a matplotlib figure in a theme, ``data`` holds what it shows as plain records,
    ``alt`` says in words what is to be seen, and ``caption`` says how to read it.

    >>> figure = attention_density(scores)  # doctest: +SKIP
    >>> figure  # shows itself in a notebook  # doctest: +SKIP
    >>> figure.save("density.pdf"), figure.save("density.csv")  # doctest: +SKIP
    """

    draw: Callable[[Theme], MplFigure]
    data: Sequence[Record]
    title: str
    alt: str
    caption: str = ""

    def __repr__(self) -> str:
        return f"<Figure {self.title!r}, {len(self.data)} records>"

    def matplotlib(self, *, theme: ThemeName = "light") -> MplFigure:
        """Return a fresh matplotlib figure to change by hand, without the title."""
        chosen = theme_named(theme)
        with _drawing(chosen):
            figure = self.draw(chosen)
            FigureCanvasAgg(figure)
            return figure

    def render(
        self,
        kind: ImageKind,
        *,
        theme: ThemeName = "light",
        titled: bool = True,
        dpi: float = _DPI,
    ) -> bytes:
        """Return the picture as a file's bytes.

        Args:
            titled: False where a caption names it.
            dpi: of PNG, in pixels an inch; a screen's is 96.
        """
        chosen = theme_named(theme)
        buffer = io.BytesIO()
        with _drawing(chosen):
            figure = self.draw(chosen)
            if titled:
                _add_title(figure, self.title)
            figure.savefig(
                buffer,
                format=kind,
                dpi=dpi if kind == "png" else None,
                bbox_inches="tight",
                pad_inches=0.12,
                metadata=_UNDATED[kind],
            )
        return buffer.getvalue()

    def html(self) -> str:
        """Return a ``<figure>`` fragment that follows the reader's light or dark preference."""
        light = _data_uri(self.render("svg", theme="light", titled=False))
        dark = _data_uri(self.render("svg", theme="dark", titled=False))
        caption = f"<strong>{escape(self.title)}</strong>"
        if self.caption:
            caption += f"<br>\n{escape(self.caption)}"
        return (
            "<figure>\n<picture>\n"
            f'<source media="screen and (prefers-color-scheme: dark)" srcset="{dark}">\n'
            f'<img src="{light}" alt="{escape(self.alt)}" style="max-width:100%;height:auto">\n'
            f"</picture>\n<figcaption>{caption}</figcaption>\n</figure>"
        )

    def save(self, path: str | os.PathLike[str], *, theme: ThemeName = "light") -> Path:
        """Write the figure or its data; the suffix says which: svg pdf png, html, json csv.

        An HTML page holds both themes, and data have none: ``theme`` is for pictures.
        """
        path = Path(path)
        theme_named(theme)
        match path.suffix.lower().removeprefix("."):
            case "svg" | "pdf" | "png" as kind:
                return write_atomically(path, self.render(kind, theme=theme))
            case "html":
                return write_atomically(path, html_page(title=self.title, body=self.html()))
            case "json":
                return write_atomically(path, _to_json(self.data))
            case "csv":
                return write_atomically(path, _to_csv(self.data))
        raise ValueError(
            f"cannot save a figure as {path.name!r}; use a name that ends in one of "
            + ", ".join(f".{suffix}" for suffix in _SUFFIXES)
        )

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, str], dict[str, Any]]:
        light, dark = (self.render("png", theme=theme, dpi=_NOTEBOOK_DPI) for theme in THEMES)
        return figure_output(repr(self), light, dark, alt=self.alt, caption=self.caption)


def save_all(
    figures: Mapping[str, Figure],
    folder: str | os.PathLike[str],
    *,
    suffixes: Sequence[str] = ("svg", "png"),
) -> list[Path]:
    """Save each figure as ``folder/name.suffix`` for every suffix, and return the paths.

    >>> save_all({"density": figure}, "figures")  # doctest: +SKIP
    [PosixPath('figures/density.svg'), PosixPath('figures/density.png')]
    """
    for name in figures:
        if not re.fullmatch(r"[\w][\w.-]*", name):
            raise ValueError(
                f"figure name {name!r} is not a plain file name; use letters, digits, _ . and -"
            )
    return [
        figure.save(Path(folder) / f"{name}.{suffix}")
        for name, figure in figures.items()
        for suffix in suffixes
    ]


@contextmanager
def _drawing(theme: Theme) -> Iterator[None]:
    with themed(theme), warnings.catch_warnings():
        # A script that no installed font knows is drawn as boxes; HTML, JSON and CSV have it.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield


def _add_title(figure: MplFigure, title: str) -> None:
    """Put the title above the figure's own area; saving with a tight box makes room for it."""
    size, gap = 12, 0.1
    characters = int(figure.get_figwidth() * 72 / (0.7 * size))
    figure.text(
        0, 1 + gap / figure.get_figheight(), textwrap.fill(printable(title), width=characters),
        fontsize=size, fontweight="bold", ha="left", va="bottom",
    )  # fmt: skip


def _data_uri(svg: bytes) -> str:
    return "data:image/svg+xml;base64," + base64.b64encode(svg).decode("ascii")


def _to_json(records: Sequence[Record]) -> str:
    return json.dumps(
        [dict(record) for record in records], indent=1, ensure_ascii=False, allow_nan=False
    )


def _to_csv(records: Sequence[Record]) -> str:
    columns = list(dict.fromkeys(key for record in records for key in record))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return buffer.getvalue()
