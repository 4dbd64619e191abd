"""What loops report: whose turn it is in an index loop, and that literals keep their places in every kind of block.

Expected by hand from chapter 02 of the specification.
"""

from __future__ import annotations

from typing import Any

import pytest

from maskspec.rendering import render
from tests.unit.rendering.notation import noted

PAIR: list[dict[str, Any]] = [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
HOLDERS = "{% set ns = namespace(all=messages, one=1) %}{% set table = {'index0': 0} %}"


def owners_in_index_loop(lookup: str, head: str = "i in range(2)", before: str = "") -> str:
    """Who owns a literal that stands alone in a loop over two numbers that looks something up, "-" for nobody."""
    template = HOLDERS + before + "{% for " + head + " %}|{% if " + lookup + " %}{% endif %}{% endfor %}"
    (shown,) = ["".join(entry.partition(" ")[0] * entry.count("|") for entry in noted(render(PAIR, template=template)))]
    return shown


@pytest.mark.parametrize(
    "lookup",
    [
        *("messages[i]", "messages[i].content", "messages[i]['role']", "messages[i].content[0] == 'H'"),
        *("ns.all[i]", "ns['all'] and ns.all[i].role", "not messages[i]", "[messages[i]]", "'a' + messages[i].content"),
        *("messages[loop.index0]", "ns.all[loop.index0].role", "messages[0] and messages[i]"),
        *("range(2)[i] and messages[i]", "messages[1] == 1 or ns.all[0] == 1 or messages[i]"),
        *("'ab'[i] and messages[i]", "i[i] or messages[i]", "messages[i] and messages[i].role and messages[i]"),
    ],
)
def test_an_index_loop_owns_what_its_index_selects(lookup: str) -> None:
    assert owners_in_index_loop(lookup) == "01"


@pytest.mark.parametrize(
    "lookup",
    [
        *("messages[0]", "messages[i - 1]", "messages[i + 0]", "messages[-i]", "messages[loop.index - 1]"),
        *("messages[loop.index]", "messages[loop.index0 + 0]", "messages[ns.one]", "messages[table.index0]"),
        *("messages|first", "messages[i:]", "messages[1:][0]", "(messages|list)[i]", "range(2)[i]", "ns.one[i]"),
        *("0 and ns.nothing[i]", "0 and nothing[i]", "i[i]", "table[i]"),
    ],
)
def test_other_lookups_select_nothing(lookup: str) -> None:
    assert owners_in_index_loop(lookup) == "--"


@pytest.mark.parametrize(
    ("head", "lookup", "expected"),
    [
        ("i in [1, 0]", "messages[i]", "10"),
        ("i in [1, 2, 0]", "messages[i] is defined", "1-0"),
        ("i in [1, 0]", "messages[loop.index0]", "01"),
        ("i, j in [(1, 0), (0, 1)]", "messages[i]", "--"),
        ("i, j in [(1, 0), (0, 1)]", "messages[loop.index0]", "01"),
        ("i in ['role', 'content']", "messages[i] is defined or messages[0][i]", "--"),
        ("messages in [messages, messages]", "messages[loop.index0]", "--"),
        ("ns in [ns, ns]", "ns.all[loop.index0]", "--"),
        ("ns in [ns, ns]", "messages[loop.index0]", "01"),
        ("i in range(2) if messages[i].role != 'user'", "messages[i]", "1"),
        ("m in messages", "messages[loop.index0 - 1] and ns.all[1]", "01"),
        ("m in messages|reverse", "messages[loop.index0]", "01"),
        ("m in messages|reverse", "m", "10"),
    ],
)
def test_the_index_is_the_loop_s_own(head: str, lookup: str, expected: str) -> None:
    assert owners_in_index_loop(lookup, head) == expected


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        # What the loop itself assigns is known too late to select by.
        ("{% set i = 0 %}{% if messages[i] %}{% endif %}", ["- ||"]),
        ("{% if messages[i] %}{% endif %}{% set i = 0 %}", ["- ||"]),
        ("{% set messages = [messages[1]] %}{% if messages[i] %}{% endif %}", ["- ||"]),
        ("{% set i, j = 0, 0 %}{% if messages[i] %}{% endif %}", ["- ||"]),
        ("{% macro f(i) %}{% if messages[i] %}{% endif %}{% endmacro %}", ["- ||"]),
        ("{% macro f(messages) %}{% if messages[i] %}{% endif %}{% endmacro %}", ["- ||"]),
        ("{% set j = messages[i] %}", ["0 |", "1 |"]),
        # One loop's index does not select for another.
        ("{% for i in range(1) %}{% if messages[i] %}{% endif %}{% endfor %}", ["- ||"]),
        ("{% for j in range(1) %}{% if messages[loop.index0] %}{% endif %}{% endfor %}", ["- ||"]),
        (
            "{% if true %}{% for j in range(1) %}{% if messages[loop.index0] %}{% endif %}{% endfor %}{% endif %}",
            ["- ||"],
        ),
        # But an inner loop looks up by the index of the outer one.
        ("{% for j in range(1) %}{% if messages[i] %}{% endif %}{% endfor %}", ["0 |", "1 |"]),
        ("{% if true %}{% for j in range(1) %}{% if messages[i] %}{% endif %}{% endfor %}{% endif %}", ["0 |", "1 |"]),
        ("{% for part in messages[i].parts %}{% endfor %}", ["0 |", "1 |"]),
        ("{% if true %}{% for part in messages[i].parts %}{% endfor %}{% endif %}", ["0 |", "1 |"]),
        ("{% for part in messages[loop.index0].parts %}{% endfor %}", ["0 |", "1 |"]),
        ("{% if true %}{% for part in messages[loop.index0].parts %}{% endfor %}{% endif %}", ["0 |", "1 |"]),
        ("{% for j in range(1) %}{% endfor %}{% if messages[i] %}{% endif %}", ["0 |", "1 |"]),
        ("{% for j in range(1) %};{% if messages[j] %}{% endif %}{% endfor %}", ["- |", "0 ;", "- |", "0 ;"]),
        # Wherever in the body the lookup stands.
        ("{% if i %}{% else %}{{ messages[i].content[:0] }}{% endif %}", ["0 |", "1 |"]),
        ("{% if false %}{% set ns.one = messages[i] %}{% endif %}", ["0 |", "1 |"]),
        ("{% set x %}{{ messages[i].content }}{% endset %}", ["0 |", "1 |"]),
        ("{% filter upper %}{{ messages[i].content[:0] }}{% endfilter %}", ["0 |", "1 |"]),
        # The last of several selections counts, the others move nothing for good.
        ("{% if table[i] and messages[i] %}{% endif %}", ["0 |", "1 |"]),
    ],
)
def test_lookups_anywhere_in_the_body(body: str, expected: list[str]) -> None:
    template = HOLDERS + "{% for i in range(2) %}|" + body + "{% endfor %}"
    assert noted(render(PAIR, template=template)) == expected


def test_a_failing_lookup_does_not_fail_the_report_of_it() -> None:
    """`messages[i]` may stand where it is never reached: selecting for it looks, and takes nothing."""
    template = "{% for i in range(4) %}{% if i < 2 %}{{ messages[i].content }}{% endif %};{% endfor %}"
    assert noted(render(PAIR, template=template)) == ["0.content Hi", "0 ;", "1.content Yo", "1 ;", "- ;;"]


# Blocks of all kinds

BLOCKS: list[tuple[str, str, list[str]]] = [
    (
        "a comment inside a text",
        "a{# no #}b{# no #}{% for m in messages %}c{# no #}d{% endfor %}",
        ["- ab", "0 cd", "1 cd"],
    ),
    ("a comment inside a captured text", "{% set x %}a{# no #}b{% endset %}{{ x }}", ["- ab"]),
    (
        "a captured text in a turn",
        "{% for m in messages %}{% set x %}<{{ m.content }}{% if m %}!{% endif %}>{% endset %}{{ x }}{% endfor %}",
        ["0 <", "0.content Hi", "0 !>", "1 <", "1.content Yo", "1 !>"],
    ),
    (
        "tildes",
        "{{ 'a' ~ 1 ~ messages[0].content ~ true ~ [1, (2, 3)] }};{% for m in messages %}{{ m.content ~ '>' }}{% endfor %}",
        ["0 a1", "0.content Hi", "0 True[1, (2, 3)];", "0.content Hi", "0 >", "1.content Yo", "1 >"],
    ),
    (
        "a parent template that is never asked for",
        (
            "{% if nothing %}{% extends 'x' %}{% endif %}a{{ messages[0].content }}{{ 1 }}b{% for m in messages %}"
            "{{ m.content }};{% endfor %}"
        ),
        ["0 a", "0.content Hi", "0 1b", "0.content Hi", "0 ;", "1.content Yo", "1 ;"],
    ),
    (
        "several targets",
        "{% for k, v in {'a': 1}.items() %}{{ k }}{{ v }}{% set a, b = (v, k) %}{{ a }}{{ b }}{% endfor %}",
        ["- a11a"],
    ),
    (
        "nested targets, of which one is a message",
        "{% for k, (n, m) in [(1, (2, messages[1])), (3, (4, messages[0]))] %}|{% if n %};{% endif %}{% endfor %}",
        ["1 |;", "0 |;"],
    ),
    (
        "a recursive loop in a recursive loop",
        (
            "{% for m in messages recursive %}<{% for x in [[1], []] recursive %}({{ x|length }}{{ loop(x[:0]) }})"
            "{% endfor %}{{ m.content }}>{% endfor %};"
        ),
        [
            *("0 <(1)(0)", "0.content Hi", "0 >"),
            *("1 <(1)(0)", "1.content Yo", "1 >", "- ;"),
        ],
    ),
    (
        "a recursive loop in a macro, in a loop",
        (
            "{% macro tree(t) %}{% for x in t recursive %}[{{ x.n }}{{ loop(x.t) }}]{% endfor %}{% endmacro %}"
            "{% for m in messages %}{{ tree([{'n': m.content, 't': [{'n': 'x', 't': []}]}]) }};{% endfor %}."
        ),
        ["0 [", "0.content Hi", "0 [x]];", "1 [", "1.content Yo", "1 [x]];", "- ."],
    ),
    (
        "an else of a recursive loop",
        "{% for m in messages[2:] recursive %}x{% else %}none{% endfor %}{{ messages[0].content }}",
        ["- none", "0.content Hi"],
    ),
    (
        "a loop in an else",
        "{% for x in [] %}{% else %}{% for m in messages %}|{% endfor %};{% endfor %}",
        ["0 |", "1 |", "- ;"],
    ),
    (
        "a loop in the head of a loop's block",
        "{% block turns %}{% for m in messages %}|{{ m.content }}{% endfor %};{% endblock %}",
        ["0 |", "0.content Hi", "1 |", "1.content Yo", "- ;"],
    ),
]


@pytest.mark.parametrize(("template", "expected"), [block[1:] for block in BLOCKS], ids=[block[0] for block in BLOCKS])
def test_every_kind_of_block_keeps_literals_with_their_message(template: str, expected: list[str]) -> None:
    assert noted(render(PAIR, template=template)) == expected


def test_the_variables_of_a_template_are_its_own() -> None:
    """The names that loops are captured under are no names of the template's."""
    template = "{% for x in [1] recursive %}a{% endfor %}{% for x in [2] recursive %}b{% endfor %}{{ self }}"
    shown = render(PAIR, template=template.replace("{{ self }}", "{{ x is defined }}")).text
    assert shown == "abFalse"
