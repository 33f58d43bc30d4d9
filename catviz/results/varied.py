"""Accuracy over what the training texts are: how many, and how spurious."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cat.experiments import TRAINING_TEXTS
from catviz.figures.figure import Figure
from catviz.figures.method_lines import method_lines
from catviz.results.estimates import cells, gaps, percent, references
from catviz.results.names import data_label, file_name
from catviz.results.part import Part, with_origin
from catviz.results.reading import SPLITS, Result, Results
from catviz.results.selection import compared, is_paper_form

__all__ = ["over_size", "over_strength"]

_SIZES = ("STG_S", "STG_M", "STG_L")  # of one game, STG_E
_LINES = ("plain", "cda")  # and CAT in the paper's form: the lines over size


def over_size(results: Results) -> Part:
    """Plain training, CAT and CDA on 400, 800 and 1600 texts."""
    chosen = compared(results).where(
        lambda r: r.run.data in _SIZES and (r.run.method in _LINES or is_paper_form(r.run))
    )
    figures: dict[str, Figure] = {}
    for setting in chosen.settings:
        those = _varied([r for r in chosen if r.setting == setting], _size)
        if those:
            figures[file_name("sizes", setting)] = _figure(
                those, _size, "training texts", f"{setting}: accuracy over the size of the data"
            )
    return Part(
        title="Accuracy over data size",
        text=(
            "STG_S, STG_M and STG_L are 400, 800 and 1600 texts. Plain training, CAT in the "
            "paper's form and CDA, the augmentation that knows as much as CAT; the other methods "
            "stand in the figures above."
        ),
        figures=figures,
        missing="" if figures else "No two sizes: cat-tune sweep sizes --model MODEL",
    )


def over_strength(results: Results) -> Part:
    """Every method that was run at several strengths."""
    figures: dict[str, Figure] = {}
    for setting, data, here in results.by_place():
        those = _varied(here, _strength)
        if those:
            title = f"{setting}, {data}: accuracy over the spurious strength"
            figure = _figure(those, _strength, "spurious strength", title)
            figures[file_name("strength", setting, data)] = figure
    return Part(
        title="Accuracy over the spurious strength",
        text=(
            "The strength is how often a spurious factor follows its cause in the training texts. "
            "At 1, as in the paper, no text contradicts the spurious rule, so methods that look "
            "for such texts (JTT, GroupDRO) have nothing to find; below 1 they have. The IID "
            "tests have the strength of the training texts."
        ),
        figures=figures,
        missing="" if figures else "No two strengths: cat-tune sweep strength --model MODEL",
    )


def _size(result: Result) -> float:
    return float(TRAINING_TEXTS[result.run.data])


def _strength(result: Result) -> float:
    return -result.run.strength  # the strongest first


def _varied(results: Sequence[Result], x: Callable[[Result], float]) -> list[Result]:
    """The results of the methods that were run at several places, by place."""
    places: dict[str, set[float]] = {}
    for result in results:
        places.setdefault(_line(result), set()).add(x(result))
    return sorted((r for r in results if len(places[_line(r)]) > 1), key=x)


def _line(result: Result) -> str:
    return f"{result.run.method} {sorted(result.run.options.items())}"


def _figure(
    results: Sequence[Result], x: Callable[[Result], float], over: str, title: str
) -> Figure:
    points, rules, short = [], [], []
    for place in sorted({x(result) for result in results}):
        here = [result for result in results if x(result) == place]
        found = cells(here)
        shown = f"{abs(place):g}"
        for cell in found:
            for split in SPLITS:
                estimate = cell.estimate("accuracy", split)
                assert estimate is not None, "every usable line has an accuracy"
                points.append(
                    {"line": cell.label, "panel": split.upper(), "x": shown} | estimate.bar(percent)
                )
        rules += [
            {"line": rule, "panel": split.upper(), "x": shown, "value": percent(score["accuracy"])}
            for rule, by_split in references(here).items()
            for split, score in by_split.items()
            if "accuracy" in score
        ]
        if said := gaps(found):
            short.append(f"{data_label(here[0].run)}: {said}")
    figure = method_lines(points, over=over, references=rules, title=title)
    return with_origin(figure, results, " ".join(short))
