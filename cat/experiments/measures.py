"""What a result says beside its accuracy: where the answers look, and what they depend on.

*Attention*: the mean score of a word of each role (:mod:`cat.word_scores`), the ratio C/N and the
causal mass, in the rows that predict the answer. *Effects*: the values of one role are redrawn
(:mod:`cat.redraw`), and the model is asked again. Attention is not explanation: a model may look at
the causes and still answer by their companions, so both are measured, on the same texts.

>>> from cat.methods import make_method
>>> from cat.models import load_model
>>> from cat.stg import annotate, stg_e
>>> stg = stg_e(n_test=50)
>>> texts = {n: [annotate(Example.from_record(r)) for r in stg[n]] for n in TESTS}
>>> measured = measure(*load_model("tiny/plain"), make_method("plain"), texts, whole=False)
>>> measured["attention"]["test_ood"]["ratio_median"] < 2
True
>>> ood = measured["effects"]["test_ood"]
>>> ood["causal_flips"] > ood["spurious_flips"] > ood["irrelevant_flips"]
True
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from cat.alignment import align, align_all
from cat.evaluate import Evaluation, same_answer
from cat.modes import evaluating
from cat.redraw import redraw
from cat.scm import CausalModel, Role
from cat.signals import Example
from cat.stg import read_factors
from cat.tiny import suitable_threads
from cat.word_scores import (
    SCORED_ROLES,
    ReadText,
    TextScores,
    answer_attention,
    read_text,
    score_text,
)

if TYPE_CHECKING:
    from cat.methods import Method

__all__ = ["TESTS", "measure"]

TESTS = ("test_iid", "test_ood")
MOST_TEXTS = 200
MOST_TEXTS_LARGE = 40
"""Of a model of more than ten million weights on a CPU, where 200 would take longer than tuning."""
LARGE = 10_000_000
WHOLE_TEXTS = 100
BATCH = 64
SEED = 0  # of the redrawn values: the same texts for every run
DIGITS = 4

Measured = dict[str, Any]


def measure(
    model: Any,
    tokenizer: Any,
    method: Method,
    texts: Mapping[str, Sequence[Example]],
    *,
    whole: bool,
) -> Measured:
    """Attention and effects of a fitted model on the test texts, for JSON.

    Args:
        method: by which the model was fitted, and is asked.
        texts: ``test_iid`` and ``test_ood``, with roles; the first 200 of each are read (40 for
            models of more than ten million weights on a CPU).
        whole: also the score of every word of the first 100 of the OOD texts read, and the mean map
            of the first.

    Returns:
        ``attention``: test set -> ``texts``; ``ratio_median``, ``ratio_mean`` of C/N over texts,
        ``ratio_median_behind_first`` with the text's first token (the attention sink) left out,
        ``ratio_median_per_layer``; ``causal_mass``; ``causal``, ``spurious``, ``irrelevant``, the
        mean score of a word of that role.

        ``effects``: test set -> ``texts``; for each role ``ROLE_flips``, the share of texts whose
        answer changes when the values of this role are redrawn, each on its own, and ``ROLE_nats``,
        the mean absolute change of log P(the answer given to the text as it was);
        ``causal_accuracy``, the share of right answers where causes were redrawn, by the game's
        rule on the new values as written (and ``causal_mean_absolute_error`` for numbers).

        ``words``: role -> scores; ``map``: ``text``, its number;
        ``answer_row``, which predicts the answer's first token; ``tokens``, with the role and the
        factor of each (``roles``, ``names``); ``rows``, the lower triangle.

        ``left_out``: what is not there -> why. A method that asks in a way of its own (edited
        attention, other texts) has flips only.
    """
    if reason := _not_finite(model):
        return {"left_out": {"attention": reason, "effects": reason}}
    own_way = _asks_in_its_own_way(method)
    measured: Measured = {"attention": {}, "effects": {}}
    left_out: dict[str, str] = {}
    with suitable_threads(model):
        for name in TESTS:
            examples = list(texts[name][: _most_texts(model)])
            if reason := _unusable(examples):
                left_out[name] = reason
                continue
            if not own_way:
                scores = _scores(model, tokenizer, examples)
                measured["attention"][name] = _attention(scores)
            measured["effects"][name] = _effects(model, tokenizer, method, examples)
            if whole and name == "test_ood" and not own_way:
                measured["words"] = _words(scores[:WHOLE_TEXTS])
                measured["map"] = _map(model, tokenizer, examples[0])
    if own_way:
        left_out["attention"] = left_out["nats"] = own_way
    if left_out:
        measured["left_out"] = left_out
    return measured


# ----------------------------------------------------------------------------- what can be measured


def _not_finite(model: Any) -> str:
    import torch

    if all(bool(torch.isfinite(parameter).all()) for parameter in model.parameters()):
        return ""
    return "the model has NaN or infinite weights: training diverged"


def _asks_in_its_own_way(method: Method) -> str:
    from cat.methods import Method

    if type(method).evaluate is Method.evaluate:
        return ""
    return f"{method.name} asks in a way of its own, which a bare forward pass would not show"


def _unusable(examples: Sequence[Example]) -> str:
    if not examples:
        return "no text"
    without = sum(not example.roles or not example.answer for example in examples)
    return f"{without} of {len(examples)} texts have no roles or no answer" if without else ""


def _most_texts(model: Any) -> int:
    weights = sum(parameter.numel() for parameter in model.parameters())
    slow = weights > LARGE and model.device.type == "cpu"
    return MOST_TEXTS_LARGE if slow else MOST_TEXTS


# ----------------------------------------------------------------------------- attention


def _scores(model: Any, tokenizer: Any, examples: Sequence[Example]) -> list[TextScores]:
    """The scores of each text, per layer; texts in which no role has a token are left out."""
    read = [read_text(e, tokenizer, number=number) for number, e in enumerate(examples)]
    kept = [text for text in read if text is not None]
    return [
        score_text(text, attention)
        for batch in _batches(kept)
        for text, attention in zip(batch, answer_attention(model, batch, "layer"), strict=True)
    ]


def _attention(scores: Sequence[TextScores]) -> Measured:
    causes = np.stack([s.on_causes for s in scores])  # (text, layer)
    others = np.stack([s.on_others for s in scores])
    causes_behind = np.stack([s.on_causes_behind_first for s in scores])
    others_behind = np.stack([s.on_others_behind_first for s in scores])
    ratios = causes.mean(axis=1) / others.mean(axis=1)  # (text,), in the mean map
    behind = causes_behind.mean(axis=1) / others_behind.mean(axis=1)
    return {
        "texts": len(scores),
        "ratio_median": _short(np.median(ratios)),
        "ratio_mean": _short(ratios.mean()),
        "ratio_median_behind_first": _short(np.median(behind)),
        "ratio_median_per_layer": [_short(m) for m in np.median(causes / others, axis=0)],
        "causal_mass": _short(np.mean([s.causal_mass for s in scores])),
        **{role: _short(np.mean(values)) for role, values in _by_role(scores).items()},
    }


def _words(scores: Sequence[TextScores]) -> dict[Role, list[float | None]]:
    return {role: [_short(v) for v in values] for role, values in _by_role(scores).items()}


def _by_role(scores: Sequence[TextScores]) -> dict[Role, np.ndarray]:
    """Role -> the score of each of its words, in the mean map."""
    roles = np.concatenate([s.roles for s in scores])  # (word,)
    values = np.concatenate([s.values.mean(axis=0) for s in scores])  # (word,), of (layer, word)
    return {role: values[roles == role] for role in SCORED_ROLES if (roles == role).any()}


def _map(model: Any, tokenizer: Any, example: Example) -> Measured:
    """The mean map of a text up to the row that predicts the end of its answer."""
    aligned = align(example, tokenizer, add_eos=False)
    size = len(aligned.input_ids)
    (rows,) = answer_attention(model, [ReadText(0, aligned.input_ids, range(size), ())])
    tokens = [example.full_text[start:end] for start, end in aligned.offsets]
    factors = {t: word for word in example.roles for t in aligned.tokens_of(word.span)}
    return {
        "text": 0,
        "answer_row": aligned.answer_rows[0],
        "tokens": tokens,
        "roles": [factors[t].role if t in factors else "other" for t in range(size)],
        "names": [factors[t].name if t in factors else "" for t in range(size)],
        "rows": [[_short(v) for v in row[: at + 1]] for at, row in enumerate(rows)],
    }


# ----------------------------------------------------------------------------- effects


def _effects(model: Any, tokenizer: Any, method: Method, examples: list[Example]) -> Measured:
    n = len(examples)
    there: list[Role] = [
        role for role in SCORED_ROLES if all(any(w.role == role for w in e.roles) for e in examples)
    ]
    game = read_factors(examples[0].text)
    rule = game[0] if game else None
    redrawn = {
        role: _redrawn(tuple(examples), role, rule if role == "causal" else None) for role in there
    }
    asked = method.evaluate(model, tokenizer, [*examples, *(e for r in there for e in redrawn[r])])
    before = asked.answers[:n]
    effects: Measured = {"texts": n}
    own_way = bool(_asks_in_its_own_way(method))
    as_it_was = None if own_way else _log_probabilities(model, tokenizer, examples, before)
    for place, role in enumerate(there, start=1):
        after = asked.answers[place * n : (place + 1) * n]
        flips = [not same_answer(*pair) for pair in zip(before, after, strict=True)]
        effects[f"{role}_flips"] = sum(flips) / n
        if as_it_was is not None:
            now = _log_probabilities(model, tokenizer, redrawn[role], before)
            known = ~np.isnan(as_it_was)  # an empty answer has no probability
            effects[f"{role}_nats"] = _short(_mean(np.abs(now - as_it_was)[known]))
        if role == "causal" and rule is not None:
            evaluation = Evaluation(after, tuple(e.answer for e in redrawn[role]))
            effects["causal_accuracy"] = evaluation.accuracy
            if (error := evaluation.mean_absolute_error) is not None:
                effects["causal_mean_absolute_error"] = _short(error)
    return effects


@lru_cache(maxsize=32)  # a sweep asks every model about the same texts
def _redrawn(examples: Sequence[Example], role: Role, rule: CausalModel | None) -> list[Example]:
    return redraw(examples, (role,), seed=SEED, game=rule)


def _log_probabilities(
    model: Any, tokenizer: Any, examples: Sequence[Example], answers: Sequence[str]
) -> np.ndarray:
    """(text,): log P(answer | prompt) in nats, the sum over the answer's tokens; NaN for none."""
    import torch
    from torch.nn.utils.rnn import pad_sequence

    found = np.full(len(examples), np.nan)
    asked, _ = align_all(
        [Example(e.text, answer) for e, answer in zip(examples, answers, strict=True)],
        tokenizer,
        add_eos=False,
    )
    kept = [number for number, text in enumerate(asked) if text.answer_rows]
    with torch.inference_mode(), evaluating(model):
        for batch in _batches(kept):
            texts = [asked[number] for number in batch]
            # Padding behind a text is hidden from its rows as later tokens are.
            ids = pad_sequence([torch.tensor(t.input_ids) for t in texts], batch_first=True)
            first = min(t.answer_rows[0] for t in texts)
            logits = model(
                input_ids=ids.to(model.device),
                logits_to_keep=torch.arange(first, ids.shape[1] - 1, device=model.device),
                use_cache=False,
            ).logits
            logs = logits.float().log_softmax(dim=-1)  # (text, position, vocabulary)
            for place, (number, text) in enumerate(zip(batch, texts, strict=True)):
                rows = torch.tensor(text.answer_rows)
                said = logs[place, rows - first, ids[place, rows + 1]]
                found[number] = float(said.sum())
    return found


def _batches(items: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(items), BATCH):
        yield items[start : start + BATCH]


def _mean(values: np.ndarray) -> float:
    """NaN, without a warning, for no value."""
    return float(values.mean()) if values.size else math.nan


def _short(value: Any) -> float | None:
    """For JSON: four significant digits; None for what is no finite number."""
    return float(f"{float(value):.{DIGITS}g}") if math.isfinite(value) else None
