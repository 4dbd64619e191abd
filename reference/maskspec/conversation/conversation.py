"""A whole conversation: the messages in order, and the tools that the model was offered."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any, overload

from maskspec.conversation.message import Message
from maskspec.conversation.sharegpt import SHAREGPT_ROLES, is_sharegpt_turn, read_turn
from maskspec.conversation.tools import read_tools
from maskspec.conversation.values import FrozenMapping, described, identity, listed, thaw
from maskspec.errors import ConversationError

__all__ = ["Conversation"]


@dataclass(frozen=True, slots=True, eq=False)
class Conversation:
    """Messages in order, at least one, and the tool schemas that go with them (None when there are none).

    Two conversations are equal when every template prints them alike and their training flags are the same.
    """

    messages: tuple[Message, ...]
    _: KW_ONLY
    tools: tuple[FrozenMapping, ...] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", _read_messages(self.messages, Message.from_dict))
        object.__setattr__(self, "tools", read_tools(self.tools))

    @classmethod
    def from_messages(
        cls, messages: Sequence[Mapping[str, Any] | Message], *, tools: Sequence[Mapping[str, Any]] | str | None = None
    ) -> Conversation:
        """Read a list of messages in the OpenAI shape; `tools` is a list of schemas or its JSON text.

        Nothing of the caller's data is kept or changed. Raises ConversationError naming the message and the field.
        """
        return cls(messages, tools=tools)  # type: ignore[arg-type]  # both are read and checked by __post_init__

    @classmethod
    def from_sharegpt(
        cls, record: Mapping[str, Any] | Sequence[Mapping[str, Any]], *, roles: Mapping[str, str] = SHAREGPT_ROLES
    ) -> Conversation:
        """Read a ShareGPT record (`{"conversations": [...], "system": ..., "tools": ...}`) or its list of turns.

        `roles` maps the data set's role names to the template's. A `system` text becomes the first message
        unless the turns begin with the same one. Errors count messages as the record does.
        """
        if isinstance(record, Mapping):
            turns = next((record[key] for key in ("conversations", "messages") if record.get(key) is not None), None)
            if turns is None:
                raise ConversationError(f"is missing (keys seen: {listed(record)})", field="conversations")
        else:
            turns, record = record, {}
        messages = _read_messages(turns, lambda turn: Message.from_dict(read_turn(turn, roles)))
        return cls(_with_system(messages, record.get("system")), tools=read_tools(record.get("tools")))

    @classmethod
    def coerce(cls, value: object, *, roles: Mapping[str, str] = SHAREGPT_ROLES) -> Conversation:
        """Read whatever holds a conversation.

        That is a Conversation, a list of messages, `{"messages": ...}` or `{"conversations": ...}`, each with
        optional `tools` and `system`; other keys of a record are the data set's own and are ignored. Turns with
        `from` are read as ShareGPT wherever they stand. Raises ConversationError saying what was found instead.
        """
        if isinstance(value, Conversation):
            return value
        if isinstance(value, list | tuple):
            value = {"conversations" if value and is_sharegpt_turn(value[0]) else "messages": value}
        if not isinstance(value, Mapping):
            raise ConversationError(
                f"is {described(value)}; give a list of messages, or an object with 'messages' or 'conversations'"
            )
        messages, conversations = value.get("messages"), value.get("conversations")
        if messages is not None and conversations is not None:
            raise ConversationError("stands beside field 'messages'; keep one of them", field="conversations")
        if messages is None and conversations is None:
            hint = "; put this one message in a list" if {"role", "from"} & set(value) else ""
            raise ConversationError(f"has neither 'messages' nor 'conversations' (keys seen: {listed(value)}){hint}")
        if messages is None or (isinstance(messages, list | tuple) and messages and is_sharegpt_turn(messages[0])):
            return cls.from_sharegpt(value, roles=roles)
        conversation = cls.from_messages(messages, tools=value.get("tools"))
        messages = _with_system(conversation.messages, value.get("system"))
        return conversation if messages is conversation.messages else conversation.replace(messages=messages)

    @property
    def roles(self) -> tuple[str, ...]:
        """The role of every message, in order."""
        return tuple(message.role for message in self.messages)

    def to_template_messages(self) -> list[dict[str, Any]]:
        """Return the messages as a template sees them: plain data, fresh on every call.

        As in transformers 5's `apply_chat_template`, keys whose value is None are dropped from the top of a
        message (not from inside its values). Training flags are gone; reasoning keeps the name it came under.
        """
        return [message.to_template_dict() for message in self.messages]

    def to_template_tools(self) -> list[dict[str, Any]] | None:
        """Return the tool schemas as plain data, fresh on every call."""
        plain: list[dict[str, Any]] | None = thaw(self.tools)
        return plain

    def to_dicts(self) -> list[dict[str, Any]]:
        """Return the messages as plain data, flags included; `from_messages` reads them back to equal messages."""
        return [message.to_dict() for message in self.messages]

    def to_record(self) -> dict[str, Any]:
        """Return one JSON record that `coerce` reads back: `{"messages": ...}`, with `tools` where there are any."""
        record: dict[str, Any] = {"messages": self.to_dicts()}
        if self.tools is not None:
            record["tools"] = self.to_template_tools()
        return record

    def replace(self, **changes: Any) -> Conversation:
        """Return a copy with other `messages` or `tools`."""
        return Conversation(**{"messages": self.messages, "tools": self.tools, **changes})

    def replace_message(self, index: int, message: Message | Mapping[str, Any]) -> Conversation:
        """Return a copy in which message `index` is another one."""
        messages: list[Message | Mapping[str, Any]] = list(self.messages)
        messages[index] = message
        return self.replace(messages=tuple(messages))

    def extended(self, messages: Sequence[Message | Mapping[str, Any]]) -> Conversation:
        """Return a copy with further messages at the end."""
        return self.replace(messages=(*self.messages, *messages))

    def __len__(self) -> int:
        return len(self.messages)

    def __iter__(self) -> Iterator[Message]:
        return iter(self.messages)

    @overload
    def __getitem__(self, index: int) -> Message: ...

    @overload
    def __getitem__(self, index: slice) -> tuple[Message, ...]: ...

    def __getitem__(self, index: int | slice) -> Message | tuple[Message, ...]:
        return self.messages[index]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Conversation):
            return NotImplemented
        return self is other or identity(self.to_record()) == identity(other.to_record())

    def __hash__(self) -> int:
        return hash(identity(self.to_record()))


def _read_messages(messages: object, read: Callable[[Any], Message]) -> tuple[Message, ...]:
    if not isinstance(messages, list | tuple):
        raise ConversationError(f"the messages are {described(messages)}; give a list of messages")
    if not messages:
        raise ConversationError("the list of messages is empty; give at least one message")
    result = []
    for index, message in enumerate(messages):
        try:
            result.append(read(message))
        except ConversationError as error:
            raise ConversationError(error.problem, message=index, field=error.field) from None
    return tuple(result)


def _with_system(messages: tuple[Message, ...], system: object) -> tuple[Message, ...]:
    # LLaMA-Factory's files write an empty text where there is no system prompt.
    if system is None or system == "":
        return messages
    if not isinstance(system, str):
        raise ConversationError(f"is {described(system)}; give text", field="system")
    if messages[0].role != "system":
        return (Message.from_dict({"role": "system", "content": system}), *messages)
    if messages[0].content != system:
        raise ConversationError("differs from the first message, a system message too; keep one", field="system")
    return messages
