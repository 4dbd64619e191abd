"""tinker-cookbook by its own entry point and nothing of maskspec: a conversation in, the text that carries loss out.

Texts are spelled byte by byte, with each family's markers as tokens of their own, so that no token crosses a border and
what is trained can be read as text.
"""

from __future__ import annotations

import importlib
import json
import logging
from functools import cache
from typing import Any

from tests.peers.alone import byte_level, needs

needed = needs("tinker-cookbook", "0.6.1")

_TAGS = ("<think>", "</think>", "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>")
_CHATML = (
    "<|im_start|>", "<|im_end|>", "<|endoftext|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", *_TAGS,
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
    "[BOS]", "[EOS]", "<|im_system|>", "<|im_user|>", "<|im_assistant|>", "<|im_middle|>", "<|im_end|>",
    "<|tool_calls_section_begin|>", "<|tool_calls_section_end|>", "<|tool_call_begin|>", "<|tool_call_argument_begin|>",
    "<|tool_call_end|>", "<think>", "</think>",
)  # fmt: skip
_HARMONY = (
    "<|start|>", "<|end|>", "<|message|>", "<|channel|>", "<|constrain|>", "<|return|>", "<|call|>", "<|startoftext|>",
    "<|endoftext|>",
)  # fmt: skip
_LLAMA = ("<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>")

MARKERS: dict[str, tuple[str, ...]] = {
    "qwen3": _CHATML,
    "deepseekv3": (*_DEEPSEEK, "<think>", "</think>"),
    "kimi": _KIMI,
    "gpt": _HARMONY,
    "llama3": _LLAMA,
}
"""The markers of each format, by the beginning of the renderer's name."""


@cache
def spelling(*markers: str) -> Any:
    """A tokenizer that spells texts byte by byte and knows these markers."""
    tokenizers = importlib.import_module("tokenizers")
    found = byte_level()
    # As in the vocabularies themselves, tags that models write are no special tokens.
    found.add_tokens(
        [tokenizers.AddedToken(marker, special=marker not in _TAGS, normalized=False) for marker in markers]
    )
    return found


def renderer(name: str) -> Any:
    """A renderer by its name."""
    markers = next(found for start, found in MARKERS.items() if name.startswith(start))
    library = importlib.import_module("tinker_cookbook.renderers")
    logging.getLogger("tinker_cookbook").setLevel(logging.CRITICAL)
    return library.get_renderer(name, spelling(*markers), model_name=name)


def messages(conversation: list[dict[str, Any]]) -> list[Any]:
    """The cookbook's messages, made by its own converter."""
    made: list[Any] = importlib.import_module("tinker_cookbook.third_party.openai_compat").openai_messages_to_tinker(
        conversation
    )
    return made


def datum(made: Any, conversation: list[Any], train_on_what: str = "all_assistant_messages", **options: Any) -> Any:
    """The row that the cookbook's data sets make."""
    data = importlib.import_module("tinker_cookbook.supervised.data")
    kinds = importlib.import_module("tinker_cookbook.renderers").TrainOnWhat
    return data.conversation_to_datum(conversation, made, options.get("max_length"), kinds(train_on_what))


def whole(made: Any, conversation: list[Any], train_on_what: str = "all_assistant_messages") -> str:
    """The text of a row: its inputs and the last target."""
    row = datum(made, conversation, train_on_what)
    ids = [*row.model_input.to_ints(), row.loss_fn_inputs["target_tokens"].data[-1]]
    text: str = made.tokenizer.decode(ids)
    return text


def trained(made: Any, conversation: list[Any], train_on_what: str = "all_assistant_messages", **options: Any) -> str:
    """The text of the targets of a row whose weight is not 0."""
    row = datum(made, conversation, train_on_what, **options)
    pairs = zip(row.loss_fn_inputs["target_tokens"].data, row.loss_fn_inputs["weights"].data, strict=True)
    text: str = made.tokenizer.decode([int(item) for item, weight in pairs if weight])
    return text


def prompt(made: Any, conversation: list[Any]) -> str:
    """The text that the renderer itself hands to a model that has to go on."""
    text: str = made.tokenizer.decode(made.build_generation_prompt(conversation).to_ints())
    return text


def call(name: str, **arguments: Any) -> dict[str, Any]:
    """A call as OpenAI writes it."""
    return {
        "id": "functions.f:0",
        "type": "function",
        "function": {"name": name, "arguments": json.dumps(arguments, ensure_ascii=False)},
    }
