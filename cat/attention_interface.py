"""Which models can be given an attention function of ours, and the one inside a wrapper.

:mod:`cat.rows` reads, and :mod:`cat.edited_attention` changes, softmax(QK) of a causal decoder on
transformers' attention interface. Any other model is refused, never left as it is in silence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from torch import nn

if TYPE_CHECKING:
    from transformers import PreTrainedModel

__all__ = ["UnsupportedModelError", "pretrained", "refuse_unsupported_model", "unsupported"]


class UnsupportedModelError(ValueError):
    """The model's attention is not softmax(QK) of a causal decoder, or not within our reach."""


def pretrained(model: nn.Module) -> PreTrainedModel:
    """The transformers model inside `model`: itself, or what PEFT, torch.compile or DDP wraps."""
    from transformers import PreTrainedModel

    for module in model.modules():  # outermost first
        if isinstance(module, PreTrainedModel):
            return module
    raise unsupported(model, "from transformers", "no PreTrainedModel inside it")


def refuse_unsupported_model(model: PreTrainedModel) -> None:
    """Raise UnsupportedModelError unless its weights are softmax(QK) of a causal decoder."""
    config = model.config.get_text_config()
    if (softcap := getattr(config, "attn_logit_softcapping", None)) is not None:
        raise unsupported(model, "that SDPA can run", f"attn_logit_softcapping={softcap}")
    for name, _ in model.named_parameters():
        if name.endswith(".sinks"):
            raise unsupported(model, "whose rows sum to 1", f"a learned attention sink, {name!r}")
    if not (model.is_backend_compatible() and getattr(model, "_supports_sdpa", False)):
        raise unsupported(model, "on transformers' attention interface with SDPA", "one without")
    if config.is_encoder_decoder or getattr(config, "is_causal", None) is False:
        raise unsupported(model, "that is a causal decoder", "an encoder")
    for name, module in model.named_modules():
        if getattr(module, "is_causal", True) is False:
            raise unsupported(model, "that is a causal decoder", f"is_causal=False in {name!r}")


def unsupported(model: nn.Module, expected: str, came: str) -> UnsupportedModelError:
    """The error to raise, with what to do."""
    return UnsupportedModelError(
        f"{type(model).__name__}: expected a model {expected}, came {came}. Use a decoder such as "
        'Llama, Qwen, Mistral or GPT-2, or read whole maps with attn_implementation="eager".'
    )
