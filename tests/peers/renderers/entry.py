"""renderers by its own entry point and nothing of maskspec: a conversation in, the text that carries loss out.

Texts are spelled byte by byte, with each family's markers as tokens of their own, so that no token crosses a border and
what is trained can be read as text.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from tests.peers.alone import byte_level, needs

needed = needs("renderers", "0.1.12")

_CHATML = (
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<think>", "</think>", "<tool_call>", "</tool_call>",
    "<tool_response>", "</tool_response>",
)  # fmt: skip
_VISION = ("<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
_GLM = (
    "[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<arg_key>", "</arg_key>",
    "<arg_value>", "</arg_value>",
)  # fmt: skip
_DEEPSEEK = tuple(
    f"<｜{name}｜>"
    for name in (
        "begin▁of▁sentence", "end▁of▁sentence", "User", "Assistant", "tool▁calls▁begin", "tool▁calls▁end",
        "tool▁call▁begin", "tool▁call▁end", "tool▁sep", "tool▁outputs▁begin", "tool▁outputs▁end",
        "tool▁output▁begin", "tool▁output▁end",
    )
)  # fmt: skip
_KIMI = (
    "[BOS]", "[EOS]", "[EOT]", "<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>",
    "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
)  # fmt: skip

MARKERS: dict[str, tuple[str, ...]] = {
    "qwen3": _CHATML,
    "qwen3.5": _CHATML + _VISION,
    "qwen3.6": _CHATML + _VISION,
    "glm-4.5": (*_GLM, *_CHATML[2:]),
    "deepseek-v3": _DEEPSEEK,
    "deepseek-r1": _DEEPSEEK,
    "kimi-k2": _KIMI,
}
"""The markers of each renderer's format."""


@cache
def spelling(*markers: str) -> Any:
    """A tokenizer that spells texts byte by byte and knows these markers."""
    tokenizers = importlib.import_module("tokenizers")
    found = byte_level()
    found.add_tokens([tokenizers.AddedToken(marker, special=True, normalized=False) for marker in markers])
    return found


def renderer(name: str, **options: Any) -> Any:
    """A renderer by its name, with these variables of its template."""
    library = importlib.import_module("renderers")
    config = library.config_from_name(name)
    return library.create_renderer(spelling(*MARKERS[name]), config, chat_template_kwargs=options)


class Harmony:
    """openai-harmony's own vocabulary as the tokenizer of gpt-oss's renderer, with what the README asks of one."""

    unk_token_id = None
    eos_token_id = None

    def __init__(self) -> None:
        place = metadata.distribution("tml-renderers").locate_file("tml_renderers/data/o200k_base.tiktoken")
        os.environ.setdefault("TIKTOKEN_ENCODINGS_BASE", str(Path(str(place)).parent))
        self.encoding = importlib.import_module("openai_harmony").load_harmony_encoding("HarmonyGptOss")

    def encode(self, text: str, *, add_special_tokens: bool = False) -> list[int]:
        assert not add_special_tokens
        ids: list[int] = self.encoding.encode(text, allowed_special="all")
        return ids

    def decode(self, ids: Sequence[int], **_: Any) -> str:
        text: str = self.encoding.decode(list(ids))
        return text

    def convert_tokens_to_ids(self, token: str) -> int:
        return self.encode(token)[0]


def gpt_oss(**fields: Any) -> Any:
    """The renderer of gpt-oss with these fields of its configuration."""
    library = importlib.import_module("renderers")
    return library.create_renderer(Harmony(), library.GptOssRendererConfig(**fields))


def sample(made: Any, messages: list[dict[str, Any]], **options: Any) -> Any:
    """The sample that a trainer gets."""
    return importlib.import_module("renderers.base").build_training_sample(made, messages, **options)


def whole(made: Any, messages: list[dict[str, Any]], **options: Any) -> str:
    """The text of a sample."""
    text: str = made._tokenizer.decode(sample(made, messages, **options).token_ids)
    return text


def trained(made: Any, messages: list[dict[str, Any]], **options: Any) -> str:
    """The text of the tokens of a sample that carry loss."""
    built = sample(made, messages, **options)
    assert len(built.token_ids) == len(built.loss_mask)
    ids = [item for item, loss in zip(built.token_ids, built.loss_mask, strict=True) if loss]
    text: str = made._tokenizer.decode(ids)
    return text


def prompt(made: Any, messages: list[dict[str, Any]]) -> str:
    """The text that the renderer itself hands to a model that has to go on."""
    text: str = made._tokenizer.decode(made.render_ids(messages, add_generation_prompt=True))
    return text
