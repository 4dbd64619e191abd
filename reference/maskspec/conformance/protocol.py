"""What the suite asks of a masker, and what it gets back: the whole surface that an adapter touches.

Nothing is inherited. An adapter is any object with `name`, `policy` and `mask`.
Further abilities are further methods, found by presence:

- `with_policy(policy)` returns a masker that follows another policy, or raises
  `Unsupported`; without it the rules about other policies are excluded.
- `collate(samples, pad_token_id)` pads a list of `Labelled` with the masker's own
  collator and returns a list of `Labelled` of one length.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from maskspec.errors import MaskspecError
from maskspec.policy import Policy

__all__ = ["AdapterError", "Labelled", "Masker", "Request", "Unsupported"]


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
    that the pair declares to end a turn. `max_length` is None, which means no
    truncation. `pair` names template and tokenizer, for messages.
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
    pair: str = ""


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
        flags = _integers("mask", (int(item) for item in _plain(mask)))
        if len(ids) != len(flags):
            raise AdapterError(f"input_ids has {len(ids)} entries and the mask {len(flags)}; they must have as many")
        if not set(flags) <= {0, 1}:
            raise AdapterError(f"a mask holds only 0 and 1, not {sorted(set(flags) - {0, 1})[0]}")
        return cls(ids, [identifier if flag else -100 for identifier, flag in zip(ids, flags, strict=True)])


def _plain(values: Any) -> Any:
    return values.tolist() if hasattr(values, "tolist") else values


def _integers(name: str, values: Any) -> tuple[int, ...]:
    values = _plain(values)
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise AdapterError(f"{name} must be a sequence of int, not {type(values).__name__}")
    items = tuple(_plain(item) for item in values)
    for index, item in enumerate(items):
        if isinstance(item, (list, tuple)):
            raise AdapterError(f"{name} is nested; return one flat sequence (for a batch of one: {name}[0])")
        if isinstance(item, bool) or not isinstance(item, int):
            raise AdapterError(f"{name}[{index}] must be an int, not {item!r}")
    return items


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
