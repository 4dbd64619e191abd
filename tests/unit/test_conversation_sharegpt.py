"""ShareGPT records: role names, function calls, system prompts, and the mapping of `roles_to_train`."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maskspec.conversation import FUNCTION_CALL, SHAREGPT_ROLES, Conversation, canonical_roles
from maskspec.errors import ConversationError, UsageError


@pytest.mark.parametrize(
    ("name", "role"),
    [
        ("human", "user"),
        ("user", "user"),
        ("gpt", "assistant"),
        ("assistant", "assistant"),
        ("model", "assistant"),
        ("chatgpt", "assistant"),
        ("bing", "assistant"),
        ("bard", "assistant"),
        ("system", "system"),
        ("developer", "developer"),
        ("tool", "tool"),
        ("observation", "tool"),
        ("function_response", "tool"),
        ("tool_response", "tool"),
    ],
)
def test_every_role_name_has_its_template_role(name: str, role: str) -> None:
    for turn in ({"from": name, "value": "a"}, {"role": name, "content": "a"}, {"from": name, "content": "a"}):
        assert Conversation.from_sharegpt([turn]).to_template_messages() == [{"role": role, "content": "a"}]
    assert canonical_roles([name]) == {role}


def test_the_mapping_names_nothing_else() -> None:
    # Keeps the table above complete.
    assert len(SHAREGPT_ROLES) == 14 + 2


@pytest.mark.parametrize("name", ["function_call", "tool_call"])
@pytest.mark.parametrize(
    "value",
    [
        '{"name": "weather", "arguments": {"city": "Ulm"}}',
        '[{"name": "weather", "arguments": {"city": "Ulm"}}]',
        {"name": "weather", "arguments": {"city": "Ulm"}},
        [{"name": "weather", "arguments": {"city": "Ulm"}}],
    ],
)
def test_a_function_call_turn_becomes_tool_calls(name: str, value: Any) -> None:
    conversation = Conversation.from_sharegpt(
        {"conversations": [{"from": "human", "value": "Weather?"}, {"from": name, "value": value, "train": True}]}
    )
    assert conversation.to_template_messages()[1] == {
        "role": "assistant",
        "tool_calls": [{"type": "function", "function": {"name": "weather", "arguments": {"city": "Ulm"}}}],
    }
    assert conversation[1].train is True


def test_a_whole_llama_factory_record() -> None:
    tools = [{"name": "weather", "description": "d", "parameters": {"type": "object"}}]
    conversation = Conversation.coerce(
        {
            "conversations": [
                {"from": "human", "value": "Weather?"},
                {"from": "function_call", "value": '{"name": "weather", "arguments": {"city": "Ulm"}}'},
                {"from": "observation", "value": "22"},
                {"from": "gpt", "value": "Warm.", "weight": 1},
            ],
            "system": "Be brief.",
            "tools": json.dumps(tools),
        }
    )
    assert conversation.roles == ("system", "user", "assistant", "tool", "assistant")
    assert conversation.to_template_tools() == tools
    assert conversation[4].weight == 1.0


@pytest.mark.parametrize("system", [None, "", "Be brief."])
def test_the_system_text_may_stand_twice_but_not_differ(system: str | None) -> None:
    turns = [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "a"}]
    conversation = Conversation.from_sharegpt({"conversations": turns, "system": system})
    assert conversation.roles == ("system", "user")
    with pytest.raises(ConversationError, match="field 'system': differs from the first message"):
        Conversation.from_sharegpt({"conversations": turns, "system": "Be long."})


def test_other_keys_of_a_turn_are_kept_and_other_keys_of_a_record_are_not() -> None:
    conversation = Conversation.from_sharegpt(
        {"id": "x", "conversations": [{"from": "gpt", "value": "a", "thinking": "hm", "k": [1], "role": None}]}
    )
    assert conversation.to_record() == {
        "messages": [{"role": "assistant", "content": "a", "thinking": "hm", "k": [1]}],
    }


def test_the_mapping_can_be_extended_and_replaced() -> None:
    roles = SHAREGPT_ROLES | {"bot": "assistant", "fn": FUNCTION_CALL}  # type: ignore[operator]
    turns = [{"from": "bot", "value": "a"}, {"from": "fn", "value": '{"name": "f", "arguments": "{}"}'}]
    assert Conversation.from_sharegpt(turns, roles=roles).roles == ("assistant", "assistant")
    assert Conversation.coerce({"conversations": turns}, roles=roles).roles == ("assistant", "assistant")
    assert canonical_roles(["bot", "user"], roles=roles) == {"assistant", "user"}
    with pytest.raises(ConversationError, match="known roles: bot"):
        Conversation.from_sharegpt([{"from": "gpt", "value": "a"}], roles={"bot": "assistant"})
    assert canonical_roles(["assistant"], roles={"bot": "assistant"}) == {"assistant"}


GOOD = {"from": "human", "value": "a"}


@pytest.mark.parametrize(
    ("turn", "field", "words"),
    [
        ({"from": "GPT4", "value": "a"}, "from", "'GPT4', no known role; did you mean 'gpt'"),
        ({"from": "Human", "value": "a"}, "from", "; did you mean 'human'? known roles:"),
        ({"from": "function", "value": "a"}, "from", "known roles: assistant, bard"),
        ({"role": "ipython", "content": "a"}, "role", "map others with roles="),
        ({"from": ["gpt"], "value": "a"}, "from", "no known role"),
        ({"from": None, "value": "a"}, "from", "is missing (keys seen: 'from', 'value')"),
        ({"value": "a"}, "from", "is missing (keys seen: 'value')"),
        ({"from": "gpt", "role": "user", "value": "a"}, "role", "disagrees with field 'from'"),
        ({"from": "gpt", "value": "a", "content": "b"}, "content", "disagrees with field 'value'"),
        ({"from": "gpt"}, "content", "is missing"),
        ({"from": "gpt", "value": "a\ud800"}, "content", "U+D800 at character 1"),
        ({"from": "gpt", "value": 3}, "content", "is a number"),
        ({"from": "function_call", "value": "weather()"}, "value", "is not valid JSON"),
        ({"from": "function_call", "value": '{"name": "f", "arguments": {"a": NaN}}'}, "value", "holds NaN"),
        ({"from": "function_call", "value": "[]"}, "value", "is a list; a function call is an object"),
        ({"from": "function_call", "value": "3"}, "value", "is a number"),
        ({"from": "function_call"}, "value", "is null"),
        ({"from": "function_call", "value": "{}"}, "tool_calls[0].function.name", "keys seen: none"),
        ("a", None, "is a string; give an object with 'from' and 'value'"),
    ],
)
def test_a_wrong_turn_is_named_by_its_place_in_the_record(turn: Any, field: str | None, words: str) -> None:
    for record in ({"conversations": [GOOD, turn], "system": "s"}, [GOOD, turn]):
        with pytest.raises(ConversationError) as caught:
            Conversation.coerce(record)
        assert (caught.value.message, caught.value.field) == (1, field)
        assert words in str(caught.value)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ({"id": 1}, "field 'conversations': is missing (keys seen: 'id')"),
        ({"conversations": [GOOD], "system": 3}, "field 'system': is a number"),
        ({"conversations": [GOOD], "system": "\ud800"}, "U+D800 at character 0"),
        ({"conversations": [GOOD], "tools": "x"}, "field 'tools': is not valid JSON"),
        ({"conversations": GOOD}, "the messages are an object"),
        ([], "the list of messages is empty"),
        ("x", "the messages are a string"),
    ],
)
def test_a_wrong_record_is_named(record: Any, words: str) -> None:
    with pytest.raises(ConversationError) as caught:
        Conversation.from_sharegpt(record)
    assert words in str(caught.value)


def test_roles_to_train() -> None:
    assert canonical_roles(["gpt"]) == frozenset({"assistant"})
    assert canonical_roles(["gpt", "model", "human", "function_call"]) == {"assistant", "user"}
    assert canonical_roles([]) == frozenset()
    with pytest.raises(UsageError, match=r"unknown role 'asistant'; did you mean 'assistant'\? known roles: .*gpt"):
        canonical_roles(["gpt", "asistant"])
    with pytest.raises(UsageError, match=r"give a list: \['gpt'\]"):
        canonical_roles("gpt")
    with pytest.raises(UsageError, match="unknown role 3"):
        canonical_roles([3])  # type: ignore[list-item]
