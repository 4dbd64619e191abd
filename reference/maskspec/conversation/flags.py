"""Training flags: which messages, and which characters of a message, a data set asks to train.

They steer the loss and are no part of the conversation, so no template ever sees
them. Frameworks spell them differently; this module knows the spellings:

- `train`, and also `training`: the names given to axolotl's `message_field_training`;
  `trainable` (tinker-cookbook); `loss` (ms-swift, a boolean).
- `weight`: OpenAI's fine-tuning format (0 or 1), here any finite number from 0 on;
  also `loss_weight` (LLaMA-Factory v1) and `loss_scale` (ms-swift).
- `spans`: ours, half-open. Also axolotl's `train_detail` / `training_detail`, whose
  `begin_offset` and `end_offset` both belong to the span.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskspec.conversation.values import described, shown
from maskspec.errors import ConversationError
from maskspec.suggestions import suggestion

__all__ = [
    "FLAG_NAMES",
    "SPAN_NAMES",
    "TRAIN_NAMES",
    "WEIGHT_NAMES",
    "TextSpan",
    "checked_spans",
    "checked_train",
    "checked_weight",
    "read_flags",
]

TRAIN_NAMES = ("train", "training", "trainable", "loss")
WEIGHT_NAMES = ("weight", "loss_weight", "loss_scale")
SPAN_NAMES = ("spans", "train_detail", "training_detail")
FLAG_NAMES = frozenset((*TRAIN_NAMES, *WEIGHT_NAMES, *SPAN_NAMES))

_SPAN_KEYS = ("start", "end", "begin_offset", "end_offset", "train", "weight")


@dataclass(frozen=True, slots=True)
class TextSpan:
    """The characters `start` to `end` (half-open, counted in code points) of a message's text content.

    A message with spans trains inside those with `train` true, and nowhere else in its content.
    `weight` scales the loss of a trained span; None leaves it at the message's own weight.
    """

    start: int
    end: int
    train: bool = True
    weight: float | None = None

    def __post_init__(self) -> None:
        for name, value in (("start", self.start), ("end", self.end)):
            if isinstance(value, bool) or not isinstance(value, int):
                raise ConversationError(f"{name} is {described(value)}; give a character offset", field="spans")
        if not 0 <= self.start < self.end:
            raise ConversationError(
                f"the span [{self.start}, {self.end}) is empty or begins before the text; "
                "start is at least 0 and end lies beyond it",
                field="spans",
            )
        if not isinstance(self.train, bool):
            raise ConversationError(f"train is {described(self.train)}; give true or false", field="spans")
        weight = checked_weight(self.weight, "spans")
        object.__setattr__(self, "weight", weight)
        if weight is not None and self.train != (weight > 0):
            raise ConversationError(
                f"the span [{self.start}, {self.end}) has train {self.train} and weight {weight:g}; drop one of them",
                field="spans",
            )

    @classmethod
    def from_dict(cls, span: Mapping[str, Any] | TextSpan) -> TextSpan:
        """Read `{"start", "end"}` (half-open) or axolotl's `{"begin_offset", "end_offset"}` (both inside the span).

        `train` and `weight` are optional; a weight of 0 alone means train false.
        Raises ConversationError for anything else.
        """
        if isinstance(span, TextSpan):
            return span
        if not isinstance(span, Mapping):
            raise ConversationError(f"a span is {described(span)}; give an object with start and end", field="spans")
        given = {key: value for key, value in span.items() if value is not None}
        for key in given:
            if key not in _SPAN_KEYS:
                known = ", ".join(_SPAN_KEYS)
                hint = suggestion(str(key), _SPAN_KEYS)
                raise ConversationError(
                    f"a span has the unknown key {shown(key)}{hint or ';'} known keys: {known}", field="spans"
                )
        offsets = {"start", "end", "begin_offset", "end_offset"} & given.keys()
        weight = given.get("weight")
        train = given.get("train", checked_weight(weight, "spans") != 0)
        if offsets == {"start", "end"}:
            return cls(given["start"], given["end"], train, weight)
        if offsets == {"begin_offset", "end_offset"}:
            last = given["end_offset"]
            end = last + 1 if isinstance(last, int) and not isinstance(last, bool) else last
            return cls(given["begin_offset"], end, train, weight)
        raise ConversationError(
            f"a span has the offsets {sorted(offsets)}; give start and end (half-open), "
            "or begin_offset and end_offset (both characters included)",
            field="spans",
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the span as plain data; `train` and `weight` only where they say more than the default."""
        plain: dict[str, Any] = {"start": self.start, "end": self.end}
        if not self.train:
            plain["train"] = False
        if self.weight is not None:
            plain["weight"] = self.weight
        return plain


def read_flags(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return the constructor arguments `train`, `weight` and `spans` that a raw message asks for.

    Raises ConversationError when two spellings of one flag disagree, or a list of spans is empty.
    """
    flags: dict[str, Any] = {}
    if FLAG_NAMES.isdisjoint(message):
        return flags
    for flag, names in (("train", TRAIN_NAMES), ("weight", WEIGHT_NAMES), ("spans", SPAN_NAMES)):
        given = [name for name in names if message.get(name) is not None]
        if not given:
            continue
        first = given[0]
        value = message[first]
        if flag == "train":
            checked_train(value, first)
        elif flag == "weight":
            checked_weight(value, first)
        else:
            value = _read_spans(value, first)
        for other in given[1:]:
            again = _read_spans(message[other], other) if flag == "spans" else message[other]
            if again != value:
                raise ConversationError(f"disagrees with field {first!r}, its other spelling; keep one", field=other)
        flags[flag] = value
    return flags


def _read_spans(value: object, name: str) -> tuple[TextSpan, ...]:
    if not isinstance(value, list | tuple):
        raise ConversationError(f"is {described(value)}; give a list of spans", field=name)
    if not value:
        raise ConversationError(
            "is an empty list; leave it out to train the whole message, or set train to false to train none of it",
            field=name,
        )
    return tuple(TextSpan.from_dict(span) for span in value)


def checked_train(value: object, name: str) -> bool | None:
    """Return the flag, or raise ConversationError when it is not true, false or None."""
    if value is None or isinstance(value, bool):
        return value
    raise ConversationError(f"is {shown(value)}; give true or false (a number belongs in field 'weight')", field=name)


def checked_weight(value: object, name: str) -> float | None:
    """Return the weight as a float, or raise ConversationError when it is not None or a finite number from 0 on."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ConversationError(
            f"has the weight {shown(value)}, {described(value)}; give a number (true and false belong in 'train')",
            field=name,
        )
    try:
        weight = float(value)
    except OverflowError:
        weight = math.inf
    if not math.isfinite(weight) or weight < 0:
        raise ConversationError(f"has the weight {weight:g}; give a finite number from 0 on", field=name)
    return weight


def checked_spans(spans: Sequence[TextSpan], content: object) -> tuple[TextSpan, ...]:
    """Return the spans as a tuple, or raise ConversationError when they do not fit the content or each other."""
    if not spans:
        return ()
    if not isinstance(content, str):
        raise ConversationError(
            f"spans count the characters of a text content, and this content is {described(content)}; "
            "give the content as one string",
            field="spans",
        )
    last: TextSpan | None = None
    for span in sorted(spans, key=lambda span: span.start):
        if span.end > len(content):
            raise ConversationError(
                f"the span [{span.start}, {span.end}) reaches beyond the text of {len(content)} characters; "
                "offsets count characters, not bytes, and axolotl's end_offset is the last character itself",
                field="spans",
            )
        if last is not None and span.start < last.end:
            raise ConversationError(
                f"the spans [{last.start}, {last.end}) and [{span.start}, {span.end}) overlap; join or separate them",
                field="spans",
            )
        last = span
    return tuple(spans)
