"""Methods that rewrite the training texts: what is no cause of the answer changes or goes.

They are told what CAT is told, which words are causes, and nothing of the test texts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from random import Random
from typing import Any

import torch
from torch import Tensor

from cat.alignment import align_all
from cat.batches import IGNORED, Collator, label_positions
from cat.config import CATConfig
from cat.evaluate import Evaluation, evaluate_answers
from cat.methods.method import Method
from cat.methods.penalised import Penalised, check_positive
from cat.methods.tuning import Tuning
from cat.objective import Batch
from cat.redraw import redraw
from cat.scm import Role
from cat.signals import Example, RoleSpan, Signal, Span

__all__ = ["CDA", "CausalOnly", "Invariant", "Twins", "causes_only", "counterfactuals"]

NOT_CAUSAL: tuple[Role, ...] = ("spurious", "irrelevant")


@dataclass(frozen=True)
class CDA(Method):
    """Counterfactual data augmentation: the texts, and copies with the non-causal values redrawn.

    As many steps as plain training, so a text is seen less often.

    Attributes:
        copies: of each text; of 1 and 5, 5 did better on STG_M, and they did alike on STG_S.
    """

    name = "cda"
    source = "Kaushik, Hovy and Lipton 2020, ICLR; copies made by rule, as the game allows"

    copies: int = 5

    def __post_init__(self) -> None:
        _check_copies(self.copies)

    def fit(self, tuning: Tuning) -> Any:
        new = counterfactuals(tuning.examples, seed=tuning.seed, copies=self.copies)
        return tuning.train([*tuning.examples, *new])


@dataclass(frozen=True)
class CausalOnly(Method):
    """Plain fine-tuning on texts that tell the causes alone, and such texts to answer: a ceiling.

    It answers other questions than the other methods: someone must take the factors out that are
    no causes, when it is used too.
    """

    name = "causal-only"
    source = "the bound of any method that reads causes alone"

    def fit(self, tuning: Tuning) -> Any:
        return tuning.train([causes_only(example) for example in tuning.examples])

    def evaluate(
        self, model: Any, tokenizer: Any, examples: Sequence[Example], **asking: Any
    ) -> Evaluation:
        told = [causes_only(example) for example in examples]
        return evaluate_answers(model, tokenizer, told, **asking)


@dataclass(frozen=True)
class Invariant(Method):
    """L_next + weight * KL(p(answer | text) || p(answer | twin)): a twin is the same text with the
    non-causal values redrawn.

    Costs a forward pass more than plain training, on the twins.

    Attributes:
        weight: of the divergence, its mean over the answers' tokens; of 0.1, 0.3, 1, 3 and 10,
            those from 1 on did alike.
        copies: how many twins a text has; one of them stands in at each step.
    """

    name = "invariant"
    source = "Veitch et al. 2021, Counterfactual Invariance, NeurIPS; the divergence is ours"

    weight: float = 1.0
    copies: int = 5

    def __post_init__(self) -> None:
        check_positive("weight", self.weight)
        _check_copies(self.copies)

    def fit(self, tuning: Tuning) -> Any:
        twins = [
            counterfactuals(tuning.examples, seed=seed, copies=1)
            for seed in Random(tuning.seed).sample(range(2**32), self.copies)
        ]
        max_length = int(tuning.settings.get("max_length", CATConfig.max_length))
        divergence = Twins(twins, tuning.tokenizer, seed=tuning.seed, max_length=max_length)
        return tuning.train(objective=Penalised(divergence, self.weight))


def counterfactuals(examples: Sequence[Example], *, seed: int, copies: int) -> list[Example]:
    """Copies of the examples, all non-causal values redrawn; see :func:`cat.redraw.redraw`.

    Each factor is drawn on its own, from the values that it has in the examples. Causes, answer,
    order and formatting stay.

    Raises:
        ValueError: an example without a factor that is marked as spurious or irrelevant.
    """
    return redraw(list(examples) * copies, NOT_CAUSAL, seed=seed)


class Twins:
    """KL(p(answer | text) || p(answer | twin)), the mean over the answers' tokens of a batch.

    Args:
        twins: lists of twins of all training texts; each batch takes its twins from one of them.
        seed: of that choice.
        max_length: tokens kept of a twin, as of a text.
    """

    def __init__(
        self,
        twins: Sequence[Sequence[Example]],
        tokenizer: Any,
        *,
        seed: int,
        max_length: int | None = None,
    ) -> None:
        self._aligned = [align_all(each, tokenizer, max_length=max_length)[0] for each in twins]
        self._collate = Collator(tokenizer.pad_token_id)
        self._rng = Random(seed)

    def __call__(self, batch: Batch) -> Tensor:
        twins = self._rng.choice(self._aligned)
        inputs = self._collate([twins[index] for index in batch.inputs["index"].tolist()])
        inputs = {name: tensor.to(batch.logits.device) for name, tensor in inputs.items()}
        predicting = label_positions(inputs["labels"])
        outputs = batch.model(
            input_ids=inputs["input_ids"],
            attention_mask=inputs["attention_mask"],
            logits_to_keep=predicting,
            use_cache=False,
        )
        labels = inputs["labels"][:, predicting + 1]
        ours, theirs = batch.labels != IGNORED, labels != IGNORED
        if not torch.equal(batch.labels[ours], labels[theirs]):
            raise ValueError(
                "expected each text and its twin to end in the same answer, token by token: leave "
                "answer_only=True, and raise max_length so that every answer fits"
            )
        return torch.nn.functional.kl_div(
            outputs.logits[theirs].float().log_softmax(-1),
            batch.logits[ours].float().log_softmax(-1),
            reduction="batchmean",
            log_target=True,
        )


def causes_only(example: Example) -> Example:
    """The example without the factors that are no causes, and without what joined them.

    Raises:
        ValueError: no factor is marked as a cause, so that nothing would be left to go by.

    >>> from cat.stg import annotate, stg_e
    >>> example = annotate(Example.from_record(stg_e()["test_ood"][0]))
    >>> causes_only(example).text.partition("cancer. ")[2]
    'Smoking: 10, Exercise: 1, Weight: 1 Answer: '
    """
    if not any(factor.role == "causal" for factor in example.roles):
        raise ValueError(
            "expected a text with factors that are marked as causes, got none in "
            f"{example.prompt[:60]!r}; cat.stg.annotate marks a game's"
        )
    gaps = [gap for factors in _lists(example) for gap in _gaps(example.text, factors)]
    return _without(example, gaps)


def _lists(example: Example) -> list[list[RoleSpan]]:
    """The factors, in the lists that they form: between two are commas, semicolons or spaces."""
    lists: list[list[RoleSpan]] = []
    for factor in sorted(example.roles, key=lambda factor: factor.span.start):
        if lists and re.fullmatch(
            r"[,;\s]*", example.text[lists[-1][-1].span.end : factor.span.start]
        ):
            lists[-1].append(factor)
        else:
            lists.append([factor])
    return lists


def _gaps(text: str, factors: list[RoleSpan]) -> list[Span]:
    """What to take out of a text so that a list tells its causes alone and still reads well."""
    causal = [factor.role == "causal" for factor in factors]
    if not any(causal):  # the sentence goes as a whole
        start, end = factors[0].span.start, factors[-1].span.end
        sentence_end = re.compile(r"[.,;]?\s*").match(text, end)
        return [Span(start, sentence_end.end() if sentence_end else end)]
    first = causal.index(True)
    before = [
        Span(factor.span.start, following.span.start)
        for factor, following in pairwise(factors[: first + 1])
    ]
    after = [
        Span(previous.span.end, factor.span.end)
        for previous, factor in pairwise(factors[first:])
        if factor.role != "causal"
    ]
    return before + after


def _without(example: Example, gaps: list[Span]) -> Example:
    """The example without some stretches of its text, all places moved."""

    def moved(span: Span) -> Span:
        start, end = (
            at - sum(min(at, gap.end) - gap.start for gap in gaps if gap.start < at) for at in span
        )
        return Span(start, end)

    text = example.text
    for start, end in sorted(gaps, reverse=True):
        text = text[:start] + text[end:]
    signals = tuple(
        Signal(
            moved(s.effect) if isinstance(s.effect, Span) else s.effect,
            tuple(moved(c) if isinstance(c, Span) else c for c in s.causes),
        )
        for s in example.signals
    )
    roles = tuple(replace(r, span=moved(r.span)) for r in example.roles if r.role == "causal")
    return Example(text, example.answer, signals, roles)


def _check_copies(copies: int) -> None:
    if isinstance(copies, bool) or not isinstance(copies, int) or copies < 1:
        raise ValueError(f"expected copies as a whole number of at least 1, got {copies!r}")
