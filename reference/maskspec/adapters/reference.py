"""The reference masker as a masker under test: it must keep every rule, on every pair.

This is the control of the whole suite. A rule that accuses the reference is wrong,
or the reference is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from maskspec.conformance.protocol import Labelled, Request, Unsupported
from maskspec.errors import MaskspecError
from maskspec.masker import mask
from maskspec.policy import Policy
from maskspec.tokenizers import wrap

__all__ = ["ReferenceMasker"]


@dataclass(frozen=True, slots=True)
class ReferenceMasker:
    """`maskspec.mask` with the default policy, or any other through `with_policy`."""

    policy: Policy = field(default_factory=Policy)
    name: str = "reference"

    def mask(self, request: Request) -> Labelled:
        """Mask with the reference; an error of the reference is `Unsupported`, with its message."""
        try:
            answer = mask(
                request.messages,
                template=request.template,
                tokenizer=wrap(request.tokenizer, stops=request.stops),
                policy=self.policy,
                tools=request.tools,
                template_kwargs=request.template_kwargs,
                allow_empty=True,
            )
        except MaskspecError as error:
            raise Unsupported(str(error)) from error
        return Labelled(answer.input_ids, answer.labels)

    def with_policy(self, policy: Policy) -> ReferenceMasker:
        """The same masker under another policy."""
        return ReferenceMasker(policy=policy)

    def collate(self, samples: Sequence[Labelled], pad_token_id: int) -> list[Labelled]:
        """Pad on the right: the padding is -100 by its position, whatever its id means elsewhere."""
        width = max((len(sample.input_ids) for sample in samples), default=0)
        return [
            Labelled(
                sample.input_ids + (pad_token_id,) * (width - len(sample.input_ids)),
                sample.labels + (-100,) * (width - len(sample.labels)),
            )
            for sample in samples
        ]


masker = ReferenceMasker()
"""What `maskspec check reference` runs."""
