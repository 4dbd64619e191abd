"""Text that looks like markup: what a conversation may say without meaning it, and messages with other texts.

The INJECT rules ask whether a masker takes what is said for what the template prints.
To be sure that it is the markers that mislead it, they ask again with the markers
taken out; this module finds them and writes such conversations.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from maskspec.conversation import Conversation, Message
from maskspec.conversation.message import REASONING_NAMES
from maskspec.rules.trial import Trial
from maskspec.segmentation import Zone

__all__ = ["WELL_KNOWN", "marker_pattern", "message_texts", "with_texts"]

WELL_KNOWN = (
    "<|im_start|>",
    "<|im_end|>",
    "<|eot_id|>",
    "<|start_header_id|>",
    "<|end_header_id|>",
    "<|end|>",
    "<|user|>",
    "<|assistant|>",
    "<|endoftext|>",
    "<start_of_turn>",
    "<end_of_turn>",
    "[INST]",
    "[/INST]",
    "<<SYS>>",
    "<s>",
    "</s>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "### Instruction:",
    "### Response:",
    "USER:",
    "ASSISTANT:",
    "Human:",
    "Assistant:",
    "-100",
)
"""Role markers, stop tokens, response templates and sentinels of formats in use: maskers look for them by name."""


def marker_pattern(trial: Trial) -> re.Pattern[str]:
    """What counts as a marker in this trial: the well-known ones, the vocabulary's added tokens, the template's own."""
    special = trial.tokenizer.special_tokens
    text = trial.expected.text
    printed = {
        text[part.start : part.end].strip()
        for part in trial.expected.segmentation.segments
        if part.zone in (Zone.OPENING, Zone.STOP)
    }
    named = {item for item in (special.bos, special.eos, special.pad, *special.stops) if item}
    known = {*WELL_KNOWN, *special.added, *named, *(item for item in printed if _looks_like_markup(item))}
    # The longest first, so that a marker is not taken apart into shorter ones.
    ordered = sorted((item for item in known if item.strip()), key=lambda item: (-len(item), item))
    return re.compile("|".join(map(re.escape, ordered)))


def _looks_like_markup(text: str) -> bool:
    """Whether template text could be told from prose: a bare word such as `assistant` is no marker."""
    return len(text) > 1 and not text.isalnum()


def message_texts(message: Message) -> tuple[str, ...]:
    """Every text of a message that a template may print: content, reasoning, and the arguments of tool calls."""
    found: list[str] = []

    def note(text: str) -> str:
        found.append(text)
        return text

    _changed(message, note)
    return tuple(found)


def with_texts(conversation: Conversation, changes: Mapping[int, Callable[[str], str]]) -> Conversation:
    """The conversation with some messages' texts changed; their character spans go, what they select stays."""
    for index, change in changes.items():
        conversation = conversation.replace_message(index, _changed(conversation[index], change))
    return conversation


def _changed(message: Message, change: Callable[[str], str]) -> Message:
    data = message.to_dict()
    content = data.get("content")
    if isinstance(content, str):
        data["content"] = change(content)
    elif isinstance(content, list):
        data["content"] = [
            {**part, "text": change(part["text"])} if isinstance(part.get("text"), str) else part for part in content
        ]
    for name in REASONING_NAMES:
        if isinstance(data.get(name), str):
            data[name] = change(data[name])
    if "tool_calls" in data:
        data["tool_calls"] = [_changed_call(call, change) for call in data["tool_calls"]]
    if data.pop("spans", None):
        data["train"] = message.flag
    return Message.from_dict(data)


def _changed_call(call: dict[str, Any], change: Callable[[str], str]) -> dict[str, Any]:
    function = call.get("function")
    holder = function if isinstance(function, dict) else call
    arguments = holder.get("arguments")
    if isinstance(arguments, str) and arguments.strip():
        changed: Any = json.dumps(_changed_value(json.loads(arguments), change), ensure_ascii=False)
    else:
        changed = arguments if isinstance(arguments, str) else _changed_value(arguments, change)
    changed = {**holder, "arguments": changed}
    return {**call, "function": changed} if holder is function else changed


def _changed_value(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_changed_value(item, change) for item in value]
    if isinstance(value, dict):
        return {key: _changed_value(item, change) for key, item in value.items()}
    return value
