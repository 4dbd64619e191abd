"""Maskers with one defect or fault each; module-level, so that other processes find them by `tests.conformance.maskers:…`."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass, field
from itertools import repeat

from maskspec.adapters.reference import ReferenceMasker
from maskspec.conformance import Labelled, Request, Unsupported
from maskspec.policy import Policy

PATH = "tests.conformance.maskers"


def right(request: Request) -> Labelled:
    return ReferenceMasker(policy=Policy(flags=False)).mask(request)


@dataclass
class Right:
    """The reference under a policy without flags, without any further ability."""

    name: str = "right"
    policy: Policy = field(default_factory=lambda: Policy(flags=False))

    def mask(self, request: Request) -> Labelled:
        return right(request)


@dataclass
class WithoutStops(Right):
    """Never trains the last token of a turn's text: the most frequent historical bug."""

    name: str = "without stops"

    def mask(self, request: Request) -> Labelled:
        answer = right(request)
        labels = list(answer.labels)
        for index in range(len(labels)):
            if labels[index] != -100 and (index + 1 == len(labels) or labels[index + 1] == -100):
                labels[index] = -100
        return Labelled(answer.input_ids, labels)


@dataclass
class WithOpenings(WithoutStops):
    """Trains the token before each trained run too, besides never training stops: two failures at a time."""

    name: str = "with openings"

    def mask(self, request: Request) -> Labelled:
        answer = super().mask(request)
        labels = list(answer.labels)
        for index in range(1, len(labels)):
            if answer.labels[index] != -100 and answer.labels[index - 1] == -100:
                labels[index - 1] = answer.input_ids[index - 1]
        return Labelled(answer.input_ids, labels)


def is_long(request: Request) -> bool:
    """Whether a conversation has five messages: not among the first fixed ones, but soon."""
    return len(request.messages) >= 5


@dataclass
class SleepsOnLong(WithoutStops):
    """Sleeps when a conversation is long, on ChatML alone."""

    name: str = "sleeps"

    def mask(self, request: Request) -> Labelled:
        if is_long(request) and "<|im_start|>" in request.template:
            time.sleep(600)
        return super().mask(request)


@dataclass
class Slow(WithoutStops):
    """Takes its time, so that there is time to kill it; says on standard error when it began."""

    name: str = "slow"

    def mask(self, request: Request) -> Labelled:
        time.sleep(0.02)
        return super().mask(request)


@dataclass
class Deaf(Right):
    """Hangs in C code that holds the interpreter's lock, on long conversations: no signal and no thread gets through."""

    name: str = "deaf"

    def mask(self, request: Request) -> Labelled:
        if is_long(request) and "<|im_start|>" in request.template:
            deque(repeat(0), maxlen=0)
        return super().mask(request)


@dataclass
class Stubborn(Right):
    """Hangs and handles whatever is raised to end that."""

    name: str = "stubborn"

    def mask(self, request: Request) -> Labelled:
        while is_long(request):
            try:
                time.sleep(600)
            except BaseException:  # noqa: BLE001  (this is its fault)
                continue
        return super().mask(request)


@dataclass
class Dies(Right):
    """Ends its process on long conversations, as a crash in a library does."""

    name: str = "dies"

    def mask(self, request: Request) -> Labelled:
        if is_long(request) and "<|im_start|>" in request.template:
            os._exit(7)
        return super().mask(request)


@dataclass
class Interrupting(WithoutStops):
    """Presses Ctrl-C, so to speak, once it was asked about another pair than the first."""

    name: str = "interrupting"
    first: str = ""

    def mask(self, request: Request) -> Labelled:
        self.first = self.first or request.pair
        if request.pair != self.first and is_long(request):
            raise KeyboardInterrupt
        return super().mask(request)


@dataclass
class OnlyChatML(Right):
    name: str = "only ChatML"

    def mask(self, request: Request) -> Labelled:
        if "<|im_start|>" not in request.template:
            raise Unsupported("only ChatML")
        return super().mask(request)


def made() -> Right:
    """A masker from a function."""
    return Right(name="made")


without_stops = WithoutStops()
