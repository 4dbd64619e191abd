"""One message: what the template sees of it, and what training is asked to do with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from maskspec.conversation.flags import FLAG_NAMES, TextSpan, checked_spans, checked_train, checked_weight, read_flags
from maskspec.conversation.tools import check_function_call, check_tool_calls
from maskspec.conversation.values import (
    FrozenMapping,
    checked_text,
    described,
    freeze,
    identity,
    listed,
    thaw,
)
from maskspec.errors import ConversationError
from maskspec.suggestions import suggestion

__all__ = ["KNOWN_ROLES", "REASONING_NAMES", "Message"]

KNOWN_ROLES = frozenset({"system", "developer", "user", "assistant", "tool", "function"})
"""The roles of the OpenAI shape. Any other non-empty role is legal too: templates decide what they accept."""

REASONING_NAMES = ("reasoning_content", "thinking", "reasoning")
"""The names under which a message carries its reasoning, in the order in which transformers 5 looks for them."""

_NO_DATA = FrozenMapping()

_OWN_ARGUMENTS = FLAG_NAMES | {"role", "content"}

# A message that holds one of these has something to say without a content key.
_SPEAKS_WITHOUT_CONTENT = frozenset(
    {"tool_calls", "function_call", "function_calls", "tool_responses", "tool_results", "tool_plan", "refusal", "audio"}
) | frozenset(REASONING_NAMES)


@dataclass(frozen=True, slots=True, eq=False)
class Message:
    """One turn of a conversation, checked when it is made and immutable from then on.

    `role` is any non-empty text. `content` is text, a tuple of parts (objects such as
    `{"type": "text", "text": ...}`; image, audio and video parts are kept as they are) or None.
    `train`, `weight` (finite, from 0 on) and `spans` are the training flags; None and () mean that the message
    says nothing. `data` holds every other key that the template sees: tool_calls, name, reasoning, custom fields.
    `order` is the order of the keys as they were written, since some templates print whole messages.

    Two messages are equal when every template prints them alike and their flags are the same.
    Raises ConversationError, naming the field, for anything else.
    """

    role: str
    content: str | tuple[FrozenMapping, ...] | None = None
    _: KW_ONLY
    train: bool | None = None
    weight: float | None = None
    spans: tuple[TextSpan, ...] = ()
    data: Mapping[str, Any] = field(default_factory=FrozenMapping)
    order: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        role = _checked_role(self.role)
        content = _checked_content(self.content)
        data = _checked_data(self.data)
        train = checked_train(self.train, "train")
        weight = checked_weight(self.weight, "weight")
        if train is not None and weight is not None and train != (weight > 0):
            raise ConversationError(f"is {weight:g} while field 'train' is {train}; drop one of them", field="weight")
        present = ("role", *(("content",) if content is not None else ()), *data)
        order = present
        if self.order and self.order != present:
            written = tuple(key for key in dict.fromkeys(self.order) if key in present)
            order = written + tuple(key for key in present if key not in written)
        spans = checked_spans(self.spans, content)
        assign = object.__setattr__
        assign(self, "role", role)
        assign(self, "content", content)
        assign(self, "weight", weight)
        assign(self, "spans", spans)
        assign(self, "data", data)
        assign(self, "order", order)

    @classmethod
    def from_dict(cls, message: Mapping[str, Any] | Message) -> Message:
        """Read one message of the OpenAI shape.

        Keys whose value is None count as absent, as transformers 5 treats them. A missing `content` is an
        error unless the message speaks otherwise (tool calls, reasoning); an explicit None is always legal.
        """
        if isinstance(message, Message):
            return message
        if not isinstance(message, Mapping):
            raise ConversationError(f"is {described(message)}; give an object with role and content")
        if message.get("role") is None:
            raise ConversationError(_missing_role(message), field="role")
        if "content" not in message and not _SPEAKS_WITHOUT_CONTENT & message.keys():
            raise ConversationError(_missing_content(message), field="content")
        flags = read_flags(message)
        data = {key: value for key, value in message.items() if key not in _OWN_ARGUMENTS}
        return cls(message["role"], message.get("content"), data=data, order=tuple(message), **flags)

    @property
    def text(self) -> str:
        """The text of the content: the string itself, the text parts joined, or nothing."""
        if isinstance(self.content, str):
            return self.content
        return "".join(part["text"] for part in self.content or () if isinstance(part.get("text"), str))

    @property
    def reasoning(self) -> str | None:
        """The reasoning under whichever of its names the message has, or None."""
        return next((self.data[name] for name in REASONING_NAMES if name in self.data), None)

    @property
    def tool_calls(self) -> tuple[FrozenMapping, ...]:
        """The tool calls in the shape in which they were given; () when there are none."""
        calls: tuple[FrozenMapping, ...] = self.data.get("tool_calls", ())
        return calls

    @property
    def flag(self) -> bool | None:
        """What the message asks for: True (train it), False (do not), None (it says nothing).

        `train` decides, then `weight` (0 is False), then spans: True when one of them trains.
        """
        if self.train is not None:
            return self.train
        if self.weight is not None:
            return self.weight > 0
        return any(span.train for span in self.spans) if self.spans else None

    def to_template_dict(self) -> dict[str, Any]:
        """Return what a template sees: fresh plain data without None at the top and without training flags."""
        return {
            key: self.role if key == "role" else thaw(self.content if key == "content" else self.data[key])
            for key in self.order
        }

    def to_dict(self) -> dict[str, Any]:
        """Return the whole message, flags included, as plain data: `Message.from_dict(m.to_dict()) == m`."""
        plain = self.to_template_dict()
        if self.content is None:
            plain["content"] = None
        if self.train is not None:
            plain["train"] = self.train
        if self.weight is not None:
            plain["weight"] = self.weight
        if self.spans:
            plain["spans"] = [span.to_dict() for span in self.spans]
        return plain

    def replace(self, **changes: Any) -> Message:
        """Return a copy with other values for some keys of its dict: `m.replace(content="Hi")`. None removes a key."""
        return Message.from_dict({**self.to_dict(), **changes})

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Message):
            return NotImplemented
        return self is other or identity(self.to_dict()) == identity(other.to_dict())

    def __hash__(self) -> int:
        return hash(identity(self.to_dict()))


def _checked_role(role: object) -> str:
    if not isinstance(role, str):
        raise ConversationError(f"is {described(role)}; give text such as 'user' or 'assistant'", field="role")
    if not role.strip():
        raise ConversationError("is blank; give text such as 'user' or 'assistant'", field="role")
    return checked_text(role, ("role",))


def _checked_content(content: object) -> str | tuple[FrozenMapping, ...] | None:
    if content is None:
        return None
    if isinstance(content, str):
        return checked_text(content, ("content",))
    if not isinstance(content, list | tuple):
        raise ConversationError(
            f"is {described(content)}; give text, a list of parts or null (an object as JSON text)", field="content"
        )
    parts: tuple[Any, ...] = freeze(content, ("content",))
    for index, part in enumerate(parts):
        place = f"content[{index}]"
        if not isinstance(part, FrozenMapping):
            hint = ' such as {"type": "text", "text": ...}' if isinstance(part, str) else ""
            raise ConversationError(f"is {described(part)}; a part is an object{hint}", field=place)
        kind = part.get("type")
        if not isinstance(kind, str | None):
            raise ConversationError(f"is {described(kind)}; give text such as 'text' or 'image'", field=f"{place}.type")
        if kind == "text" and not isinstance(part.get("text"), str):
            given = described(part["text"]) if "text" in part else "missing"
            raise ConversationError(f"is {given}; a text part holds its text here", field=f"{place}.text")
    return parts


def _checked_data(data: Mapping[str, Any]) -> FrozenMapping:
    if not isinstance(data, Mapping):
        raise ConversationError(f"is {described(data)}; give an object", field="data")
    if not data:
        return _NO_DATA
    given: FrozenMapping = freeze(data, ())
    for name in given:
        if name in _OWN_ARGUMENTS:
            raise ConversationError("is an argument of its own and cannot stand in data", field=name)
    kept = FrozenMapping((name, value) for name, value in given.items() if value is not None)
    if "tool_calls" in kept:
        check_tool_calls(kept["tool_calls"])
    if "function_call" in kept:
        check_function_call(kept["function_call"])
    for name in ("name", "tool_call_id", *REASONING_NAMES):
        if name in kept and not isinstance(kept[name], str):
            raise ConversationError(f"is {described(kept[name])}; give text", field=name)
    names = [name for name in REASONING_NAMES if name in kept]
    for name in names[1:]:
        if kept[name] != kept[names[0]]:
            raise ConversationError(
                f"disagrees with field {names[0]!r}; both name the reasoning of this message, so keep one", field=name
            )
    return kept


def _missing_role(message: Mapping[str, Any]) -> str:
    if "from" in message:
        return "is missing; a turn with 'from' and 'value' is ShareGPT (use Conversation.from_sharegpt)"
    return f"is missing (keys seen: {listed(message)}); give text such as 'user' or 'assistant'"


def _missing_content(message: Mapping[str, Any]) -> str:
    others = [key for key in message if isinstance(key, str) and key not in ("role", "name")]
    hint = next((f"; rename {key!r}" for key in others if key in ("text", "value") or suggestion(key, ["content"])), "")
    return f"is missing (keys seen: {listed(message)}){hint}; give text, a list of parts, or null for none"
