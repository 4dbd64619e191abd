"""Data that is prepared before it is masked: renamed, trimmed, filled in, flattened, and the mask is right after that.

Each masker makes other messages of those it was given, or gives the given ones other
contents, and hands them to the reference. So whatever is wrong was wrong before any
token was looked at.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from maskspec import Labelled, Policy, Request
from maskspec.adapters.reference import ReferenceMasker
from maskspec.conversation import Conversation
from maskspec.errors import ConversationError
from tests.mutants.mutant import Mutant

__all__ = ["MUTANTS", "Prepared"]

Messages = list[dict[str, Any]]


@dataclass(frozen=True)
class Prepared:
    """The right one: it prepares nothing that a template or a policy could see."""

    name: str = "prepared"
    policy: Policy = Policy()
    documented_errors: tuple[type[BaseException], ...] = (ConversationError,)

    def mask(self, request: Request) -> Labelled:
        """Prepare the messages and let the reference mask them."""
        self.validate(request.messages)
        return ReferenceMasker(policy=self.policy).mask(replace(request, messages=self.prepare(request.messages)))

    def validate(self, messages: Messages) -> None:
        """Refuse what is no conversation before anything is done to it."""
        Conversation.from_messages(messages)

    def prepare(self, messages: Messages) -> Messages:
        """The messages as they are masked."""
        return [dict(message) for message in messages]


@dataclass(frozen=True)
class FlagsLostOnToolCalls(Prepared):
    """Writes messages with tool calls anew, with the parts that the template prints and no others.

    ms-swift#9263: calls become messages of a role of their own, and the flag stays behind.
    Expected: SELECT-1.
    """

    name: str = "flags-lost-on-tool-calls"

    def prepare(self, messages: Messages) -> Messages:
        return [without_flags(message) if message.get("tool_calls") else message for message in messages]


@dataclass(frozen=True)
class AnnotatesInPlace(Prepared):
    """Writes the weight that follows from the role into every message that has none, in the caller's own data.

    Met in many data sets, which then train by these weights whatever is asked of them
    later. Expected: RENDER-4.
    """

    name: str = "annotates-in-place"

    def prepare(self, messages: Messages) -> Messages:
        for message in messages:
            if not {"train", "weight", "spans"} & message.keys():
                message["weight"] = 1.0 if message["role"] in self.policy.roles else 0.0
        return messages


@dataclass(frozen=True)
class ContentStripped(Prepared):
    """Strips every content before it is rendered, so that no newline merges with a header's.

    The repair of prime-rl#1103. The model never sees the white space that its data has.
    Expected: RENDER-1.
    """

    name: str = "content-stripped"

    def prepare(self, messages: Messages) -> Messages:
        return [
            {**message, "content": message["content"].strip()}
            if isinstance(message.get("content"), str) and not message.get("spans")
            else message
            for message in messages
        ]


@dataclass(frozen=True)
class DefaultSystemPromptAdded(Prepared):
    """Puts a system prompt in front of every conversation that has none, as the template of an older model did.

    Expected: RENDER-1.
    """

    name: str = "default-system-prompt-added"

    def prepare(self, messages: Messages) -> Messages:
        if messages and messages[0]["role"] == "system":
            return messages
        return [{"role": "system", "content": "You are a helpful assistant."}, *messages]


@dataclass(frozen=True)
class FirstPartOfTheContent(Prepared):
    """Flattens content that is a list of parts to the text of its first one.

    Right for all data that its author saw, where there is one part and a picture.
    Expected: RENDER-1.
    """

    name: str = "first-part-of-the-content"

    def prepare(self, messages: Messages) -> Messages:
        return [
            {**message, "content": message["content"][0].get("text", "")}
            if isinstance(message.get("content"), list) and message["content"]
            else message
            for message in messages
        ]


@dataclass(frozen=True)
class ReasoningWrittenIntoTheContent(Prepared):
    """Moves the field with the reasoning into the content, between think tags, in every turn.

    A template that drops the reasoning of earlier turns takes this for text, or cuts it
    out by its tags and with it what stands before. Expected: RENDER-1.
    """

    name: str = "reasoning-written-into-the-content"

    def prepare(self, messages: Messages) -> Messages:
        return [
            {
                **{key: value for key, value in message.items() if key != "reasoning_content"},
                "content": f"<think>\n{message['reasoning_content']}\n</think>\n\n{message.get('content') or ''}",
            }
            if message.get("reasoning_content") and not message.get("spans")
            else message
            for message in messages
        ]


@dataclass(frozen=True)
class EmptyAnswersSkipped(Prepared):
    """Leaves answers without visible text out of what is trained, as a filter against broken rows.

    To stop at once is what such a turn teaches. Expected: SPAN-1, STOP-1.
    """

    name: str = "empty-answers-skipped"

    def prepare(self, messages: Messages) -> Messages:
        return [
            {**without_flags(message), "train": False} if self.is_empty(message) else message for message in messages
        ]

    def is_empty(self, message: dict[str, Any]) -> bool:
        """Whether an answer shows nothing."""
        shown = str(message.get("content") or "").strip() or message.get("tool_calls")
        return message["role"] == "assistant" and not shown


@dataclass(frozen=True)
class InvalidMessagesPatched(Prepared):
    """Makes text of whatever a message holds and a user of whoever wrote it, so that no row ever fails.

    Expected: TOTAL-2.
    """

    name: str = "invalid-messages-patched"

    def validate(self, messages: Messages) -> None:
        pass

    def prepare(self, messages: Messages) -> Messages:
        return [self.patched(message) for message in messages]

    def patched(self, message: Any) -> dict[str, Any]:
        """A message at any price."""
        if not isinstance(message, dict):
            return {"role": "user", "content": str(message)}
        role, content = message.get("role"), message.get("content")
        if not isinstance(role, str):
            role = "user"
        if isinstance(content, (int, float)):
            content = str(content)
        return {**message, "role": role, "content": content}


@dataclass(frozen=True)
class ToolResultsTrained(Prepared):
    """Gives tool results the flag of the call before them, since both are steps of the agent.

    Expected: ROLE-1.
    """

    name: str = "tool-results-trained"

    def mask(self, request: Request) -> Labelled:
        steps = replace(self.policy, roles=frozenset({"assistant", "tool"}))
        return ReferenceMasker(policy=steps).mask(request)


def without_flags(message: dict[str, Any]) -> dict[str, Any]:
    """A message that does not say whether it is to be trained."""
    return {key: value for key, value in message.items() if key not in ("train", "weight", "spans")}


MUTANTS = (
    Mutant(
        name="flags-lost-on-tool-calls",
        rows=(34,),
        summary="A message with tool calls is written anew without its flag.",
        expected=("SELECT-1",),
        allowed=("STOP-3", "SELECT-3"),
        masker=FlagsLostOnToolCalls,
        control=Prepared,
        pairs=("qwen3+bytelevel-qwen", "glm+bytelevel-gpt2", "mistral-v3+sentencepiece-bpe"),
    ),
    Mutant(
        name="annotates-in-place",
        rows=(62,),
        summary="The caller's messages are given weights.",
        expected=("RENDER-4",),
        masker=AnnotatesInPlace,
        control=Prepared,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="content-stripped",
        rows=(45,),
        summary="Every content is stripped before it is rendered.",
        expected=("RENDER-1", "RENDER-3"),
        masker=ContentStripped,
        control=Prepared,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="default-system-prompt-added",
        summary="A system prompt is put in front of conversations that have none.",
        expected=("RENDER-1",),
        allowed=("RENDER-3",),
        masker=DefaultSystemPromptAdded,
        control=Prepared,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="first-part-of-the-content",
        summary="Of content in parts only the first one is kept.",
        expected=("RENDER-1",),
        allowed=("RENDER-3",),
        masker=FirstPartOfTheContent,
        control=Prepared,
        pairs=("glm+bytelevel-gpt2",),
    ),
    Mutant(
        name="reasoning-written-into-the-content",
        summary="Reasoning is moved into the content of every turn.",
        expected=("RENDER-1",),
        allowed=("RENDER-3",),
        masker=ReasoningWrittenIntoTheContent,
        control=Prepared,
        pairs=("harmony+bytelevel-gpt2", "deepseek+tiktoken"),
    ),
    Mutant(
        name="empty-answers-skipped",
        summary="Answers without visible text are not trained.",
        expected=("SPAN-1", "STOP-1"),
        allowed=("SPAN-5", "TOTAL-3"),
        masker=EmptyAnswersSkipped,
        control=Prepared,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="invalid-messages-patched",
        summary="Whatever is no message is made one.",
        expected=("TOTAL-2",),
        masker=InvalidMessagesPatched,
        control=Prepared,
        pairs=("chatml+bytelevel-gpt2",),
    ),
    Mutant(
        name="tool-results-trained",
        summary="Tool results are trained as steps of the agent.",
        expected=("ROLE-1",),
        allowed=("ROLE-2", "STOP-3"),
        masker=ToolResultsTrained,
        control=Prepared,
        pairs=("qwen3+bytelevel-qwen",),
    ),
)
