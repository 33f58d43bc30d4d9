"""Turn alpha and see the attention of one model edited while it answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import ipywidgets as widgets

from cat.signals import Example
from catviz.figures.figure import Figure
from catviz.figures.maps import attention_map
from catviz.figures.notice import notice
from catviz.figures.sheet import sheet
from catviz.figures.steering import steering_over_alpha
from catviz.figures.strips import text_strip
from catviz.widgets.alpha.slider import AlphaSlider, BoardPlace
from catviz.widgets.alpha.steering_charts import (
    Steering,
    accuracy_charts,
    log_odds_charts,
    steered_maps,
    steering_points,
    text_charts,
)
from catviz.widgets.button import PushButton
from catviz.widgets.charts import Chart
from catviz.widgets.panel import Panel

if TYPE_CHECKING:
    from catviz.effects.steering_alphas import SteeredText
    from catviz.lens import AttentionLens

__all__ = ["SteeredAlpha"]

ALPHAS = (0.3, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 50.0)
ORDER = ("before", "after", "map", "log-odds", "accuracy")
MOST_WORDS = 500
_SHOWN = 12  # texts to choose from


class SteeredAlpha(Panel):
    """A slider that edits attention at inference; the model stays as it is.

    At each alpha every head gives each cause at least alpha times the attention of another word, in
    the row that predicts the answer (:mod:`catviz.effects.steering`). The panel shows what the
    answer reads, the mean map, the log-odds of the right answer and the share of right answers over
    alpha, all computed once.

    Args:
        model: the name or path of a model, or a lens.
        alpha: where the slider stands at first; None for the left end, not edited.
        alphas: the places of the slider.
        texts: with causal words and answers; None for texts of STG_E out of distribution.
        max_texts: at most so many of them, the first ones.

    What is wrong with a model or a text is said in the panel.

    >>> panel = SteeredAlpha(max_texts=8)
    >>> panel.slider.options[:3], panel.slider.index
    (('not edited', '0.3', '1'), 0)
    >>> panel.static().save("steered.png")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str | AttentionLens = "tiny/plain",
        *,
        alpha: float | None = None,
        alphas: Sequence[float] = ALPHAS,
        texts: Sequence[Example] | None = None,
        max_texts: int = 100,
    ) -> None:
        self.slider = AlphaSlider()
        self.text = widgets.Dropdown(
            description="text",
            disabled=True,
            style={"description_width": "3.5em"},
            layout=widgets.Layout(width="32em", max_width="100%"),
        )
        self.text.add_class("catviz-text")
        self.typed = widgets.Textarea(
            description="words",
            rows=4,
            disabled=True,
            style={"description_width": "3.5em"},
            layout=widgets.Layout(width="46em", max_width="100%"),
        )
        self.typed.add_class("catviz-typed")
        self.use = PushButton("Use these words", disabled=True)
        self.use.add_class("catviz-use")
        self.place = BoardPlace(self.slider, ORDER)
        rows = {"flex_flow": "row wrap", "align_items": "center"}
        controls = widgets.VBox(
            [
                widgets.HBox([self.slider, self.text], layout=rows),
                widgets.HBox([self.typed, self.use], layout=rows),
            ]
        )
        super().__init__(
            "Steered with alpha: an edit, no training",
            "Each step edits the attention of one and the same model while it answers, so that a "
            "cause gets at least alpha times the attention of another word; nothing is trained.",
            [controls, self.place],
        )
        self._why_empty = ""
        try:
            self._compute(model, alpha, tuple(alphas), texts, max_texts)
        except Exception as error:  # said in the panel, as whatever else goes wrong in one
            self.message.fail(error)
            self._why_empty = str(error)
            return
        self.on(self.text, "value", self._choose)
        self.on(self.use, "click", self._use_typed)

    def _compute(
        self,
        model: str | AttentionLens,
        alpha: float | None,
        alphas: tuple[float, ...],
        texts: Sequence[Example] | None,
        max_texts: int,
    ) -> None:
        from cat.data import load_data
        from cat.tiny import suitable_threads
        from catviz.effects.steering_alphas import steer_texts
        from catviz.lens import AttentionLens

        start = _place_of(alpha, alphas)
        lens = AttentionLens.load(model) if isinstance(model, str) else model
        given = load_data("stg-e")["test_ood"] if texts is None else texts
        self._texts = list(given)[:max_texts]
        with suitable_threads(lens.model):
            compared = steer_texts(lens, self._texts, alphas, progress=_progress(lens))
        self.steering = Steering(lens, alphas, compared)
        self._read: dict[str, SteeredText] = {}
        self._accuracies = accuracy_charts(self.steering)
        self.slider.set_places(self.steering.places, start)
        self.text.options = [
            (f"text {at + 1}, the answer is {text.answer}", at)
            for at, text in enumerate(self._texts[:_SHOWN])
        ]
        self.text.value = self._telling_text()
        self._choose()
        for control in (self.text, self.typed, self.use):
            control.disabled = False

    def _telling_text(self) -> int:
        """The first text that the model gets wrong and, steered to the last alpha, right."""
        last = self.steering.compared[-1]
        wrong, right = (~last.before.correct(last.targets), last.after.correct(last.targets))
        moved = [at for at in range(len(self._texts[:_SHOWN])) if wrong[at] and right[at]]
        return moved[0] if moved else 0

    def _choose(self) -> None:
        at = self.text.value
        self._show(self._texts[at], f"text {at + 1}")
        self.typed.value = self._texts[at].prompt

    def _use_typed(self) -> None:
        words = len(self.typed.value.split())
        if words > MOST_WORDS:
            raise ValueError(f"expected at most {MOST_WORDS} words, got {words}: shorten the text")
        self._show(self.typed.value, "your text")

    def _show(self, text: str | Example, label: str) -> None:
        """Steer one text, from memory where it was before, and put the frames on the board."""
        from cat.tiny import suitable_threads
        from catviz.effects.steering_alphas import steer_text

        key = f"{label}: {text if isinstance(text, str) else text.full_text}"
        if key not in self._read:
            lens = self.steering.lens
            with suitable_threads(lens.model):
                self._read[key] = steer_text(lens, text, self.steering.alphas, label=label)
        self.shown = self._read[key]
        before, *_ = reads = text_charts(self.shown)
        maps = steered_maps(self.shown)
        odds = log_odds_charts(self.steering, self.shown)
        frames: list[dict[str, Chart]] = [
            {"after": after, "map": one, "log-odds": line, "accuracy": accuracy}
            for after, one, line, accuracy in zip(reads, maps, odds, self._accuracies, strict=True)
        ]
        self.place.show(frames, {"before": before})

    def static(self) -> Figure:
        """What the panel shows at the present place of the slider."""
        if self._why_empty:
            return notice(self._why_empty, title=self.title)
        at, shown = self.slider.index, self.shown
        maps = [shown.maps[0]] if at == 0 else [shown.maps[0], shown.maps[at]]
        return sheet(
            [
                text_strip(maps, chips="word"),
                attention_map(maps, title=f"Mean attention, {shown.maps[0].text}"),
                steering_over_alpha(steering_points(self.steering, shown)),
            ],
            title=f"Steered with alpha, not trained: {shown.maps[at].model}",
            caption=f"{self.steering.lens.name}, the same model throughout. "
            f"{self.steering.said(shown, at)}",
        )


def _progress(lens: AttentionLens) -> str | None:
    """A bar for models that take their time; for small ones it would be there after it is over."""
    from cat.tiny import SMALL

    return "steering" if sum(p.numel() for p in lens.model.parameters()) >= SMALL else None


def _place_of(alpha: float | None, alphas: tuple[float, ...]) -> int:
    if not alphas or any(not one > 0 for one in alphas) or list(alphas) != sorted(set(alphas)):
        raise ValueError(f"expected alphas above 0 in rising order, got {alphas}")
    if alpha is None:
        return 0
    if alpha not in alphas:
        raise ValueError(f"expected an alpha of {', '.join(f'{a:g}' for a in alphas)}; got {alpha}")
    return 1 + alphas.index(alpha)
