"""maskspec: which tokens of a chat conversation carry loss, as a specification, a reference and a suite.

    from maskspec import mask
    result = mask(messages, template=template, tokenizer=tokenizer)

Everything public is imported on first use, so `import maskspec` stays quick.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
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
    "Conversation": "maskspec.conversation",
    "Hazard": "maskspec.hazards",
    "HazardKind": "maskspec.hazards",
    "Limits": "maskspec.rendering",
    "Mask": "maskspec.masker",
    "MaskspecError": "maskspec.errors",
    "Message": "maskspec.conversation",
    "Policy": "maskspec.policy",
    "Rendering": "maskspec.rendering",
    "Token": "maskspec.masker",
    "Verdict": "maskspec.policy",
    "Zone": "maskspec.segmentation",
    "mask": "maskspec.masker",
    "render": "maskspec.rendering",
}

__all__ = [*_HOMES, "__version__"]


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import version

        return version("maskspec")
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'maskspec' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
