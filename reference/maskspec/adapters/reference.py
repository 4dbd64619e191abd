"""The reference masker as a masker under test: it must keep every rule, on every pair.

This is the control of the whole suite. A rule that accuses the reference is wrong,
or the reference is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from maskspec.conformance.protocol import Collated, Labelled, Packed, Padding, Request, Unsupported
from maskspec.errors import ConversationError, MaskspecError
from maskspec.masker import IGNORE_INDEX, mask
from maskspec.policy import Policy
from maskspec.tokenizers import wrap
from maskspec.tokens import Tokenizer

__all__ = ["ReferenceMasker"]


@dataclass(frozen=True, slots=True)
class ReferenceMasker:
    """`maskspec.mask` with the default policy, or any other through `with_policy`; it can be asked everything."""

    policy: Policy = field(default_factory=Policy)
    name: str = "reference"
    truncation: tuple[str, ...] = ("right", "left")
    documented_errors: tuple[type[BaseException], ...] = (ConversationError,)

    def mask(self, request: Request) -> Labelled:
        """Mask with the reference; an error of the reference is `Unsupported`, with its message."""
        try:
            answer = mask(
                request.messages,
                template=request.template,
                tokenizer=_wrapped(request),
                policy=self.policy,
                tools=request.tools,
                template_kwargs=request.template_kwargs,
                allow_empty=True,
            )
        except ConversationError:
            raise
        except MaskspecError as error:
            raise Unsupported(str(error)) from error
        if request.max_length is None:
            return Labelled(answer.input_ids, answer.labels)
        cut = max(0, len(answer.input_ids) - request.max_length)
        if request.truncation_side == "left":
            return Labelled(answer.input_ids[cut:], answer.labels[cut:])
        return Labelled(answer.input_ids[: len(answer.input_ids) - cut], answer.labels[: len(answer.labels) - cut])

    def with_policy(self, policy: Policy) -> ReferenceMasker:
        """The same masker under another policy."""
        return ReferenceMasker(policy=policy)

    def mask_batch(self, requests: Sequence[Request]) -> list[Labelled]:
        """One after the other: nothing of one conversation reaches into another."""
        return [self.mask(request) for request in requests]

    def collate(self, samples: Sequence[Labelled], padding: Padding) -> list[Collated]:
        """Pad to the longest: the padding is -100 and unattended by its position, whatever its id means elsewhere."""
        width = max((len(sample.input_ids) for sample in samples), default=0)
        return [_padded(sample, width - len(sample.input_ids), padding) for sample in samples]

    def pack(self, samples: Sequence[Labelled], max_length: int) -> list[Packed]:
        """Fill rows of at most `max_length` tokens in order; samples are kept whole, so a longer one has its own row.

        The first token of a sample is never trained: in a row, it would be predicted from the sample before.
        """
        rows: list[list[Labelled]] = []
        room = 0
        for sample in samples:
            if not rows or len(sample.input_ids) > room:
                rows.append([])
                room = max_length
            rows[-1].append(sample)
            room -= len(sample.input_ids)
        return [_packed(row) for row in rows]


def _wrapped(request: Request) -> Tokenizer:
    if isinstance(request.tokenizer, Tokenizer):
        return request.tokenizer
    return wrap(request.tokenizer, stops=request.stops)


def _padded(sample: Labelled, missing: int, padding: Padding) -> Collated:
    ids, ignored, unattended = (padding.token_id,) * missing, (IGNORE_INDEX,) * missing, (0,) * missing
    attended = (1,) * len(sample.input_ids)
    if padding.side == "left":
        return Collated(ids + sample.input_ids, ignored + sample.labels, unattended + attended)
    return Collated(sample.input_ids + ids, sample.labels + ignored, attended + unattended)


def _packed(row: Sequence[Labelled]) -> Packed:
    return Packed(
        [token for sample in row for token in sample.input_ids],
        [label for sample in row for label in (IGNORE_INDEX, *sample.labels[1:])[: len(sample.labels)]],
        position_ids=[position for sample in row for position in range(len(sample.input_ids))],
        sequence_ids=[number for number, sample in enumerate(row) for _ in sample.input_ids],
    )


masker = ReferenceMasker()
"""What `maskspec check reference` runs."""
