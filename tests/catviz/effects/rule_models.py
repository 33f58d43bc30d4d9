"""Models that answer by a rule on the words they read, so that their effects are known."""

from __future__ import annotations

import re
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch

from cat.models import tiny_tokenizer
from catviz.effects.plain import PlainModel

SURE = 40.0  # log-odds of the answer that the rule gives
STOP = "\n"


class _Rule(torch.nn.Module):
    """Says, after the prompt, ``rule(prompt)`` token by token, and then ``STOP``."""

    def __init__(self, tokenizer: Any, rule: Callable[[str], str]) -> None:
        super().__init__()
        self.tokenizer, self.rule = tokenizer, rule
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> Any:
        logits = torch.zeros(*input_ids.shape, len(self.tokenizer))
        for b, (ids, mask) in enumerate(zip(input_ids, attention_mask, strict=True)):
            ids = ids[mask.bool()].tolist()
            prompt, _, said = self.tokenizer.decode(ids).partition("Answer:")
            said_ids = self.tokenizer.encode(said) if said else []
            right = [*self.tokenizer.encode(f" {self.rule(prompt)}"), *self.tokenizer.encode(STOP)]
            for j in range(len(said_ids) + 1):
                if said_ids[:j] == right[:j] and j < len(right):
                    logits[b, len(ids) - len(said_ids) - 1 + j, right[j]] = SURE
        return SimpleNamespace(logits=logits)


def risk_model(rule: Callable[[dict[str, int]], bool], name: str = "rule") -> PlainModel:
    """Over the embedded tokenizer: "High Risk" where the rule says so of the factors' values."""
    tokenizer = tiny_tokenizer()

    def answer(prompt: str) -> str:
        values = {n: int(v) for n, v in re.findall(r"([A-Z][a-z ]+): (\d+)", prompt)}
        return "High Risk" if rule(values) else "Low Risk"

    return PlainModel(_Rule(tokenizer, answer), tokenizer, name)


def digit_model(rule: Callable[[str], str], name: str = "digits") -> PlainModel:
    """Over a tokenizer that writes every number digit by digit (every byte is a token)."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    core = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    core.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    core.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=core, clean_up_tokenization_spaces=False, name_or_path=name
    )
    return PlainModel(_Rule(tokenizer, rule), tokenizer, name)
