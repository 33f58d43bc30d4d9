"""The workshop's exercises, checked: a check says what is wrong and keeps the answer to itself.

Every check takes whatever somebody wrote, also nothing (``...``), and returns a :class:`Feedback`;
it never raises because of what was written. The right answers are computed from the game, the loss
and the shipped models, so they stay right when these change.

    >>> check_spurious(["Smoking"])
    Not yet. One of your names stands in the rule, which decides.
    >>> check_spurious(...)
    Nothing is written here yet: put your answer in place of the dots, and run the cell again.
"""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import wraps
from html import escape
from typing import Any, ParamSpec

from cat.models import CHECKPOINTS
from cat.stg import STG_E

__all__ = [
    "LOSS_ROW",
    "STATEMENTS",
    "AttentionRow",
    "Feedback",
    "check_best_alpha",
    "check_do",
    "check_guess",
    "check_loss_by_hand",
    "check_spurious",
    "check_steering",
]

P = ParamSpec("P")

NOTHING = (
    "Nothing is written here yet: put your answer in place of the dots, and run the cell again."
)
CLOSE = 0.006  # what rounding to two digits may cost


@dataclass(frozen=True)
class Feedback:
    """What a check says; true when the exercise is done. Shows itself in a notebook."""

    done: bool
    text: str

    def __bool__(self) -> bool:
        return self.done

    def __repr__(self) -> str:
        return self.text

    def _repr_html_(self) -> str:
        mark, colour = (
            ("\N{CHECK MARK}", "#0072B2") if self.done else ("\N{RIGHTWARDS ARROW}", "#D55E00")
        )
        return (
            f'<div style="border-left: 3px solid {colour}; padding: .2em .7em; max-width: 75ch">'
            f"{mark} {escape(self.text)}</div>"
        )


@dataclass(frozen=True)
class AttentionRow:
    """One row of a mean map: what the token that predicts the answer reads.

    Attributes:
        tokens: (key,).
        attention: (key,), shares that add up to 1.
        causes: (key,), whether the token is a cause of the answer.
    """

    tokens: tuple[str, ...]
    attention: tuple[float, ...]
    causes: tuple[bool, ...]

    @property
    def on_causes(self) -> float:
        """C: the mean attention on a cause (paper, section 4.2)."""
        return self._mean(True)

    @property
    def on_others(self) -> float:
        """N: the mean attention on any other token."""
        return self._mean(False)

    def loss(self, alpha: float) -> float:
        """max(0, alpha - C/N)."""
        return max(0.0, alpha - self.on_causes / self.on_others)

    def _mean(self, cause: bool) -> float:
        some = [a for a, c in zip(self.attention, self.causes, strict=True) if c == cause]
        return sum(some) / len(some)


LOSS_ROW = AttentionRow(
    tokens=(
        "Please predict.", "Smoking: 8", "Yellow fingers: 12", "Room size: 3", "Weight: 4",
        "Clothing size: 4", "Answer:",
    ),
    attention=(0.10, 0.15, 0.35, 0.10, 0.05, 0.15, 0.10),
    causes=(False, True, False, False, True, False, False),
)  # fmt: skip
"""The row of the exercise: seven tokens, two of them causes."""

STATEMENTS = {
    "A": "Steering changes the model's weights.",
    "B": "At every answer, somebody has to say which words are the causes.",
    "C": "Switched off, it leaves the model as it was.",
}
"""Of which :func:`check_steering` asks which are true."""


class _NotYetError(Exception):
    """What is missing, told to the one who wrote the answer."""


def _kindly(check: Callable[P, str]) -> Callable[P, Feedback]:
    """The check as one that returns feedback, whatever was written."""

    @wraps(check)
    def checked(*args: P.args, **kwargs: P.kwargs) -> Feedback:
        try:
            return Feedback(True, check(*args, **kwargs))
        except _NotYetError as missing:
            return Feedback(False, str(missing))

    return checked


@_kindly
def check_spurious(names: object) -> str:
    """Which factors go along with the answer and do not decide it?

    Args:
        names: a list of factors' names; upper and lower case are one.

    >>> check_spurious(["Yellow finger", "Weight"])
    Not yet. No factor is called 'Yellow finger'. Did you mean 'Yellow fingers'?
    """
    given = _names(names, "a list of names, such as ['Room size']")
    wanted = set(STG_E.named("spurious"))
    if causes := given & set(STG_E.named("causal")):
        raise _not_yet(f"{_so_many(causes, 'stand')} in the rule, which decides.")
    if alone := given & set(STG_E.named("irrelevant")):
        raise _not_yet(f"{_so_many(alone, 'follow')} no other factor, and none follows from it.")
    if given != wanted:
        raise _not_yet("What you have is right, and there is more: read every equation again.")
    return "Right. Each follows a cause, so it goes along with the answer; none decides it."


@_kindly
def check_guess(*, iid: object, ood: object) -> str:
    """A guess of two accuracies in percent; any will do, so long as it is written down first.

    >>> check_guess(iid=95, ood=90)
    Noted: 95% in distribution, 90% out of distribution. Now run the next cell.
    """
    percents = []
    for name, guess in (("iid", iid), ("ood", ood)):
        number = _number(guess, name, "a percentage, such as 80")
        if not 0 <= number <= 100:
            raise _not_yet(f"{name}: a percentage lies between 0 and 100, yours is {number:g}.")
        if 0 < number <= 1:
            raise _not_yet(f"{name}: is that {number:g} percent? For a share, write 100 times it.")
        percents.append(number)
    return (
        f"Noted: {percents[0]:g}% in distribution, {percents[1]:g}% out of distribution. "
        "Now run the next cell."
    )


@_kindly
def check_best_alpha(alpha: object) -> str:
    """Which of the shipped models does best out of distribution, as far as chance lets one tell?

    >>> check_best_alpha(0.3)
    Not yet. Others are clearly better out of distribution: go on to the right.
    """
    if isinstance(alpha, str) and alpha.strip().lower() == "plain":
        raise _not_yet("Plain training is the left end of the slider: compare it with the others.")
    number = _number(alpha, "alpha", "a number from the slider, such as 0.3")
    scores = _ood_scores()
    if number not in scores:
        places = ", ".join(f"{place:g}" for place in scores)
        raise _not_yet(f"The slider has no alpha {number:g}; it has {places}.")
    best = max(scores.values(), key=lambda score: score["accuracy"])
    lowest = best["interval"][0]  # 95%, over the choice of texts
    as_good = [a for a, score in scores.items() if score["accuracy"] >= lowest]
    if number not in as_good:
        way = "right" if as_good[0] > number else "left"
        raise _not_yet(f"Others are clearly better out of distribution: go on to the {way}.")
    return (
        f"Right. So are {len(as_good) - 1} others: on {best['texts']} texts, chance alone moves "
        "the score by more than they differ. And it was found by looking at this very test, so it "
        "flatters a little."
    )


@_kindly
def check_loss_by_hand(
    *, on_causes: object, on_others: object, loss: object, alpha: float = 2.0
) -> str:
    """C, N and the attention loss of :data:`LOSS_ROW` (paper, section 4.2).

    Args:
        on_causes: C, the mean attention on a cause.
        on_others: N, the mean attention on any other token.
        loss: max(0, alpha - C/N).

    >>> check_loss_by_hand(on_causes=0.2, on_others=..., loss=...)
    Not yet. on_causes: this is the sum over the causes; C is their mean.
    """
    row, example = LOSS_ROW, "a number, such as 0.25"
    c = _number(on_causes, "on_causes", example)
    if not _close(c, row.on_causes):
        raise _not_yet("on_causes: " + _why_not_c(c, row))
    n = _number(on_others, "on_others", example)
    if not _close(n, row.on_others):
        raise _not_yet("on_others: " + _why_not_n(n, row))
    value = _number(loss, "loss", example)
    if not _close(value, row.loss(alpha)):
        raise _not_yet("loss: " + _why_not_loss(value, row, alpha))
    return "Right. A ratio C/N of alpha or more would cost nothing."


@_kindly
def check_do(*, by_fingers: object, by_smoking: object) -> str:
    """Which of the eight values change when one is set from outside, this one included?

    Args:
        by_fingers: a list of names, for do(Yellow fingers = ...).
        by_smoking: the same for do(Smoking = ...).

    >>> check_do(by_fingers=["Yellow fingers", "Smoking"], by_smoking=...)
    Not yet. by_fingers: one name too many. An effect does not change its cause.
    """
    for label, name, written in (
        ("by_fingers", "Yellow fingers", by_fingers),
        ("by_smoking", "Smoking", by_smoking),
    ):
        given = _names(written, "a list of names, such as ['Weight']", label)
        wanted = {name} | {effect for cause, effect in STG_E.edges if cause == name}
        if extra := given - wanted:
            many = "one name" if len(extra) == 1 else f"{len(extra)} names"
            raise _not_yet(f"{label}: {many} too many. An effect does not change its cause.")
        if given != wanted:
            raise _not_yet(
                f"{label}: something is missing. The value that is set changes, and so does every "
                "value whose equation mentions it."
            )
    return (
        "Right. Painting your fingers does not make you smoke, and the risk stays what it was; "
        "smoking changes the fingers and the risk."
    )


@_kindly
def check_steering(letters: object) -> str:
    """Which of :data:`STATEMENTS` are true of steering?

    Args:
        letters: a text such as "AC", or a list of letters.

    >>> check_steering("A, B")
    Not yet. A: look again. A panel that edits attention while the model answers trains nothing.
    """
    if _is_empty(letters):
        raise _NotYetError(NOTHING)
    if isinstance(letters, str):
        letters = [letter for letter in letters if letter.isalpha()]
    if not isinstance(letters, Collection) or isinstance(letters, dict):
        raise _not_yet(f"Write letters, such as 'A' or 'AC'; yours is {letters!r}.")
    given = {str(letter).strip().upper() for letter in letters}
    if unknown := sorted(given - set(STATEMENTS)):
        raise _not_yet(f"There is no statement {', '.join(unknown)}: choose of A, B and C.")
    if "A" in given:
        raise _not_yet(
            "A: look again. A panel that edits attention while the model answers trains nothing."
        )
    if given != {"B", "C"}:
        raise _not_yet("What you have is right, and there is one more.")
    return "Right. Training needs to know the causes once; steering needs to know them every time."


# ---------------------------------------------------------------------- reading what was written


def _not_yet(text: str) -> _NotYetError:
    return _NotYetError(f"Not yet. {text}")


def _is_empty(written: object) -> bool:
    if written is None or written is ...:
        return True
    if isinstance(written, str):
        return written.strip() in ("", "...", "\N{HORIZONTAL ELLIPSIS}")
    return isinstance(written, list | tuple | set) and all(map(_is_empty, written))


def _names(written: object, expected: str, label: str = "") -> set[str]:
    """The factors that somebody named, as the game writes them."""
    if _is_empty(written):
        raise _NotYetError(NOTHING)
    where = f"{label}: " if label else ""
    if isinstance(written, str):
        written = written.split(",")
    if not isinstance(written, Collection) or isinstance(written, dict):
        raise _not_yet(f"{where}Write {expected}; yours is {written!r}.")
    known = {name.lower(): name for name in STG_E.roles}
    found = set()
    for name in written:
        plain = " ".join(str(name).lower().split())
        if plain not in known:
            close = difflib.get_close_matches(plain, known, n=1)
            hint = f"Did you mean {known[close[0]]!r}?" if close else f"There are {_listed(known)}."
            raise _not_yet(f"{where}No factor is called {str(name)!r}. {hint}")
        found.add(known[plain])
    return found


def _so_many(names: set[str], verb: str) -> str:
    return f"One of your names {verb}s" if len(names) == 1 else f"{len(names)} of your names {verb}"


def _listed(known: dict[str, str]) -> str:
    return ", ".join(known.values())


def _number(written: object, label: str, expected: str) -> float:
    if _is_empty(written):
        raise _NotYetError(NOTHING)
    try:
        number = float(written.replace(",", ".") if isinstance(written, str) else written)  # type: ignore[arg-type]
    except (TypeError, ValueError, RuntimeError):
        number = math.nan
    if isinstance(written, bool) or not math.isfinite(number):
        raise _not_yet(f"{label}: write {expected}; yours is {written!r}.")
    return number


# ------------------------------------------------------------------------- what may have gone wrong


def _close(number: float, wanted: float) -> bool:
    return abs(number - wanted) < CLOSE


def _why_not_c(number: float, row: AttentionRow) -> str:
    total = sum(a for a, c in zip(row.attention, row.causes, strict=True) if c)
    if _close(number, total):
        return "this is the sum over the causes; C is their mean."
    if _close(number, total / len(row.tokens)):
        return "divide by the number of causes, not by the number of tokens."
    if _close(number, row.on_others):
        return "this is N, the mean over the other tokens."
    return "find the tokens that are causes, and take the mean of their attention."


def _why_not_n(number: float, row: AttentionRow) -> str:
    total = sum(a for a, c in zip(row.attention, row.causes, strict=True) if not c)
    if _close(number, total):
        return "this is the sum over the other tokens; N is their mean."
    if _close(number, sum(row.attention) / len(row.tokens)):
        return "this is the mean over all tokens; leave the causes out."
    if _close(number, total / len(row.tokens)):
        return "divide by the number of the other tokens, not by that of all."
    return "take the mean attention of the tokens that are no causes; 'Answer:' is one of them."


def _why_not_loss(value: float, row: AttentionRow, alpha: float) -> str:
    ratio = row.on_causes / row.on_others
    if _close(value, ratio):
        return "this is C/N; the loss is how far it stays below alpha."
    if _close(value, ratio - alpha):
        return "the other way round: alpha less the ratio, never below 0."
    if _close(value, alpha - 1 / ratio) or _close(value, max(0.0, alpha - 1 / ratio)):
        return "here the ratio is N/C; the loss wants C/N."
    return f"take alpha = {alpha:g}, subtract C/N, and where that is below 0 take 0."


def _ood_scores() -> dict[float, dict[str, Any]]:
    """alpha -> the score out of distribution, of the shipped models, ascending."""
    results = [json.loads(p.read_text("utf-8")) for p in CHECKPOINTS.glob("alpha-*/result.json")]
    found = {float(r["settings"]["alpha"]): r["scores"]["test_ood"] for r in results}
    return dict(sorted(found.items()))
