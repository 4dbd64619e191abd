"""Who owns every literal and where every source character comes from, written by hand for each template pattern.

The templates are small versions of what real ones do. The expected text is
transformers' own rendering; the expected origins follow from chapter 02 of the specification.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from maskspec.rendering import render
from tests.unit.rendering.notation import check_spans, noted
from tests.unit.rendering.oracle import transformers_text


@dataclass(frozen=True)
class Pattern:
    name: str
    template: str
    expected: list[str]
    messages: list[dict[str, Any]] = field(
        default_factory=lambda: [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Yo"}]
    )
    tools: list[dict[str, Any]] | None = None
    variables: dict[str, Any] = field(default_factory=dict)


FOUR = [
    {"role": "user", "content": "Hi"},
    {"role": "assistant", "content": "Yo"},
    {"role": "user", "content": "So"},
    {"role": "assistant", "content": "Ok"},
]
SYSTEM = [{"role": "system", "content": "Be"}, *FOUR[:2]]
BOTH = ["0 <", "0.content Hi", "0 >", "1 <", "1.content Yo", "1 >"]
CALL: list[dict[str, Any]] = [
    {"role": "user", "content": "Hi"},
    {
        "role": "assistant",
        "content": "",
        "tool_calls": [
            {"function": {"name": "f", "arguments": {"s": 'a"b', "n": 3, "x": 1.5, "yes": True, "no": None}}},
        ],
    },
]
ARGUMENTS = "1.tool_calls.0.function.arguments"
PARTS = [
    {"role": "user", "content": [{"type": "text", "text": "Hi"}, {"type": "text", "text": "Ho"}]},
    {"role": "assistant", "content": [{"type": "text", "text": "Yo"}]},
]

LOOPS = [
    Pattern(
        "a loop over messages",
        "<s>{% for m in messages %}[{{ m.role }}]{{ m['content'] }};{% endfor %}E",
        [
            *("- <s>", "0 [", "0.role user", "0 ]", "0.content Hi", "0 ;"),
            *("1 [", "1.role assistant", "1 ]", "1.content Yo", "1 ;", "- E"),
        ],
    ),
    Pattern("literals alone", "{% for m in messages %}x{% endfor %}", ["0 x", "1 x"]),
    Pattern(
        "equal texts in one message",
        "{% for m in messages %}{{ m.role }}={{ m.content }};{% endfor %}",
        ["0.role user", "0 =", "0.content user", "0 ;", "1.role assistant", "1 =", "1.content assistant", "1 ;"],
        messages=[{"role": "user", "content": "user"}, {"role": "assistant", "content": "assistant"}],
    ),
    Pattern(
        "equal one-letter texts in one message",
        "{% for m in messages %}{{ m.role }}{{ m.name }}{{ m.content }}{% endfor %}",
        ["0.role u", "0.name u", "0.content u"],
        messages=[{"role": "u", "name": "u", "content": "u"}],
    ),
    Pattern(
        "an inner loop over later messages gives the scope back",
        "{% for m in messages %}<{{ m.content }}{% for n in messages[loop.index:] %}({{ n.role }}){% endfor %}>"
        "{% endfor %}",
        [
            *("0 <", "0.content Hi", "1 (", "1.role assistant", "1 )", "0 >"),
            *("1 <", "1.content Yo", "1 >"),
        ],
    ),
    Pattern(
        "an inner loop that prints nothing",
        "{% for m in messages %}{% for n in messages %}{% set x = n %}{% endfor %}<{{ m.content }}>{% endfor %}",
        BOTH,
    ),
    Pattern(
        "an inner loop that is left by break",
        "{% for m in messages %}{% for n in messages %}{% if n.role == 'assistant' %}{% break %}{% endif %}{% endfor %}"
        "<{{ m.content }}>{% endfor %}E",
        [*BOTH, "- E"],
    ),
    Pattern(
        "an inner loop over other things keeps the owner",
        "{% for m in messages %}<{% for x in [1, 2] %}{{ x }}{% else %}none{% endfor %}{{ m.content }}>{% endfor %}",
        ["0 <12", "0.content Hi", "0 >", "1 <12", "1.content Yo", "1 >"],
    ),
    Pattern(
        "an empty inner loop and its else",
        "{% for m in messages %}<{% for x in [] %}{% else %}!{% endfor %}{{ m.content }}>{% endfor %}",
        ["0 <!", "0.content Hi", "0 >", "1 <!", "1.content Yo", "1 >"],
    ),
    Pattern(
        "an index loop that sets the message",
        "{% for i in range(messages|length) %}{% set m = messages[i] %}<{{ m.content }}>{% endfor %}",
        BOTH,
    ),
    Pattern(
        "an index loop with subscripts",
        "{% for i in range(messages|length) %}<{{ messages[i]['content'] }}>{% endfor %}",
        BOTH,
    ),
    Pattern(
        "an index loop whose literals stand apart",
        "{% for i in range(0, 2) %}{{ '<' }}{% if messages[i].role == 'user' %}U{% else %}A{% endif %}{% endfor %}E",
        ["0 <U", "1 <A", "- E"],
    ),
    Pattern(
        "loop.index0 as the index",
        "{% for x in 'ab' %}<{{ messages[loop.index0].content }}>{% endfor %}",
        BOTH,
    ),
    Pattern(
        "an index loop over a namespace",
        "{% set ns = namespace(all=messages) %}{% for i in range(2) %}{{ '<' }}{{ ns.all[i].content }}>{% endfor %}",
        BOTH,
    ),
    Pattern(
        "looking ahead with an index moves nothing",
        "{% for m in messages %}{% if not loop.last and messages[loop.index0 + 1].role == 'assistant' %}N{% endif %}"
        "<{{ m.content }}>{% endfor %}",
        ["0 N<", "0.content Hi", "0 >", "1 <", "1.content Yo", "1 >"],
    ),
    Pattern(
        "looking ahead in an index loop moves nothing",
        "{% for i in range(2) %}{% if i < 1 and messages[i + 1].role == 'assistant' %}N{% endif %}"
        "<{{ messages[i].content }}>{% endfor %}",
        ["0 N<", "0.content Hi", "0 >", "1 <", "1.content Yo", "1 >"],
    ),
    Pattern(
        "looking back moves nothing",
        "{% for m in messages %}{% if loop.index0 and messages[loop.index0 - 1].content == 'Hi' %}P{% endif %}"
        "<{{ m.content }}>{% endfor %}",
        ["0 <", "0.content Hi", "0 >", "1 P<", "1.content Yo", "1 >"],
    ),
    Pattern(
        "loop.nextitem, loop.previtem and loop.last peek",
        "{% for m in messages %}{% if loop.nextitem is defined and loop.nextitem.role == 'assistant' %}N{% endif %}"
        "{% if loop.previtem is defined and loop.previtem.role == 'user' %}P{% endif %}"
        "<{{ m.content }}>{{ 'L' if loop.last }}{% endfor %}",
        ["0 N<", "0.content Hi", "0 >", "1 P<", "1.content Yo", "1 >L"],
    ),
    Pattern(
        "a loop that watches for changes",
        "{% for m in messages %}{% if loop.changed(m.role) %}C{% endif %}{{ m.content }}{{ loop.cycle('x', 'y') }}"
        "{% endfor %}",
        ["0 C", "0.content Hi", "0 x", "1 C", "1.content Yo", "1 y"],
    ),
    Pattern(
        "an earlier message is repeated",
        "{% for m in messages %}<{{ m.content }}{% if loop.previtem %}{{ loop.previtem.content }}{% endif %}>"
        "{% endfor %}",
        ["0 <", "0.content Hi", "0 >", "1 <", "1.content Yo", "0.content>1 Hi", "1 >"],
    ),
    Pattern(
        "reversed by a filter",
        "{% for m in messages|reverse %}<{{ m.content }}>{% endfor %}",
        [*BOTH[3:], *BOTH[:3]],
    ),
    Pattern(
        "reversed by a slice",
        "{% for m in messages[::-1] %}<{{ m.content }}>{% endfor %}",
        [*BOTH[3:], *BOTH[:3]],
    ),
    Pattern("sliced", "{% for m in messages[1:] %}<{{ m.content }}>{% endfor %}", BOTH[3:]),
    Pattern(
        "selectattr",
        "{% for m in messages|selectattr('role', 'equalto', 'assistant')|list %}<{{ m.content }}>{% endfor %}",
        ["1 <", "1.content Yo", "1 >", "3 <", "3.content Ok", "3 >"],
        messages=FOUR,
    ),
    Pattern(
        "rejectattr",
        "{% for m in messages|rejectattr('role', 'equalto', 'assistant') %}<{{ m.content }}>{% endfor %}",
        ["0 <", "0.content Hi", "0 >", "2 <", "2.content So", "2 >"],
        messages=FOUR,
    ),
    Pattern(
        "a filtered loop",
        "{% for m in messages if m.role == 'assistant' %}<{{ m.content }}>{% endfor %}",
        ["1 <", "1.content Yo", "1 >", "3 <", "3.content Ok", "3 >"],
        messages=FOUR,
    ),
    Pattern(
        "continue and break",
        "{% for m in messages %}{% if loop.index0 == 1 %}{% continue %}{% endif %}<{{ m.content }}>"
        "{% if loop.index0 == 2 %}{% break %}{% endif %}{% endfor %}E",
        ["0 <", "0.content Hi", "0 >", "2 <", "2.content So", "2 >", "- E"],
        messages=FOUR,
    ),
    Pattern(
        "pairs",
        "{% for i in range(0, 4, 2) %}{{ '<' + messages[i].content + '>' }}{{ '(' + messages[i + 1].content + ')' }}"
        "{% endfor %}",
        [
            *("0 <", "0.content Hi", "0 >", "1 (", "1.content Yo", "1 )"),
            *("2 <", "2.content So", "2 >", "3 (", "3.content Ok", "3 )"),
        ],
        messages=FOUR,
    ),
    Pattern(
        "enumerated pairs of unpacked targets",
        "{% for k, m in [(1, messages[0]), (2, messages[1])] %}<{{ m.content }}>{% endfor %}",
        BOTH,
    ),
    Pattern(
        "recursion over other messages gives the scope back",
        "{% for m in messages recursive %}<{{ m.content }}{% if loop.depth == 1 and loop.first %}"
        "{{ loop(messages[1:]) }}{% endif %}>{% endfor %}",
        ["0 <", "0.content Hi", "1 <", "1.content Yo", "1 >", "0 >", "1 <", "1.content Yo", "1 >"],
    ),
    Pattern(
        "recursion into parts of a message keeps the owner",
        "{% for m in messages recursive %}[{{ m.content or m.function.name }}{% if m.tool_calls %}"
        "{{ loop(m.tool_calls) }}{% endif %}]{% endfor %}",
        [
            *("0 [", "0.content Hi", "0 ]", "1 [", "1.content Yo"),
            *("1 [", "1.tool_calls.0.function.name f", "1 ]]"),
        ],
        messages=[CALL[0], {**CALL[1], "content": "Yo"}],
    ),
]

COLLECTED = [
    Pattern(
        "text collected in a namespace",
        "{% set ns = namespace(text='') %}{% for m in messages %}{% set ns.text = ns.text + '<' + m.content + '>' %}"
        "{% endfor %}{{ ns.text }}",
        BOTH,
    ),
    Pattern(
        "text collected with tildes",
        "{% set ns = namespace(text='') %}{% for m in messages %}{% set ns.text = ns.text ~ '<' ~ m.content ~ '>' %}"
        "{% endfor %}{{ ns.text }}",
        BOTH,
    ),
    Pattern(
        "texts collected in a list",
        "{% set ns = namespace(all=[]) %}{% for m in messages %}{% set ns.all = ns.all + ['<' + m.content + '>'] %}"
        "{% endfor %}{{ ns.all|join }}{{ ''.join(ns.all) }}",
        [*BOTH, *BOTH],
    ),
    Pattern(
        "a captured block printed later",
        "{% set ns = namespace(text='') %}{% for m in messages %}{% set turn %}<{{ m.content }}>{% endset %}"
        "{% set ns.text = ns.text + turn %}{% endfor %}{{ ns.text }}",
        BOTH,
    ),
    Pattern(
        "a captured loop printed later",
        "{% set text %}{% for m in messages %}<{{ m.content }}>{% endfor %}{% endset %}{{ text|trim }}",
        BOTH,
    ),
    Pattern(
        "a captured literal printed in a turn",
        "{% set end %}>{% endset %}{% set start = '<' %}{% for m in messages %}{{ start }}{{ m.content }}{{ end }}"
        "{% endfor %}",
        BOTH,
    ),
    Pattern(
        "a macro that gets the message",
        "{% macro turn(m) %}<{{ m.content }}>{% endmacro %}{% for m in messages %}{{ turn(m) }}{% endfor %}",
        BOTH,
    ),
    Pattern(
        "a macro that prints literals",
        "{% macro mark(kind) %}{% if kind %}<{% else %}>{% endif %}{% endmacro %}"
        "{% for m in messages %}{{ mark(true) + m.content + mark(false) }}{% endfor %}",
        BOTH,
    ),
    Pattern(
        "a macro that loops over everything",
        "{% macro all(list) %}{% for m in list %}<{{ m.content }}>{% endfor %}{% endmacro %}{{ all(messages) }}",
        BOTH,
    ),
    Pattern(
        "a macro that is called outside any loop",
        "{% macro turn(m) %}<{{ m.content }}>{% endmacro %}{{ turn(messages[0]) }}{{ turn(messages[1]) }}",
        BOTH,
    ),
    Pattern(
        "a macro with a caller",
        "{% macro wrap() %}<{{ caller() }}>{% endmacro %}{% for m in messages %}{% call wrap() %}{{ m.content }}"
        "{% endcall %}{% endfor %}",
        BOTH,
    ),
    Pattern(
        "a macro that hands messages to its caller",
        "{% macro each() %}{% for m in messages %}{{ caller(m) }}{% endfor %}{% endmacro %}"
        "{% call(m) each() %}<{{ m.content }}>{% endcall %}E",
        [*BOTH, "- E"],
    ),
    Pattern(
        "a filter block",
        "{% for m in messages %}{% filter upper %}<a>{{ m.content }}</a>{% endfilter %}{% endfor %}",
        ["0 <A>", "0.content HI", "0 </A>", "1 <A>", "1.content YO", "1 </A>"],
    ),
    Pattern(
        "a table of role markers",
        "{% set marks = {'user': '<', 'assistant': '('} %}{% for m in messages %}{{ marks[m.role] + m.content }}"
        "{% endfor %}",
        ["0 <", "0.content Hi", "1 (", "1.content Yo"],
    ),
    Pattern(
        "a message put before the others",
        "{% for m in [{'role': 'system', 'content': 'Be'}] + messages %}<{{ m.role }}>{{ m.content }};{% endfor %}",
        [
            *("- <system>Be;", "0 <", "0.role user", "0 >", "0.content Hi", "0 ;"),
            *("1 <", "1.role assistant", "1 >", "1.content Yo", "1 ;"),
        ],
    ),
    Pattern(
        "rebuilt messages",
        "{% set ns = namespace(all=[]) %}{% for m in messages %}"
        "{% set ns.all = ns.all + [{'role': m.role, 'content': m.content|trim}] %}{% endfor %}"
        "{% for m in ns.all %}<{{ m.content }}>{% endfor %}",
        BOTH,
    ),
    Pattern(
        "rebuilt messages with another role",
        "{% set all = [{'role': 'model', 'content': messages[1].content}] %}"
        "{% for m in all %}<{{ m.role }}>{{ m.content }};{% endfor %}",
        ["1 <model>", "1.content Yo", "1 ;"],
    ),
    Pattern(
        "rebuilt messages through dict()",
        "{% for m in messages %}{% for n in [dict(m, role='x')] %}<{{ n.role + n.content }}>{% endfor %}{% endfor %}",
        ["0 <x", "0.content Hi", "0 >", "1 <x", "1.content Yo", "1 >"],
    ),
    Pattern(
        "the system prompt printed in the first user turn",
        "{% set system = messages[0].content %}{% for m in messages[1:] %}"
        "{{ '<' + ('((' + system + '))' if loop.first else '') + m.content + '>' }}{% endfor %}",
        ["1 <((", "0.content>1 Be", "1 ))", "1.content Hi", "1 >", "2 <", "2.content Yo", "2 >"],
        messages=SYSTEM,
    ),
    Pattern(
        "the system prompt before the loop",
        "{% if messages[0].role == 'system' %}{{ '((' + messages[0].content + '))' }}{% set rest = messages[1:] %}"
        "{% endif %}{% for m in rest %}<{{ m.content }}>{% endfor %}",
        ["0 ((", "0.content Be", "0 ))", "1 <", "1.content Hi", "1 >", "2 <", "2.content Yo", "2 >"],
        messages=SYSTEM,
    ),
    Pattern(
        "one output statement outside any loop",
        "<{{ messages[0].content }}>",
        BOTH[:3],
    ),
    Pattern(
        "a preamble in a statement of its own",
        "Be nice.{% for m in messages %}<{{ m.content }}>{% endfor %}{% if not add_generation_prompt %}.{% endif %}",
        ["- Be nice.", *BOTH, "- ."],
    ),
]

JOINED = [
    Pattern("plus", "{% for m in messages %}{{ '<' + m.content + '>' }}{% endfor %}", BOTH),
    Pattern("tilde", "{% for m in messages %}{{ '<' ~ m.content ~ '>' }}{% endfor %}", BOTH),
    Pattern("percent", "{% for m in messages %}{{ '<%s>' % m.content }}{% endfor %}", BOTH),
    Pattern(
        "percent with a tuple",
        "{% for m in messages %}{{ '%s%s%%' % ('<', m.content) }}{% endfor %}",
        [
            *("0 <", "0.content Hi", "0 %", "1 <", "1.content Yo", "1 %"),
        ],
    ),
    Pattern("percent with names", "{% for m in messages %}{{ '<%(content)s>' % m }}{% endfor %}", BOTH),
    Pattern(
        "percent with a width",
        "{% for m in messages %}{{ '<%5s>' % m.content }}{% endfor %}",
        [
            *("0 <   ", "0.content Hi", "0 >", "1 <   ", "1.content Yo", "1 >"),
        ],
    ),
    Pattern("percent with a length modifier", "{{ '%ld' % 5 }}", ["- 5"]),
    Pattern("the format method", "{% for m in messages %}{{ '<{}>'.format(m.content) }}{% endfor %}", BOTH),
    Pattern(
        "format with numbers", "{% for m in messages %}{{ '{1}{0}{2}'.format(m.content, '<', '>') }}{% endfor %}", BOTH
    ),
    Pattern("format with names", "{% for m in messages %}{{ '<{a}>'.format(a=m.content) }}{% endfor %}", BOTH),
    Pattern("format with a lookup", "{% for m in messages %}{{ '<{0[content]}>'.format(m) }}{% endfor %}", BOTH),
    Pattern(
        "format with braces and a width",
        "{{ '{{{:>4}}}'.format(messages[0].content) }}",
        [
            *("0 {  ", "0.content Hi", "0 }"),
        ],
    ),
    Pattern(
        "format with a nested width",
        "{{ '<{:>{}}>'.format(messages[0].content, 4) }}",
        [
            *("0 <  ", "0.content Hi", "0 >"),
        ],
    ),
    Pattern("format_map", "{% for m in messages %}{{ '<{content}>'.format_map(m) }}{% endfor %}", BOTH),
    Pattern("the format filter", "{% for m in messages %}{{ '<%s>'|format(m.content) }}{% endfor %}", BOTH),
    Pattern("percent outside any loop", "{{ '<%s>' % messages[0].content }}", BOTH[:3]),
    Pattern("format outside any loop", "{{ '<{}>'.format(messages[0].content) }}", BOTH[:3]),
    Pattern("the format filter outside any loop", "{{ '<%s>'|format(messages[0].content) }}", BOTH[:3]),
    Pattern("join outside any loop", "{{ ['<', messages[0].content, '>']|join }}", BOTH[:3]),
    Pattern(
        "percent that reaches ahead",
        "{% for i in range(0, 2, 2) %}{{ '<%s>' % messages[i].content }}{{ '<%s>' % messages[i + 1].content }}"
        "{% endfor %}",
        BOTH,
    ),
    Pattern(
        "the join filter",
        "{% for m in messages %}{{ ['<', m.content, '>']|join('-') }}{% endfor %}",
        [
            *("0 <-", "0.content Hi", "0 ->", "1 <-", "1.content Yo", "1 ->"),
        ],
    ),
    Pattern(
        "the join filter of an attribute",
        "{{ messages|join('', attribute='content') }}",
        [
            *("0.content Hi", "1.content Yo"),
        ],
    ),
    Pattern(
        "the join method",
        "{% for m in messages %}{{ '-'.join(['<', m.content, '>']) }}{% endfor %}",
        [
            *("0 <-", "0.content Hi", "0 ->", "1 <-", "1.content Yo", "1 ->"),
        ],
    ),
    Pattern(
        "the join method of a generator",
        "{{ ''.join(messages|map(attribute='content')) }}",
        [
            *("0.content Hi", "1.content Yo"),
        ],
    ),
    Pattern(
        "the join method of a mapping's values",
        "{% set given = messages[0].given %}{{ ''.join(given.values()) }}{{ ''.join(given.keys()) }}"
        "{{ ''.join(given) }}",
        ["0.given.k V", "0.given.k! kk"],
        messages=[{"role": "user", "content": "Hi", "given": {"k": "V"}}],
    ),
    Pattern("the replace filter", "{% for m in messages %}{{ '<X>'|replace('X', m.content) }}{% endfor %}", BOTH),
    Pattern("the replace method", "{% for m in messages %}{{ '<X>'.replace('X', m.content) }}{% endfor %}", BOTH),
    Pattern(
        "replaced inside the content",
        "{% for m in messages %}{{ m.content.replace('i', '!')|replace('Y', '') }}{% endfor %}",
        ["0.content H", "0 !", "1.content o"],
    ),
    Pattern(
        "the indent filter",
        "{% for m in messages %}{{ m.content|indent(2) }}|{{ m.content|indent('..', first=true) }}{% endfor %}",
        [
            *("0.content a", "0 \n  ", "0.content b", "0 \n\n  ", "0.content c"),
            *("0 |..", "0.content a", "0 \n..", "0.content b", "0 \n\n..", "0.content c"),
        ],
        messages=[{"role": "user", "content": "a\nb\n\nc"}],
    ),
    Pattern(
        "the indent filter with blank lines",
        "{% for m in messages %}{{ m.content|indent(1, blank=true) }}{% endfor %}",
        ["0.content a", "0 \n \n ", "0.content b"],
        messages=[{"role": "user", "content": "a\n\nb"}],
    ),
    Pattern("the string filter", "{% for m in messages %}<{{ m.content|string }}>{% endfor %}", BOTH),
    Pattern("the safe filter", "{% for m in messages %}<{{ m.content|safe }}>{% endfor %}", BOTH),
    Pattern(
        "the escape filter",
        "{% for m in messages %}<{{ m.content|escape }}>{{ m.content|safe|e }}{{ '<'|e + m.content }}{% endfor %}",
        ["0 <", "0.content a&amp;b", "0 >", "0.content a&b", "0 &lt;", "0.content a&amp;b"],
        messages=[{"role": "user", "content": "a&b"}],
    ),
    Pattern(
        "the forceescape filter",
        "{{ messages[0].content|safe|forceescape }}",
        ["0.content a&amp;b"],
        messages=[{"role": "user", "content": "a&b"}],
    ),
    Pattern(
        "the dictsort filter",
        "{% for m in messages %}{% for k, v in m.given|dictsort %}{{ k }}={{ v }};{% endfor %}{% endfor %}",
        ["0.given.a! a", "0 =", "0.given.a 1", "0 ;", "0.given.b! b", "0 =", "0.given.b x", "0 ;"],
        messages=[{"role": "user", "content": "", "given": {"b": "x", "a": 1}}],
    ),
    Pattern(
        "the items filter and method",
        "{% for m in messages %}{% for k, v in m.given|items %}{{ k }}{{ v }}{% endfor %}"
        "{% for k, v in m.given.items() %}{{ v }}{{ k }}{% endfor %}{% endfor %}",
        ["0.given.b! b", "0.given.b xx", "0.given.b! b"],
        messages=[{"role": "user", "content": "", "given": {"b": "x"}}],
    ),
    Pattern(
        "map, first and last",
        "{{ messages|map(attribute='content')|map('upper')|first }}{{ (messages|last).content|last }}"
        "{{ messages[0].content|first }}",
        ["0.content HI", "1.content o", "0.content H"],
    ),
    Pattern(
        "trim, upper, slices, characters",
        "{% for m in messages %}<{{ m.content|trim }}{{ m.content.strip()|upper }}{{ m.content[1:3] }}"
        "{{ m.content[-2] }}{% for c in m.content %}{{ c }}{% endfor %}>{% endfor %}",
        ["0 <", "0.content HiHIHii Hi ", "0 >"],
        messages=[{"role": "user", "content": " Hi "}],
    ),
    Pattern(
        "split apart",
        "{% for m in messages %}{{ m.content.split('</think>')[-1].lstrip('\\n') }}|"
        "{{ m.content.split('</think>')[0].rstrip('\\n').split('<think>')[-1] }}{% endfor %}",
        ["0.content A", "0 |", "0.content R"],
        messages=[{"role": "assistant", "content": "<think>R\n</think>\n\nA"}],
    ),
    Pattern(
        "filters that only know the main source",
        "{% for m in messages %}<{{ m.content|title }}|{{ m.content|center(7) }}|{{ m.content|urlencode }}|"
        "{{ m.content|truncate(4, true, '~', 0) }}>{% endfor %}",
        [
            "0 <",
            "0.content Ab Cd",
            "0 | ",
            "0.content ab cd",
            "0  |",
            "0.content ab%20cd",
            "0 |",
            "0.content ab ",
            "0 ~>",
        ],
        messages=[{"role": "user", "content": "ab cd"}],
    ),
    Pattern(
        "an upper case that is longer",
        "{{ messages[0].content|upper }}",
        ["0.content STRASSE"],
        messages=[{"role": "user", "content": "Straße"}],
    ),
]

VALUES = [
    Pattern(
        "variables",
        "{{ bos_token }}{% for m in messages %}{{ m.content + eos_token }}{% endfor %}{{ note }}",
        ["-$bos_token <s>", "0.content Hi", "0$eos_token </s>", "1.content Yo", "1$eos_token </s>", "-$note n"],
        variables={"bos_token": "<s>", "eos_token": "</s>", "note": "n"},
    ),
    Pattern(
        "documents",
        "{% for d in documents %}<{{ d.title }}>{{ d.text }}{% endfor %}{{ messages[0].content }}",
        ["- <", "-$documents.0.title T", "- >", "-$documents.0.text D", "0.content Hi"],
        variables={"documents": [{"title": "T", "text": "D"}]},
    ),
    Pattern(
        "tool schemas",
        "{% for t in tools %}{{ t|tojson }};{% endfor %}{% for m in messages %}<{{ m.content }}>{% endfor %}",
        ['- {"', "-~0.name! name", '- ": "', "-~0.name get", '- ", "', "-~0.n! n", '- ": ', "-~0.n 2", "- };", *BOTH],
        tools=[{"name": "get", "n": 2}],
    ),
    Pattern(
        "tool schemas in the turn of a message",
        "{% for m in messages %}<{% if loop.last %}{{ tools[0].name }}{% endif %}{{ m.content }}>{% endfor %}",
        ["0 <", "0.content Hi", "0 >", "1 <", "1~0.name get", "1.content Yo", "1 >"],
        tools=[{"name": "get"}],
    ),
    Pattern(
        "arguments as JSON",
        "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].function.arguments|tojson }}{% endif %}"
        "{% endfor %}",
        [
            *('1 {"', f"{ARGUMENTS}.s! s", '1 ": "', f'{ARGUMENTS}.s a\\"b', '1 ", "'),
            *(f"{ARGUMENTS}.n! n", '1 ": ', f"{ARGUMENTS}.n 3", '1 , "'),
            *(f"{ARGUMENTS}.x! x", '1 ": ', f"{ARGUMENTS}.x 1.5", '1 , "'),
            *(f"{ARGUMENTS}.yes! yes", '1 ": ', f"{ARGUMENTS}.yes true", '1 , "'),
            *(f"{ARGUMENTS}.no! no", '1 ": ', f"{ARGUMENTS}.no null", "1 }"),
        ],
        messages=CALL,
    ),
    Pattern(
        "arguments in Python's notation",
        "{% for m in messages %}{% if m.tool_calls %}{{ m.tool_calls[0].function.arguments }}{% endif %}{% endfor %}",
        [
            *("1 {'", f"{ARGUMENTS}.s! s", "1 ': '", f'{ARGUMENTS}.s a"b', "1 ', '"),
            *(f"{ARGUMENTS}.n! n", "1 ': ", f"{ARGUMENTS}.n 3", "1 , '"),
            *(f"{ARGUMENTS}.x! x", "1 ': ", f"{ARGUMENTS}.x 1.5", "1 , '"),
            *(f"{ARGUMENTS}.yes! yes", "1 ': ", f"{ARGUMENTS}.yes True", "1 , '"),
            *(f"{ARGUMENTS}.no! no", "1 ': ", f"{ARGUMENTS}.no None", "1 }"),
        ],
        messages=CALL,
    ),
    Pattern(
        "arguments one by one",
        "{% for m in messages %}{% for k, v in (m.tool_calls[0].function.arguments if m.tool_calls else {})|items %}"
        "{{ k }}={{ v }} {% endfor %}{% endfor %}",
        [
            *(f"{ARGUMENTS}.s! s", "1 =", f'{ARGUMENTS}.s a"b', "1  ", f"{ARGUMENTS}.n! n", "1 =", f"{ARGUMENTS}.n 3"),
            *("1  ", f"{ARGUMENTS}.x! x", "1 =", f"{ARGUMENTS}.x 1.5", "1  ", f"{ARGUMENTS}.yes! yes", "1 =True "),
            *(f"{ARGUMENTS}.no! no", "1 =None "),
        ],
        messages=CALL,
    ),
    Pattern(
        "a call rebuilt for JSON",
        "{% for m in messages %}{% for c in m.tool_calls or [] %}"
        "{{ {'name': c.function.name, 'arguments': {'n': c.function.arguments.n}}|tojson }}{% endfor %}{% endfor %}",
        ['1 {"name": "', "1.tool_calls.0.function.name f", '1 ", "arguments": {"n": ', f"{ARGUMENTS}.n 3", "1 }}"],
        messages=CALL,
    ),
    Pattern(
        "lists inside a message in Python's notation",
        "{% for m in messages %}{{ m.given }}{% endfor %}",
        ["0 ['", "0.given.0 a", "0 ', ", "0.given.1 True", "0 , [", "0.given.2.0 None", "0 ]]"],
        messages=[{"role": "user", "content": "", "given": ["a", True, [None]]}],
    ),
    Pattern(
        "content in parts",
        "{% for m in messages %}{% for p in m.content %}<{{ p.text }}>{% endfor %};{% endfor %}",
        [
            *("0 <", "0.content.0.text Hi", "0 ><", "0.content.1.text Ho", "0 >;"),
            *("1 <", "1.content.0.text Yo", "1 >;"),
        ],
        messages=PARTS,
    ),
    Pattern(
        "content in parts by index",
        "{% for m in messages %}<{{ m.content[0].text }}{{ m['content'][-1]['text'] }}>{% endfor %}",
        [
            *("0 <", "0.content.0.text Hi", "0.content.1.text Ho", "0 >"),
            *("1 <", "1.content.0.text YoYo", "1 >"),
        ],
        messages=PARTS,
    ),
    Pattern(
        "content in parts of rebuilt messages",
        "{% for m in [{'role': 'U', 'content': messages[0].content}] %}{% if m %}<{% endif %}{{ m.role }}"
        "{% for p in m.content %}{{ p.text }}{% endfor %}>{% endfor %}",
        ["0 <U", "0.content.0.text Hi", "0.content.1.text Ho", "0 >"],
        messages=PARTS,
    ),
    Pattern(
        "tool calls and their results",
        "{% for m in messages %}{% for c in m.tool_calls or [] %}({{ c.function.name }}){% endfor %}<{{ m.content }}>"
        "{% endfor %}",
        ["0 (", "0.tool_calls.0.function.name f", "0 )<>", "1 <", "1.content ok", "1 >"],
        messages=[
            {"role": "assistant", "content": "", "tool_calls": [{"function": {"name": "f", "arguments": {}}}]},
            {"role": "tool", "content": "ok"},
        ],
    ),
]

GENERATED = [
    Pattern(
        "a generation block",
        "{% for m in messages %}<{% if m.role == 'assistant' %}{% generation %}{{ m.content }}>{% endgeneration %}"
        "{% else %}{{ m.content }}>{% endif %}{% endfor %}",
        ["0 <", "0.content Hi", "0 >", "1 <", "1.content* Yo", "1* >"],
    ),
    Pattern(
        "a generation block in a macro",
        "{% macro turn(m) %}<{%- generation -%} {{ m.content }} {%- endgeneration -%}>{% endmacro %}"
        "{% for m in messages %}{{ turn(m) }}{% endfor %}",
        ["0 <", "0.content* Hi", "0 >", "1 <", "1.content* Yo", "1 >"],
    ),
    Pattern(
        "a generation block in a captured block",
        "{% for m in messages %}{% set text %}<{% generation %}{{ m.content }}{% endgeneration %}>{% endset %}"
        "{{ text }}{% endfor %}",
        ["0 <", "0.content* Hi", "0 >", "1 <", "1.content* Yo", "1 >"],
    ),
    Pattern(
        "a generation block around a loop",
        "{% generation %}{% for m in messages %}<{{ m.content }}>{% endfor %}{% endgeneration %}E",
        [*(entry.replace(" ", "* ", 1) for entry in BOTH), "- E"],
    ),
]

PATTERNS = [*LOOPS, *COLLECTED, *JOINED, *VALUES, *GENERATED]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_every_character_has_the_origin_written_by_hand(pattern: Pattern) -> None:
    rendering = render(
        pattern.messages, template=pattern.template, tools=pattern.tools, template_kwargs=pattern.variables
    )
    assert noted(rendering) == pattern.expected
    check_spans(rendering, messages=pattern.messages, tools=pattern.tools, variables=pattern.variables)


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.name)
def test_the_text_is_the_one_of_transformers(pattern: Pattern) -> None:
    expected = transformers_text(pattern.messages, pattern.template, tools=pattern.tools, **pattern.variables)
    rendering = render(
        pattern.messages, template=pattern.template, tools=pattern.tools, template_kwargs=pattern.variables
    )
    assert rendering.text == expected


def test_pattern_names_are_unique() -> None:
    assert len({pattern.name for pattern in PATTERNS}) == len(PATTERNS)


@pytest.mark.parametrize("pattern", GENERATED, ids=lambda pattern: pattern.name)
def test_generation_ranges_are_the_characters_marked_as_generated(pattern: Pattern) -> None:
    rendering = render(pattern.messages, template=pattern.template)
    assert rendering.generation_ranges is not None
    inside = {position for start, end in rendering.generation_ranges for position in range(start, end)}
    marked = {p for span in rendering.spans if span.origin.generated for p in range(span.start, span.end)}
    assert inside == marked
    assert all(start < end for start, end in rendering.generation_ranges)


def test_generation_ranges_without_tags_and_with_tags_that_print_nothing() -> None:
    messages = [{"role": "user", "content": "Hi"}]
    assert render(messages, template="{{ messages[0].content }}").generation_ranges is None
    assert render(messages, template="{% raw %}{% generation %}{% endraw %}").generation_ranges is None
    for template in (
        "{{ generation }}",
        "{% set generation = 1 %}",
        "{# {% generation %} #}",
        "{{ '{% generation %}' }}",
    ):
        assert render(messages, template=template).generation_ranges is None
    quiet = "{% if false %}{% generation %}x{% endgeneration %}{% endif %}{{ messages[0].content }}"
    assert render(messages, template=quiet).generation_ranges == ()


def test_generation_ranges_of_separate_turns() -> None:
    template = "{% for m in messages %}<{% generation %}{{ m.content }}{% endgeneration %}>{% endfor %}"
    assert render(FOUR[:2], template=template).generation_ranges == ((1, 3), (5, 7))
