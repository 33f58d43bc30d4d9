"""Where the tuned models look: the paper's Figures 3 and 9 to 11 (densities) and 5 (maps)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from catviz.figures.density import attention_density
from catviz.figures.figure import Figure
from catviz.figures.maps import attention_map
from catviz.maps import MeanMap
from catviz.results.names import file_name, run_label
from catviz.results.part import Part, with_origin
from catviz.results.reading import Result, Results
from catviz.results.selection import compared, is_ours, is_paper_form, usual
from catviz.words import Word

__all__ = ["densities", "maps"]

_MOST_PANELS = 8
_MOST_MAPS = 3
_SWEEP = "cat-tune sweep alpha --model MODEL (the first seed of each cell keeps them)"


def densities(results: Results) -> Part:
    """How much attention the words of each role get, plainly tuned and over alpha."""
    figures: dict[str, Figure] = {}
    for name, title, those in _by_place(usual(results), "words", "densities"):
        chosen = _spaced(those, _MOST_PANELS)
        figure = attention_density(
            {run_label(result.run): _scores(result) for result in chosen},
            title=f"{title}: attention by role of the word",
        )
        figures[name] = with_origin(figure, chosen)
    return Part(
        title="Where the answer looks",
        text=(
            "How much attention the row that predicts the answer gives to each word of the first "
            "OOD test texts, in the mean over layers and heads (the paper's Figures 3, 9, 10, 11). "
            "Of many alphas some are shown, the smallest and the largest among them."
        ),
        figures=figures,
        missing="" if figures else f"No words were kept: {_SWEEP}",
    )


def maps(results: Results) -> Part:
    """The mean attention map of one OOD text, plainly tuned beside CAT."""
    figures: dict[str, Figure] = {}
    for name, title, those in _by_place(compared(results), "map", "map"):
        chosen = _spaced(those, _MOST_MAPS)
        figure = attention_map(
            [_map(result) for result in chosen], title=f"{title}: mean attention, one OOD text"
        )
        figures[name] = with_origin(figure, chosen)
    return Part(
        title="One text",
        text="The first OOD test text, plainly tuned and with CAT (the paper's Figure 5).",
        figures=figures,
        missing="" if figures else f"No map was kept: {_SWEEP}",
    )


def _by_place(results: Results, kept: str, word: str) -> list[tuple[str, str, list[Result]]]:
    """(file name, title, runs of the first seed that kept it) of each setting and data set."""
    found = []
    chosen = results.where(
        lambda r: (
            r.measured(kept) and (r.run.method == "plain" or is_paper_form(r.run) or is_ours(r.run))
        )
    )
    for setting, data, here in chosen.by_place():
        first = min(result.run.seed for result in here)
        those = [result for result in here if result.run.seed == first]
        if any(result.run.method == "cat" for result in those):
            those.sort(key=lambda result: result.run.options.get("alpha", 0.0))
            found.append((file_name(word, setting, data), f"{setting}, {data}", those))
    return found


def _spaced(results: Sequence[Result], most: int) -> list[Result]:
    """At most so many, the first and the last among them, evenly between."""
    at = np.linspace(0, len(results) - 1, min(most, len(results))).round().astype(int)
    return [results[one] for one in at]


def _scores(result: Result) -> dict[str, list[float]]:
    """Role -> scores; those that were no numbers are kept as null."""
    return {
        role: [score for score in scores if score is not None]
        for role, scores in result.measured("words").items()
    }


def _map(result: Result) -> MeanMap:
    kept = result.measured("map")
    size = len(kept["tokens"])
    values = np.zeros((size, size))
    for row, shares in enumerate(kept["rows"]):
        values[row, : len(shares)] = shares
    return MeanMap(
        values,
        tuple(_words(kept)),
        run_label(result.run),
        f"OOD text {kept['text']}",
        answer_row=kept["answer_row"],
    )


def _words(kept: Mapping[str, Any]) -> list[Word]:
    """The tokens of one factor are one word; tokens of none are one each."""
    words: list[Word] = []
    before = ""
    for at, (token, role, name) in enumerate(
        zip(kept["tokens"], kept["roles"], kept["names"], strict=True)
    ):
        if name and name == before:
            first = words.pop()
            words.append(Word(first.start, at + 1, first.label + token, role))
        else:
            words.append(Word(at, at + 1, token, role))
        before = name
    return words
