"""What broken and right maskers share: rendering, encoding, finding turns, cutting, padding and packing.

Everything here is right, and works as training frameworks do, with transformers and
with nothing of the reference: a mutant must not inherit its correctness from the
masker that it is compared with. The defects stand in the mutants' own modules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from maskspec import Labelled, Policy, Request, Unsupported
from maskspec.conformance import Collated, Packed, Padding
from maskspec.policy import Stops, Turns

__all__ = [
    "IGNORE",
    "PLAIN",
    "Encoded",
    "Span",
    "TurnMasker",
    "check_messages",
    "cut",
    "encode",
    "generation_spans",
    "label_spans",
    "occurrences",
    "pack_whole",
    "pad",
    "refuse_markers",
    "render",
    "selected",
    "stop_ids",
    "token_id",
    "turn_spans",
]

IGNORE = -100
"""The label of a token that carries no loss."""

PLAIN = Policy(flags=False)
"""What most maskers follow: every answer of the assistant, stop included, and no flags of messages."""

Span = tuple[int, int]
"""Characters, or tokens, from the first to behind the last."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """Token ids of a text and the characters of each; no offsets where the tokenizer is a slow one."""

    ids: list[int]
    offsets: list[Span] | None


def check_messages(messages: Sequence[Any], *, keys: Iterable[str] = ("role", "content")) -> None:
    """Refuse what is no message, and what a masker of plain text cannot take.

    Raises ValueError for invalid data, naming the message, and Unsupported for valid
    data beyond roles and text (`keys` are the parts of a message that the masker knows).
    """
    for index, message in enumerate(messages):
        if not isinstance(message, Mapping) or not isinstance(message.get("role"), str):
            raise ValueError(f"message {index} has no role: {message!r}")
        content = message.get("content")
        if not isinstance(content, (str, list, type(None))):
            raise ValueError(f"message {index} has {content!r} as its content")
        if not isinstance(content, str) and not (content is None and "tool_calls" in keys):
            raise Unsupported("content that is no text")
        strange = sorted(key for key, value in message.items() if value and key not in {*keys, "tool_call_id", "name"})
        if strange:
            raise Unsupported(f"messages with {', '.join(strange)}")


def refuse_markers(request: Request, markers: Iterable[str]) -> None:
    """Decline conversations whose texts hold a marker: a masker that searches for markers cannot tell them apart."""
    searched = [marker.strip() for marker in markers if marker.strip()]
    if any(marker in text for text in _texts(request.messages) for marker in searched):
        raise Unsupported("texts that hold the markers which are searched for")


def _texts(value: Any) -> Iterable[str]:
    """All texts inside plain data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, Sequence):
        for item in value:
            yield from _texts(item)


def render(
    request: Request,
    messages: Sequence[Mapping[str, Any]] | None = None,
    *,
    template: str | None = None,
    add_generation_prompt: bool = False,
) -> str:
    """The text of the request's messages, or of others, by transformers' own renderer."""
    return _rendered(request, messages, template, add_generation_prompt=add_generation_prompt)[0]


def generation_spans(request: Request) -> tuple[str, list[Span]]:
    """The text and the characters inside the template's generation tags, by transformers' own renderer."""
    return _rendered(request, None, None, marking=True)


def _rendered(
    request: Request,
    messages: Sequence[Mapping[str, Any]] | None,
    template: str | None,
    *,
    add_generation_prompt: bool = False,
    marking: bool = False,
) -> tuple[str, list[Span]]:
    from transformers.utils.chat_template_utils import render_jinja_template

    texts, spans = render_jinja_template(
        # As `apply_chat_template` does: fields without a value are not there.
        conversations=[
            [
                {key: value for key, value in message.items() if value is not None}
                for message in (request.messages if messages is None else messages)
            ]
        ],
        tools=request.tools,
        chat_template=request.template if template is None else template,
        return_assistant_tokens_mask=marking,
        add_generation_prompt=add_generation_prompt,
        **{**request.special_tokens, **request.template_kwargs},
    )
    return texts[0], [tuple(span) for span in spans[0]] if marking else []


def encode(request: Request, text: str, *, add_special_tokens: bool = False) -> Encoded:
    """Ids of a text and, from a fast tokenizer, their characters."""
    fast = bool(getattr(request.tokenizer, "is_fast", False))
    result = request.tokenizer(
        text, add_special_tokens=add_special_tokens, return_offsets_mapping=fast, return_attention_mask=False
    )
    offsets = [tuple(pair) for pair in result["offset_mapping"]] if fast else None
    return Encoded(list(result["input_ids"]), offsets)


def token_id(request: Request, token: str) -> int:
    """The id of a string that is one token."""
    identifier: int = request.tokenizer.convert_tokens_to_ids(token)
    return identifier


def stop_ids(request: Request) -> frozenset[int]:
    """The ids of the tokens that the pair declares to end a turn."""
    return frozenset(token_id(request, stop) for stop in request.stops)


def label_spans(encoded: Encoded, spans: Iterable[Span]) -> list[int]:
    """Labels that train the tokens which lie wholly within one of the spans of characters."""
    if encoded.offsets is None:
        raise Unsupported("a slow tokenizer, which has no offsets")
    labels = [IGNORE] * len(encoded.ids)
    for start, end in spans:
        for index, (first, behind) in enumerate(encoded.offsets):
            if start <= first < behind <= end:
                labels[index] = encoded.ids[index]
    return labels


def occurrences(wanted: Sequence[int], ids: Sequence[int], *, start: int = 0) -> list[int]:
    """Where a sequence of ids occurs in another, from `start` on."""
    width = len(wanted)
    if not width:
        return []
    return [at for at in range(start, len(ids) - width + 1) if list(ids[at : at + width]) == list(wanted)]


def selected(messages: Sequence[Mapping[str, Any]], policy: Policy) -> list[int]:
    """The messages that a policy without flags selects, in order."""
    chosen = [index for index, message in enumerate(messages) if message["role"] in policy.roles]
    if policy.turns is Turns.LAST:
        return chosen[-1:]
    if policy.turns is Turns.LAST_ROUND:
        last = max((index for index, message in enumerate(messages) if message["role"] == "user"), default=-1)
        return [index for index in chosen if index > last]
    return chosen


def turn_spans(request: Request, text: str, wanted: Iterable[int]) -> dict[int, Span]:
    """The characters of messages, by the renders before and after each; what follows the stop is part of it.

    Raises Unsupported where the template rewrites what came before.
    """
    found: dict[int, Span] = {}
    for index in wanted:
        before, after = request.messages[:index], request.messages[: index + 1]
        if not before:
            raise Unsupported("a first message to train, before which nothing is rendered")
        asks = request.messages[index]["role"] == "assistant"
        prompt = render(request, before, add_generation_prompt=asks)
        whole = render(request, after)
        start, end = _common(prompt, text), _common(whole, text)
        # What closes the whole conversation stands behind its last turn only.
        closing = str(request.special_tokens.get("eos_token", ""))
        if start < len(prompt) or end < start or not closing.endswith(whole[end:]):
            raise Unsupported("a template that rewrites earlier turns")
        found[index] = (start, end)
    return found


def _common(left: str, right: str) -> int:
    for index, (one, other) in enumerate(zip(left, right, strict=False)):
        if one != other:
            return index
    return min(len(left), len(right))


def cut(sample: Labelled, request: Request) -> Labelled:
    """A sample under the request's limit: ids and labels lose the same entries on the same side."""
    if request.max_length is None or len(sample.input_ids) <= request.max_length:
        return sample
    if request.truncation_side == "left":
        first = len(sample.input_ids) - request.max_length
        return Labelled(sample.input_ids[first:], sample.labels[first:])
    return Labelled(sample.input_ids[: request.max_length], sample.labels[: request.max_length])


def pad(samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
    """Rows of one length; padding is told from tokens by its place."""
    width = max((len(sample.input_ids) for sample in samples), default=0)
    rows = []
    for sample in samples:
        missing = width - len(sample.input_ids)
        ids, labels, attended = list(sample.input_ids), list(sample.labels), [1] * len(sample.input_ids)
        if padding.side == "left":
            ids, labels = [padding.token_id] * missing + ids, [IGNORE] * missing + labels
            attended = [0] * missing + attended
        else:
            ids, labels = ids + [padding.token_id] * missing, labels + [IGNORE] * missing
            attended = attended + [0] * missing
        rows.append(Collated(ids, labels, attended))
    return rows


def pack_whole(samples: Sequence[Labelled], max_length: int) -> list[Packed]:
    """Rows of whole samples in order; the first token of each loses its label, and positions start again."""
    rows: list[list[Labelled]] = []
    room = 0
    for sample in samples:
        if not rows or len(sample.input_ids) > room:
            rows.append([])
            room = max_length
        rows[-1].append(sample)
        room -= len(sample.input_ids)
    return [
        Packed(
            [token for sample in row for token in sample.input_ids],
            [label for sample in row for label in [IGNORE, *sample.labels[1:]][: len(sample.labels)]],
            position_ids=[position for sample in row for position in range(len(sample.input_ids))],
        )
        for row in rows
    ]


@dataclass(frozen=True)
class TurnMasker:
    """The right masker that most defects are put into: whole turns by characters, everything else ignored.

    It renders once, encodes once, and finds each turn by the renders before and after it.
    It cuts, pads and packs. A subclass overrides the one step that it gets wrong.
    """

    name: str = "turns"
    policy: Policy = PLAIN
    truncation: tuple[str, ...] = field(default=("right", "left"))

    def mask(self, request: Request) -> Labelled:
        """Check, render, encode, find the turns, label them, cut."""
        check_messages(request.messages)
        text = render(request)
        encoded = encode(request, text)
        return cut(Labelled(encoded.ids, self.labels(request, text, encoded)), request)

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        """The labels of the whole text."""
        return label_spans(encoded, self.spans(request, text))

    def spans(self, request: Request, text: str) -> list[Span]:
        """The characters to train."""
        if self.policy.stop is not Stops.TURN:
            raise Unsupported("another choice of stops than that of every turn")
        return list(turn_spans(request, text, selected(request.messages, self.policy)).values())

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        """One after the other."""
        return [self.mask(request) for request in requests]

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        """Pad to the longest."""
        return pad(samples, padding)

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        """Whole samples, one after the other."""
        return pack_whole(samples, max_length)
