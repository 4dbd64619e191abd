"""trl's `{% generation %}` tags, placed by hand in 31 training templates, as transformers reads them.

No vocabulary comes with the templates, so both sides are compared on one that
has a token for every special token and every character. Text and tagged ranges
are those of transformers' own renderer, not of the reference's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from maskspec.conversation import Conversation
from maskspec.corpus import Kind as PairKind
from maskspec.corpus import Pair, trl_templates
from maskspec.policy import Verdict
from maskspec.segmentation import Zone
from maskspec.shapes import tool_call
from maskspec.tokens import Encoding, SpecialTokens
from tests.oracles.generation_tags import EXPECTED, REASONS, VERSION, special_tokens
from tests.oracles.generation_tags import Difference as Known
from tests.oracles.harness import Answer, Asked, Case, Class, Difference, Owner, frozen_clock


class Characters:
    """A tokenizer with one id for every special token and one for every other character."""

    name = "characters"
    raw = None

    def __init__(self, special: SpecialTokens) -> None:
        self.special_tokens = special
        self._parts = re.compile("|".join([*map(re.escape, sorted(special.added, key=len, reverse=True)), "."]), re.S)

    def encode(self, text: str) -> Encoding:
        found = list(self._parts.finditer(text))
        return Encoding([self._id(each[0]) for each in found], [each.span() for each in found])

    def _id(self, part: str) -> int:
        return ord(part) if len(part) == 1 else 0x110000 + self.special_tokens.added.index(part)

    def token(self, token_id: int) -> str:
        return chr(token_id) if token_id < 0x110000 else self.special_tokens.added[token_id - 0x110000]

    def surfaces(self, ids: Sequence[int]) -> Sequence[bytes]:
        return [self.token(each).encode("utf-8", "surrogatepass") for each in ids]

    def decode(self, ids: Sequence[int]) -> str:
        return "".join(map(self.token, ids))


@cache
def _pairs() -> Mapping[str, Pair]:
    return {template.name: _pair(template) for template in trl_templates(training=True)}


def _pair(template: Any) -> Pair:
    tokenizer = Characters(special_tokens(template.name))
    return Pair(name=template.name, template=template, kind=PairKind.LOCAL, load=lambda: tokenizer)


def _user(text: str) -> dict[str, Any]:
    return {"role": "user", "content": text}


def _assistant(text: str, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": text, **more}


_PLAIN = (_user("a"), _assistant("b"))
_TRL = f"trl {VERSION}"


def _whole(each: Difference) -> bool:
    """Whether it is not only the newline at the end of an opening, nor a prefilled tag in it."""
    return bool(each.our_text.strip()) and not each.our_text.startswith(("<think>", "</think>"))


CLASSES: Sequence[Class] = (
    Class(
        Known.TAIL.value,
        Owner.POLICY,
        _TRL,
        REASONS[Known.TAIL],
        lambda each: each.only_theirs(Zone.TAIL, Verdict.EITHER) and not each.our_text.strip(),
        Case("qwen3_training", _PLAIN),
        {"tail": Verdict.TRAIN},
    ),
    Class(
        Known.OPENING_END.value,
        Owner.THEIRS,
        f"{_TRL}: qwen2_5",
        REASONS[Known.OPENING_END],
        lambda each: each.only_theirs(Zone.OPENING, Verdict.IGNORE) and each.our_text == "\n",
        Case("qwen2_5_training", _PLAIN),
    ),
    Class(
        Known.PREFILL.value,
        Owner.THEIRS,
        f"{_TRL}: nemotron_3, qwen3_5, qwen3_6, qwen3_8",
        REASONS[Known.PREFILL],
        lambda each: each.only_theirs(Zone.OPENING, Verdict.IGNORE) and each.our_text.startswith("<think>"),
        Case("qwen3_6_training", _PLAIN),
    ),
    Class(
        Known.OPENING.value,
        Owner.POLICY,
        f"{_TRL}: deepseekv3, deepseek_r1_distill, gptoss, muse_glimmer",
        REASONS[Known.OPENING],
        lambda each: each.only_theirs(Zone.OPENING, Verdict.IGNORE) and _whole(each),
        Case("gptoss_training", _PLAIN),
        {"opening": Verdict.TRAIN},
    ),
    Class(
        Known.UNCONFIRMED_OPENING.value,
        Owner.POLICY,
        _TRL,
        REASONS[Known.UNCONFIRMED_OPENING],
        lambda each: each.only_theirs(Zone.OPENING, Verdict.EITHER),
        Case(
            "llava_next_training",
            (
                {"role": "user", "content": [{"type": "text", "text": "a"}]},
                {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
            ),
        ),
        {"opening": Verdict.TRAIN},
    ),
    Class(
        "end of an unanswered call",
        Owner.THEIRS,
        f"{_TRL}: diffusion_gemma",
        "behind a call the model writes `<|tool_response>` and stops there (renderers 0.1.12 says the same of Gemma 4); "
        "where no result follows, the tags leave it out",
        lambda each: (
            each.zones <= {Zone.SCAFFOLD, Zone.STOP}
            and each.our_text == "<|tool_response>"
            and not any(piece.trained for piece in each.theirs)
        ),
        Case("diffusion_gemma_training", (_user("a"), _assistant("", tool_calls=[tool_call("b")]))),
    ),
    Class(
        Known.END_OF_TEXT.value,
        Owner.THEIRS,
        f"{_TRL}: phi3, phi3_5",
        REASONS[Known.END_OF_TEXT],
        lambda each: each.only_theirs(Zone.CONTEXT, Verdict.IGNORE) and each.our_text == "<|endoftext|>",
        Case("phi3_training", _PLAIN),
    ),
)


def _date(form: str) -> str:
    return frozen_clock().strftime(form)


MENDED: Sequence[Case] = (
    # A default system prompt, printed with a first message by the assistant, was trained as scaffold.
    Case("qwen2_5_vl_training", (_assistant("b"), _user("a"))),
    # The end of the reasoning was taken for the stop where gpt-oss prints an empty final message behind it.
    Case("gptoss_training", (_user("a"), _assistant("", thinking="t"))),
)
"""Smallest cases of what this oracle found wrong in the reference; nothing but the classes may be left of them."""


class GenerationTags:
    """The oracle."""

    name = "trl's generation tags"
    packages: Mapping[str, str] = {"trl": VERSION, "transformers": "5"}
    pairs: Sequence[str] = tuple(EXPECTED)
    classes: Sequence[Class] = CLASSES

    def pair(self, name: str) -> Pair:
        return _pairs()[name]

    def asked(self, _pair: Pair, conversation: Asked) -> Asked:
        return conversation

    def answer(self, pair: Pair, conversation: Asked) -> Answer:
        utilities = import_module("transformers.utils.chat_template_utils")
        messages, tools = conversation.fresh()
        tokenizer = pair.tokenizer
        # Transformers takes no functions as variables and keeps what it compiled, so its clock is lent and given back.
        variables = utilities._compile_jinja_template(pair.template.source).environment.globals
        clock = variables["strftime_now"]
        variables["strftime_now"] = _date
        try:
            (text,), (ranges,) = utilities.render_jinja_template(
                [Conversation.from_messages(messages, tools=tools).to_template_messages()],
                tools=tools,
                chat_template=pair.template.source,
                return_assistant_tokens_mask=True,
                **tokenizer.special_tokens.variables,
            )
        finally:
            variables["strftime_now"] = clock
        encoding = tokenizer.encode(text)
        return Answer(
            encoding.ids,
            [any(first < end and start < last for first, last in ranges) for start, end in encoding.offsets or ()],
        )


ORACLE = GenerationTags()
