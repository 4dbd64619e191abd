"""Samples of a prompt and an answer, and the place where the one ends and the other begins.

The prompt is rendered alone and measured. What it lacks, or shares with the answer, is
where these maskers go wrong.
"""

from __future__ import annotations

from dataclasses import dataclass

from maskspec import Policy, Request, Unsupported
from maskspec.policy import Turns, Verdict
from tests.mutants.labels import PromptAndAnswer
from tests.mutants.mutant import Mutant
from tests.mutants.toolkit import IGNORE, Encoded, Span, encode, render

__all__ = ["MUTANTS"]

MERGED = Policy(flags=False, turns=Turns.LAST, straddling=Verdict.TRAIN)


@dataclass(frozen=True)
class PromptWithoutGenerationPrompt(PromptAndAnswer):
    """Measures the prompt as a render without the generation prompt, so the header of the answer comes on top.

    mlx-lm#584. Expected: OPEN-1.
    """

    name: str = "prompt-without-generation-prompt"

    def spans(self, request: Request, text: str) -> list[Span]:
        return [(len(render(request, request.messages[:-1])), len(text))]


@dataclass(frozen=True)
class SharedTokens(PromptAndAnswer):
    """The right masker for those who train a token that prompt and answer share: by the characters of each token."""

    policy: Policy = MERGED

    def labels(self, request: Request, text: str, encoded: Encoded) -> list[int]:
        prompt = render(request, request.messages[:-1], add_generation_prompt=True)
        start = self.boundary(request, prompt, encoded)
        return [IGNORE] * start + encoded.ids[start:]

    def boundary(self, request: Request, prompt: str, encoded: Encoded) -> int:
        """How many tokens are the prompt's alone."""
        if encoded.offsets is None:
            raise Unsupported("a slow tokenizer, which has no offsets")
        return sum(1 for _, behind in encoded.offsets if behind <= len(prompt))


@dataclass(frozen=True)
class LengthOfThePromptAlone(SharedTokens):
    """Ignores as many tokens as the prompt has alone, although the last of them merge with the answer.

    AReaL#1427. Expected: SPAN-1.
    """

    name: str = "length-of-the-prompt-alone"

    def boundary(self, request: Request, prompt: str, encoded: Encoded) -> int:
        return len(encode(request, prompt).ids)


@dataclass(frozen=True)
class FirstTokenThatDiffers(SharedTokens):
    """Trains from the first token in which the prompt alone and the whole differ.

    The repair of AReaL#1427: merging may change how the prompt's own last characters are
    cut into tokens, and then a token of the prompt alone is trained. Expected: OPEN-1.
    """

    name: str = "first-token-that-differs"

    def boundary(self, request: Request, prompt: str, encoded: Encoded) -> int:
        alone = encode(request, prompt).ids
        return next(
            (k for k, pair in enumerate(zip(alone, encoded.ids, strict=False)) if pair[0] != pair[1]), len(alone)
        )


MUTANTS = (
    Mutant(
        name="prompt-without-generation-prompt",
        rows=(52,),
        summary="The prompt is rendered without the generation prompt, so the answer's header is trained.",
        expected=("OPEN-1",),
        allowed=("SELECT-2",),
        masker=PromptWithoutGenerationPrompt,
        control=PromptAndAnswer,
        pairs=("gemma+sentencepiece-bpe",),
    ),
    Mutant(
        name="length-of-the-prompt-alone",
        rows=(53,),
        summary="As many tokens are ignored as the prompt has alone, although its last ones merge with the answer.",
        expected=("SPAN-1",),
        allowed=("OPEN-1", "SELECT-2"),
        masker=LengthOfThePromptAlone,
        control=SharedTokens,
        pairs=("alpaca+bytelevel-gpt2",),
    ),
    Mutant(
        name="first-token-that-differs",
        summary="The answer begins at the first token that the prompt alone has otherwise, be it the prompt's own.",
        expected=("OPEN-1",),
        allowed=("SELECT-2",),
        masker=FirstTokenThatDiffers,
        control=SharedTokens,
        pairs=("alpaca+tiktoken",),
    ),
)
