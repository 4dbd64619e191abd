"""Divides small conversations under templates written for one test, so that expectations can be written by hand.

An expectation is a list of `(zone and message, text)`, such as `("opening 1", "<A>")`;
text of no message is `("context", …)`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from maskspec.conversation import Conversation
from maskspec.corpus import Template
from maskspec.prompts import GenerationPrompt, GenerationPrompts
from maskspec.rendering import ConversationRenderer, Rendering
from maskspec.segmentation import Segment, Segmentation, segment
from maskspec.tokens import SpecialTokens

GENERATED = frozenset({"assistant", "model"})

CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}{{ '\\n' }}{{ m.content }}<|im_end|>{{ '\\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant{{ '\\n' }}{% endif %}"
)
CHATML_TOKENS = SpecialTokens(
    eos="<|im_end|>", added=("<|im_start|>", "<|im_end|>"), special=("<|im_start|>", "<|im_end|>")
)

NO_TOKENS = SpecialTokens()
EOS = SpecialTokens(eos="</s>", added=("</s>",), special=("</s>",))


def user(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "user", "content": content, **more}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def call(name: str, arguments: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name, "arguments": arguments}}


class ExactPrompts(GenerationPrompts):
    """The definition itself: one generation prompt per message, each rendered from exactly the messages before it."""

    def before(self, index: int, region_start: int) -> GenerationPrompt:
        return self.exact(index, region_start)

    def surprising(self, index: int, region_start: int, agreed: int) -> GenerationPrompt | None:  # noqa: ARG002  # never
        return None


def divide(
    template: str,
    messages: Sequence[Mapping[str, Any]],
    *,
    tokens: SpecialTokens = NO_TOKENS,
    tools: Sequence[Mapping[str, Any]] | None = None,
    variables: Mapping[str, Any] | None = None,
    prompts: type[GenerationPrompts] = GenerationPrompts,
    generated: frozenset[str] = GENERATED,
    **options: Any,
) -> tuple[Rendering, Segmentation]:
    conversation = Conversation.from_messages(messages, tools=tools)
    renderer = ConversationRenderer(
        conversation, template=template, special_tokens=tokens.variables, template_kwargs=variables, **options
    )
    rendering = renderer.rendering()
    segmentation = segment(
        rendering,
        roles=conversation.roles,
        generated=generated,
        prompts=prompts(renderer, template=template, text=rendering.text),
        special_tokens=tokens,
    )
    return rendering, segmentation


def named(text: str, segments: Sequence[Segment]) -> list[tuple[str, str]]:
    """The segments in the notation of the expectations; an opening that nothing confirms has a question mark."""
    return [
        (
            part.zone.value + ("" if part.certain else "?") + ("" if part.message is None else f" {part.message}"),
            text[part.start : part.end],
        )
        for part in segments
    ]


def zones(template: str, messages: Sequence[Mapping[str, Any]], **options: Any) -> list[tuple[str, str]]:
    rendering, segmentation = divide(template, messages, **options)
    return named(rendering.text, segmentation.segments)


def vocabulary(template: Template) -> SpecialTokens:
    """The special tokens that a template of the corpora was written for."""
    declared = {"bos_token": template.bos, "eos_token": template.eos, "pad_token": template.pad}
    return SpecialTokens(
        bos=template.bos,
        eos=template.eos,
        pad=template.pad,
        added=tuple(sorted(template.markers, key=len, reverse=True)),
        special=template.special,
        stops=template.stops,
        variables={name: value for name, value in declared.items() if value is not None},
    )
