"""What holds for every conversation: round trips, no mutation, one error type for arbitrary data."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from maskspec.conversation import Conversation
from maskspec.errors import ConversationError

few = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
arguments = st.dictionaries(texts, json_values, max_size=3)
functions = st.fixed_dictionaries(
    {"name": st.text("abc_", min_size=1), "arguments": arguments | arguments.map(json.dumps)}
)
calls = functions | st.fixed_dictionaries({"function": functions}, optional={"id": texts, "type": st.just("function")})
parts = st.fixed_dictionaries({"type": st.just("text"), "text": texts}) | st.just({"type": "image"})


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    message: dict[str, Any] = {
        "role": draw(st.sampled_from(["system", "user", "assistant", "tool", "critic"])),
        "content": draw(st.none() | texts | st.lists(parts, max_size=3)),
    }
    optional = {
        "reasoning_content": texts,
        "tool_calls": st.lists(calls, max_size=2),
        "name": texts,
        "custom": json_values,
    }
    for key in draw(st.lists(st.sampled_from(sorted(optional)), unique=True)):
        message[key] = draw(optional[key])
    flags = {"train": True, "weight": draw(st.floats(0.5, 4))}
    for key in draw(st.lists(st.sampled_from(sorted(flags)), unique=True)):
        message[key] = flags[key]
    content = message["content"]
    if isinstance(content, str) and content and draw(st.booleans()):
        cut = draw(st.integers(1, len(content)))
        message["spans"] = [{"start": 0, "end": cut, "train": draw(st.booleans())}]
    return dict(draw(st.permutations(list(message.items()))))


conversations = st.lists(messages(), min_size=1, max_size=4)


@few
@given(conversations, st.none() | st.lists(arguments, max_size=2))
def test_plain_data_makes_the_round_trip(raw: list[dict[str, Any]], tools: list[dict[str, Any]] | None) -> None:
    conversation = Conversation.from_messages(raw, tools=tools)
    text = json.dumps(conversation.to_record())
    read_back = Conversation.coerce(json.loads(text))
    assert read_back == conversation
    assert hash(read_back) == hash(conversation)
    assert json.dumps(read_back.to_record()) == text
    assert json.dumps(read_back.to_template_messages()) == json.dumps(conversation.to_template_messages())


@few
@given(conversations)
def test_templates_get_the_callers_data_without_nulls_and_flags(raw: list[dict[str, Any]]) -> None:
    before = copy.deepcopy(raw)
    conversation = Conversation.from_messages(raw)
    expected = [
        {key: value for key, value in message.items() if value is not None and key not in ("train", "weight", "spans")}
        for message in raw
    ]
    first = conversation.to_template_messages()
    assert json.dumps(first) == json.dumps(expected)
    for message in first:
        message.clear()
    assert json.dumps(conversation.to_template_messages()) == json.dumps(expected)
    assert raw == before


@few
@given(conversations, conversations)
def test_equal_conversations_print_alike(raw: list[dict[str, Any]], other: list[dict[str, Any]]) -> None:
    first, second = Conversation.from_messages(raw), Conversation.from_messages(other)
    printed = json.dumps(first.to_dicts()), json.dumps(second.to_dicts())
    assert (first == second) == (printed[0] == printed[1])


containers = ["messages", "conversations", "system", "tools"]
fields = ["role", "content", "from", "value", "type", "text", "thinking", "tool_calls", "function", "name", "arguments"]
flags = ["train", "weight", "spans", "start", "end"]
keys = [*containers, *fields, *flags]
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(keys), inner, max_size=4),
    max_leaves=12,
)


@few
@given(anything)
def test_arbitrary_data_is_read_or_refused_in_words(value: Any) -> None:
    try:
        conversation = Conversation.coerce(value)
    except ConversationError as error:
        str(error).encode("utf-8")
    else:
        assert Conversation.coerce(conversation.to_record()) == conversation
