"""maskspec: which tokens of a chat conversation carry loss, as a specification, a reference and a suite.

    from maskspec import mask
    result = mask(messages, template=template, tokenizer=tokenizer)

Everything public is imported on first use, so `import maskspec` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from maskspec.conformance import Collated as Collated
    from maskspec.conformance import KnownFailures as KnownFailures
    from maskspec.conformance import Labelled as Labelled
    from maskspec.conformance import Packed as Packed
    from maskspec.conformance import Padding as Padding
    from maskspec.conformance import Request as Request
    from maskspec.conformance import Unsupported as Unsupported
    from maskspec.conformance import check_masker as check_masker
    from maskspec.conformance import conformance as conformance
    from maskspec.conversation import Conversation as Conversation
    from maskspec.conversation import Message as Message
    from maskspec.errors import MaskspecError as MaskspecError
    from maskspec.hazards import Hazard as Hazard
    from maskspec.hazards import HazardKind as HazardKind
    from maskspec.masker import Mask as Mask
    from maskspec.masker import Token as Token
    from maskspec.masker import mask as mask
    from maskspec.policy import Policy as Policy
    from maskspec.policy import Verdict as Verdict
    from maskspec.rendering import Limits as Limits
    from maskspec.rendering import Rendering as Rendering
    from maskspec.rendering import render as render
    from maskspec.segmentation import Zone as Zone

_HOMES = {
    "Collated": "maskspec.conformance",
    "Conversation": "maskspec.conversation",
    "Hazard": "maskspec.hazards",
    "HazardKind": "maskspec.hazards",
    "KnownFailures": "maskspec.conformance",
    "Labelled": "maskspec.conformance",
    "Limits": "maskspec.rendering",
    "Mask": "maskspec.masker",
    "MaskspecError": "maskspec.errors",
    "Message": "maskspec.conversation",
    "Packed": "maskspec.conformance",
    "Padding": "maskspec.conformance",
    "Policy": "maskspec.policy",
    "Rendering": "maskspec.rendering",
    "Request": "maskspec.conformance",
    "Token": "maskspec.masker",
    "Unsupported": "maskspec.conformance",
    "Verdict": "maskspec.policy",
    "Zone": "maskspec.segmentation",
    "check_masker": "maskspec.conformance",
    "mask": "maskspec.masker",
    "render": "maskspec.rendering",
}

__all__ = [*_HOMES, "__version__", "conformance"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("maskspec")
    if name == "conformance":
        # Importing the subpackage puts it under this very name, so the decorator is the subpackage itself, called.
        return import_module("maskspec.conformance")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'maskspec' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
