"""tml_renderers: renderers in Rust, with vocabularies of their own, that weigh every token for fine-tuning.

It makes one training example per answer where a later message changes how an
earlier one is printed. The last example is compared: it is the conversation as
the template prints it, and only its last answer is trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import Any

from maskspec.corpus import Pair, load_pair
from maskspec.policy import Verdict
from maskspec.segmentation import Zone
from tests.oracles.asking import Asked, assistant, text_of, user
from tests.oracles.differences import Answer, Difference, Kind
from tests.oracles.oracle import Case, Class, NotComparable, Owner

_RENDERERS: Mapping[str, tuple[str, Mapping[str, Any]]] = {
    "qwen3": ("Qwen3", {}),
    "qwen3.6": ("Qwen35", {}),
    "deepseek-v3": ("DeepSeekV3", {}),
    "kimi-k2-thinking": ("KimiK2", {}),
    "gpt-oss": ("GptOss", {"current_date": "2025-01-01"}),
}
"""The renderer of each pair, with its options. The renderers of DeepSeek V3.1, V4 and R1 have vocabularies of their own or think
in answers without reasoning, where the templates of the pairs do not, so their texts are other ones."""

_REASONING = ("qwen3", "qwen3.6")
"""Renderers that print reasoning in a form of their own."""


@cache
def renderer(pair: str) -> Any:
    """The library's renderer for a pair."""
    name, options = _RENDERERS[pair]
    return getattr(import_module("tml_renderers").renderers, name)(**options)


def _alone(each: Difference) -> bool:
    crossing = each.zones <= {Zone.OPENING, Zone.CONTENT, Zone.SCAFFOLD} and Verdict.EITHER in each.verdicts
    return each.kind is Kind.SPELLING or (each.kind is Kind.LABEL and crossing and not each.our_text.strip())


CLASSES: Sequence[Class] = (
    Class(
        "texts encoded by themselves",
        Owner.THEIRS,
        "tml_renderers 0.2.1",
        "it encodes what the prompt supplies and what the model writes separately, and texts without looking for control "
        "tokens in them; the ids are not those of the template's text",
        _alone,
        Case("qwen3.6", (user("a"), assistant("b"))),
    ),
)


class TmlRenderers:
    """The oracle."""

    name = "tml_renderers"
    packages: Mapping[str, str] = {
        "tml-renderers": "0.2.1",
        "splintr-rs": "0.22.0",
        "torch": "2.13.0",
        "transformers": "5",
    }
    pairs: Sequence[str] = tuple(_RENDERERS)
    classes: Sequence[Class] = CLASSES

    def pair(self, name: str) -> Pair:
        return load_pair(name)

    def asked(self, pair: Pair, conversation: Asked) -> Asked:
        """Questions and answers up to the last answer, which alone is to be trained."""
        messages: list[dict[str, Any]] = []
        for message in conversation.messages:
            if message["role"] not in ("system", "user", "assistant") or message.get("tool_calls"):
                raise NotComparable("calls, results and roles of another form")
            if message["role"] == "system" and messages:
                raise NotComparable("a system message in the middle")
            if messages and message["role"] == messages[-1]["role"]:
                raise NotComparable("two messages of one role in a row")
            text = text_of(message["content"]).replace("</think>", "").replace("<think>", "").strip() or "a"
            messages.append({"role": message["role"], "content": text})
            reasoning = next((message[key] for key in _NAMES if message.get(key)), "").strip()
            if reasoning and message["role"] == "assistant" and pair.name in _REASONING:
                messages[-1]["reasoning_content"] = reasoning
        while messages and messages[-1]["role"] != "assistant":
            messages.pop()
        if not messages:
            raise NotComparable("no answer")
        if next(message["role"] for message in messages if message["role"] != "system") == "assistant":
            raise NotComparable("it begins with an answer")
        for message in messages[:-1]:
            message.pop("reasoning_content", None)
            if message["role"] == "assistant":
                message["train"] = False
        return Asked(conversation.name, messages)

    def answer(self, pair: Pair, conversation: Asked) -> Answer:
        library = import_module("tml_renderers")
        messages, _ = conversation.fresh()
        given = [library.chat.OpenAIMessage.from_oss_dict(_parts(message)) for message in messages]
        try:
            example = renderer(pair.name).render_for_sft(given)[-1]
        except ValueError as error:
            raise NotComparable(f"ValueError: {str(error)[:70]}") from error
        ids = [token for span in example.input_token_spans for token in span.span.tokens]
        weights = list(example.per_token_loss_weight_unshifted)
        if pair.name in _REASONING:  # it leaves out the newline that the template prints behind the last stop
            ids.extend(renderer(pair.name).tokenizer.encode_ordinary("\n"))
            weights.append(0.0)
        if not messages[:-1] or all(message.get("train", True) for message in messages):
            return Answer(ids, [weight > 0 for weight in weights])
        # Where one example holds all answers, the earlier ones have weights that this comparison leaves out.
        first = _start_of_last(weights)
        return Answer(ids, [weight > 0 and place >= first for place, weight in enumerate(weights)])


_NAMES = ("reasoning_content", "thinking", "reasoning")


def _parts(message: Mapping[str, Any]) -> dict[str, Any]:
    reasoning = next((message[key] for key in _NAMES if message.get(key)), "")
    parts = [{"type": "thinking", "thinking": reasoning}] if reasoning else []
    return {"role": message["role"], "content": [*parts, {"type": "text", "text": message["content"]}]}


def _start_of_last(weights: Sequence[float]) -> int:
    """Where the last run of trained tokens begins."""
    place = len(weights)
    while place and not weights[place - 1]:
        place -= 1
    while place and weights[place - 1]:
        place -= 1
    return place


ORACLE = TmlRenderers()
