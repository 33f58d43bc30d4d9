"""What models answer with a part of their attention taken out, beside what they answer with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np

from catviz.effects.ablation import without_all
from catviz.effects.answers import AnswerScores
from catviz.effects.questions import Questions
from catviz.widgets.worker import Check
from catviz.words import Role

__all__ = ["Cut", "Outcome", "RememberedAnswers", "outcome_table"]

_MOST_SHARES = 4  # answers with a column of their own
_NEVER: Check = lambda: None  # noqa: E731

_STYLE = """\
<style>
.catviz-outcomes { overflow-x: auto; line-height: 1.5; }
.catviz-outcomes table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
.catviz-outcomes th, .catviz-outcomes td { padding: .15em .8em; text-align: right; }
.catviz-outcomes th { font-weight: 600; max-width: 14em; vertical-align: bottom; }
.catviz-outcomes .name { text-align: left; max-width: 30em; overflow-wrap: anywhere; }
.catviz-outcomes tbody .name { font-weight: 400; }
.catviz-outcomes thead tr { border-bottom: 1px solid currentColor; }
.catviz-outcomes .model td, .catviz-outcomes .model th { padding-top: .5em; }
</style>"""


@dataclass(frozen=True)
class Cut:
    """What is taken out: heads, and all attention to the words of some roles."""

    heads: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.heads or self.roles)

    def __str__(self) -> str:
        """
        >>> print(Cut(("L0H1",), ("spurious",)))
        without head L0H1, without attention to spurious words
        >>> print(Cut())
        as it is
        """
        parts = []
        if self.heads:
            names = ", ".join(self.heads[:6]) + (", …" if len(self.heads) > 6 else "")
            parts.append(f"without head{'s' if len(self.heads) > 1 else ''} {names}")
        if self.roles:
            parts.append(f"without attention to {' and '.join(self.roles)} words")
        return ", ".join(parts) or "as it is"


class RememberedAnswers:
    """Questions to a model whose answers under each cut are kept."""

    def __init__(self, questions: Questions) -> None:
        self.questions = questions
        self._known: dict[Cut, AnswerScores] = {}

    def under(self, cut: Cut, check: Check = _NEVER) -> AnswerScores:
        """The answers with something taken out; ``check`` may stop the asking after each batch."""
        if cut not in self._known:
            edit = without_all(cut.heads, cut.roles) if cut else None
            self._known[cut] = self.questions.ask(edit, advance=lambda _: check())
        return self._known[cut]


@dataclass(frozen=True, eq=False)
class Outcome:
    """One model's answers under one cut.

    Attributes:
        scores: of the text looked at.
        right: how many of the counted texts it gets right; None if not counted, or not yet.
    """

    model: str
    cut: Cut
    scores: AnswerScores
    right: int | None = None


def outcome_table(
    outcomes: Sequence[Outcome], target: str, *, is_right: bool, counted: int = 0
) -> str:
    """The outcomes as HTML, a row each.

    Args:
        target: the answer whose log-odds are told.
        is_right: whether it is known to be the right one.
        counted: of how many OOD texts the right answers are counted; 0 if they are not.
    """
    (answers,) = outcomes[0].scores.answers
    header = [*_answer_columns(answers), f"log-odds of “{target}”"]
    if counted:
        header.append(f"right on {counted} OOD texts of the game")
    rows, last = [], ""
    for one in outcomes:
        cells = [*_answer_cells(one.scores), f"{one.scores.log_odds(target)[0]:+.2f}"]
        if counted:
            cells.append("…" if one.right is None else f"{one.right}")
        first = f"<strong>{escape(one.model)}</strong>, " if one.model != last else "… "
        tail = "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        kind = ' class="model"' if one.model != last else ""
        rows.append(
            f'<tr{kind}><th class="name" scope="row">{first}{escape(str(one.cut))}</th>{tail}</tr>'
        )
        last = one.model
    head = "".join(f'<th scope="col">{escape(text)}</th>' for text in header)
    right = f"The right answer is “{target}”. " if is_right else ""
    note = (
        f"{right}Log-odds above 0: the model holds “{target}” for likelier than "
        f"{'the other answers together' if len(answers) > 1 else 'anything else'}; "
        "+2.2 is 9 to 1, -2.2 is 1 to 9."
    )
    return (
        f'{_STYLE}<div class="catviz-outcomes"><table><thead><tr><th class="name"></th>{head}</tr>'
        f"</thead><tbody>{''.join(rows)}</tbody></table><div>{escape(note)}</div></div>"
    )


def _answer_columns(answers: Sequence[str]) -> list[str]:
    if len(answers) == 1:
        return ["probability"]
    return list(answers) if len(answers) <= _MOST_SHARES else ["likeliest answer"]


def _answer_cells(scores: AnswerScores) -> list[str]:
    (answers,) = scores.answers
    if len(answers) == 1:
        return [_percent(np.exp(scores.log_probs[0, 0]))]
    if len(answers) <= _MOST_SHARES:
        return [_percent(share) for share in scores.shares[0]]
    return [scores.best[0]]


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"
