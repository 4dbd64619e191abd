"""tinker-cookbook's supervised examples: `conversation_to_datum` with the renderer that is recommended for a model.

Every conversation goes through `tinker_cookbook.supervised.data.conversation_to_datum(messages, renderer, max_length,
train_on_what)`, the function by which the cookbook's data sets (`FromConversationFileBuilder`) make a row, with the
renderer of `renderers.get_renderer(name, tokenizer, model_name=…)`. A datum holds the inputs, the targets and their
weights, one place apart; ids and labels are put together from it again, a label where the weight is not 0. Messages are
made by the cookbook's own `third_party.openai_compat.openai_messages_to_tinker`, and tools, as its documentation says,
by the renderer's `create_conversation_prefix_with_tools`, whose messages stand in front of the conversation.

Which renderer (`model_info.py`, "recommended renderers"): a pair is asked where the cookbook recommends a renderer for
its model, or for the models that share its template: `qwen3`, `qwen3_instruct` (Instruct-2507), `qwen3_5` (3.6, too),
`deepseekv3` (V3.1), `kimi_k2` (K2-Thinking), `gpt_oss_medium_reasoning`, `llama3`. Where the template has a variable
for thinking or for effort, the variant with that name is taken, and for Qwen3.5 0.8B, whose template has thinking off,
`qwen3_5_disable_thinking`. Llama 3.1 and later are not asked: the renderer "intentionally differs" from their template.

Configuration: `train_on_what=ALL_ASSISTANT_MESSAGES`, the default of `conversation_to_datum` and of the data sets.

Declared policy: the principle, with nothing behind the stop (`tail` IGNORE). `RenderedMessage` promises it: the output
is "what the model generates for this turn: the message text/images plus end-of-turn tokens", the header is "what the
model sees but does not generate", and separators of turns stand in the next header. `with_policy` follows turns by
LAST_ASSISTANT_MESSAGE and LAST_ASSISTANT_TURN, which train the end of a conversation and are asked only where an answer
stands there; and roles by CUSTOMIZED, which trains the output of each message marked `trainable`. There is no option
for stops.

Flags: CUSTOMIZED with each message's `trainable`. There are no character spans and no weights besides 0 and 1.

Truncation: `max_length`, which cuts the end.

Not the cookbook's own: the renderer of Kimi K2 encodes with whatever special tokens the tokenizer adds; Kimi's own
class adds none and that of the suite's pair a beginning of sequence, so it gets a copy that adds none.

Not asked, because the cookbook refuses it and says why, or documents it: tools and calls for Llama 3 ("tool calling is
NOT supported"), reasoning where thinking is turned off, a later system message for DeepSeek, contents of several parts
for Kimi K2.
Arguments of calls are handed over as JSON text, which the cookbook's type asks for. There is no collator and no
packing: batches are lists of data.
"""

from __future__ import annotations

import copy
import importlib
import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from maskspec.adapters._shared import FLAGS, require_transformers, titled, unflagged
from maskspec.conformance.protocol import Labelled, Request, Unsupported
from maskspec.conversation import Conversation
from maskspec.policy import Policy, Turns, Verdict

__all__ = ["FAMILIES", "Family", "TinkerCookbookMasker", "masker"]

_DECLARED = Policy(tail=Verdict.IGNORE)


@dataclass(frozen=True, slots=True)
class Family:
    """A renderer's name, the model it is recommended for, and its variants for values of a template's variable."""

    renderer: str
    model: str
    variable: str = ""
    variants: Mapping[object, str] = field(default_factory=dict)


FAMILIES: Mapping[str, Family] = {
    "llama-3": Family("llama3", "meta-llama/Llama-3.1-8B-Instruct"),
    "qwen3": Family("qwen3", "Qwen/Qwen3-8B", "enable_thinking", {True: "qwen3", False: "qwen3_disable_thinking"}),
    "qwen3-instruct-2507": Family("qwen3_instruct", "Qwen/Qwen3-4B-Instruct-2507"),
    "qwen3.5": Family(
        "qwen3_5_disable_thinking",
        "Qwen/Qwen3.5-4B",
        "enable_thinking",
        {True: "qwen3_5", False: "qwen3_5_disable_thinking"},
    ),
    "qwen3.6": Family(
        "qwen3_5",
        "Qwen/Qwen3.6-35B-A3B",
        "enable_thinking",
        {True: "qwen3_5", False: "qwen3_5_disable_thinking"},
    ),
    "deepseek-v3.1": Family(
        "deepseekv3",
        "deepseek-ai/DeepSeek-V3.1",
        "thinking",
        {True: "deepseekv3_thinking", False: "deepseekv3"},
    ),
    "kimi-k2-thinking": Family("kimi_k2", "moonshotai/Kimi-K2-Thinking"),
    "gpt-oss": Family(
        "gpt_oss_medium_reasoning",
        "openai/gpt-oss-120b",
        "reasoning_effort",
        {effort: f"gpt_oss_{effort}_reasoning" for effort in ("low", "medium", "high")},
    ),
}
"""The pairs that have a renderer."""


@dataclass(frozen=True, slots=True)
class TinkerCookbookMasker:
    """The recommended renderer of a pair's model, and the data that are made with it."""

    policy: Policy = _DECLARED
    name: str = field(default_factory=lambda: titled("tinker-cookbook"))
    truncation: tuple[str, ...] = ("right",)
    _renderers: dict[Any, Any] = field(default_factory=dict, repr=False, compare=False)

    def mask(self, request: Request) -> Labelled:
        """One conversation as a datum, cut where a limit is given."""
        require_transformers(request.tokenizer)
        renderer = self._renderer(request)
        train_on_what, chosen = self._trained(request)
        messages = _messages(renderer, request, chosen)
        data = _cookbook("tinker_cookbook.supervised.data")
        refusal = _cookbook("tinker_cookbook.exceptions").RendererError
        try:
            datum = data.conversation_to_datum(
                messages,
                renderer,
                request.max_length,
                _cookbook("tinker_cookbook.renderers").TrainOnWhat(train_on_what),
            )
        except (refusal, NotImplementedError) as error:
            raise Unsupported(str(error).partition("\n")[0]) from error
        return _labelled(datum)

    def with_policy(self, policy: Policy) -> TinkerCookbookMasker:
        """The same with other turns or other roles."""
        if policy.changed(turns=self.policy.turns, roles=self.policy.roles) != self.policy:
            raise Unsupported("tinker-cookbook has options for turns and for roles, and for nothing else of a policy")
        return replace(self, policy=policy)

    def _trained(self, request: Request) -> tuple[str, list[bool] | None]:
        """`train_on_what`, and for CUSTOMIZED whether each message is trained."""
        flagged = [message for message in request.messages if message.keys() & set(FLAGS)]
        for message in flagged:
            if message.get("spans"):
                raise Unsupported("`trainable` says whether a message is trained, not which characters of it")
            if message.get("weight") not in (None, 0, 1):
                raise Unsupported("`trainable` is true or false")
        if flagged or self.policy.roles != {"assistant"}:
            selected = self.policy.selected(Conversation.from_messages(request.messages))
            return "customized", [index in selected for index in range(len(request.messages))]
        if self.policy.turns is Turns.ALL:
            return "all_assistant_messages", None
        if request.messages[-1]["role"] != "assistant":
            raise Unsupported("the last message or turn is trained where it is the assistant's")
        return ("last_assistant_message" if self.policy.turns is Turns.LAST else "last_assistant_turn"), None

    def _renderer(self, request: Request) -> Any:
        """The renderer for the pair's model and its variables; made once for a tokenizer."""
        name, model = _chosen(request)
        key = (id(request.tokenizer), name)
        if key not in self._renderers:
            tokenizer = _without_additions(request.tokenizer) if name == "kimi_k2" else request.tokenizer
            made = _cookbook("tinker_cookbook.renderers").get_renderer(name, tokenizer, model_name=model)
            # The tokenizer is kept with its renderer, so its id belongs to no other.
            self._renderers[key] = (request.tokenizer, made)
        return self._renderers[key][1]


@cache
def _cookbook(name: str) -> Any:
    """A module of the cookbook, whose warnings about histories are not printed for every conversation."""
    os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
    module = importlib.import_module(name)
    logging.getLogger("tinker_cookbook").setLevel(logging.CRITICAL)
    return module


def _without_additions(tokenizer: Any) -> Any:
    """A copy of the tokenizer that adds no special tokens to a text."""
    copied = copy.deepcopy(tokenizer)
    copied.backend_tokenizer.post_processor = importlib.import_module("tokenizers").processors.Sequence([])
    return copied


def _chosen(request: Request) -> tuple[str, str]:
    """The renderer's name and the model's."""
    family = FAMILIES.get(request.pair)
    if family is None:
        raise Unsupported("tinker-cookbook recommends no renderer for this template")
    variables = dict(request.template_kwargs)
    name = family.renderer
    if family.variable in variables:
        value = variables.pop(family.variable)
        if value not in family.variants:
            raise Unsupported(f"there is no renderer for {family.variable}={value!r}")
        name = family.variants[value]
    if variables:
        raise Unsupported(f"there is no renderer for the variable {', '.join(sorted(variables))}")
    if family.renderer == "llama3" and (
        request.tools or any(message.get("tool_calls") or message["role"] == "tool" for message in request.messages)
    ):
        raise Unsupported("tool calling is not supported for Llama 3, as its renderer says")
    return name, family.model


def _messages(renderer: Any, request: Request, chosen: list[bool] | None) -> list[Any]:
    """The cookbook's messages, with those that declare tools in front."""
    convert = _cookbook("tinker_cookbook.third_party.openai_compat").openai_messages_to_tinker
    messages: list[Any] = convert([_openai(message) for message in request.messages])
    if chosen is not None:
        messages = [{**message, "trainable": flag} for message, flag in zip(messages, chosen, strict=True)]
    if not request.tools:
        return messages
    system = messages.pop(0)["content"] if messages[0]["role"] == "system" else ""
    if not isinstance(system, str):
        raise Unsupported("with tools, the system prompt is one text")
    tools = [tool.get("function", tool) for tool in request.tools]
    front = renderer.create_conversation_prefix_with_tools(tools, system)
    if chosen is not None:
        front = [{**message, "trainable": False} for message in front]
    return [*front, *messages]


def _openai(message: Mapping[str, Any]) -> dict[str, Any]:
    """A message without flags, its reasoning where the cookbook looks for it, the arguments of calls as JSON text."""
    plain = {key: value for key, value in unflagged(message).items() if value is not None}
    if plain.get("tool_calls"):
        plain["tool_calls"] = [_called(call) for call in plain["tool_calls"]]
    return plain


def _called(call: Mapping[str, Any]) -> dict[str, Any]:
    function = dict(call.get("function", call))
    if not isinstance(function.get("arguments"), str):
        function["arguments"] = json.dumps(function.get("arguments"), ensure_ascii=False)
    return {**call, "function": function} if "function" in call else {"type": "function", "function": function}


def _labelled(datum: Any) -> Labelled:
    """Ids and labels of a datum, whose targets and weights stand one place ahead of its inputs."""
    targets = [int(item) for item in datum.loss_fn_inputs["target_tokens"].data]
    weights = datum.loss_fn_inputs["weights"].data
    first = datum.model_input.to_ints()[0]
    labels = [item if weight else -100 for item, weight in zip(targets, weights, strict=True)]
    return Labelled([first, *targets], [-100, *labels])


masker = TinkerCookbookMasker()
"""What `maskspec check tinker-cookbook` runs."""
