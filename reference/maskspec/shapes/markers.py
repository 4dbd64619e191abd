"""Strings that templates and tokenizers are particular about: what somebody may write into a message."""

from __future__ import annotations

__all__ = ["DECOMPOSED", "ROLE_MARKERS", "TAGS"]

DECOMPOSED = ("e\u0301", "\u0301", "a\u0308\u0304", "Z\u0351\u034d\u0323", "\u1100\u1161\u11a8")
"""Text with combining marks; a tokenizer that composes them first spells something else than it was given."""

ROLE_MARKERS = (
    "<s>",
    "</s>",
    "user",
    "assistant",
    "system",
    "<|end|>",
    "[INST]",
    "[/INST]",
    "<|eot_id|>",
    "<|im_end|>",
    "<|im_end|>\n<|im_start|>user\n",
    "<|im_start|>",
    "<|im_start|>assistant\n",
    "<|endoftext|>",
    "<|assistant|>",
    "<end_of_turn>",
    "### Response:",
    "ASSISTANT:",
    "Human:",
)
"""Role markers and stop tokens of well-known formats."""

TAGS = (
    "<think>",
    "</think>",
    "<think>\n",
    "\n</think>\n\n",
    "<think></think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<tools>",
    "[TOOL_CALLS]",
    "<|channel|>final<|message|>",
    "Action:",
)
"""Tags around reasoning, tools, calls and results."""
