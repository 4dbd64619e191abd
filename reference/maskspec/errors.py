"""Every error that maskspec raises on purpose: one tree, one sentence per class.

A message names the thing that is wrong and what to do next. Code that catches
`MaskspecError` catches everything documented here and nothing else.
"""

from __future__ import annotations

__all__ = [
    "AlignmentError",
    "ConversationError",
    "CorpusError",
    "EmptyMaskError",
    "MaskspecError",
    "MissingPackageError",
    "PolicyError",
    "ProvenanceError",
    "SegmentationError",
    "TemplateError",
    "TemplateLimitExceeded",
    "TemplateRejected",
    "TemplateSecurityError",
    "TemplateSyntaxError",
    "TokenizerError",
    "UsageError",
]


class MaskspecError(Exception):
    """The root of every error that maskspec raises on purpose."""


class ConversationError(MaskspecError):
    """A conversation is not valid; the message index and the field are named where there is one.

    `message` is the zero-based index of the offending message (None when the
    conversation as a whole is at fault) and `field` the offending key.
    """

    def __init__(self, problem: str, *, message: int | None = None, field: str | None = None) -> None:
        self.problem = problem
        self.message = message
        self.field = field
        where = "conversation" if message is None else f"message {message}"
        if field is not None:
            where += f", field {field!r}"
        super().__init__(f"{where}: {problem}")


class TemplateError(MaskspecError):
    """A chat template could not be used."""


class TemplateSyntaxError(TemplateError):
    """A chat template is not valid Jinja."""


class TemplateRejected(TemplateError):
    """A chat template refused this conversation (by `raise_exception`, or by failing on it)."""


class TemplateSecurityError(TemplateError):
    """A chat template tried to reach something that the sandbox does not allow."""


class TemplateLimitExceeded(TemplateError):
    """A chat template used more time, output or recursion than its limits allow."""


class ProvenanceError(TemplateError):
    """Traced rendering produced another text than plain rendering, so its origins cannot be trusted."""


class SegmentationError(MaskspecError):
    """A rendering could not be divided into zones."""


class TokenizerError(MaskspecError):
    """A tokenizer could not be recognised or could not encode the text."""


class AlignmentError(MaskspecError):
    """The tokens do not spell the text they were made from, so no character range is known for them."""


class PolicyError(MaskspecError):
    """A policy holds a value that no policy can hold."""


class EmptyMaskError(MaskspecError):
    """Nothing of a conversation would be trained, and the caller did not say that this is wanted."""


class CorpusError(MaskspecError):
    """A template, tokenizer or pair that was asked for is not known or not intact."""


class MissingPackageError(CorpusError):
    """Something needs a package that is not installed; the message holds the command that installs it."""


class UsageError(MaskspecError):
    """A command or function was called in a way it does not support."""
