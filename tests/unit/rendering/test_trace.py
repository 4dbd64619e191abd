"""`Trace` by itself: what a message's values know, who owns what is printed, and how a text is joined.

Written by hand from chapter 02 of the specification, in the notation of `notation.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import pytest

from maskspec.rendering.origins import PENDING_LITERAL, Origin, OriginKind
from maskspec.rendering.trace import Trace
from maskspec.rendering.traced import TracedText, concatenate, make_traced, runs_of
from tests.unit.rendering.notation import where

MESSAGES: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yo"},
    {"role": "user", "content": "So"},
]
VARIABLE = Origin(OriginKind.VARIABLE, None, ("eos_token",))


class Stage:
    """A trace, the messages that it traced, and texts of all sorts."""

    def __init__(self) -> None:
        self.trace = Trace()
        self.messages = self.trace.trace_messages(MESSAGES)

    def looping(self, owner: int) -> Stage:
        """As inside `{% for m in messages %}`, at one message."""
        self.trace.open_scope()
        self.trace.iterate([self.messages[owner]])
        return self

    def selecting(self, owner: int) -> Stage:
        """As inside `{% for i in range(…) %}` with `messages[i]`, at one message."""
        self.trace.open_scope()
        self.trace.iterate([owner])
        self.trace.select(self.messages, owner)
        return self

    def part(self, given: Any) -> str:
        """A text: a number is that message's content, "$" the variable, a list a text of several runs, else a literal."""
        if isinstance(given, int):
            content: str = self.messages[given]["content"]
            return content
        if isinstance(given, list):
            return concatenate([self.part(one) for one in given])
        if given == "$":
            return make_traced("</s>", ((4, VARIABLE, 0),))
        return str(given)


def stage(owner: str) -> Stage:
    """`""`: outside any loop; `"at 1"`: a loop at message 1; `"by 1"`: an index loop that selects it."""
    kind, _, number = owner.partition(" ")
    if not kind:
        return Stage()
    return Stage().looping(int(number)) if kind == "at" else Stage().selecting(int(number))


def entries(text: str) -> list[str]:
    """Characters grouped by origin, in order; checks that the runs add up."""
    plain, found, position = str.__str__(text), [], 0
    for place, runs in groupby(runs_of(text), key=lambda run: where(run[1])):
        length = sum(run[0] for run in runs)
        found.append(f"{place} {plain[position : position + length]}")
        position += length
    assert position == len(plain)
    return found


def offsets(text: str) -> list[int | None]:
    """The offset of every character."""
    return [None if offset is None else offset + step for length, _, offset in runs_of(text) for step in range(length)]


# Values


def test_text_of_a_message_knows_message_path_and_place() -> None:
    for index, message in enumerate(Stage().messages):
        for key, value in message.items():
            assert runs_of(value) == ((len(value), Origin(OriginKind.MESSAGE, index, (key,)), 0),)
        assert [type(key) for key in message] == [str, str]
    assert Stage().messages == MESSAGES


@pytest.mark.parametrize("name", ["reasoning_content", "thinking", "reasoning"])
def test_reasoning_has_one_path_under_every_name(name: str) -> None:
    (message,) = Trace().trace_messages([{"role": "assistant", name: "R", "content": "A"}])
    assert runs_of(message[name]) == ((1, Origin(OriginKind.MESSAGE, 0, ("reasoning_content",)), 0),)
    assert runs_of(message["content"]) == ((1, Origin(OriginKind.MESSAGE, 0, ("content",)), 0),)


def test_reasoning_in_parts_has_the_path_of_reasoning() -> None:
    (message,) = Trace().trace_messages([{"role": "assistant", "thinking": [{"text": "R"}]}])
    (text,) = [part["text"] for part in message["thinking"]]
    assert where(runs_of(text)[0][1]) == "0.reasoning_content.0.text"


@pytest.mark.parametrize("kind", [OriginKind.MESSAGE, OriginKind.TOOL, OriginKind.VARIABLE])
@pytest.mark.parametrize("message", [None, 3])
def test_every_leaf_of_a_value_knows_where_it_came_from(kind: OriginKind, message: int | None) -> None:
    value = {"a": ["x", 1, 2.5, True, None, ""], "": {"b": "y"}, 7: ("z",)}
    traced = Trace().trace_value(value, kind, message, ("top",))
    assert traced == value

    def origin(*path: str | int, is_key: bool = False) -> Origin:
        return Origin(kind, message, ("top", *path), is_key)

    text, integer, real, yes, nothing, empty = traced["a"]
    assert runs_of(text) == ((1, origin("a", 0), 0),)
    assert runs_of(str(integer)) == ((1, origin("a", 1), None),)
    assert runs_of(str(real)) == ((3, origin("a", 2), None),)
    assert yes is True
    assert nothing is None
    assert type(empty) is str
    assert runs_of(traced[""]["b"]) == ((1, origin("", "b"), 0),)
    assert runs_of(traced[7][0]) == ((1, origin(7, 0), 0),)
    assert type(traced[7]) is tuple
    a, no_name, seven = traced
    assert runs_of(a) == ((1, origin("a", is_key=True), 0),)
    assert type(no_name) is str
    assert type(seven) is int
    (b,) = traced[""]
    assert runs_of(b) == ((1, origin("", "b", is_key=True), 0),)


def test_what_is_no_data_is_left_as_it_is() -> None:
    assert Trace().trace_value(print, OriginKind.VARIABLE, None, ("f",)) is print


def test_mappings_and_lists_of_the_conversation_are_known_again() -> None:
    trace = Trace()
    (message,) = trace.trace_messages([{"role": "user", "content": [{"type": "text"}], "given": {"k": ("v",)}}])

    def found(value: Any) -> str | None:
        origin = trace.container(value)
        return None if origin is None else where(origin)

    assert found(message) == "0."
    assert found(message["content"]) == "0.content"
    assert found(message["content"][0]) == "0.content.0"
    assert found(message["given"]) == "0.given"
    assert found(message["given"]["k"]) == "0.given.k"
    assert found(dict(message)) is None
    assert found(message["role"]) is None
    assert found(trace.trace_value([1], OriginKind.TOOL, None, ())) == "-~"


def test_what_is_known_again_stays_alive() -> None:
    """A container is known by its identity, which another object could get when it is gone."""
    trace = Trace()
    known = {id(trace.trace_value([number], OriginKind.VARIABLE, None, ("v", number))) for number in range(50)}
    assert len(known) == 50
    assert len({id(messages[0]) for messages in (trace.trace_messages(MESSAGES) for _ in range(50))}) == 50


# Which message a value is


def test_a_message_is_known_by_identity_and_a_copy_by_what_it_was_built_from() -> None:
    trace, messages = Stage().trace, []
    messages = trace.trace_messages(MESSAGES)
    role, content = messages[1]["role"], messages[1]["content"]
    assert [trace.message_of(message) for message in messages] == [0, 1, 2]
    assert trace.message_of(dict(messages[1])) == 1
    assert trace.message_of({"role": role, "content": "new"}) == 1
    assert trace.message_of({"role": "model", "content": content}) == 1
    assert trace.message_of({"role": "model", "name": "n", "content": content}) == 1
    assert trace.message_of({"content": messages[0]["content"], "role": role}) == 1
    assert trace.message_of({"role": "model", "content": messages[2]["content"], "name": content}) == 2


@pytest.mark.parametrize(
    "value", [None, "role", ["role"], {"content": "x"}, {"role": "model"}, {"role": "model", "content": ["x"], "n": 1}]
)
def test_what_holds_nothing_of_a_message_is_none(value: Any) -> None:
    assert Stage().trace.message_of(value) is None


def test_parts_of_messages_are_none_even_with_a_role() -> None:
    trace = Trace()
    (message,) = trace.trace_messages([{"role": "user", "content": [{"role": "inner", "text": "Hi"}]}])
    assert trace.message_of(message["content"][0]) is None
    assert trace.message_of({"text": message["content"][0]["text"]}) is None
    assert trace.message_of([message]) is None


def test_a_copy_with_parts_is_the_message_of_its_parts() -> None:
    trace = Trace()
    messages = trace.trace_messages([{"role": "user", "content": "Hi"}, {"role": "user", "content": [{"text": "Yo"}]}])
    assert trace.message_of({"role": "model", "content": messages[1]["content"]}) == 1
    assert trace.message_of({"role": "model", "n": 1, "call": messages[1]["content"][0]}) == 1


def test_a_copy_with_the_data_of_nobody_or_a_text_of_several_is_none() -> None:
    stage_ = Stage()
    tools = stage_.trace.trace_value([{"name": "get"}], OriginKind.TOOL, None, ())
    assert stage_.trace.message_of({"role": "model", "content": tools}) is None
    assert stage_.trace.message_of({"role": "model", "content": stage_.part([0, 1])}) is None
    assert stage_.trace.message_of({"role": "model", "content": stage_.part(["<", 0])}) is None
    assert stage_.trace.message_of({"role": "model", "content": stage_.part("$")}) is None


# Scopes


def test_a_loop_owns_its_messages_and_gives_back_what_was_before() -> None:
    trace = Trace()
    messages = trace.trace_messages(MESSAGES)
    owners = [trace.owner]
    trace.open_scope()
    trace.iterate([messages[1]])
    owners.append(trace.owner)
    trace.open_scope()
    trace.iterate(["key", messages[2]])
    owners.append(trace.owner)
    trace.iterate(["key", "value"])
    owners.append(trace.owner)
    trace.iterate([messages[0], messages[2]])
    owners.append(trace.owner)
    trace.iterate([])
    owners.append(trace.owner)
    trace.close_scope()
    owners.append(trace.owner)
    trace.close_scope()
    owners.append(trace.owner)
    assert owners == [None, 1, 2, 1, 0, 1, 1, None]


def test_an_index_selects_the_message_at_its_place_and_nothing_else() -> None:
    for index, owner in [(0, 0), (2, 2), (3, None), (-1, None), ("0", None), (1.0, None), (None, None)]:
        on = Stage()
        on.trace.select(on.messages, index)
        assert (index, on.trace.owner) == (index, owner)
    for sequence in (None, "Hi", {0: MESSAGES[0]}, ["Hi"], [["Hi"]]):
        on = Stage()
        on.trace.select(sequence, 0)
        assert on.trace.owner is None
    on = Stage()
    on.trace.select(tuple(on.messages), 1)
    assert on.trace.owner == 1
    on.trace.select(["Hi"], 0)
    assert on.trace.owner == 1


@pytest.mark.parametrize(
    ("inner", "expected"),
    [("at 1", ["1.content>0 Yo"]), ("by 1", ["1.content Yo"])],
)
def test_the_end_of_a_loop_gives_back_whether_an_index_reaches_ahead(inner: str, expected: list[str]) -> None:
    """Outside any loop and in an index loop, a source of a later message is no repetition; in a loop over messages it is."""
    on = stage(inner.replace("1", "0"))
    on.trace.open_scope()
    on.trace.iterate([on.messages[2]])
    on.trace.close_scope()
    assert entries(on.trace.emit(on.part(1))) == expected
    on.trace.open_scope()
    on.trace.iterate(["nothing"])
    assert entries(on.trace.emit(on.part(1))) == expected
    assert entries(on.trace.emit(on.trace.claim("<"))) == ["0 <"]


# Joining

JOINS: list[tuple[str, Sequence[Any], list[str]]] = [
    # outside any loop
    ("", [], []),
    ("", ["a", "", "b"], ["- ab"]),
    ("", ["$", "b"], ["-$eos_token </s>", "- b"]),
    ("", [0], ["0.content Hi"]),
    ("", ["<", 0, ">"], ["0 <", "0.content Hi", "0 >"]),
    ("", ["$", 0, "$"], ["0$eos_token </s>", "0.content Hi", "0$eos_token </s>"]),
    ("", ["<", "(", 1, ")", ">"], ["1 <(", "1.content Yo", "1 )>"]),
    ("", ["<", 0, "|", "", 1, ">"], ["0 <", "0.content Hi", "0 |", "1.content Yo", "1 >"]),
    ("", ["<", 1, "|", 0, ">"], ["1 <", "1.content Yo", "1 |", "0.content Hi", "0 >"]),
    ("", [["<", 0, "|", 1, ">"]], ["0 <", "0.content Hi", "1 |", "1.content Yo", "1 >"]),
    ("", [["<", 0], "|", [1, ">"]], ["0 <", "0.content Hi", "1 |", "1.content Yo", "1 >"]),
    ("", [["$", "<"], [0, "$"]], ["0$eos_token </s>", "0 <", "0.content Hi", "0$eos_token </s>"]),
    # a loop over messages: every literal is its message's
    ("at 1", ["a", "", "b"], ["1 ab"]),
    ("at 1", ["$", "b"], ["1$eos_token </s>", "1 b"]),
    ("at 1", ["<", 0, "|", 2, ">"], ["1 <", "0.content Hi", "1 |", "2.content So", "1 >"]),
    ("at 1", [["<", 2], ["$", 0, ">"]], ["1 <", "2.content So", "1$eos_token </s>", "0.content Hi", "1 >"]),
    ("at 0", ["<", 1, ">"], ["0 <", "1.content Yo", "0 >"]),
    # an index loop: what is joined with a later message's source is that message's
    ("by 0", ["a", "$"], ["0 a", "0$eos_token </s>"]),
    ("by 0", ["<", 0, ">"], ["0 <", "0.content Hi", "0 >"]),
    ("by 0", ["<", 1, ">"], ["1 <", "1.content Yo", "1 >"]),
    ("by 0", ["$", 1, "$"], ["1$eos_token </s>", "1.content Yo", "1$eos_token </s>"]),
    ("by 0", ["<", 0, "|", 1, ">"], ["0 <", "0.content Hi", "0 |", "1.content Yo", "1 >"]),
    ("by 1", ["<", 0, "|", 1, ">"], ["1 <", "0.content Hi", "1 |", "1.content Yo", "1 >"]),
    ("by 1", ["<", 0, ">"], ["1 <", "0.content Hi", "1 >"]),
    ("by 0", ["<", 2, "|", 1, ">"], ["2 <", "2.content So", "2 |", "1.content Yo", "1 >"]),
    ("by 0", ["<", 1, "|", 0, ">"], ["1 <", "1.content Yo", "0 |", "0.content Hi", "0 >"]),
    ("by 0", [["<", 1], "|", [2, ">"]], ["1 <", "1.content Yo", "0 |", "2.content So", "2 >"]),
    ("by 0", [["$", "<"], 1], ["1$eos_token </s>", "1 <", "1.content Yo"]),
    ("by 0", [["<", 1, 2], "|"], ["0 <", "1.content Yo", "2.content So", "0 |"]),
]


@pytest.mark.parametrize(("owner", "parts", "expected"), JOINS)
def test_a_literal_belongs_to_the_message_it_is_joined_with(
    owner: str, parts: Sequence[Any], expected: list[str]
) -> None:
    on = stage(owner)
    given = [on.part(part) for part in parts]
    joined = on.trace.join(given)
    assert joined == "".join(given)
    assert entries(joined) == expected
    assert [place for part in given for place in offsets(part)] == offsets(joined)


def test_texts_that_are_joined_again_keep_their_owner() -> None:
    on = stage("at 0")
    first = on.trace.join(["<", on.part(0), ">"])
    captured = on.trace.claim("end")
    on.trace.iterate([on.messages[1]])
    again = on.trace.join([first, "|", captured, on.trace.join(["(", first, ")"])])
    whole = ["0 <", "0.content Hi", "0 >"]
    assert entries(again) == [*whole, "1 |", "0 end", "1 (", *whole, "1 )"]
    on.trace.close_scope()
    assert entries(on.trace.join([first, "$", captured])) == [*whole[:2], "0 >$end"]


# Claiming

CLAIMS: list[tuple[str, Any, list[str]]] = [
    ("", "", []),
    ("", "ab", ["- ab"]),
    ("", "$", ["-$eos_token </s>"]),
    ("", ["$", "b"], ["-$eos_token </s>", "- b"]),
    ("", 1, ["1.content Yo"]),
    ("", ["<", 0, "|", "$", 1, ">"], ["0 <", "0.content Hi", "1 |", "1$eos_token </s>", "1.content Yo", "1 >"]),
    ("", ["<", "$", 0], ["0 <", "0$eos_token </s>", "0.content Hi"]),
    ("", [0, "$", ">"], ["0.content Hi", "0$eos_token </s>", "0 >"]),
    ("at 1", "", []),
    ("at 1", "ab", ["1 ab"]),
    ("at 1", "$", ["1$eos_token </s>"]),
    ("at 1", 0, ["0.content Hi"]),
    ("at 1", ["<", 2, "$"], ["1 <", "2.content So", "1$eos_token </s>"]),
    ("by 1", "ab", ["1 ab"]),
    ("by 1", ["<", 2, "$"], ["2 <", "2.content So", "2$eos_token </s>"]),
    ("by 1", ["<", 0, "$"], ["1 <", "0.content Hi", "1$eos_token </s>"]),
    ("by 1", ["<", 1, ">"], ["1 <", "1.content Yo", "1 >"]),
    ("by 0", ["<", 1, 2, ">"], ["0 <", "1.content Yo", "2.content So", "0 >"]),
    ("by 0", ["<", "$"], ["0 <", "0$eos_token </s>"]),
]


@pytest.mark.parametrize(("owner", "given", "expected"), CLAIMS)
def test_what_nobody_owns_is_claimed(owner: str, given: Any, expected: list[str]) -> None:
    on = stage(owner)
    text = on.part(given)
    claimed = on.trace.claim(text)
    assert claimed == text
    assert entries(claimed) == expected
    assert offsets(claimed) == offsets(text)


def test_what_is_claimed_once_stays_so() -> None:
    on = stage("at 0")
    literal, mixed = on.trace.claim("<"), on.trace.claim(on.part(["<", 0, "$"]))
    on.trace.iterate([on.messages[1]])
    assert entries(on.trace.claim(literal)) == ["0 <"]
    assert entries(on.trace.claim(mixed)) == ["0 <", "0.content Hi", "0$eos_token </s>"]
    assert entries(on.trace.claim(on.trace.claim("<"))) == ["1 <"]


def test_origins_other_than_literals_are_claimed_as_they_are() -> None:
    on = stage("at 2")
    tool = Origin(OriginKind.TOOL, None, (0, "name"), is_key=True)
    text = make_traced("ab", ((1, tool, 4), (1, VARIABLE, None)))
    for _ in range(2):
        assert runs_of(on.trace.claim(text)) == (
            (1, Origin(OriginKind.TOOL, 2, (0, "name"), is_key=True), 4),
            (1, Origin(OriginKind.VARIABLE, 2, ("eos_token",)), None),
        )
    assert runs_of(text) == ((1, tool, 4), (1, VARIABLE, None))
    on.trace.iterate([on.messages[0]])
    assert {origin.message for _, origin, _ in runs_of(on.trace.claim(text))} == {0}


# Printing

PRINTED: list[tuple[str, Any, list[str]]] = [
    ("", "<", ["- <"]),
    ("", 1, ["1.content Yo"]),
    ("", ["<", 0, 1], ["0 <", "0.content Hi", "1.content Yo"]),
    ("at 1", "<", ["1 <"]),
    ("at 1", "", []),
    ("at 1", 1, ["1.content Yo"]),
    ("at 1", 0, ["0.content>1 Hi"]),
    ("at 1", 2, ["2.content>1 So"]),
    ("at 1", ["<", 0, "$", 1], ["1 <", "0.content>1 Hi", "1$eos_token </s>", "1.content Yo"]),
    ("at 0", [0, 1, 2], ["0.content Hi", "1.content>0 Yo", "2.content>0 So"]),
    ("by 1", 0, ["0.content>1 Hi"]),
    ("by 1", 2, ["2.content So"]),
    ("by 1", [0, 1, 2, ">"], ["0.content>1 Hi", "1.content Yo", "2.content So", "1 >"]),
]


@pytest.mark.parametrize(("owner", "given", "expected"), PRINTED)
def test_sources_that_another_message_repeats_are_quoted(owner: str, given: Any, expected: list[str]) -> None:
    on = stage(owner)
    for _ in range(2):
        text = on.part(given)
        printed = on.trace.emit(text)
        assert printed == text
        assert entries(printed) == expected
        assert offsets(printed) == offsets(text)
        joined = on.trace.emit(on.trace.join([text, ""]))
        assert entries(joined) == expected


def test_the_literals_of_another_message_are_not_quoted() -> None:
    on = stage("at 0")
    turn = on.trace.join(["<", on.part(0), on.part("$"), ">"])
    on.trace.iterate([on.messages[1]])
    assert entries(on.trace.emit(turn)) == ["0 <", "0.content>1 Hi", "0$eos_token </s>", "0 >"]
    on.trace.iterate([on.messages[2]])
    assert entries(on.trace.emit(turn)) == ["0 <", "0.content>2 Hi", "0$eos_token </s>", "0 >"]
    on.trace.close_scope()
    assert entries(on.trace.emit(turn)) == ["0 <", "0.content Hi", "0$eos_token </s>", "0 >"]


def test_quoting_keeps_everything_else_of_an_origin() -> None:
    on = stage("at 2")
    origin = Origin(OriginKind.MESSAGE, 0, ("given", "k"), is_key=True, generated=True)
    printed = on.trace.emit(make_traced("k", ((1, origin, 0),)))
    assert runs_of(printed) == ((1, Origin(OriginKind.MESSAGE, 0, ("given", "k"), True, True, quoted_in=2), 0),)


def test_an_origin_of_which_nothing_is_left_is_not_mistaken_for_another() -> None:
    """What was made of an origin is found again by its identity, which another origin could get when it is gone."""
    on = stage("at 2")
    for number in range(50):
        repeated = on.trace.emit(make_traced("x", ((1, Origin(OriginKind.MESSAGE, 0, ("k", number)), 0),)))
        assert entries(repeated) == [f"0.k.{number}>2 x"]
        variable = on.trace.emit(make_traced("x", ((1, Origin(OriginKind.VARIABLE, None, ("v", number)), 0),)))
        assert entries(variable) == [f"2$v.{number} x"]


# Generation blocks


@pytest.mark.parametrize(
    ("owner", "given", "expected"),
    [
        ("", "x", ["-* x"]),
        ("", ["<", 1], ["1* <", "1.content* Yo"]),
        ("at 0", "x", ["0* x"]),
        ("at 0", [0, "$", "x"], ["0.content* Hi", "0$eos_token* </s>", "0* x"]),
        ("at 0", "", []),
    ],
)
def test_everything_in_a_generation_block_is_marked(owner: str, given: Any, expected: list[str]) -> None:
    on = stage(owner)
    text = on.part(given)
    marked = on.trace.mark_generated(text)
    assert isinstance(marked, TracedText)
    assert marked == text
    assert entries(marked) == expected
    assert offsets(marked) == offsets(text)
    assert entries(on.trace.emit(marked)) == expected


def test_a_literal_is_pending_until_somebody_owns_it() -> None:
    trace = Trace()
    assert trace.literal(2) == trace.adopted(PENDING_LITERAL, 2) == Origin(OriginKind.LITERAL, 2)
    assert trace.adopted(VARIABLE, 2) == Origin(OriginKind.VARIABLE, 2, ("eos_token",))
