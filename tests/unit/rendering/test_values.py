"""Data that a template prints: every character of it as JSON and in Python's notation, written by hand.

Texts inside data, numbers, names and constants are sources of their message; brackets, quotes,
separators and indentation are literals of the template.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from maskspec.rendering import Rendering, render
from tests.unit.rendering.notation import noted
from tests.unit.rendering.oracle import transformers_text
from tests.unit.rendering.places import places


def printed(data: Any, expression: str, **variables: Any) -> Rendering:
    """The rendering of an expression about `d`, data of message 0, while that message is being rendered."""
    messages = [{"role": "user", "content": "Hi", "d": data}]
    template = "{% for m in messages %}{% set c, d = m.content, m.d %}{{ " + expression + " }}{% endfor %}"
    return render(messages, template=template, **variables)


BOTH_NOTATIONS: list[tuple[Any, str, list[str]]] = [
    ({"k": "v"}, "d|tojson", ['0 {"', "0.d.k! k", '0 ": "', "0.d.k v", '0 "}']),
    ({"k": "v"}, "d", ["0 {'", "0.d.k! k", "0 ': '", "0.d.k v", "0 '}"]),
    (["a", "b"], "d|tojson", ['0 ["', "0.d.0 a", '0 ", "', "0.d.1 b", '0 "]']),
    (["a", "b"], "d", ["0 ['", "0.d.0 a", "0 ', '", "0.d.1 b", "0 ']"]),
    (
        [1, 2.5, True, None, ""],
        "d|tojson",
        ["0 [", "0.d.0 1", "0 , ", "0.d.1 2.5", "0 , ", "0.d.2 true", "0 , ", "0.d.3 null", '0 , ""]'],
    ),
    (
        [1, 2.5, True, None, ""],
        "d",
        ["0 [", "0.d.0 1", "0 , ", "0.d.1 2.5", "0 , ", "0.d.2 True", "0 , ", "0.d.3 None", "0 , '']"],
    ),
    (
        {"a": [{"b": None}, 7], "c": {}},
        "d|tojson",
        [
            '0 {"',
            "0.d.a! a",
            '0 ": [{"',
            "0.d.a.0.b! b",
            '0 ": ',
            "0.d.a.0.b null",
            "0 }, ",
            "0.d.a.1 7",
            '0 ], "',
            "0.d.c! c",
            '0 ": {}}',
        ],
    ),
    (
        {"a": [{"b": None}, 7], "c": {}},
        "d",
        [
            "0 {'",
            "0.d.a! a",
            "0 ': [{'",
            "0.d.a.0.b! b",
            "0 ': ",
            "0.d.a.0.b None",
            "0 }, ",
            "0.d.a.1 7",
            "0 ], '",
            "0.d.c! c",
            "0 ': {}}",
        ],
    ),
    # What the template builds itself holds sources, but is none.
    (
        "x",
        "[c, 'y', 3, none, {'k': d}]|tojson",
        ['0 ["', "0.content Hi", '0 ", "y", 3, null, {"k": "', "0.d x", '0 "}]'],
    ),
    ("x", "[c, 'y', 3, none, {'k': d}]", ["0 ['", "0.content Hi", "0 ', 'y', 3, None, {'k': '", "0.d x", "0 '}]"]),
    ([5], "{'k': d}|tojson", ['0 {"k": [', "0.d.0 5", "0 ]}"]),
    ([5], "{'k': d}", ["0 {'k': [", "0.d.0 5", "0 ]}"]),
    ([5, [None]], "(d, c)", ["0 ([", "0.d.0 5", "0 , [", "0.d.1.0 None", "0 ]], '", "0.content Hi", "0 ')"]),
    ([5, [None]], "(d, c)|tojson", ["0 [[", "0.d.0 5", "0 , [", "0.d.1.0 null", '0 ]], "', "0.content Hi", '0 "]']),
    (None, "()", ["0 ()"]),
    (None, "()|tojson", ["0 []"]),
    (None, "(c, ())", ["0 ('", "0.content Hi", "0 ', ())"]),
    # The names of data that the template builds need not be texts.
    (
        "x",
        "{1: d, none: 2, false: c, 2.5: none}|tojson",
        ['0 {"1": "', "0.d x", '0 ", "null": 2, "false": "', "0.content Hi", '0 ", "2.5": null}'],
    ),
    (
        "x",
        "{1: d, none: 2, false: c, 2.5: none}",
        ["0 {1: '", "0.d x", "0 ', None: 2, False: '", "0.content Hi", "0 ', 2.5: None}"],
    ),
    ("x", "{c: d}|tojson", ['0 {"', "0.content Hi", '0 ": "', "0.d x", '0 "}']),
    ("x", "{c: d}", ["0 {'", "0.content Hi", "0 ': '", "0.d x", "0 '}"]),
]


@pytest.mark.parametrize(("data", "expression", "expected"), BOTH_NOTATIONS)
def test_every_part_of_data_has_its_origin(data: Any, expression: str, expected: list[str]) -> None:
    assert noted(printed(data, expression)) == expected


NESTED = {"b": [1, [], {}], "a": {"x": "y"}}

OPTIONS: list[tuple[str, list[str]]] = [
    (
        "d|tojson(indent=2)",
        [
            '0 {\n  "',
            "0.d.b! b",
            '0 ": [\n    ',
            "0.d.b.0 1",
            '0 ,\n    [],\n    {}\n  ],\n  "',
            "0.d.a! a",
            '0 ": {\n    "',
            "0.d.a.x! x",
            '0 ": "',
            "0.d.a.x y",
            '0 "\n  }\n}',
        ],
    ),
    (
        "d|tojson(indent='>>')",
        [
            '0 {\n>>"',
            "0.d.b! b",
            '0 ": [\n>>>>',
            "0.d.b.0 1",
            '0 ,\n>>>>[],\n>>>>{}\n>>],\n>>"',
            "0.d.a! a",
            '0 ": {\n>>>>"',
            "0.d.a.x! x",
            '0 ": "',
            "0.d.a.x y",
            '0 "\n>>}\n}',
        ],
    ),
    (
        "d|tojson(indent=0)",
        [
            '0 {\n"',
            "0.d.b! b",
            '0 ": [\n',
            "0.d.b.0 1",
            '0 ,\n[],\n{}\n],\n"',
            "0.d.a! a",
            '0 ": {\n"',
            "0.d.a.x! x",
            '0 ": "',
            "0.d.a.x y",
            '0 "\n}\n}',
        ],
    ),
    (
        "d|tojson(separators=('; ', ' = '))",
        [
            '0 {"',
            "0.d.b! b",
            '0 " = [',
            "0.d.b.0 1",
            '0 ; []; {}]; "',
            "0.d.a! a",
            '0 " = {"',
            "0.d.a.x! x",
            '0 " = "',
            "0.d.a.x y",
            '0 "}}',
        ],
    ),
    (
        "d|tojson(separators=(' ,', ':'), indent=1)",
        [
            '0 {\n "',
            "0.d.b! b",
            '0 ":[\n  ',
            "0.d.b.0 1",
            '0  ,\n  [] ,\n  {}\n ] ,\n "',
            "0.d.a! a",
            '0 ":{\n  "',
            "0.d.a.x! x",
            '0 ":"',
            "0.d.a.x y",
            '0 "\n }\n}',
        ],
    ),
    (
        "d|tojson(sort_keys=true)",
        [
            '0 {"',
            "0.d.a! a",
            '0 ": {"',
            "0.d.a.x! x",
            '0 ": "',
            "0.d.a.x y",
            '0 "}, "',
            "0.d.b! b",
            '0 ": [',
            "0.d.b.0 1",
            "0 , [], {}]}",
        ],
    ),
]


@pytest.mark.parametrize(("expression", "expected"), OPTIONS)
def test_every_option_of_json_keeps_origins(expression: str, expected: list[str]) -> None:
    assert noted(printed(NESTED, expression)) == expected


@pytest.mark.parametrize(
    ("text", "expression", "expected"),
    [
        ('a"b', "d|tojson", [("a", 0), ("\\", 1), ('"', 1), ("b", 2)]),
        ("\né", "d|tojson", [("\\", 0), ("n", 0), ("é", 1)]),
        ("éx", "d|tojson(ensure_ascii=true)", [*((one, 0) for one in r"\u00e9"), ("x", 1)]),
        ("👍x", "d|tojson(ensure_ascii=true)", [*((one, 0) for one in r"\ud83d\udc4d"), ("x", 1)]),
        ("a\tb", "[d]", [("a", 0), ("\\", 1), ("t", 1), ("b", 2)]),
        ("a'b", "[d]", [("a", 0), ("'", 1), ("b", 2)]),
        ("\x00y", "[d]", [*((one, 0) for one in r"\x00"), ("y", 1)]),
        # Of several sources, each escape is in its own.
        ('"x', "(d ~ '<\n>' ~ d)|tojson", [("\\", 0), ('"', 0), ("x", 1), ("\\", 0), ('"', 0), ("x", 1)]),
        # Which quotation mark is escaped depends on the whole text: no place is claimed.
        ("a'\"", "[d]", [("a", None), ("\\", None), ("'", None), ('"', None)]),
        # A text that has no place keeps none.
        ('a"', "d.translate({97: 'xy'})|tojson", [("x", None), ("y", None), ("\\", None), ('"', None)]),
    ],
)
def test_an_escape_stands_at_the_place_of_its_character(
    text: str, expression: str, expected: list[tuple[str, int | None]]
) -> None:
    assert places(printed(text, expression)) == expected


@pytest.mark.parametrize("notation", ["d|tojson", "d"])
def test_data_of_another_message_is_quoted(notation: str) -> None:
    messages = [{"role": "user", "content": "Hi", "d": [[None]]}, {"role": "assistant", "content": "Yo", "d": []}]
    template = "{% for m in messages %}{% set d = messages[0].d %}{{ " + notation + " }}{% endfor %}"
    constant = "null" if "json" in notation else "None"
    expected = ["0 [[", f"0.d.0.0 {constant}", "0 ]]", "1 [[", f"0.d.0.0>1 {constant}", "1 ]]"]
    assert noted(render(messages, template=template)) == expected


@pytest.mark.parametrize("notation", ["d|tojson", "d"])
def test_data_outside_every_message_keeps_its_kind(notation: str) -> None:
    messages = [{"role": "user", "content": "Hi"}]
    template = "{% for d in [tools[0], v] %}{{ " + notation + " }}{% endfor %}"
    rendering = render(messages, template=template, tools=[{"k": [None]}], template_kwargs={"v": {"k": [True]}})
    none, true, mark = ("null", "true", '"') if "json" in notation else ("None", "True", "'")
    assert noted(rendering) == [
        *(f"- {{{mark}", "-~0.k! k", f"- {mark}: [", f"-~0.k.0 {none}", f"- ]}}{{{mark}"),
        *("-$v.k! k", f"- {mark}: [", f"-$v.k.0 {true}", "- ]}"),
    ]


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("(c,)", ["0 ('", "0.content Hi", "0 ',)"]),
        ("[(c, 1), (d,)]", ["0 [('", "0.content Hi", "0 ', 1), ('xyz',)]"]),
    ],
)
def test_what_is_not_written_the_same_way_keeps_the_texts_in_it(expression: str, expected: list[str]) -> None:
    """A tuple of one has a comma that no other has: the whole is searched for the first text in it."""
    rendering = printed("xyz", expression)
    assert noted(rendering) == expected
    messages = [{"role": "user", "content": "Hi", "d": "xyz"}]
    template = "{% set c, d = messages[0].content, messages[0].d %}{{ " + expression + " }}"
    assert rendering.text == transformers_text(messages, template)


def test_where_json_writes_otherwise_its_text_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The texts are written a second time here; an encoder of another mind is the one to follow."""

    def spaced(value: Any, **options: Any) -> str:
        text: str = original(value, **options)
        return text.replace("[", "[ ")

    original = json.dumps
    monkeypatch.setattr("maskspec.rendering.values.json.dumps", spaced)
    assert noted(printed("xyz", "['a', d, c]|tojson")) == ['0 [ "a", "', "0.d xyz", '0 ", "Hi"]']


@pytest.mark.parametrize("expression", ["none", "true", "nothing", "1.5", "c|length", "range(3)", "d.nothing"])
def test_what_holds_nothing_is_a_literal(expression: str) -> None:
    rendering = printed("x", expression)
    assert {span.origin.path for span in rendering.spans} <= {()}
    messages = [{"role": "user", "content": "Hi", "d": "x"}]
    template = "{% set c, d = messages[0].content, messages[0].d %}{{ " + expression + " }}"
    assert rendering.text == transformers_text(messages, template)
