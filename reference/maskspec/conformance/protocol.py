"""What the suite asks of a masker, and what it gets back: the whole surface that an adapter touches.

Nothing is inherited. An adapter is any object with `name`, `policy` and `mask`.
Everything else is found by presence; what is absent excludes the rules that need it,
with that reason:

- `with_policy(policy)` returns a masker that follows another policy.
- `truncation`, a collection of `"right"` and `"left"`: `mask` then honours
  `request.max_length` and `request.truncation_side`.
- `mask_batch(requests)` masks several conversations in one call.
- `collate(samples, padding)` pads samples with the masker's own collator.
- `pack(samples, max_length)` joins samples with the masker's own packing.
- `documented_errors`, a tuple of exception types that the masker's documentation
  promises for invalid conversations.

Any of the methods may raise `Unsupported`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from maskspec.errors import MaskspecError
from maskspec.policy import Policy

__all__ = [
    "TRUNCATION_SIDES",
    "AdapterError",
    "Collated",
    "Labelled",
    "Masker",
    "Packed",
    "Padding",
    "Request",
    "Unsupported",
]

TRUNCATION_SIDES = ("right", "left")
"""The sides on which a sequence is cut or padded."""


class Unsupported(Exception):
    """Raised by an adapter that cannot do what a request asks; the rule is then excluded and the reason counted."""


class AdapterError(MaskspecError):
    """An adapter returned something that is no answer; this says nothing about the masker behind it."""


@dataclass(frozen=True, slots=True)
class Request:
    """One conversation to mask, in plain data, as a masker meets it in training.

    `messages` are fresh dicts in the OpenAI shape; `train`, `weight` and `spans`
    are among their keys only where the policy honours them. `template` is Jinja
    source. `tokenizer` is the library's own object, not a wrapper. `special_tokens`
    are the variables that the template sees (`bos_token`, …), and `stops` the tokens
    that the pair declares to end a turn. `max_length` is the largest number of tokens
    to return and `truncation_side` where to cut; None means no truncation, and only
    maskers that declare `truncation` are ever asked for more. `pair` names template and
    tokenizer, for messages.
    """

    messages: list[dict[str, Any]]
    template: str
    tokenizer: Any
    policy: Policy
    tools: list[dict[str, Any]] | None = None
    template_kwargs: Mapping[str, Any] = field(default_factory=dict)
    special_tokens: Mapping[str, Any] = field(default_factory=dict)
    stops: tuple[str, ...] = ()
    max_length: int | None = None
    truncation_side: str = "right"
    pair: str = ""


@dataclass(frozen=True, slots=True)
class Padding:
    """What to pad with: the id of the padding token, and the side, `"right"` or `"left"`."""

    token_id: int
    side: str = "right"


@dataclass(frozen=True, slots=True, init=False)
class Labelled:
    """The answer of a masker: token ids and labels, each a flat sequence of int.

    Lists, tuples and anything with `tolist()` (numpy, torch) are accepted. Different
    lengths are accepted too: LABEL-1 is the rule that judges them.

    Raises:
        AdapterError: a sequence is nested, or holds something that is no int.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]

    def __init__(self, input_ids: Iterable[int], labels: Iterable[int]) -> None:
        object.__setattr__(self, "input_ids", _integers("input_ids", input_ids))
        object.__setattr__(self, "labels", _integers("labels", labels))

    @classmethod
    def from_mask(cls, input_ids: Iterable[int], mask: Iterable[int | bool]) -> Labelled:
        """The answer for a masker that returns a mask of 0 and 1 beside its ids."""
        ids = _integers("input_ids", input_ids)
        flags = _integers("mask", [int(item) if isinstance(item, bool) else item for item in _items("mask", mask)])
        if len(ids) != len(flags):
            raise AdapterError(f"input_ids has {len(ids)} entries and the mask {len(flags)}; they must have as many")
        if not set(flags) <= {0, 1}:
            raise AdapterError(f"a mask holds only 0 and 1, not {sorted(set(flags) - {0, 1})[0]}")
        return cls(ids, [identifier if flag else -100 for identifier, flag in zip(ids, flags, strict=True)])


@dataclass(frozen=True, slots=True, init=False)
class Collated:
    """One padded row: ids, labels, and for each position whether it is attended to (1) or not (0).

    `attention_mask` is None where the collator returns none.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    attention_mask: tuple[int, ...] | None

    def __init__(
        self, input_ids: Iterable[int], labels: Iterable[int], attention_mask: Iterable[int | bool] | None = None
    ) -> None:
        object.__setattr__(self, "input_ids", _integers("input_ids", input_ids))
        object.__setattr__(self, "labels", _integers("labels", labels))
        object.__setattr__(self, "attention_mask", _flags("attention_mask", attention_mask))


@dataclass(frozen=True, slots=True, init=False)
class Packed:
    """One row of packed samples, with whatever the packer says about where a sample begins.

    `position_ids` start again at 0 with every sample; `sequence_ids` are one number per
    sample (document ids, or an attention mask that counts the samples). At least one is
    needed to keep attention inside a sample; None where the packer gives none.
    """

    input_ids: tuple[int, ...]
    labels: tuple[int, ...]
    position_ids: tuple[int, ...] | None
    sequence_ids: tuple[int, ...] | None

    def __init__(
        self,
        input_ids: Iterable[int],
        labels: Iterable[int],
        *,
        position_ids: Iterable[int] | None = None,
        sequence_ids: Iterable[int] | None = None,
    ) -> None:
        object.__setattr__(self, "input_ids", _integers("input_ids", input_ids))
        object.__setattr__(self, "labels", _integers("labels", labels))
        positions = None if position_ids is None else _integers("position_ids", position_ids)
        sequences = None if sequence_ids is None else _integers("sequence_ids", sequence_ids)
        object.__setattr__(self, "position_ids", positions)
        object.__setattr__(self, "sequence_ids", sequences)


def _plain(values: Any) -> Any:
    return values.tolist() if hasattr(values, "tolist") else values


def _items(name: str, values: Any) -> tuple[Any, ...]:
    values = _plain(values)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise AdapterError(f"{name} must be a sequence of int, not {type(values).__name__}")
    items = tuple(values)
    return items if _are_integers(items) else tuple(map(_plain, items))


def _are_integers(items: tuple[Any, ...]) -> bool:
    """Whether nothing else is among them, found without looking at each in Python: this is asked for every answer."""
    return set(map(type, items)) <= {int}


def _integers(name: str, values: Any) -> tuple[int, ...]:
    items = _items(name, values)
    if _are_integers(items):
        return items
    for index, item in enumerate(items):
        if isinstance(item, (list, tuple)):
            raise AdapterError(f"{name} is nested; return one flat sequence (for a batch of one: {name}[0])")
        if isinstance(item, float) and not math.isfinite(item):
            raise AdapterError(f"{name}[{index}] is {item}; ids and labels are whole numbers")
        if isinstance(item, bool) or not isinstance(item, int):
            raise AdapterError(f"{name}[{index}] must be an int, not {item!r}")
    return items


def _flags(name: str, values: Iterable[int | bool] | None) -> tuple[int, ...] | None:
    if values is None:
        return None
    return _integers(name, [int(item) if isinstance(item, bool) else item for item in _items(name, values)])


@runtime_checkable
class Masker(Protocol):
    """Anything that turns a conversation into ids and labels, and says which policy it follows."""

    @property
    def name(self) -> str:
        """A short name for reports."""

    @property
    def policy(self) -> Policy:
        """The policy that the masker declares to follow; it is judged by this one and never by a guess."""

    def mask(self, request: Request) -> Labelled:
        """Mask one conversation; raise `Unsupported` where that cannot be done."""
