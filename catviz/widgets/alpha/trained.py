"""Turn alpha and see models that were trained with it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import ipywidgets as widgets

from cat.signals import Example
from catviz.figures.accuracy import accuracy_over_alpha
from catviz.figures.density import attention_density
from catviz.figures.effects import effect_table
from catviz.figures.figure import Figure
from catviz.figures.maps import attention_map
from catviz.figures.notice import notice
from catviz.figures.sheet import sheet
from catviz.sweep import Measured, Sweep, measure, read_sweep, sweep_texts
from catviz.widgets.alpha.charts import (
    accuracy_charts,
    density_charts,
    effect_charts,
    map_charts,
)
from catviz.widgets.alpha.slider import AlphaSlider, BoardPlace
from catviz.widgets.charts import Chart
from catviz.widgets.panel import Panel

__all__ = ["TrainedAlpha"]

ORDER = ("density", "map", "accuracy", "effects")
_SHOWN = 12  # texts to choose from


class TrainedAlpha(Panel):
    """A slider over models that were trained with different alphas, plain training at the left.

    Density of attention by role, the mean map of one text, accuracy over alpha and the effects of
    all factors change together. Everything is measured once, when the panel is made. By default the
    models are the shipped ones of ``tiny``, whose measures are shipped too: no model is loaded.

    Args:
        folder: of a sweep: holds a folder a run, as ``cat-tune train --output_dir FOLDER/NAME``
            leaves it.
        alpha: where the slider stands at first; None for the left end.
        texts: to look at, with roles and answers; None for those out of distribution that the
            models were scored on.
        max_texts: at most so many of them, the first ones.

    What is wrong with a folder or a text is said in the panel.

    >>> panel = TrainedAlpha(max_texts=20)
    >>> panel.slider.options[:3], panel.slider.index
    (('plain', '0.3', '1'), 0)
    >>> panel.static().save("trained.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        alpha: float | None = None,
        texts: Sequence[Example] | None = None,
        max_texts: int = 100,
    ) -> None:
        self.slider = AlphaSlider()
        self.text = widgets.Dropdown(
            description="text shown",
            disabled=True,
            style={"description_width": "6em"},
            layout=widgets.Layout(width="28em", max_width="100%"),
        )
        self.text.add_class("catviz-text")
        self.place = BoardPlace(self.slider, ORDER)
        controls = widgets.HBox([self.slider, self.text], layout={"flex_flow": "row wrap"})
        super().__init__(
            "Trained with alpha",
            "Each step of the slider is another model, trained from the same start with that alpha "
            "(plain: without the attention loss).",
            [controls, self.place],
        )
        self._why_empty = ""
        try:
            self._measure(folder, alpha, texts, max_texts)
        except Exception as error:  # said in the panel, as whatever else goes wrong in one
            self.message.fail(error)
            self._why_empty = str(error)
            return
        self.on(self.text, "value", self._show)

    def _measure(
        self,
        folder: str | Path | None,
        alpha: float | None,
        texts: Sequence[Example] | None,
        max_texts: int,
    ) -> None:
        self.sweep: Sweep = read_sweep(folder)
        start = self._place_of(alpha)
        self._texts = list(sweep_texts(self.sweep) if texts is None else texts)[:max_texts]
        self.measured: tuple[Measured, ...] = measure(
            self.sweep, self._texts, shown=_SHOWN, progress="models of the sweep"
        )
        self._densities = density_charts(self.measured)
        self._accuracies = accuracy_charts(self.sweep)
        has_effects = bool(self.measured[0].effects)
        self._effects = effect_charts(self.measured) if has_effects else []
        self.slider.set_places([tuned.place for tuned in self.sweep.models], start)
        self.text.options = [
            (f"text {at + 1}, the answer is {text.answer}", at)
            for at, text in enumerate(self._texts[:_SHOWN])
        ]
        self.text.value = self._telling_text()
        self.text.disabled = False
        self._show()
        notes = list(self.sweep.notes)
        if not has_effects:
            notes.append("No effects: these texts are of no game whose causal model is known.")
        if notes:
            self.message.say("\n".join(notes))

    def _place_of(self, alpha: float | None) -> int:
        alphas = [tuned.alpha for tuned in self.sweep.models]
        if alpha is None:
            return 0
        if alpha not in alphas:
            there = ", ".join(tuned.name for tuned in self.sweep.models)
            raise ValueError(f"expected an alpha of the sweep, {there}; got {alpha}")
        return alphas.index(alpha)

    def _telling_text(self) -> int:
        """The first text that the left end gets wrong and another right, else the first."""
        for at, text in enumerate(self._texts[:_SHOWN]):
            right = [one.says[at] == text.answer for one in self.measured]
            if any(right) and not right[0]:
                return at
        return 0

    def _show(self) -> None:
        """Put a frame for every model on the board."""
        at = self.text.value
        maps = map_charts(
            [one.maps[at] for one in self.measured],
            titles=[f"Mean attention, text {at + 1}, {one.tuned.name}" for one in self.measured],
            notes=[self._said(one) for one in self.measured],
        )
        frames: list[dict[str, Chart]] = []
        for number in range(len(self.measured)):
            frame: dict[str, Chart] = {
                "density": self._densities[number],
                "map": maps[number],
                "accuracy": self._accuracies[number],
            }
            if self._effects:
                frame["effects"] = self._effects[number]
            frames.append(frame)
        self.place.show(frames)

    def _said(self, one: Measured) -> str:
        at = self.text.value
        says, right = one.says[at], self._texts[at].answer
        verdict = "right" if says == right else f"wrong, the answer is {right}"
        return f"The model says {says}: {verdict}."

    def static(self) -> Figure:
        """What the panel shows at the present place of the slider."""
        if self._why_empty:
            return notice(self._why_empty, title=self.title)
        one = self.measured[self.slider.index]
        name, at = one.tuned.name, self.text.value
        figures = [
            attention_density({name: one.scores}, title=self._densities[0].title.split(",")[0]),
            attention_map([one.maps[at]], title=f"Mean attention, text {at + 1}"),
            self._accuracy_figure(),
        ]
        if one.effects:
            figures.append(effect_table([effect.to_dict() for effect in one.effects]))
        return sheet(
            figures,
            title=f"Trained with alpha: {name}",
            caption=f"One of {len(self.measured)} models, each trained from the same start. "
            f"Text {at + 1}: {self._said(one)}",
        )

    def _accuracy_figure(self) -> Figure:
        splits = {test: "ood" if test == self.sweep.ood else "iid" for test in self.sweep.tests}
        points = [
            {
                "alpha": tuned.alpha,
                "split": splits[test],
                "accuracy": tuned.accuracy[test].share,
                "low": tuned.accuracy[test].low,
                "high": tuned.accuracy[test].high,
            }
            for tuned in self.sweep.models
            for test in self.sweep.tests
        ]
        return accuracy_over_alpha(
            [point for point in points if point["alpha"] is not None],
            baseline={str(p["split"]): p for p in points if p["alpha"] is None},
            interval="95% interval over texts",
        )
