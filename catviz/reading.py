"""Reading the mean attention of a model: one text's map, or one row of each text of a data set.

Both go through :func:`cat.rows.attention_rows`, the attention that training supervises: the mean
over all layers and heads. The model is left as it was.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from cat.alignment import align
from cat.signals import Example
from catviz.maps import MeanMap
from catviz.roles import words_of
from catviz.words import ROLES

__all__ = ["mean_map", "role_scores"]


def mean_map(model: Any, tokenizer: Any, example: Example, *, name: str, text: str) -> MeanMap:
    """The mean attention map of one prompt, its last row the one that predicts the answer.

    Args:
        name: what to call the model in the figure.
        text: what to call the text, for example "OOD text".
    """
    import torch

    from cat.rows import attention_rows

    aligned = align(example, tokenizer)
    length = aligned.answer_start
    input_ids = torch.tensor([aligned.input_ids[:length]], device=model.device)
    rows = torch.arange(length, device=model.device)[None]  # every row of the map
    with torch.inference_mode():
        attention = attention_rows(model, input_ids, None, rows)[0]  # (query, key)
    values = attention.cpu().numpy()
    return MeanMap(values, words_of(aligned, length), model=name, text=text)


def role_scores(
    model: Any,
    tokenizer: Any,
    examples: Sequence[Example],
    *,
    batch_size: int = 32,
) -> dict[str, np.ndarray]:
    """The attention score of every factor of every text, by role: the paper's Figure 3.

    A factor's score is the mean attention on its tokens in the rows that predict the answer. Texts
    pass in batches and only the scores are kept, 4 bytes a factor.

    Raises:
        ValueError: no text has factors with roles (only the game's texts do by themselves).
    """
    import torch

    from cat.batches import Collator
    from cat.rows import attention_rows

    collate = Collator(tokenizer.pad_token_id)
    scores: dict[str, list[float]] = {role: [] for role in ROLES if role != "other"}
    for start in range(0, len(examples), batch_size):
        aligned = [align(e, tokenizer) for e in examples[start : start + batch_size]]
        batch = collate(aligned)
        answer_rows = [torch.tensor(item.answer_rows) for item in aligned]
        rows = torch.nn.utils.rnn.pad_sequence(answer_rows, batch_first=True, padding_value=-1)
        with torch.inference_mode():
            attention = attention_rows(
                model,
                batch["input_ids"].to(model.device),
                batch["attention_mask"].to(model.device),
                rows.to(model.device),
            )  # (batch, row, key)
        for item, item_rows, weights in zip(aligned, answer_rows, attention.cpu(), strict=True):
            row = weights[: len(item_rows)].mean(dim=0)  # (key,)
            for factor in item.example.roles:
                tokens = item.tokens_of(factor.span)
                scores[factor.role].append(float(row[tokens].mean()))
    if not any(scores.values()):
        raise ValueError(
            "expected texts with factors that have roles, got none: read them through "
            "cat.stg.annotate, or give the examples roles"
        )
    return {role: np.asarray(values, dtype=np.float32) for role, values in scores.items() if values}
