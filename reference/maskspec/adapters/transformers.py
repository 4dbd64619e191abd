"""The masker built into transformers: `apply_chat_template(..., return_assistant_tokens_mask=True)`.

It marks the characters inside `{% generation %}` blocks, finds their first and last
token through the fast tokenizer's offsets, and returns a mask. Trainers (TRL's SFT
trainer among them) turn it into labels: the id where the mask is 1, else -100. This
adapter does the same and nothing more.

Declared policy: the default one without flags. What is trained is what the template's
author put between the tags, and tags that enclose less than the generated turn, or
more, are findings. Per-message flags do not exist in this masker.

Not asked, with a reason each: templates without generation tags (transformers then
returns a mask of zeros and a warning), slow tokenizers (without offsets there is no
mask), and tokenizers of other libraries.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from maskspec.conformance.protocol import Labelled, Request, Unsupported
from maskspec.policy import Policy

__all__ = ["TransformersMasker"]

# The expression by which transformers itself looks for the tag (utils/chat_template_utils.py).
_TAG = re.compile(r"\{\%-?\s*generation\s*-?\%\}")


@dataclass(frozen=True, slots=True)
class TransformersMasker:
    """transformers' assistant mask, turned into labels as trainers do."""

    policy: Policy = field(default_factory=lambda: Policy(flags=False))
    name: str = "transformers"

    def mask(self, request: Request) -> Labelled:
        """Mask one conversation with the request's own transformers tokenizer."""
        if not _TAG.search(request.template):
            raise Unsupported("the template has no {% generation %} tags")
        tokenizer = request.tokenizer
        if not hasattr(tokenizer, "apply_chat_template"):
            raise Unsupported("the tokenizer is not one of transformers")
        if not getattr(tokenizer, "is_fast", False):
            raise Unsupported("slow tokenizers have no offsets, so transformers makes no mask for them")
        encoded: dict[str, Any] = tokenizer.apply_chat_template(
            request.messages,
            tools=request.tools,
            chat_template=request.template,
            tokenize=True,
            return_dict=True,
            return_assistant_tokens_mask=True,
            **{**request.special_tokens, **request.template_kwargs},
        )
        return Labelled.from_mask(encoded["input_ids"], encoded["assistant_masks"])


masker = TransformersMasker()
"""What `maskspec check transformers` runs."""
