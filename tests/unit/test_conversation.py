"""Messages and conversations: what is accepted, what templates get, and what every refusal says."""

from __future__ import annotations

import copy
import enum
import json
import pickle
from typing import Any

import pytest

from maskspec.conversation import KNOWN_ROLES, Conversation, FrozenMapping, Message
from maskspec.errors import ConversationError

WEATHER_CALL = {
    "id": "c1",
    "type": "function",
    "function": {"name": "weather", "arguments": {"city": "Ulm", "days": 2}},
}


def one(**message: Any) -> Conversation:
    """A conversation of a user message and the message under test, which is therefore message 1."""
    return Conversation.from_messages([{"role": "user", "content": "Hi"}, message])


ACCEPTED: dict[str, dict[str, Any]] = {
    "text": {"role": "assistant", "content": "Hello"},
    "empty text": {"role": "assistant", "content": ""},
    "whitespace": {"role": "assistant", "content": " \n"},
    "astral and combining": {"role": "assistant", "content": "👩‍👩‍👧 e\u0301 \u2581 \u0000"},
    "text parts": {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": ""}]},
    "image part": {"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x.png"}}]},
    "part without type": {"role": "tool", "content": [{"output": "3"}]},
    "no parts": {"role": "user", "content": []},
    "reasoning only": {"role": "assistant", "reasoning_content": "hm"},
    "thinking": {"role": "assistant", "content": "a", "thinking": "hm"},
    "reasoning": {"role": "assistant", "content": "a", "reasoning": "hm"},
    "reasoning twice, equal": {"role": "assistant", "content": "a", "reasoning": "hm", "reasoning_content": "hm"},
    "call with object": {"role": "assistant", "tool_calls": [WEATHER_CALL]},
    "call with JSON text": {
        "role": "assistant",
        "tool_calls": [{"function": {"name": "f", "arguments": '{"a": [1, null]}'}}],
    },
    "call with blank arguments": {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": ""}}]},
    "bare call": {"role": "assistant", "content": "", "tool_calls": [{"name": "f", "arguments": {}}]},
    "no calls": {"role": "assistant", "content": "a", "tool_calls": []},
    "legacy call": {"role": "assistant", "function_call": {"name": "f", "arguments": "{}"}},
    "tool result": {"role": "tool", "content": "22", "tool_call_id": "c1", "name": "weather"},
    "named user": {"role": "user", "name": "Ada", "content": "a"},
    "custom role": {"role": "ipython", "content": "a"},
    "custom fields": {"role": "user", "content": "a", "documents": [{"title": "t", "n": 1.5, "ok": True, "x": None}]},
    "key order": {"content": "a", "z": 1, "role": "user", "a": 2},
}


@pytest.mark.parametrize("message", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_templates_see_what_was_written(message: dict[str, Any]) -> None:
    seen = one(**message).to_template_messages()[1]
    assert json.dumps(seen) == json.dumps(message)


@pytest.mark.parametrize("message", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_plain_data_reads_back_to_an_equal_conversation(message: dict[str, Any]) -> None:
    conversation = one(**message)
    read_back = Conversation.from_messages(json.loads(json.dumps(conversation.to_dicts())))
    assert read_back == conversation
    assert hash(read_back) == hash(conversation)


def test_none_is_dropped_from_the_top_of_a_message_only() -> None:
    conversation = one(
        role="assistant",
        content=None,
        name=None,
        reasoning_content=None,
        tool_calls=[{"id": None, "function": {"name": "f", "arguments": {"a": None}}}],
    )
    assert conversation.to_template_messages()[1] == {
        "role": "assistant",
        "tool_calls": [{"id": None, "function": {"name": "f", "arguments": {"a": None}}}],
    }
    assert conversation[1].content is None


def test_explicit_none_content_needs_nothing_beside_it() -> None:
    assert one(role="assistant", content=None).to_template_messages()[1] == {"role": "assistant"}
    assert one(role="assistant", content=None).to_dicts()[1] == {"role": "assistant", "content": None}


def test_training_flags_never_reach_the_template() -> None:
    flags = {
        "train": True,
        "training": True,
        "trainable": True,
        "loss": True,
        "weight": 1,
        "loss_weight": 1.0,
        "loss_scale": 1,
        "spans": [{"start": 0, "end": 2}],
        "train_detail": [{"begin_offset": 0, "end_offset": 1, "train": True}],
        "training_detail": [{"begin_offset": 0, "end_offset": 1}],
    }
    seen = one(role="assistant", content="abc", **flags).to_template_messages()[1]
    assert seen == {"role": "assistant", "content": "abc"}


def test_template_data_is_plain_fresh_and_unconnected() -> None:
    source: list[dict[str, Any]] = [
        {"role": "user", "content": [{"type": "text", "text": "a"}], "extra": {"k": [1]}},
        {"role": "assistant", "tool_calls": [copy.deepcopy(WEATHER_CALL)], "train": True},
    ]
    before = copy.deepcopy(source)
    tools = [{"type": "function", "function": {"name": "weather"}}]
    conversation = Conversation.from_messages(source, tools=tools)
    expected = copy.deepcopy(conversation.to_template_messages())
    first, second = conversation.to_template_messages(), conversation.to_template_messages()
    assert type(first[0]["extra"]) is dict
    assert type(first[0]["extra"]["k"]) is list
    first[0]["extra"]["k"].append(2)
    first[1]["tool_calls"][0]["function"]["arguments"]["city"] = "Rome"
    source[0]["extra"]["k"].append(3)
    tools.append({})
    template_tools = conversation.to_template_tools()
    assert template_tools is not None
    template_tools.clear()
    assert second == expected == conversation.to_template_messages()
    assert conversation.to_template_tools() == [{"type": "function", "function": {"name": "weather"}}]
    source[0]["extra"]["k"].pop()
    assert source == before


def test_enumerations_become_plain_text() -> None:
    class Role(enum.StrEnum):
        USER = "user"

    role = Conversation.from_messages([{"role": Role.USER, "content": "a"}]).to_template_messages()[0]["role"]
    assert (role, type(role)) == ("user", str)


def test_tuples_are_lists() -> None:
    message = one(role="user", content=({"type": "text", "text": "a"},), extra=(1, (2,)))
    assert message.to_template_messages()[1] == {
        "role": "user",
        "content": [{"type": "text", "text": "a"}],
        "extra": [1, [2]],
    }


CYCLE: list[Any] = []
CYCLE.append(CYCLE)

REFUSED: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "no role": ({"content": "a"}, "role", "is missing (keys seen: 'content')"),
    "no keys": ({}, "role", "keys seen: none"),
    "ShareGPT turn": ({"from": "gpt", "value": "a"}, "role", "Conversation.from_sharegpt"),
    "role is a number": ({"role": 1, "content": "a"}, "role", "is a number"),
    "role is blank": ({"role": " ", "content": "a"}, "role", "is blank"),
    "content is missing": ({"role": "user"}, "content", "null for none"),
    "content misspelt": ({"role": "user", "contents": "a"}, "content", "rename 'contents'"),
    "content called text": ({"role": "user", "text": "a"}, "content", "rename 'text'"),
    "content is an object": ({"role": "tool", "content": {"t": 22}}, "content", "an object as JSON text"),
    "content is a number": ({"role": "tool", "content": 22}, "content", "is a number"),
    "content is bytes": ({"role": "user", "content": b"a"}, "content", "is a bytes"),
    "part is text": ({"role": "user", "content": ["a"]}, "content[0]", "a part is an object such as"),
    "part type is a number": ({"role": "user", "content": [{"type": 1}]}, "content[0].type", "is a number"),
    "text part without text": ({"role": "user", "content": [{"type": "text"}]}, "content[0].text", "is missing"),
    "text part with null": (
        {"role": "user", "content": [{"type": "text", "text": None}]},
        "content[0].text",
        "is null",
    ),
    "two reasonings": (
        {"role": "assistant", "content": "a", "thinking": "x", "reasoning": "y"},
        "reasoning",
        "disagrees with field 'thinking'",
    ),
    "empty and other reasoning": (
        {"role": "assistant", "content": "a", "reasoning_content": "", "thinking": "y"},
        "thinking",
        "disagrees with field 'reasoning_content'",
    ),
    "reasoning is a list": ({"role": "assistant", "content": "a", "thinking": ["x"]}, "thinking", "is a list"),
    "name is a number": ({"role": "user", "content": "a", "name": 1}, "name", "is a number"),
    "tool_call_id is a number": ({"role": "tool", "content": "a", "tool_call_id": 1}, "tool_call_id", "is a number"),
    "tool_calls is an object": ({"role": "assistant", "tool_calls": WEATHER_CALL}, "tool_calls", "give a list"),
    "call is text": ({"role": "assistant", "tool_calls": ["f()"]}, "tool_calls[0]", "is a string"),
    "call without name": (
        {"role": "assistant", "tool_calls": [WEATHER_CALL, {"function": {"arguments": {}}}]},
        "tool_calls[1].function.name",
        "keys seen: 'arguments'",
    ),
    "call id is a number": (
        {"role": "assistant", "tool_calls": [{**WEATHER_CALL, "id": 3}]},
        "tool_calls[0].id",
        "is a number",
    ),
    "call without arguments": (
        {"role": "assistant", "tool_calls": [{"function": {"name": "f"}}]},
        "tool_calls[0].function.arguments",
        "is missing; give an object or JSON text ({} for none)",
    ),
    "call with parameters": (
        {"role": "assistant", "tool_calls": [{"name": "f", "parameters": {}}]},
        "tool_calls[0].arguments",
        "rename 'parameters' to 'arguments'",
    ),
    "arguments are a list": (
        {"role": "assistant", "tool_calls": [{"name": "f", "arguments": [1]}]},
        "tool_calls[0].arguments",
        "is a list",
    ),
    "arguments are broken JSON": (
        {"role": "assistant", "tool_calls": [{"name": "f", "arguments": '{"a": 1'}]},
        "tool_calls[0].arguments",
        "at character 7",
    ),
    "arguments are encoded twice": (
        {"role": "assistant", "tool_calls": [{"name": "f", "arguments": json.dumps("{}")}]},
        "tool_calls[0].arguments",
        "JSON text for a string",
    ),
    "arguments hold NaN as text": (
        {"role": "assistant", "tool_calls": [{"name": "f", "arguments": '{"a": NaN}'}]},
        "tool_calls[0].arguments",
        "holds NaN",
    ),
    "arguments hold minus infinity as text": (
        {"role": "assistant", "tool_calls": [{"name": "f", "arguments": '{"a": -Infinity}'}]},
        "tool_calls[0].arguments",
        "holds -Infinity",
    ),
    "arguments hold NaN": (
        {"role": "assistant", "tool_calls": [{"function": {"name": "f", "arguments": {"a": [0, float("nan")]}}}]},
        "tool_calls[0].function.arguments.a[1]",
        "holds nan",
    ),
    "legacy call is text": ({"role": "assistant", "function_call": "f"}, "function_call", "is a string"),
    "surrogate in content": ({"role": "user", "content": "ab\ud83dc"}, "content", "U+D83D at character 2"),
    "surrogate in a part": (
        {"role": "user", "content": [{"type": "text", "text": "\udc00"}]},
        "content[0].text",
        "U+DC00 at character 0",
    ),
    "surrogate in role": ({"role": "us\ud800er", "content": "a"}, "role", "U+D800 at character 2"),
    "surrogate in reasoning": ({"role": "assistant", "thinking": "é\ud800"}, "thinking", "U+D800 at character 1"),
    "surrogate in an argument": (
        {"role": "assistant", "tool_calls": [{"name": "f", "arguments": {"a": "\ud800"}}]},
        "tool_calls[0].arguments.a",
        "U+D800 at character 0",
    ),
    "surrogate in a key": ({"role": "user", "content": "a", "k": {"\ud800": 1}}, "k.(a key)", "U+D800"),
    "a set": ({"role": "user", "content": "a", "k": {"s": {1}}}, "k.s", "holds a set"),
    "an object of ours": ({"role": "user", "content": "a", "k": object()}, "k", "which is not JSON data"),
    "infinity": ({"role": "user", "content": "a", "k": float("inf")}, "k", "holds inf"),
    "a number as key": ({"role": "user", "content": "a", "k": {1: 2}}, "k", "the key 1"),
    "a cycle": ({"role": "user", "content": "a", "k": CYCLE}, "k", "contains itself"),
    "an endless number": ({"role": "user", "content": "a", "k": 10**4301}, "k", "4300 digits"),
}


@pytest.mark.parametrize(("message", "field", "words"), REFUSED.values(), ids=REFUSED.keys())
def test_a_refusal_names_message_and_field(message: dict[str, Any], field: str | None, words: str) -> None:
    with pytest.raises(ConversationError) as caught:
        one(**message)
    assert (caught.value.message, caught.value.field) == (1, field)
    assert words in str(caught.value)
    str(caught.value).encode("utf-8")


def test_the_text_of_an_error_begins_with_where() -> None:
    with pytest.raises(ConversationError) as caught:
        one(role="user", content=3)
    assert str(caught.value) == (
        "message 1, field 'content': is a number; give text, a list of parts or null (an object as JSON text)"
    )


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("Hi", "is a string"),
        (None, "is null"),
        (3, "is a number"),
        ([], "the list of messages is empty"),
        ({"messages": []}, "the list of messages is empty"),
        ({"conversations": []}, "the list of messages is empty"),
        ({"messages": "Hi"}, "the messages are a string"),
        ({"messages": {"role": "user"}}, "the messages are an object"),
        ({"prompt": 1, "completion": 2}, "(keys seen: 'prompt', 'completion')"),
        ({}, "(keys seen: none)"),
        ({"messages": None, "conversations": None}, "has neither 'messages' nor 'conversations'"),
        ({"role": "user", "content": "a"}, "put this one message in a list"),
        ({"messages": [{"role": "u", "content": ""}], "conversations": [1]}, "keep one of them"),
    ],
)
def test_a_wrong_container_is_named(value: object, words: str) -> None:
    with pytest.raises(ConversationError) as caught:
        Conversation.coerce(value)
    assert caught.value.message is None
    assert words in str(caught.value)


def test_a_message_that_is_no_object_is_named() -> None:
    with pytest.raises(ConversationError, match="message 1: is a string; give an object with role and content"):
        Conversation.coerce([{"role": "user", "content": "a"}, "b"])


def test_coerce_reads_every_container_alike() -> None:
    messages = [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b"}]
    turns = [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]
    expected = Conversation.from_messages(messages)
    assert Conversation.coerce(expected) is expected
    for value in (
        messages,
        tuple(messages),
        {"messages": messages},
        {"messages": messages, "tools": None, "conversations": None, "id": 7},
        {"conversations": turns, "messages": None},
        {"conversations": messages},
        {"messages": turns, "conversations": None},
        turns,
        list(expected),
    ):
        assert Conversation.coerce(value) == expected


def test_a_record_with_a_system_text_begins_with_it() -> None:
    record = {"system": "Be brief.", "messages": [{"role": "user", "content": "a"}], "tools": [{"name": "f"}]}
    conversation = Conversation.coerce(record)
    assert conversation.roles == ("system", "user")
    assert conversation[0].content == "Be brief."
    assert conversation.to_template_tools() == [{"name": "f"}]


@pytest.mark.parametrize(
    ("tools", "expected"),
    [
        (None, None),
        ("", None),
        (" ", None),
        ("null", None),
        ([], []),
        ('[{"name": "f"}]', [{"name": "f"}]),
        ([{"type": "function", "function": {"name": "f", "parameters": {"x": None}}}],) * 2,
    ],
)
def test_tools_are_a_list_or_its_json(tools: Any, expected: Any) -> None:
    conversation = Conversation.from_messages([{"role": "user", "content": "a"}], tools=tools)
    assert conversation.to_template_tools() == expected
    assert Conversation.coerce(json.loads(json.dumps(conversation.to_record()))) == conversation


def weather(city: str) -> str:
    """A tool as a Python function, which a conversation does not take."""
    return city


@pytest.mark.parametrize(
    ("tools", "field", "words"),
    [
        ({"name": "f"}, "tools", "is an object; give a list"),
        ("{}", "tools", "is an object; give a list"),
        ("[", "tools", "is not valid JSON"),
        (["f"], "tools[0]", "is a string"),
        ([{}, weather], "tools[1]", "get_json_schema"),
        ([{"a": float("nan")}], "tools[0].a", "holds nan"),
        ([{"a": "\ud800"}], "tools[0].a", "U+D800 at character 0"),
    ],
)
def test_wrong_tools_are_named(tools: Any, field: str, words: str) -> None:
    with pytest.raises(ConversationError) as caught:
        Conversation.from_messages([{"role": "user", "content": "a"}], tools=tools)
    assert (caught.value.message, caught.value.field) == (None, field)
    assert words in str(caught.value)


def different_pairs() -> list[tuple[dict[str, Any], dict[str, Any]]]:
    base = {"role": "assistant", "content": "a", "k": {"x": 1, "y": 2}}
    return [
        (base, {**base, "content": "b"}),
        (base, {**base, "role": "user"}),
        (base, {**base, "train": True}),
        ({**base, "train": False}, {**base, "train": True}),
        (base, {**base, "weight": 1}),
        (base, {**base, "spans": [{"start": 0, "end": 1}]}),
        (base, {**base, "k": {"y": 2, "x": 1}}),
        (base, {**base, "k": {"x": True, "y": 2}}),
        (base, {**base, "k": {"x": 1.0, "y": 2}}),
        (base, {**base, "content": [{"type": "text", "text": "a"}]}),
        ({**base, "k": []}, {**base, "k": {}}),
    ]


@pytest.mark.parametrize(("first", "second"), different_pairs())
def test_what_templates_print_differently_is_not_equal(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert Message.from_dict(first) != Message.from_dict(second)
    assert Conversation.from_messages([first]) != Conversation.from_messages([second])


def test_spellings_of_one_thing_are_equal() -> None:
    plain = Message.from_dict({"role": "assistant", "content": "ab", "weight": 1, "spans": [{"start": 0, "end": 1}]})
    other = Message.from_dict(
        {
            "role": "assistant",
            "name": None,
            "content": "ab",
            "loss_weight": 1.0,
            "train_detail": [{"begin_offset": 0, "end_offset": 0, "train": True}],
        }
    )
    assert plain == other
    assert hash(plain) == hash(other)
    assert plain != "ab"
    assert Conversation.from_messages([plain]) != [plain]
    assert {Conversation.from_messages([plain]): 1}[Conversation.from_messages([other])] == 1


def test_tools_count_in_equality() -> None:
    messages = [{"role": "user", "content": "a"}]
    assert Conversation.from_messages(messages, tools=[]) != Conversation.from_messages(messages)
    assert Conversation.from_messages(messages, tools=[{"a": 1, "b": 2}]) != Conversation.from_messages(
        messages, tools=[{"b": 2, "a": 1}]
    )


def test_a_conversation_is_a_sequence_of_messages() -> None:
    conversation = Conversation.from_messages([{"role": role, "content": role} for role in ("system", "user")])
    assert len(conversation) == 2
    assert [message.text for message in conversation] == ["system", "user"]
    assert conversation[-1].role == "user"
    assert conversation[:1] == (conversation[0],)
    assert conversation.roles == ("system", "user")


def test_a_message_answers_for_its_parts() -> None:
    call = {"name": "f", "arguments": {}}
    message = Message.from_dict(
        {"role": "assistant", "content": [{"type": "text", "text": "a"}, {"type": "image"}, {"text": "b"}]}
    )
    assert message.text == "ab"
    assert message.reasoning is None
    assert message.tool_calls == ()
    called = Message.from_dict({"role": "assistant", "thinking": "hm", "tool_calls": [call]})
    assert called.text == ""
    assert called.reasoning == "hm"
    assert [dict(seen) for seen in called.tool_calls] == [call]


def test_replacing_makes_a_copy() -> None:
    conversation = one(role="assistant", content="a", train=True, k=1)
    changed = conversation.replace_message(1, conversation[1].replace(content="b", train=None, k=None))
    assert changed.to_dicts()[1] == {"role": "assistant", "content": "b"}
    assert conversation.to_dicts()[1] == {"role": "assistant", "content": "a", "k": 1, "train": True}
    longer = conversation.extended([{"role": "user", "content": "c"}])
    assert longer.roles == ("user", "assistant", "user")
    assert longer[:2] == conversation.messages
    assert conversation.replace(tools=[{"name": "f"}]).to_template_tools() == [{"name": "f"}]
    with pytest.raises(ConversationError, match="message 1, field 'role'"):
        conversation.replace_message(1, {"content": "b"})
    with pytest.raises(ConversationError, match="empty"):
        conversation.replace(messages=())


def test_the_constructors_check_as_the_readers_do() -> None:
    message = Message("assistant", "a", weight=1, data={"k": [1]})
    assert message == Message.from_dict({"role": "assistant", "content": "a", "k": [1], "weight": 1.0})
    assert Conversation((message,)) == Conversation.from_messages([message])
    with pytest.raises(ConversationError, match="field 'content': is an argument of its own"):
        Message("user", "a", data={"content": "b"})
    with pytest.raises(ConversationError, match="field 'train': is an argument of its own"):
        Message("user", "a", data={"train": True})
    with pytest.raises(ConversationError, match="field 'data': is a list"):
        Message("user", "a", data=[1])  # type: ignore[arg-type]


def test_nothing_can_be_changed_in_place() -> None:
    conversation = one(role="user", content=[{"type": "text", "text": "a"}], k={"x": 1})
    with pytest.raises(AttributeError):
        conversation.messages = ()  # type: ignore[misc]
    with pytest.raises(AttributeError):
        conversation[0].role = "x"  # type: ignore[misc]
    with pytest.raises(TypeError):
        conversation[1].data["k"]["x"] = 2
    with pytest.raises(TypeError):
        conversation[1].content[0]["text"] = "b"  # type: ignore[index]


def test_copies_and_pickles_are_equal() -> None:
    conversation = one(**ACCEPTED["call with object"])
    assert copy.deepcopy(conversation) == conversation
    assert pickle.loads(pickle.dumps(conversation)) == conversation


def test_frozen_mappings_are_mappings() -> None:
    frozen = FrozenMapping({"a": 1})
    assert frozen == {"a": 1}
    assert hash(frozen) == hash(FrozenMapping([("a", 1)]))
    assert repr(frozen) == "FrozenMapping({'a': 1})"


def test_the_known_roles_are_those_of_the_openai_shape() -> None:
    assert sorted(KNOWN_ROLES) == ["assistant", "developer", "function", "system", "tool", "user"]
