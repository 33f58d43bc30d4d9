"""TransformerLens' bridge around a twin of a model, and what must hold of it.

Booting a bridge changes the model that it is given: parameters get other names, its own
``output_attentions`` returns nothing, ``save_pretrained`` raises. So a twin is booted: a copy of
the modules around the very same weights.
"""

from __future__ import annotations

import copy
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from catviz.patterns import AttentionPattern

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["PATTERN", "boot_twin", "check_patterns", "deaf_layers", "name_of"]

PATTERN = "blocks.{layer}.attn.hook_pattern"
_OUTPUT = "blocks.{layer}.attn.hook_out"
_PROBE = 5  # tokens of the text that a model is checked with


def boot_twin(model: Any, tokenizer: Any) -> tuple[Any, Any]:
    """(twin, bridge): a copy of the model that shares its weights, and the bridge around it.

    Raises:
        ValueError: no transformers or PEFT model, or one that TransformerLens cannot read.
    """
    from transformers import PreTrainedModel

    is_peft = hasattr(model, "get_base_model")
    if not isinstance(model, PreTrainedModel) and not is_peft:
        raise ValueError(
            f"expected a transformers model or a PEFT model, got {type(model).__name__}; unwrap "
            "it first, or load one with AttentionLens.load(name)"
        )
    from transformer_lens.model_bridge import TransformerBridge

    twin = copy.deepcopy(model, {id(t): t for t in (*model.parameters(), *model.buffers())})
    twin.eval()
    own_tokenizer = copy.deepcopy(tokenizer)
    own_tokenizer.name_or_path = getattr(tokenizer, "name_or_path", "") or name_of(model)
    try:
        bridge = TransformerBridge.boot_transformers(
            name_of(model),
            hf_model=twin.get_base_model() if is_peft else twin,
            tokenizer=own_tokenizer,
        )
    except (ValueError, KeyError, RuntimeError, AttributeError) as error:
        raise ValueError(
            f"TransformerLens cannot read a {type(model).__name__}: {str(error)[:200]}. Mean maps "
            "and densities need no lens: see catviz.reading and catviz.density"
        ) from error
    bridge.eval()
    return twin, bridge


def check_patterns(bridge: Any, name: str) -> None:
    """Read one short text and refuse patterns that are not those of a causal decoder."""
    import torch

    layers: list[Tensor] = []

    def keep(pattern: Tensor, hook: Any) -> None:
        layers.append(pattern)

    n_layers = bridge.cfg.n_layers
    hooks = [(PATTERN.format(layer=layer), keep) for layer in range(n_layers)]
    with torch.inference_mode(), bridge.hooks(fwd_hooks=hooks):
        bridge(_probe(bridge))
    if len(layers) != n_layers:
        raise ValueError(
            f"{name}: expected {n_layers} attention patterns, one a layer, got {len(layers)}: not "
            "every layer of this architecture is softmax attention"
        )
    AttentionPattern.from_attentions(layers, [str(t) for t in range(_PROBE)], model=name)


def deaf_layers(bridge: Any) -> list[int]:
    """Layers on whose output an edit of their pattern has no effect.

    TransformerLens marks such adapters by ``maintain_native_attention``, but others as well, so
    what happens is looked at: where no key gets any attention, a layer says the same at every
    position, unless it did not listen.
    """
    import torch

    said: dict[int, Tensor] = {}

    def silence(pattern: Tensor, hook: Any) -> Tensor:
        return torch.zeros_like(pattern)

    def listen_to(layer: int) -> Callable[..., None]:
        def keep(output: Any, hook: Any) -> None:
            said[layer] = output[0] if isinstance(output, tuple) else output

        return keep

    layers = range(bridge.cfg.n_layers)
    hooks: list[tuple[str, Callable[..., Any]]] = []
    for layer in layers:
        hooks.append((PATTERN.format(layer=layer), silence))
        hooks.append((_OUTPUT.format(layer=layer), listen_to(layer)))
    with torch.inference_mode(), bridge.hooks(fwd_hooks=hooks), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the adapters that do not listen
        bridge(_probe(bridge))
    return [layer for layer in layers if not torch.allclose(said[layer], said[layer][:, :1])]


def _probe(bridge: Any) -> Tensor:
    import torch

    return torch.arange(1, _PROBE + 1, device=next(bridge.parameters()).device)[None]


def name_of(model: Any) -> str:
    """What a model calls itself: its folder or hub name, or its class."""
    config = getattr(model, "config", None)
    return getattr(config, "_name_or_path", "") or type(model).__name__
