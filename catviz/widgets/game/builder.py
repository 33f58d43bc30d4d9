"""Build your own game: a form for a causal graph, its texts, and training on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import ipywidgets as widgets

from cat.own_game import BEACH, Factor, GameError, OwnGame, answer_shares
from cat.own_game_checks import MOST_FACTORS
from cat.signals import Example
from catviz.figures.figure import Figure
from catviz.figures.graph import causal_graph
from catviz.figures.sheet import sheet
from catviz.figures.style import ROLE_STYLES
from catviz.figures.text import escape
from catviz.figures.texts import marked_texts, text_pieces
from catviz.widgets.button import PushButton
from catviz.widgets.game.factor_row import FactorRow, dressed, field, parse_number, parse_whole
from catviz.widgets.panel import Panel
from catviz.widgets.picture import Picture

__all__ = ["GameBuilder"]

_OOD = [
    ("companions take any value", "uniform"),
    ("companions keep their values, in other texts", "marginals"),
]
_HEADINGS = {"test_iid": "In distribution", "test_ood": "Out of distribution"}
_STYLE = """\
<style>
.catviz-game .catviz-field {
  display: flex; flex-direction: column; align-items: stretch; height: auto; margin: 0 8px 4px 0;
}
.catviz-game .catviz-field > .widget-label {
  width: auto; max-width: none; text-align: left; height: 20px; line-height: 20px;
  font-size: .85em; opacity: .85;
}
.catviz-game .catviz-field select, .catviz-game .catviz-field input {
  flex: none; width: 100%; height: 28px; margin: 0;
}
.catviz-game .catviz-factor {
  flex-wrap: wrap; align-items: flex-end; padding: 2px 0 2px 8px; margin: 3px 0;
  border-left: 5px solid #999999;
}
.catviz-game .catviz-factor.catviz-causal { border-left-color: #0072B2; }
.catviz-game .catviz-factor.catviz-spurious {
  border-left-color: #D55E00; border-left-style: double;
}
.catviz-game .catviz-factor.catviz-irrelevant { border-left-style: dotted; }
.catviz-game .catviz-wrong input, .catviz-game .catviz-wrong select {
  box-shadow: 0 0 0 2px #D55E00;
}
.catviz-game .catviz-line { flex-wrap: wrap; align-items: flex-end; }
.catviz-game .catviz-heading { font-weight: 600; margin-top: 6px; }
.catviz-game .catviz-texts p { margin: .3em 0 .7em; line-height: 1.9; max-width: 100ch; }
.catviz-game .catviz-word { border-bottom: 3px solid; padding-bottom: 1px; white-space: nowrap; }
.catviz-game .catviz-word b {
  margin-right: .3em; padding: 0 .3em; font-size: .7em; vertical-align: 1px;
}
.catviz-game .catviz-hint { line-height: 1.45; max-width: 75ch; }
.catviz-game .catviz-file { margin-left: 16px; }
</style>"""


class GameBuilder(Panel):
    """A form in which a class draws its own causal graph, reads its texts, and trains on them.

    Args:
        game: what the form holds at first; a day at the beach by default.
        block: train in the callback itself, for notebooks whose page a thread cannot update
            (Colab); see :class:`~catviz.widgets.live.training.LiveTraining`.

    >>> builder = GameBuilder()
    >>> builder.game.name
    'A day at the beach'
    """

    def __init__(self, game: OwnGame | None = None, *, block: bool = False) -> None:
        self._block = block
        self._rows: list[FactorRow] = []
        self._texts: Mapping[str, Sequence[Example]] = {}
        self._shown = game or BEACH
        form = self._form(self._shown)
        self.graph = Picture()
        self.preview = widgets.HTML()
        self.preview.add_class("catviz-texts")
        self.training = widgets.VBox()
        super().__init__(
            "Build your own game",
            "Say what causes what. The game writes texts, and you see whether a small model learns "
            "the causes or what merely goes along with them.",
            [form, self.graph, self.preview, self.training],
        )
        self.add_class("catviz-game")
        self._fill(self._shown)
        self._show(self._shown)
        self.on(self.add_button, "click", self._add)
        self.on(self.preview_button, "click", lambda: self._show(self.game))
        self.on(self.train_button, "click", self._train)
        self.on(self.save_button, "click", self._save)
        self.on(self.load_button, "click", self._load)

    @property
    def game(self) -> OwnGame:
        """The game that the form describes.

        Raises:
            GameError: something in it is wrong; the field is then marked.
        """
        self._unmark()
        try:
            return self._read()
        except GameError as error:
            self._mark(error)
            raise

    def static(self) -> Figure:
        """The causal graph and some texts of the game that was last previewed."""
        return sheet(
            [
                _graph(self._shown),
                marked_texts({_HEADINGS[n]: _one_of_each(t) for n, t in self._texts.items()}),
            ],
            title=f"Build your own game: {self._shown.name}",
        )

    # -- the form --------------------------------------------------------------------------

    def _form(self, game: OwnGame) -> widgets.VBox:
        self.name = field("Name of the game", "", "18em", "game-name")
        self.question = field("Question, in front of each text", "", "36em", "question")
        self.rows = widgets.VBox()
        self.add_button = _button("Add factor", "add")
        self.first = field("Answer above the threshold", "", "13em", "first-answer")
        self.threshold = field("Threshold", "", "7em", "threshold")
        self.second = field("Answer otherwise", "", "13em", "second-answer")
        self.ratio = widgets.FloatSlider(
            min=0, max=1, step=0.05, description="Spurious ratio", readout_format=".2f",
            continuous_update=False, style={"description_width": "initial"},
            layout=widgets.Layout(width="24em"),
        )  # fmt: skip
        self.ratio.add_class("catviz-ratio")
        self.ood = dressed(
            widgets.Dropdown(
                options=_OOD,
                description="Out of distribution",
                layout=widgets.Layout(width="24em"),
            ),
            "ood",
        )
        self.seed = field("Seed", "", "5em", "seed")
        self.train_texts = field("Train texts", "", "7em", "train-texts")
        self.test_texts = field("Test texts", "", "7em", "test-texts")
        self.preview_button = _button("Preview", "preview", primary=True)
        self.train_button = _button("Train on it", "game-train")
        self.file = field("File", "my_game.json", "14em", "file")
        self.save_button = _button("Save", "save")
        self.load_button = _button("Load", "load")
        settings = (
            self.name, self.question, self.first, self.threshold, self.second, self.ratio, self.ood,
            self.seed, self.train_texts, self.test_texts,
        )  # fmt: skip
        for control in settings:
            control.observe(lambda _: self._edited(), names="value")
        return widgets.VBox(
            [
                widgets.HTML(_STYLE),
                _line(self.name, self.question),
                _heading("Factors"),
                _hint(
                    "Causes count in the rule. Companions follow a cause in training: slope times "
                    "its value, plus offset. Irrelevant ones do neither."
                ),
                self.rows,
                _line(self.add_button),
                _heading("Rule"),
                _hint("Weight times value of all causes, added up, decides the answer."),
                _line(self.first, self.threshold, self.second),
                _heading("Texts"),
                _hint(
                    "In training and in the test in distribution, companions follow in this share "
                    "of the texts. Near 1, plain training is misled; at 0.8 the texts themselves "
                    "tell companions from causes."
                ),
                _line(self.ratio, self.ood),
                _line(self.train_texts, self.test_texts, self.seed),
                _line(
                    self.preview_button, self.train_button, self.file, self.save_button,
                    self.load_button,
                ),
            ]
        )  # fmt: skip

    def _fill(self, game: OwnGame) -> None:
        """Let the form say what a game is."""
        self.name.value, self.question.value = game.name, game.question
        self.first.value, self.second.value = game.answers
        self.threshold.value = f"{game.threshold:g}"
        self.ratio.value, self.ood.value = game.spurious_ratio, game.ood
        for name in ("seed", "train_texts", "test_texts"):
            getattr(self, name).value = str(getattr(game, name))
        self._rows = [FactorRow(one, self._edited, self._remove) for one in game.factors]
        self._place_rows()
        by_name = {factor.name: row for factor, row in zip(game.factors, self._rows, strict=True)}
        for factor, row in zip(game.factors, self._rows, strict=True):
            if factor.follows:
                row.follow(by_name[factor.follows])

    def _read(self) -> OwnGame:
        return OwnGame(
            name=self.name.value.strip(),
            question=self.question.value.strip(),
            factors=tuple(row.read(number) for number, row in enumerate(self._rows, start=1)),
            threshold=parse_number("threshold", self.threshold.value),
            answers=(self.first.value.strip(), self.second.value.strip()),
            spurious_ratio=round(self.ratio.value, 2),
            ood=self.ood.value,
            seed=parse_whole("seed", self.seed.value),
            train_texts=parse_whole("train_texts", self.train_texts.value),
            test_texts=parse_whole("test_texts", self.test_texts.value),
        )

    def _place_rows(self) -> None:
        for number, row in enumerate(self._rows, start=1):
            row.number.value = str(number)
        self._offer()
        self.rows.children = self._rows

    def _offer(self) -> None:
        for row in self._rows:
            row.offer(self._rows)

    def _edited(self) -> None:
        self._offer()
        self.preview_button.description = "Preview changes"

    def _add(self) -> None:
        if len(self._rows) >= MOST_FACTORS:
            raise GameError("factors", f"expected at most {MOST_FACTORS}: remove one first")
        names = {row.name.value for row in self._rows}
        letter = next(c for c in "ABCDEFGHIJKLMNOPQRSTUVWXYZ" if f"Factor {c}" not in names)
        new = Factor(f"Factor {letter}", "irrelevant")
        self._rows.append(FactorRow(new, self._edited, self._remove))
        self._place_rows()
        self._edited()

    def _remove(self, row: FactorRow) -> None:
        self._rows.remove(row)
        self._place_rows()
        self._edited()

    def _mark(self, error: GameError) -> None:
        owner: Any = self._rows[error.factor - 1] if error.factor else self
        names = {"answers": ("first", "second"), "spurious_ratio": ("ratio",)}
        for name in names.get(error.field, (error.field,)):
            control = getattr(owner, name, None)
            if isinstance(control, widgets.DOMWidget):
                control.add_class("catviz-wrong")

    def _unmark(self) -> None:
        settings = (self.name, self.question, self.first, self.threshold, self.second, self.seed,
                    self.train_texts, self.test_texts, self.ratio)  # fmt: skip
        for control in (*settings, *(c for row in self._rows for c in row.fields)):
            control.remove_class("catviz-wrong")

    # -- what it leads to ------------------------------------------------------------------

    def _show(self, game: OwnGame) -> None:
        """The graph, some texts, and how often each answer is right."""
        texts = game.splits()
        del texts["train"]
        self.graph.show(_graph(game))
        self.preview.value = _texts_html(game, texts)
        self._shown, self._texts = game, texts
        self.preview_button.description = "Preview"

    def _train(self) -> None:
        from catviz.widgets.live.training import LiveTraining

        game = self.game
        self._show(game)
        for earlier in self.training.children:
            earlier.close()  # which ends its run
        self.training.children = [
            LiveTraining(game.splits(), fresh_model=game.fresh_model, block=self._block)
        ]
        self.message.say(
            f"Below you can train on {game.name!r}: first with alpha plain, then with 10."
        )

    def _save(self) -> None:
        path = self.game.save(self.file.value.strip())
        self.message.say(f"Saved as {path.name}.")

    def _load(self) -> None:
        game = OwnGame.load(self.file.value.strip())
        self._unmark()
        self._fill(game)
        self._show(game)
        self.message.say(f"Loaded {game.name!r}.")


def _graph(game: OwnGame) -> Figure:
    return causal_graph(game.models[0], equations=True)


def _texts_html(game: OwnGame, splits: Mapping[str, Sequence[Example]]) -> str:
    parts = [f"<p>The rule: {escape(game.models[0].rule)}.</p>"]
    for name, examples in splits.items():
        shares = ", ".join(
            f"{escape(answer)} {share:.0%}" for answer, share in answer_shares(examples).items()
        )
        parts.append(f"<b>{_HEADINGS[name]}</b> ({len(examples)} texts: {shares})")
        parts += [f"<p>{_text_html(one)}</p>" for one in _one_of_each(examples)]
    return "".join(parts)


def _one_of_each(examples: Sequence[Example]) -> list[Example]:
    """The first text of each answer."""
    return list({example.answer: example for example in reversed(examples)}.values())


def _text_html(example: Example) -> str:
    html = ""
    for text, role in text_pieces(example):
        style, word = ROLE_STYLES[role], escape(text.strip())
        if style.letter:
            word = (
                f'<span class="catviz-word" style="border-color:{style.colour}" title="{role}">'
                f'<b style="background:{style.colour};color:{style.on_colour}">{style.letter}</b>'
                f"{word}</span>"
            )
        html += f" {word}"
    return html.removesuffix(f" {escape(example.answer)}") + f" <b>{escape(example.answer)}</b>"


def _button(label: str, name: str, *, primary: bool = False) -> PushButton:
    made = PushButton(label, primary=primary)
    made.add_class(f"catviz-{name}")
    return made


def _line(*parts: widgets.Widget) -> widgets.HBox:
    line = widgets.HBox(parts)
    line.add_class("catviz-line")
    return line


def _heading(text: str) -> widgets.HTML:
    return widgets.HTML(f'<div class="catviz-heading">{escape(text)}</div>')


def _hint(text: str) -> widgets.HTML:
    return widgets.HTML(f'<div class="catviz-hint">{escape(text)}</div>')
