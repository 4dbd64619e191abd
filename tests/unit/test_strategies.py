"""Strategies: what they draw is valid, fits the template, holds every class of text and shrinks to the smallest."""

from __future__ import annotations

import json
import unicodedata
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from random import Random
from typing import Any

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from maskspec.conversation import Conversation
from maskspec.corpus import embedded_pair, embedded_template
from maskspec.errors import UsageError
from maskspec.rendering import ConversationRenderer
from maskspec.shapes import traits
from maskspec.shapes.schemas import SCHEMAS
from maskspec.strategies import Generated, conversations, texts, tool_schemas
from maskspec.strategies.flags import flags_of
from maskspec.strategies.pieces import PIECES, Step, pieces_for, spell
from maskspec.strategies.sampling import sample_traits
from maskspec.strategies.tools import arguments
from tests.unit.planted_bugs import TEMPLATE

SPECIAL = {"bos_token": "<s>", "eos_token": "</s>"}
TEMPLATES = ("qwen3", "gemma", "mistral-v3", "llama-3", "glm", "harmony", "command-r", "chatml")


def generated_for(name: str, *, flags: bool = False, examples: int = 100, seed: int = 1) -> list[Generated]:
    found = traits(embedded_template(name).source, special_tokens=SPECIAL)
    return sample_traits(found, flags=flags, examples=examples, seed=seed)


@pytest.mark.parametrize("name", TEMPLATES)
def test_every_conversation_is_valid_and_rendered(name: str) -> None:
    for each in generated_for(name, flags=True):
        conversation = Conversation.from_messages(each.messages, tools=each.tools)
        for options in (each.template_kwargs, {}):
            renderer = ConversationRenderer(
                conversation,
                template=embedded_template(name).source,
                special_tokens=SPECIAL,
                template_kwargs=options,
            )
            assert renderer.text()


@settings(deadline=None, max_examples=30, database=None)
@given(conversations(TEMPLATE, flags=True))
def test_the_strategy_serves_an_ordinary_test(generated: Generated) -> None:
    Conversation.from_messages(generated.messages, tools=generated.tools)
    assert json.loads(json.dumps(generated.messages)) == generated.messages


def test_the_smallest_conversation_is_one_letter_each() -> None:
    # Up to three searches: Hypothesis sometimes stops where two things would have to go at once.
    searches = (
        find(
            conversations(TEMPLATE, flags=True),
            lambda _: True,
            settings=settings(database=None, deadline=None, phases=(Phase.generate, Phase.shrink)),
            random=Random(seed),
        )
        for seed in range(3)
    )
    assert Generated([{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}], None, {}) in searches


def kinds(generated: list[Generated]) -> Counter[str]:
    """What the conversations hold, by hand-written criteria."""
    found: Counter[str] = Counter()
    for each in generated:
        messages = each.messages
        roles = [message["role"] for message in messages]
        calls = [call for message in messages for call in message.get("tool_calls") or ()]
        functions = [call.get("function", call) for call in calls]
        contents = [message["content"] for message in messages]
        found.update(
            name
            for name, holds in {
                "system": roles[0] == "system",
                "developer": "developer" in roles,
                "system in the middle": "system" in roles[2:],
                "first by assistant": roles[0] == "assistant",
                "last by user": roles[-1] == "user",
                "last a call": bool(messages[-1].get("tool_calls")),
                "last a result": roles[-1] == "tool",
                "three rounds": roles.count("user") >= 3,
                "two answers": ("assistant", "assistant") in set(pairwise(roles)),
                "two questions": ("user", "user") in set(pairwise(roles)),
                "several tools": len(each.tools or ()) > 1,
                "bare tools": any("function" not in tool for tool in each.tools or ()),
                "parallel calls": any(len(message.get("tool_calls") or ()) > 1 for message in messages),
                "arguments as text": any(isinstance(f["arguments"], str) for f in functions),
                "nested arguments": any(f["name"] == "book" and isinstance(f["arguments"], dict) for f in functions),
                "bare calls": any("function" not in call for call in calls),
                "calls with content": any(m.get("tool_calls") and m["content"] for m in messages),
                "calls without content": any(m.get("tool_calls") and m["content"] is None for m in messages),
                "calls after reasoning": any(m.get("tool_calls") and m.get("reasoning_content") for m in messages),
                "calls without schemas": bool(calls) and each.tools is None,
                "two steps of calls": any(a == "tool" and m.get("tool_calls") for a, m in zip(roles, messages[1:], strict=False)),
                "bare results": any(m["role"] == "tool" and "name" not in m for m in messages),
                "results in parts": any(m["role"] == "tool" and isinstance(m["content"], list) for m in messages),
                "reasoning_content": any("reasoning_content" in m for m in messages),
                "thinking": any("thinking" in m for m in messages),
                "inline reasoning": any(str(c).startswith("<think>\n") for c in contents),
                "parts": any(isinstance(c, list) and len(c) == 1 for c in contents),
                "several parts": any(isinstance(c, list) and len(c) > 1 for c in contents),
                "parts in some": len({type(c) for c, r in zip(contents, roles, strict=True) if r in ("user", "assistant")}) > 1,
                "empty": "" in [c for c, m in zip(contents, messages, strict=True) if not m.get("tool_calls")],
                "whitespace only": any(isinstance(c, str) and c and not c.strip() for c in contents),
                "long": any(isinstance(c, str) and len(c) > 1000 for c in contents),
                "equal rounds": any(messages[i : i + 2] == messages[i + 2 : i + 4] for i in range(len(messages) - 3)),
                "answer within the question": any(
                    a["role"] == "user" and b["role"] == "assistant" and b["content"] and isinstance(b["content"], str)
                    and len(b["content"]) > 2 and b["content"] in str(a["content"])
                    for a, b in pairwise(messages)
                ),
                "train": any("train" in m for m in messages),
                "weight": any("weight" in m for m in messages),
                "spans": any("spans" in m for m in messages),
                "two spans": any(len(m.get("spans", ())) > 1 for m in messages),
                "variables": bool(each.template_kwargs),
            }.items()
            if holds
        )  # fmt: skip
    return found


EVERYTHING = TEMPLATE + "{% if enable_thinking %}{% endif %}"


def test_everything_that_a_template_renders_is_drawn() -> None:
    found = kinds(sample_traits(traits(EVERYTHING), flags=True, examples=600, seed=2))
    names = kinds([Generated([{"role": "user", "content": "a"}, {"role": "assistant", "content": "a"}])])
    assert not names
    missing = {name for name in ALL_KINDS if not found[name]}
    assert missing == set()


ALL_KINDS = (
    "system", "developer", "system in the middle", "first by assistant", "last by user", "last a call",
    "last a result", "three rounds", "two answers", "two questions", "several tools", "bare tools", "parallel calls",
    "arguments as text", "nested arguments", "bare calls", "calls with content", "calls without content",
    "calls after reasoning", "calls without schemas", "two steps of calls", "bare results", "results in parts",
    "reasoning_content", "thinking", "inline reasoning", "parts", "several parts", "parts in some", "empty",
    "whitespace only", "long", "equal rounds", "answer within the question", "train", "weight", "spans", "two spans",
    "variables",
)  # fmt: skip

SPECIAL_FIELDS = {"reasoning_content", "reasoning", "thinking", "tool_calls", "train", "weight", "spans"}


def is_plain(each: Generated) -> bool:
    return (
        each.tools is None
        and not each.template_kwargs
        and not any(SPECIAL_FIELDS & set(message) for message in each.messages)
        and all(isinstance(message["content"], str) for message in each.messages)
    )


@pytest.mark.parametrize("name", ["qwen3", "glm", "chatml", "gemma"])
def test_many_conversations_are_plain_text_however_much_the_template_renders(name: str) -> None:
    # What most maskers take; by 400 conversations the share is known to a few percent.
    plain = [each for each in generated_for(name, examples=400) if is_plain(each)]
    assert len(plain) >= 120
    several = [each for each in plain if sum(message["role"] == "assistant" for message in each.messages) > 1]
    assert len(several) >= 60


def test_conversations_may_do_without_markers_in_their_texts() -> None:
    found = traits(embedded_template("chatml").source, special_tokens={"eos_token": "<|im_end|>"})
    texts = [json.dumps(each.messages) for each in sample_traits(found, flags=False, examples=400, seed=1)]
    several = [text for text in texts if text.count('"role"') >= 4]
    without = [text for text in several if "<|" not in text and "[/INST]" not in text]
    assert len(several) / 4 <= len(without) <= 3 * len(several) / 4


def test_what_a_template_prints_between_messages_is_drawn_as_text() -> None:
    found = traits(embedded_template("chatml").source)
    answer, question = found.seams
    assert answer == "<|im_end|>\n<|im_start|>assistant\n"
    drawn = sample_traits(found, flags=False, examples=200, seed=1)
    texts = [str(message["content"]) for each in drawn for message in each.messages]
    assert sum(answer in text for text in texts) >= 5
    assert sum(question in text for text in texts) >= 5


def test_some_conversations_have_the_same_edges_around_every_answer() -> None:
    led = trailed = 0
    for each in generated_for("chatml", examples=300):
        answers = [m["content"] for m in each.messages if m["role"] == "assistant" and m["content"]]
        if len(answers) >= 3:
            led += all(text[0].isspace() for text in answers)
            trailed += all(text[-1].isspace() for text in answers)
    assert led >= 5
    assert trailed >= 3


def test_most_conversations_keep_to_one_form_of_reasoning_and_some_do_not() -> None:
    fields = {"reasoning_content", "reasoning", "thinking"}
    found: Counter[int] = Counter()
    for each in generated_for("qwen3", examples=600):
        forms = [form for message in each.messages for form in fields & set(message)]
        forms += ["inline" for message in each.messages if str(message["content"]).lstrip().startswith("<think>\n")]
        if len(forms) >= 2:
            found[len(set(forms))] += 1
    assert found[1] > sum(found.values()) / 2
    assert found[2] >= 3


CLASSES = {
    "CJK": lambda text: any("\u4e00" <= letter <= "\u9fff" for letter in text),
    "emoji with a joiner": lambda text: "\u200d" in text and "👩" in text,
    "combining mark": lambda text: any(unicodedata.combining(letter) for letter in text),
    "right to left": lambda text: any(unicodedata.bidirectional(letter) in ("R", "AL") for letter in text),
    "control character": lambda text: any(unicodedata.category(letter) == "Cc" and letter not in "\n\t\r" for letter in text),
    "U+2581": lambda text: "\u2581" in text,
    "leading newline": lambda text: text.startswith("\n") and bool(text.strip()),
    "trailing space": lambda text: text.endswith(" ") and bool(text.strip()),
    "JSON": lambda text: '{"a": [1, "b"]}' in text,
    "think tag": lambda text: "<think>" in text,
    "tool tag": lambda text: "<tool_call>" in text,
    "stop token": lambda text: "<|im_end|>" in text,
    "code": lambda text: "```" in text,
    "any character": lambda text: any(letter > "\uffff" and unicodedata.category(letter) == "Cn" for letter in text),
}  # fmt: skip


def test_every_class_of_text_is_drawn() -> None:
    drawn = [
        str(message["content"])
        for each in sample_traits(traits(TEMPLATE), flags=False, examples=500, seed=4)
        for message in each.messages
    ]
    assert {name for name, holds in CLASSES.items() if not any(map(holds, drawn))} == set()


def test_the_tokens_and_literals_of_a_template_are_drawn() -> None:
    found = traits(TEMPLATE, special_tokens={"eos_token": "<|my_end|>"})
    text = json.dumps([each.messages for each in sample_traits(found, flags=False, examples=300, seed=4)])
    assert "<|my_end|>" in text
    assert "</tools>" in text


@settings(deadline=None, max_examples=100, database=None)
@given(texts(), texts(empty=True, blank=True))
def test_texts_are_as_they_are_asked_for(text: str, free: str) -> None:
    assert text.strip()
    text.encode("utf-8")
    free.encode("utf-8")


@pytest.mark.parametrize(
    ("pieces", "code", "options", "expected"),
    [
        (("a", "b"), b"\0", {}, "a"),
        (("a", "b"), b"\1\0\1", {}, "bab"),
        (("a", Step.AGAIN), b"\0\1\1", {}, "aaaa"),
        (("a", Step.EARLIER), b"\1", {"earlier": ["one", "two"]}, "two"),
        (("a", Step.EARLIER), b"\1\1\0", {"earlier": ["one", "two"]}, "onea"),
        (("a", Step.EARLIER), b"\1", {}, "a"),
        (("a", Step.PART), b"\1\0\1\1", {"earlier": ["abcdef"]}, "bc"),
        (("a", Step.NOTHING), b"\1\0", {"empty": True}, ""),
        (("a", Step.NOTHING), b"\1\0", {}, "a"),
        (("a", Step.CHARACTER), b"\1\0\0\1", {}, "!"),
        (("a", " "), b"\1", {}, "a "),
        (("a", " "), b"\1", {"blank": True}, " "),
    ],
)
def test_texts_are_spelled_by_bytes(pieces: Any, code: bytes, options: Mapping[str, Any], expected: str) -> None:
    assert spell(code, pieces, **options) == expected


@settings(deadline=None, max_examples=200, database=None)
@given(st.binary(min_size=1, max_size=8), st.lists(st.text(alphabet="abc", max_size=3), max_size=3))
def test_any_bytes_spell_a_text(code: bytes, earlier: list[str]) -> None:
    assert spell(code, PIECES, earlier=earlier).encode("utf-8").strip()


def test_there_is_a_piece_for_every_byte_and_none_that_a_template_refuses() -> None:
    refusing = (
        "{% for m in messages %}{% if '<think>' in m.content %}{{ raise_exception('') }}{% endif %}"
        "{{ m.role + m.content }}{% endfor %}"
    )
    for pieces in (pieces_for(traits(refusing)), pieces_for(traits(refusing), markers=False)):
        assert len(pieces) == len(PIECES) == 256
        assert not any("<think>" in piece for piece in pieces if isinstance(piece, str))
        assert pieces[0] == "a"


def test_pieces_without_markers_differ_in_the_places_of_markers_alone() -> None:
    found = traits(TEMPLATE, special_tokens={"eos_token": "<|my_end|>"})
    usual, without = pieces_for(found), pieces_for(found, markers=False)
    assert "<|my_end|>" in usual
    changed = [number for number in range(256) if usual[number] != without[number]]
    assert changed == list(range(changed[0], changed[-1] + 1))
    assert not {"<|my_end|>", "<|im_end|>", "</s>", "<think>", "</tools>", "[/INST]"} & set(without)


@settings(deadline=None, max_examples=200, database=None)
@given(st.sampled_from(SCHEMAS), st.binary(max_size=12))
def test_arguments_match_their_schema(schema: dict[str, Any], code: bytes) -> None:
    parameters = schema["function"].get("parameters", {})
    assert matches(arguments(schema, code, PIECES), {"type": "object", **parameters})


def matches(value: Any, schema: Mapping[str, Any]) -> bool:
    """The part of JSON Schema that the schemas use."""
    alternatives = schema.get("anyOf") or schema.get("oneOf")
    if alternatives:
        return any(matches(value, each) for each in alternatives)
    kind = schema.get("type", "string")
    if isinstance(kind, list):
        return any(matches(value, {**schema, "type": each}) for each in kind)
    if "enum" in schema and value not in schema["enum"]:
        return False
    if kind == "object":
        known = schema.get("properties", {})
        open_ended = schema.get("additionalProperties") is True
        return (
            isinstance(value, dict)
            and set(schema.get("required", ())) <= value.keys()
            and all(matches(item, known[name]) if name in known else open_ended for name, item in value.items())
        )
    if kind == "array":
        return isinstance(value, list) and all(matches(item, schema["items"]) for item in value)
    types = {"string": str, "integer": int, "number": (int, float), "boolean": bool, "null": type(None)}
    return isinstance(value, types[kind]) and (kind == "boolean") == isinstance(value, bool)


@settings(deadline=None, max_examples=50, database=None)
@given(tool_schemas())
def test_tools_are_different_schemas(schemas: list[dict[str, Any]]) -> None:
    names = [schema["function"]["name"] for schema in schemas]
    assert 1 <= len(names) == len(set(names)) <= 3


@settings(deadline=None, max_examples=200, database=None)
@given(st.binary(max_size=6), st.sampled_from(["", "a", "A longer text.", None]))
def test_flags_are_read_without_complaint(code: bytes, content: str | None) -> None:
    flags = flags_of(code, content)
    Conversation.from_messages([{"role": "assistant", "content": content, **flags}])


def test_flags_are_drawn_only_where_they_are_wanted() -> None:
    for each in generated_for("qwen3", flags=False):
        assert not any({"train", "weight", "spans"} & set(message) for message in each.messages)


def test_results_answer_the_calls_before_them() -> None:
    for each in generated_for("qwen3", examples=300):
        waiting: list[dict[str, Any]] = []
        for message in each.messages:
            if message["role"] == "tool":
                call = waiting.pop(0)
                function = call.get("function", call)
                assert message.get("name", function["name"]) == function["name"]
                assert message.get("tool_call_id", call.get("id")) == call.get("id", message.get("tool_call_id"))
            else:
                assert not waiting
                waiting = list(message.get("tool_calls") or ())
        names = {tool.get("function", tool)["name"] for tool in each.tools or ()}
        called = [c.get("function", c)["name"] for m in each.messages for c in m.get("tool_calls") or ()]
        assert each.tools is None or set(called) <= names


def test_nothing_is_shared_between_conversations() -> None:
    first = generated_for("qwen3")
    before = json.dumps([each.messages for each in first])
    for each in generated_for("qwen3"):
        for tool in each.tools or ():
            tool["function" if "function" in tool else "name"] = "changed"
        for message in each.messages:
            message.clear()
    assert json.dumps([each.messages for each in first]) == before
    assert json.dumps([each.messages for each in generated_for("qwen3")]) == before


def test_the_number_of_rounds_is_bounded() -> None:
    @settings(deadline=None, max_examples=100, database=None)
    @given(conversations(embedded_template("gemma").source, special_tokens=SPECIAL, max_rounds=2))
    def check(generated: Generated) -> None:
        assert [message["role"] for message in generated.messages].count("assistant") <= 2

    check()


def test_mistakes_in_asking_are_named() -> None:
    with pytest.raises(UsageError, match="max_rounds is 0"):
        conversations(TEMPLATE, max_rounds=0)
    pytest.importorskip("transformers", reason="the embedded tokenizers are loaded through transformers")
    with pytest.raises(UsageError, match="brings its own"):
        conversations(embedded_pair("chatml+bytelevel-gpt2"), special_tokens={})
