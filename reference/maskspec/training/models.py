"""The models that are trained: transformers' own classes with random weights, sized to the device."""

from __future__ import annotations

import math
from typing import Any

import torch

from maskspec.errors import UsageError
from maskspec.suggestions import suggestion
from maskspec.training.devices import Device
from maskspec.training.sizes import Size

__all__ = ["ARCHITECTURES", "USUAL", "build_model", "count_parameters", "wide"]

ARCHITECTURES: tuple[str, ...] = ("llama", "qwen2", "qwen3")
"""The architectures by the name that `--architecture` takes."""

USUAL = 0.02
"""The spread of weights that training begins with in most published models."""


def wide(size: Size) -> float:
    """The spread of weights with which every token of the context matters to a prediction.

    With `USUAL` an untrained model hardly attends to anything, and one that sees the wrong context has nearly
    the same loss as one that sees the right one. Divided by the root of the width it gives queries and keys of about
    the same size in a model of any width, so that attention prefers some tokens and forgets none.
    """
    return 1.6 / math.sqrt(size.hidden)


def build_model(architecture: str, size: Size, *, vocabulary: int, device: Device, seed: int, spread: float) -> Any:
    """A causal language model with random weights, the same for the same seed.

    `vocabulary` is the number of tokens it knows and `spread` the standard deviation of its weights.

    Raises:
        UsageError: the architecture is not known.
    """
    import transformers

    makers = {
        "llama": (transformers.LlamaConfig, transformers.LlamaForCausalLM),
        "qwen2": (transformers.Qwen2Config, transformers.Qwen2ForCausalLM),
        "qwen3": (transformers.Qwen3Config, transformers.Qwen3ForCausalLM),
    }
    if architecture not in makers:
        hint = suggestion(architecture, makers, otherwise=f"known are {', '.join(makers)}")
        raise UsageError(f"there is no architecture {architecture!r}{hint}")
    configuration, model = makers[architecture]
    config = configuration(
        vocab_size=vocabulary,
        hidden_size=size.hidden,
        intermediate_size=size.intermediate,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.key_value_heads,
        head_dim=size.hidden // size.heads,
        max_position_embeddings=max(size.row_length, 1024),
        initializer_range=spread,
        tie_word_embeddings=False,
        # Defaults of the classes are ids of their own vocabularies.
        bos_token_id=None,
        eos_token_id=None,
        pad_token_id=None,
        attn_implementation="sdpa",
    )
    torch.manual_seed(seed)
    return model(config).to(device.kind)


def count_parameters(model: Any) -> int:
    """How many numbers a model learns."""
    return sum(parameter.numel() for parameter in model.parameters())
