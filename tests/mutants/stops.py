"""Maskers that lose the token which ends a turn."""

from __future__ import annotations

from dataclasses import dataclass

from maskspec import Request
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import Span, TurnMasker

__all__ = ["MUTANTS", "BoundaryStopMasker"]


@dataclass(frozen=True)
class BoundaryStopMasker(TurnMasker):
    """The right one: a stop that the next message prints belongs to the turn before it."""

    name: str = "boundary-stops"

    def spans(self, request: Request, text: str) -> list[Span]:
        return [(start, end + self.ending(request, text[end:])) for start, end in super().spans(request, text)]

    def ending(self, request: Request, rest: str) -> int:
        """The length of the stop that follows a turn, 0 where none does."""
        return next((len(stop) for stop in request.stops if rest.startswith(stop)), 0)


@dataclass(frozen=True)
class StopOfTheNextMessage(BoundaryStopMasker):
    """A turn ends where its own text ends, and the token that ends it opens the next message.

    trl#5988 and #6044: in GLM's format the role marker of the next message is what the
    model generates to stop. As part of that message it was never trained. To be caught by
    STOP-2.
    """

    name: str = "stop-left-to-the-next-message"

    def ending(self, request: Request, rest: str) -> int:
        return 0


MUTANTS = (
    Mutant(
        name="stop-left-to-the-next-message",
        rows=(17,),
        summary="The stop that the next message prints is taken for a part of that message.",
        expected=("STOP-2",),
        masker=StopOfTheNextMessage,
        control=BoundaryStopMasker,
        pairs=("glm+bytelevel-gpt2", "glm+tiktoken"),
    ),
)
