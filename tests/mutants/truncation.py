"""Maskers that are right until a maximum length is set."""

from __future__ import annotations

from dataclasses import dataclass, replace

from maskspec import Labelled, Request
from tests.mutants.mutant import Mutant
from tests.mutants.search import PlaceholderMasker
from tests.mutants.toolkit import IGNORE, TurnMasker, check_messages, cut, encode, render, selected

__all__ = ["MUTANTS"]


@dataclass(frozen=True)
class CutPlaceholderMasker(PlaceholderMasker):
    """The right one: the whole conversation is masked, and then cut."""

    name: str = "placeholder-then-cut"
    truncation: tuple[str, ...] = ("right",)

    def mask(self, request: Request) -> Labelled:
        return cut(super().mask(replace(request, max_length=None)), request)


@dataclass(frozen=True)
class TruncatedInsideTheRender(CutPlaceholderMasker):
    """Renders are encoded with truncation, and turns are found by comparing what is left of them.

    axolotl#2123: two truncated renders no longer end alike, so the end of a turn is not
    seen, and its labels run on to the cut. To be caught by TRUNC-1.
    """

    name: str = "truncated-inside-the-render"

    def mask(self, request: Request) -> Labelled:
        whole = super().mask(request)
        if request.max_length is None or len(whole.input_ids) < request.max_length:
            return whole
        check_messages(request.messages)
        text, limit = render(request), request.max_length
        ids = encode(request, text).ids[:limit]
        labels = [IGNORE] * len(ids)
        for index in selected(request.messages, self.policy):
            other = encode(request, render(request, self.replaced(request, text, index))).ids[:limit]
            pairs = list(zip(ids, other, strict=False))
            start = next((at for at, (one, two) in enumerate(pairs) if one != two), len(pairs))
            back = list(zip(ids[start:][::-1], other[start:][::-1], strict=False))
            alike = next((at for at, (one, two) in enumerate(back) if one != two), len(back))
            end = len(ids) - alike if alike else len(ids)
            labels[start:end] = ids[start:end]
        return Labelled(ids, labels)


@dataclass(frozen=True)
class LastMaskedUnderALimit(TurnMasker):
    """The mask is truncated by the function that truncates the ids, which makes the last entry the "end" value.

    torchtune#2792 and #2967: the end value of a mask was "ignored", whether anything was
    cut or not. Setting a maximum length alone lost the final stop. To be caught by TRUNC-3.
    """

    name: str = "last-token-masked-under-a-limit"
    truncation: tuple[str, ...] = ("right",)

    def mask(self, request: Request) -> Labelled:
        sample = super().mask(request)
        if request.max_length is None or not sample.labels:
            return sample
        return Labelled(sample.input_ids, [*sample.labels[:-1], IGNORE])


MUTANTS = (
    Mutant(
        name="truncated-inside-the-render",
        rows=(2,),
        summary="Turns are found by comparing renders that were truncated before.",
        expected=("TRUNC-1",),
        allowed=("TRUNC-3",),
        masker=TruncatedInsideTheRender,
        control=CutPlaceholderMasker,
        pairs=("chatml+bytelevel-gpt2", "llama-3+tiktoken"),
    ),
    Mutant(
        name="last-token-masked-under-a-limit",
        rows=(31,),
        summary="A maximum length, reached or not, makes the last token ignored.",
        expected=("TRUNC-3",),
        allowed=("TRUNC-1",),
        masker=LastMaskedUnderALimit,
        control=TurnMasker,
        pairs=("llama-3+tiktoken", "command-r+bytelevel-gpt2"),
    ),
)
