"""Both opinions on a small template, and what the reference trains of it in a form that can be written by hand."""

from __future__ import annotations

from typing import Any

from maskspec.corpus import Template
from maskspec.strategies import Generated
from tests.second_opinion.compare import Reference, reference, second_opinion, special_tokens
from tests.second_opinion.differential import Opinion
from tests.second_opinion.plain import PlainTemplate

MARKERS = ("<|end|>", "<|assistant|>", "<|user|>", "<|tool|>", "<|turn|>", "<|eos|>")
"""The special tokens of the vocabulary."""


def both(
    source: str, messages: list[dict[str, Any]], stops: tuple[str, ...] = ("<|end|>",)
) -> tuple[Opinion | None, Reference]:
    """Both opinions on a conversation; where no stops are declared, there is still an end of sequence, `<|eos|>`."""
    eos = stops[0] if stops else "<|eos|>"
    template = Template("small", source, "this test", eos=eos, stops=stops, special=MARKERS)
    asked = Generated(messages)
    second = second_opinion(template, PlainTemplate(source, special_tokens(template).variables), asked)
    return second, reference(template, asked)


def trained(first: Reference) -> str:
    """The text with the trained characters in brackets."""
    shown, inside = "", False
    for character, verdict in zip(first.rendering.text, first.verdicts, strict=True):
        if (verdict == "train") is not inside:
            shown, inside = shown + ("]" if inside else "["), not inside
        shown += character
    return shown + ("]" if inside else "")
