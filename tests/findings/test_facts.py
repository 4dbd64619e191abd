"""Every kind of finding with a template that has it and one that has not: what is expected is worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from maskspec.findings import FACTS, FindingKind
from maskspec.findings.kinds import FROM_HAZARDS, REFINED_HAZARDS, TOKEN_HAZARDS
from maskspec.hazards import HazardKind
from maskspec.shapes import WEATHER_TOOL, tool_call
from tests.findings.asking import Shown, examined, observations, shown, surrounded

K = FindingKind

PROMPT = "{% if add_generation_prompt %}<|assistant|>{% endif %}"


def loop(body: str, *, after: str = PROMPT, before: str = "") -> str:
    """A template that prints this for each message `m`, and this after all of them."""
    return f"{before}{{% for m in messages %}}{body}{{% endfor %}}{after}"


def turn(inside: str = "{{ m.content }}", *, end: str = "{{ eos_token }}") -> str:
    """A header with the role, something, and the stop."""
    return f"<|{{{{ m.role }}}}|>{inside}{end}"


def tagged(inside: str, *, before: str = "<|assistant|>", after: str = "") -> str:
    """A template with generation tags around a part of each answer."""
    answer = f"{before}{{% generation %}}{inside}{{% endgeneration %}}{after}"
    return loop(f"{{% if m.role == 'assistant' %}}{answer}{{% else %}}{turn()}{{% endif %}}")


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def parts(*texts: str) -> list[dict[str, str]]:
    return [{"type": "text", "text": text} for text in texts]


BASE = loop(turn())
ROUND = (user("Q"), assistant("A"))
ROUNDS = (*ROUND, user("P"), assistant("B"))
TOLD = (system("S"), *ROUND)
REASONED = (user("Q"), assistant("A", reasoning_content="R"), user("P"), assistant("B", reasoning_content="T"))
CALLED = (user("Q"), assistant("", tool_calls=[tool_call("Oslo")]))
OSLO_AND_ROME = (user("Q"), assistant("", tool_calls=[tool_call("Oslo"), tool_call("Rome", identifier="call00002")]))
TOOLS = (WEATHER_TOOL,)

REASONING = "{% if m.reasoning_content %}<think>{{ m.reasoning_content }}</think>{% endif %}"
REASONING_LAST = REASONING.replace("if m.reasoning_content", "if m.reasoning_content and loop.last")
THINKS = ("answer-scaffold", "<think>")
CALLS = (
    "{% for c in m.tool_calls or [] %}<call>{{ c.function.name }} {{ c.function.arguments.city }}</call>{% endfor %}"
)
WORDY = "\n### {{ m.role }}:\n{{ m.content }}"
WORDY_PROMPT = "{% if add_generation_prompt %}\n### assistant:\n{% endif %}"
GLM = loop("{% if m.role == 'user' %}<|user|>{% else %}<|assistant|>{% endif %}{{ m.content }}")


@pytest.mark.parametrize("messages", [ROUND, ROUNDS, TOLD], ids=["round", "rounds", "system"])
def test_a_plain_template_shows_nothing(messages: Any) -> None:
    assert shown(BASE, messages) == set()


@pytest.mark.parametrize(
    ("source", "messages", "expected"),
    [
        (loop(turn(REASONING + "{{ m.content }}")), REASONED, {THINKS}),
        (
            loop(turn(REASONING_LAST + "{{ m.content }}")),
            REASONED,
            {("history-reasoning", ""), ("reasoning-earlier", ""), THINKS},
        ),
        (
            loop(turn("{{ m.content if loop.last else m.content.split('</think>')[-1] }}")),
            (user("Q"), assistant("<think>R</think>A"), user("P"), assistant("B")),
            {("history-reasoning", "inside the content"), ("reasoning-inline", "")},
        ),
        (loop(turn("{% if loop.last %}<|last|>{% endif %}{{ m.content }}")), ROUNDS, {("history-last-turn", "")}),
        (
            loop(turn(), after="<|done|>" + PROMPT),
            ROUNDS,
            {("history-end", "text"), ("text-after-stop", "<|done|>")},
        ),
        (
            loop(turn("{{ m.content if loop.last else m.content[:1] }}")),
            (user("Q"), assistant("Ab"), user("P"), assistant("B")),
            {("history-content", "assistant: content"), ("content-cut", "assistant")},
        ),
        (
            loop(turn("{{ m.content if loop.last else m.content.strip() }}")),
            (user("Q"), assistant(" A"), user("P"), assistant("B")),
            {("history-content", "assistant: white space of the content"), ("content-trimmed", "assistant")},
        ),
        (
            loop(turn("{% if m.role == 'user' and loop.index0 >= messages|length - 2 %}{{ tools|tojson }}{% endif %}{{ m.content }}")),
            ROUNDS,
            {("history-tools", "")},
        ),
    ],
    ids=["kept", "reasoning", "inline", "last turn", "end", "content", "blanks", "tools"],
)  # fmt: skip
def test_what_rewrites_the_history(source: str, messages: Any, expected: Shown) -> None:
    assert shown(source, messages, tools=TOOLS if "tools" in source else None) == expected


MERGING = (
    "{% for m in messages[1:] %}<|{{ m.role }}|>"
    "{% if m.role == 'user' and loop.index0 >= messages|length - 3 %}{{ messages[0].content }} {% endif %}"
    "{{ m.content }}{{ eos_token }}{% endfor %}" + PROMPT
)


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        (TOLD, {("system-merged", "the only question")}),
        ((system("S"), *ROUNDS), {("system-merged", "the last question"), ("history-system", "")}),
    ],
    ids=["one round", "two rounds"],
)
def test_a_system_text_inside_the_last_question_moves(messages: Any, expected: Shown) -> None:
    assert shown(MERGING, messages) == expected


def test_a_beginning_is_shown_with_both_texts() -> None:
    (seen,) = observations(loop(turn("{% if loop.last %}!{% endif %}{{ m.content }}")), ROUNDS)
    assert (seen.beginning, seen.message) == (1, None)
    alone, whole = seen.excerpts
    assert (alone.label, alone.before, alone.marked) == ("the beginning alone", "<|user|>", "!Q</s>")
    assert (whole.label, whole.before, whole.marked) == (
        "the whole", "<|user|>", "Q</s><|assistant|>A</s><|user|>P</s><|assistant|>!B</s>",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (BASE, set()),
        (loop(turn(), before="Today is {{ strftime_now('%d %b %Y') }}. "), {("date", "")}),
        (loop(turn(), before="{% if messages[0].role != 'system' %}Be a helpful one.{% endif %}"), {("default-system", "")}),
        (loop(turn(), before="Knowledge ends in some past year. "), {("preamble", "")}),
        (loop(turn(), before="<|begin_of_text|>"), set()),
    ],
    ids=["nothing", "date", "default", "preamble", "marker"],
)  # fmt: skip
def test_what_a_template_prints_of_its_own(source: str, expected: Shown) -> None:
    assert surrounded(source) == expected


@pytest.mark.parametrize(
    ("source", "eos", "messages", "expected"),
    [
        (loop(turn(end="<|end|>")), None, ROUND, {("stop-written-out", "<|end|>")}),
        (loop(turn(end="<|end|>")), "<|end|>", ROUND, set()),
        (loop(turn(end="<|end|>")), "</s>", ROUND, {("stop-not-eos", "<|end|>")}),
        (loop(turn(end="{{ eos_token }}\n")), None, ROUND, {("blank-after-stop", "\n")}),
        (loop(turn(end="<|end|>\n")), None, (user("Q"), assistant("")), set()),
        (loop(turn(end="{{ eos_token }}<|more|>")), None, ROUND, {("text-after-stop", "<|more|>")}),
        (loop(WORDY, after=WORDY_PROMPT), None, ROUND, {("stop-missing", "the last answer")}),
        (
            loop(WORDY, after=WORDY_PROMPT),
            None,
            ROUNDS,
            {("stop-missing", "the last answer"), ("stop-missing", "an earlier answer")},
        ),
        (loop(WORDY + "[e~[", after=WORDY_PROMPT), None, ROUNDS, {("stop-written-out", "[e~[")}),
        (loop(turn(end="")), None, ROUND, {("stop-missing", "the last answer")}),
        (
            loop("{{ bos_token + '<|' + m.role + '|>' + m.content if loop.first else '<|' + m.role + '|>' + m.content }}"),
            None,
            (user("Q"), assistant("A"), user("P")),
            {("stop-boundary", ""), ("stop-written-out", "<|user|>")},
        ),
        (
            loop(turn(end="")),
            None,
            ROUNDS,
            {
                ("stop-boundary", ""),
                ("stop-written-out", "<|user|>"),
                ("stop-missing", "the last answer"),
                ("stop-varies", "<|user|> / none"),
            },
        ),
        (
            loop(turn(end="{% if loop.last %}{{ eos_token }}{% endif %}")),
            None,
            ROUNDS,
            {("stop-missing", "an earlier answer"), ("stop-varies", "</s> / none"), ("history-end", "text")},
        ),
        (
            GLM,
            None,
            ROUNDS,
            {
                ("stop-boundary", ""),
                ("stop-written-out", "<|user|>"),
                ("stop-missing", "the last answer"),
                ("stop-varies", "<|user|> / none"),
            },
        ),
    ],
    ids=[
        "written", "eos", "not eos", "blank", "empty answer", "text", "missing", "both missing", "no marker", "header", "pieces", "headers",
        "last only", "boundary",
    ],
)  # fmt: skip
def test_what_ends_an_answer(source: str, eos: str | None, messages: Any, expected: Shown) -> None:
    assert shown(source, messages, eos=eos) == expected


@pytest.mark.parametrize(
    ("source", "messages", "expected"),
    [
        (tagged("{{ m.content }}{{ eos_token }}"), ROUNDS, set()),
        (tagged("<|assistant|>{{ m.content }}{{ eos_token }}", before=""), ROUND, {("tags-opening", "")}),
        (tagged("{{ m.content }}", after="{{ eos_token }}"), ROUND, {("tags-stop", "")}),
        (tagged("{{ m.content }}{{ eos_token }}\n"), ROUND, {("tags-tail", ""), ("blank-after-stop", "\n")}),
        (
            tagged("{{ m.content[1:] }}{{ eos_token }}", before="<|assistant|>{{ m.content[:1] }}"),
            (user("Q"), assistant("Ab")),
            {("tags-content", "")},
        ),
        (
            tagged("{{ m.content }}{{ eos_token }}", before="<|assistant|>" + REASONING),
            (user("Q"), assistant("A", reasoning_content="R")),
            {("tags-reasoning", ""), ("tags-scaffold", ""), THINKS},
        ),
        (
            tagged("{{ m.content }}{{ eos_token }}", before="<|assistant|>" + CALLS),
            CALLED,
            {("tags-calls", ""), ("tags-scaffold", "")},
        ),
        (loop("{% generation %}" + turn() + "{% endgeneration %}"), ROUND, {("tags-opening", ""), ("tags-others", "")}),
        (
            loop("{% if m.content == 'B' %}{% generation %}x{% endgeneration %}{% endif %}" + turn()),
            ROUND,
            {("tags-none", "")},
        ),
    ],
    ids=["right", "opening", "stop", "tail", "content", "reasoning", "calls", "others", "none"],
)  # fmt: skip
def test_where_tags_and_principle_differ(source: str, messages: Any, expected: Shown) -> None:
    assert shown(source, messages) == expected


@pytest.mark.parametrize(
    ("inside", "messages", "expected"),
    [
        ("{{ m.content }}", (user(" Q "), assistant(" A\n")), set()),
        ("{{ m.content|trim }}", (user("Q"), assistant("A")), set()),
        (
            "{{ m.content|trim }}",
            (user(" Q"), assistant("A ")),
            {("content-trimmed", "user"), ("content-trimmed", "assistant")},
        ),
        ("{{ m.content if m.role != 'user' }}", ROUND, {("content-dropped", "user")}),
        ("{{ m.content if m.role != 'assistant' }}", ROUND, {("content-dropped", "assistant")}),
        ("{{ m.content.split('#')[0] }}", (user("Q"), assistant("A#b")), {("content-cut", "assistant")}),
        ("{{ m.content|upper }}", (user("Q"), assistant("ab")), {("content-altered", "assistant")}),
        ("{{ m.content|tojson }}", (user('a "b"'), assistant("A")), {("content-escaped", "user"), ("answer-scaffold", '"')}),
        ("{{ m.content.split('</think>')[-1] }}", (user("Q"), assistant("<think>R</think>A")), {("reasoning-inline", "")}),
        ("{{ m.content }}", (user("Q"), assistant("<think>R</think>A")), set()),
        ("{{ m.content }}", (user("Q"), assistant("A", reasoning_content="R")), {("reasoning-ignored", "")}),
        ("{{ m.content }}", REASONED, {("reasoning-ignored", "")}),
        (REASONING + "{{ m.content }}", (user("Q"), assistant("A", reasoning_content="R")), {THINKS}),
        ("{{ m.content }}", (user(parts("Q")), assistant("A")), {("parts-spelled-out", "user")}),
        ("{{ m.content if m.content is string }}", (user(parts("Q")), assistant("A")), {("content-dropped", "user, in parts")}),
        ("{{ m.content[0].text or m.content }}", (user(parts("Q", "P")), assistant("A")), {("parts-dropped", "user")}),
        (
            "{% if m.content is string %}{{ m.content }}{% else %}{% for p in m.content %}{{ p.text }}{% endfor %}{% endif %}",
            (user(parts("Q", "P")), assistant(parts("A"))),
            set(),
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_the_words(inside: str, messages: Any, expected: Shown) -> None:
    assert shown(loop(turn(inside)), messages) == expected


@pytest.mark.parametrize(
    ("inside", "messages", "expected"),
    [
        (CALLS, CALLED, set()),
        (CALLS, OSLO_AND_ROME, set()),
        ("{{ m.content }}", CALLED, {("calls-dropped", "")}),
        (CALLS.replace("{{ c.function.name }}", "get"), CALLED, {("calls-cut", "the name")}),
        (CALLS.replace("{{ c.function.arguments.city }}", ""), CALLED, {("calls-cut", "an argument")}),
        (CALLS.replace("m.tool_calls or []", "(m.tool_calls or [])[:1]"), OSLO_AND_ROME, {("calls-cut", "a further call")}),
        (CALLS, (user("Q"), assistant("C", tool_calls=[tool_call("Oslo")])), {("content-dropped", "assistant, beside tool calls")}),
    ],
    ids=["one", "two", "none", "no name", "no argument", "first only", "content beside"],
)  # fmt: skip
def test_what_becomes_of_tool_calls(inside: str, messages: Any, expected: Shown) -> None:
    content = "{{ m.content if not m.tool_calls }}" if inside != "{{ m.content }}" else ""
    assert shown(loop(turn(inside + content)), messages) == expected


def test_tool_schemas_of_which_nothing_is_printed() -> None:
    assert shown(BASE, ROUND, tools=TOOLS) == {("tools-dropped", "")}
    assert shown(loop(turn(), before="{{ tools|tojson }}"), ROUND, tools=TOOLS) == set()


def refusing(condition: str) -> str:
    return f"{{% if {condition} %}}{{{{ raise_exception('no') }}}}{{% endif %}}"


TWICE = "not loop.first and m.role == '{0}' and messages[loop.index0 - 1].role == '{0}'"


@pytest.mark.parametrize(
    ("source", "kind", "expected"),
    [
        (BASE, K.SYSTEM_REFUSED, set()),
        (refusing("messages[0].role == 'system'") + BASE, K.SYSTEM_REFUSED, {("system-refused", "")}),
        (loop(refusing("m.role == 'developer'") + turn()), K.ROLE_REFUSED, {("role-refused", "developer")}),
        (loop(refusing("m.role == 'tool'") + turn()), K.ROLE_REFUSED, {("role-refused", "tool")}),
        (loop(refusing("m.role == 'system' and not loop.first") + turn()), K.ORDER_REFUSED, {("order-refused", "a system message after the first round")}),
        (loop(refusing("loop.first and m.role == 'assistant'") + turn()), K.ORDER_REFUSED, {("order-refused", "an answer first")}),
        (loop(refusing(TWICE.format("user")) + turn()), K.ORDER_REFUSED, {("order-refused", "two questions in a row")}),
        (loop(refusing(TWICE.format("assistant")) + turn()), K.ORDER_REFUSED, {("order-refused", "two answers in a row")}),
        (refusing("messages|length > 3") + BASE, K.ORDER_REFUSED, {("order-refused", "a second round"), ("order-refused", "a system message after the first round")}),
        (loop(refusing("m.content is not string") + turn()), K.FORM_REFUSED, {("form-refused", "content in parts"), ("form-refused", "tool calls with content None")}),
        (loop(refusing("m.tool_calls") + turn()), K.FORM_REFUSED, {("form-refused", "tool calls"), ("form-refused", "tool calls with content None")}),
        (loop(refusing("m.content == ''") + turn()), K.FORM_REFUSED, {("form-refused", "an empty answer"), ("form-refused", "tool calls")}),
        (loop(refusing("m.tool_calls and m.tool_calls[0].function.arguments is string") + turn()), K.FORM_REFUSED, set()),
        (refusing("tools") + BASE, K.FORM_REFUSED, {("form-refused", "tool schemas"), ("form-refused", "tool calls"), ("form-refused", "tool calls with content None")}),
        (refusing("true") + BASE, K.REFUSES_PLAIN, {("refuses-plain", "")}),
        (refusing("true") + BASE, K.SYSTEM_REFUSED, {("refuses-plain", "")}),
        (loop("{% if m.role != 'system' %}" + turn() + "{% endif %}"), K.SYSTEM_LOST, {("system-lost", "")}),
        (loop("{% if m.role in ['user', 'assistant'] %}" + turn() + "{% endif %}"), K.MESSAGE_LOST, {("message-lost", "developer"), ("message-lost", "tool"), ("message-lost", "a system message after the first round")}),
        (loop("{% if m.role == 'user' %}" + turn() + "{% endif %}"), K.ANSWER_LOST, {("answer-lost", ""), ("answer-lost", "an empty answer")}),
        (loop("{% if m.role == 'user' %}" + turn() + "{% endif %}"), K.NOTHING_TRAINED, {("nothing-trained", ""), ("nothing-trained", "empty answers")}),
        (BASE, K.ANSWER_LOST, set()),
        (BASE, K.NOTHING_TRAINED, set()),
    ],
)  # fmt: skip
def test_what_is_refused_and_what_is_lost(source: str, kind: FindingKind, expected: Shown) -> None:
    wanted = {kind} | ({K.REFUSES_PLAIN} if "true" in source else set())
    assert examined(source, *wanted) == expected


BARE = "{% if m.role == 'user' %}<|user|>{{ m.content }}{{ eos_token }}<|assistant|>{% else %}{{ m.content }}{{ eos_token }}{% endif %}"


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (loop(turn(), after=""), {("prompt-ignored", ""), ("header-uncertain", "")}),
        (loop(BARE, after=""), {("prompt-always", "")}),
        (loop(turn(), after=PROMPT.replace("assistant", "bot")), {("prompt-differs", "text")}),
        (loop(turn(), after=PROMPT.replace("<|assistant|>", "<|assistant|>\n")), {("prompt-differs", "white space")}),
        (loop(turn(), after=PROMPT.replace("<|assistant|>", "<|assistant|><think>")), {("prompt-prefill", "<think>")}),
        (loop(turn("{% if m.role == 'assistant' %}<think></think>{% endif %}{{ m.content }}")), {("answer-scaffold", "<think></think>")}),
        (loop(turn(), before="{{ bos_token }}"), set()),
        (loop(turn(), before="{{ bos_token }}{{ bos_token }}"), {("doubled-bos", "")}),
    ],
    ids=["ignored", "always", "differs", "white space", "prefill", "scaffold", "bos", "two bos"],
)  # fmt: skip
def test_generation_prompt_and_header(source: str, expected: Shown) -> None:
    assert shown(source, ROUND) == expected


def test_every_kind_is_described_once_and_every_hazard_has_its_place() -> None:
    assert list(FACTS) == list(FindingKind)
    assert len({fact.title for fact in FACTS.values()}) == len(FACTS)
    assert FROM_HAZARDS.keys() | REFINED_HAZARDS | TOKEN_HAZARDS == set(HazardKind)
    assert not FROM_HAZARDS.keys() & (REFINED_HAZARDS | TOKEN_HAZARDS)
