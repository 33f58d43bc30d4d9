"""The explorer: a model, a text, every head; and what the answer loses without some of it."""

from __future__ import annotations

import ipywidgets as widgets

from catviz.figures.figure import Figure
from catviz.viewer.widget import AttentionViewer
from catviz.widgets.explorer.cut_choice import CutChoice
from catviz.widgets.explorer.exploration import MOST_TOKENS, Exploration, View, Wish
from catviz.widgets.explorer.head_table import HeadTable, rankings
from catviz.widgets.explorer.model_choice import ModelChoice
from catviz.widgets.explorer.outcomes import outcome_table
from catviz.widgets.explorer.text_choice import TextChoice
from catviz.widgets.panel import Panel
from catviz.widgets.worker import Check, Superseded, Worker

__all__ = ["MOST_TOKENS", "Explorer"]

_COUNTED = 100  # OOD texts of the game
_PATIENCE = 8.0  # seconds that a picture waits for what is being loaded


class Explorer(Panel):
    """A model and a text: every head, ranked by what it reads, and taken out by a click.

    Models are loaded and asked on a thread of the panel's own; a later choice replaces an earlier
    one that is still being worked on.

    Args:
        model: a name or path, see :func:`cat.models.load_model`.
        before: a second model with the same tokens, to compare with; None for none.
        text: what to read, with :data:`MOST_TOKENS` tokens at most; None for a text of the game.
        block: work in the thread that asks, where threads cannot update widgets (Colab).

    >>> Explorer("smollm2", before=None, text="Tom smokes and will")  # doctest: +SKIP
    """

    def __init__(
        self,
        model: str = "tiny/alpha-10",
        before: str | None = "tiny/plain",
        text: str | None = None,
        *,
        block: bool = False,
    ) -> None:
        self.model = ModelChoice("Model", model)
        self.before = ModelChoice("Compare with", before or "", optional=True)
        self.model.add_class("catviz-model")
        self.before.add_class("catviz-before")
        self.text = TextChoice(text)
        self.viewer: AttentionViewer | None = None
        self.heads = HeadTable()
        self.order = widgets.Dropdown(
            description="Order of heads",
            style={"description_width": "initial"},
            layout=widgets.Layout(width="26em"),
        )
        self.order.add_class("catviz-order")
        self.cutting = CutChoice(self.heads, counted=_COUNTED)
        models = widgets.HBox(
            [self.model, self.before], layout=widgets.Layout(flex_flow="row wrap")
        )
        self._below = [
            _heading("Which heads read what: click a name to open the head above"),
            self.order,
            self.heads,
            _heading("Does the answer depend on it? Take it out and see"),
            self.cutting,
        ]
        self._stage = widgets.VBox()
        super().__init__(
            "Explorer",
            "Pick a model and a text: see where every head looks, put the heads in order by what "
            "they read, and take heads or words away to see whether the answer depends on them.",
            [widgets.VBox([models, self.text]), self._stage],
        )
        self._exploration = Exploration(self.text.games["test_ood"][:_COUNTED])
        self._wish: Wish | None = None
        self._shown: Wish | None = None
        self._view: View | None = None
        self._worker = Worker(self._catch_up, failed=self.message.fail, block=block)
        for choice in (self.model, self.before):
            self.on(choice, "name", self._look)
        self.on(self.text, "asked", self._look)
        self.on(self.order, "value", self._rank)
        self.on(self.cutting, "changed", self._worker.ask)
        with self.guarded():
            self._look()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until all that was asked for is shown; False if that took longer."""
        return self._worker.wait(seconds)

    def static(self) -> Figure:
        """The mean maps, the text, and the heads by lift."""
        from catviz.widgets.explorer.picture import explorer_picture

        self.wait(_PATIENCE)
        return explorer_picture(() if self._view is None else self._view.patterns)

    # ------------------------------------------------------------------------ what is wanted

    def _look(self) -> None:
        self._wish = Wish(self.model.name, self.before.name, self.text.read())
        self._worker.ask()

    def _rank(self) -> None:
        if self._view is not None and self.order.value is not None:
            self.heads.show(self._view.patterns, self.order.value)

    # ------------------------------------------------------------------------ the worker

    def _catch_up(self, check: Check) -> None:
        """Show what is wished for, as far as it is not shown yet; then ask for the answers."""
        wish = self._wish
        if wish is None:
            return
        if wish is not self._shown:
            try:
                self._read(wish, check)
            except Superseded:
                raise
            except Exception:
                if self._shown is not None and self._wish is wish:
                    self._wish = self._shown  # what was there stays
                raise
        if self._view is not None:
            self._answer(self._view, check)

    def _read(self, wish: Wish, check: Check) -> None:
        if names := self._exploration.missing(wish):
            self.message.say(f"Loading {' and '.join(names)} …")
        self._disable(bool(names))
        try:
            view = self._exploration.read(wish, check)
            check()
            self._show(view)
        finally:
            self._disable(False)
        self._shown = wish
        if names:
            self.cutting.count.value = view.is_small
        if view.note:
            self.message.say(view.note)
        elif names:
            self.message.clear()

    def _show(self, view: View) -> None:
        before, after = view.patterns[0], (*view.patterns[1:], None)[0]
        if self.viewer is None:
            self.viewer = AttentionViewer(before, after=after)
            self.viewer.add_class("catviz-viewer-box")
            widgets.jslink((self.viewer, "opened"), (self.heads, "opened"))
            self._stage.children = [_heading("Every head"), self.viewer, *self._below]
        else:
            self.viewer.show(before, after=after)
        self._view = view
        chosen, orders = self.order.value, rankings(view.patterns)
        names = [name for _, name in orders]
        self.order.options = orders
        self.order.value = chosen if chosen in names else names[0]
        self._rank()
        self.cutting.offer(set(view.patterns[-1].roles), view.why_not)

    def _answer(self, view: View, check: Check) -> None:
        count = self.cutting.count.value
        counted = len(self._exploration.counted) if count else 0
        cut = self.cutting.cut
        is_right = bool(self._shown and self._shown.text.example.answer)
        for outcomes in self._exploration.outcomes(view, cut, count=count, check=check):
            check()
            if outcomes:
                self.cutting.outcomes.value = outcome_table(
                    outcomes, view.target, is_right=is_right, counted=counted
                )

    def _disable(self, disabled: bool) -> None:
        for control in (self.model, self.before, self.text.show):
            control.disabled = disabled


def _heading(text: str) -> widgets.HTML:
    return widgets.HTML(
        f'<div style="font-size: 1.1em; font-weight: 600; margin-top: 1.2em">{text}</div>'
    )
