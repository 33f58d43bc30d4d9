"""Asking a model how likely it finds answers, with its attention as it is or edited.

A prompt and an answer are tokenised once, as training does (the prompt without the space at its
end, one space, the answer), and the log-probabilities of the answer's tokens are added up.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from cat.alignment import Aligned, align
from cat.signals import Example
from catviz.effects.answers import AnswerScores
from catviz.effects.plain import PlainModel
from catviz.lens import AttentionLens, Edit
from catviz.roles import mark_roles
from catviz.words import ROLES, Role

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["Batch", "BatchEdit", "Questions", "Rows", "check_rows", "score_answers"]

Rows = Literal["all", "answer"]
"""Which rows of a pattern are meant: all, or those that predict the answer's tokens."""


@dataclass(frozen=True, eq=False)
class Batch:
    """Texts as the model gets them, padded at the right.

    Attributes:
        input_ids, attention_mask: (text, key).
        answer_rows: bool (text, query), the rows that predict the answer's tokens.
        aligned: each text's tokens, with their places in its characters.
    """

    input_ids: Tensor
    attention_mask: Tensor
    answer_rows: Tensor
    aligned: tuple[Aligned, ...]

    def tokens_of(self, role: Role) -> Tensor:
        """Bool (text, key): the tokens of the words that have a role; "other", the rest."""
        import torch

        if role not in ROLES:
            raise ValueError(f"expected a role of {', '.join(ROLES)}, got {role!r}")
        found = torch.zeros(self.input_ids.shape, dtype=torch.bool)
        for b, aligned in enumerate(self.aligned):
            for factor in aligned.example.roles:
                if role in (factor.role, "other"):
                    found[b, aligned.tokens_of(factor.span)] = True
        found = found.to(self.input_ids.device)
        return self.attention_mask.bool() & ~found if role == "other" else found

    def rows(self, which: Rows) -> Tensor | None:
        """Bool (text, query), or None where all are meant."""
        return self.answer_rows if check_rows(which) == "answer" else None


def check_rows(which: Rows) -> Rows:
    """Refuse what names no rows."""
    if which not in ("all", "answer"):
        raise ValueError(f'expected rows "all" or "answer", got {which!r}')
    return which


BatchEdit = Callable[[Batch], Edit]
"""What to do to the attention patterns of a batch, for example
``lambda batch: without_keys(batch.tokens_of("spurious"))``."""


def score_answers(
    model: AttentionLens | PlainModel,
    texts: Sequence[str | Example],
    answers: Sequence[str] | None = None,
    *,
    edit: BatchEdit | None = None,
    batch_size: int = 16,
    progress: str | None = None,
) -> AnswerScores:
    """Ask a model how likely it finds answers; see :class:`Questions` for the arguments.

    >>> from catviz.effects.plain import PlainModel
    >>> texts = ["Smoking: 9, Weight: 9, Exercise: 1 Answer:"]
    >>> scores = score_answers(PlainModel.load("tiny/plain"), texts, ["High Risk", "Low Risk"])
    >>> scores.log_odds("High Risk").shape, scores.best
    ((1,), ('High Risk',))
    """
    questions = Questions(model, texts, answers, batch_size=batch_size)
    return questions.ask(edit, progress=progress)


Place = tuple[int, int]  # (text, answer)
Places = tuple[list[int], list[int]]  # texts, answers: an index of several places


@dataclass(frozen=True, eq=False)
class _Asked:
    """An answer's place among the scores, and its tokens, each with the row that predicts it."""

    place: Place
    rows: tuple[int, ...]
    tokens: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class _Sequence:
    """What goes through the model once, and the answers that are read off it."""

    aligned: Aligned
    input_ids: tuple[int, ...]
    asked: list[_Asked] = field(default_factory=list)

    @property
    def first_row(self) -> int:
        return min(one.rows[0] for one in self.asked)


class Questions:
    """Texts and answers, tokenised once, to be asked any number of times under different edits.

    Answers that differ in their last token only are read off one sequence. Where one answer's
    tokens begin another's ("5" and "56", written digit by digit) the shorter one's probability is
    that of saying it and not going on to the longer one.

    Args:
        model: a lens, or a :class:`~catviz.effects.plain.PlainModel` where nothing is edited.
        texts: prompts, or examples, of which the prompts are taken.
        answers: the same for every text; None for each example's own right answer, alone.
        batch_size: sequences at once.

    Raises:
        ValueError: no text, no answer, an answer twice, one that the tokenizer does not know or
            cannot tell from another.
    """

    def __init__(
        self,
        model: AttentionLens | PlainModel,
        texts: Sequence[str | Example],
        answers: Sequence[str] | None = None,
        *,
        batch_size: int = 16,
    ) -> None:
        if not texts:
            raise ValueError("expected at least one text, got none")
        if batch_size < 1:
            raise ValueError(f"expected a batch size of at least 1, got {batch_size}")
        self.model = model
        self.examples = tuple(mark_roles(text) for text in texts)
        self.answers = tuple(_answers_of(example, answers) for example in self.examples)
        sequences, self._longer = _sequences(model, self.examples, self.answers)
        sequences.sort(key=lambda sequence: len(sequence.input_ids))  # little padding
        self._batches = [
            sequences[start : start + batch_size] for start in range(0, len(sequences), batch_size)
        ]

    def __len__(self) -> int:
        """How many sequences go through the model when it is asked once."""
        return sum(map(len, self._batches))

    def ask(
        self,
        edit: BatchEdit | None = None,
        *,
        progress: str | None = None,
        advance: Callable[[int], Any] = lambda done: None,
    ) -> AnswerScores:
        """How likely every answer is, with the attention as it is, or edited.

        Args:
            edit: of the attention patterns; a lens only.
            progress: show a progress bar of this name.
            advance: called after each batch with the number of its sequences.

        Raises:
            CannotEditError: the model's attention cannot be edited.
        """
        import torch
        from tqdm.auto import tqdm

        from cat.tiny import suitable_threads

        shape = (len(self.answers), len(self.answers[0]))
        log_probs, greedy = np.full(shape, np.nan), np.zeros(shape, dtype=bool)
        log_rest = np.full(shape[0], np.nan) if shape[1] == 1 else None
        bar = tqdm(total=len(self), desc=progress, unit="text", disable=progress is None)
        with torch.inference_mode(), suitable_threads(self.model.model), bar:
            for sequences in self._batches:
                batch = self._batch(sequences)
                wanted = None if edit is None else edit(batch)
                logits = self.model.logits(batch.input_ids, batch.attention_mask, edit=wanted)
                for sequence, rows in zip(sequences, logits, strict=True):
                    first, stop = sequence.first_row, len(sequence.input_ids)
                    said = rows[first:stop].float().cpu().double().log_softmax(dim=-1).numpy()
                    for one in sequence.asked:
                        at = said[[row - first for row in one.rows]]  # (token, vocabulary)
                        log_probs[one.place] = at[range(len(at)), one.tokens].sum()
                        greedy[one.place] = (at.argmax(axis=1) == one.tokens).all()
                        if log_rest is not None:
                            log_rest[one.place[0]] = _log_rest(at, one.tokens)
                bar.update(len(sequences))
                advance(len(sequences))
        if np.isnan(log_probs).any():
            raise ValueError(f"{self.model.name}: expected logits that are numbers, got NaN")
        for place, longer in self._longer.items():
            log_probs[place] = _without(log_probs[place], log_probs[longer])
        return AnswerScores(self.answers, log_probs, greedy, log_rest)

    def _batch(self, sequences: Sequence[_Sequence]) -> Batch:
        import torch

        n = max(len(sequence.input_ids) for sequence in sequences)
        input_ids, mask = torch.zeros(2, len(sequences), n, dtype=torch.long)
        rows = torch.zeros(len(sequences), n, dtype=torch.bool)
        for b, sequence in enumerate(sequences):
            length = len(sequence.input_ids)
            input_ids[b, :length] = torch.tensor(sequence.input_ids)
            mask[b, :length] = 1
            rows[b, sequence.first_row : length] = True
        device = next(self.model.model.parameters()).device
        return Batch(
            input_ids.to(device),
            mask.to(device),
            rows.to(device),
            tuple(sequence.aligned for sequence in sequences),
        )


def _answers_of(example: Example, answers: Sequence[str] | None) -> tuple[str, ...]:
    if isinstance(answers, str):
        raise ValueError(f"expected a list of answers, got the single text {answers!r}")
    chosen = (example.answer,) if answers is None else tuple(answers)
    if not chosen or not all(answer and answer == answer.strip() for answer in chosen):
        raise ValueError(
            "expected at least one answer, none of them empty or with spaces around it, got "
            f"{chosen}; an example without an answer of its own needs answers="
        )
    if len(set(chosen)) != len(chosen):
        raise ValueError(f"expected different answers, got {chosen}")
    return chosen


def _sequences(
    model: AttentionLens | PlainModel,
    examples: Sequence[Example],
    answers: Sequence[tuple[str, ...]],
) -> tuple[list[_Sequence], dict[Place, Places]]:
    """What must go through the model, and the answers that go on where another one ends.

    Prompts that are alike, with answers that are alike but for their last token, go once.
    """
    found: dict[Any, _Sequence] = {}
    longer: dict[Place, Places] = {}
    for i, example in enumerate(examples):
        told: dict[tuple[int, ...], int] = {}  # tokens -> answer
        roles = tuple(role for role in example.roles if role.span.end <= example.boundary)
        for k, answer in enumerate(answers[i]):
            whole = replace(example, answer=answer, signals=(), roles=roles)
            aligned = align(whole, model.tokenizer, add_eos=False)
            rows = aligned.answer_rows
            _check_tokens(aligned, model)
            ids = aligned.input_ids[: rows[-1] + 2]
            if ids in told:
                raise ValueError(
                    f"{model.name}: expected answers that the tokenizer can tell apart, but "
                    f"{answers[i][told[ids]]!r} and {answer!r} are the same tokens"
                )
            told[ids] = k
            sent = ids[:-1]  # the last token is predicted, never read
            sequence = found.setdefault((example.prompt, roles, sent), _Sequence(aligned, sent))
            tokens = tuple(ids[row + 1] for row in rows)
            sequence.asked.append(_Asked((i, k), rows, tokens))
        longer |= {(i, k): ([i] * len(those), those) for k, those in _continued(told).items()}
    return list(found.values()), longer


def _continued(told: Mapping[tuple[int, ...], int]) -> dict[int, list[int]]:
    """Answer -> those that go on where it ends, but not those that go on from one of them.

    From the shortest, so that each is still whole when it is taken off the one before it.
    """
    found: dict[int, list[int]] = {}
    for ids in sorted(told, key=len):
        shorter = (ids[:end] for end in range(len(ids) - 1, 0, -1))
        begins = next((told[start] for start in shorter if start in told), None)
        if begins is not None:
            found.setdefault(begins, []).append(told[ids])
    return found


def _without(log_whole: float, log_parts: np.ndarray) -> float:
    """log(whole - parts), parts of the whole; at least what float64 can tell from nothing."""
    if np.isneginf(log_whole):
        return log_whole
    share = np.exp(np.logaddexp.reduce(log_parts) - log_whole)
    return float(log_whole + np.log(max(1 - share, np.finfo(np.float64).eps)))


def _check_tokens(aligned: Aligned, model: AttentionLens | PlainModel) -> None:
    rows, example = aligned.answer_rows, aligned.example
    if not rows or rows[0] < 0:
        raise ValueError(
            f"{model.name}: expected a prompt and an answer of at least one token each, got "
            f"{example.prompt[:80]!r} and {example.answer!r}"
        )
    unknown = model.tokenizer.unk_token_id
    if unknown is not None and unknown in {aligned.input_ids[row + 1] for row in rows}:
        raise ValueError(
            f"{model.name}: expected answers that the tokenizer knows, but {example.answer!r} "
            f"becomes {model.tokenizer.unk_token!r}"
        )


def _log_rest(said: np.ndarray, tokens: Sequence[int]) -> float:
    """log P(not these tokens) from log-probabilities (token, vocabulary): the model leaves the
    answer at its first token, or at its second, ... Without the loss of 1 - P where P is near 1."""
    others = said.copy()
    others[range(len(said)), tokens] = -np.inf
    leaves = np.logaddexp.reduce(others, axis=1)  # (token,)
    kept = said[range(len(said)), tokens].cumsum()
    return float(np.logaddexp.reduce(leaves + np.concatenate([[0.0], kept[:-1]])))
