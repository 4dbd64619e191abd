"""Smallest templates of faults that the second opinion found in the reference: what both must say now, by hand."""

from __future__ import annotations

from typing import Any

import pytest

from tests.second_opinion.compare import compare
from tests.second_opinion.small import both, trained

_CALL = {"type": "function", "id": "call00001", "function": {"name": "look", "arguments": {}}}
_QUESTION: dict[str, Any] = {"role": "user", "content": "a"}

LOOP_IN_A_LOOP = (
    "{% for m in messages %}{% if m.role == 'tool' %}<|tool|>{% for other in messages %}{% for call in other.tool_calls or [] %}"
    "{% if call.id == m.tool_call_id %}{{ loop.index0 }}{% endif %}{% endfor %}{% endfor %}: {{ m.content }}<|end|>"
    "{% else %}<|{{ m.role }}|>{{ m.content }}{% for call in m.tool_calls or [] %}{{ call.function.name }}{% endfor %}<|end|>"
    "{% endif %}{% endfor %}{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
TEXT_AFTER_THE_LOOP = (
    "{% for m in messages %}<|turn|><|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}<|turn|><|tool|>Answer briefly.<|end|>"
    "{% if add_generation_prompt %}<|turn|><|assistant|>{% endif %}"
)
MERGED_SYSTEM_PROMPT = (
    "{% if messages[0].role == 'system' %}{% set first = messages[0].content | trim + '\n\n' %}{% set messages = messages[1:] %}"
    "{% else %}{% set first = '' %}{% endif %}{% for m in messages %}{% set content = first + m.content if loop.first else "
    "m.content %}{{ '<|' + m.role + '|>' + content + '<|end|>' }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
END_LIKE_A_HEADER = (
    "{% for m in messages %}<|{{ m.role }}|>{% if m.reasoning_content and loop.last %}({{ m.reasoning_content }}){% endif %}"
    "{{ m.content }}<|end|>{% endfor %}{% if add_generation_prompt %}<|assistant|>{% else %}<|eos|>{% endif %}"
)

FAULTS: dict[str, tuple[str, list[dict[str, Any]], str]] = {
    "a literal of the call inside the result": (
        LOOP_IN_A_LOOP,
        [
            _QUESTION,
            {"role": "assistant", "content": "", "tool_calls": [_CALL]},
            {"role": "tool", "tool_call_id": "call00001", "content": "b"},
            {"role": "assistant", "content": "c"},
        ],
        "<|user|>a<|end|><|assistant|>[look<|end|>]<|tool|>0: b<|end|><|assistant|>[c<|end|>]",
    ),
    "text after the loop that begins like a turn": (
        TEXT_AFTER_THE_LOOP,
        [_QUESTION, {"role": "assistant", "content": "c"}],
        "<|turn|><|user|>a<|end|><|turn|><|assistant|>[c<|end|>]<|turn|><|tool|>Answer briefly.<|end|>",
    ),
    "a system prompt inside the question": (
        MERGED_SYSTEM_PROMPT,
        [{"role": "system", "content": "Short."}, _QUESTION, {"role": "assistant", "content": "c"}],
        "<|user|>Short.\n\na<|end|><|assistant|>[c<|end|>]",
    ),
    "an end of text that begins like a header": (
        END_LIKE_A_HEADER,
        [
            _QUESTION,
            {"role": "assistant", "content": "b", "reasoning_content": "r"},
            {"role": "assistant", "content": "c"},
        ],
        "<|user|>a<|end|><|assistant|>[b<|end|>]<|assistant|>[c<|end|>]<|eos|>",
    ),
}
"""Template, conversation, and the text with the trained characters in brackets."""


@pytest.mark.parametrize(("source", "messages", "expected"), FAULTS.values(), ids=FAULTS)
def test_the_reference(source: str, messages: list[dict[str, Any]], expected: str) -> None:
    _, first = both(source, messages)
    assert trained(first) == expected


@pytest.mark.parametrize(("source", "messages", "expected"), FAULTS.values(), ids=FAULTS)
def test_the_second_opinion_does_not_differ(source: str, messages: list[dict[str, Any]], expected: str) -> None:
    second, first = both(source, messages)
    assert second is not None
    assert second.text == expected.replace("[", "").replace("]", "")
    differences = compare(second, first, [message["role"] for message in messages]).differences
    assert [each for each in differences if each.reason is None] == []


def test_the_text_of_a_merged_system_prompt_is_the_system_prompts() -> None:
    source, messages, _ = FAULTS["a system prompt inside the question"]
    second, first = both(source, messages)
    start = second.text.index("Short.")
    for answer in (second, first):
        assert set(answer.owners[start : start + len("Short.")]) == {0}
