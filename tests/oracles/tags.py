"""trl's `{% generation %}` tags, placed by hand in 31 training templates, as transformers reads them.

Text and tagged ranges are those of transformers' own renderer, not of the
reference's. `SHOWN` in `training_templates` says which of the classes each
template shows, and was written by hand after reading it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

from maskspec.conversation import Conversation
from maskspec.corpus import Pair
from maskspec.policy import Verdict
from maskspec.segmentation import Zone
from maskspec.shapes import tool_call
from tests.oracles.asking import Asked, assistant, user
from tests.oracles.differences import Answer, Difference
from tests.oracles.examining import frozen_clock
from tests.oracles.oracle import Case, Class, Owner
from tests.oracles.training_templates import IN_PARTS, SHOWN, VERSION, pairs

_PLAIN = (user("a"), assistant("b"))
_TRL = f"trl {VERSION}"


def _whole(each: Difference) -> bool:
    """Whether it is not only the newline at the end of an opening, nor a prefilled tag in it."""
    return bool(each.our_text.strip()) and not each.our_text.startswith(("<think>", "</think>"))


CLASSES: Sequence[Class] = (
    Class(
        "tail",
        Owner.POLICY,
        _TRL,
        "the newline after the stop is inside the tags; EITHER by the principle, so both are right",
        lambda each: each.only_theirs(Zone.TAIL, Verdict.EITHER) and not each.our_text.strip(),
        Case("qwen3_training", _PLAIN),
        {"tail": Verdict.TRAIN},
    ),
    Class(
        "end of the opening",
        Owner.THEIRS,
        f"{_TRL}: qwen2_5",
        "only the newline that ends the opening is tagged; the generation prompt ends with it",
        lambda each: each.only_theirs(Zone.OPENING, Verdict.IGNORE) and each.our_text == "\n",
        Case("qwen2_5_training", _PLAIN),
    ),
    Class(
        "prefill",
        Owner.THEIRS,
        f"{_TRL}: nemotron_3, qwen3_5, qwen3_6, qwen3_8",
        "the think tag that the generation prompt supplies is inside the tags",
        lambda each: each.only_theirs(Zone.OPENING, Verdict.IGNORE) and each.our_text.startswith("<think>"),
        Case("qwen3_6_training", _PLAIN),
    ),
    Class(
        "opening",
        Owner.POLICY,
        f"{_TRL}: deepseekv3, deepseek_r1_distill, gptoss, muse_glimmer",
        "the whole opening is inside the tags, although the generation prompt supplies it",
        lambda each: each.only_theirs(Zone.OPENING, Verdict.IGNORE) and _whole(each),
        Case("gptoss_training", _PLAIN),
        {"opening": Verdict.TRAIN},
    ),
    Class(
        "unconfirmed opening",
        Owner.POLICY,
        _TRL,
        "no generation prompt supplies what the template prints before the answer; EITHER",
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
        Case("diffusion_gemma_training", (user("a"), assistant("", tool_calls=[tool_call("b")]))),
    ),
    Class(
        "end of text",
        Owner.THEIRS,
        f"{_TRL}: phi3, phi3_5",
        "the template prints its end-of-sequence token after the last stop, and tags it; the model has stopped before",
        lambda each: each.only_theirs(Zone.CONTEXT, Verdict.IGNORE) and each.our_text == "<|endoftext|>",
        Case("phi3_training", _PLAIN),
    ),
)


def _in_parts(message: Mapping[str, Any]) -> dict[str, Any]:
    content = message.get("content")
    return {
        **message,
        "content": [{"type": "text", "text": content or ""}] if isinstance(content, str | None) else content,
    }


def _date(form: str) -> str:
    return frozen_clock().strftime(form)


MENDED: Sequence[Case] = (
    # A default system prompt, printed with a first message by the assistant, was trained as scaffold.
    Case("qwen2_5_vl_training", (assistant("b"), user("a"))),
    # The end of the reasoning was taken for the stop where gpt-oss prints an empty final message behind it.
    Case("gptoss_training", (user("a"), assistant("", thinking="t"))),
)
"""Smallest cases of what this oracle found wrong in the reference; nothing but the classes may be left of them."""


class GenerationTags:
    """The oracle."""

    name = "trl's generation tags"
    packages: Mapping[str, str] = {"trl": VERSION, "transformers": "5"}
    pairs: Sequence[str] = tuple(SHOWN)
    classes: Sequence[Class] = CLASSES

    def pair(self, name: str) -> Pair:
        return pairs()[name]

    def asked(self, pair: Pair, conversation: Asked) -> Asked:
        """The conversation; with its texts as parts for a template that prints nothing else."""
        if pair.name not in IN_PARTS:
            return conversation
        return conversation.changed([_in_parts(message) for message in conversation.messages])

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
