"""What the data and its reader may choose: flags, character spans, turns, stops and roles, each obeyed nearly.

None of these is in the list of historical bugs. The right masker is the one of contexts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maskspec.policy import Stops, Turns
from tests.mutants.mutant import Mutant
from tests.mutants.selection import PAIRS, ContextMasker
from tests.mutants.toolkit import Span

__all__ = ["MUTANTS"]


@dataclass(frozen=True)
class DefaultWeightWins(ContextMasker):
    """Reads `weight` with 1.0 as its default and asks `train` only where the weight is 0.

    Nobody sees it as long as the data has weights. Expected: SELECT-1.
    """

    name: str = "default-weight-wins"

    def chosen(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        weighed = [
            {"weight": 1.0, **message, "train": None}
            if self.has_role(message) and not message.get("spans")
            else message
            for message in messages
        ]
        return super().chosen(weighed)


@dataclass(frozen=True)
class FlagsOnlySwitchOff(ContextMasker):
    """Asks the flag only of messages whose role is trained, so a question that is flagged to be trained is not.

    Expected: SELECT-1.
    """

    name: str = "flags-only-switch-off"

    def chosen(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        return [index for index in super().chosen(messages) if self.has_role(messages[index])]


@dataclass(frozen=True)
class SpansCountedInBytes(ContextMasker):
    """Takes the offsets of character spans as places in the UTF-8 bytes of the text.

    Right for ASCII, which is what the test data of its author held. Expected: SELECT-3.
    """

    name: str = "spans-counted-in-bytes"

    def spans(self, message: Mapping[str, Any]) -> Iterator[Span]:
        data = message["content"].encode()
        for first, behind in super().spans(message):
            yield tuple(len(data[:edge].decode(errors="ignore")) for edge in (first, behind))  # type: ignore[misc]


@dataclass(frozen=True)
class LastTurnIsTheLastMessage(ContextMasker):
    """Trains the last turn by looking at the last message, and nothing when that is a question.

    Expected: SELECT-2.
    """

    name: str = "last-turn-is-the-last-message"

    def turns(self, indices: list[int], messages: Sequence[Mapping[str, Any]]) -> list[int]:
        if self.policy.turns is Turns.LAST:
            return [index for index in indices if index == len(messages) - 1]
        return super().turns(indices, messages)


@dataclass(frozen=True)
class LastStopIsTheFinalToken(ContextMasker):
    """Trains the last stop by looking whether the message is the last one of the conversation.

    Expected: STOP-4.
    """

    name: str = "last-stop-is-the-final-token"

    def trains_stop(self, index: int, messages: Sequence[Mapping[str, Any]], chosen: Sequence[int]) -> bool:
        if self.policy.stop is Stops.LAST:
            return index == len(messages) - 1 and index in chosen
        return super().trains_stop(index, messages, chosen)


@dataclass(frozen=True)
class RolesAreAddedToTheAssistant(ContextMasker):
    """Reads the option `roles` as further roles, so the assistant's turns are trained whatever is chosen.

    Expected: ROLE-3.
    """

    name: str = "roles-are-added-to-the-assistant"

    def has_role(self, message: Mapping[str, Any]) -> bool:
        return message["role"] in {"assistant", *self.policy.roles}


MUTANTS = (
    Mutant(
        name="default-weight-wins",
        summary="A weight that nobody gave wins over `train: false`.",
        expected=("SELECT-1",),
        allowed=("SELECT-2", "STOP-3", "SELECT-3"),
        masker=DefaultWeightWins,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="flags-only-switch-off",
        summary="A flag can leave a turn out, and cannot select one of another role.",
        expected=("SELECT-1",),
        allowed=("SELECT-3", "STOP-4"),
        masker=FlagsOnlySwitchOff,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="spans-counted-in-bytes",
        summary="Character spans are taken for places in the UTF-8 bytes.",
        expected=("SELECT-3",),
        allowed=("SPAN-5", "STOP-1", "STOP-4"),
        masker=SpansCountedInBytes,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="last-turn-is-the-last-message",
        summary="The last turn is looked for in the last message only.",
        expected=("SELECT-2",),
        masker=LastTurnIsTheLastMessage,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="last-stop-is-the-final-token",
        summary="The last stop is looked for behind the last message only.",
        expected=("STOP-4",),
        masker=LastStopIsTheFinalToken,
        control=ContextMasker,
        pairs=PAIRS,
    ),
    Mutant(
        name="roles-are-added-to-the-assistant",
        summary="The roles to train are added to the assistant instead of replacing it.",
        expected=("ROLE-3",),
        masker=RolesAreAddedToTheAssistant,
        control=ContextMasker,
        pairs=PAIRS,
    ),
)
